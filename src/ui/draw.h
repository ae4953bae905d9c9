/* SPDX-License-Identifier: MIT */
#pragma once

/* Everything that touches the screen. All text goes through cells_fit, so nothing foreign reaches
 * the terminal as it came, nothing wraps and nothing leaves its area. A frame is one repaint of the
 * whole screen into curses' memory; only what changed is sent. Main thread. */

#include "ui/theme.h"

#include <stdbool.h>
#include <stdint.h>

struct area {
    int y, x, height, width;
};

struct frame {
    const struct theme *theme;
    int height, width;
    uint64_t now_ms;          /* monotonic */
    int64_t now;              /* wall seconds */
    uint64_t next_ms;         /* when something drawn will look different by itself; 0: never */
    uint64_t snapshot_age_ms; /* how long what is drawn has been known */
    bool is_selected;         /* the row being drawn is the one under the cursor */
    int cursor_y, cursor_x;   /* where the text cursor belongs; -1: nowhere */
};

/* A place on one line that moves on with what is written, up to `limit` (exclusive). */
struct pen {
    int y, x, limit;
};

void draw_begin(struct frame *frame, const struct theme *theme);
void draw_end(const struct frame *frame);
/* The frame wants to be drawn again in `ms` at the latest. */
void draw_again_in(struct frame *frame, uint64_t ms);

/* Blanks. */
void draw_clear(struct frame *frame, struct area area);
/* A border; heavy for what has the focus. */
void draw_border(struct frame *frame, struct area area, bool is_heavy);
/* What is inside a border. */
struct area draw_inside(struct area area);

/* Text cut to `width` cells, at the left or the right end of them. Returns the cells used. */
int draw_text(struct frame *frame, int y, int x, int width, enum role role, const char *foreign);
int draw_right(struct frame *frame, int y, int x, int width, enum role role, const char *foreign);
int draw_from(
    struct frame *frame, int y, int x, int skip, int width, enum role role, const char *foreign);
/* As draw_from, without a mark where something was cut off. */
int draw_part(
    struct frame *frame, int y, int x, int skip, int width, enum role role, const char *foreign);

void pen_text(struct frame *frame, struct pen *pen, enum role role, const char *foreign);
void pen_print(struct frame *frame, struct pen *pen, enum role role, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void pen_glyph(struct frame *frame, struct pen *pen, enum role role, enum glyph glyph);
void pen_skip(struct pen *pen, int cells);
/* A key and what it does: "x Remove". Writes nothing and returns false when it does not fit. */
bool pen_key(struct frame *frame, struct pen *pen, const char *key, const char *label);

/* A bar of `width` cells; permille over 1000 counts as full. */
void draw_bar(struct frame *frame, int y, int x, int width, unsigned permille, enum role role);
/* Puts the text cursor there when the frame ends. */
void draw_cursor(struct frame *frame, int y, int x);
