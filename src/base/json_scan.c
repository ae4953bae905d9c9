/* SPDX-License-Identifier: MIT */
#include "base/json_scan.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define INTEGER_MAX UINT64_C(9007199254740992) /* 2^53 */
#define FEW_KEYS 16

struct scan {
    const char *start, *at, *end;
    uint64_t depth, max_depth;
    const char *what;
    struct error *err;
};

static bool refuse(struct scan *scan, const char *fact)
{
    size_t line = 1;
    const char *line_start = scan->start;
    for (const char *c = scan->start; c < scan->at; c++) {
        if (*c == '\n') {
            line++;
            line_start = c + 1;
        }
    }
    return error_set(scan->err, ERROR_FORMAT, "%s is not valid JSON: %s at line %zu, column %zu",
        scan->what, fact, line, (size_t)(scan->at - line_start) + 1);
}

static void skip_blanks(struct scan *scan)
{
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\r' || *scan->at == '\n')) {
        scan->at++;
    }
}

static int peek(const struct scan *scan)
{
    return scan->at < scan->end ? (unsigned char)*scan->at : -1;
}

static bool read_hex4(struct scan *scan, unsigned *value)
{
    unsigned result = 0;
    for (int i = 0; i < 4; i++, scan->at++) {
        int c = peek(scan);
        const char *digit = c > 0 ? strchr("0123456789abcdef", c | 0x20) : NULL;
        if (digit == NULL || (c < '0')) {
            return refuse(scan, "a broken \\u escape");
        }
        result = result << 4 | (unsigned)(digit - "0123456789abcdef");
    }
    *value = result;
    return true;
}

static void append_utf8(struct text *out, unsigned c)
{
    char bytes[4];
    size_t len;
    if (c < 0x80) {
        bytes[0] = (char)c;
        len = 1;
    } else if (c < 0x800) {
        bytes[0] = (char)(0xc0 | c >> 6);
        bytes[1] = (char)(0x80 | (c & 0x3f));
        len = 2;
    } else if (c < 0x10000) {
        bytes[0] = (char)(0xe0 | c >> 12);
        bytes[1] = (char)(0x80 | (c >> 6 & 0x3f));
        bytes[2] = (char)(0x80 | (c & 0x3f));
        len = 3;
    } else {
        bytes[0] = (char)(0xf0 | c >> 18);
        bytes[1] = (char)(0x80 | (c >> 12 & 0x3f));
        bytes[2] = (char)(0x80 | (c >> 6 & 0x3f));
        bytes[3] = (char)(0x80 | (c & 0x3f));
        len = 4;
    }
    text_append_bytes(out, bytes, len);
}

/* Behind the backslash. */
static bool scan_escape(struct scan *scan, struct text *decoded)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    int c = peek(scan);
    const char *plain = c > 0 ? strchr(from, c) : NULL;
    if (plain != NULL) {
        scan->at++;
        return decoded == NULL || text_append_char(decoded, to[plain - from]);
    }
    if (c != 'u') {
        return refuse(scan, "an unknown escape");
    }
    scan->at++;
    unsigned unit, low;
    if (!read_hex4(scan, &unit)) {
        return false;
    }
    if (unit == 0) {
        return refuse(scan, "a \\u0000 in a string");
    }
    if (unit >= 0xdc00 && unit <= 0xdfff) {
        return refuse(scan, "a lone surrogate");
    }
    if (unit >= 0xd800 && unit <= 0xdbff) {
        if (scan->end - scan->at < 6 || scan->at[0] != '\\' || scan->at[1] != 'u') {
            return refuse(scan, "a lone surrogate");
        }
        scan->at += 2;
        if (!read_hex4(scan, &low)) {
            return false;
        }
        if (low < 0xdc00 || low > 0xdfff) {
            return refuse(scan, "a lone surrogate");
        }
        unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    }
    if (decoded != NULL) {
        append_utf8(decoded, unit);
    }
    return true;
}

/* Takes the characters that stand for themselves in one go: most strings are nothing else. */
static void scan_plain(struct scan *scan, struct text *decoded)
{
    const char *first = scan->at;
    while (scan->at < scan->end && *scan->at >= 0x20 && *scan->at < 0x7f && *scan->at != '"' &&
           *scan->at != '\\') {
        scan->at++;
    }
    if (decoded != NULL) {
        text_append_bytes(decoded, first, (size_t)(scan->at - first));
    }
}

/* A string with its quotes; the decoded characters are appended unless decoded is NULL. */
static bool scan_string(struct scan *scan, struct text *decoded)
{
    scan->at++;
    for (;;) {
        scan_plain(scan, decoded);
        unsigned code_point;
        int used = text_decode_utf8(scan->at, (size_t)(scan->end - scan->at), &code_point);
        if (used == 0) {
            return refuse(scan, "an unfinished string");
        }
        if (used < 0) {
            return refuse(scan, "invalid UTF-8");
        }
        if (code_point < 0x20) {
            return refuse(scan, "a control character in a string");
        }
        if (code_point == '"') {
            scan->at++;
            return true;
        }
        if (code_point == '\\') {
            scan->at++;
            if (!scan_escape(scan, decoded)) {
                return false;
            }
            continue;
        }
        if (decoded != NULL) {
            text_append_bytes(decoded, scan->at, (size_t)used);
        }
        scan->at += used;
    }
}

static size_t skip_digits(struct scan *scan)
{
    const char *first = scan->at;
    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9') {
        scan->at++;
    }
    return (size_t)(scan->at - first);
}

static bool check_integer(struct scan *scan, const char *digits, size_t count)
{
    uint64_t value = 0;
    for (size_t i = 0; i < count; i++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(digits[i] - '0'), &value)) {
            value = UINT64_MAX;
            break;
        }
    }
    return value <= INTEGER_MAX || refuse(scan, "an integer beyond 2^53");
}

static bool scan_number(struct scan *scan)
{
    if (peek(scan) == '-') {
        scan->at++;
    }
    const char *digits = scan->at;
    size_t count = skip_digits(scan);
    if (count == 0 || (count > 1 && digits[0] == '0')) {
        return refuse(scan, "a malformed number");
    }
    bool is_integer = true;
    if (peek(scan) == '.') {
        is_integer = false;
        scan->at++;
        if (skip_digits(scan) == 0) {
            return refuse(scan, "a malformed number");
        }
    }
    if (peek(scan) == 'e' || peek(scan) == 'E') {
        is_integer = false;
        scan->at++;
        if (peek(scan) == '+' || peek(scan) == '-') {
            scan->at++;
        }
        size_t exponent = skip_digits(scan);
        if (exponent == 0 || exponent > 3) {
            return refuse(scan, "a malformed number");
        }
    }
    return !is_integer || check_integer(scan, digits, count);
}

static bool scan_word(struct scan *scan, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(scan->end - scan->at) < len || memcmp(scan->at, word, len) != 0) {
        return refuse(scan, "an unknown word");
    }
    scan->at += len;
    return true;
}

static bool scan_value(struct scan *scan);

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Quadratic for a handful of keys, by sorting for more, so that no input makes it slow. */
static bool check_unique(struct scan *scan, struct strings *keys)
{
    if (keys->count > FEW_KEYS) {
        qsort(keys->items, keys->count, sizeof *keys->items, compare_keys);
    }
    for (size_t i = 1; i < keys->count; i++) {
        size_t first = keys->count > FEW_KEYS ? i - 1 : 0;
        for (size_t j = first; j < i; j++) {
            if (strcmp(keys->items[i], keys->items[j]) == 0) {
                return refuse(scan, "an object with the same key twice, ending");
            }
        }
    }
    return true;
}

static bool scan_member(struct scan *scan, struct strings *keys)
{
    auto_done(text) struct text key = {0};
    if (peek(scan) != '"') {
        return refuse(scan, "something other than a key");
    }
    if (!scan_string(scan, &key)) {
        return false;
    }
    strings_take(keys, text_take(&key));
    skip_blanks(scan);
    if (peek(scan) != ':') {
        return refuse(scan, "a missing ':'");
    }
    scan->at++;
    return scan_value(scan);
}

/* An object or an array, from its opening bracket to behind its closing one. */
static bool scan_container(struct scan *scan, bool is_object)
{
    const int close_bracket = is_object ? '}' : ']';
    auto_done(strings) struct strings keys = {0};
    if (++scan->depth > scan->max_depth) {
        return error_set(scan->err, ERROR_LIMIT, "%s is nested deeper than the limit of %" PRIu64,
            scan->what, scan->max_depth);
    }
    scan->at++;
    skip_blanks(scan);
    if (peek(scan) == close_bracket) {
        scan->at++;
        scan->depth--;
        return true;
    }
    for (;;) {
        skip_blanks(scan);
        if (is_object ? !scan_member(scan, &keys) : !scan_value(scan)) {
            return false;
        }
        skip_blanks(scan);
        if (peek(scan) == close_bracket) {
            scan->at++;
            scan->depth--;
            return check_unique(scan, &keys);
        }
        if (peek(scan) != ',') {
            return refuse(scan, "a missing ',' or bracket");
        }
        scan->at++;
    }
}

static bool scan_value(struct scan *scan)
{
    skip_blanks(scan);
    switch (peek(scan)) {
    case '{':
        return scan_container(scan, true);
    case '[':
        return scan_container(scan, false);
    case '"':
        return scan_string(scan, NULL);
    case 't':
        return scan_word(scan, "true");
    case 'f':
        return scan_word(scan, "false");
    case 'n':
        return scan_word(scan, "null");
    case -1:
        return refuse(scan, "an unexpected end");
    default:
        return scan_number(scan);
    }
}

bool json_scan(
    const char *bytes, size_t len, uint64_t max_depth, const char *what, struct error *err)
{
    struct scan scan = {.start = bytes,
        .at = bytes,
        .end = bytes + len,
        .max_depth = max_depth,
        .what = what,
        .err = err};
    if (!scan_value(&scan)) {
        return false;
    }
    skip_blanks(&scan);
    return scan.at == scan.end || refuse(&scan, "something behind the document");
}
