/* SPDX-License-Identifier: MIT */
/* How a table looks: which columns fit, the header, the rows. */
#include "ui/table.h"

#include <string.h>

#include "base/memory.h"
#include "ui/cell.h"
#include "ui/draw.h"

#define GAP 2
/* From this many rows of room on, the first one is spent on the column titles. */
#define HEADER_FROM 7

static int layout_need(const struct table_source *source, const int *widths)
{
    int need = 0;
    for (size_t i = 0; i < source->column_count; i++) {
        need += widths[i] > 0 ? widths[i] + GAP : 0;
    }
    return need > 0 ? need - GAP : 0;
}

/* Takes cells away, the widest surplus first; from all columns only when nothing else is left. */
static bool layout_squeeze(const struct table_source *source, bool from_all, int over, int *widths)
{
    while (over > 0) {
        int best = -1;
        int surplus = 0;
        for (size_t i = 0; i < source->column_count; i++) {
            bool may_give = from_all || source->columns[i].is_loose;
            if (may_give && widths[i] - source->columns[i].min > surplus) {
                surplus = widths[i] - source->columns[i].min;
                best = (int)i;
            }
        }
        if (best < 0) {
            return false;
        }
        widths[best]--;
        over--;
    }
    return true;
}

bool table_layout(const struct table_source *source, const int *natural, int width, int *widths)
{
    unsigned highest = 0;
    for (size_t i = 0; i < source->column_count; i++) {
        highest = source->columns[i].rank > highest ? source->columns[i].rank : highest;
    }
    for (unsigned limit = highest + 1; limit-- > 0;) {
        for (size_t i = 0; i < source->column_count; i++) {
            const struct table_column *column = &source->columns[i];
            int wanted = natural[i] < column->max ? natural[i] : column->max;
            widths[i] = column->rank <= limit ? wanted : 0;
        }
        int over = layout_need(source, widths) - width;
        if (over <= 0 || layout_squeeze(source, false, over, widths)) {
            return true;
        }
        if (limit <= 1 && layout_squeeze(source, true, over, widths)) {
            return false;
        }
    }
    widths[0] = widths[0] > width ? width : widths[0];
    return false;
}

static void draw_header(
    const struct table *table, struct frame *frame, struct area area, const int *widths)
{
    int x = area.x + 1;
    for (size_t i = 0; i < table->source->column_count; i++) {
        if (widths[i] == 0) {
            continue;
        }
        const struct table_column *column = &table->source->columns[i];
        enum role role = (int)i == table->sort_column ? ROLE_STRONG : ROLE_DIM;
        if (column->is_right) {
            draw_right(frame, area.y, x, widths[i], role, column->title);
        } else {
            draw_text(frame, area.y, x, widths[i], role, column->title);
        }
        x += widths[i] + GAP;
    }
}

/* The newest figures that there is room for, at the right end of it. */
static void draw_trend(struct frame *frame, int y, int x, int width, const struct cell *cell)
{
    size_t shown = cell->trend_count < (size_t)width ? cell->trend_count : (size_t)width;
    struct pen pen = {.y = y, .x = x + width - (int)shown, .limit = x + width};
    for (size_t i = cell->trend_count - shown; i < cell->trend_count; i++) {
        pen_glyph(frame, &pen, cell->role, (enum glyph)(GLYPH_LEVEL_1 + cell->trend[i]));
    }
}

static void draw_row(const struct table *table, const struct snapshot *snapshot,
    struct frame *frame, struct area line, size_t index, const int *widths)
{
    int x = line.x + 1;
    for (size_t i = 0; i < table->source->column_count; i++) {
        if (widths[i] == 0) {
            continue;
        }
        struct cell cell;
        table_cell(table, snapshot, index, i, frame->now, &cell);
        if (cell.changes_in_s > 0) {
            draw_again_in(frame, cell.changes_in_s * 1000);
        }
        if (cell.trend_count > 0) {
            draw_trend(frame, line.y, x, widths[i], &cell);
        } else if (table->source->columns[i].is_right) {
            draw_right(frame, line.y, x, widths[i], cell.role, cell.text);
        } else {
            draw_text(frame, line.y, x, widths[i], cell.role, cell.text);
        }
        x += widths[i] + GAP;
    }
}

static void scroll_to_cursor(struct table *table, int height)
{
    size_t page = height > 0 ? (size_t)height : 1;
    table->page = page;
    if (table->cursor < table->top) {
        table->top = table->cursor;
    } else if (table->cursor >= table->top + page) {
        table->top = table->cursor - page + 1;
    }
    if (table->top > 0 && table->top + page > table->shown_count) {
        table->top = table->shown_count > page ? table->shown_count - page : 0;
    }
}

void table_draw(struct table *table, const struct snapshot *snapshot, struct frame *frame,
    struct area area, bool is_focused)
{
    int natural[array_length(table->widths)] = {0};
    int widths[array_length(table->widths)] = {0};
    bool has_header = area.height >= HEADER_FROM && table->shown_count > 0;
    for (size_t i = 0; i < table->source->column_count; i++) {
        int title = has_header ? (int)strlen(table->source->columns[i].title) : 0;
        natural[i] = table->is_hidden[i]                                 ? 0
                     : table->widths[i] == 0 || table->widths[i] > title ? table->widths[i]
                                                                         : title;
    }
    /* A blank before the border, unless a name would have to be cut for it. */
    if (!table_layout(table->source, natural, area.width - 2, widths)) {
        table_layout(table->source, natural, area.width - 1, widths);
    }
    table->place = (struct table_place){.x = area.x + 1, .header_y = has_header ? area.y : -1};
    memcpy(table->place.columns, widths, sizeof(widths));
    if (has_header) {
        draw_header(table, frame, area, widths);
        area.y++;
        area.height--;
    }
    table->place.y = area.y;
    table->place.height = area.height;
    scroll_to_cursor(table, area.height);
    for (int line = 0; line < area.height; line++) {
        size_t row = table->top + (size_t)line;
        if (row >= table->shown_count) {
            break;
        }
        struct area place = {.y = area.y + line, .x = area.x, .height = 1, .width = area.width};
        frame->is_selected = is_focused && row == table->cursor;
        if (frame->is_selected) {
            draw_clear(frame, place);
            draw_text(frame, place.y, place.x, 1, ROLE_TEXT, theme_glyph(frame->theme, GLYPH_MARK));
        }
        if (table_is_marked(table, snapshot, table->rows[row])) {
            draw_text(frame, place.y, place.x, 1, ROLE_ATTENTION, "*");
        }
        draw_row(table, snapshot, frame, place, table->rows[row], widths);
        frame->is_selected = false;
    }
}

long table_row_at(const struct table *table, int y)
{
    int line = y - table->place.y;
    size_t row = table->top + (size_t)(line > 0 ? line : 0);
    return line >= 0 && line < table->place.height && row < table->shown_count ? (long)row : -1;
}

int table_header_at(const struct table *table, int y, int x)
{
    int start = table->place.x;
    for (size_t i = 0; i < table->source->column_count && y == table->place.header_y; i++) {
        int width = table->place.columns[i];
        if (width > 0 && x >= start && x < start + width) {
            return (int)i;
        }
        start += width > 0 ? width + GAP : 0;
    }
    return -1;
}
