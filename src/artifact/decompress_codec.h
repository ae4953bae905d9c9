/* SPDX-License-Identifier: MIT */
#pragma once

/* What a compression format has to offer to decompress_stream.c: step by step from one piece of
 * memory to another, one frame at a time. Codecs know no files and no limits but the window. */

#include "artifact/decompress.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CODEC_MAGIC_MAX 6

struct codec_io {
    const uint8_t *in;
    size_t in_len;
    bool is_in_last; /* nothing comes behind in[in_len - 1] */
    uint8_t *out;
    size_t out_room;
    size_t taken; /* of in, by the step */
    size_t made;  /* in out, by the step */
};

enum codec_step {
    CODEC_ON, /* more of this frame, or of its output, is to come */
    CODEC_FRAME_END,
    CODEC_BROKEN,
    CODEC_WINDOW, /* needs a larger window than allowed */
};

struct codec {
    enum decompress_format format;
    const char *name;
    uint8_t magic[CODEC_MAGIC_MAX];
    uint8_t magic_len;
    /* Gets ready for a frame: state is NULL before the first one. Returns the state. */
    void *(*begin)(void *state, unsigned window_log);
    /* On CODEC_BROKEN *why is a few words in English. */
    enum codec_step (*step)(void *state, struct codec_io *io, const char **why);
    /* Accepts NULL. */
    void (*end)(void *state);
};

extern const struct codec codec_zstd, codec_gzip, codec_xz, codec_lz4, codec_none;
/* The same as codec_gzip by ISA-L, where the program was built with it. */
extern const struct codec codec_gzip_isal;
