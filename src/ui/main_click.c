/* SPDX-License-Identifier: MIT */
/* The mouse on the main screen: a click goes where it points, a second one opens, one on a column's
 * title orders by it, the wheel moves. */
#include "ui/main_screen.h"

#include "base/clock.h"
#include "ui/screens.h"
#include "ui/seat.h"
#include "ui/term_key.h"

#define WHEEL_ROWS 3

static bool is_inside(const struct area *area, const struct term_click *click)
{
    return click->y >= area->y && click->y < area->y + area->height && click->x >= area->x &&
           click->x < area->x + area->width;
}

static void press(struct main_screen *main, struct seat *seat, const struct term_click *click)
{
    struct table *table = &main->tables[main->focus];
    int column = table_header_at(table, click->y, click->x);
    long row = table_row_at(table, click->y);
    if (main->focus == PANE_JOBS) {
        return; /* its rows are of several lines */
    }
    if (column >= 0) {
        bool is_it = table->sort_column == column;
        table_sort(table, column, is_it && !table->is_descending);
        table_update(table, seat->snapshot, clock_wall());
    } else if (row >= 0 && row == (long)table->cursor && main->was_clicked) {
        main->was_clicked = false;
        seat_open(seat, details_screen_new(seat, main->focus, table->key));
    } else if (row >= 0) {
        table_move(table, seat->snapshot, row - (long)table->cursor);
        main->was_clicked = true;
    }
}

void main_click(struct screen *screen, struct seat *seat, const struct term_click *click)
{
    struct main_screen *main = (struct main_screen *)screen;
    for (int pane = 0; pane < PANE_COUNT; pane++) {
        if (!is_inside(&main->layout.panes[pane], click)) {
            continue;
        }
        if (click->kind == CLICK_PRESS) {
            main->was_clicked = main->was_clicked && main->focus == (enum pane)pane;
            main_focus(main, pane);
            press(main, seat, click);
        } else {
            long by = click->kind == CLICK_WHEEL_UP ? -WHEEL_ROWS : WHEEL_ROWS;
            table_move(&main->tables[pane], seat->snapshot, by);
        }
        return;
    }
}
