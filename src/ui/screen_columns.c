/* SPDX-License-Identifier: MIT */
/* The columns of a list: which are shown, and which one gives the order. */
#include "ui/screens.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "ui/dialog.h"
#include "ui/listbox.h"
#include "ui/screen.h"
#include "ui/seat.h"
#include "ui/table.h"

#define WIDTH 34

struct columns_screen {
    struct screen screen;
    char title[64];
    struct table *table; /* of the screen below, which lives longer */
    struct listbox box;
};

static struct columns_screen *columns_of(struct screen *screen)
{
    return (struct columns_screen *)screen;
}

static const char *columns_title(const struct screen *screen)
{
    return ((const struct columns_screen *)screen)->title;
}

static unsigned columns_contexts(const struct screen *screen)
{
    (void)screen;
    return CONTEXT_CHOICE;
}

static bool columns_is_offered(
    const struct screen *screen, const struct seat *seat, enum request request)
{
    (void)screen;
    (void)seat;
    return request != REQUEST_ACCEPT;
}

/* By the marked column; once more turns it round. */
static void order_by(struct columns_screen *self)
{
    struct table *table = self->table;
    bool is_it = table->sort_column == (int)self->box.marked;
    table_sort(table, (int)self->box.marked, is_it && !table->is_descending);
}

static bool columns_type(struct screen *screen, struct seat *seat, int key)
{
    struct columns_screen *self = columns_of(screen);
    switch (key) {
    case ' ':
        table_hide(self->table, self->box.marked, !self->table->is_hidden[self->box.marked]);
        break;
    case '\r':
        order_by(self);
        break;
    case 'o':
        table_sort(self->table, -1, false);
        break;
    case 'a':
        for (size_t i = 0; i < self->table->source->column_count; i++) {
            table_hide(self->table, i, false);
        }
        break;
    default:
        return false;
    }
    table_update(self->table, seat->snapshot, clock_wall());
    return true;
}

static void columns_request(struct screen *screen, struct seat *seat, enum request request)
{
    if (!listbox_request(&columns_of(screen)->box, request) && request == REQUEST_BACK) {
        seat_close(seat, screen);
    }
}

static void draw_column(void *context, struct frame *frame, struct area line, size_t index)
{
    const struct columns_screen *self = context;
    const struct table *table = self->table;
    struct pen pen = {.y = line.y, .x = line.x, .limit = line.x + line.width};
    pen_text(frame, &pen, ROLE_TEXT, table->is_hidden[index] ? "[ ] " : "[x] ");
    pen_text(frame, &pen, ROLE_TEXT, table->source->columns[index].title);
    if (table->sort_column == (int)index) {
        pen_skip(&pen, 2);
        pen_glyph(
            frame, &pen, ROLE_ATTENTION, table->is_descending ? GLYPH_DESCENDING : GLYPH_ASCENDING);
        pen_text(frame, &pen, ROLE_DIM, " gives the order");
    } else if (!table->is_hidden[index] && table->place.columns[index] == 0 &&
               table->shown_count > 0) {
        pen_skip(&pen, 2);
        pen_text(frame, &pen, ROLE_DIM, "no room here");
    }
}

static void columns_draw(
    struct screen *screen, struct seat *seat, struct frame *frame, struct area area)
{
    (void)seat;
    struct columns_screen *self = columns_of(screen);
    size_t count = self->table->source->column_count;
    struct area box = dialog_box(frame, area, WIDTH, (int)count, ROLE_FOCUS, columns_title(screen));
    listbox_draw(&self->box, frame, box, draw_column, self);
    listbox_draw_place(&self->box, frame, box);
}

static bool columns_draw_bottom(
    struct screen *screen, struct seat *seat, struct frame *frame, struct area line)
{
    (void)screen;
    (void)seat;
    struct pen pen = {.y = line.y, .x = line.x + 1, .limit = line.x + line.width};
    pen_key(frame, &pen, "Space", "Show or hide");
    pen_key(frame, &pen, "Enter", "Order by it, again turns round");
    pen_key(frame, &pen, "o", "Usual order");
    pen_key(frame, &pen, "a", "All");
    pen_key(frame, &pen, "Esc", "Done");
    return true;
}

static void columns_free(struct screen *screen)
{
    free(screen);
}

static const struct screen_ops columns_ops = {
    .is_overlay = true,
    .title = columns_title,
    .contexts = columns_contexts,
    .is_offered = columns_is_offered,
    .request = columns_request,
    .type = columns_type,
    .draw = columns_draw,
    .draw_bottom = columns_draw_bottom,
    .free = columns_free,
};

struct screen *columns_screen_new(const char *list, struct table *table)
{
    struct columns_screen *self = memory_zero(1, sizeof(*self));
    self->screen.ops = &columns_ops;
    self->table = table;
    listbox_set_count(&self->box, table->source->column_count);
    snprintf(self->title, sizeof(self->title), "Columns of %s", list);
    return &self->screen;
}
