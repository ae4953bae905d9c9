/* SPDX-License-Identifier: MIT */
/* A disk from a directory of the host, read by descriptor and never through a link. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "artifact/ext4_writer.h"
#include "artifact/flatten.h"
#include "artifact/flatten_write.h"
#include "artifact/hash.h"
#include "artifact/tree.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"

#define BUFFER_BYTES ((size_t)256 << 10)
#define TIME_MIN (-INT64_C(0x80000000))
#define TIME_MAX INT64_C(0x37fffffff)

/* A file with more names than one, met before. */
struct linked {
    dev_t device;
    ino_t number;
    uint64_t index;           /* how many there were before */
    struct tree_inode *inode; /* the tree has the reference */
};

struct walk {
    int dir;
    const char *shown;
    const struct limits *limits;
    const struct progress *progress;
    const struct cancel *cancel;
    struct tree *tree;
    /* One of them: what is met is written, or only told apart from all else. */
    struct ext4_writer *writer;
    struct hash *identity;
    struct flatten_report *report;
    dev_t device; /* of the root: no other is entered */
    void *linked; /* tsearch(3) */
    uint64_t linked_count;
    uint64_t bytes;
    uint64_t depth;
    uint8_t *buffer;
};

static int compare_linked(const void *a, const void *b)
{
    const struct linked *left = a;
    const struct linked *right = b;
    if (left->device != right->device) {
        return left->device < right->device ? -1 : 1;
    }
    return (left->number > right->number) - (left->number < right->number);
}

static bool fail_at(
    const struct walk *walk, const struct tree_node *node, const char *doing, struct error *err)
{
    return error_set_errno(
        err, errno, "%s: cannot %s %.255s", walk->shown, doing, node->name[0] ? node->name : ".");
}

static void note_bytes(const struct walk *walk, const void *bytes, size_t len)
{
    uint64_t number = len;
    hash_update(walk->identity, &number, sizeof number);
    if (len > 0) {
        hash_update(walk->identity, bytes, len);
    }
}

static void note_name(const struct walk *walk, char type, const struct tree_node *node)
{
    if (walk->identity) {
        hash_update(walk->identity, &type, 1);
        note_bytes(walk, node->name, node->len);
    }
}

/* All of an inode but its content. The disk is made for little-endian machines only. */
static void note_inode(const struct walk *walk, const struct tree_inode *inode)
{
    if (!walk->identity) {
        return;
    }
    const uint64_t facts[] = {inode->mode, inode->uid, inode->gid, (uint64_t)inode->mtime,
        inode->mtime_nanoseconds, inode->device_major, inode->device_minor, inode->xattr_count};
    hash_update(walk->identity, facts, sizeof facts);
    for (uint32_t i = 0; i < inode->xattr_count; i++) {
        note_bytes(walk, inode->xattrs[i].name, strlen(inode->xattrs[i].name));
        note_bytes(walk, inode->xattrs[i].value, inode->xattrs[i].len);
    }
    if (inode->symlink) {
        note_bytes(walk, inode->symlink, strlen(inode->symlink));
    }
}

static bool note_data(
    const struct walk *walk, int fd, const struct tree_node *node, struct error *err)
{
    struct digest digest;
    if (!hash_content(fd, node->name, NULL, walk->cancel, &digest, err)) {
        return error_wrap(err, "%s", walk->shown);
    }
    hash_update(walk->identity, digest.bytes, sizeof digest.bytes);
    return true;
}

static struct tree_inode *make_inode(const struct stat *status)
{
    struct tree_inode *inode = tree_inode_new(status->st_mode);
    int64_t time = status->st_mtim.tv_sec;
    inode->uid = status->st_uid;
    inode->gid = status->st_gid;
    inode->mtime = time < TIME_MIN ? TIME_MIN : time > TIME_MAX ? TIME_MAX : time;
    inode->mtime_nanoseconds = (uint32_t)status->st_mtim.tv_nsec;
    if (S_ISCHR(status->st_mode) || S_ISBLK(status->st_mode)) {
        inode->device_major = major(status->st_rdev);
        inode->device_minor = minor(status->st_rdev);
    }
    return inode;
}

/* Those that may be read; a file system without any has none. */
static void read_xattrs(struct walk *walk, int fd, struct tree_inode *inode)
{
    ssize_t len = flistxattr(fd, NULL, 0);
    if (len <= 0) {
        return;
    }
    auto_free char *names = memory_alloc((size_t)len);
    len = flistxattr(fd, names, (size_t)len);
    for (ssize_t at = 0; at < len; at += (ssize_t)strlen(names + at) + 1) {
        const char *name = names + at;
        uint8_t value[4096]; /* a larger one has no room in ext4 */
        ssize_t got = tree_xattr_is_kept(name) ? fgetxattr(fd, name, value, sizeof value) : -1;
        if (got < 0) {
            walk->report->skipped_xattrs++;
            continue;
        }
        tree_inode_add_xattr(inode, memory_strdup(name),
            got > 0 ? memory_dup(value, (size_t)got) : NULL, (size_t)got);
    }
}

static bool copy_piece(struct walk *walk, int fd, const struct tree_node *node, uint64_t from,
    uint64_t to, struct error *err)
{
    while (from < to) {
        uint64_t left = to - from;
        size_t wanted = left < BUFFER_BYTES ? (size_t)left : BUFFER_BYTES;
        ssize_t got = pread(fd, walk->buffer, wanted, (off_t)from);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return fail_at(walk, node, "read", err);
        }
        if (got == 0) {
            return error_set(err, ERROR_IO, "%s: %.255s became shorter while it was read",
                walk->shown, node->name);
        }
        if (!ext4_file_data(walk->writer, walk->buffer, (size_t)got, err) ||
            cancel_check(walk->cancel, err)) {
            return false;
        }
        from += (uint64_t)got;
        walk->bytes += (uint64_t)got;
        progress_report(walk->progress, PROGRESS_EXTRACT, PROGRESS_BYTES, walk->bytes, 0);
    }
    return true;
}

static bool copy_data(
    struct walk *walk, int fd, const struct tree_node *node, uint64_t size, struct error *err)
{
    uint64_t at = 0;
    while (at < size) {
        off_t data = lseek(fd, (off_t)at, SEEK_DATA);
        if (data < 0 && errno != ENXIO && errno != EINVAL) {
            return fail_at(walk, node, "read", err);
        }
        uint64_t start = data >= 0 ? (uint64_t)data : errno == ENXIO ? size : at;
        start = start < size ? start : size;
        if (!ext4_file_hole(walk->writer, start - at, err)) {
            return false;
        }
        off_t hole = start < size ? lseek(fd, (off_t)start, SEEK_HOLE) : (off_t)size;
        uint64_t end = hole >= 0 && (uint64_t)hole < size ? (uint64_t)hole : size;
        if (!copy_piece(walk, fd, node, start, end, err)) {
            return false;
        }
        at = end;
    }
    return true;
}

static bool add_file(struct walk *walk, int dir, struct tree_node *node, struct error *err)
{
    struct stat status;
    auto_close int fd = openat(dir, node->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        return fail_at(walk, node, "read", err);
    }
    node->inode = make_inode(&status);
    read_xattrs(walk, fd, node->inode);
    note_inode(walk, node->inode);
    if (walk->identity) {
        return note_data(walk, fd, node, err);
    }
    ext4_file_begin(walk->writer, node->inode);
    return copy_data(walk, fd, node, (uint64_t)status.st_size, err) &&
           ext4_file_end(walk->writer, err);
}

static bool add_symlink(struct walk *walk, int dir, struct tree_node *node,
    const struct stat *status, struct error *err)
{
    char target[4096];
    ssize_t len = readlinkat(dir, node->name, target, sizeof target - 1);
    if (len < 0) {
        return fail_at(walk, node, "read", err);
    }
    target[len] = '\0';
    node->inode = make_inode(status);
    node->inode->symlink = memory_strdup(target);
    node->inode->size_bytes = (uint64_t)len;
    note_inode(walk, node->inode);
    return true;
}

/* Shares the inode of a name met before; true when it did. */
static bool share_linked(struct walk *walk, struct tree_node *node, const struct stat *status)
{
    const struct linked key = {.device = status->st_dev, .number = status->st_ino};
    struct linked **found = tfind(&key, &walk->linked, compare_linked);
    if (found) {
        node->inode = tree_inode_share((*found)->inode);
        note_name(walk, 'h', node);
    }
    if (found && walk->identity) {
        hash_update(walk->identity, &(*found)->index, sizeof(*found)->index);
    }
    return found != NULL;
}

static void remember_linked(
    struct walk *walk, const struct tree_node *node, const struct stat *status)
{
    struct linked *linked = memory_alloc(sizeof *linked);
    *linked = (struct linked){.device = status->st_dev,
        .number = status->st_ino,
        .index = walk->linked_count++,
        .inode = node->inode};
    if (!tsearch(linked, &walk->linked, compare_linked)) {
        abort();
    }
}

static bool add_directory(struct walk *walk, int dir, struct tree_node *node, struct error *err);

static bool add_name(
    struct walk *walk, int dir, struct tree_node *parent, const char *name, struct error *err)
{
    struct stat status;
    struct tree_node *node = tree_add(walk->tree, parent, name, strlen(name));
    if (fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return fail_at(walk, node, "look at", err);
    }
    if (++walk->report->entries > walk->limits->entries) {
        return error_set(err, ERROR_LIMIT, "%s has more files than entries (%llu)", walk->shown,
            (unsigned long long)walk->limits->entries);
    }
    if (S_ISSOCK(status.st_mode)) {
        walk->report->skipped_sockets++;
        return true; /* a name without an inode is no file */
    }
    if (S_ISDIR(status.st_mode)) {
        node->kept = 1;
        return add_directory(walk, dir, node, err);
    }
    bool is_linked = status.st_nlink > 1;
    if (is_linked && share_linked(walk, node, &status)) {
        return true;
    }
    bool is_fine = true;
    note_name(walk, is_linked ? 'l' : 'n', node);
    if (S_ISREG(status.st_mode)) {
        is_fine = add_file(walk, dir, node, err);
    } else if (S_ISLNK(status.st_mode)) {
        is_fine = add_symlink(walk, dir, node, &status, err);
    } else {
        node->inode = make_inode(&status);
        note_inode(walk, node->inode);
    }
    if (is_fine && is_linked) {
        remember_linked(walk, node, &status);
    }
    return is_fine;
}

static bool add_children(struct walk *walk, int fd, struct tree_node *node, struct error *err)
{
    auto_done(strings) struct strings names = {0};
    if (!file_list(fd, ".", &names, err)) {
        return error_wrap(err, "%s", walk->shown);
    }
    for (size_t i = 0; i < names.count; i++) {
        if (cancel_check(walk->cancel, err) || !add_name(walk, fd, node, names.items[i], err)) {
            return false;
        }
    }
    return true;
}

static bool add_directory(struct walk *walk, int dir, struct tree_node *node, struct error *err)
{
    struct stat status;
    const char *name = node->parent ? node->name : ".";
    auto_close int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0) {
        return fail_at(walk, node, "open", err);
    }
    node->inode = make_inode(&status);
    read_xattrs(walk, fd, node->inode);
    note_name(walk, 'd', node);
    note_inode(walk, node->inode);
    if (!node->parent) {
        walk->device = status.st_dev;
    } else if (status.st_dev != walk->device) {
        return true; /* a mount point stays empty */
    }
    if (walk->depth == walk->limits->layer_depth) {
        return error_set(err, ERROR_LIMIT, "%s is deeper than layer_depth (%llu)", walk->shown,
            (unsigned long long)walk->limits->layer_depth);
    }
    walk->depth++;
    bool is_fine = add_children(walk, fd, node, err);
    walk->depth--;
    note_name(walk, '/', node);
    return is_fine;
}

static bool fill_from_directory(void *context, struct tree *tree, struct ext4_writer *writer,
    struct flatten_report *report, struct error *err)
{
    struct walk *walk = context;
    walk->tree = tree;
    walk->writer = writer;
    walk->report = report;
    walk->bytes = walk->depth = walk->linked_count = 0;
    bool is_fine = add_directory(walk, walk->dir, tree_root(tree), err);
    tdestroy(take_ptr(walk->linked), free);
    return is_fine;
}

/* Everything the disk will hold is read once for this: it must be known before the disk is begun. */
static bool find_identity(struct walk *walk, struct digest *digest, struct error *err)
{
    struct flatten_report report = {0};
    struct tree *tree = tree_new();
    walk->identity = hash_new();
    bool is_fine = fill_from_directory(walk, tree, NULL, &report, err);
    tree_free(tree);
    hash_finish(walk->identity, digest);
    hash_free(take_ptr(walk->identity));
    return is_fine;
}

bool flatten_directory(int dir, const char *shown, const struct flatten_options *options, int fd,
    const struct limits *limits, const struct progress *progress, const struct cancel *cancel,
    struct flatten_report *report, struct error *err)
{
    auto_free uint8_t *buffer = memory_alloc(BUFFER_BYTES);
    struct walk walk = {
        .dir = dir,
        .shown = shown,
        .limits = limits,
        .progress = progress,
        .cancel = cancel,
        .buffer = buffer,
    };
    struct flatten_disk disk = {
        .fd = fd,
        .size_bytes = options->size_bytes,
        .start_bytes = FLATTEN_SIZE_MIN,
        .label = options->label,
    };
    *report = (struct flatten_report){0};
    if (!find_identity(&walk, &report->source, err)) {
        return false;
    }
    flatten_make_uuid(&report->source, disk.uuid);
    return flatten_write(&disk, fill_from_directory, &walk, report, err);
}
