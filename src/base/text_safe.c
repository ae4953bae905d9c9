/* SPDX-License-Identifier: MIT */
/* The one way from foreign bytes to something a terminal may see. */
#include "base/text.h"

#include <string.h>

int text_decode_utf8(const char *bytes, size_t len, unsigned *code_point)
{
    if (len == 0) {
        return 0;
    }
    const unsigned char *in = (const unsigned char *)bytes;
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    int need;
    unsigned value;
    if (in[0] < 0x80) {
        *code_point = in[0];
        return 1;
    }
    if (in[0] >= 0xc2 && in[0] <= 0xdf) {
        need = 2;
        value = in[0] & 0x1f;
    } else if (in[0] >= 0xe0 && in[0] <= 0xef) {
        need = 3;
        value = in[0] & 0x0f;
    } else if (in[0] >= 0xf0 && in[0] <= 0xf4) {
        need = 4;
        value = in[0] & 0x07;
    } else {
        return -1;
    }
    if (len < (size_t)need) {
        return -1;
    }
    for (int i = 1; i < need; i++) {
        if ((in[i] & 0xc0) != 0x80) {
            return -1;
        }
        value = (value << 6) | (in[i] & 0x3f);
    }
    if (value < least[need] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) {
        return -1;
    }
    *code_point = value;
    return need;
}

/* Ranges that change what other characters mean or look like without being seen themselves. */
static const struct {
    unsigned first, last;
} hidden_ranges[] = {
    {0x00, 0x1f},        /* C0 */
    {0x7f, 0x9f},        /* DEL and C1 */
    {0xad, 0xad},        /* soft hyphen */
    {0x61c, 0x61c},      /* Arabic letter mark */
    {0x115f, 0x1160},    /* Hangul fillers */
    {0x180e, 0x180e},    /* Mongolian vowel separator */
    {0x200b, 0x200f},    /* zero-width, direction marks */
    {0x2028, 0x202e},    /* line and paragraph separators, bidi embedding */
    {0x2060, 0x206f},    /* word joiner, isolates, deprecated format characters */
    {0x3164, 0x3164},    /* Hangul filler */
    {0xe000, 0xf8ff},    /* private use */
    {0xfe00, 0xfe0f},    /* variation selectors */
    {0xfeff, 0xfeff},    /* byte order mark */
    {0xfff0, 0xfffb},    /* interlinear annotation */
    {0xfffe, 0xffff},    /* non-characters */
    {0xe0000, 0xe0fff},  /* tags, more variation selectors */
    {0xf0000, 0x10ffff}, /* private use planes */
};

static bool is_hidden(unsigned code_point)
{
    for (size_t i = 0; i < sizeof hidden_ranges / sizeof hidden_ranges[0]; i++) {
        if (code_point >= hidden_ranges[i].first && code_point <= hidden_ranges[i].last) {
            return true;
        }
    }
    return false;
}

void text_append_safe(struct text *out, const char *bytes, size_t len, bool is_utf8)
{
    while (len > 0) {
        size_t plain = 0; /* nearly everything, and goes over in one piece */
        while (plain < len && bytes[plain] >= 0x20 && bytes[plain] <= 0x7e) {
            plain++;
        }
        if (plain > 0) {
            text_append_bytes(out, bytes, plain);
            bytes += plain;
            len -= plain;
            continue;
        }
        unsigned code_point = 0;
        int used = text_decode_utf8(bytes, len, &code_point);
        if (used < 0) {
            text_printf(out, "\\x%02x", (unsigned char)*bytes);
            used = 1;
        } else if (code_point < 0x80 && is_hidden(code_point)) {
            text_printf(out, "\\x%02x", code_point);
        } else if (is_hidden(code_point) || (code_point > 0x7e && !is_utf8)) {
            text_printf(out, code_point > 0xffff ? "\\U%08x" : "\\u%04x", code_point);
        } else {
            text_append_bytes(out, bytes, (size_t)used);
        }
        bytes += used;
        len -= (size_t)used;
    }
}

char *text_safe(const char *foreign, bool is_utf8)
{
    struct text out = {0};
    text_append_safe(&out, foreign, strlen(foreign), is_utf8);
    return text_take(&out);
}
