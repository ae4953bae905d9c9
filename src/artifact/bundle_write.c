/* SPDX-License-Identifier: MIT */
#include "artifact/bundle_write.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artifact/compress.h"
#include "artifact/hash.h"
#include "artifact/kernel_find.h"
#include "artifact/tar_writer.h"
#include "artifact/unpack.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/progress.h"

#define CHUNK ((size_t)1 << 20)
#define LEFT_OUT_NAMED 16

/* One bundle under way: tar → zstd → hash and file. */
struct writing {
    int out;
    struct hash *hash;
    struct compress *compress;
    struct tar_writer tar;
    const struct limits *limits;
    const struct progress *progress;
    const struct cancel *cancel;
    struct bundle_written *written;
    void *chunk;
    uint64_t done_bytes, total_bytes, left_out;
};

void bundle_written_done(struct bundle_written *written)
{
    strings_done(&written->notes);
    *written = (struct bundle_written){0};
}

static void writing_done(struct writing *work)
{
    hash_free(work->hash);
    compress_free(work->compress);
    free(work->chunk);
}

static bool take_packed(void *context, const void *bytes, size_t len, struct error *err)
{
    struct writing *work = context;
    hash_update(work->hash, bytes, len);
    work->written->size_bytes += len;
    return file_write_all(work->out, bytes, len, err);
}

static bool take_tar(void *context, const void *bytes, size_t len, struct error *err)
{
    struct writing *work = context;
    return compress_write(work->compress, bytes, len, err);
}

/* What the reader would refuse is not written in the first place. */
static bool check_name(struct writing *work, const char *path, bool is_directory, struct error *err)
{
    auto_free char *clean = unpack_clean_name(path, is_directory, work->limits, err);
    work->written->entries++;
    return clean != NULL;
}

/* The next bytes of the file into chunk, at most len; where it has a hole, zeros without asking the
 * disk. 0 when it is shorter than it was, -1 on failure. */
static ssize_t read_some(int fd, void *chunk, size_t len, uint64_t at, uint64_t size_bytes,
    const char *path, struct error *err)
{
    off_t data = lseek(fd, (off_t)at, SEEK_DATA);
    if (data < 0 && errno == ENXIO && lseek(fd, 0, SEEK_END) >= (off_t)size_bytes) {
        data = (off_t)size_bytes; /* nothing but a hole from here on */
    }
    if (data > (off_t)at) {
        size_t hole = (uint64_t)data - at < len ? (size_t)((uint64_t)data - at) : len;
        memset(chunk, 0, hole);
        return (ssize_t)hole;
    }
    ssize_t got;
    do {
        got = pread(fd, chunk, len, (off_t)at);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        error_set_errno(err, errno, "cannot read %s", path);
    } else if (got == 0) {
        error_set(err, ERROR_IO, "%s became shorter while it was read", path);
    }
    return got;
}

static bool put_data(
    struct writing *work, int fd, const char *path, uint64_t size_bytes, struct error *err)
{
    for (uint64_t at = 0; at < size_bytes;) {
        size_t want = size_bytes - at < CHUNK ? (size_t)(size_bytes - at) : CHUNK;
        ssize_t got = read_some(fd, work->chunk, want, at, size_bytes, path, err);
        if (got <= 0 || cancel_check(work->cancel, err) ||
            !tar_write_data(&work->tar, work->chunk, (size_t)got, err)) {
            return false;
        }
        at += (uint64_t)got;
        work->done_bytes += (uint64_t)got;
        progress_report(
            work->progress, PROGRESS_PUBLISH, PROGRESS_BYTES, work->done_bytes, work->total_bytes);
    }
    return true;
}

static bool put_file(
    struct writing *work, int dir, const char *name, const char *path, struct error *err)
{
    struct stat status;
    auto_close int fd = file_open_read(dir, name, err);
    if (fd < 0) {
        return false;
    }
    if (fstat(fd, &status) != 0) {
        return error_set_errno(err, errno, "cannot examine %s", path);
    }
    work->written->disk_bytes += (uint64_t)status.st_blocks * 512;
    return check_name(work, path, false, err) &&
           tar_write_file(&work->tar, path, (uint64_t)status.st_size, err) &&
           put_data(work, fd, path, (uint64_t)status.st_size, err);
}

static void note_left_out(struct writing *work, const char *path, const char *why)
{
    if (work->left_out++ < LEFT_OUT_NAMED) {
        strings_printf(&work->written->notes, "left out %s: %s", path, why);
    }
}

static bool put_link(
    struct writing *work, int dir, const char *name, const char *path, struct error *err)
{
    char target[PATH_MAX];
    ssize_t len = readlinkat(dir, name, target, sizeof target - 1);
    if (len < 0) {
        return error_set_errno(err, errno, "cannot read the link %s", path);
    }
    target[len] = '\0';
    if (!unpack_link_stays(path, target)) {
        note_left_out(work, path, "a link that leaves the bundle");
        return true;
    }
    return check_name(work, path, false, err) && tar_write_symlink(&work->tar, path, target, err);
}

static bool put_tree(struct writing *work, int dir, const char *prefix, struct error *err);

static bool put_entry(
    struct writing *work, int dir, const char *name, const char *path, struct error *err)
{
    struct stat status;
    if (fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return error_set_errno(err, errno, "cannot examine %s", path);
    }
    switch (status.st_mode & S_IFMT) {
    case S_IFREG:
        return put_file(work, dir, name, path, err);
    case S_IFLNK:
        return put_link(work, dir, name, path, err);
    case S_IFDIR:
        break;
    default:
        note_left_out(work, path, "neither file, directory nor link");
        return true;
    }
    auto_close int below = file_open_dir(dir, name, err);
    return below >= 0 && check_name(work, path, true, err) &&
           tar_write_directory(&work->tar, path, err) && put_tree(work, below, path, err);
}

/* The depth ends at limits.bundle_depth, in check_name. */
static bool put_tree(struct writing *work, int dir, const char *prefix, struct error *err)
{
    auto_done(strings) struct strings names = {0};
    if (!file_list(dir, ".", &names, err)) {
        return false;
    }
    for (size_t i = 0; i < names.count; i++) {
        auto_free char *path = memory_printf("%s/%s", prefix, names.items[i]);
        if (cancel_check(work->cancel, err) || !put_entry(work, dir, names.items[i], path, err)) {
            return false;
        }
    }
    return true;
}

static bool put_kernel(struct writing *work, int dir, struct error *err)
{
    if (!put_file(work, dir, "vmlinux", "vmlinux", err) ||
        (file_exists(dir, "initrd.img") && !put_file(work, dir, "initrd.img", "initrd.img", err))) {
        return false;
    }
    return !file_exists(dir, "modules") || put_entry(work, dir, "modules", "modules", err);
}

static bool put_image(struct writing *work, int dir, const char *manifest, struct error *err)
{
    size_t len = strlen(manifest);
    work->written->entries++;
    return tar_write_file(&work->tar, "manifest.json", len, err) &&
           tar_write_data(&work->tar, manifest, len, err) &&
           put_file(work, dir, "rootfs.ext4", "rootfs.ext4", err);
}

static uint64_t file_bytes(int dir, const char *name)
{
    struct stat status;
    return fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode)
               ? (uint64_t)status.st_size
               : 0;
}

static uint64_t count_bytes(int dir, enum bundle_kind kind)
{
    return kind == BUNDLE_IMAGE ? file_bytes(dir, "rootfs.ext4")
                                : file_bytes(dir, "vmlinux") + file_bytes(dir, "initrd.img") +
                                      kernel_modules_bytes(dir, "modules");
}

bool bundle_write(int out, int dir, enum bundle_kind kind, const char *manifest,
    const struct limits *limits, const struct progress *progress, const struct cancel *cancel,
    struct bundle_written *written, struct error *err)
{
    auto_done(bundle_written) struct bundle_written made = {0};
    auto_done(writing) struct writing work = {
        .out = out,
        .hash = hash_new(),
        .limits = limits,
        .progress = progress,
        .cancel = cancel,
        .written = &made,
        .chunk = memory_alloc(CHUNK),
        .total_bytes = progress != NULL ? count_bytes(dir, kind) : 0,
    };
    work.compress = compress_new(take_packed, &work);
    work.tar = (struct tar_writer){.sink = take_tar, .context = &work};
    bool is_fine =
        kind == BUNDLE_KERNEL ? put_kernel(&work, dir, err) : put_image(&work, dir, manifest, err);
    if (!is_fine || !tar_write_end(&work.tar, err) || !compress_finish(work.compress, err)) {
        return false;
    }
    if (work.left_out > LEFT_OUT_NAMED) {
        strings_printf(&made.notes, "left out %llu more links and special files",
            (unsigned long long)(work.left_out - LEFT_OUT_NAMED));
    }
    made.expanded_bytes = work.tar.total_bytes;
    hash_finish(work.hash, &made.digest);
    *written = made;
    made = (struct bundle_written){0};
    return true;
}
