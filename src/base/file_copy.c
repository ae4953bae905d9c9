/* SPDX-License-Identifier: MIT */
/* Copying the data of one file, holes kept. */
#include "base/cancel.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/progress.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define COPY_CHUNK ((size_t)1 << 20)
#define HOLE_BLOCK ((size_t)4096)

bool file_write_sparse(int fd, const void *bytes, size_t len, uint64_t offset, struct error *err)
{
    const char *at = bytes;
    while (len > 0) {
        /* Data up to the first aligned block of zeros, then as many such blocks as there are. */
        size_t data = 0;
        size_t zeros = 0;
        while (data < len) {
            size_t block = HOLE_BLOCK - (size_t)((offset + data) % HOLE_BLOCK);
            block = block < len - data ? block : len - data;
            if (memory_is_zero(at + data, block)) {
                zeros = block;
                break;
            }
            data += block;
        }
        if (data > 0 && !file_write_all_at(fd, at, data, offset, err)) {
            return false;
        }
        at += data + zeros;
        offset += data + zeros;
        len -= data + zeros;
    }
    return true;
}

bool file_copy_shares(int from, int to_dir)
{
    static const long kinds[] = {BTRFS_SUPER_MAGIC, XFS_SUPER_MAGIC, 0xca451a4e /* bcachefs */};
    struct stat source, target;
    struct statfs system;
    if (fstat(from, &source) != 0 || fstat(to_dir, &target) != 0 ||
        source.st_dev != target.st_dev || fstatfs(to_dir, &system) != 0) {
        return false;
    }
    for (size_t i = 0; i < array_length(kinds); i++) {
        if ((long)system.f_type == kinds[i]) {
            return true;
        }
    }
    return false;
}

static bool became_shorter(const char *shown, struct error *err)
{
    return error_set(err, ERROR_IO, "%s became shorter while it was copied", shown);
}

/* Copies [start, end) by reading and writing. */
static bool copy_range_plainly(int from, int to, uint64_t start, uint64_t end, const char *shown,
    char *chunk, const struct cancel *cancel, struct error *err)
{
    while (start < end) {
        if (cancel_check(cancel, err)) {
            return false;
        }
        size_t want = end - start < COPY_CHUNK ? (size_t)(end - start) : COPY_CHUNK;
        ssize_t got = pread(from, chunk, want, (off_t)start);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return error_set_errno(err, errno, "cannot read %s", shown);
        }
        if (got == 0) {
            return became_shorter(shown, err);
        }
        if (!file_write_sparse(to, chunk, (size_t)got, start, err)) {
            return error_wrap(err, "copying %s", shown);
        }
        start += (uint64_t)got;
    }
    return true;
}

static bool is_unsupported(int errnum)
{
    return errnum == EXDEV || errnum == ENOSYS || errnum == EINVAL || errnum == EOPNOTSUPP ||
           errnum == EPERM || errnum == EBADF;
}

/* Copies [start, end) in the kernel as far as it will; *reached is where it stopped. */
static bool copy_range_in_kernel(int from, int to, uint64_t start, uint64_t end, const char *shown,
    const struct cancel *cancel, uint64_t *reached, struct error *err)
{
    while (start < end) {
        if (cancel_check(cancel, err)) {
            return false;
        }
        off_t in = (off_t)start;
        off_t out = (off_t)start;
        size_t want = end - start < 16 * COPY_CHUNK ? (size_t)(end - start) : 16 * COPY_CHUNK;
        ssize_t copied = copy_file_range(from, &in, to, &out, want, 0);
        if (copied < 0 && errno == EINTR) {
            continue;
        }
        if (copied < 0 && !is_unsupported(errno)) {
            return error_set_errno(err, errno, "cannot copy %s", shown);
        }
        if (copied <= 0) {
            break;
        }
        start += (uint64_t)copied;
    }
    *reached = start;
    return true;
}

bool file_copy_data(int from, int to, const char *shown, const struct progress *progress,
    const struct cancel *cancel, struct error *err)
{
    struct stat status;
    if (fstat(from, &status) != 0) {
        return error_set_errno(err, errno, "cannot examine %s", shown);
    }
    if (ioctl(to, FICLONE, from) == 0) {
        return true;
    }
    uint64_t size = (uint64_t)status.st_size;
    auto_free char *chunk = memory_alloc(COPY_CHUNK);
    uint64_t at = 0;
    while (at < size) {
        off_t data = lseek(from, (off_t)at, SEEK_DATA);
        if (data < 0 && errno == ENXIO) {
            break; /* nothing but a hole up to the end */
        }
        /* A file system that knows no holes calls everything data. */
        uint64_t start = data < 0 ? at : (uint64_t)data;
        off_t hole = data < 0 ? -1 : lseek(from, (off_t)start, SEEK_HOLE);
        uint64_t end = hole < 0 ? size : (uint64_t)hole;
        uint64_t reached = start;
        if (!copy_range_in_kernel(from, to, start, end, shown, cancel, &reached, err) ||
            !copy_range_plainly(from, to, reached, end, shown, chunk, cancel, err)) {
            return false;
        }
        at = end;
        progress_report(progress, PROGRESS_EXTRACT, PROGRESS_BYTES, at, size);
    }
    /* Beyond its new end all that was promised looks like a hole. */
    struct stat now;
    if (fstat(from, &now) == 0 && now.st_size < status.st_size) {
        return became_shorter(shown, err);
    }
    struct stat made;
    bool is_sized = fstat(to, &made) == 0 && made.st_size == status.st_size;
    if (!is_sized && ftruncate(to, status.st_size) != 0) {
        return error_set_errno(err, errno, "cannot set the size of the copy of %s", shown);
    }
    return true;
}
