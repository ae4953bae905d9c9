/* SPDX-License-Identifier: MIT */
#pragma once

/* What the ext4 files share: how a file system is begun and the parts a tree is written by. Private
 * to ext4*.c; libext2fs's own types stay behind a struct tag. */

#include "artifact/ext4.h"
#include "artifact/tree.h"

#include <stddef.h>

struct behind;
struct error;
struct struct_ext2_filsys;

#define EXT4_BLOCK 4096u

/* Sets the sentence for an error of libext2fs. Returns false. */
bool ext4_fail(struct error *err, long code, const char *doing);
/* Sets the size of fd and lays out everything but the root directory; lost+found gets no inode.
 * Reserved inodes, resize inode and journal are there. inodes 0: by size. NULL on failure. */
struct struct_ext2_filsys *ext4_begin(int fd, uint64_t size_bytes, uint32_t inodes,
    const char *label, const uint8_t uuid[16], struct error *err);

struct ext4_run {
    uint64_t start, count;
};

/* A tree being written: see ext4_writer.h. */
struct ext4_writer {
    struct struct_ext2_filsys *fs;
    int fd;
    uint64_t unsynced_bytes; /* the writing thread's: since the disk was last told to begin */
    uint64_t blocks;         /* of the file system */
    uint64_t run_start, run_at,
        run_end;   /* the free run blocks are taken from, in ascending order */
    uint64_t over; /* blocks that were wanted beyond the last; only counted */
    uint32_t inode_limit;

    struct ext4_run *freed; /* of files that are gone; taken first */
    size_t freed_count;
    bool is_stale; /* the block taken last held something else before */

    struct behind *behind; /* writes; its piece gathers blocks in a row */
    uint64_t gather_block;
    size_t gather_count;

    struct tree_inode *inode; /* the file whose data comes */
    uint64_t file_bytes;      /* of it, so far */
    uint32_t logical;         /* next block of it */
    uint32_t zeros;           /* blocks of zeros before that one that have no place yet */
    size_t partial_len;
    uint8_t partial[EXT4_BLOCK];

    struct tree_inode **inodes; /* by number, finish only */
    uint32_t inode_count;       /* highest number given */
    size_t inode_capacity;
};

/* The next free block; beyond the end (>= blocks) when there is none. */
uint64_t ext4_take_block(struct ext4_writer *writer);
/* Writes a block, together with those before it; nothing for one beyond the end. */
bool ext4_put_block(
    struct ext4_writer *writer, uint64_t block, const void *bytes, struct error *err);
/* Waits until all such blocks are written. */
bool ext4_flush(struct ext4_writer *writer, struct error *err);

/* Checksum of metadata that belongs to an inode: of its number, its generation (0) and the bytes. */
uint32_t ext4_checksum(
    const struct ext4_writer *writer, uint32_t number, const void *bytes, size_t len);
/* Writes what the inode needs beside itself (extents, attributes, long link text) and encodes it
 * into 256 bytes. */
bool ext4_encode_inode(
    struct ext4_writer *writer, struct tree_inode *inode, uint8_t bytes[256], struct error *err);
/* How many of the inode's attributes ext4 has room for; the rest go. */
uint32_t ext4_fit_xattrs(struct tree_inode *inode);

/* A name in a directory. */
struct ext4_name {
    const char *name;
    uint32_t len;
    uint32_t number;
    uint32_t mode;
};
/* Writes the blocks of a directory and gives them to its inode. */
bool ext4_write_directory(struct ext4_writer *writer, struct tree_inode *inode, uint32_t parent,
    const struct ext4_name *names, size_t count, struct error *err);
