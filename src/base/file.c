/* SPDX-License-Identifier: MIT */
#include "base/file.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#define READ_CHUNK ((size_t)64 << 10)
#define SPACE_MARGIN_SHARE 20

int file_open_dir(int dir, const char *path, struct error *err)
{
    int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        error_set_errno(err, errno, "cannot open the directory %s", path);
    }
    return fd;
}

int file_open_read(int dir, const char *path, struct error *err)
{
    auto_close int fd = openat(dir, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        if (errno == ELOOP) {
            error_set(err, ERROR_FORMAT, "%s is a symbolic link, not a regular file", path);
        } else {
            error_set_errno(err, errno, "cannot open %s", path);
        }
        return -1;
    }
    struct stat status;
    if (fstat(fd, &status) != 0) {
        error_set_errno(err, errno, "cannot examine %s", path);
        return -1;
    }
    if (!S_ISREG(status.st_mode)) {
        error_set(err, ERROR_FORMAT, "%s is not a regular file", path);
        return -1;
    }
    return take_fd(&fd);
}

int file_create(int dir, const char *path, struct error *err)
{
    int fd = openat(dir, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        error_set_errno(err, errno, "cannot create %s", path);
    }
    return fd;
}

/* Opens component by component; the fall-back where the kernel has no openat2. */
static int open_beneath_stepwise(int dir, const char *path, int flags, mode_t mode)
{
    struct stat top;
    if (fstat(dir, &top) != 0) {
        return -1;
    }
    auto_close int at = fcntl(dir, F_DUPFD_CLOEXEC, 0);
    while (at >= 0) {
        path += strspn(path, "/");
        size_t len = strcspn(path, "/");
        const char *rest = path + len + strspn(path + len, "/");
        auto_free char *component = memory_strndup(path, len);
        if (len == 0 || strcmp(component, "..") == 0) {
            errno = len == 0 ? ENOENT : EXDEV;
            return -1;
        }
        bool is_last = *rest == '\0';
        int step_flags = is_last ? flags : O_PATH | O_DIRECTORY;
        int next = openat(at, component, step_flags | O_NOFOLLOW | O_CLOEXEC, mode);
        if (next < 0) {
            return -1;
        }
        struct stat status;
        if (fstat(next, &status) != 0 || status.st_dev != top.st_dev) {
            close(next);
            errno = EXDEV;
            return -1;
        }
        close(at);
        at = next;
        if (is_last) {
            return take_fd(&at);
        }
        path = rest;
    }
    return -1;
}

int file_open_beneath(int dir, const char *path, int flags, mode_t mode)
{
    if (path[0] == '/') {
        errno = EXDEV;
        return -1;
    }
    struct open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC | O_NOFOLLOW),
        .mode = flags & (O_CREAT | O_TMPFILE) ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
    };
    for (int attempt = 0; attempt < 128; attempt++) {
        long fd = syscall(SYS_openat2, dir, path, &how, sizeof how);
        if (fd >= 0) {
            return (int)fd;
        }
        if (errno == ENOSYS || errno == EPERM) {
            return open_beneath_stepwise(dir, path, flags, mode);
        }
        /* EAGAIN: a rename elsewhere made the kernel unsure; it asks to be asked again. */
        if (errno != EAGAIN) {
            return -1;
        }
    }
    return -1;
}

bool file_make_dirs(int dir, const char *path, struct error *err)
{
    auto_free char *prefix = memory_strdup(path);
    for (char *slash = prefix; slash != NULL;) {
        slash = strchr(slash + 1, '/');
        if (slash != NULL) {
            *slash = '\0';
        }
        if (mkdirat(dir, prefix, 0700) != 0 && errno != EEXIST) {
            return error_set_errno(err, errno, "cannot make the directory %s", prefix);
        }
        if (slash != NULL) {
            *slash = '/';
        }
    }
    return true;
}

bool file_exists(int dir, const char *path)
{
    struct stat status;
    return fstatat(dir, path, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

bool file_is_absent(int dir, const char *path)
{
    struct stat status;
    return fstatat(dir, path, &status, AT_SYMLINK_NOFOLLOW) != 0 &&
           (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENAMETOOLONG);
}

bool file_write_all(int fd, const void *bytes, size_t len, struct error *err)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t wrote = write(fd, at, len);
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote < 0) {
            return error_set_errno(err, errno, "cannot write");
        }
        at += wrote;
        len -= (size_t)wrote;
    }
    return true;
}

bool file_write_all_at(int fd, const void *bytes, size_t len, uint64_t offset, struct error *err)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t wrote = pwrite(fd, at, len, (off_t)offset);
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote < 0) {
            return error_set_errno(err, errno, "cannot write");
        }
        at += wrote;
        offset += (uint64_t)wrote;
        len -= (size_t)wrote;
    }
    return true;
}

bool file_read_fd(int fd, const char *shown, size_t max_bytes, struct text *out, struct error *err)
{
    auto_free char *chunk = memory_alloc(READ_CHUNK);
    size_t total = 0;
    for (;;) {
        ssize_t got = read(fd, chunk, READ_CHUNK);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return error_set_errno(err, errno, "cannot read %s", shown);
        }
        if (got == 0) {
            return true;
        }
        total += (size_t)got;
        if (total > max_bytes || !text_append_bytes(out, chunk, (size_t)got)) {
            return error_set(
                err, ERROR_LIMIT, "%s is larger than the limit of %zu bytes", shown, max_bytes);
        }
    }
}

bool file_read_all(int dir, const char *path, size_t max_bytes, struct text *out, struct error *err)
{
    auto_close int fd = file_open_read(dir, path, err);
    return fd >= 0 && file_read_fd(fd, path, max_bytes, out, err);
}

ssize_t file_read_at(
    int fd, const char *shown, void *bytes, size_t len, uint64_t offset, struct error *err)
{
    size_t total = 0;
    while (total < len) {
        ssize_t got = pread(fd, (char *)bytes + total, len - total, (off_t)(offset + total));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            error_set_errno(err, errno, "cannot read %s", shown);
            return -1;
        }
        if (got == 0) {
            break;
        }
        total += (size_t)got;
    }
    return (ssize_t)total;
}

void file_start_sync(int fd)
{
    sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

bool file_sync(int fd, const char *shown, struct error *err)
{
    if (fsync(fd) != 0) {
        return error_set_errno(err, errno, "cannot make %s durable", shown);
    }
    return true;
}

bool file_sync_dir(int dir, const char *path, struct error *err)
{
    auto_close int fd = file_open_dir(dir, path, err);
    return fd >= 0 && file_sync(fd, path, err);
}

/* Everything up to the rename; the caller removes the temporary file when this fails. */
static bool write_and_rename(int dir, const char *temporary, const char *path, const void *bytes,
    size_t len, mode_t mode, bool is_durable, struct error *err)
{
    auto_close int fd = file_create(dir, temporary, err);
    if (fd < 0 || !file_write_all(fd, bytes, len, err)) {
        return error_wrap(err, "%s", path);
    }
    if (fchmod(fd, mode) != 0) {
        return error_set_errno(err, errno, "cannot set the mode of %s", path);
    }
    if (is_durable && !file_sync(fd, path, err)) {
        return false;
    }
    if (renameat(dir, temporary, dir, path) != 0) {
        return error_set_errno(err, errno, "cannot put %s in place", path);
    }
    return true;
}

char *file_temporary_name(const char *path, struct error *err)
{
    uint64_t random_bits = 0;
    if (getrandom(&random_bits, sizeof random_bits, 0) != (ssize_t)sizeof random_bits) {
        error_set_errno(err, errno, "no random numbers");
        return NULL;
    }
    return memory_printf("%s.tmp-%016" PRIx64, path, random_bits);
}

/* Up to the directory, which is not synced. */
static bool replace(int dir, const char *path, const void *bytes, size_t len, mode_t mode,
    bool is_durable, struct error *err)
{
    auto_free char *temporary = file_temporary_name(path, err);
    if (temporary == NULL) {
        return false;
    }
    if (!write_and_rename(dir, temporary, path, bytes, len, mode, is_durable, err)) {
        unlinkat(dir, temporary, 0);
        return false;
    }
    return true;
}

bool file_replace(
    int dir, const char *path, const void *bytes, size_t len, mode_t mode, struct error *err)
{
    if (!replace(dir, path, bytes, len, mode, true, err)) {
        return false;
    }
    const char *slash = strrchr(path, '/');
    auto_free char *parent =
        slash != NULL ? memory_strndup(path, (size_t)(slash - path)) : memory_strdup(".");
    return file_sync_dir(dir, parent[0] != '\0' ? parent : "/", err);
}

bool file_replace_soon(
    int dir, const char *path, const void *bytes, size_t len, mode_t mode, struct error *err)
{
    return replace(dir, path, bytes, len, mode, false, err);
}

bool file_free_space(int dir, const char *path, uint64_t *free_bytes, struct error *err)
{
    auto_close int fd = openat(dir, path, O_PATH | O_CLOEXEC);
    struct statvfs status;
    if (fd < 0 || fstatvfs(fd, &status) != 0) {
        return error_set_errno(err, errno, "cannot ask for the free space at %s", path);
    }
    *free_bytes = (uint64_t)status.f_bavail * status.f_frsize;
    return true;
}

/* Where the directory really is, as far as the kernel tells: a descriptor's path says nothing. */
static const char *real_name(int dir, const char *path, char place[PATH_MAX])
{
    auto_close int fd = openat(dir, path, O_PATH | O_CLOEXEC);
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = fd >= 0 ? readlink(link, place, PATH_MAX - 1) : -1;
    if (len <= 0) {
        return path;
    }
    place[len] = '\0';
    return place;
}

bool file_need_space(int dir, const char *path, uint64_t need_bytes, struct error *err)
{
    uint64_t free_bytes;
    uint64_t margin = need_bytes / SPACE_MARGIN_SHARE;
    uint64_t wanted = need_bytes > UINT64_MAX - margin ? UINT64_MAX : need_bytes + margin;
    if (!file_free_space(dir, path, &free_bytes, err)) {
        return false;
    }
    if (wanted > free_bytes) {
        char need[UNITS_MAX], have[UNITS_MAX], place[PATH_MAX];
        return error_set(err, ERROR_NO_SPACE, "%s are needed in %s and only %s are free",
            units_format_size(wanted, need), real_name(dir, path, place),
            units_format_size(free_bytes, have));
    }
    return true;
}
