/* SPDX-License-Identifier: MIT */
#pragma once

/* Results as people read them: lists as tables with an upper-case header, single objects as
 * "field: value", names alone. Sizes carry units, ages are of now, what is not known is "-".
 * Foreign bytes are made visible. The columns come from the command table. Any thread. */

#include <stdbool.h>
#include <stddef.h>

struct column;
struct json;
struct text;

void listing_append_table(const struct column *columns, size_t column_count,
    const struct json *array, bool is_utf8, struct text *out);
void listing_append_object(const struct json *object, bool is_utf8, struct text *out);
/* "name" of an object, or of each in an array, else its "id"; one a line; nothing for what has
 * neither. */
void listing_append_names(const struct json *result, bool is_utf8, struct text *out);
