/* SPDX-License-Identifier: MIT */
#include "artifact/compress.h"

#include <zstd.h>

#include "base/error.h"
#include "base/memory.h"

/* The library's own threads. Their number does not change the output, but whether there are any
 * does, so it is fixed. */
#define PACKERS 2

struct compress {
    ZSTD_CCtx *zstd;
    compress_sink *sink;
    void *context;
    void *room;
    size_t room_bytes;
};

struct compress *compress_new(compress_sink *sink, void *context)
{
    struct compress *compress = memory_zero(1, sizeof *compress);
    compress->zstd = ZSTD_createCCtx();
    if (compress->zstd == NULL ||
        ZSTD_isError(
            ZSTD_CCtx_setParameter(compress->zstd, ZSTD_c_compressionLevel, COMPRESS_LEVEL)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(compress->zstd, ZSTD_c_checksumFlag, 1))) {
        abort();
    }
    /* A library built without threads says no and works alone. */
    (void)ZSTD_CCtx_setParameter(compress->zstd, ZSTD_c_nbWorkers, PACKERS);
    compress->sink = sink;
    compress->context = context;
    compress->room_bytes = ZSTD_CStreamOutSize();
    compress->room = memory_alloc(compress->room_bytes);
    return compress;
}

void compress_free(struct compress *compress)
{
    if (compress == NULL) {
        return;
    }
    ZSTD_freeCCtx(compress->zstd);
    free(compress->room);
    free(compress);
}

/* Until all of it is taken and, with ZSTD_e_end, the frame is out. */
static bool push(struct compress *compress, const void *bytes, size_t len,
    ZSTD_EndDirective directive, struct error *err)
{
    ZSTD_inBuffer in = {.src = bytes, .size = len};
    size_t left;
    do {
        ZSTD_outBuffer out = {.dst = compress->room, .size = compress->room_bytes};
        left = ZSTD_compressStream2(compress->zstd, &out, &in, directive);
        if (ZSTD_isError(left)) {
            return error_set(err, ERROR_BUG, "zstd cannot pack: %s", ZSTD_getErrorName(left));
        }
        if (out.pos > 0 && !compress->sink(compress->context, compress->room, out.pos, err)) {
            return false;
        }
    } while (in.pos < in.size || (directive == ZSTD_e_end && left > 0));
    return true;
}

bool compress_write(struct compress *compress, const void *bytes, size_t len, struct error *err)
{
    return push(compress, bytes, len, ZSTD_e_continue, err);
}

bool compress_finish(struct compress *compress, struct error *err)
{
    return push(compress, NULL, 0, ZSTD_e_end, err);
}
