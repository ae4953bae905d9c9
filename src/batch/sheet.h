/* SPDX-License-Identifier: MIT */
#pragma once

/* One object as it is shown on a terminal: the fields in two columns, words for keys, and below them
 * its lists of objects as small tables. Any thread. */

struct json;
struct listing_style;
struct text;

void sheet_append(const struct json *object, const struct listing_style *style, struct text *out);
