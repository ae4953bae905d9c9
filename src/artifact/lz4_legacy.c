/* SPDX-License-Identifier: MIT */
#include "artifact/lz4_legacy.h"

#include <string.h>

#include "artifact/decompress_codec.h"
#include "base/memory.h"

#define LEGACY_MAGIC 0x184c2102U
/* The largest that a block can be when nothing in it repeats. */
#define PACKED_MAX (LZ4_LEGACY_BLOCK_MAX + LZ4_LEGACY_BLOCK_MAX / 255 + 16)
#define MATCH_MIN 4
#define LENGTH_CONTINUES 15
#define BYTE_CONTINUES 255

/* What is left of the block. */
struct reader {
    const uint8_t *at;
    const uint8_t *end;
};

/* Adds the bytes that follow a length of four bits which are all ones. */
static bool extend_length(struct reader *reader, size_t *length)
{
    if (*length != LENGTH_CONTINUES) {
        return true;
    }
    uint8_t byte;
    do {
        if (reader->at == reader->end) {
            return false;
        }
        byte = *reader->at++;
        /* Cannot overflow: each step takes a byte of a block that is in memory. */
        *length += byte;
    } while (byte == BYTE_CONTINUES);
    return true;
}

/* Copies a match byte by byte where it overlaps what it makes. */
static void copy_match(uint8_t *to, size_t distance, size_t length)
{
    const uint8_t *from = to - distance;
    if (distance >= length) {
        memcpy(to, from, length);
        return;
    }
    for (size_t i = 0; i < length; i++) {
        to[i] = from[i];
    }
}

bool lz4_legacy_decode(
    const uint8_t *in, size_t in_len, uint8_t *out, size_t out_capacity, size_t *out_len)
{
    struct reader reader = {.at = in, .end = in + in_len};
    size_t made = 0;
    while (reader.at < reader.end) {
        uint8_t token = *reader.at++;
        size_t literals = token >> 4;
        if (!extend_length(&reader, &literals) || literals > (size_t)(reader.end - reader.at) ||
            literals > out_capacity - made) {
            return false;
        }
        memcpy(out + made, reader.at, literals);
        reader.at += literals;
        made += literals;
        if (reader.at == reader.end) {
            /* The last sequence is literals only. */
            *out_len = made;
            return true;
        }
        if (reader.end - reader.at < 2) {
            return false;
        }
        size_t distance = (size_t)reader.at[0] | (size_t)reader.at[1] << 8;
        reader.at += 2;
        size_t match = token & 15;
        if (!extend_length(&reader, &match) || distance == 0 || distance > made ||
            match > SIZE_MAX - MATCH_MIN || match + MATCH_MIN > out_capacity - made) {
            return false;
        }
        copy_match(out + made, distance, match + MATCH_MIN);
        made += match + MATCH_MIN;
    }
    return false;
}

/* What comes in is gathered up to `wanted` bytes: a size, then the block of that size. */
struct lz4_state {
    uint8_t *packed;   /* PACKED_MAX */
    uint8_t *unpacked; /* LZ4_LEGACY_BLOCK_MAX */
    size_t gathered, wanted;
    bool is_in_block;
    size_t at, end; /* of what is unpacked and not yet handed out */
};

static void *lz4_begin(void *state, unsigned window_log)
{
    (void)window_log;
    struct lz4_state *lz4 = state;
    if (lz4 == NULL) {
        lz4 = memory_zero(1, sizeof *lz4);
        lz4->packed = memory_alloc(PACKED_MAX);
        lz4->unpacked = memory_alloc(LZ4_LEGACY_BLOCK_MAX);
    }
    lz4->wanted = sizeof(uint32_t);
    return lz4;
}

/* A size was gathered, or another frame's magic number in its place: that changes nothing. */
static enum codec_step take_size(struct lz4_state *lz4, const char **why)
{
    uint32_t size = (uint32_t)lz4->packed[0] | (uint32_t)lz4->packed[1] << 8 |
                    (uint32_t)lz4->packed[2] << 16 | (uint32_t)lz4->packed[3] << 24;
    lz4->gathered = 0;
    if (size == LEGACY_MAGIC) {
        return CODEC_ON;
    }
    if (size == 0 || size > PACKED_MAX) {
        *why = "a block has an impossible size";
        return CODEC_BROKEN;
    }
    lz4->wanted = size;
    lz4->is_in_block = true;
    return CODEC_ON;
}

static enum codec_step take_block(struct lz4_state *lz4, const char **why)
{
    if (!lz4_legacy_decode(
            lz4->packed, lz4->gathered, lz4->unpacked, LZ4_LEGACY_BLOCK_MAX, &lz4->end)) {
        *why = "a block cannot be decoded";
        return CODEC_BROKEN;
    }
    lz4->at = 0;
    lz4->gathered = 0;
    lz4->wanted = sizeof(uint32_t);
    lz4->is_in_block = false;
    return CODEC_ON;
}

static enum codec_step lz4_step(void *state, struct codec_io *io, const char **why)
{
    struct lz4_state *lz4 = state;
    if (lz4->at < lz4->end) {
        size_t ready = lz4->end - lz4->at;
        io->made = ready < io->out_room ? ready : io->out_room;
        memcpy(io->out, lz4->unpacked + lz4->at, io->made);
        lz4->at += io->made;
        return CODEC_ON;
    }
    if (io->in_len == 0 && io->is_in_last && lz4->gathered == 0 && !lz4->is_in_block) {
        return CODEC_FRAME_END;
    }
    size_t missing = lz4->wanted - lz4->gathered;
    io->taken = io->in_len < missing ? io->in_len : missing;
    memcpy(lz4->packed + lz4->gathered, io->in, io->taken);
    lz4->gathered += io->taken;
    if (lz4->gathered < lz4->wanted) {
        return CODEC_ON;
    }
    return lz4->is_in_block ? take_block(lz4, why) : take_size(lz4, why);
}

static void lz4_end(void *state)
{
    struct lz4_state *lz4 = state;
    if (lz4 != NULL) {
        free(lz4->packed);
        free(lz4->unpacked);
        free(lz4);
    }
}

const struct codec codec_lz4 = {
    .format = DECOMPRESS_LZ4,
    .name = "lz4",
    .magic = {0x02, 0x21, 0x4c, 0x18},
    .magic_len = 4,
    .begin = lz4_begin,
    .step = lz4_step,
    .end = lz4_end,
};
