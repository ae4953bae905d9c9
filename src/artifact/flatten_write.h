/* SPDX-License-Identifier: MIT */
#pragma once

/* Writing a disk whose size is only known once it is full: tried once, and once more with what it
 * takes. Private to those that fill a disk: flatten.c, flatten_directory.c, work_seed.c. */

#include <stdbool.h>
#include <stdint.h>

struct digest;
struct error;
struct ext4_writer;
struct flatten_report;
struct tree;

struct flatten_disk {
    int fd;
    uint64_t size_bytes; /* 0: at least start_bytes, rounded up to FLATTEN_SIZE_STEP */
    uint64_t start_bytes;
    const char *label; /* NULL: none */
    uint8_t uuid[16];
};

/* Puts names and data in, in an order that never changes. Called once or twice, each time with an
 * empty tree and zeroed counters in the report. */
typedef bool flatten_fill(void *context, struct tree *tree, struct ext4_writer *writer,
    struct flatten_report *report, struct error *err);

/* A disk is told apart by what it was made from (RFC 9562, version 8). */
void flatten_make_uuid(const struct digest *source, uint8_t uuid[16]);

bool flatten_write(const struct flatten_disk *disk, flatten_fill *fill, void *context,
    struct flatten_report *report, struct error *err);
