/* SPDX-License-Identifier: MIT */
#pragma once

/* One JSON value as people read it, on one line, foreign bytes made visible. Any thread. */

#include "engine/command.h"

#include <stdbool.h>

struct json;
struct text;

/* Lists with commas, lists of objects with semicolons, objects as "field value". */
void value_append(const struct json *value, bool is_utf8, struct text *out);
/* As a cell of a column. */
void value_append_cell(
    const struct json *value, enum column_form form, bool is_utf8, struct text *out);
/* The same of a string, without JSON around it. */
void value_append_string(const char *string, enum column_form form, bool is_utf8, struct text *out);
/* Exact bytes beside their short form, times with their age, by the key's ending. */
void value_append_details(
    const char *key, const struct json *value, bool is_utf8, struct text *out);
/* A list of objects: a small table of its own. */
bool value_is_block(const struct json *value);
