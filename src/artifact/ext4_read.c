/* SPDX-License-Identifier: MIT */
#include "artifact/ext4_read.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ext2fs/ext2fs.h>

#include "artifact/ext4_fs.h"
#include "artifact/ext4_open.h"
#include "artifact/ext4_writer.h"
#include "artifact/flatten.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/memory.h"

#define BUFFER_BYTES ((unsigned)256 << 10)

struct reader {
    ext2_filsys fs;
    struct tree *tree;
    struct ext4_writer *writer;
    const struct limits *limits;
    const struct cancel *cancel;
    struct flatten_report *report;
    void *seen; /* tsearch(3): inodes with more names than one, and directories */
    uint64_t depth;
    uint64_t data_bytes; /* of files so far, holes too: those are read as zeros */
    uint8_t *buffer;
};

struct seen {
    uint32_t number;
    struct tree_inode *inode;
};

static int compare_seen(const void *a, const void *b)
{
    const struct seen *left = a;
    const struct seen *right = b;
    return (left->number > right->number) - (left->number < right->number);
}

/* What was made of the inode before; the second to come may not be a directory again. */
static struct seen *find_seen(struct reader *reader, uint32_t number)
{
    const struct seen key = {.number = number};
    struct seen **found = tfind(&key, &reader->seen, compare_seen);
    return found ? *found : NULL;
}

static void add_seen(struct reader *reader, uint32_t number, struct tree_inode *inode)
{
    struct seen *seen = memory_alloc(sizeof *seen);
    *seen = (struct seen){.number = number, .inode = inode};
    if (!tsearch(seen, &reader->seen, compare_seen)) {
        abort();
    }
}

bool ext4_open_fail(long code, const char *doing, struct error *err)
{
    if (code > 0 && code < 1024) {
        return error_set_errno(err, (int)code, "cannot %s an ext4 file system", doing);
    }
    return error_set(err, ERROR_FORMAT,
        "cannot %s an ext4 file system, it is damaged or none at all: libext2fs error %ld", doing,
        code);
}

struct struct_ext2_filsys *ext4_open_as_is(int fd, bool is_writable, struct error *err)
{
    auto_close int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own < 0) {
        error_set_errno(err, errno, "cannot duplicate a descriptor");
        return NULL;
    }
    char name[16];
    snprintf(name, sizeof name, "%d", own);
    ext2_filsys fs = NULL;
    errcode_t code = ext2fs_open2(name, NULL, EXT2_FLAG_64BITS | (is_writable ? EXT2_FLAG_RW : 0),
        0, 0, unixfd_io_manager, &fs);
    if (code != 0) {
        ext4_open_fail(code, "open", err);
        return NULL;
    }
    take_fd(&own);
    return fs;
}

struct struct_ext2_filsys *ext4_open(int fd, bool is_writable, struct error *err)
{
    ext2_filsys fs = ext4_open_as_is(fd, is_writable, err);
    if (fs != NULL && ext2fs_has_feature_journal_needs_recovery(fs->super)) {
        ext2fs_free(fs);
        error_set(err, ERROR_BUSY,
            "the ext4 file system was not unmounted: start and stop the machine once more");
        return NULL;
    }
    return fs;
}

static struct tree_inode *make_inode(const struct ext2_inode_large *from)
{
    struct tree_inode *inode = tree_inode_new(from->i_mode);
    bool has_extra = from->i_extra_isize >= 8;
    inode->uid = from->i_uid | (uint32_t)from->osd2.linux2.l_i_uid_high << 16;
    inode->gid = from->i_gid | (uint32_t)from->osd2.linux2.l_i_gid_high << 16;
    inode->mtime = (int32_t)from->i_mtime;
    if (has_extra) {
        inode->mtime += (int64_t)(from->i_mtime_extra & 3) << 32;
        inode->mtime_nanoseconds = from->i_mtime_extra >> 2;
    }
    if (from->i_block[0] != 0) {
        inode->device_major = from->i_block[0] >> 8 & 0xff;
        inode->device_minor = from->i_block[0] & 0xff;
    } else {
        inode->device_major = from->i_block[1] >> 8 & 0xfff;
        inode->device_minor = (from->i_block[1] & 0xff) | (from->i_block[1] >> 12 & 0xfff00);
    }
    return inode;
}

struct xattrs {
    struct reader *reader;
    struct tree_inode *inode;
};

static int take_xattr(char *name, char *value, size_t len, void *context)
{
    struct xattrs *xattrs = context;
    if (tree_xattr_is_kept(name)) {
        tree_inode_add_xattr(
            xattrs->inode, memory_strdup(name), len > 0 ? memory_dup(value, len) : NULL, len);
    } else {
        xattrs->reader->report->skipped_xattrs++;
    }
    return 0;
}

static bool read_xattrs(
    struct reader *reader, uint32_t number, struct tree_inode *inode, struct error *err)
{
    struct ext2_xattr_handle *handle = NULL;
    struct xattrs xattrs = {.reader = reader, .inode = inode};
    errcode_t code = ext2fs_xattrs_open(reader->fs, number, &handle);
    if (code == 0) {
        code = ext2fs_xattrs_read(handle);
        if (code == 0) {
            code = ext2fs_xattrs_iterate(handle, take_xattr, &xattrs);
        }
        ext2fs_xattrs_close(&handle);
    }
    return code == 0 || ext4_open_fail(code, "read the attributes of", err);
}

static bool copy_data(struct reader *reader, uint32_t number, uint64_t size, struct error *err)
{
    ext2_file_t file = NULL;
    errcode_t code = ext2fs_file_open(reader->fs, number, 0, &file);
    uint64_t left = size;
    bool is_fine = true;
    while (code == 0 && is_fine && left > 0) {
        unsigned got = 0;
        code = ext2fs_file_read(file, reader->buffer, BUFFER_BYTES, &got);
        if (code == 0 && got == 0) {
            break;
        }
        left -= got < left ? got : left;
        is_fine = code != 0 || (ext4_file_data(reader->writer, reader->buffer, got, err) &&
                                   !cancel_check(reader->cancel, err));
    }
    if (file) {
        ext2fs_file_close(file);
    }
    if (code != 0) {
        return ext4_open_fail(code, "read a file of", err);
    }
    return is_fine && ext4_file_end(reader->writer, err);
}

static bool read_link(struct reader *reader, uint32_t number, const struct ext2_inode_large *from,
    struct tree_inode *inode, struct error *err)
{
    uint64_t size = EXT2_I_SIZE(from);
    if (size == 0 || size > reader->limits->path_bytes) {
        return error_set(err, ERROR_FORMAT, "a symlink has no text, or too much of it");
    }
    char *text = memory_zero(1, size + 1);
    inode->symlink = text;
    inode->size_bytes = size;
    if (ext2fs_is_fast_symlink((struct ext2_inode *)from)) {
        memcpy(text, from->i_block, size < 60 ? size : 60);
        return true;
    }
    ext2_file_t file = NULL;
    unsigned got = 0;
    errcode_t code = ext2fs_file_open(reader->fs, number, 0, &file);
    if (code == 0) {
        code = ext2fs_file_read(file, text, (unsigned)size, &got);
        ext2fs_file_close(file);
    }
    return (code == 0 && got == size) || ext4_open_fail(code, "read a symlink of", err);
}

static bool read_content(struct reader *reader, uint32_t number,
    const struct ext2_inode_large *from, struct tree_inode *inode, struct error *err)
{
    if (S_ISREG(from->i_mode)) {
        uint64_t size = EXT2_I_SIZE(from);
        if (size > reader->limits->expanded_bytes - reader->data_bytes) {
            return error_set(err, ERROR_LIMIT, "its files hold more than expanded_bytes (%llu)",
                (unsigned long long)reader->limits->expanded_bytes);
        }
        reader->data_bytes += size;
        ext4_file_begin(reader->writer, inode);
        return copy_data(reader, number, size, err);
    }
    return !S_ISLNK(from->i_mode) || read_link(reader, number, from, inode, err);
}

static bool read_directory(
    struct reader *reader, uint32_t number, struct tree_node *node, struct error *err);

static bool read_inode(
    struct reader *reader, uint32_t number, struct tree_node *node, struct error *err)
{
    struct ext2_inode_large from;
    errcode_t code =
        ext2fs_read_inode_full(reader->fs, number, (struct ext2_inode *)&from, sizeof from);
    if (code != 0) {
        return ext4_open_fail(code, "read an inode of", err);
    }
    struct seen *seen = find_seen(reader, number);
    bool is_directory = S_ISDIR(from.i_mode);
    if (seen && !is_directory) {
        node->inode = tree_inode_share(seen->inode);
        return true;
    }
    if (seen || (from.i_mode & S_IFMT) == 0) {
        return error_set(err, ERROR_FORMAT, "a directory has two names, or a name leads nowhere");
    }
    if (S_ISSOCK(from.i_mode)) {
        reader->report->skipped_sockets++;
        return true;
    }
    node->inode = make_inode(&from);
    if (is_directory || from.i_links_count > 1) {
        add_seen(reader, number, node->inode);
    }
    if (!read_xattrs(reader, number, node->inode, err)) {
        return false;
    }
    node->kept = is_directory ? 1 : 0;
    return is_directory ? read_directory(reader, number, node, err)
                        : read_content(reader, number, &from, node->inode, err);
}

struct name {
    uint32_t number;
    struct tree_node *node;
};

struct names {
    struct reader *reader;
    struct tree_node *parent;
    struct name *list;
    size_t count;
    bool is_bad;
};

static int take_name(ext2_ino_t dir, int entry, struct ext2_dir_entry *dirent, int offset,
    int block_bytes, char *buffer, void *context)
{
    (void)dir, (void)offset, (void)block_bytes, (void)buffer;
    struct names *names = context;
    size_t len = (size_t)ext2fs_dirent_name_len(dirent);
    if (entry == DIRENT_DOT_FILE || entry == DIRENT_DOT_DOT_FILE) {
        return 0;
    }
    bool is_lost = names->reader->depth == 1 && len == 10 &&
                   memcmp(dirent->name, "lost+found", len) == 0 &&
                   names->parent == tree_root(names->reader->tree) && dirent->inode == 11;
    if (is_lost) {
        return 0;
    }
    if (len == 0 || memchr(dirent->name, '/', len) || memchr(dirent->name, '\0', len) ||
        tree_find(names->parent, dirent->name, len) ||
        ++names->reader->report->entries > names->reader->limits->entries) {
        names->is_bad = true;
        return DIRENT_ABORT;
    }
    if ((names->count & (names->count - 1)) == 0) {
        names->list =
            memory_grow(names->list, names->count ? names->count * 2 : 1, sizeof *names->list);
    }
    names->list[names->count++] = (struct name){.number = dirent->inode,
        .node = tree_add(names->reader->tree, names->parent, dirent->name, len)};
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    const struct name *left = a;
    const struct name *right = b;
    return strcmp(left->node->name, right->node->name);
}

static bool read_directory(
    struct reader *reader, uint32_t number, struct tree_node *node, struct error *err)
{
    if (reader->depth == reader->limits->layer_depth) {
        return error_set(err, ERROR_LIMIT, "its directories are deeper than layer_depth (%llu)",
            (unsigned long long)reader->limits->layer_depth);
    }
    reader->depth++;
    struct names names = {.reader = reader, .parent = node};
    errcode_t code = ext2fs_dir_iterate2(reader->fs, number, 0, NULL, take_name, &names);
    bool is_fine = code == 0 ? !names.is_bad || error_set(err, ERROR_FORMAT,
                                                    "a directory has a name that cannot be, one "
                                                    "twice, or too many")
                             : ext4_open_fail(code, "read a directory of", err);
    if (names.count > 1) {
        qsort(names.list, names.count, sizeof *names.list, compare_names);
    }
    for (size_t i = 0; is_fine && i < names.count; i++) {
        is_fine = !cancel_check(reader->cancel, err) &&
                  read_inode(reader, names.list[i].number, names.list[i].node, err);
    }
    free(names.list);
    reader->depth--;
    return is_fine;
}

static bool find_directory(ext2_filsys fs, const char *path, uint32_t *number, struct error *err)
{
    *number = EXT2_ROOT_INO;
    while (*path != '\0') {
        size_t len = strcspn(path, "/");
        ext2_ino_t next = 0;
        if (len > 0) {
            errcode_t code = ext2fs_lookup(fs, *number, path, (int)len, NULL, &next);
            if (code != 0 || ext2fs_check_directory(fs, next) != 0) {
                return code == EXT2_ET_FILE_NOT_FOUND || code == 0
                           ? error_set(
                                 err, ERROR_NOT_FOUND, "the file system has no directory %s", path)
                           : ext4_open_fail(code, "look into", err);
            }
            *number = next;
        }
        path += len + (path[len] == '/' ? 1 : 0);
    }
    return true;
}

bool ext4_read_subtree(int fd, const char *path, struct tree *tree, struct ext4_writer *writer,
    const struct limits *limits, const struct cancel *cancel, struct flatten_report *report,
    struct error *err)
{
    auto_free uint8_t *buffer = memory_alloc(BUFFER_BYTES);
    struct reader reader = {
        .fs = ext4_open(fd, false, err),
        .tree = tree,
        .writer = writer,
        .limits = limits,
        .cancel = cancel,
        .report = report,
        .buffer = buffer,
    };
    uint32_t number = 0;
    if (!reader.fs) {
        return false;
    }
    bool is_fine = find_directory(reader.fs, path, &number, err) &&
                   read_inode(&reader, number, tree_root(tree), err);
    tdestroy(reader.seen, free);
    ext2fs_free(reader.fs);
    return is_fine;
}

bool ext4_read_uuid(int fd, uint8_t uuid[16], struct error *err)
{
    ext2_filsys fs = ext4_open(fd, false, err);
    if (!fs) {
        return false;
    }
    memcpy(uuid, fs->super->s_uuid, 16);
    ext2fs_free(fs);
    return true;
}
