/* SPDX-License-Identifier: MIT */
/* What libFuzzer calls. The environment variable FUZZ_TARGET chooses; without it the names of all
 * targets are printed. */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const struct fuzz_target *chosen;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    const char *name = getenv("FUZZ_TARGET");
    const struct fuzz_target *target;
    for (size_t i = 0; (target = fuzz_target_at(i)) != NULL; i++) {
        if (name == NULL) {
            puts(target->name);
        } else if (strcmp(target->name, name) == 0) {
            chosen = target;
        }
    }
    if (chosen == NULL) {
        exit(name == NULL ? 0 : 64);
    }
    atexit(fuzz_place_remove);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    chosen->run(bytes, len);
    return 0;
}
