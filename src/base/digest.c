/* SPDX-License-Identifier: MIT */
#include "base/digest.h"

#include "base/text.h"

#include <string.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool digest_parse(const char *hex, struct digest *digest)
{
    static const char prefix[] = "sha256:";
    if (text_has_prefix(hex, prefix)) {
        hex += sizeof prefix - 1;
    }
    if (strlen(hex) != DIGEST_HEX_LEN) {
        return false;
    }
    struct digest parsed;
    for (size_t i = 0; i < sizeof parsed.bytes; i++) {
        int high = hex_value(hex[2 * i]);
        int low = hex_value(hex[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        parsed.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *digest = parsed;
    return true;
}

const char *digest_format(const struct digest *digest, char buffer[DIGEST_HEX_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof digest->bytes; i++) {
        buffer[2 * i] = digits[digest->bytes[i] >> 4];
        buffer[2 * i + 1] = digits[digest->bytes[i] & 15];
    }
    buffer[DIGEST_HEX_LEN] = '\0';
    return buffer;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}
