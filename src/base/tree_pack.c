/* SPDX-License-Identifier: MIT */
#include "base/tree_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define DEPTH_MAX 200u /* a descriptor for each */

/* A directory that is being walked. */
struct level {
    int fd;
    dev_t device;
    char *path; /* in the stream, without a slash at the end */
    char **names;
    size_t count, at;
};

/* Where a file with several names was met first. */
struct known {
    dev_t device;
    ino_t inode;
    char *path;
};

struct tree_pack {
    struct tree_count count;
    bool keeps_owners;
    bool is_ended;
    struct level *levels;
    size_t depth;
    struct tree_bytes head; /* to be given out before anything else */
    size_t head_at;
    struct tree_source file; /* whose bytes come next */
    void *known;
};

static int compare_known(const void *a, const void *b)
{
    const struct known *left = a;
    const struct known *right = b;
    if (left->device != right->device) {
        return left->device < right->device ? -1 : 1;
    }
    return left->inode < right->inode ? -1 : left->inode > right->inode;
}

static void free_known(void *node)
{
    struct known *known = node;
    free(known->path);
    free(known);
}

static void forget_known(struct tree_pack *pack)
{
    while (pack->known != NULL) {
        struct known *known = *(struct known **)pack->known;
        tdelete(known, &pack->known, compare_known);
        free_known(known);
    }
}

static char *join(const char *path, const char *name)
{
    size_t len = strlen(path) + strlen(name) + 1;
    char *joined = tree_grow(NULL, len + 1);
    snprintf(joined, len + 1, "%s/%s", path, name);
    return joined;
}

/* ---- directories ---------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool read_names(struct level *level, struct tree_failure *failure)
{
    int fd = openat(level->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        tree_fail_errno(failure, "cannot read the directory %s", level->path);
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    errno = 0;
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            level->names = tree_grow(level->names, (level->count + 1) * sizeof *level->names);
            level->names[level->count++] = tree_text(entry->d_name, strlen(entry->d_name));
        }
        errno = 0;
    }
    bool is_read = errno == 0 || tree_fail_errno(failure, "cannot read %s", level->path);
    closedir(dir);
    if (level->count > 0) {
        qsort(level->names, level->count, sizeof *level->names, compare_names);
    }
    return is_read;
}

static void pop_level(struct tree_pack *pack)
{
    struct level *level = &pack->levels[--pack->depth];
    for (size_t i = 0; i < level->count; i++) {
        free(level->names[i]);
    }
    free(level->names);
    free(level->path);
    close(level->fd);
}

/* Takes over the descriptor. */
static bool push_level(struct tree_pack *pack, int fd, const struct stat *status, const char *path,
    struct tree_failure *failure)
{
    if (pack->depth == DEPTH_MAX) {
        close(fd);
        return tree_fail(
            failure, TREE_FAULT_LIMIT, 0, "%s lies deeper than %u directories", path, DEPTH_MAX);
    }
    pack->levels = tree_grow(pack->levels, (pack->depth + 1) * sizeof *pack->levels);
    struct level *level = &pack->levels[pack->depth++];
    *level =
        (struct level){.fd = fd, .device = status->st_dev, .path = tree_text(path, strlen(path))};
    bool is_border = pack->depth > 1 && pack->levels[pack->depth - 2].device != status->st_dev;
    return (is_border && tree_is_kernel_view(fd)) || read_names(level, failure);
}

/* ---- one name after the other --------------------------------------------------------------- */

static void add_xattrs(int fd, struct tree_entry *entry)
{
    char names[8192];
    ssize_t len = flistxattr(fd, names, sizeof names);
    for (ssize_t at = 0; at < len; at += (ssize_t)strlen(names + at) + 1) {
        unsigned char value[16384];
        const char *name = names + at;
        if (strncmp(name, TREE_XATTR_PREFIX, strlen(TREE_XATTR_PREFIX)) != 0 ||
            strchr(name, '=') != NULL) {
            continue;
        }
        ssize_t got = fgetxattr(fd, name, value, sizeof value);
        if (got >= 0) {
            tree_entry_add_xattr(entry, name, strlen(name), value, (size_t)got);
        }
    }
}

static void write_entry(struct tree_pack *pack, const struct tree_entry *entry)
{
    tree_entry_write(entry, &pack->head);
    pack->count.entries++;
}

/* A name of a file that was met before becomes a link to it. */
static bool is_known(struct tree_pack *pack, const struct stat *status, struct tree_entry *entry)
{
    if (status->st_nlink < 2) {
        return false;
    }
    struct known *fresh = tree_grow(NULL, sizeof *fresh);
    *fresh = (struct known){.device = status->st_dev,
        .inode = status->st_ino,
        .path = tree_text(entry->path, strlen(entry->path))};
    void *slot = tsearch(fresh, &pack->known, compare_known);
    if (slot == NULL) {
        abort();
    }
    const struct known *found = *(struct known *const *)slot;
    if (found == fresh) {
        return false;
    }
    free_known(fresh);
    entry->type = '1';
    entry->link = tree_text(found->path, strlen(found->path));
    return true;
}

static bool add_file(struct tree_pack *pack, int dir, const char *name, const struct stat *expected,
    struct tree_entry *entry, struct tree_failure *failure)
{
    struct tree_bytes map = {0};
    entry->type = '0';
    bool is_open = tree_source_open(&pack->file, dir, name, expected, entry, &map, failure);
    if (is_open) {
        pack->count.data_bytes += pack->file.stored_bytes;
        add_xattrs(pack->file.fd, entry);
        write_entry(pack, entry);
        tree_bytes_add(&pack->head, map.bytes, map.len);
    }
    free(map.bytes);
    return is_open;
}

static void end_file(struct tree_pack *pack)
{
    static const unsigned char zeros[TREE_BLOCK];
    size_t last = (size_t)(pack->file.stored_bytes % TREE_BLOCK);
    tree_bytes_add(&pack->head, zeros, last == 0 ? 0 : TREE_BLOCK - last);
    tree_source_close(&pack->file);
}

static bool add_link(struct tree_pack *pack, int dir, const char *name, struct tree_entry *entry,
    struct tree_failure *failure)
{
    char target[PATH_MAX];
    ssize_t len = readlinkat(dir, name, target, sizeof target);
    if (len < 0 || len == sizeof target) {
        return tree_fail_errno(failure, "cannot read the link %s", entry->path);
    }
    entry->type = '2';
    entry->link = tree_text(target, (size_t)len);
    write_entry(pack, entry);
    return true;
}

static bool add_directory(struct tree_pack *pack, int dir, const char *name,
    const struct stat *status, struct tree_entry *entry, struct tree_failure *failure)
{
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return tree_fail_errno(failure, "cannot read the directory %s", entry->path);
    }
    char *path = entry->path;
    entry->path = join(path, "");
    entry->type = '5';
    add_xattrs(fd, entry);
    write_entry(pack, entry);
    bool is_pushed = push_level(pack, fd, status, path, failure);
    free(path);
    return is_pushed;
}

/* Takes over path. */
static bool add(
    struct tree_pack *pack, int dir, const char *name, char *path, struct tree_failure *failure)
{
    struct stat status;
    struct tree_entry entry = {.path = path};
    bool is_added = true;
    if (fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        tree_fail_errno(failure, "cannot read %s", path);
        free(path);
        return false;
    }
    entry.mode = status.st_mode & 07777;
    entry.uid = pack->keeps_owners ? status.st_uid : 0;
    entry.gid = pack->keeps_owners ? status.st_gid : 0;
    entry.mtime = status.st_mtim;
    if (S_ISDIR(status.st_mode)) {
        is_added = add_directory(pack, dir, name, &status, &entry, failure);
    } else if (S_ISSOCK(status.st_mode)) {
        pack->count.skipped++;
    } else if (is_known(pack, &status, &entry)) {
        write_entry(pack, &entry);
    } else if (S_ISREG(status.st_mode)) {
        is_added = add_file(pack, dir, name, &status, &entry, failure);
    } else if (S_ISLNK(status.st_mode)) {
        is_added = add_link(pack, dir, name, &entry, failure);
    } else {
        entry.type = S_ISCHR(status.st_mode) ? '3' : S_ISBLK(status.st_mode) ? '4' : '6';
        entry.device_major = major(status.st_rdev);
        entry.device_minor = minor(status.st_rdev);
        write_entry(pack, &entry);
    }
    tree_entry_done(&entry);
    return is_added;
}

static bool next_name(struct tree_pack *pack, struct tree_failure *failure)
{
    while (pack->depth > 0) {
        struct level *level = &pack->levels[pack->depth - 1];
        if (level->at < level->count) {
            const char *name = level->names[level->at++];
            return add(pack, level->fd, name, join(level->path, name), failure);
        }
        pop_level(pack);
    }
    static const unsigned char end[2 * TREE_BLOCK];
    tree_bytes_add(&pack->head, end, sizeof end);
    pack->is_ended = true;
    return true;
}

ssize_t tree_pack_read(
    struct tree_pack *pack, void *bytes, size_t size, struct tree_failure *failure)
{
    size_t done = 0;
    while (done < size) {
        size_t waiting = pack->head.len - pack->head_at;
        if (waiting > 0) {
            size_t part = waiting < size - done ? waiting : size - done;
            memcpy((char *)bytes + done, pack->head.bytes + pack->head_at, part);
            pack->head_at += part;
            done += part;
            continue;
        }
        pack->head.len = 0;
        pack->head_at = 0;
        if (pack->file.fd >= 0) {
            ssize_t got = tree_source_read(&pack->file, (char *)bytes + done, size - done, failure);
            if (got < 0) {
                return -1;
            }
            if (got == 0) {
                end_file(pack);
            }
            done += (size_t)got;
        } else if (pack->is_ended) {
            break;
        } else if (!next_name(pack, failure)) {
            return -1;
        }
    }
    return (ssize_t)done;
}

const struct tree_count *tree_pack_count(const struct tree_pack *pack)
{
    return &pack->count;
}

void tree_pack_free(struct tree_pack *pack)
{
    if (pack == NULL) {
        return;
    }
    while (pack->depth > 0) {
        pop_level(pack);
    }
    tree_source_close(&pack->file);
    forget_known(pack);
    free(pack->levels);
    free(pack->head.bytes);
    free(pack);
}

struct tree_pack *tree_pack_open(const char *path, bool keeps_owners, struct tree_failure *failure)
{
    struct tree_pack *pack = tree_grow(NULL, sizeof *pack);
    *pack = (struct tree_pack){.file.fd = -1, .keeps_owners = keeps_owners};
    char *top = tree_top_name(path);
    size_t len = strlen(path);
    bool is_inside = strcmp(top, ".") == 0 || (len > 0 && path[len - 1] == '/');
    /* A slash behind a link means what it leads to: looked at from within. */
    const char *slash = is_inside ? NULL : strrchr(path, '/');
    char *parent = is_inside       ? tree_text(path, len)
                   : slash == NULL ? tree_text(".", 1)
                                   : tree_text(path, (size_t)(slash - path) + 1);
    const char *name = is_inside ? "." : slash == NULL ? path : slash + 1;
    int dir = len == 0 ? -1 : open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct stat status;
    bool is_there = dir >= 0 && fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
    bool is_open = is_there ? add(pack, dir, name, tree_text(top, strlen(top)), failure)
                            : tree_fail_errno(failure, "cannot read %s", path);
    if (dir >= 0) {
        close(dir);
    }
    free(parent);
    free(top);
    if (!is_open) {
        tree_pack_free(pack);
        return NULL;
    }
    return pack;
}
