/* SPDX-License-Identifier: MIT */
#pragma once

/* Text measured in terminal cells. The only way from foreign bytes to the screen: what comes out
 * of here has been through text_append_safe, holds at most two combining characters per base and
 * was never cut in the middle of a character. Pure but for LC_CTYPE (wcwidth). Any thread. */

#include <stdbool.h>

struct strings;
struct text;

/* Longer input is cut before anything else looks at it: no row shows more. */
#define CELLS_INPUT_MAX 4096

/* Appends foreign text cut to at most `width` cells; where something was cut, `ellipsis` (of one
 * cell; "" for none) takes the last of them. Returns the cells appended. */
int cells_fit(struct text *out, const char *foreign, int width, const char *ellipsis, bool is_utf8);
/* The same, but without the first `skip` cells: for scrolling sideways. */
int cells_fit_from(
    struct text *out, const char *foreign, int skip, int width, const char *ellipsis, bool is_utf8);
/* Cells that the whole text takes once it is made safe. */
int cells_width(const char *foreign, bool is_utf8);
/* Breaks a sentence at blanks into lines of at most `width` cells, each behind `indent` blanks but
 * the first; a longer word is cut. Newlines in the text begin a new line. */
void cells_wrap(struct strings *lines, const char *foreign, int width, int indent, bool is_utf8);
