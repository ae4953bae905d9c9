/* SPDX-License-Identifier: MIT */
#pragma once

/* A list to choose from inside a dialog: which row is marked, which part of it is seen, how keys
 * move the mark. What stands in a row is its owner's. Zero-initialised is an empty one. Main
 * thread. */

#include "ui/keys.h"

#include <stdbool.h>
#include <stddef.h>

struct area;
struct frame;

struct listbox {
    size_t count;
    size_t marked;
    size_t top;
    size_t page; /* rows of the last drawing */
};

/* So many rows from now on; the mark stays inside. */
void listbox_set_count(struct listbox *box, size_t count);
/* True: it was one of the moves. */
bool listbox_request(struct listbox *box, enum request request);
/* Of a list whose owner draws it: moves the part that is seen, on a page of that height, so that the
 * marked row is on it, and as many others as can be. */
void listbox_scroll(struct listbox *box, size_t page);
/* Draws each row that is seen by draw_row, which gets the line behind the mark's column. */
void listbox_draw(struct listbox *box, struct frame *frame, struct area area,
    void (*draw_row)(void *context, struct frame *frame, struct area line, size_t index),
    void *context);
/* Says on the border below the dialog's inside which rows are seen, where not all are. */
void listbox_draw_place(const struct listbox *box, struct frame *frame, struct area inside);
