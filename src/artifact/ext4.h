/* SPDX-License-Identifier: MIT */
#pragma once

/* ext4 file systems through libext2fs; ext4*.c are the only files that see its headers. Blocking;
 * workers only; any number at once on different descriptors. */

#include <stdbool.h>
#include <stdint.h>

struct error;

#define EXT4_LABEL_MAX 16
/* Every time stamp that nothing else decides: 2020-01-01. */
#define EXT4_FIXED_TIME 1577836800
#define EXT4_SIZE_MIN (UINT64_C(16) << 20)
#define EXT4_SIZE_MAX (UINT64_C(16) << 40)

/* Makes an empty file system of size_bytes (rounded down to 4 KiB, at least EXT4_SIZE_MIN, at most
 * EXT4_SIZE_MAX) in the regular file fd, which must be open for reading and writing; what the file
 * held is dropped. Nothing is left for the kernel to initialise later, so the guest never fills the
 * file on its own; what was not written reads as zeros and takes no space. The same bytes for the
 * same size, label and uuid, whatever the clock says. The caller syncs and publishes. */
bool ext4_make_empty(
    int fd, uint64_t size_bytes, const char *label, const uint8_t uuid[16], struct error *err);
