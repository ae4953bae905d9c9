/* SPDX-License-Identifier: MIT */
#pragma once

/* bzImages around a small ELF file, packed by the programs that kernels are packed by. Header only;
 * include cmocka's headers first. */

#include "support/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BZIMAGE_MAKER_BYTES 300000
#define BZIMAGE_MAKER_PAYLOAD_AT 0x123
#define BZIMAGE_MAKER_SETUP_BYTES ((3 + 1) * 512)

/* A kernel, partly zeros. */
static inline void bzimage_maker_elf(uint8_t kernel[BZIMAGE_MAKER_BYTES])
{
    for (size_t i = 64; i < BZIMAGE_MAKER_BYTES; i++) {
        kernel[i] = i > 100000 && i < 200000 ? 0 : (uint8_t)(i * i >> 5);
    }
    memcpy(kernel, "\177ELF\2\1\1", 7);
    kernel[16] = 2;
    kernel[18] = 62;
    kernel[32] = 64; /* program headers */
    kernel[54] = 56;
    kernel[56] = 1;
}

static inline void bzimage_maker_put(uint8_t *at, uint64_t number, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        at[i] = (uint8_t)(number >> 8 * i);
    }
}

/* Packs the kernel with that program and puts it where a bzImage has it; has_size adds the size that
 * the packer does not write itself. False when the program is not here. */
static inline bool bzimage_maker_image(const char *place, const uint8_t kernel[BZIMAGE_MAKER_BYTES],
    const char *packer, bool has_size, struct text *image)
{
    struct error err = {0};
    auto_free char *plain = memory_printf("%s/kernel", place);
    auto_free char *packed = memory_printf("%s/packed", place);
    auto_free char *line = memory_printf("%s <%s >%s", packer, plain, packed);
    FILE *file = fopen(plain, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(kernel, 1, BZIMAGE_MAKER_BYTES, file), BZIMAGE_MAKER_BYTES);
    assert_int_equal(fclose(file), 0);
    if (system(line) != 0) {
        return false;
    }
    auto_done(text) struct text payload = {0};
    assert_true(file_read_all(AT_FDCWD, packed, 1 << 20, &payload, &err));
    uint8_t size[4];
    bzimage_maker_put(size, BZIMAGE_MAKER_BYTES, sizeof size);
    if (has_size) {
        text_append_bytes(&payload, size, sizeof size);
    }
    uint8_t head[BZIMAGE_MAKER_SETUP_BYTES + BZIMAGE_MAKER_PAYLOAD_AT] = {0};
    head[0x1f1] = 3;
    bzimage_maker_put(head + 0x1fe, 0xaa55, 2);
    memcpy(head + 0x202, "HdrS", 4);
    bzimage_maker_put(head + 0x206, 0x20f, 2);
    bzimage_maker_put(head + 0x248, BZIMAGE_MAKER_PAYLOAD_AT, 4);
    bzimage_maker_put(head + 0x24c, payload.len, 4);
    text_clear(image);
    text_append_bytes(image, head, sizeof head);
    text_append_bytes(image, payload.data, payload.len);
    text_append(image, "what follows is not the kernel's");
    return true;
}
