/* SPDX-License-Identifier: MIT */
#include "artifact/flatten_write.h"

#include "artifact/ext4.h"
#include "artifact/ext4_writer.h"
#include "artifact/flatten.h"
#include "artifact/tree.h"
#include "base/error.h"

#define BYTES_PER_INODE 16384

void flatten_make_uuid(const struct digest *source, uint8_t uuid[16])
{
    for (unsigned i = 0; i < 16; i++) {
        uuid[i] = source->bytes[i];
    }
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x80);
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
}

static uint64_t round_up(uint64_t bytes)
{
    if (bytes > EXT4_SIZE_MAX - FLATTEN_SIZE_STEP) {
        return EXT4_SIZE_MAX;
    }
    return (bytes + FLATTEN_SIZE_STEP - 1) / FLATTEN_SIZE_STEP * FLATTEN_SIZE_STEP;
}

uint64_t flatten_size(uint64_t compressed_bytes)
{
    uint64_t bytes = compressed_bytes > EXT4_SIZE_MAX / 4 ? EXT4_SIZE_MAX : compressed_bytes * 4;
    return round_up(bytes < FLATTEN_SIZE_MIN ? FLATTEN_SIZE_MIN : bytes);
}

static bool write_once(const struct flatten_disk *disk, const struct ext4_plan *plan,
    flatten_fill *fill, void *context, struct flatten_report *report, struct ext4_tally *tally,
    struct error *err)
{
    *report = (struct flatten_report){.source = report->source};
    auto_ext4_writer struct ext4_writer *writer = ext4_writer_new(disk->fd, plan, err);
    if (!writer) {
        return false;
    }
    struct tree *tree = tree_new();
    bool is_fine =
        fill(context, tree, writer, report, err) && ext4_writer_finish(writer, tree, tally, err);
    tree_free(tree);
    report->size_bytes = tally->size_bytes;
    report->used_bytes = tally->used_bytes;
    report->skipped_xattrs += tally->dropped_xattrs;
    return is_fine;
}

/* What to try after what turned out too small; false where nothing helps. */
static bool plan_again(
    const struct flatten_disk *disk, const struct ext4_tally *tally, struct ext4_plan *plan)
{
    if (tally->need_bytes == 0) {
        return false;
    }
    if (tally->need_bytes > plan->size_bytes) {
        if (disk->size_bytes > 0) {
            return false;
        }
        plan->size_bytes = round_up(tally->need_bytes);
    }
    plan->inodes = plan->size_bytes / BYTES_PER_INODE < tally->need_inodes ? tally->need_inodes : 0;
    return true;
}

bool flatten_write(const struct flatten_disk *disk, flatten_fill *fill, void *context,
    struct flatten_report *report, struct error *err)
{
    struct ext4_plan plan = {
        .size_bytes = disk->size_bytes > 0 ? disk->size_bytes : round_up(disk->start_bytes),
        .label = disk->label,
    };
    for (unsigned i = 0; i < sizeof plan.uuid; i++) {
        plan.uuid[i] = disk->uuid[i];
    }
    struct ext4_tally tally = {0};
    struct error first = {0};
    if (write_once(disk, &plan, fill, context, report, &tally, &first)) {
        return true;
    }
    if (first.code != ERROR_NO_SPACE || !plan_again(disk, &tally, &plan)) {
        *err = first;
        return false;
    }
    tally = (struct ext4_tally){0};
    return write_once(disk, &plan, fill, context, report, &tally, err);
}
