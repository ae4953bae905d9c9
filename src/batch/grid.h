/* SPDX-License-Identifier: MIT */
#pragma once

/* Cells in columns, as wide as the widest of each. Where a terminal is too narrow they stand closer,
 * or the widest are folded at blanks and hyphens, or the widest stands on lines of its own below the
 * rest of its row; nothing is cut, and neither the first column nor one of numbers is ever folded.
 * Any thread, one owner. */

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

struct grid {
    size_t column_count;
    size_t column;    /* of the cell that comes next */
    struct text text; /* the cells row by row, each with a NUL: append here, then grid_end_cell */
    size_t *widths;   /* cells of a terminal, by column */
    bool *is_right;   /* numbers; set after grid_init */
};

void grid_init(struct grid *grid, size_t column_count);
void grid_done(struct grid *grid);
/* What was appended to text since it was `start` long is a cell; an empty one becomes "-". The bytes
 * have passed text_append_safe. */
void grid_end_cell(struct grid *grid, size_t start);
/* Whether that is possible on a terminal of that width: else what is appended wraps. */
bool grid_fits(const struct grid *grid, size_t indent, size_t width);
/* Every line behind `indent` blanks. width: of the terminal; 0: as wide as it gets. */
void grid_append(const struct grid *grid, size_t indent, size_t width, struct text *out);
