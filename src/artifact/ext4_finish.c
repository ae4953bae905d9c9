/* SPDX-License-Identifier: MIT */
/* The end of writing a tree: numbers, directories, the tables of inodes, bitmaps. */
#include <string.h>
#include <sys/stat.h>

#include <ext2fs/ext2fs.h>

#include "artifact/ext4_fs.h"
#include "artifact/ext4_writer.h"
#include "base/error.h"
#include "base/memory.h"

#define INODE_BYTES 256
#define INODES_PER_BLOCK (EXT4_BLOCK / INODE_BYTES)
#define TABLE_BUFFER_BLOCKS 64
#define LOST_FOUND 11
/* More subdirectories than this and the number of links says 1: nobody counts (dir_nlink). */
#define LINKS_MAX 65000

/* What is promised to be free when a too small disk is made larger. */
#define SPARE_BLOCKS 8192

static uint32_t give_number(struct ext4_writer *writer, struct tree_inode *inode, uint32_t number)
{
    inode->number = number;
    if (number >= writer->inode_capacity) {
        writer->inode_capacity = writer->inode_capacity ? writer->inode_capacity * 2 : 1024;
        writer->inodes =
            memory_grow(writer->inodes, writer->inode_capacity, sizeof *writer->inodes);
    }
    writer->inodes[number] = inode;
    writer->inode_count = number > writer->inode_count ? number : writer->inode_count;
    return number;
}

static struct tree_inode *inode_of(struct tree_node *node)
{
    if (!node->inode) {
        node->inode = tree_inode_new(S_IFDIR | 0755);
        node->inode->mtime = EXT4_FIXED_TIME;
    }
    return tree_inode_real(node->inode);
}

static bool write_names(struct ext4_writer *writer, struct tree_node *node, struct tree_node **list,
    size_t count, struct error *err)
{
    struct tree_inode *inode = inode_of(node);
    uint32_t parent = node->parent ? inode_of(node->parent)->number : inode->number;
    auto_free struct ext4_name *names = memory_zero(count + 1, sizeof *names);
    uint64_t links = 2;
    for (size_t i = 0; i < count; i++) {
        struct tree_inode *child = inode_of(list[i]);
        if (child->number == 0) {
            give_number(writer, child, writer->inode_count + 1);
        }
        links += S_ISDIR(child->mode) ? 1 : 0;
        child->links += S_ISDIR(child->mode) ? 0 : 1;
        if (child->links > LINKS_MAX) {
            return error_set(err, ERROR_LIMIT,
                "%s is one of more than %d hard links to one file, which is all ext4 can count",
                list[i]->name, LINKS_MAX);
        }
        names[i] = (struct ext4_name){list[i]->name, list[i]->len, child->number, child->mode};
    }
    inode->links = links > LINKS_MAX ? 1 : (uint32_t)links;
    return ext4_write_directory(writer, inode, parent, names, count, err);
}

/* Deep first, so that a directory's files have numbers in a row. As deep as the tree is. */
static bool number_directory(struct ext4_writer *writer, struct tree_node *node, struct error *err)
{
    auto_free struct tree_node **list = NULL;
    size_t count = tree_children(node, &list);
    if (!write_names(writer, node, list, count, err)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (tree_is_directory(list[i]) && !number_directory(writer, list[i], err)) {
            return false;
        }
    }
    return true;
}

static bool number_all(struct ext4_writer *writer, struct tree *tree, struct error *err)
{
    struct tree_node *root = tree_root(tree);
    struct tree_node *lost = tree_add(tree, root, "lost+found", 10);
    if (tree_exists(lost) && !tree_is_directory(lost)) {
        return error_set(err, ERROR_FORMAT,
            "its /lost+found is no directory, which an ext4 file system must have there");
    }
    if (!lost->inode) {
        lost->inode = tree_inode_new(S_IFDIR | 0700);
        lost->inode->mtime = EXT4_FIXED_TIME;
    }
    give_number(writer, inode_of(root), EXT2_ROOT_INO);
    give_number(writer, inode_of(lost), LOST_FOUND);
    return number_directory(writer, root, err);
}

/* The inodes that libext2fs made itself are in the first block of the first table. */
static errcode_t write_table_piece(
    struct ext4_writer *writer, uint32_t first, uint8_t *buffer, size_t blocks)
{
    uint32_t per_group = writer->fs->super->s_inodes_per_group;
    dgrp_t group = (first - 1) / per_group;
    uint64_t at =
        ext2fs_inode_table_loc(writer->fs, group) + ((first - 1) % per_group) / INODES_PER_BLOCK;
    return io_channel_write_blk64(writer->fs->io, at, (int)blocks, buffer);
}

static errcode_t read_first_piece(struct ext4_writer *writer, uint8_t *buffer)
{
    ext2fs_flush_icache(writer->fs);
    return io_channel_read_blk64(writer->fs->io, ext2fs_inode_table_loc(writer->fs, 0), 1, buffer);
}

static bool is_ours(const struct ext4_writer *writer, uint32_t number)
{
    return number == EXT2_ROOT_INO || (number >= LOST_FOUND && number <= writer->inode_count);
}

static bool write_tables(struct ext4_writer *writer, struct ext4_tally *tally, struct error *err)
{
    uint32_t per_group = writer->fs->super->s_inodes_per_group;
    auto_free uint8_t *buffer = memory_zero(TABLE_BUFFER_BLOCKS, EXT4_BLOCK);
    errcode_t code = read_first_piece(writer, buffer);
    uint32_t first = 1;
    for (uint32_t number = 1; code == 0 && number <= writer->inode_count; number++) {
        size_t slot = number - first;
        if (is_ours(writer, number)) {
            tally->dropped_xattrs += ext4_fit_xattrs(writer->inodes[number]);
            if (!ext4_encode_inode(
                    writer, writer->inodes[number], buffer + slot * INODE_BYTES, err)) {
                return false;
            }
        }
        bool is_last = number == writer->inode_count;
        if (is_last || number % per_group == 0 ||
            slot + 1 == (size_t)TABLE_BUFFER_BLOCKS * INODES_PER_BLOCK) {
            if (number <= writer->inode_limit) {
                code = write_table_piece(writer, first, buffer, slot / INODES_PER_BLOCK + 1);
            }
            memset(buffer, 0, (size_t)TABLE_BUFFER_BLOCKS * EXT4_BLOCK);
            first = number + 1;
        }
    }
    return code == 0 || ext4_fail(err, code, "write the inodes");
}

static void set_group(struct ext4_writer *writer, dgrp_t group, uint32_t directories)
{
    ext2_filsys fs = writer->fs;
    uint32_t per_group = fs->super->s_inodes_per_group;
    uint32_t before = group * per_group;
    uint32_t used = writer->inode_count > before ? writer->inode_count - before : 0;
    used = used > per_group ? per_group : used;
    ext2fs_bg_free_inodes_count_set(fs, group, per_group - used);
    ext2fs_bg_itable_unused_set(fs, group, per_group - used);
    ext2fs_bg_used_dirs_count_set(fs, group, directories);
    if (used > 0) {
        ext2fs_bg_flags_clear(fs, group, EXT2_BG_INODE_UNINIT);
    }
    ext2fs_group_desc_csum_set(fs, group);
}

static void set_groups(struct ext4_writer *writer)
{
    ext2_filsys fs = writer->fs;
    uint32_t per_group = fs->super->s_inodes_per_group;
    uint32_t number = 1;
    for (dgrp_t group = 0; group < fs->group_desc_count; group++) {
        uint32_t directories = 0;
        for (; number <= writer->inode_count && number <= (group + 1) * per_group; number++) {
            ext2fs_mark_inode_bitmap2(fs->inode_map, number);
            directories += is_ours(writer, number) && S_ISDIR(writer->inodes[number]->mode);
        }
        set_group(writer, group, directories);
    }
    fs->super->s_free_inodes_count = fs->super->s_inodes_count - writer->inode_count;
    ext2fs_mark_ib_dirty(fs);
    ext2fs_mark_super_dirty(fs);
}

static void settle_blocks(struct ext4_writer *writer)
{
    if (writer->run_at > writer->run_start) {
        ext2fs_block_alloc_stats_range(
            writer->fs, writer->run_start, (blk_t)(writer->run_at - writer->run_start), +1);
        writer->run_start = writer->run_at;
    }
    for (size_t i = 0; i < writer->freed_count; i++) {
        ext2fs_block_alloc_stats_range(
            writer->fs, writer->freed[i].start, (blk_t)writer->freed[i].count, -1);
    }
    ext2fs_mark_bb_dirty(writer->fs);
}

static uint64_t used_blocks(const struct ext4_writer *writer)
{
    return writer->blocks - ext2fs_free_blocks_count(writer->fs->super);
}

/* A larger disk needs larger tables: a good sixtieth of it. */
static bool say_need(struct ext4_writer *writer, struct ext4_tally *tally, struct error *err)
{
    uint64_t blocks = used_blocks(writer) + writer->over + SPARE_BLOCKS;
    tally->need_bytes = writer->over > 0 ? (blocks + blocks / 32) * EXT4_BLOCK : tally->size_bytes;
    tally->need_inodes = writer->inode_count + writer->inode_count / 8 + 64;
    return error_set(err, ERROR_NO_SPACE,
        "a disk of %llu bytes is too small: the files take %llu bytes and %u inodes; give at least "
        "%lluM",
        (unsigned long long)tally->size_bytes,
        (unsigned long long)((used_blocks(writer) + writer->over) * EXT4_BLOCK),
        writer->inode_count, (unsigned long long)((tally->need_bytes >> 20) + 1));
}

bool ext4_writer_finish(
    struct ext4_writer *writer, struct tree *tree, struct ext4_tally *tally, struct error *err)
{
    tally->size_bytes = writer->blocks * EXT4_BLOCK;
    if (!number_all(writer, tree, err) || !write_tables(writer, tally, err) ||
        !ext4_flush(writer, err)) {
        return false;
    }
    settle_blocks(writer);
    if (writer->over > 0 || writer->inode_count > writer->inode_limit) {
        return say_need(writer, tally, err);
    }
    set_groups(writer);
    tally->used_bytes = used_blocks(writer) * EXT4_BLOCK;
    ext2_filsys fs = writer->fs;
    errcode_t code = ext2fs_close2(fs, EXT2_FLAG_FLUSH_NO_SYNC);
    if (code != 0) {
        return ext4_fail(err, code, "write the tables");
    }
    writer->fs = NULL;
    return true;
}
