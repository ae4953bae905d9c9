/* SPDX-License-Identifier: MIT */
#pragma once

/* JSON as text, for results of thousands of rows: written and walked without building a tree. The
 * text that is walked is compact, as json_write makes it, and well-formed: it was made here and not
 * read from anywhere. Pure; any thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json;
struct text;

/* A value inside a text: borrowed, without a NUL of its own. Empty: none. */
struct json_span {
    const char *at;
    size_t len;
};

/* Members of an object, put behind each other: the key is plain ASCII, NULL is not put. The caller
 * writes the brackets. */
void json_text_put_string(struct text *out, const char *key, const char *value);
void json_text_put_integer(struct text *out, const char *key, int64_t number);

/* The next element of an array. *at is the array's text at first and NULL behind the last one, when
 * false is returned. */
bool json_text_next(const char **at, struct json_span *element);
/* The same of an object's members; key without its quotes, as written. */
bool json_text_member(const char **at, struct json_span *key, struct json_span *value);
/* What a path like "exit.reason" leads to; empty when there is no such member. */
struct json_span json_text_find(struct json_span object, const char *path);

/* The value as a tree of its own; NULL for none. The caller frees. */
struct json *json_text_parse(struct json_span value);
/* A string without escapes: its characters. */
bool json_text_plain(struct json_span value, struct json_span *characters);

/* The same document as json_write gives it when it is pretty. */
void json_text_indent(const char *compact, struct text *out);
