/* SPDX-License-Identifier: MIT */
/* Directories as they lie on the disk: one to a few blocks of names in a row, or a hash tree. */
#include <string.h>
#include <sys/stat.h>

#include <ext2fs/ext2fs.h>

#include "artifact/ext4_fs.h"
#include "base/error.h"
#include "base/memory.h"

#define LOST_FOUND 11
/* e2fsck must find room in lost+found without having to allocate any. */
#define LOST_FOUND_BLOCKS 4

#define TAIL_BYTES sizeof(struct ext2_dir_entry_tail)
#define NAMES_ROOM (EXT4_BLOCK - TAIL_BYTES)
#define HEAD_BYTES 8 /* of an entry, in front of its name */

/* Where a hash tree's blocks have what. */
#define ROOT_INFO_AT 24
#define ROOT_ENTRIES_AT 32
#define NODE_ENTRIES_AT 8
#define ENTRY_BYTES 8
#define ROOT_MAX ((EXT4_BLOCK - ROOT_ENTRIES_AT - ENTRY_BYTES) / ENTRY_BYTES)
#define NODE_MAX ((EXT4_BLOCK - NODE_ENTRIES_AT - ENTRY_BYTES) / ENTRY_BYTES)

/* More blocks of names than this get a hash tree. */
#define LINEAR_BLOCKS_MAX 2

struct block {
    uint8_t bytes[EXT4_BLOCK];
    size_t used;
    size_t last; /* where its last entry begins */
};

static size_t entry_size(size_t name_len)
{
    return (HEAD_BYTES + name_len + 3) & ~(size_t)3;
}

static uint8_t type_of(uint32_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return EXT2_FT_REG_FILE;
    case S_IFDIR:
        return EXT2_FT_DIR;
    case S_IFCHR:
        return EXT2_FT_CHRDEV;
    case S_IFBLK:
        return EXT2_FT_BLKDEV;
    case S_IFIFO:
        return EXT2_FT_FIFO;
    case S_IFSOCK:
        return EXT2_FT_SOCK;
    default:
        return EXT2_FT_SYMLINK;
    }
}

static void set_entry_len(struct block *block, size_t at, size_t len)
{
    uint16_t value = (uint16_t)len;
    memcpy(block->bytes + at + 4, &value, sizeof value);
}

static void add_name(struct block *block, const struct ext4_name *name)
{
    uint8_t *at = block->bytes + block->used;
    memcpy(at, &name->number, sizeof name->number);
    at[6] = (uint8_t)name->len;
    at[7] = name->number > 0 ? type_of(name->mode) : 0;
    memcpy(at + HEAD_BYTES, name->name, name->len);
    block->last = block->used;
    block->used += entry_size(name->len);
    set_entry_len(block, block->last, block->used - block->last);
}

static bool put(struct ext4_writer *writer, struct tree_inode *inode, uint32_t logical,
    const struct block *block, struct error *err)
{
    uint64_t physical = ext4_take_block(writer);
    tree_inode_add_block(inode, logical, physical);
    inode->size_bytes = ((uint64_t)logical + 1) * EXT4_BLOCK;
    return ext4_put_block(writer, physical, block->bytes, err);
}

/* Closes a block of names: the last entry takes what is left, a checksum follows. */
static bool put_names(struct ext4_writer *writer, struct tree_inode *inode, uint32_t logical,
    struct block *block, struct error *err)
{
    set_entry_len(
        block, block->used > 0 ? block->last : 0, NAMES_ROOM - (block->used > 0 ? block->last : 0));
    struct ext2_dir_entry_tail tail = {
        .det_rec_len = TAIL_BYTES,
        .det_reserved_name_len = EXT2_DIR_NAME_LEN_CSUM,
        .det_checksum = ext4_checksum(writer, inode->number, block->bytes, NAMES_ROOM),
    };
    memcpy(block->bytes + NAMES_ROOM, &tail, sizeof tail);
    bool is_fine = put(writer, inode, logical, block, err);
    memset(block, 0, sizeof *block);
    return is_fine;
}

static void add_dots(struct block *block, uint32_t number, uint32_t parent)
{
    add_name(block, &(struct ext4_name){".", 1, number, S_IFDIR});
    add_name(block, &(struct ext4_name){"..", 2, parent, S_IFDIR});
}

static bool write_linear(struct ext4_writer *writer, struct tree_inode *inode, uint32_t parent,
    const struct ext4_name *names, size_t count, struct error *err)
{
    struct block block = {{0}, 0, 0};
    uint32_t logical = 0;
    add_dots(&block, inode->number, parent);
    for (size_t i = 0; i < count; i++) {
        if (block.used + entry_size(names[i].len) > NAMES_ROOM &&
            !put_names(writer, inode, logical++, &block, err)) {
            return false;
        }
        add_name(&block, &names[i]);
    }
    if (!put_names(writer, inode, logical++, &block, err)) {
        return false;
    }
    while (inode->number == LOST_FOUND && logical < LOST_FOUND_BLOCKS) {
        if (!put_names(writer, inode, logical++, &block, err)) {
            return false;
        }
    }
    return true;
}

struct hashed {
    uint32_t hash, minor;
    const struct ext4_name *name;
};

static int compare_hashed(const void *a, const void *b)
{
    const struct hashed *left = a;
    const struct hashed *right = b;
    if (left->hash != right->hash) {
        return left->hash < right->hash ? -1 : 1;
    }
    if (left->minor != right->minor) {
        return left->minor < right->minor ? -1 : 1;
    }
    return (left->name > right->name) - (left->name < right->name);
}

/* Where a leaf begins. */
struct leaf {
    size_t first;
    uint32_t hash;
};

/* Fills leaves in the order of hashes. Names of one hash that go on in the next leaf mark it by an
 * odd number. */
static size_t find_leaves(const struct hashed *hashed, size_t count, struct leaf **leaves)
{
    size_t used = NAMES_ROOM + 1;
    size_t leaf_count = 0;
    for (size_t i = 0; i < count; i++) {
        size_t size = entry_size(hashed[i].name->len);
        if (used + size > NAMES_ROOM) {
            if ((leaf_count & (leaf_count - 1)) == 0) {
                *leaves = memory_grow(*leaves, leaf_count ? leaf_count * 2 : 1, sizeof **leaves);
            }
            bool goes_on = i > 0 && hashed[i - 1].hash == hashed[i].hash;
            (*leaves)[leaf_count++] =
                (struct leaf){.first = i, .hash = hashed[i].hash | (goes_on ? 1 : 0)};
            used = 0;
        }
        used += size;
    }
    return leaf_count;
}

static void set_u16(uint8_t *at, size_t value)
{
    uint16_t narrow = (uint16_t)value;
    memcpy(at, &narrow, sizeof narrow);
}

static void set_u32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof value);
}

/* count entries of an inner block: hashes of every step-th leaf and the blocks they are in. The
 * first entry has limit and count in place of a hash. */
static bool put_inner(struct ext4_writer *writer, struct tree_inode *inode, uint32_t logical,
    struct block *block, size_t at, size_t max, const struct leaf *leaves, size_t step,
    size_t count, uint32_t first_block, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        set_u32(block->bytes + at + i * ENTRY_BYTES, leaves[i * step].hash);
        set_u32(block->bytes + at + i * ENTRY_BYTES + 4, first_block + (uint32_t)i);
    }
    set_u16(block->bytes + at, max);
    set_u16(block->bytes + at + 2, count);
    /* The checksum leaves out what is unused and counts itself as zeros. */
    uint8_t *tail = block->bytes + at + max * ENTRY_BYTES;
    uint32_t sum = ext4_checksum(writer, inode->number, block->bytes, at + count * ENTRY_BYTES);
    sum = ext2fs_crc32c_le(sum, tail, ENTRY_BYTES);
    set_u32(tail + 4, sum);
    bool is_fine = put(writer, inode, logical, block, err);
    memset(block, 0, sizeof *block);
    return is_fine;
}

static bool write_index(struct ext4_writer *writer, struct tree_inode *inode, uint32_t parent,
    const struct leaf *leaves, size_t leaf_count, struct error *err)
{
    struct block block = {{0}, 0, 0};
    bool has_nodes = leaf_count > ROOT_MAX;
    size_t nodes = has_nodes ? (leaf_count + NODE_MAX - 1) / NODE_MAX : 0;
    add_dots(&block, inode->number, parent);
    set_entry_len(&block, block.last, EXT4_BLOCK - block.last);
    block.bytes[ROOT_INFO_AT + 4] = EXT2_HASH_HALF_MD4;
    block.bytes[ROOT_INFO_AT + 5] = 8; /* bytes of this information */
    block.bytes[ROOT_INFO_AT + 6] = has_nodes ? 1 : 0;
    if (!put_inner(writer, inode, 0, &block, ROOT_ENTRIES_AT, ROOT_MAX, leaves,
            has_nodes ? NODE_MAX : 1, has_nodes ? nodes : leaf_count, 1, err)) {
        return false;
    }
    for (size_t i = 0; i < nodes; i++) {
        size_t left = leaf_count - i * NODE_MAX;
        set_u16(block.bytes + 4, EXT4_BLOCK); /* an unused entry over the whole block */
        if (!put_inner(writer, inode, (uint32_t)(1 + i), &block, NODE_ENTRIES_AT, NODE_MAX,
                leaves + i * NODE_MAX, 1, left < NODE_MAX ? left : NODE_MAX,
                (uint32_t)(1 + nodes + i * NODE_MAX), err)) {
            return false;
        }
    }
    return true;
}

static bool write_leaves(struct ext4_writer *writer, struct tree_inode *inode,
    const struct hashed *hashed, size_t count, const struct leaf *leaves, size_t leaf_count,
    struct error *err)
{
    struct block block = {{0}, 0, 0};
    size_t nodes = leaf_count > ROOT_MAX ? (leaf_count + NODE_MAX - 1) / NODE_MAX : 0;
    for (size_t i = 0; i < leaf_count; i++) {
        size_t end = i + 1 < leaf_count ? leaves[i + 1].first : count;
        for (size_t j = leaves[i].first; j < end; j++) {
            add_name(&block, hashed[j].name);
        }
        if (!put_names(writer, inode, (uint32_t)(1 + nodes + i), &block, err)) {
            return false;
        }
    }
    inode->is_indexed = true;
    return true;
}

static bool write_hashed(struct ext4_writer *writer, struct tree_inode *inode, uint32_t parent,
    const struct ext4_name *names, size_t count, struct error *err)
{
    auto_free struct hashed *hashed = memory_zero(count, sizeof *hashed);
    auto_free struct leaf *leaves = NULL;
    for (size_t i = 0; i < count; i++) {
        hashed[i].name = &names[i];
        ext2fs_dirhash2(EXT2_HASH_HALF_MD4, names[i].name, (int)names[i].len, NULL, 0,
            writer->fs->super->s_hash_seed, &hashed[i].hash, &hashed[i].minor);
    }
    qsort(hashed, count, sizeof *hashed, compare_hashed);
    size_t leaf_count = find_leaves(hashed, count, &leaves);
    if (leaf_count > (size_t)ROOT_MAX * NODE_MAX) {
        return write_linear(writer, inode, parent, names, count, err);
    }
    leaves[0].hash = 0;
    return write_index(writer, inode, parent, leaves, leaf_count, err) &&
           write_leaves(writer, inode, hashed, count, leaves, leaf_count, err);
}

bool ext4_write_directory(struct ext4_writer *writer, struct tree_inode *inode, uint32_t parent,
    const struct ext4_name *names, size_t count, struct error *err)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += entry_size(names[i].len);
    }
    if (bytes > LINEAR_BLOCKS_MAX * NAMES_ROOM && inode->number != LOST_FOUND) {
        return write_hashed(writer, inode, parent, names, count, err);
    }
    return write_linear(writer, inode, parent, names, count, err);
}
