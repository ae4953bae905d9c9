/* SPDX-License-Identifier: MIT */
#include "artifact/cpio.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

#define HEADER_LEN 110u
#define NAME_MAX_LEN 255u

struct entry {
    const char *name;
    mode_t mode;
    const void *bytes;
    size_t len;
    unsigned major_number, minor_number;
};

static bool put(struct cpio *cpio, const void *bytes, size_t len, struct error *err)
{
    if (!file_write_all(cpio->fd, bytes, len, err)) {
        return error_wrap(err, "cannot write the initrd");
    }
    cpio->size_bytes += len;
    return true;
}

static bool pad(struct cpio *cpio, struct error *err)
{
    static const char zeros[4];
    size_t beyond = cpio->size_bytes % 4;
    return beyond == 0 || put(cpio, zeros, 4 - beyond, err);
}

static bool put_entry(struct cpio *cpio, const struct entry *entry, struct error *err)
{
    size_t name_len = strlen(entry->name) + 1;
    if (name_len > NAME_MAX_LEN || entry->len > UINT32_MAX) {
        return error_set(err, ERROR_LIMIT, "%s is too large for an initrd", entry->name);
    }
    /* Magic; ino mode uid gid nlink mtime size dev(2) rdev(2) namesize check. */
    char head[HEADER_LEN + NAME_MAX_LEN + 1];
    snprintf(head, sizeof head, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s",
        ++cpio->entries, (unsigned)entry->mode, 0u, 0u, S_ISDIR(entry->mode) ? 2u : 1u, 0u,
        (unsigned)entry->len, 0u, 0u, entry->major_number, entry->minor_number, (unsigned)name_len,
        0u, entry->name);
    return put(cpio, head, HEADER_LEN + name_len, err) && pad(cpio, err) &&
           put(cpio, entry->bytes, entry->len, err) && pad(cpio, err);
}

bool cpio_put_file(struct cpio *cpio, const char *name, mode_t mode, const void *bytes, size_t len,
    struct error *err)
{
    struct entry entry = {.name = name, .mode = S_IFREG | mode, .bytes = bytes, .len = len};
    return put_entry(cpio, &entry, err);
}

bool cpio_put_dir(struct cpio *cpio, const char *name, mode_t mode, struct error *err)
{
    struct entry entry = {.name = name, .mode = S_IFDIR | mode};
    return put_entry(cpio, &entry, err);
}

bool cpio_put_char_device(struct cpio *cpio, const char *name, mode_t mode, unsigned major_number,
    unsigned minor_number, struct error *err)
{
    struct entry entry = {
        .name = name,
        .mode = S_IFCHR | mode,
        .major_number = major_number,
        .minor_number = minor_number,
    };
    return put_entry(cpio, &entry, err);
}

bool cpio_finish(struct cpio *cpio, struct error *err)
{
    struct entry trailer = {.name = "TRAILER!!!"};
    cpio->entries = UINT32_MAX; /* its inode number is zero */
    return put_entry(cpio, &trailer, err);
}
