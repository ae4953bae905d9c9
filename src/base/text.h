/* SPDX-License-Identifier: MIT */
#pragma once

/* Growing text, lists of strings, and the one way from foreign bytes to something printable.
 *
 * struct text is always NUL-terminated once anything was appended and never grows past its cap: an
 * append that would is dropped whole and is_full stays set. Zero-initialised is an empty one with
 * the default cap of 64 MiB. struct strings owns its items. Any thread, one owner at a time. */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct text {
    char *data; /* NULL while nothing was appended; use text_cstr for reading */
    size_t len;
    size_t capacity;
    size_t cap_bytes; /* 0: 64 MiB */
    bool is_full;
};

void text_done(struct text *text);
/* The same for one that holds a secret: nothing of it is left in memory. */
void text_wipe(struct text *text);
void text_clear(struct text *text);
bool text_append(struct text *text, const char *more);
bool text_append_bytes(struct text *text, const void *bytes, size_t len);
bool text_append_char(struct text *text, char c);
bool text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool text_vprintf(struct text *text, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
/* Never NULL. Valid until the next append. */
const char *text_cstr(const struct text *text);
/* Hands the characters to the caller (free with free()); the text is empty afterwards. */
char *text_take(struct text *text) __attribute__((returns_nonnull));

struct strings {
    char **items; /* items[count] is NULL once anything was added: usable as argv */
    size_t count;
};

void strings_done(struct strings *list);
void strings_add(struct strings *list, const char *item);
/* Takes ownership of item. */
void strings_take(struct strings *list, char *item);
void strings_add_len(struct strings *list, const char *item, size_t len);
void strings_printf(struct strings *list, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The item at that index goes; those behind it move up. */
void strings_remove(struct strings *list, size_t index);
bool strings_contain(const struct strings *list, const char *item);
/* By bytes, so that the order never follows the locale. */
void strings_sort(struct strings *list);
/* Splits at any of the separators; empty pieces are dropped. */
void strings_split(struct strings *list, const char *input, const char *separators);
/* items joined with the separator, caller frees. */
char *strings_join(const struct strings *list, const char *separator);

bool text_has_prefix(const char *text, const char *prefix);
bool text_has_suffix(const char *text, const char *suffix);
/* "6.9" < "6.10": digit runs as numbers, the rest by bytes; like strverscmp without its
 * leading-zero rules. */
int text_compare_version(const char *a, const char *b);
/* Edits needed to turn a into b (Levenshtein), for "did you mean". Both at most 64 bytes count. */
int text_distance(const char *a, const char *b);

/* Appends foreign bytes so that they can be shown on any terminal: control characters, DEL, C1,
 * bidi controls, zero-width characters, line separators, private-use and invalid UTF-8 become
 * visible escapes (\x1b, \u202e); everything else passes. In an ASCII locale (is_utf8 false) every
 * other character above 0x7e becomes an escape as well. Newlines are escaped too. */
void text_append_safe(struct text *out, const char *bytes, size_t len, bool is_utf8);
/* The same for a whole string as a new one; caller frees. */
char *text_safe(const char *foreign, bool is_utf8) __attribute__((returns_nonnull));
/* Appends text of a URL with its percent escapes decoded (RFC 3986, 2.1); false for a broken one and
 * for an escaped NUL. */
bool text_append_unescaped(struct text *out, const char *escaped);
/* Decodes one UTF-8 character strictly; returns its length, 0 at the end, -1 when invalid. */
int text_decode_utf8(const char *bytes, size_t len, unsigned *code_point);
