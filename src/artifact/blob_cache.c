/* SPDX-License-Identifier: MIT */
#include "artifact/blob_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artifact/hash.h"
#include "artifact/oci_image.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#define LOCK_FILE ".lock"

int blob_cache_open(int cache_dir, const struct digest *digest, struct error *err)
{
    char name[DIGEST_HEX_LEN + 1];
    int fd = file_open_read(cache_dir, digest_format(digest, name), err);
    if (fd < 0) {
        error_wrap(err, "blob cache");
    }
    return fd;
}

bool blob_cache_remove(int cache_dir, const struct digest *digest, struct error *err)
{
    char name[DIGEST_HEX_LEN + 1];
    if (unlinkat(cache_dir, digest_format(digest, name), 0) != 0 && errno != ENOENT) {
        return error_set_errno(err, errno, "cannot remove blob %s from the cache", name);
    }
    return true;
}

bool blob_cache_has(int cache_dir, const struct oci_descriptor *blob)
{
    char name[DIGEST_HEX_LEN + 1];
    struct stat status;
    return fstatat(cache_dir, digest_format(&blob->digest, name), &status, AT_SYMLINK_NOFOLLOW) ==
               0 &&
           S_ISREG(status.st_mode) && (uint64_t)status.st_size == blob->size_bytes;
}

bool blob_cache_read(
    int cache_dir, const struct oci_descriptor *blob, struct text *bytes, struct error *err)
{
    char name[DIGEST_HEX_LEN + 1];
    digest_format(&blob->digest, name);
    text_clear(bytes);
    if (!blob_cache_has(cache_dir, blob)) {
        return error_set(err, ERROR_NOT_FOUND, "blob %s is not in the cache", name);
    }
    struct digest found;
    if (!file_read_all(cache_dir, name, blob->size_bytes, bytes, err)) {
        return false;
    }
    hash_bytes(text_cstr(bytes), bytes->len, &found);
    if (digest_equal(&found, &blob->digest)) {
        return true;
    }
    text_clear(bytes);
    return blob_cache_remove(cache_dir, &blob->digest, err) &&
           error_set(err, ERROR_NOT_FOUND, "blob %s in the cache was damaged and is removed", name);
}

/* Whether the name still is that of the file we hold the lock of. As long as it is, nobody else
 * touches the name; once it is not, it belongs to somebody else's download. */
static bool is_ours(int dir, const char *name, int fd)
{
    struct stat named, held;
    return fstat(fd, &held) == 0 && fstatat(dir, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           named.st_dev == held.st_dev && named.st_ino == held.st_ino;
}

bool blob_cache_take_part(int cache_dir, const struct digest *digest, int parts_dir,
    const char *part_name, int fd, struct error *err)
{
    char name[DIGEST_HEX_LEN + 1];
    digest_format(digest, name);
    if (!is_ours(parts_dir, part_name, fd)) {
        /* The one we waited for has moved it in. */
        return file_exists(cache_dir, name) ||
               error_set(err, ERROR_NOT_FOUND,
                   "blob %s was fetched, and then removed by somebody else", name);
    }
    if (!file_sync(fd, part_name, err)) {
        return false;
    }
    if (renameat(parts_dir, part_name, cache_dir, name) != 0) {
        return error_set_errno(err, errno, "cannot move blob %s into the cache", name);
    }
    return file_sync_dir(cache_dir, ".", err);
}

bool blob_cache_put(
    int cache_dir, const struct digest *digest, const void *bytes, size_t len, struct error *err)
{
    char name[DIGEST_HEX_LEN + 1];
    return file_replace(cache_dir, digest_format(digest, name), bytes, len, 0600, err) ||
           error_wrap(err, "blob cache");
}

static int open_lock(int cache_dir, struct error *err)
{
    int fd =
        openat(cache_dir, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
    if (fd < 0) {
        error_set_errno(err, errno, "cannot open the lock of the blob cache");
    }
    return fd;
}

int blob_cache_hold(int cache_dir, struct error *err)
{
    auto_close int fd = open_lock(cache_dir, err);
    while (fd >= 0 && flock(fd, LOCK_SH) != 0) {
        if (errno != EINTR) {
            error_set_errno(err, errno, "cannot lock the blob cache");
            return -1;
        }
    }
    return take_fd(&fd);
}

static bool lock_for_pruning(int cache_dir, int *fd, struct error *err)
{
    *fd = open_lock(cache_dir, err);
    if (*fd < 0) {
        return false;
    }
    if (flock(*fd, LOCK_EX | LOCK_NB) == 0) {
        return true;
    }
    return errno == EWOULDBLOCK
               ? error_set(err, ERROR_BUSY,
                     "the blob cache is in use by a pull: wait for it, or cancel it, then prune")
               : error_set_errno(err, errno, "cannot lock the blob cache");
}

bool blob_cache_prune(
    int cache_dir, bool is_dry_run, struct blob_cache_tally *tally, struct error *err)
{
    auto_close int lock = -1;
    auto_done(strings) struct strings names = {0};
    if ((!is_dry_run && !lock_for_pruning(cache_dir, &lock, err)) ||
        !file_list(cache_dir, ".", &names, err)) {
        return false;
    }
    struct blob_cache_tally sum = {0};
    for (size_t i = 0; i < names.count; i++) {
        struct digest digest;
        struct stat status;
        if (!digest_parse(names.items[i], &digest) ||
            fstatat(cache_dir, names.items[i], &status, AT_SYMLINK_NOFOLLOW) != 0) {
            continue;
        }
        if (!is_dry_run && !blob_cache_remove(cache_dir, &digest, err)) {
            return false;
        }
        sum.blobs++;
        sum.bytes += (uint64_t)status.st_blocks * 512;
    }
    *tally = sum;
    return true;
}
