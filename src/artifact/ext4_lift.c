/* SPDX-License-Identifier: MIT */
/* Moving names within an ext4 file system that is there. */
#include <string.h>

#include <ext2fs/ext2fs.h>

#include "artifact/ext4_open.h"
#include "artifact/ext4_read.h"
#include "base/error.h"
#include "base/memory.h"

struct found {
    ext2_ino_t number;
    int type;
    int len;
    char name[EXT2_NAME_LEN + 1];
};

struct children {
    struct found *list;
    size_t count;
};

static int take_child(ext2_ino_t dir, int entry, struct ext2_dir_entry *dirent, int offset,
    int block_bytes, char *buffer, void *context)
{
    (void)dir, (void)offset, (void)block_bytes, (void)buffer;
    struct children *children = context;
    if (entry == DIRENT_DOT_FILE || entry == DIRENT_DOT_DOT_FILE) {
        return 0;
    }
    if ((children->count & (children->count - 1)) == 0) {
        children->list = memory_grow(
            children->list, children->count ? children->count * 2 : 1, sizeof *children->list);
    }
    struct found *found = &children->list[children->count++];
    *found = (struct found){.number = dirent->inode,
        .type = ext2fs_dirent_file_type(dirent),
        .len = ext2fs_dirent_name_len(dirent)};
    memcpy(found->name, dirent->name, (size_t)found->len);
    return 0;
}

static errcode_t add_links(ext2_filsys fs, ext2_ino_t number, int change)
{
    struct ext2_inode inode;
    errcode_t code = ext2fs_read_inode(fs, number, &inode);
    if (code != 0 || inode.i_links_count < 2) { /* 1: too many to be counted */
        return code;
    }
    inode.i_links_count = (uint16_t)(inode.i_links_count + change);
    return ext2fs_write_inode(fs, number, &inode);
}

static errcode_t link_child(ext2_filsys fs, ext2_ino_t to, const struct found *child)
{
    errcode_t code = ext2fs_link(fs, to, child->name, child->number, child->type);
    if (code == EXT2_ET_DIR_NO_SPACE) {
        code = ext2fs_expand_dir(fs, to);
        if (code == 0) {
            code = ext2fs_link(fs, to, child->name, child->number, child->type);
        }
    }
    return code;
}

static int point_up(ext2_ino_t dir, int entry, struct ext2_dir_entry *dirent, int offset,
    int block_bytes, char *buffer, void *context)
{
    (void)dir, (void)offset, (void)block_bytes, (void)buffer;
    if (entry != DIRENT_DOT_DOT_FILE) {
        return 0;
    }
    dirent->inode = *(const ext2_ino_t *)context;
    return DIRENT_CHANGED | DIRENT_ABORT;
}

static errcode_t move_child(
    ext2_filsys fs, ext2_ino_t from, ext2_ino_t to, const struct found *child)
{
    errcode_t code = link_child(fs, to, child);
    if (code == 0) {
        code = ext2fs_unlink(fs, from, child->name, child->number, 0);
    }
    if (code != 0 || child->type != EXT2_FT_DIR) {
        return code;
    }
    code = ext2fs_dir_iterate2(fs, child->number, DIRENT_FLAG_INCLUDE_EMPTY, NULL, point_up, &to);
    if (code == 0) {
        code = add_links(fs, from, -1);
    }
    return code != 0 ? code : add_links(fs, to, +1);
}

static errcode_t remove_empty(
    ext2_filsys fs, ext2_ino_t parent, ext2_ino_t number, const char *name)
{
    struct ext2_inode inode;
    errcode_t code = ext2fs_unlink(fs, parent, name, number, 0);
    if (code == 0) {
        code = ext2fs_read_inode(fs, number, &inode);
    }
    if (code == 0) {
        code = ext2fs_punch(fs, number, &inode, NULL, 0, ~UINT64_C(0));
    }
    if (code == 0) {
        inode.i_links_count = 0;
        inode.i_dtime = (uint32_t)fs->now;
        code = ext2fs_write_inode(fs, number, &inode);
    }
    if (code == 0) {
        ext2fs_inode_alloc_stats2(fs, number, -1, 1);
        code = add_links(fs, parent, -1);
    }
    return code;
}

static errcode_t lift(ext2_filsys fs, const char *name, bool *has_changed)
{
    ext2_ino_t number = 0;
    struct children children = {0};
    errcode_t code = ext2fs_lookup(fs, EXT2_ROOT_INO, name, (int)strlen(name), NULL, &number);
    if (code == EXT2_ET_FILE_NOT_FOUND || (code == 0 && ext2fs_check_directory(fs, number) != 0)) {
        return 0;
    }
    if (code == 0) {
        code = ext2fs_dir_iterate2(fs, number, 0, NULL, take_child, &children);
    }
    size_t kept = 0;
    for (size_t i = 0; code == 0 && i < children.count; i++) {
        const struct found *child = &children.list[i];
        ext2_ino_t other = 0;
        code = ext2fs_lookup(fs, EXT2_ROOT_INO, child->name, child->len, NULL, &other);
        if (code == 0) {
            kept++;
        } else if (code == EXT2_ET_FILE_NOT_FOUND) {
            code = move_child(fs, number, EXT2_ROOT_INO, child);
            *has_changed = true;
        }
    }
    free(children.list);
    if (code == 0 && kept == 0) {
        code = remove_empty(fs, EXT2_ROOT_INO, number, name);
        *has_changed = true;
    }
    return code;
}

/* Guests that never unmount would else be told of it at every start. */
static bool has_nothing_to_lift(int fd, const char *name)
{
    struct error ignored = {0};
    ext2_ino_t number = 0;
    ext2_filsys fs = ext4_open_as_is(fd, false, &ignored);
    errcode_t code = fs != NULL
                         ? ext2fs_lookup(fs, EXT2_ROOT_INO, name, (int)strlen(name), NULL, &number)
                         : EXT2_ET_BAD_MAGIC;
    if (fs != NULL) {
        ext2fs_free(fs);
    }
    return code == EXT2_ET_FILE_NOT_FOUND;
}

bool ext4_lift_directory(int fd, const char *name, bool *has_changed, struct error *err)
{
    *has_changed = false;
    ext2_filsys fs = ext4_open(fd, true, err);
    if (!fs && err->code == ERROR_BUSY && has_nothing_to_lift(fd, name)) {
        error_clear(err);
        return true;
    }
    if (!fs) {
        return false;
    }
    fs->now = fs->super->s_wtime;
    errcode_t code = ext2fs_read_bitmaps(fs);
    if (code == 0) {
        code = lift(fs, name, has_changed);
    }
    if (code == 0) {
        code = ext2fs_close2(fs, EXT2_FLAG_FLUSH_NO_SYNC);
    }
    if (code != 0) {
        ext2fs_free(fs);
        return ext4_open_fail(code, "change", err);
    }
    return true;
}
