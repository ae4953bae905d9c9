/* SPDX-License-Identifier: MIT */
#include "ui/main_screen.h"

#include "base/memory.h"
#include "base/text.h"
#include "engine/snapshot.h"
#include "ui/cells.h"
#include "ui/details.h"
#include "ui/draw.h"
#include "ui/header.h"
#include "ui/jobs.h"
#include "ui/pager.h"
#include "ui/seat.h"
#include "ui/welcome.h"

/* " 2 marked  by SIZE v ": what somebody has set; it is told before what is only counted. */
static void add_settings(
    const struct table *table, const struct theme *theme, struct text *marks, struct text *order)
{
    if (table->marked.count > 0) {
        text_printf(marks, " %zu marked ", table->marked.count);
    }
    if (table->sort_column >= 0) {
        text_printf(order, " by %s %s ", table->source->columns[table->sort_column].title,
            theme_glyph(theme, table->is_descending ? GLYPH_DESCENDING : GLYPH_ASCENDING));
    }
    if (table->is_held) {
        text_append(order, " held ");
    }
}

/* As many words as there is room for; none rather than half of one. */
static void draw_counts(
    const struct seat *seat, struct frame *frame, struct pen *pen, enum pane pane, int room)
{
    for (int is_brief = 0; is_brief < 2; is_brief++) {
        auto_done(text) struct text words = {0};
        pane_count_words(pane, seat->snapshot, is_brief == 1, &words);
        if (words.len > 0 && cells_width(text_cstr(&words), true) + 2 <= room) {
            pen_print(frame, pen, ROLE_TEXT, " %s ", text_cstr(&words));
            return;
        }
    }
}

/* "1 Catalog  2 of 6  /deb  by SIZE v" on the upper border. */
static void draw_title(const struct main_screen *main, const struct seat *seat, struct frame *frame,
    struct area area, enum pane pane)
{
    const struct table *table = &main->tables[pane];
    bool is_focused = main->focus == pane;
    auto_done(text) struct text marks = {0};
    auto_done(text) struct text order = {0};
    add_settings(table, frame->theme, &marks, &order);
    struct pen pen = {.y = area.y, .x = area.x + 1, .limit = area.x + area.width - 2};
    pen_print(frame, &pen, is_focused ? ROLE_FOCUS : ROLE_STRONG, " %d %s ", (int)pane + 1,
        pane_infos[pane].title);
    if (table_is_filtered(table)) {
        pen_print(frame, &pen, ROLE_ATTENTION, " %zu of %zu /%s ", table->shown_count,
            table->listed_count, table->filter);
    } else {
        int room = pen.limit - pen.x - cells_width(text_cstr(&marks), true) -
                   cells_width(text_cstr(&order), true);
        draw_counts(seat, frame, &pen, pane, room);
    }
    pen_text(frame, &pen, ROLE_ATTENTION, text_cstr(&marks));
    pen_text(frame, &pen, table->is_held ? ROLE_ATTENTION : ROLE_TEXT, text_cstr(&order));
}

static void draw_empty(const struct main_screen *main, const struct seat *seat, struct frame *frame,
    struct area inner, enum pane pane)
{
    const struct table *table = &main->tables[pane];
    if (table->listed_count > 0) {
        draw_text(frame, inner.y, inner.x + 1, inner.width - 2, ROLE_TEXT,
            "Nothing matches. Esc shows all.");
    } else if (!seat->snapshot->is_reconciled) {
        draw_text(frame, inner.y, inner.x + 1, inner.width - 2, ROLE_DIM, "Reading the store");
    } else {
        auto_done(text) struct text words = {0};
        pane_empty_words(pane, &seat->keymap, &words);
        draw_text(frame, inner.y, inner.x + 1, inner.width - 2, ROLE_DIM, text_cstr(&words));
    }
}

/* What the figures of the processor are parts of stands where the figures are. */
static void draw_cpu_base(const struct snapshot *snapshot, struct frame *frame, struct area area)
{
    static const char words[] = " CPU: 100% is one core ";
    bool has_figures = false;
    for (size_t i = 0; i < snapshot->vms_count && !has_figures; i++) {
        has_figures = snapshot->vms[i].state == VM_STATE_RUNNING;
    }
    int width = (int)sizeof(words) - 1;
    if (has_figures && area.width > width + 6) {
        draw_text(frame, area.y + area.height - 1, area.x + area.width - width - 3, width, ROLE_DIM,
            words);
    }
}

static void draw_pane(struct main_screen *main, struct seat *seat, struct frame *frame,
    struct area area, enum pane pane)
{
    struct table *table = &main->tables[pane];
    bool is_focused = main->focus == pane;
    struct area inner = draw_inside(area);
    draw_border(frame, area, is_focused);
    draw_title(main, seat, frame, area, pane);
    if (table->shown_count == 0) {
        draw_empty(main, seat, frame, inner, pane);
    } else if (pane == PANE_JOBS) {
        jobs_draw(table, seat->snapshot, frame, inner, is_focused);
    } else {
        table_draw(table, seat->snapshot, frame, inner, is_focused);
    }
    if (pane == PANE_VMS) {
        draw_cpu_base(seat->snapshot, frame, area);
    }
    if (table->top > 0 && pane != PANE_JOBS) {
        draw_text(frame, area.y, area.x + area.width - 2, 1, ROLE_TEXT,
            theme_glyph(frame->theme, GLYPH_MORE_ABOVE));
    }
    if (table->top + table->page < table->shown_count && pane != PANE_JOBS) {
        draw_text(frame, area.y + area.height - 1, area.x + area.width - 2, 1, ROLE_TEXT,
            theme_glyph(frame->theme, GLYPH_MORE_BELOW));
    }
}

static void draw_details(struct main_screen *main, struct seat *seat, struct frame *frame)
{
    struct area area = main->layout.details;
    if (area.height == 0) {
        return;
    }
    size_t index = 0;
    draw_border(frame, area, false);
    draw_text(frame, area.y, area.x + 1, area.width - 2, ROLE_STRONG, " Details ");
    if (!table_selected(&main->tables[main->strip], &index)) {
        return;
    }
    struct area inner = draw_inside(area);
    inner.x++;
    inner.width -= 2;
    auto_done(page) struct page page = {0};
    details_fill(&page, seat->snapshot, main->strip, index, frame->now, inner.width, true);
    struct pager pager = {0};
    pager_draw(&pager, &page, frame, inner);
}

/* The line of the machine under the cursor of the machines' pane, wherever the focus is. */
static void draw_tail(struct main_screen *main, struct seat *seat, struct frame *frame)
{
    size_t index = 0;
    const char *name = "";
    bool is_shown = main->layout.tail.height > 0;
    if (is_shown && table_selected(&main->tables[PANE_VMS], &index) &&
        seat->snapshot->vms[index].state != VM_STATE_CREATED) {
        name = seat->snapshot->vms[index].name;
    }
    tail_follow(&main->tail, seat, frame, name);
    if (is_shown) {
        tail_draw(&main->tail, frame, main->layout.tail);
    }
}

static struct area bounds(struct area a, struct area b)
{
    int right = a.x + a.width > b.x + b.width ? a.x + a.width : b.x + b.width;
    int bottom = a.y + a.height > b.y + b.height ? a.y + a.height : b.y + b.height;
    struct area whole = {.y = a.y < b.y ? a.y : b.y, .x = a.x < b.x ? a.x : b.x};
    whole.height = bottom - whole.y;
    whole.width = right - whole.x;
    return whole;
}

/* On an empty host the catalog stays, and what would be empty tables says what to do next. */
static void draw_welcome(struct main_screen *main, struct seat *seat, struct frame *frame)
{
    struct layout *layout = &main->layout;
    struct area *areas = layout->panes;
    struct area left = bounds(areas[PANE_CATALOG], areas[PANE_IMAGES]);
    struct area right = bounds(areas[PANE_VMS], areas[PANE_VMS]);
    right =
        bounds(right, (struct area){.y = left.y, .x = right.x, .height = left.height, .width = 1});
    size_t index = 0;
    bool has_offer = table_selected(&main->tables[PANE_CATALOG], &index);
    draw_pane(main, seat, frame, left, PANE_CATALOG);
    welcome_draw(seat, frame, right, has_offer ? &seat->snapshot->offers[index] : NULL);
    draw_pane(main, seat, frame, areas[PANE_JOBS], PANE_JOBS);
}

void main_draw(struct screen *screen, struct seat *seat, struct frame *frame, struct area area)
{
    struct main_screen *main = (struct main_screen *)screen;
    struct area line = area;
    struct area body = area;
    line.height = 1;
    body.y++;
    body.height--;
    layout_main(&main->layout, body, main->focus, main->is_zoomed);
    bool is_folded = main->layout.panes[main->focus].height == body.height;
    header_draw(seat->snapshot, frame, line, !seat_may_change(seat), is_folded, main->focus);
    bool is_welcome = !is_folded && welcome_is_due(seat) &&
                      (main->focus == PANE_CATALOG || main->focus == PANE_JOBS);
    if (is_welcome) {
        draw_welcome(main, seat, frame);
        return;
    }
    for (int pane = 0; pane < PANE_COUNT; pane++) {
        if (main->layout.panes[pane].height > 0) {
            draw_pane(main, seat, frame, main->layout.panes[pane], (enum pane)pane);
        }
    }
    draw_details(main, seat, frame);
    draw_tail(main, seat, frame);
}
