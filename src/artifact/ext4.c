/* SPDX-License-Identifier: MIT */
#include "artifact/ext4.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <ext2fs/ext2fs.h>

#include "artifact/ext4_fs.h"
#include "base/error.h"
#include "base/memory.h"

#define BLOCK_BYTES EXT4_BLOCK
#define BYTES_PER_INODE 16384u
#define JOURNAL_BLOCKS_MAX 16384u /* 64 MiB */
#define JOURNAL_BLOCKS_MIN 1024u  /* the least a journal may have */

/* Room for the descriptors of about half a tebibyte more, should the disk grow; each is a block
 * that is written. */
#define RESERVED_BLOCKS 64u

bool ext4_fail(struct error *err, long code, const char *doing)
{
    if (code > 0 && code < 1024) {
        return error_set_errno(err, (int)code, "cannot %s of an ext4 file system", doing);
    }
    return error_set(
        err, ERROR_IO, "cannot %s of an ext4 file system: libext2fs error %ld", doing, code);
}

/* The features mke2fs -t ext4 gives as of 1.47, minus orphan_file and metadata_csum_seed, which
 * kernels before 5.15 and 4.4 cannot mount. */
static void choose_features(struct ext2_super_block *super)
{
    super->s_feature_compat = EXT2_FEATURE_COMPAT_EXT_ATTR | EXT2_FEATURE_COMPAT_DIR_INDEX |
                              EXT2_FEATURE_COMPAT_RESIZE_INODE | EXT3_FEATURE_COMPAT_HAS_JOURNAL;
    super->s_feature_incompat = EXT2_FEATURE_INCOMPAT_FILETYPE | EXT3_FEATURE_INCOMPAT_EXTENTS |
                                EXT4_FEATURE_INCOMPAT_FLEX_BG | EXT4_FEATURE_INCOMPAT_64BIT;
    super->s_feature_ro_compat =
        EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER | EXT2_FEATURE_RO_COMPAT_LARGE_FILE |
        EXT4_FEATURE_RO_COMPAT_HUGE_FILE | EXT4_FEATURE_RO_COMPAT_DIR_NLINK |
        EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE | EXT4_FEATURE_RO_COMPAT_METADATA_CSUM;
}

static uint32_t inode_count(uint64_t size_bytes)
{
    uint64_t count = size_bytes / BYTES_PER_INODE;
    return count < UINT32_MAX / 2 ? (uint32_t)count : UINT32_MAX / 2;
}

static void name_file_system(ext2_filsys fs, const char *label, const uint8_t uuid[16])
{
    struct ext2_super_block *super = fs->super;
    memcpy(super->s_uuid, uuid, sizeof super->s_uuid);
    /* Any value will do for the hash of directory names; it must not come from the clock. */
    for (size_t i = 0; i < 16; i++) {
        ((uint8_t *)super->s_hash_seed)[i] = (uint8_t)(uuid[15 - i] ^ 0x5a);
    }
    super->s_def_hash_version = EXT2_HASH_HALF_MD4;
    super->s_flags |= EXT2_FLAGS_SIGNED_HASH;
    super->s_default_mount_opts = EXT2_DEFM_XATTR_USER | EXT2_DEFM_ACL;
    super->s_checksum_type = EXT2_CRC32C_CHKSUM;
    super->s_mkfs_time = EXT4_FIXED_TIME;
    super->s_lastcheck = EXT4_FIXED_TIME;
    super->s_max_mnt_count = -1;
    super->s_min_extra_isize = 32;
    super->s_want_extra_isize = 32;
    memset(super->s_volume_name, 0, sizeof super->s_volume_name);
    memcpy(super->s_volume_name, label, strlen(label));
    ext2fs_init_csum_seed(fs);
}

static errcode_t make_directories(ext2_filsys fs)
{
    ext2_ino_t lost_found = 0;
    errcode_t code = ext2fs_mkdir(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, NULL);
    if (code == 0) {
        code = ext2fs_mkdir(fs, EXT2_ROOT_INO, 0, "lost+found");
    }
    if (code == 0) {
        code = ext2fs_lookup(fs, EXT2_ROOT_INO, "lost+found", 10, NULL, &lost_found);
    }
    struct ext2_inode inode;
    if (code == 0) {
        code = ext2fs_read_inode(fs, lost_found, &inode);
    }
    if (code == 0) {
        inode.i_mode = LINUX_S_IFDIR | 0700;
        code = ext2fs_write_inode(fs, lost_found, &inode);
    }
    /* e2fsck must find room in lost+found without having to allocate any. */
    for (unsigned blocks = 1; code == 0 && blocks < 4; blocks++) {
        code = ext2fs_expand_dir(fs, lost_found);
    }
    return code;
}

/* The first inodes belong to the file system itself, and the list of bad blocks is empty. */
static errcode_t reserve_inodes(ext2_filsys fs)
{
    for (ext2_ino_t inode = EXT2_ROOT_INO + 1; inode < EXT2_FIRST_INODE(fs->super); inode++) {
        ext2fs_inode_alloc_stats2(fs, inode, +1, 0);
    }
    ext2fs_mark_ib_dirty(fs);
    ext2fs_mark_inode_bitmap2(fs->inode_map, EXT2_BAD_INO);
    ext2fs_inode_alloc_stats2(fs, EXT2_BAD_INO, +1, 0);
    return ext2fs_update_bb_inode(fs, NULL);
}

/* What is not written is a hole and reads as zeros, so no kernel has to clear it later. */
static void mark_zeroed(ext2_filsys fs)
{
    for (dgrp_t group = 0; group < fs->group_desc_count; group++) {
        ext2fs_bg_flags_set(fs, group, EXT2_BG_INODE_ZEROED);
        ext2fs_group_desc_csum_set(fs, group);
    }
}

static bool begin_tables(ext2_filsys fs, struct error *err)
{
    errcode_t code = ext2fs_allocate_tables(fs);
    if (code != 0) {
        return ext4_fail(err, code, "lay out the tables");
    }
    mark_zeroed(fs);
    return true;
}

static bool fill_reserved(ext2_filsys fs, struct error *err)
{
    errcode_t code = reserve_inodes(fs);
    if (code == 0) {
        code = ext2fs_create_resize_inode(fs);
    }
    if (code != 0) {
        return ext4_fail(err, code, "make the reserved inodes");
    }
    uint64_t journal = ext2fs_blocks_count(fs->super) / 32;
    journal = journal < JOURNAL_BLOCKS_MIN ? JOURNAL_BLOCKS_MIN : journal;
    journal = journal > JOURNAL_BLOCKS_MAX ? JOURNAL_BLOCKS_MAX : journal;
    struct ext2fs_journal_params params = {.num_journal_blocks = (blk_t)journal};
    code = ext2fs_add_journal_inode3(
        fs, &params, ~UINT64_C(0), EXT2_MKJOURNAL_LAZYINIT | EXT2_MKJOURNAL_NO_MNT_CHECK);
    if (code != 0) {
        return ext4_fail(err, code, "make the journal");
    }
    return true;
}

static bool fill(ext2_filsys fs, struct error *err)
{
    if (!begin_tables(fs, err)) {
        return false;
    }
    errcode_t code = make_directories(fs);
    if (code != 0) {
        return ext4_fail(err, code, "make the first directories");
    }
    return fill_reserved(fs, err);
}

/* libext2fs closes the descriptor it is given the number of, so it gets a duplicate. */
static ext2_filsys start(int fd, uint64_t size_bytes, uint32_t inodes, struct error *err)
{
    auto_close int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own < 0) {
        error_set_errno(err, errno, "cannot duplicate a descriptor");
        return NULL;
    }
    char name[16];
    snprintf(name, sizeof name, "%d", own);
    struct ext2_super_block wanted = {
        .s_rev_level = EXT2_DYNAMIC_REV,
        .s_log_block_size = 2, /* 1024 << 2 */
        .s_log_cluster_size = 2,
        .s_inode_size = 256,
        .s_desc_size = EXT2_MIN_DESC_SIZE_64BIT,
        .s_log_groups_per_flex = 4,
        .s_reserved_gdt_blocks = RESERVED_BLOCKS,
        .s_inodes_count = inodes > 0 ? inodes : inode_count(size_bytes),
    };
    choose_features(&wanted);
    ext2fs_blocks_count_set(&wanted, size_bytes / BLOCK_BYTES);
    ext2_filsys fs = NULL;
    errcode_t code =
        ext2fs_initialize(name, EXT2_FLAG_RW | EXT2_FLAG_64BITS, &wanted, unixfd_io_manager, &fs);
    if (code != 0) {
        ext4_fail(err, code, "begin the making");
        return NULL;
    }
    take_fd(&own);
    fs->now = EXT4_FIXED_TIME;
    return fs;
}

/* Everything up to the tables, which are still to be laid out. */
static ext2_filsys start_named(int fd, uint64_t size_bytes, uint32_t inodes, const char *label,
    const uint8_t uuid[16], struct error *err)
{
    if (size_bytes < EXT4_SIZE_MIN || size_bytes > EXT4_SIZE_MAX) {
        error_set(err, ERROR_INVALID,
            "a disk of %llu bytes cannot hold an ext4 file system: from 16M to 16T are possible",
            (unsigned long long)size_bytes);
        return NULL;
    }
    if (strlen(label) > EXT4_LABEL_MAX) {
        error_set(err, ERROR_INVALID, "the label %s is longer than 16 bytes", label);
        return NULL;
    }
    size_bytes -= size_bytes % BLOCK_BYTES;
    if (ftruncate(fd, 0) != 0 || ftruncate(fd, (off_t)size_bytes) != 0) {
        error_set_errno(err, errno, "cannot set the size of a disk file");
        return NULL;
    }
    ext2_filsys fs = start(fd, size_bytes, inodes, err);
    if (fs != NULL) {
        name_file_system(fs, label, uuid);
    }
    return fs;
}

struct struct_ext2_filsys *ext4_begin(int fd, uint64_t size_bytes, uint32_t inodes,
    const char *label, const uint8_t uuid[16], struct error *err)
{
    ext2_filsys fs = start_named(fd, size_bytes, inodes, label, uuid, err);
    if (fs == NULL) {
        return NULL;
    }
    if (!begin_tables(fs, err) || !fill_reserved(fs, err)) {
        ext2fs_free(fs);
        return NULL;
    }
    return fs;
}

bool ext4_make_empty(
    int fd, uint64_t size_bytes, const char *label, const uint8_t uuid[16], struct error *err)
{
    ext2_filsys fs = start_named(fd, size_bytes, 0, label, uuid, err);
    if (fs == NULL) {
        return false;
    }
    if (!fill(fs, err)) {
        ext2fs_free(fs);
        return false;
    }
    errcode_t code = ext2fs_close2(fs, EXT2_FLAG_FLUSH_NO_SYNC);
    if (code != 0) {
        ext2fs_free(fs);
        return ext4_fail(err, code, "write the tables");
    }
    return true;
}
