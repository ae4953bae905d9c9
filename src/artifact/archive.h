/* SPDX-License-Identifier: MIT */
#pragma once

/* Reads the members of a tar or ar (.deb) stream, one format per reader, never a filter: what comes
 * in is already decompressed. The only user of libarchive, as a reader; nothing is ever written by
 * it. Any result but its OK refuses the archive. A tar is walked by tar_header over the same bytes,
 * and the two must agree on every member's name, type, size and link; behind the end mark only
 * zeros may come. Workers; any thread, one owner at a time. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct error;
struct limits;
struct tar_member;

enum archive_format { ARCHIVE_TAR_BUNDLE, ARCHIVE_TAR_FOREIGN, ARCHIVE_AR };

/* Fills buffer with up to len of the next bytes: their number, 0 at the end, -1 with *err set. */
typedef ssize_t archive_source(void *context, void *buffer, size_t len, struct error *err);

struct archive_reader;

/* context must outlive the reader. */
struct archive_reader *archive_reader_new(enum archive_format format, archive_source *source,
    void *context, const struct limits *limits, struct error *err);
void archive_reader_free(struct archive_reader *reader);
void archive_reader_auto_free(struct archive_reader **reader);
#define auto_archive_reader __attribute__((cleanup(archive_reader_auto_free)))

/* Goes to the next member, passing over what is left of this one. 1 and a member (borrowed until
 * the next call), 0 when the archive is over and was whole, -1 on failure. */
int archive_reader_next(
    struct archive_reader *reader, const struct tar_member **member, struct error *err);
/* Next bytes of this member's data without a copy, borrowed until the next call: their number, 0
 * at the data's end, -1 on failure. */
ssize_t archive_reader_block(struct archive_reader *reader, const void **bytes, struct error *err);
/* Bytes taken from the source so far. */
uint64_t archive_reader_bytes(const struct archive_reader *reader);
