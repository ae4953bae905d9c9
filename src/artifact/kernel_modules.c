/* SPDX-License-Identifier: MIT */
/* The modules half of kernel_dir: recognising and copying a modules directory. */
#include "artifact/kernel_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artifact/kernel_find.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/sync_ahead.h"

#define DEPTH_MAX 64
#define LEFT_OUT_NAMED 16
#define SYNC_AHEAD_FILES 100

/* One copy under way. */
struct copy {
    const struct progress *progress;
    const struct cancel *cancel;
    struct strings *notes; /* NULL: not wanted */
    struct sync_ahead *ahead;
    uint64_t files;
    uint64_t left_out;
    uint64_t done_bytes, total_bytes;
};

static bool is_contents(int fd)
{
    return file_exists(fd, "kernel") || file_exists(fd, "modules.order") ||
           file_exists(fd, "modules.dep");
}

bool kernel_is_modules_dir(int dir, const char *path)
{
    auto_close int fd = kernel_open_inside(dir, path, O_PATH | O_DIRECTORY);
    return fd >= 0 && is_contents(fd);
}

/* Below a directory nobody vouches for; a path of the caller's own is opened as it is. */
static int open_source(int dir, const char *path)
{
    return dir == AT_FDCWD ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                           : kernel_open_inside(dir, path, O_RDONLY | O_DIRECTORY);
}

int kernel_modules_open(int dir, const char *path, char **version, struct error *err)
{
    auto_close int fd = open_source(dir, path);
    if (fd < 0) {
        error_set_errno(err, errno, "cannot open the modules directory %s", path);
        return -1;
    }
    auto_free char *best = NULL;
    if (!is_contents(fd)) {
        auto_done(strings) struct strings names = {0};
        if (!file_list(fd, ".", &names, err)) {
            return -1;
        }
        for (size_t i = 0; i < names.count; i++) {
            if ((!best || text_compare_version(names.items[i], best) > 0) &&
                kernel_is_modules_dir(fd, names.items[i])) {
                free(best);
                best = memory_strdup(names.items[i]);
            }
        }
        if (!best) {
            error_set(err, ERROR_NOT_FOUND, "%s holds no modules", path);
            return -1;
        }
        int below = kernel_open_inside(fd, best, O_RDONLY | O_DIRECTORY);
        if (below < 0) {
            error_set_errno(err, errno, "cannot open the modules directory %s/%s", path, best);
            return -1;
        }
        close(take_fd(&fd));
        fd = below;
    }
    if (version) {
        *version = take_ptr(best);
    }
    return take_fd(&fd);
}

static void note_left_out(struct copy *copy, const char *path, const char *why, const char *target)
{
    if (copy->notes && copy->left_out < LEFT_OUT_NAMED) {
        strings_printf(copy->notes, "left out modules/%s: %s%s", path, why, target);
    }
    copy->left_out++;
}

/* A target that goes up first, if at all, and by no more than `depth` directories. */
static bool is_inside(const char *target, int depth)
{
    int level = depth;
    bool has_name = false;
    if (target[0] == '/' || target[0] == '\0') {
        return false;
    }
    for (const char *at = target; *at;) {
        size_t len = strcspn(at, "/");
        bool is_up = len == 2 && memcmp(at, "..", 2) == 0;
        if (is_up && (has_name || --level < 0)) {
            return false;
        }
        has_name |= !is_up && len > 0 && !(len == 1 && at[0] == '.');
        at += len + (at[len] == '/');
    }
    return true;
}

static bool copy_link(struct copy *copy, int from, int to, const char *name, const char *path,
    int depth, struct error *err)
{
    char target[PATH_MAX];
    ssize_t len = readlinkat(from, name, target, sizeof target - 1);
    if (len < 0) {
        return error_set_errno(err, errno, "cannot read the link modules/%s", path);
    }
    target[len] = '\0';
    if (!is_inside(target, depth)) {
        note_left_out(copy, path, "a link to ", target);
        return true;
    }
    return symlinkat(target, to, name) == 0 ||
           error_set_errno(err, errno, "cannot create the link modules/%s", path);
}

static bool copy_file(
    struct copy *copy, int from, int to, const char *name, const char *path, struct error *err)
{
    struct stat status;
    auto_close int in = file_open_read(from, name, err);
    auto_close int out = in < 0 ? -1 : file_create(to, name, err);
    if (out < 0 || !file_copy_data(in, out, path, NULL, copy->cancel, err)) {
        return error_wrap(err, "copying modules/%s", path);
    }
    if (fstat(out, &status) == 0) {
        copy->done_bytes += (uint64_t)status.st_size;
        copy->files++;
        sync_ahead_add(
            copy->files > SYNC_AHEAD_FILES ? copy->ahead : NULL, (uint64_t)status.st_size);
    }
    progress_report(
        copy->progress, PROGRESS_EXTRACT, PROGRESS_BYTES, copy->done_bytes, copy->total_bytes);
    return true;
}

static bool copy_tree(
    struct copy *copy, int from, int to, const char *prefix, int depth, struct error *err);

static bool copy_entry(struct copy *copy, int from, int to, const char *name, const char *path,
    int depth, struct error *err)
{
    struct stat status;
    if (fstatat(from, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return error_set_errno(err, errno, "cannot examine modules/%s", path);
    }
    switch (status.st_mode & S_IFMT) {
    case S_IFREG:
        return copy_file(copy, from, to, name, path, err);
    case S_IFLNK:
        return copy_link(copy, from, to, name, path, depth, err);
    case S_IFDIR:
        break;
    default:
        note_left_out(copy, path, "neither file, directory nor link", "");
        return true;
    }
    if (depth >= DEPTH_MAX) {
        return error_set(err, ERROR_LIMIT, "modules/%s is nested too deeply", path);
    }
    if (mkdirat(to, name, 0700) != 0) {
        return error_set_errno(err, errno, "cannot create modules/%s", path);
    }
    auto_close int below = file_open_dir(from, name, err);
    auto_close int made = below < 0 ? -1 : file_open_dir(to, name, err);
    return made >= 0 && copy_tree(copy, below, made, path, depth + 1, err);
}

static bool copy_tree(
    struct copy *copy, int from, int to, const char *prefix, int depth, struct error *err)
{
    auto_done(strings) struct strings names = {0};
    if (!file_list(from, ".", &names, err)) {
        return false;
    }
    for (size_t i = 0; i < names.count; i++) {
        auto_free char *path =
            memory_printf("%s%s%s", prefix, prefix[0] ? "/" : "", names.items[i]);
        if (cancel_check(copy->cancel, err) ||
            !copy_entry(copy, from, to, names.items[i], path, depth, err)) {
            return false;
        }
    }
    return true;
}

/* Bytes that the copy will report; what cannot be looked at fails later and with a name. */
static uint64_t tree_bytes(int fd, int depth)
{
    auto_done(strings) struct strings names = {0};
    struct error ignored = {0};
    uint64_t sum = 0;
    if (depth > DEPTH_MAX || !file_list(fd, ".", &names, &ignored)) {
        return 0;
    }
    for (size_t i = 0; i < names.count; i++) {
        struct stat status;
        if (fstatat(fd, names.items[i], &status, AT_SYMLINK_NOFOLLOW) != 0) {
            continue;
        }
        if (S_ISREG(status.st_mode)) {
            sum += (uint64_t)status.st_size;
        } else if (S_ISDIR(status.st_mode)) {
            auto_close int below = file_open_dir(fd, names.items[i], &ignored);
            sum += below >= 0 ? tree_bytes(below, depth + 1) : 0;
        }
    }
    return sum;
}

uint64_t kernel_modules_bytes(int dir, const char *path)
{
    auto_close int fd = open_source(dir, path);
    return fd >= 0 ? tree_bytes(fd, 0) : 0;
}

/* Holds modules, or directories that do, or else at least something. */
static bool check_source(int fd, const char *path, struct strings *notes, struct error *err)
{
    struct error none = {0};
    auto_done(strings) struct strings names = {0};
    auto_close int contents = kernel_modules_open(fd, ".", NULL, &none);
    if (contents >= 0) {
        return true;
    }
    if (!file_list(fd, ".", &names, err)) {
        return false;
    }
    if (names.count == 0) {
        return error_set(err, ERROR_FORMAT, "the modules directory %s is empty", path);
    }
    if (notes) {
        strings_printf(notes, "%s holds neither kernel/, modules.order nor modules.dep", path);
    }
    return true;
}

bool kernel_modules_copy(int from_dir, const char *path, int staging_dir,
    const struct progress *progress, const struct cancel *cancel, struct strings *notes,
    struct error *err)
{
    auto_close int from = open_source(from_dir, path);
    if (from < 0) {
        return error_set_errno(err, errno, "cannot open the modules directory %s", path);
    }
    if (!check_source(from, path, notes, err)) {
        return false;
    }
    if (mkdirat(staging_dir, "modules", 0700) != 0) {
        return error_set_errno(err, errno, "cannot create modules");
    }
    auto_close int to = file_open_dir(staging_dir, "modules", err);
    auto_sync_ahead struct sync_ahead *ahead = sync_ahead_new(staging_dir);
    struct copy copy = {
        .progress = progress,
        .cancel = cancel,
        .notes = notes,
        .ahead = ahead,
        .total_bytes = progress ? tree_bytes(from, 0) : 0,
    };
    if (to < 0 || !copy_tree(&copy, from, to, "", 0, err)) {
        return false;
    }
    if (notes && copy.left_out > LEFT_OUT_NAMED) {
        strings_printf(notes, "left out %llu more links and special files",
            (unsigned long long)(copy.left_out - LEFT_OUT_NAMED));
    }
    return true;
}
