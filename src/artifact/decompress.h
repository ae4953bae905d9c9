/* SPDX-License-Identifier: MIT */
#pragma once

/* Turns a compressed stream into its bytes, pulled by the reader: zstd (RFC 8878), gzip (RFC 1952),
 * xz (the .xz file format), LZ4's legacy frames (as in Linux kernels) or nothing at all. No helper
 * program is ever started. The only user of zstd.h, zlib.h and lzma.h.
 *
 * The format is told by the first bytes and must be one of those the caller accepts. Several frames
 * or members in a row are one stream; their number, the size of the output and the memory of a
 * window are bounded. A stream that ends early, a wrong checksum, a dictionary and any byte behind
 * the last frame refuse it. Workers; any thread, one owner at a time. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct cancel;
struct error;
struct limits;

/* Bits of what a caller accepts. */
enum decompress_format {
    DECOMPRESS_NONE = 1, /* whatever is none of the others, passed on as it is */
    DECOMPRESS_GZIP = 2,
    DECOMPRESS_ZSTD = 4,
    DECOMPRESS_XZ = 8,   /* only for .deb, bzImage and .ko.xz */
    DECOMPRESS_LZ4 = 16, /* legacy frames, only for bzImage */
};

/* Frames, members or xz streams in one file; empty and skippable ones count. */
#define DECOMPRESS_FRAMES_MAX 10000

/* Fills buffer with up to len of the next bytes: their number, 0 at the end, -1 with *err set. */
typedef ssize_t decompress_source(void *context, void *buffer, size_t len, struct error *err);

struct decompress;

/* Reads the first bytes to learn the format. accepted: bits of enum decompress_format. limits gives
 * expanded_bytes and zstd_window_log (which bounds xz dictionaries as well) and must outlive it, as
 * must context. `shown` names the stream in errors. ERROR_FORMAT for a format that is not accepted;
 * NULL on failure. */
struct decompress *decompress_new(decompress_source *source, void *context, unsigned accepted,
    const struct limits *limits, const char *shown, struct error *err);
/* The same over len bytes of a file from offset on, by pread (UINT64_MAX: to its end). fd stays the
 * caller's and must outlive it. cancel is looked at once per read. */
struct decompress *decompress_new_fd(int fd, uint64_t offset, uint64_t len, unsigned accepted,
    const struct limits *limits, const char *shown, const struct cancel *cancel, struct error *err);
void decompress_free(struct decompress *decompress);
void decompress_auto_free(struct decompress **decompress);
#define auto_decompress __attribute__((cleanup(decompress_auto_free)))

/* How many bytes it will be, where the stream says so itself without being read: zstd in its first
 * frame, xz in its index. 0: it does not. Nobody vouches for it; len as above. */
uint64_t decompress_declared(int fd, uint64_t offset, uint64_t len);
enum decompress_format decompress_format(const struct decompress *decompress);
/* "zstd" and so on. */
const char *decompress_format_name(enum decompress_format format);

/* Fills buffer with the next bytes: fewer than len only at the end, 0 when the stream is over and
 * was whole, -1 on failure (and from then on). ERROR_FORMAT for broken content, ERROR_LIMIT beyond
 * a limit, else what the source said. */
ssize_t decompress_read(struct decompress *decompress, void *buffer, size_t len, struct error *err);
/* Bytes of output so far, and bytes of input taken (for progress). */
uint64_t decompress_total_out(const struct decompress *decompress);
uint64_t decompress_total_in(const struct decompress *decompress);
