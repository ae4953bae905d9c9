/* SPDX-License-Identifier: MIT */
#include "engine/kernel/ops_kernel_elf.h"

#include "artifact/bzimage.h"
#include "artifact/hash.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "engine/engine.h"
#include "engine/ops.h"
#include "store/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ELF_MAGIC "\177ELF"
#define ELF_HEAD_LEN 64

/* The first bytes and the size of a file; -1 on failure, else how many bytes there are. */
static ssize_t read_head(
    int fd, const char *shown, uint8_t head[ELF_HEAD_LEN], uint64_t *file_bytes, struct error *err)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        error_set_errno(err, errno, "cannot examine %s", shown);
        return -1;
    }
    *file_bytes = (uint64_t)status.st_size;
    return file_read_at(fd, shown, head, ELF_HEAD_LEN, 0, err);
}

/* What is in the cache is whole, unless the disk lost it: then it is made again. */
static bool is_cached(int cache, const char *name)
{
    struct error ignored = {0};
    uint8_t head[ELF_HEAD_LEN];
    uint64_t file_bytes;
    auto_close int fd = file_open_read(cache, name, &ignored);
    ssize_t len = fd >= 0 ? read_head(fd, name, head, &file_bytes, &ignored) : -1;
    return len >= 0 && bzimage_check_elf(head, (size_t)len, file_bytes, &ignored);
}

static bool extract_cached(struct ops *ops, int kernel, const char *kernel_path, int cache,
    const char *name, struct error *err)
{
    auto_free char *temporary = file_temporary_name(name, err);
    auto_close int fd = temporary != NULL ? file_create(cache, temporary, err) : -1;
    if (fd < 0) {
        return false;
    }
    if (!bzimage_extract(kernel, kernel_path, fd, ops->limits, ops->progress, ops->cancel, err) ||
        !file_sync(fd, name, err)) {
        unlinkat(cache, temporary, 0);
        return false;
    }
    if (renameat(cache, temporary, cache, name) != 0) {
        int saved = errno;
        unlinkat(cache, temporary, 0);
        return error_set_errno(err, saved, "cannot keep the uncompressed kernel in the cache");
    }
    return true;
}

bool ops_kernel_elf(struct ops *ops, const char *kernel_path, char **path, struct error *err)
{
    *path = NULL;
    uint8_t head[ELF_HEAD_LEN];
    uint64_t file_bytes;
    struct digest digest;
    char hex[DIGEST_HEX_LEN + 1];
    auto_close int kernel = open(kernel_path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (kernel < 0) {
        return error_set_errno(err, errno, "cannot open the kernel %s", kernel_path);
    }
    ssize_t len = read_head(kernel, kernel_path, head, &file_bytes, err);
    if (len < 0) {
        return false;
    }
    if (len >= 4 && memcmp(head, ELF_MAGIC, 4) == 0) {
        if (!bzimage_check_elf(head, (size_t)len, file_bytes, err)) {
            return error_wrap(err, "the kernel %s", kernel_path);
        }
        *path = memory_strdup(kernel_path);
        return true;
    }
    if (!hash_fd(kernel, kernel_path, ops->progress, ops->cancel, &digest, err)) {
        return false;
    }
    const char *name = digest_format(&digest, hex);
    int cache = store_cache_dir(ops->store, STORE_CACHE_ELF);
    if (!is_cached(cache, name) && !extract_cached(ops, kernel, kernel_path, cache, name, err)) {
        return false;
    }
    *path = store_cache_file_path(ops->store, STORE_CACHE_ELF, name);
    return true;
}
