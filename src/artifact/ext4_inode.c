/* SPDX-License-Identifier: MIT */
/* One inode as it lies on the disk, and the blocks it has beside its data: extents, extended
 * attributes, the text of a long link. */
#include <string.h>
#include <sys/stat.h>

#include <ext2fs/ext2fs.h>
#include <ext2fs/ext3_extents.h>

#include "artifact/ext4_fs.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "ext4 is laid by hand for little-endian processors only"
#endif

#define EXTENTS_IN_INODE 4
#define EXTENTS_IN_BLOCK 340
#define FAST_SYMLINK_MAX 59
#define EXTRA_BYTES 32
#define INODE_ATTRIBUTES_AT (128 + EXTRA_BYTES)
#define ATTRIBUTES_END 4 /* zeros behind the last entry */

uint32_t ext4_checksum(
    const struct ext4_writer *writer, uint32_t number, const void *bytes, size_t len)
{
    static const uint32_t generation;
    uint32_t sum =
        ext2fs_crc32c_le(writer->fs->csum_seed, (const unsigned char *)&number, sizeof number);
    sum = ext2fs_crc32c_le(sum, (const unsigned char *)&generation, sizeof generation);
    return ext2fs_crc32c_le(sum, bytes, len);
}

static void set_header(struct ext3_extent_header *header, size_t count, size_t max, unsigned depth)
{
    *header = (struct ext3_extent_header){
        .eh_magic = EXT3_EXT_MAGIC,
        .eh_entries = (uint16_t)count,
        .eh_max = (uint16_t)max,
        .eh_depth = (uint16_t)depth,
    };
}

/* A leaf of the tree of extents and its inner nodes have entries of one size. depth 0: extents. */
static void set_entries(
    struct ext3_extent_header *header, const struct tree_extent *from, size_t count, unsigned depth)
{
    struct ext3_extent *extents = EXT_FIRST_EXTENT(header);
    struct ext3_extent_idx *nodes = EXT_FIRST_INDEX(header);
    for (size_t i = 0; i < count; i++) {
        if (depth == 0) {
            extents[i] = (struct ext3_extent){
                .ee_block = from[i].logical,
                .ee_len = (uint16_t)from[i].count,
                .ee_start_hi = (uint16_t)(from[i].physical >> 32),
                .ee_start = (uint32_t)from[i].physical,
            };
        } else {
            nodes[i] = (struct ext3_extent_idx){
                .ei_block = from[i].logical,
                .ei_leaf = (uint32_t)from[i].physical,
                .ei_leaf_hi = (uint16_t)(from[i].physical >> 32),
            };
        }
    }
}

/* Writes one level into blocks of its own and makes the entries of the level above. */
static bool write_level(struct ext4_writer *writer, uint32_t number, unsigned depth,
    struct tree_extent **level, size_t *count, struct error *err)
{
    size_t above_count = (*count + EXTENTS_IN_BLOCK - 1) / EXTENTS_IN_BLOCK;
    struct tree_extent *above = memory_zero(above_count, sizeof *above);
    bool is_fine = true;
    for (size_t i = 0; is_fine && i < above_count; i++) {
        const struct tree_extent *from = *level + i * EXTENTS_IN_BLOCK;
        size_t left = *count - i * EXTENTS_IN_BLOCK;
        size_t here = left < EXTENTS_IN_BLOCK ? left : EXTENTS_IN_BLOCK;
        union {
            uint8_t bytes[EXT4_BLOCK];
            struct ext3_extent_header header;
        } block = {{0}};
        set_header(&block.header, here, EXTENTS_IN_BLOCK, depth);
        set_entries(&block.header, from, here, depth);
        size_t tail = EXT4_BLOCK - sizeof(struct ext3_extent_tail);
        uint32_t sum = ext4_checksum(writer, number, block.bytes, tail);
        memcpy(block.bytes + tail, &sum, sizeof sum);
        above[i].logical = from->logical;
        above[i].physical = ext4_take_block(writer);
        is_fine = ext4_put_block(writer, above[i].physical, block.bytes, err);
    }
    free(*level);
    *level = above;
    *count = above_count;
    return is_fine;
}

/* The root of the tree lies in the inode. *blocks counts what it takes beside. */
static bool write_extents(struct ext4_writer *writer, const struct tree_inode *inode,
    struct ext2_inode_large *out, uint64_t *blocks, struct error *err)
{
    size_t count = inode->extent_count;
    auto_free struct tree_extent *level =
        count > 0 ? memory_dup(inode->extents, count * sizeof *level) : NULL;
    unsigned depth = 0;
    while (count > EXTENTS_IN_INODE) {
        if (!write_level(writer, inode->number, depth++, &level, &count, err)) {
            return false;
        }
        *blocks += count;
    }
    struct ext3_extent_header *header = (struct ext3_extent_header *)out->i_block;
    set_header(header, count, EXTENTS_IN_INODE, depth);
    set_entries(header, level, count, depth);
    out->i_flags |= EXT4_EXTENTS_FL;
    return true;
}

/* ext4's number for the first part of an attribute's name, and the rest of it. */
static uint8_t split_xattr(const struct tree_xattr *xattr, const char **rest)
{
    bool is_user = text_has_prefix(xattr->name, "user.");
    *rest = xattr->name + (is_user ? sizeof "user." : sizeof "security.") - 1;
    return is_user ? 1 : 6;
}

static size_t xattr_size(const struct tree_xattr *xattr)
{
    const char *rest;
    split_xattr(xattr, &rest);
    return EXT2_EXT_ATTR_LEN(strlen(rest)) + EXT2_EXT_ATTR_SIZE(xattr->len);
}

/* In the order the kernel wants them in a block. */
static int compare_xattrs(const void *a, const void *b)
{
    const struct tree_xattr *left = a;
    const struct tree_xattr *right = b;
    const char *left_rest;
    const char *right_rest;
    int order = split_xattr(left, &left_rest) - split_xattr(right, &right_rest);
    if (order == 0 && strlen(left_rest) != strlen(right_rest)) {
        order = strlen(left_rest) < strlen(right_rest) ? -1 : 1;
    }
    if (order == 0) {
        order = strcmp(left_rest, right_rest);
    }
    if (order == 0 && left->len != right->len) {
        order = left->len < right->len ? -1 : 1;
    }
    return order != 0 || left->len == 0 ? order : memcmp(left->value, right->value, left->len);
}

uint32_t ext4_fit_xattrs(struct tree_inode *inode)
{
    size_t room = EXT4_BLOCK - sizeof(struct ext2_ext_attr_header) - ATTRIBUTES_END;
    uint32_t kept = 0;
    uint32_t dropped = 0;
    if (inode->xattr_count > 0) {
        qsort(inode->xattrs, inode->xattr_count, sizeof *inode->xattrs, compare_xattrs);
    }
    for (uint32_t i = 0; i < inode->xattr_count; i++) {
        struct tree_xattr *xattr = &inode->xattrs[i];
        const char *rest;
        split_xattr(xattr, &rest);
        if (strlen(rest) > 255 || xattr_size(xattr) > room ||
            (kept > 0 && strcmp(inode->xattrs[kept - 1].name, xattr->name) == 0)) {
            free(xattr->name);
            free(xattr->value);
            dropped++;
            continue;
        }
        room -= xattr_size(xattr);
        inode->xattrs[kept++] = *xattr;
    }
    inode->xattr_count = kept;
    return dropped;
}

/* Entries from `first` on, values from the end backwards; offsets count from `base`. */
static void put_xattrs(const struct tree_inode *inode, uint8_t *base, uint8_t *first, uint8_t *end)
{
    struct ext2_ext_attr_entry *entry = (struct ext2_ext_attr_entry *)first;
    for (uint32_t i = 0; i < inode->xattr_count; i++) {
        const struct tree_xattr *xattr = &inode->xattrs[i];
        const char *rest;
        uint8_t index = split_xattr(xattr, &rest);
        *entry = (struct ext2_ext_attr_entry){
            .e_name_index = index,
            .e_name_len = (uint8_t)strlen(rest),
            .e_value_size = (uint32_t)xattr->len,
        };
        memcpy(EXT2_EXT_ATTR_NAME(entry), rest, strlen(rest));
        if (xattr->len > 0) {
            end -= EXT2_EXT_ATTR_SIZE(xattr->len);
            memcpy(end, xattr->value, xattr->len);
            entry->e_value_offs = (uint16_t)(end - base);
        }
        entry->e_hash = ext2fs_ext_attr_hash_entry(entry, end);
        entry = EXT2_EXT_ATTR_NEXT(entry);
    }
}

static bool write_xattrs(struct ext4_writer *writer, const struct tree_inode *inode,
    uint8_t bytes[256], uint64_t *blocks, struct error *err)
{
    size_t size = ATTRIBUTES_END;
    for (uint32_t i = 0; i < inode->xattr_count; i++) {
        size += xattr_size(&inode->xattrs[i]);
    }
    if (inode->xattr_count == 0) {
        return true;
    }
    uint32_t magic = EXT2_EXT_ATTR_MAGIC;
    if (size <= 256 - INODE_ATTRIBUTES_AT - sizeof magic) {
        memcpy(bytes + INODE_ATTRIBUTES_AT, &magic, sizeof magic);
        uint8_t *first = bytes + INODE_ATTRIBUTES_AT + sizeof magic;
        put_xattrs(inode, first, first, bytes + 256);
        return true;
    }
    union {
        uint8_t bytes[EXT4_BLOCK];
        struct ext2_ext_attr_header header;
    } block = {{0}};
    block.header.h_magic = magic;
    block.header.h_refcount = 1;
    block.header.h_blocks = 1;
    put_xattrs(inode, block.bytes, block.bytes + sizeof block.header, block.bytes + EXT4_BLOCK);
    ext2fs_ext_attr_block_rehash(
        &block.header, (struct ext2_ext_attr_entry *)(block.bytes + EXT4_BLOCK));
    uint64_t number = ext4_take_block(writer);
    ext2fs_ext_attr_block_csum_set(writer->fs, inode->number, number, &block.header);
    struct ext2_inode_large *out = (struct ext2_inode_large *)bytes;
    out->i_file_acl = (uint32_t)number;
    out->osd2.linux2.l_i_file_acl_high = (uint16_t)(number >> 32);
    *blocks += 1;
    return ext4_put_block(writer, number, block.bytes, err);
}

static void set_owner_and_times(const struct tree_inode *inode, struct ext2_inode_large *out)
{
    uint32_t low = (uint32_t)inode->mtime;
    uint32_t extra = (uint32_t)((inode->mtime - (int32_t)low) >> 32 & 3) | inode->mtime_nanoseconds
                                                                               << 2;
    out->i_mode = (uint16_t)inode->mode;
    out->i_uid = (uint16_t)inode->uid;
    out->i_gid = (uint16_t)inode->gid;
    out->osd2.linux2.l_i_uid_high = (uint16_t)(inode->uid >> 16);
    out->osd2.linux2.l_i_gid_high = (uint16_t)(inode->gid >> 16);
    out->i_atime = out->i_ctime = out->i_mtime = out->i_crtime = low;
    out->i_atime_extra = out->i_ctime_extra = out->i_mtime_extra = out->i_crtime_extra = extra;
    out->i_links_count = (uint16_t)inode->links;
    out->i_size = (uint32_t)inode->size_bytes;
    out->i_size_high = (uint32_t)(inode->size_bytes >> 32);
    out->i_extra_isize = EXTRA_BYTES;
    if (inode->is_indexed) {
        out->i_flags |= EXT2_INDEX_FL;
    }
}

static bool place_link_text(struct ext4_writer *writer, struct tree_inode *inode, struct error *err)
{
    uint8_t block[EXT4_BLOCK] = {0};
    if (inode->size_bytes >= sizeof block) {
        return error_set(err, ERROR_LIMIT, "the text of a symlink is longer than 4095 bytes");
    }
    memcpy(block, inode->symlink, (size_t)inode->size_bytes);
    uint64_t number = ext4_take_block(writer);
    tree_inode_add_block(inode, 0, number);
    return ext4_put_block(writer, number, block, err);
}

static bool set_content(struct ext4_writer *writer, struct tree_inode *inode,
    struct ext2_inode_large *out, uint64_t *blocks, struct error *err)
{
    if (S_ISCHR(inode->mode) || S_ISBLK(inode->mode)) {
        uint32_t major = inode->device_major;
        uint32_t minor = inode->device_minor;
        if (major < 256 && minor < 256) {
            out->i_block[0] = major << 8 | minor;
        } else {
            out->i_block[1] = (minor & 0xff) | major << 8 | (minor & ~0xffU) << 12;
        }
        return true;
    }
    if (S_ISFIFO(inode->mode) || S_ISSOCK(inode->mode)) {
        return true;
    }
    if (S_ISLNK(inode->mode) && inode->size_bytes <= FAST_SYMLINK_MAX) {
        memcpy(out->i_block, inode->symlink, (size_t)inode->size_bytes);
        return true;
    }
    if (S_ISLNK(inode->mode) && !place_link_text(writer, inode, err)) {
        return false;
    }
    for (uint32_t i = 0; i < inode->extent_count; i++) {
        *blocks += inode->extents[i].count;
    }
    return write_extents(writer, inode, out, blocks, err);
}

bool ext4_encode_inode(
    struct ext4_writer *writer, struct tree_inode *inode, uint8_t bytes[256], struct error *err)
{
    uint64_t blocks = 0;
    struct ext2_inode_large *out = (struct ext2_inode_large *)bytes;
    memset(bytes, 0, 256);
    set_owner_and_times(inode, out);
    if (!set_content(writer, inode, out, &blocks, err) ||
        !write_xattrs(writer, inode, bytes, &blocks, err)) {
        return false;
    }
    uint64_t sectors = blocks * (EXT4_BLOCK / 512);
    out->i_blocks = (uint32_t)sectors;
    out->osd2.linux2.l_i_blocks_hi = (uint16_t)(sectors >> 32);
    ext2fs_inode_csum_set(writer->fs, inode->number, out);
    return true;
}
