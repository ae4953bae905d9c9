/* SPDX-License-Identifier: MIT */
#include "artifact/ext4_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <ext2fs/ext2fs.h>

#include "artifact/ext4_fs.h"
#include "base/behind.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

#define GATHER_BLOCKS 256 /* 1 MiB */

/* So much is written between two reminders to the disk to begin. */
#define SYNC_BYTES ((uint64_t)16 << 20)

/* Fewer blocks of zeros in a row stay part of the file's run: a hole would cost an extent. */
#define HOLE_BLOCKS 8

static const uint8_t zero_block[EXT4_BLOCK];

/* Of the thread that writes. */
static bool write_gathered(
    void *context, uint8_t *bytes, size_t len, uint64_t offset, struct error *err)
{
    struct ext4_writer *writer = context;
    if (!file_write_all_at(writer->fd, bytes, len, offset, err)) {
        return error_wrap(err, "the disk file");
    }
    writer->unsynced_bytes += len;
    if (writer->unsynced_bytes >= SYNC_BYTES) {
        file_start_sync(writer->fd);
        writer->unsynced_bytes = 0;
    }
    return true;
}

struct ext4_writer *ext4_writer_new(int fd, const struct ext4_plan *plan, struct error *err)
{
    ext2_filsys fs = ext4_begin(
        fd, plan->size_bytes, plan->inodes, plan->label ? plan->label : "", plan->uuid, err);
    if (fs == NULL) {
        return NULL;
    }
    struct ext4_writer *writer = memory_zero(1, sizeof *writer);
    writer->fs = fs;
    writer->blocks = ext2fs_blocks_count(fs->super);
    writer->inode_limit = fs->super->s_inodes_count;
    writer->fd = fd;
    writer->behind = behind_new((size_t)GATHER_BLOCKS * EXT4_BLOCK, write_gathered, writer);
    return writer;
}

void ext4_writer_free(struct ext4_writer *writer)
{
    if (writer) {
        behind_free(writer->behind);
        if (writer->fs) {
            ext2fs_free(writer->fs);
        }
        free(writer->freed);
        free(writer->inodes);
        free(writer);
    }
}

void ext4_writer_auto_free(struct ext4_writer **writer)
{
    ext4_writer_free(*writer);
}

/* Notes what was used of the run and finds the next one. */
static bool next_run(struct ext4_writer *writer)
{
    ext2fs_block_bitmap map = writer->fs->block_map;
    if (writer->run_at > writer->run_start) {
        ext2fs_block_alloc_stats_range(
            writer->fs, writer->run_start, (blk_t)(writer->run_at - writer->run_start), +1);
    }
    uint64_t from = writer->run_end > 0 ? writer->run_end : writer->fs->super->s_first_data_block;
    writer->run_start = writer->run_at = writer->run_end;
    blk64_t start = 0;
    blk64_t end = 0;
    if (from >= writer->blocks ||
        ext2fs_find_first_zero_block_bitmap2(map, from, writer->blocks - 1, &start) != 0) {
        writer->run_start = writer->run_at = writer->run_end = writer->blocks;
        return false;
    }
    if (ext2fs_find_first_set_block_bitmap2(map, start, writer->blocks - 1, &end) != 0) {
        end = writer->blocks;
    }
    writer->run_start = writer->run_at = start;
    writer->run_end = end;
    return true;
}

uint64_t ext4_take_block(struct ext4_writer *writer)
{
    writer->is_stale = writer->freed_count > 0;
    if (writer->is_stale) {
        struct ext4_run *run = &writer->freed[writer->freed_count - 1];
        writer->freed_count -= run->count == 1 ? 1 : 0;
        run->count--;
        return run->start++;
    }
    if (writer->run_at == writer->run_end && !next_run(writer)) {
        return writer->blocks + writer->over++;
    }
    return writer->run_at++;
}

static bool flush(struct ext4_writer *writer, struct error *err)
{
    size_t count = writer->gather_count;
    writer->gather_count = 0;
    return count == 0 ||
           behind_put(writer->behind, count * EXT4_BLOCK, writer->gather_block * EXT4_BLOCK, err);
}

bool ext4_flush(struct ext4_writer *writer, struct error *err)
{
    return flush(writer, err) && behind_wait(writer->behind, err);
}

bool ext4_put_block(
    struct ext4_writer *writer, uint64_t block, const void *bytes, struct error *err)
{
    if (block >= writer->blocks) {
        return true;
    }
    if ((writer->gather_count == GATHER_BLOCKS ||
            writer->gather_block + writer->gather_count != block) &&
        !flush(writer, err)) {
        return false;
    }
    if (writer->gather_count == 0) {
        writer->gather_block = block;
    }
    uint8_t *gather = behind_piece(writer->behind);
    memcpy(gather + writer->gather_count++ * EXT4_BLOCK, bytes, EXT4_BLOCK);
    return true;
}

static void add_freed(struct ext4_writer *writer, uint64_t start, uint64_t count)
{
    size_t used = writer->freed_count;
    if ((used & (used - 1)) == 0) {
        writer->freed = memory_grow(writer->freed, used > 0 ? used * 2 : 1, sizeof *writer->freed);
    }
    writer->freed[writer->freed_count++] = (struct ext4_run){.start = start, .count = count};
}

void ext4_drop_inode(struct ext4_writer *writer, struct tree_inode *inode)
{
    while (inode && tree_inode_release(inode)) {
        for (uint32_t i = 0; i < inode->extent_count; i++) {
            const struct tree_extent *extent = &inode->extents[i];
            if (extent->physical + extent->count <= writer->blocks) {
                add_freed(writer, extent->physical, extent->count);
            }
        }
        struct tree_inode *next = inode->alias;
        tree_inode_free(inode);
        inode = next;
    }
}

void ext4_file_begin(struct ext4_writer *writer, struct tree_inode *inode)
{
    writer->inode = inode;
    writer->file_bytes = 0;
    writer->logical = 0;
    writer->zeros = 0;
    writer->partial_len = 0;
}

/* Blocks of zeros before the next one get their place after all; they are only written over what a
 * file that is gone has left. */
static bool place_zeros(struct ext4_writer *writer, struct error *err)
{
    uint32_t count = writer->zeros < HOLE_BLOCKS ? writer->zeros : 0;
    writer->zeros = 0;
    for (uint32_t i = count; i > 0; i--) {
        uint64_t block = ext4_take_block(writer);
        tree_inode_add_block(writer->inode, writer->logical - i, block);
        if (writer->is_stale && !ext4_put_block(writer, block, zero_block, err)) {
            return false;
        }
    }
    return true;
}

static bool add_block(struct ext4_writer *writer, const uint8_t *bytes, struct error *err)
{
    if (writer->logical == UINT32_MAX) {
        return error_set(err, ERROR_LIMIT, "a file is larger than ext4 can hold");
    }
    if (memcmp(bytes, zero_block, EXT4_BLOCK) == 0) {
        writer->zeros++;
        writer->logical++;
        return true;
    }
    if (!place_zeros(writer, err)) {
        return false;
    }
    uint64_t block = ext4_take_block(writer);
    tree_inode_add_block(writer->inode, writer->logical++, block);
    return ext4_put_block(writer, block, bytes, err);
}

bool ext4_file_data(struct ext4_writer *writer, const void *bytes, size_t len, struct error *err)
{
    const uint8_t *at = bytes;
    writer->file_bytes += len;
    while (len > 0) {
        if (writer->partial_len == 0 && len >= EXT4_BLOCK) {
            if (!add_block(writer, at, err)) {
                return false;
            }
            at += EXT4_BLOCK;
            len -= EXT4_BLOCK;
            continue;
        }
        size_t room = EXT4_BLOCK - writer->partial_len;
        size_t used = len < room ? len : room;
        memcpy(writer->partial + writer->partial_len, at, used);
        writer->partial_len += used;
        at += used;
        len -= used;
        if (writer->partial_len == EXT4_BLOCK) {
            writer->partial_len = 0;
            if (!add_block(writer, writer->partial, err)) {
                return false;
            }
        }
    }
    return true;
}

bool ext4_file_hole(struct ext4_writer *writer, uint64_t len, struct error *err)
{
    while (len > 0 && (writer->partial_len > 0 || len < EXT4_BLOCK)) {
        size_t room = EXT4_BLOCK - writer->partial_len;
        size_t used = len < room ? (size_t)len : room;
        if (!ext4_file_data(writer, zero_block, used, err)) {
            return false;
        }
        len -= used;
    }
    uint64_t blocks = len / EXT4_BLOCK;
    if (blocks >= UINT32_MAX - writer->logical) {
        return error_set(err, ERROR_LIMIT, "a file is larger than ext4 can hold");
    }
    writer->logical += (uint32_t)blocks;
    writer->zeros += (uint32_t)blocks;
    writer->file_bytes += blocks * EXT4_BLOCK;
    return ext4_file_data(writer, zero_block, (size_t)(len % EXT4_BLOCK), err);
}

bool ext4_file_end(struct ext4_writer *writer, struct error *err)
{
    writer->inode->size_bytes = writer->file_bytes;
    if (writer->partial_len > 0) {
        memset(writer->partial + writer->partial_len, 0, EXT4_BLOCK - writer->partial_len);
        if (!add_block(writer, writer->partial, err)) {
            return false;
        }
    }
    writer->partial_len = 0;
    writer->zeros = 0; /* a hole at the end */
    writer->inode = NULL;
    return true;
}
