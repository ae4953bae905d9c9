/* SPDX-License-Identifier: MIT */
#include "ui/screens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/snapshot.h"
#include "ui/actions.h"
#include "ui/cells.h"
#include "ui/details.h"
#include "ui/draw.h"
#include "ui/edit.h"
#include "ui/format.h"
#include "ui/header.h"
#include "ui/jobs.h"
#include "ui/layout.h"
#include "ui/pager.h"
#include "ui/screen.h"
#include "ui/seat.h"
#include "ui/table.h"
#include "ui/tail.h"
#include "ui/welcome.h"

struct main_screen {
    struct screen screen;
    struct table tables[PANE_COUNT];
    enum pane focus;
    enum pane strip; /* the pane whose row the details strip shows */
    bool is_settled; /* the first focus was chosen, or a key was pressed */
    bool is_zoomed;
    bool is_filtering; /* the filter of the focused pane is being typed */
    struct edit filter;
    struct layout layout; /* of the last drawing */
    struct tail tail;
};

static struct main_screen *main_of(struct screen *screen)
{
    return (struct main_screen *)screen;
}

static const struct main_screen *main_const(const struct screen *screen)
{
    return (const struct main_screen *)screen;
}

static const char *main_title(const struct screen *screen)
{
    return pane_infos[main_const(screen)->focus].title;
}

static unsigned main_contexts(const struct screen *screen)
{
    return CONTEXT_LIST | pane_infos[main_const(screen)->focus].context;
}

static const struct job_item *selected_job(const struct main_screen *main, const struct seat *seat)
{
    size_t index = 0;
    if (main->focus != PANE_JOBS || !table_selected(&main->tables[PANE_JOBS], &index)) {
        return NULL;
    }
    return index < seat->snapshot->jobs_count ? &seat->snapshot->jobs[index] : NULL;
}

static bool main_is_offered(
    const struct screen *screen, const struct seat *seat, enum request request)
{
    const struct main_screen *main = main_const(screen);
    const struct job_item *job = selected_job(main, seat);
    size_t index = 0;
    bool has_row = table_selected(&main->tables[main->focus], &index);
    switch ((int)request) {
    case REQUEST_OPEN:
        return has_row;
    case REQUEST_CANCEL:
        return job != NULL && format_job_is_active(job) && seat_may_change(seat);
    case REQUEST_RETRY:
        return false;
    case REQUEST_DISMISS:
        return job != NULL && !format_job_is_active(job);
    case REQUEST_BACK:
        return main->is_zoomed || table_is_filtered(&main->tables[main->focus]);
    case REQUEST_FILTER:
    case REQUEST_ZOOM:
        return main->tables[main->focus].listed_count > 0 || main->is_zoomed;
    case REQUEST_SORT:
    case REQUEST_REVERSE:
        return main->focus != PANE_JOBS && main->tables[main->focus].listed_count > 1;
    default:
        break;
    }
    if (request >= REQUEST_PULL && request <= REQUEST_DOCTOR) {
        return action_find(seat, request, main->focus, has_row, index) != NULL;
    }
    return true;
}

static void focus_pane(struct main_screen *main, int pane)
{
    main->focus = (enum pane)((pane + PANE_COUNT) % PANE_COUNT);
    if (main->focus != PANE_JOBS) {
        main->strip = main->focus;
    }
}

static bool move_request(struct main_screen *main, struct seat *seat, enum request request)
{
    struct table *table = &main->tables[main->focus];
    long page = (long)table->page;
    long all = (long)table->shown_count;
    switch ((int)request) {
    case REQUEST_UP:
        table_move(table, seat->snapshot, -1);
        return true;
    case REQUEST_DOWN:
        table_move(table, seat->snapshot, 1);
        return true;
    case REQUEST_PAGE_UP:
        table_move(table, seat->snapshot, -page);
        return true;
    case REQUEST_PAGE_DOWN:
        table_move(table, seat->snapshot, page);
        return true;
    case REQUEST_FIRST:
        table_move(table, seat->snapshot, -all);
        return true;
    case REQUEST_LAST:
        table_move(table, seat->snapshot, all);
        return true;
    case REQUEST_LEFT:
    case REQUEST_RIGHT:
        focus_pane(main, (int)layout_beside(&main->layout, main->focus, request == REQUEST_RIGHT));
        return true;
    case REQUEST_NEXT_PANE:
        focus_pane(main, (int)main->focus + 1);
        return true;
    case REQUEST_PREVIOUS_PANE:
        focus_pane(main, (int)main->focus - 1);
        return true;
    case REQUEST_PANE_1:
    case REQUEST_PANE_2:
    case REQUEST_PANE_3:
    case REQUEST_PANE_4:
    case REQUEST_PANE_5:
        focus_pane(main, (int)request - REQUEST_PANE_1);
        return true;
    default:
        return false;
    }
}

/* At once, so that the next key finds the rows where they are now. */
static void filter(struct main_screen *main, const struct seat *seat, const char *text)
{
    struct table *table = &main->tables[main->focus];
    table_set_filter(table, text);
    table_update(table, seat->snapshot, clock_wall());
}

static void back(struct main_screen *main, const struct seat *seat)
{
    struct table *table = &main->tables[main->focus];
    if (table_is_filtered(table)) {
        filter(main, seat, "");
    } else {
        main->is_zoomed = false;
    }
}

static bool view_request(struct main_screen *main, struct seat *seat, enum request request)
{
    struct table *table = &main->tables[main->focus];
    switch ((int)request) {
    case REQUEST_OPEN:
        seat_open(seat, details_screen_new(seat, main->focus, table->key));
        return true;
    case REQUEST_BACK:
        back(main, seat);
        return true;
    case REQUEST_FILTER:
        main->is_filtering = true;
        edit_set(&main->filter, table->filter);
        return true;
    case REQUEST_SORT:
        table_sort_next(table);
        table_update(table, seat->snapshot, clock_wall());
        return true;
    case REQUEST_REVERSE:
        table_sort_reverse(table);
        table_update(table, seat->snapshot, clock_wall());
        return true;
    case REQUEST_ZOOM:
        main->is_zoomed = !main->is_zoomed;
        return true;
    case REQUEST_MESSAGES:
        seat_open(seat, messages_screen_new(seat));
        return true;
    case REQUEST_PALETTE:
        seat_open(seat, palette_screen_new(seat));
        return true;
    default:
        return false;
    }
}

static void quit(struct seat *seat)
{
    for (size_t i = 0; i < seat->snapshot->jobs_count; i++) {
        const struct job_item *job = &seat->snapshot->jobs[i];
        if (format_job_is_active(job) && !job->is_quiet && !job->is_foreign) {
            seat_open(seat, quit_screen_new(seat));
            return;
        }
    }
    seat_leave(seat, 0);
}

static void main_request(struct screen *screen, struct seat *seat, enum request request)
{
    struct main_screen *main = main_of(screen);
    const struct job_item *job = selected_job(main, seat);
    if (move_request(main, seat, request) || view_request(main, seat, request)) {
        return;
    }
    if (request == REQUEST_QUIT) {
        quit(seat);
    } else if (request == REQUEST_CANCEL && job != NULL) {
        engine_cancel(seat->engine, job->id);
    } else if (request == REQUEST_DISMISS && job != NULL) {
        engine_forget(seat->engine, job->id);
    } else {
        size_t index = 0;
        bool has_row = table_selected(&main->tables[main->focus], &index);
        const struct action *action = action_find(seat, request, main->focus, has_row, index);
        if (action != NULL) {
            action_begin(seat, action, main->focus, has_row, index);
        }
    }
}

static bool main_type(struct screen *screen, struct seat *seat, int key)
{
    struct main_screen *main = main_of(screen);
    main->is_settled = true;
    if (!main->is_filtering) {
        return false;
    }
    if (key == '\r') {
        main->is_filtering = false;
    } else if (key == 27) {
        main->is_filtering = false;
        filter(main, seat, "");
    } else if (edit_key(&main->filter, key)) {
        main->filter.text[TABLE_FILTER_MAX - 1] = '\0';
        filter(main, seat, main->filter.text);
    } else {
        main->is_filtering = false; /* Tab, arrows: kept, and they do what they do */
        return false;
    }
    return true;
}

static void main_update(struct screen *screen, struct seat *seat)
{
    struct main_screen *main = main_of(screen);
    for (int pane = 0; pane < PANE_COUNT; pane++) {
        table_update(&main->tables[pane], seat->snapshot, clock_wall());
    }
    stream_update(&main->tail.stream);
    if (!main->is_settled && seat->snapshot->is_reconciled) {
        main->is_settled = true;
        focus_pane(main, seat->snapshot->vms_count > 0 ? PANE_VMS : PANE_CATALOG);
    }
}

/* "1 Catalog  2 of 6  /deb  by SIZE v" on the upper border. */
static void draw_title(const struct main_screen *main, const struct seat *seat, struct frame *frame,
    struct area area, enum pane pane)
{
    const struct table *table = &main->tables[pane];
    bool is_focused = main->focus == pane;
    struct pen pen = {.y = area.y, .x = area.x + 1, .limit = area.x + area.width - 2};
    pen_print(frame, &pen, is_focused ? ROLE_FOCUS : ROLE_STRONG, " %d %s ", (int)pane + 1,
        pane_infos[pane].title);
    if (table_is_filtered(table)) {
        pen_print(frame, &pen, ROLE_ATTENTION, " %zu of %zu /%s ", table->shown_count,
            table->listed_count, table->filter);
    } else {
        auto_done(text) struct text words = {0};
        pane_count_words(pane, seat->snapshot, false, &words);
        if (cells_width(text_cstr(&words), true) > pen.limit - pen.x - 2) {
            text_clear(&words);
            pane_count_words(pane, seat->snapshot, true, &words);
        }
        if (words.len > 0) {
            pen_print(frame, &pen, ROLE_TEXT, " %s ", text_cstr(&words));
        }
    }
    if (table->sort_column >= 0) {
        pen_print(
            frame, &pen, ROLE_TEXT, " by %s ", table->source->columns[table->sort_column].title);
        pen_glyph(
            frame, &pen, ROLE_TEXT, table->is_descending ? GLYPH_DESCENDING : GLYPH_ASCENDING);
        pen_text(frame, &pen, ROLE_TEXT, " ");
    }
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
        draw_text(frame, inner.y, inner.x + 1, inner.width - 2, ROLE_DIM, pane_infos[pane].empty);
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
    welcome_draw(
        seat, frame, right, has_offer ? pane_name(PANE_CATALOG, seat->snapshot, index) : "");
    draw_pane(main, seat, frame, areas[PANE_JOBS], PANE_JOBS);
}

static void main_draw(
    struct screen *screen, struct seat *seat, struct frame *frame, struct area area)
{
    struct main_screen *main = main_of(screen);
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

static bool main_draw_bottom(
    struct screen *screen, struct seat *seat, struct frame *frame, struct area line)
{
    struct main_screen *main = main_of(screen);
    if (!main->is_filtering) {
        return false;
    }
    struct pen pen = {.y = line.y, .x = line.x + 1, .limit = line.x + line.width - 1};
    pen_text(frame, &pen, ROLE_KEY, "/");
    int x = pen.x + edit_cursor_cells(&main->filter, seat->theme.is_utf8);
    pen_text(frame, &pen, ROLE_STRONG, main->filter.text);
    draw_cursor(frame, line.y, x);
    pen_skip(&pen, 3);
    pen_text(frame, &pen, ROLE_DIM, "Enter keeps it, Esc shows everything, ! in front inverts");
    return true;
}

static int main_wait_fd(const struct screen *screen)
{
    return main_const(screen)->tail.stream.fd;
}

static void main_ready(struct screen *screen, struct seat *seat)
{
    (void)seat;
    stream_read(&main_of(screen)->tail.stream);
}

static void main_free(struct screen *screen)
{
    struct main_screen *main = main_of(screen);
    for (int pane = 0; pane < PANE_COUNT; pane++) {
        table_done(&main->tables[pane]);
    }
    tail_done(&main->tail);
    free(main);
}

static const struct screen_ops main_ops = {
    .title = main_title,
    .contexts = main_contexts,
    .is_offered = main_is_offered,
    .request = main_request,
    .type = main_type,
    .update = main_update,
    .draw = main_draw,
    .draw_bottom = main_draw_bottom,
    .wait_fd = main_wait_fd,
    .ready = main_ready,
    .free = main_free,
};

struct screen *main_screen_new(struct seat *seat)
{
    struct main_screen *main = memory_zero(1, sizeof(*main));
    main->screen.ops = &main_ops;
    main->tail.stream = (struct stream){.seat = seat, .fd = -1};
    for (int pane = 0; pane < PANE_COUNT; pane++) {
        table_init(&main->tables[pane], pane_infos[pane].source, seat->theme.is_utf8);
    }
    return &main->screen;
}
