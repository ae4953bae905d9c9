/* SPDX-License-Identifier: MIT */
#include "ui/screens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/snapshot.h"
#include "ui/actions.h"
#include "ui/clipboard.h"
#include "ui/dialog.h"
#include "ui/format.h"
#include "ui/kept.h"
#include "ui/line.h"
#include "ui/main_screen.h"
#include "ui/refusals.h"
#include "ui/seat.h"

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

/* A job that ended badly under the cursor, or else the seat's last one: its form can be had again. */
static const char *failed_line(
    const struct main_screen *main, const struct seat *seat, const struct error **why)
{
    const struct job_item *job = selected_job(main, seat);
    bool is_bad = job != NULL && (job->state == JOB_FAILED || job->state == JOB_CANCELLED);
    *why = is_bad ? &job->error : &seat->failure;
    return is_bad ? job->line : seat->failed_line;
}

static bool main_is_offered(
    const struct screen *screen, const struct seat *seat, enum request request)
{
    const struct main_screen *main = main_const(screen);
    const struct job_item *job = selected_job(main, seat);
    const struct error *why = NULL;
    size_t index = 0;
    bool has_row = table_selected(&main->tables[main->focus], &index);
    switch ((int)request) {
    case REQUEST_OPEN:
    case REQUEST_COPY:
    case REQUEST_COPY_MORE:
        return has_row;
    case REQUEST_UNDO:
        return (seat->undo.count > 0 || seat->snapshot->host.trash_count > 0) &&
               seat_may_change(seat);
    case REQUEST_MENU:
        return true;
    case REQUEST_CANCEL:
        return job != NULL && format_job_is_active(job) && seat_may_change(seat);
    case REQUEST_EDIT:
        return failed_line(main, seat, &why) != NULL && seat_may_change(seat);
    case REQUEST_HURRY:
    case REQUEST_SOONER:
    case REQUEST_LATER:
        return job != NULL && job->state == JOB_QUEUED && seat_may_change(seat);
    case REQUEST_RETRY:
        return job != NULL && (job->state == JOB_FAILED || job->state == JOB_CANCELLED) &&
               seat_may_change(seat);
    case REQUEST_DISMISS:
        return job != NULL && !format_job_is_active(job) && !job->is_foreign;
    case REQUEST_BACK:
        return main->is_zoomed || table_is_filtered(&main->tables[main->focus]) ||
               main->tables[main->focus].marked.count > 0;
    case REQUEST_MARK:
    case REQUEST_MARK_ALL:
        return has_row && main->focus != PANE_JOBS;
    case REQUEST_FILTER:
    case REQUEST_ZOOM:
        return main->tables[main->focus].listed_count > 0 || main->is_zoomed;
    case REQUEST_COLUMNS:
        return main->focus != PANE_JOBS;
    case REQUEST_SORT:
    case REQUEST_REVERSE:
    case REQUEST_HOLD:
        return main->focus != PANE_JOBS && main->tables[main->focus].listed_count > 1;
    default:
        break;
    }
    if (request >= REQUEST_PULL && request <= REQUEST_DOCTOR) {
        return main_can_act(main, seat, request);
    }
    return true;
}

static void main_refuse(const struct screen *screen, const struct seat *seat, enum request request,
    struct text *sentence)
{
    const struct main_screen *main = main_const(screen);
    size_t index = 0;
    size_t count = 0;
    if (!seat_may_change(seat)) {
        return;
    }
    pane_infos[main->focus].source->section(seat->snapshot, &count);
    if (request == REQUEST_UNDO) {
        text_append(sentence, "The trash is empty: there is nothing to take back");
    } else if (main_acted_on(main, seat, &index)) {
        refusal_words(seat, request, main->focus, index, sentence);
    } else if (count == 0) {
        pane_empty_words(main->focus, &seat->keymap, sentence);
    }
}

void main_focus(struct main_screen *main, int pane)
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
        main_focus(main, (int)layout_beside(&main->layout, main->focus, request == REQUEST_RIGHT));
        return true;
    case REQUEST_NEXT_PANE:
        main_focus(main, (int)main->focus + 1);
        return true;
    case REQUEST_PREVIOUS_PANE:
        main_focus(main, (int)main->focus - 1);
        return true;
    case REQUEST_PANE_1:
    case REQUEST_PANE_2:
    case REQUEST_PANE_3:
    case REQUEST_PANE_4:
    case REQUEST_PANE_5:
        main_focus(main, (int)request - REQUEST_PANE_1);
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
    if (table->marked.count > 0) {
        table_clear_marks(table);
    } else if (table_is_filtered(table)) {
        filter(main, seat, "");
    } else {
        main->is_zoomed = false;
    }
}

/* Its name, or what is worth more than that. */
static void copy_row(struct main_screen *main, struct seat *seat, bool is_more)
{
    size_t index = 0;
    if (!table_selected(&main->tables[main->focus], &index)) {
        return;
    }
    auto_done(text) struct text more = {0};
    const char *what = "the name";
    if (is_more) {
        what = pane_copy_words(main->focus, seat->snapshot, index, &more);
    }
    const char *text = is_more ? text_cstr(&more) : pane_name(main->focus, seat->snapshot, index);
    if (text[0] == '\0') {
        seat_say(seat, ROLE_ATTENTION, "There is nothing to copy here.");
    } else {
        clipboard_copy(seat, what, text);
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
    case REQUEST_MARK:
        table_mark(table);
        table_move(table, seat->snapshot, 1);
        return true;
    case REQUEST_MARK_ALL:
        table_mark_all(table, seat->snapshot);
        return true;
    case REQUEST_SORT:
        table_sort_next(table);
        table_update(table, seat->snapshot, clock_wall());
        return true;
    case REQUEST_REVERSE:
        table_sort_reverse(table);
        table_update(table, seat->snapshot, clock_wall());
        return true;
    case REQUEST_HOLD:
        table_hold(table, seat->snapshot, !table->is_held);
        table_update(table, seat->snapshot, clock_wall());
        return true;
    case REQUEST_COLUMNS:
        seat_open(seat, columns_screen_new(pane_infos[main->focus].title, table));
        return true;
    case REQUEST_ZOOM:
        main->is_zoomed = !main->is_zoomed;
        return true;
    case REQUEST_COPY:
    case REQUEST_COPY_MORE:
        copy_row(main, seat, request == REQUEST_COPY_MORE);
        return true;
    case REQUEST_UNDO:
        undo_take_back(seat);
        return true;
    case REQUEST_MENU:
        seat_open(seat, menu_screen_new(seat, main_row(main, seat)));
        return true;
    case REQUEST_TRASH:
        if (seat_may_change(seat)) {
            seat_open(seat, trash_screen_new(seat));
        }
        return seat_may_change(seat); /* who may only look gets the list */
    case REQUEST_MESSAGES:
        seat_skip_news(seat); /* it is all there */
        seat_open(seat, messages_screen_new(seat));
        return true;
    case REQUEST_PALETTE:
        seat_open(seat, palette_screen_new(seat, main_row(main, seat)));
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

/* What failed, as a form with what was typed: to be changed and tried again. */
static void edit_again(const struct main_screen *main, struct seat *seat)
{
    struct error err = {0};
    const struct error *why = NULL;
    const char *line = failed_line(main, seat, &why);
    struct command *command = line != NULL ? line_parse(line, &err) : NULL;
    if (command != NULL) {
        seat_open(seat, form_screen_again(seat, command, why));
    } else {
        seat_say(seat, ROLE_BAD, "%s", err.text);
    }
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
    } else if (request == REQUEST_EDIT) {
        edit_again(main, seat);
    } else if (job == NULL || !main_job_request(seat, job, request)) {
        main_act(main, seat, request);
    }
}

static bool main_type(struct screen *screen, struct seat *seat, int key)
{
    struct main_screen *main = main_of(screen);
    main->is_settled = true;
    main->was_clicked = false;
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
        /* Tab, arrows, ^C: kept, and they do what they do. A repaint or the mouse ends nothing. */
        const struct request_row *row = keymap_find(&seat->keymap, key, CONTEXT_LIST, NULL);
        main->is_filtering =
            row != NULL && row->contexts == CONTEXT_ANY && row->request != REQUEST_INTERRUPT;
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
        main_focus(main, seat->snapshot->vms_count > 0 ? PANE_VMS : PANE_CATALOG);
    }
}

static bool main_draw_bottom(
    struct screen *screen, struct seat *seat, struct frame *frame, struct area line)
{
    (void)seat;
    struct main_screen *main = main_of(screen);
    if (!main->is_filtering) {
        return false;
    }
    dialog_typing(frame, line, "/", &main->filter,
        "Enter keeps it, Esc shows everything, ! in front inverts");
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
    kept_remember(main, main->tail.stream.seat);
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
    .refuse = main_refuse,
    .request = main_request,
    .type = main_type,
    .click = main_click,
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
    kept_restore(main, seat);
    return &main->screen;
}
