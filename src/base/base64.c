/* SPDX-License-Identifier: MIT */
#include "base/base64.h"

#include "base/text.h"

#include <stdint.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int sextet(char c)
{
    const char *found = c != '\0' ? strchr(digits, c) : NULL;
    return found != NULL ? (int)(found - digits) : -1;
}

/* Four digits, the last `padding` of them '=', as 24 bits. */
static bool decode_group(const char *group, size_t padding, uint32_t *bits)
{
    *bits = 0;
    for (size_t i = 0; i < 4; i++) {
        int value = i < 4 - padding ? sextet(group[i]) : 0;
        if (value < 0) {
            return false;
        }
        *bits = *bits << 6 | (uint32_t)value;
    }
    return (*bits & ((1U << (8 * padding)) - 1)) == 0;
}

static size_t count_padding(const char *encoded, size_t len)
{
    return len == 0 || encoded[len - 1] != '=' ? 0 : encoded[len - 2] == '=' ? 2 : 1;
}

bool base64_decode(const char *encoded, size_t len, struct text *out)
{
    if (len % 4 != 0) {
        return false;
    }
    const size_t padding = count_padding(encoded, len);
    const size_t before = out->len;
    for (size_t at = 0; at < len; at += 4) {
        const size_t missing = at + 4 == len ? padding : 0;
        uint32_t bits = 0;
        bool is_good = decode_group(encoded + at, missing, &bits);
        const uint8_t bytes[3] = {(uint8_t)(bits >> 16), (uint8_t)(bits >> 8), (uint8_t)bits};
        if (!is_good || !text_append_bytes(out, bytes, 3 - missing)) {
            if (out->data != NULL) {
                out->len = before;
                out->data[before] = '\0';
            }
            return false;
        }
    }
    return true;
}

void base64_encode(const void *bytes, size_t len, struct text *out)
{
    const uint8_t *from = bytes;
    for (size_t at = 0; at < len; at += 3) {
        const size_t here = len - at < 3 ? len - at : 3;
        uint32_t bits = (uint32_t)from[at] << 16;
        bits |= here > 1 ? (uint32_t)from[at + 1] << 8 : 0;
        bits |= here > 2 ? from[at + 2] : 0;
        char group[4] = {digits[bits >> 18], digits[bits >> 12 & 63], '=', '='};
        if (here > 1) {
            group[2] = digits[bits >> 6 & 63];
        }
        if (here > 2) {
            group[3] = digits[bits & 63];
        }
        text_append_bytes(out, group, sizeof group);
    }
}
