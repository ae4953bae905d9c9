/* SPDX-License-Identifier: MIT */
#include "artifact/decompress.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lzma.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "artifact/decompress_codec.h"
#include "base/memory.h"

/* What the xz decoder needs beside its dictionary. */
#define XZ_OVERHEAD ((uint64_t)1 << 20)
/* An index has some bytes a block; one for more than that is not worth a look. */
#define XZ_INDEX_MAX ((uint64_t)1 << 20)
#define XZ_INDEX_MEMORY ((uint64_t)64 << 20)
/* The longest header of a zstd frame (RFC 8878, 3.1.1.1). */
#define HEAD_LEN 18

static void *zstd_begin(void *state, unsigned window_log)
{
    if (state != NULL) {
        return state; /* a finished frame leaves it ready for the next */
    }
    ZSTD_DStream *stream = ZSTD_createDStream();
    if (stream == NULL ||
        ZSTD_isError(ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, (int)window_log))) {
        abort();
    }
    return stream;
}

static enum codec_step zstd_step(void *state, struct codec_io *io, const char **why)
{
    ZSTD_inBuffer in = {.src = io->in, .size = io->in_len};
    ZSTD_outBuffer out = {.dst = io->out, .size = io->out_room};
    size_t result = ZSTD_decompressStream(state, &out, &in);
    io->taken = in.pos;
    io->made = out.pos;
    if (!ZSTD_isError(result)) {
        return result == 0 ? CODEC_FRAME_END : CODEC_ON;
    }
    *why = ZSTD_getErrorName(result);
    return ZSTD_getErrorCode(result) == ZSTD_error_frameParameter_windowTooLarge ? CODEC_WINDOW
                                                                                 : CODEC_BROKEN;
}

static void zstd_end(void *state)
{
    ZSTD_freeDStream(state);
}

const struct codec codec_zstd = {
    .format = DECOMPRESS_ZSTD,
    .name = "zstd",
    .magic = {0x28, 0xb5, 0x2f, 0xfd},
    .magic_len = 4,
    .begin = zstd_begin,
    .step = zstd_step,
    .end = zstd_end,
};

static void *gzip_begin(void *state, unsigned window_log)
{
    (void)window_log;
    z_stream *gzip = state;
    int result = Z_OK;
    if (gzip == NULL) {
        gzip = memory_zero(1, sizeof *gzip);
        result = inflateInit2(gzip, MAX_WBITS + 16); /* 16: with a gzip header, and only so */
    } else {
        result = inflateReset(gzip);
    }
    if (result != Z_OK) {
        abort();
    }
    return gzip;
}

static uInt fit_uint(size_t len)
{
    return len < UINT32_MAX / 2 ? (uInt)len : UINT32_MAX / 2;
}

static enum codec_step gzip_step(void *state, struct codec_io *io, const char **why)
{
    z_stream *gzip = state;
    const uInt in_len = fit_uint(io->in_len);
    const uInt out_room = fit_uint(io->out_room);
    gzip->next_in = (z_const Bytef *)io->in;
    gzip->avail_in = in_len;
    gzip->next_out = io->out;
    gzip->avail_out = out_room;
    int result = inflate(gzip, Z_NO_FLUSH);
    io->taken = in_len - gzip->avail_in;
    io->made = out_room - gzip->avail_out;
    if (result == Z_STREAM_END) {
        return CODEC_FRAME_END;
    }
    if (result == Z_OK || result == Z_BUF_ERROR) {
        return CODEC_ON;
    }
    *why = gzip->msg != NULL ? gzip->msg : "it needs a dictionary";
    return CODEC_BROKEN;
}

static void gzip_end(void *state)
{
    if (state != NULL) {
        inflateEnd(state);
        free(state);
    }
}

const struct codec codec_gzip = {
    .format = DECOMPRESS_GZIP,
    .name = "gzip",
    .magic = {0x1f, 0x8b},
    .magic_len = 2,
    .begin = gzip_begin,
    .step = gzip_step,
    .end = gzip_end,
};

static void *xz_begin(void *state, unsigned window_log)
{
    lzma_stream *xz = state != NULL ? state : memory_zero(1, sizeof *xz);
    uint64_t memory = ((uint64_t)1 << window_log) + XZ_OVERHEAD;
    if (lzma_stream_decoder(xz, memory, LZMA_TELL_UNSUPPORTED_CHECK) != LZMA_OK) {
        abort();
    }
    return xz;
}

static enum codec_step xz_step(void *state, struct codec_io *io, const char **why)
{
    lzma_stream *xz = state;
    xz->next_in = io->in;
    xz->avail_in = io->in_len;
    xz->next_out = io->out;
    xz->avail_out = io->out_room;
    lzma_ret result = lzma_code(xz, LZMA_RUN);
    io->taken = io->in_len - xz->avail_in;
    io->made = io->out_room - xz->avail_out;
    if (result == LZMA_OK || result == LZMA_BUF_ERROR) {
        return CODEC_ON;
    }
    if (result == LZMA_STREAM_END) {
        return CODEC_FRAME_END;
    }
    if (result == LZMA_MEMLIMIT_ERROR) {
        return CODEC_WINDOW;
    }
    if (result == LZMA_MEM_ERROR) {
        abort();
    }
    *why = result == LZMA_UNSUPPORTED_CHECK || result == LZMA_OPTIONS_ERROR
               ? "it uses what this liblzma does not know"
               : "wrong data or checksum";
    return CODEC_BROKEN;
}

static void xz_end(void *state)
{
    if (state != NULL) {
        lzma_end(state);
        free(state);
    }
}

const struct codec codec_xz = {
    .format = DECOMPRESS_XZ,
    .name = "xz",
    .magic = {0xfd, '7', 'z', 'X', 'Z', 0},
    .magic_len = 6,
    .begin = xz_begin,
    .step = xz_step,
    .end = xz_end,
};

static void *none_begin(void *state, unsigned window_log)
{
    (void)window_log;
    return state;
}

static enum codec_step none_step(void *state, struct codec_io *io, const char **why)
{
    (void)state;
    (void)why;
    io->taken = io->made = io->in_len < io->out_room ? io->in_len : io->out_room;
    memcpy(io->out, io->in, io->made);
    return io->is_in_last && io->taken == io->in_len ? CODEC_FRAME_END : CODEC_ON;
}

static void none_end(void *state)
{
    (void)state;
}

const struct codec codec_none = {
    .format = DECOMPRESS_NONE,
    .name = "uncompressed",
    .begin = none_begin,
    .step = none_step,
    .end = none_end,
};

/* ---- what a stream says of itself ---- */

static uint64_t zstd_declared(const uint8_t *head, size_t len)
{
    unsigned long long bytes = ZSTD_getFrameContentSize(head, len);
    return bytes == ZSTD_CONTENTSIZE_UNKNOWN || bytes == ZSTD_CONTENTSIZE_ERROR ? 0 : bytes;
}

/* Of the last stream, which in a file of one is all: its footer says where the index begins (the .xz
 * file format, 2.1.2). */
static uint64_t xz_declared(int fd, uint64_t offset, uint64_t len)
{
    uint8_t footer[LZMA_STREAM_HEADER_SIZE];
    lzma_stream_flags flags;
    uint64_t end = offset + len - sizeof footer;
    if (len < 2 * sizeof footer ||
        pread(fd, footer, sizeof footer, (off_t)end) != (ssize_t)sizeof footer ||
        lzma_stream_footer_decode(&flags, footer) != LZMA_OK ||
        flags.backward_size > XZ_INDEX_MAX || flags.backward_size > len - 2 * sizeof footer) {
        return 0;
    }
    uint64_t memory = XZ_INDEX_MEMORY;
    size_t at = 0;
    size_t index_len = (size_t)flags.backward_size;
    lzma_index *index = NULL;
    auto_free uint8_t *bytes = memory_alloc(index_len);
    if (pread(fd, bytes, index_len, (off_t)(end - index_len)) != (ssize_t)index_len ||
        lzma_index_buffer_decode(&index, &memory, NULL, bytes, &at, index_len) != LZMA_OK) {
        return 0;
    }
    uint64_t declared = lzma_index_uncompressed_size(index);
    lzma_index_end(index, NULL);
    return declared;
}

uint64_t decompress_declared(int fd, uint64_t offset, uint64_t len)
{
    uint8_t head[HEAD_LEN];
    struct stat status;
    if (fstat(fd, &status) != 0 || offset > (uint64_t)status.st_size) {
        return 0;
    }
    uint64_t left = (uint64_t)status.st_size - offset;
    len = len < left ? len : left;
    ssize_t got = pread(fd, head, sizeof head < len ? sizeof head : (size_t)len, (off_t)offset);
    if (got >= (ssize_t)codec_zstd.magic_len &&
        memcmp(head, codec_zstd.magic, codec_zstd.magic_len) == 0) {
        return zstd_declared(head, (size_t)got);
    }
    return got >= (ssize_t)codec_xz.magic_len &&
                   memcmp(head, codec_xz.magic, codec_xz.magic_len) == 0
               ? xz_declared(fd, offset, len)
               : 0;
}
