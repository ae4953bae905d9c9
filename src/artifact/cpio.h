/* SPDX-License-Identifier: MIT */
#pragma once

/* Writes cpio archives in the "newc" format, as the Linux kernel unpacks them at boot (linux
 * Documentation/driver-api/early-userspace/buffer-format.rst). Owner root, time stamp zero, inode
 * numbers counted: the same bytes for the same calls. Workers; one owner at a time. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct error;

struct cpio {
    int fd; /* the caller's; written at its position, which must be a multiple of 4 */
    uint32_t entries;
    uint64_t size_bytes; /* written so far */
};

/* name is relative, without a leading "./"; its parents must have been written before. A file
 * holds at most 4 GiB less one byte. */
bool cpio_put_file(struct cpio *cpio, const char *name, mode_t mode, const void *bytes, size_t len,
    struct error *err);
bool cpio_put_dir(struct cpio *cpio, const char *name, mode_t mode, struct error *err);
bool cpio_put_char_device(struct cpio *cpio, const char *name, mode_t mode, unsigned major_number,
    unsigned minor_number, struct error *err);
/* The trailer. Nothing may follow but another archive. */
bool cpio_finish(struct cpio *cpio, struct error *err);
