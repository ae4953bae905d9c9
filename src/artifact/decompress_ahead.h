/* SPDX-License-Identifier: MIT */
#pragma once

/* A compressed file read in a thread of its own, some blocks ahead of whoever looks at what comes
 * out: unpacking and looking take turns on one processor and not on two. Small files are read as
 * they are asked for. One owner; the thread is gone when it is freed. */

#include "artifact/decompress.h"

struct decompress_ahead;

/* Takes the decompress over; packed_bytes is about how much it will read. */
struct decompress_ahead *decompress_ahead_new(struct decompress *decompress, uint64_t packed_bytes);
void decompress_ahead_free(struct decompress_ahead *ahead);

/* The next bytes, good until the next call: their number, 0 at the end of a stream that was whole, -1
 * on failure (and from then on). Errors as decompress_read. */
ssize_t decompress_ahead_next(
    struct decompress_ahead *ahead, const uint8_t **bytes, struct error *err);
/* Up to what was handed out. */
uint64_t decompress_ahead_in(const struct decompress_ahead *ahead);
uint64_t decompress_ahead_out(const struct decompress_ahead *ahead);
