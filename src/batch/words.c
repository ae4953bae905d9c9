/* SPDX-License-Identifier: MIT */
#include "batch/words.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

enum quote { QUOTE_NONE, QUOTE_SINGLE, QUOTE_DOUBLE };

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The character a backslash stands for, at line[at + 1]; whether it is one is the caller's. */
static bool keeps_backslash(enum quote quote, char next)
{
    return quote == QUOTE_DOUBLE && strchr("\"\\$`", next) == NULL;
}

/* Reads one word that begins at *at and leaves *at behind it. */
static bool words_read(
    const char *line, size_t len, size_t *at, struct text *word, struct error *err)
{
    enum quote quote = QUOTE_NONE;
    for (; *at < len; ++*at) {
        char c = line[*at];
        if (quote == QUOTE_NONE && is_blank(c)) {
            break;
        }
        if (c == '\\' && quote != QUOTE_SINGLE) {
            if (*at + 1 == len) {
                return error_set(err, ERROR_INVALID,
                    "the line ends in a backslash: a command cannot go on in the next line");
            }
            if (!keeps_backslash(quote, line[*at + 1])) {
                ++*at;
            }
            text_append_char(word, line[*at]);
        } else if (c == '\'' && quote != QUOTE_DOUBLE) {
            quote = quote == QUOTE_SINGLE ? QUOTE_NONE : QUOTE_SINGLE;
        } else if (c == '"' && quote != QUOTE_SINGLE) {
            quote = quote == QUOTE_DOUBLE ? QUOTE_NONE : QUOTE_DOUBLE;
        } else {
            text_append_char(word, c);
        }
    }
    if (quote != QUOTE_NONE) {
        return error_set(err, ERROR_INVALID, "the line ends inside a %s quote",
            quote == QUOTE_SINGLE ? "single" : "double");
    }
    return true;
}

bool words_split(const char *line, size_t len, struct strings *words, struct error *err)
{
    if (memchr(line, '\0', len) != NULL) {
        return error_set(err, ERROR_FORMAT, "the line holds a NUL byte: a script is text");
    }
    while (len > 0 && is_blank(line[len - 1])) {
        /* A blank behind a backslash is part of a word, a line end is not. */
        if (len > 1 && line[len - 2] == '\\' && line[len - 1] != '\n' && line[len - 1] != '\r') {
            break;
        }
        --len;
    }
    auto_done(strings) struct strings found = {0};
    size_t at = 0;
    while (true) {
        while (at < len && is_blank(line[at])) {
            ++at;
        }
        if (at == len || line[at] == '#') {
            break;
        }
        auto_done(text) struct text word = {0};
        if (!words_read(line, len, &at, &word, err)) {
            return false;
        }
        strings_add_len(&found, text_cstr(&word), word.len);
    }
    for (size_t i = 0; i < found.count; ++i) {
        strings_add(words, found.items[i]);
    }
    return true;
}
