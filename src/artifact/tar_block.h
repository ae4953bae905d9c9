/* SPDX-License-Identifier: MIT */
#pragma once

/* One header block of a tar archive, decoded and checked by itself. Private to tar_header. Source:
 * POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format". */

#include "artifact/tar_header.h"

struct error;

enum tar_format { TAR_FORMAT_POSIX, TAR_FORMAT_GNU };

/* How a number field reads. */
enum tar_number {
    TAR_NUMBER_OK,
    TAR_NUMBER_BLANK,
    TAR_NUMBER_RANGE, /* a number, but none we can hold */
    TAR_NUMBER_BAD,
};

struct tar_block {
    enum tar_format format;
    char typeflag;
    char path[TAR_BLOCK]; /* prefix and name joined */
    char link[TAR_BLOCK];
    uint64_t size_bytes;
    bool is_size_saturated; /* as large as the field can say: a pax size may say more */
    uint32_t mode;
    uint64_t uid, gid;
    int64_t mtime;
    uint32_t device_major, device_minor;
};

bool tar_block_is_zero(const uint8_t bytes[TAR_BLOCK]);
/* Octal digits with blanks before and NULs or blanks behind, or GNU's base-256. */
enum tar_number tar_block_number(const uint8_t *field, size_t len, int64_t *number);
bool tar_member_type(
    enum tar_profile profile, char typeflag, enum tar_type *type, struct error *err);
bool tar_block_decode(const uint8_t bytes[TAR_BLOCK], enum tar_profile profile,
    struct tar_block *block, struct error *err);
