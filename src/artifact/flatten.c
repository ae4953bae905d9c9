/* SPDX-License-Identifier: MIT */
#include "artifact/flatten.h"

#include <string.h>
#include <sys/stat.h>

#include "artifact/blob_cache.h"
#include "artifact/decompress.h"
#include "artifact/ext4_writer.h"
#include "artifact/flatten_write.h"
#include "artifact/hash.h"
#include "artifact/layer.h"
#include "artifact/oci_image.h"
#include "base/error.h"
#include "base/memory.h"

/* A tar that is not compressed is hardly smaller than what is in it. */
#define PLAIN_SHARE 3

/* layer.h */
struct order {
    bool is_kept, is_needed;
};

/* The quick way, and where that cannot do it, in order. */
static bool write_layers(const struct flatten_disk *disk, flatten_fill *fill, void *context,
    struct order *order, struct flatten_report *report, struct error *err)
{
    struct error quick = {0};
    if (flatten_write(disk, fill, context, report, &quick)) {
        return true;
    }
    if (!order->is_needed) {
        *err = quick;
        return false;
    }
    order->is_kept = true;
    return flatten_write(disk, fill, context, report, err);
}

struct image_job {
    const struct oci_image *image;
    int blobs_dir;
    const struct flatten_options *options;
    struct order order;
    const struct limits *limits;
    const struct progress *progress;
    const struct cancel *cancel;
};

static unsigned accepted_format(enum oci_compression compression)
{
    switch (compression) {
    case OCI_LAYER_GZIP:
        return DECOMPRESS_GZIP;
    case OCI_LAYER_ZSTD:
        return DECOMPRESS_ZSTD;
    case OCI_LAYER_TAR:
        return DECOMPRESS_NONE;
    }
    return 0;
}

static bool add_layer(
    const struct image_job *job, struct layer_stack *stack, size_t index, struct error *err)
{
    const struct oci_layer *layer = &job->image->layers[index];
    char hex[DIGEST_HEX_LEN + 1];
    auto_free char *shown = memory_printf("layer %zu of %zu (%.12s)", index + 1,
        job->image->layer_count, digest_format(&layer->digest, hex));
    if (job->options->wait && !job->options->wait(job->options->context, index, err)) {
        return false;
    }
    auto_close int fd = blob_cache_open(job->blobs_dir, &layer->digest, err);
    if (fd < 0) {
        return error_wrap(err, "%s", shown);
    }
    const struct layer_blob blob = {
        .fd = fd,
        .accepted = accepted_format(layer->compression),
        .has_whiteouts = true,
        .diff_id = &layer->diff_id,
        .shown = shown,
    };
    return layer_stack_add(stack, &blob, (uint32_t)index + 1, err);
}

static bool fill_image(void *context, struct tree *tree, struct ext4_writer *writer,
    struct flatten_report *report, struct error *err)
{
    struct image_job *job = context;
    const struct layer_world world = {
        .tree = tree,
        .writer = writer,
        .limits = job->limits,
        .progress = job->progress,
        .cancel = job->cancel,
        .report = report,
        .total_bytes = job->image->layers_bytes,
        .needs_order = job->order.is_kept ? NULL : &job->order.is_needed,
    };
    size_t count = job->image->layer_count;
    auto_layer_stack struct layer_stack *stack = layer_stack_new(&world);
    for (size_t i = 0; i < count; i++) {
        if (!add_layer(job, stack, job->order.is_kept ? i : count - 1 - i, err)) {
            return false;
        }
    }
    return layer_stack_finish(stack, err);
}

bool flatten_image(const struct oci_image *image, int blobs_dir,
    const struct flatten_options *options, int fd, const struct limits *limits,
    const struct progress *progress, const struct cancel *cancel, struct flatten_report *report,
    struct error *err)
{
    struct image_job job = {
        .image = image,
        .blobs_dir = blobs_dir,
        .options = options,
        .limits = limits,
        .progress = progress,
        .cancel = cancel,
    };
    struct flatten_disk disk = {
        .fd = fd,
        .size_bytes = options->size_bytes,
        .start_bytes = flatten_size(image->layers_bytes),
        .label = options->label,
    };
    flatten_make_uuid(&image->manifest_digest, disk.uuid);
    *report = (struct flatten_report){.source = image->manifest_digest};
    return write_layers(&disk, fill_image, &job, &job.order, report, err);
}

struct tar_job {
    int fd;
    struct order order;
    uint64_t bytes;
    const char *shown;
    const struct limits *limits;
    const struct progress *progress;
    const struct cancel *cancel;
};

static bool fill_tar(void *context, struct tree *tree, struct ext4_writer *writer,
    struct flatten_report *report, struct error *err)
{
    struct tar_job *job = context;
    const struct layer_world world = {
        .tree = tree,
        .writer = writer,
        .limits = job->limits,
        .progress = job->progress,
        .cancel = job->cancel,
        .report = report,
        .total_bytes = job->bytes,
        .needs_order = job->order.is_kept ? NULL : &job->order.is_needed,
    };
    const struct layer_blob blob = {
        .fd = job->fd,
        .accepted = DECOMPRESS_NONE | DECOMPRESS_GZIP | DECOMPRESS_ZSTD,
        .shown = job->shown,
    };
    auto_layer_stack struct layer_stack *stack = layer_stack_new(&world);
    return layer_stack_add(stack, &blob, 1, err) && layer_stack_finish(stack, err);
}

/* Of a tar of that size; only its beginning is looked at. */
static bool guess_size(const struct tar_job *job, uint64_t *start_bytes, struct error *err)
{
    auto_decompress struct decompress *decompress = decompress_new_fd(job->fd, 0, UINT64_MAX,
        DECOMPRESS_NONE | DECOMPRESS_GZIP | DECOMPRESS_ZSTD, job->limits, job->shown, job->cancel,
        err);
    if (!decompress) {
        return false;
    }
    bool is_plain = decompress_format(decompress) == DECOMPRESS_NONE;
    *start_bytes = flatten_size(is_plain ? job->bytes / PLAIN_SHARE : job->bytes);
    return true;
}

bool flatten_tar(int tar_fd, const char *shown, const struct flatten_options *options, int fd,
    const struct limits *limits, const struct progress *progress, const struct cancel *cancel,
    struct flatten_report *report, struct error *err)
{
    struct stat status;
    struct tar_job job = {
        .fd = tar_fd,
        .shown = shown,
        .limits = limits,
        .progress = progress,
        .cancel = cancel,
    };
    struct flatten_disk disk = {
        .fd = fd, .size_bytes = options->size_bytes, .label = options->label};
    *report = (struct flatten_report){0};
    if (fstat(tar_fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        return error_set(err, ERROR_FORMAT, "%s is no regular file", shown);
    }
    job.bytes = (uint64_t)status.st_size;
    if (!guess_size(&job, &disk.start_bytes, err) ||
        !hash_fd(tar_fd, shown, progress, cancel, &report->source, err)) {
        return false;
    }
    flatten_make_uuid(&report->source, disk.uuid);
    return write_layers(&disk, fill_tar, &job, &job.order, report, err);
}
