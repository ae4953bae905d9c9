/* SPDX-License-Identifier: MIT */
#include "store/sync_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#define ONE_BY_ONE_MOST 100
#define DEPTH_MOST 256

/* What one walk does; the first one only counts. */
struct walk {
    bool is_counting;
    unsigned files;
    const char *shown;
};

static bool walk_dir(struct walk *walk, int dir, unsigned depth, struct error *err);

/* One name in a directory, and what is below it. */
static bool visit(struct walk *walk, int dir, const char *name, unsigned depth, struct error *err)
{
    struct stat info;
    if (fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
        return error_set_errno(err, errno, "cannot look at %s in %s", name, walk->shown);
    }
    if (!S_ISDIR(info.st_mode) && !S_ISREG(info.st_mode)) {
        return true; /* a link is in its directory, which is synced */
    }
    if (S_ISREG(info.st_mode)) {
        walk->files++;
        if (walk->is_counting) {
            return true;
        }
    }
    auto_close int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return error_set_errno(err, errno, "cannot open %s in %s", name, walk->shown);
    }
    if (S_ISDIR(info.st_mode) && !walk_dir(walk, fd, depth + 1, err)) {
        return false;
    }
    return walk->is_counting || file_sync(fd, name, err);
}

static bool walk_dir(struct walk *walk, int dir, unsigned depth, struct error *err)
{
    if (depth > DEPTH_MOST) {
        return error_set(
            err, ERROR_LIMIT, "%s is nested deeper than %d directories", walk->shown, DEPTH_MOST);
    }
    auto_done(strings) struct strings names = {0};
    if (!file_list(dir, ".", &names, err)) {
        return false;
    }
    for (size_t i = 0; i < names.count; i++) {
        if (walk->is_counting && walk->files > ONE_BY_ONE_MOST) {
            return true;
        }
        if (!visit(walk, dir, names.items[i], depth, err)) {
            return false;
        }
    }
    return true;
}

bool sync_tree(int dir, const char *shown, struct error *err)
{
    struct walk count = {.is_counting = true, .shown = shown};
    if (!walk_dir(&count, dir, 0, err)) {
        return false;
    }
    if (count.files > ONE_BY_ONE_MOST) {
        if (syncfs(dir) != 0) {
            return error_set_errno(err, errno, "cannot write %s to disk", shown);
        }
        return file_sync(dir, shown, err);
    }
    struct walk sync = {.shown = shown};
    return walk_dir(&sync, dir, 0, err) && file_sync(dir, shown, err);
}
