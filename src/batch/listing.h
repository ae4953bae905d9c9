/* SPDX-License-Identifier: MIT */
#pragma once

/* Results as people read them: lists as tables with an upper-case header, single objects as
 * "field: value" (on a terminal in columns, sheet.h), names alone. Sizes carry units, ages are of
 * now, what is not known is "-". Foreign bytes are made visible, and what is too wide for a terminal
 * is folded. The columns come from the command table. Any thread. */

#include <stdbool.h>
#include <stddef.h>

struct column;
struct json;
struct text;

struct listing_style {
    bool is_utf8;
    size_t width; /* of the terminal that shows it: lines are folded; 0: for a file or a program */
};

/* rows: an array of objects as compact JSON text (base/json_text.h). */
void listing_append_table(const struct column *columns, size_t column_count, const char *rows,
    const struct listing_style *style, struct text *out);
/* To a terminal in aligned columns (sheet.h). */
void listing_append_object(
    const struct json *object, const struct listing_style *style, struct text *out);
/* "name", else "id", on a line of its own; nothing for what has neither. */
void listing_append_name(const struct json *object, bool is_utf8, struct text *out);
/* The same of each of the rows. */
void listing_append_names(const char *rows, bool is_utf8, struct text *out);
