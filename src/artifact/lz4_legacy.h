/* SPDX-License-Identifier: MIT */
#pragma once

/* Decodes one block of LZ4's block format (lz4_Block_format.md of the LZ4 project). The frames
 * around it, as in Linux kernels, are codec_lz4: the magic number, then blocks, each behind its
 * compressed size (32 bits, little-endian) and at most LZ4_LEGACY_BLOCK_MAX bytes when decoded, to
 * the end of the input. Pure function over bytes from outside; any thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LZ4_LEGACY_BLOCK_MAX ((size_t)8 << 20)

/* False when the block is broken or does not fit into out_capacity bytes. */
bool lz4_legacy_decode(
    const uint8_t *in, size_t in_len, uint8_t *out, size_t out_capacity, size_t *out_len);
