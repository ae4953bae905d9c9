/* SPDX-License-Identifier: MIT */
#pragma once

/* What may reach the terminal: the control sequences of the console's own making, and characters
 * that are harmless. Foreign texts of the tests bring sequences that say 7777. While a guest has the
 * terminal, which is where the ordinary screen is shown, it may write what it likes. Include
 * cmocka's headers first. */

#include "base/text.h"
#include "support/pty_vterm.h"

#include <stdio.h>
#include <string.h>

/* How far the bytes of a terminal were looked at. Zero at the start. */
struct own_bytes {
    size_t at;
    bool is_lent;        /* the ordinary screen is shown */
    bool is_shifting_in; /* this terminal's plain letters begin with SI */
};

#define OWN_LONGEST 4096 /* a copy to the clipboard */

/* Characters that change how others are shown, and those that show nothing. */
static inline bool is_harmless(unsigned c)
{
    bool is_control = c < 0x20 || (c >= 0x7f && c < 0xa0);
    bool is_bidi = (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
    bool is_nothing = (c >= 0x200b && c <= 0x200f) || c == 0xfeff || c == 0x2028 || c == 0x2029;
    bool is_private = c >= 0xe000 && c <= 0xf8ff;
    return !is_control && !is_bidi && !is_nothing && !is_private;
}

/* Length of a string to the terminal that begins and ends like that; 0 when it is none. */
static inline size_t own_string(const char *bytes, size_t len, const char *first, const char *last)
{
    const char *end = NULL;
    if (len > strlen(first) && memcmp(bytes, first, strlen(first)) == 0) {
        end = memmem(bytes, len, last, strlen(last));
    }
    return end != NULL ? (size_t)(end - bytes) + strlen(last) : 0;
}

/* Length of the sequence at bytes[0], which is ESC; 0 when it is none of those that a terminal's
 * entry holds, nor a copy to the clipboard. */
static inline size_t own_sequence(const char *bytes, size_t len)
{
    static const char colors[] = "\x1b]104\a"; /* given back as they were */
    if (len >= 3 && (bytes[1] == '(' || bytes[1] == ')') && strchr("B0", bytes[2]) != NULL) {
        return 3;
    }
    if (len >= 2 && strchr("78=>MHD", bytes[1]) != NULL) {
        return 2;
    }
    size_t copy = own_string(bytes, len, "\x1b]52;c;", "\a");
    copy = copy > 0 ? copy : own_string(bytes, len, "\x1bP\x1b]52;c;", "\x1b\\");
    if (copy > 0) {
        return copy;
    }
    if (len >= sizeof(colors) - 1 && memcmp(bytes, colors, sizeof(colors) - 1) == 0) {
        return sizeof(colors) - 1;
    }
    if (len < 3 || bytes[1] != '[') {
        return 0;
    }
    size_t end = 2 + strspn(bytes + 2, "0123456789;?!>");
    bool is_known = strchr("ABCDGHJKLMPSTXbdhlmrtu@", bytes[end]) != NULL && bytes[end] != '\0';
    bool is_foreign = memmem(bytes, end, "7777", 4) != NULL;
    return is_known && !is_foreign ? end + 1 : 0;
}

/* Looks at what came since the last time. A sequence that is cut off at the end waits for its rest,
 * or for the check after it. */
static inline void own_bytes_check(
    struct own_bytes *own, const struct pty_vterm *pty, const char *where)
{
    static const char taken[] = "\x1b[?1049h";
    static const char lent[] = "\x1b[?1049l";
    static const char mended[] = "\x0f\x1b(B\x1b[4l\x1b[?6l\x1b[r"; /* after a guest */
    size_t len = 0;
    const char *bytes = pty_bytes(pty, &len);
    while (own->at < len) {
        const char *here = bytes + own->at;
        size_t left = len - own->at;
        if (own->is_lent) {
            const char *end = memmem(here, left, mended, sizeof(mended) - 1);
            const char *back = end != NULL ? strstr(end, taken) : NULL;
            if (back == NULL) {
                return; /* what the guest wrote as "taken" is its own */
            }
            own->at = (size_t)(back - bytes);
            own->is_lent = false;
            continue;
        }
        unsigned c = 0;
        int decoded = text_decode_utf8(here, left, &c);
        size_t sequence = *here == 0x1b ? own_sequence(here, left) : 0;
        bool is_plain = decoded > 0 && (is_harmless(c) || strchr("\r\n\b", (int)c) != NULL ||
                                           (own->is_shifting_in && c == 0x0f));
        if (sequence == 0 && !is_plain) {
            const char *rest = *here == 0x1b ? memchr(here + 1, 0x1b, left - 1) : NULL;
            if (rest == NULL && left < (*here == 0x1b ? OWN_LONGEST : 4)) {
                return;
            }
            fail_msg("%s: byte %zu: %.20s", where, own->at, here);
        }
        own->is_lent = left >= sizeof(lent) && memcmp(here, lent, sizeof(lent) - 1) == 0;
        own->at += sequence > 0 ? sequence : (size_t)decoded;
    }
}
