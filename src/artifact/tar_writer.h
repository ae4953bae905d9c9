/* SPDX-License-Identifier: MIT */
#pragma once

/* Writes a tar that says nothing but names and contents: ustar headers, a pax header only where a
 * name or a size does not fit one, owner 0, time 0, fixed modes. The same members in the same order
 * are the same bytes on every machine. Its readers are tar_header and archive in their stricter
 * profile. Workers; any thread, one owner at a time. Source: POSIX.1-2017, pax. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

/* Takes the next bytes; false with *err set stops everything. */
typedef bool tar_sink(void *context, const void *bytes, size_t len, struct error *err);

/* Set sink and context, the rest zero. */
struct tar_writer {
    tar_sink *sink;
    void *context;
    uint64_t total_bytes;    /* written so far */
    uint64_t member_bytes;   /* of the current file, still to come */
    uint64_t member_padding; /* behind it */
};

bool tar_write_directory(struct tar_writer *writer, const char *path, struct error *err);
bool tar_write_symlink(
    struct tar_writer *writer, const char *path, const char *target, struct error *err);
/* The header of a file; exactly size_bytes of tar_write_data have to follow. */
bool tar_write_file(
    struct tar_writer *writer, const char *path, uint64_t size_bytes, struct error *err);
bool tar_write_data(struct tar_writer *writer, const void *bytes, size_t len, struct error *err);
/* The end mark. */
bool tar_write_end(struct tar_writer *writer, struct error *err);
