/* SPDX-License-Identifier: MIT */
#include "artifact/oci_image.h"

#include <stdlib.h>
#include <unistd.h>

static void run_done(struct oci_run *run)
{
    strings_done(&run->entrypoint);
    strings_done(&run->cmd);
    strings_done(&run->env);
    free(run->workdir);
    free(run->user);
    free(run->stop_signal);
}

void oci_image_done(struct oci_image *image)
{
    if (image->cache_hold > 0) {
        close(image->cache_hold);
    }
    run_done(&image->run);
    for (size_t i = 0; i < image->step_count; i++) {
        free(image->steps[i].created);
        free(image->steps[i].created_by);
    }
    free(image->steps);
    free(image->layers);
    free(image->reference);
    free(image->architecture);
    free(image->variant);
    free(image->created);
    *image = (struct oci_image){0};
}
