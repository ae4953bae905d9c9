/* SPDX-License-Identifier: MIT */
/* Listing and removing directories by descriptor, never through a link. */
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define TREE_DEPTH_MAX 512

/* Names in an open directory; takes fd over. */
static bool list_fd(int fd, const char *shown, struct strings *names, struct error *err)
{
    DIR *stream = fdopendir(fd);
    if (stream == NULL) {
        error_set_errno(err, errno, "cannot list %s", shown);
        close(fd);
        return false;
    }
    errno = 0;
    for (struct dirent *entry; (entry = readdir(stream)) != NULL; errno = 0) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            strings_add(names, entry->d_name);
        }
    }
    int failure = errno;
    closedir(stream);
    if (failure != 0) {
        return error_set_errno(err, failure, "cannot list %s", shown);
    }
    strings_sort(names);
    return true;
}

bool file_list(int dir, const char *path, struct strings *names, struct error *err)
{
    int fd = file_open_dir(dir, path, err);
    return fd >= 0 && list_fd(fd, path, names, err);
}

static bool remove_below(int dir, const char *path, dev_t device, int depth, struct error *err);

static bool remove_children(int fd, const char *path, dev_t device, int depth, struct error *err)
{
    int listing = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    auto_done(strings) struct strings names = {0};
    if (listing < 0 || !list_fd(listing, path, &names, err)) {
        return error_set_errno(err, errno, "cannot list %s", path);
    }
    for (size_t i = 0; i < names.count; i++) {
        if (!remove_below(fd, names.items[i], device, depth + 1, err)) {
            return false;
        }
    }
    return true;
}

static bool remove_below(int dir, const char *path, dev_t device, int depth, struct error *err)
{
    struct stat status;
    if (fstatat(dir, path, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT || error_set_errno(err, errno, "cannot examine %s", path);
    }
    if (!S_ISDIR(status.st_mode)) {
        if (unlinkat(dir, path, 0) != 0 && errno != ENOENT) {
            return error_set_errno(err, errno, "cannot remove %s", path);
        }
        return true;
    }
    if (status.st_dev != device) {
        return error_set(err, ERROR_IO, "%s is a mount point: unmount it first", path);
    }
    if (depth > TREE_DEPTH_MAX) {
        return error_set(err, ERROR_LIMIT, "%s is nested too deep to remove", path);
    }
    auto_close int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == EACCES) {
        /* Mode 000 must not keep a dead tree alive; fchmodat cannot be told not to follow, but
         * the parent is ours and the name was a directory a moment ago. */
        if (fchmodat(dir, path, 0700, 0) == 0) {
            fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        }
    }
    if (fd < 0) {
        return error_set_errno(err, errno, "cannot open the directory %s", path);
    }
    if ((status.st_mode & 0700) != 0700 && fchmod(fd, 0700) != 0) {
        return error_set_errno(err, errno, "cannot open the directory %s for removal", path);
    }
    if (!remove_children(fd, path, device, depth, err)) {
        return false;
    }
    if (unlinkat(dir, path, AT_REMOVEDIR) != 0 && errno != ENOENT) {
        return error_set_errno(err, errno, "cannot remove the directory %s", path);
    }
    return true;
}

bool file_remove_tree(int dir, const char *path, struct error *err)
{
    struct stat status;
    if (fstatat(dir, path, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT || error_set_errno(err, errno, "cannot examine %s", path);
    }
    return remove_below(dir, path, status.st_dev, 0, err);
}
