/* SPDX-License-Identifier: MIT */
/* gzip by Intel's ISA-L, about twice as fast as zlib. The only user of isa-l's headers; built where
 * the library is, else codec_gzip does the same. Source: RFC 1952, isa-l/igzip_lib.h. */
#include "artifact/decompress_codec.h"

#include <stdlib.h>

#include <isa-l/igzip_lib.h>

#include "base/memory.h"

/* Where a member's flags are, and those that mean nothing yet: RFC 1952 (2.3.1.2) wants them refused,
 * and the library does not look. */
#define FLAGS_AT 3
#define FLAGS_RESERVED 0xe0

struct isal {
    struct inflate_state inflate;
    uint64_t taken; /* of the member */
};

static void *isal_begin(void *state, unsigned window_log)
{
    (void)window_log;
    struct isal *isal = state;
    if (isal == NULL) {
        isal = memory_zero(1, sizeof *isal);
        isal_inflate_init(&isal->inflate);
    } else {
        isal_inflate_reset(&isal->inflate);
    }
    isal->inflate.crc_flag = ISAL_GZIP; /* with a gzip header and trailer, both looked at */
    isal->taken = 0;
    return isal;
}

static bool has_unknown_flags(const struct isal *isal, const struct codec_io *io)
{
    return isal->taken <= FLAGS_AT && io->in_len > FLAGS_AT - isal->taken &&
           (io->in[FLAGS_AT - isal->taken] & FLAGS_RESERVED) != 0;
}

static uint32_t fit_uint(size_t len)
{
    return len < UINT32_MAX / 2 ? (uint32_t)len : UINT32_MAX / 2;
}

static const char *why_broken(int result)
{
    switch (result) {
    case ISAL_INVALID_BLOCK:
        return "invalid block";
    case ISAL_INVALID_SYMBOL:
        return "invalid code";
    case ISAL_INVALID_LOOKBACK:
        return "invalid distance too far back";
    case ISAL_INVALID_WRAPPER:
        return "incorrect header";
    case ISAL_UNSUPPORTED_METHOD:
        return "unknown compression method";
    case ISAL_INCORRECT_CHECKSUM:
        return "incorrect data check";
    default:
        return "it needs a dictionary";
    }
}

static enum codec_step isal_step(void *state, struct codec_io *io, const char **why)
{
    struct isal *isal = state;
    struct inflate_state *inflate = &isal->inflate;
    const uint32_t in_len = fit_uint(io->in_len);
    const uint32_t out_room = fit_uint(io->out_room);
    inflate->next_in = (uint8_t *)io->in; /* only read */
    inflate->avail_in = in_len;
    inflate->next_out = io->out;
    inflate->avail_out = out_room;
    if (has_unknown_flags(isal, io)) {
        *why = "unknown header flags set";
        return CODEC_BROKEN;
    }
    int result = isal_inflate(inflate);
    io->taken = in_len - inflate->avail_in;
    io->made = out_room - inflate->avail_out;
    isal->taken += io->taken;
    if (result < ISAL_DECOMP_OK || result == ISAL_NEED_DICT) {
        *why = why_broken(result);
        return CODEC_BROKEN;
    }
    return inflate->block_state == ISAL_BLOCK_FINISH ? CODEC_FRAME_END : CODEC_ON;
}

static void isal_end(void *state)
{
    free(state);
}

const struct codec codec_gzip_isal = {
    .format = DECOMPRESS_GZIP,
    .name = "gzip",
    .magic = {0x1f, 0x8b},
    .magic_len = 2,
    .begin = isal_begin,
    .step = isal_step,
    .end = isal_end,
};
