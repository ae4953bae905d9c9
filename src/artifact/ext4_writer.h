/* SPDX-License-Identifier: MIT */
#pragma once

/* Writes a tree of names and inodes as an ext4 file system, in one pass: the data of files as it
 * comes, everything about them at the end. Blocks of zeros take no space in the file; long runs of
 * them are holes in the file system too. The layout depends on the order of the calls and on nothing
 * else.
 *
 * Runs, extents, inodes and directories are laid by hand, since libext2fs's calls per entry cost
 * more than reading the image does; tables, bitmaps, journal and resize inode are its own. Blocking;
 * workers only; one owner at a time. Sources: Linux, Documentation/filesystems/ext4. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct ext4_writer;
struct tree;
struct tree_inode;

struct ext4_plan {
    uint64_t size_bytes;
    uint32_t inodes; /* 0: by size */
    const char *label;
    uint8_t uuid[16];
};

struct ext4_tally {
    uint64_t size_bytes, used_bytes;
    /* Where the disk was too small: what would do. */
    uint64_t need_bytes;
    uint32_t need_inodes;
    uint64_t dropped_xattrs; /* for which ext4 has no room */
};

/* fd is an empty regular file, open for reading and writing; it stays the caller's. */
struct ext4_writer *ext4_writer_new(int fd, const struct ext4_plan *plan, struct error *err);
void ext4_writer_free(struct ext4_writer *writer);
void ext4_writer_auto_free(struct ext4_writer **writer);
#define auto_ext4_writer __attribute__((cleanup(ext4_writer_auto_free)))

/* The data of one regular file, from its first byte to its last; one file at a time. */
void ext4_file_begin(struct ext4_writer *writer, struct tree_inode *inode);
bool ext4_file_data(struct ext4_writer *writer, const void *bytes, size_t len, struct error *err);
bool ext4_file_hole(struct ext4_writer *writer, uint64_t len, struct error *err);
bool ext4_file_end(struct ext4_writer *writer, struct error *err);
/* Gives a reference back, and the blocks with the last one. */
void ext4_drop_inode(struct ext4_writer *writer, struct tree_inode *inode);

/* Writes everything else and closes the file system. ERROR_NO_SPACE when it did not fit, with what
 * it takes in *tally; the tree can then be thrown away. */
bool ext4_writer_finish(
    struct ext4_writer *writer, struct tree *tree, struct ext4_tally *tally, struct error *err);
