/* SPDX-License-Identifier: MIT */
#include "artifact/work_seed.h"

#include <string.h>

#include "artifact/ext4_read.h"
#include "artifact/flatten_write.h"
#include "base/error.h"

#define NESTED_HOME "root"

struct seed_job {
    int image_fd;
    const char *path;
    const struct limits *limits;
    const struct cancel *cancel;
};

static bool fill_seed(void *context, struct tree *tree, struct ext4_writer *writer,
    struct flatten_report *report, struct error *err)
{
    const struct seed_job *job = context;
    return ext4_read_subtree(
        job->image_fd, job->path, tree, writer, job->limits, job->cancel, report, err);
}

static bool choose_uuid(
    int image_fd, const struct work_seed_options *options, uint8_t uuid[16], struct error *err)
{
    static const uint8_t zeros[16];
    if (memcmp(options->uuid, zeros, sizeof zeros) != 0) {
        memcpy(uuid, options->uuid, sizeof zeros);
        return true;
    }
    if (!ext4_read_uuid(image_fd, uuid, err)) {
        return false;
    }
    uuid[15] ^= 0xff;
    return true;
}

bool work_seed_copy(int image_fd, const char *path, const struct work_seed_options *options, int fd,
    const struct limits *limits, const struct cancel *cancel, struct flatten_report *report,
    struct error *err)
{
    struct seed_job job = {.image_fd = image_fd, .path = path, .limits = limits, .cancel = cancel};
    struct flatten_disk disk = {
        .fd = fd,
        .size_bytes = options->size_bytes,
        .start_bytes = WORK_SEED_SIZE_MIN,
        .label = options->label,
    };
    return choose_uuid(image_fd, options, disk.uuid, err) &&
           flatten_write(&disk, fill_seed, &job, report, err);
}

bool work_seed_make(int image_fd, const struct work_seed_options *options, int fd,
    const struct limits *limits, const struct cancel *cancel, struct flatten_report *report,
    struct error *err)
{
    bool has_changed = false;
    return work_seed_copy(image_fd, "root", options, fd, limits, cancel, report, err) &&
           work_seed_unnest(fd, &has_changed, err);
}

bool work_seed_unnest(int fd, bool *has_changed, struct error *err)
{
    return ext4_lift_directory(fd, NESTED_HOME, has_changed, err);
}
