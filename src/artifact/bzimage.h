/* SPDX-License-Identifier: MIT */
#pragma once

/* The uncompressed kernel inside a bzImage, for VMMs that take nothing else. Where it lies is read
 * from the setup header, never searched for. Sources: linux Documentation/arch/x86/boot.rst, "The
 * Real-Mode Kernel Header" (payload_offset, payload_length); System V ABI, "ELF Header". */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cancel;
struct error;
struct limits;
struct progress;

/* As many first bytes as bzimage_parse looks at. */
#define BZIMAGE_HEAD_LEN 0x260

struct bzimage {
    uint64_t payload_offset; /* in the file */
    uint64_t payload_bytes;  /* the last four are the size of what comes out */
};

/* Pure function over a file's first bytes. ERROR_FORMAT when it is no bzImage or its payload does
 * not lie in a file of file_bytes; ERROR_UNSUPPORTED when its boot protocol is older than 2.08. */
bool bzimage_parse(const uint8_t *head, size_t len, uint64_t file_bytes, struct bzimage *header,
    struct error *err);
/* Pure function over the first bytes: a 64-bit little-endian executable for x86-64 whose program
 * headers lie in a file of file_bytes. ERROR_FORMAT. */
bool bzimage_check_elf(const uint8_t *head, size_t len, uint64_t file_bytes, struct error *err);

/* Writes the kernel inside to out, a new file at its beginning, zeros left as holes; gzip, xz, zstd
 * and LZ4's legacy frames. It is an ELF of exactly the size that the payload says, at most
 * expanded_bytes. `shown` names fd in errors. ERROR_FORMAT, ERROR_LIMIT, ERROR_UNSUPPORTED. */
bool bzimage_extract(int fd, const char *shown, int out, const struct limits *limits,
    const struct progress *progress, const struct cancel *cancel, struct error *err);
