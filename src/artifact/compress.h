/* SPDX-License-Identifier: MIT */
#pragma once

/* Packs a stream with zstd (RFC 8878): bytes are pushed in, packed ones are pushed on to a sink.
 * One frame with its checksum; the same bytes in give the same bytes out, whatever the sizes of
 * the pieces. No other format is ever written. Workers; any thread, one owner at a time. */

#include <stdbool.h>
#include <stddef.h>

struct error;

/* Takes the next packed bytes; false with *err set stops everything. */
typedef bool compress_sink(void *context, const void *bytes, size_t len, struct error *err);

/* Small and quick enough for gigabytes; its window is far below what decompress accepts. */
#define COMPRESS_LEVEL 9

struct compress;

/* context must outlive it. */
struct compress *compress_new(compress_sink *sink, void *context) __attribute__((returns_nonnull));
/* What was not finished is a broken stream. NULL is accepted. */
void compress_free(struct compress *compress);

bool compress_write(struct compress *compress, const void *bytes, size_t len, struct error *err);
/* Ends the frame; nothing may be written behind it. */
bool compress_finish(struct compress *compress, struct error *err);
