/* SPDX-License-Identifier: MIT */
#include "ui/viewer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "ui/dialog.h"
#include "ui/seat.h"
#include "ui/term_key.h"

#define WHEEL_LINES 3

static struct viewer *viewer_of(struct screen *screen)
{
    return (struct viewer *)screen;
}

static const struct viewer *viewer_const(const struct screen *screen)
{
    return (const struct viewer *)screen;
}

/* What it shows: its own page, or the one that grows elsewhere. */
static struct page *page_of(struct viewer *viewer)
{
    return viewer->source->page != NULL ? viewer->source->page(viewer) : &viewer->filled;
}

static const char *viewer_title(const struct screen *screen)
{
    return viewer_const(screen)->source->title;
}

static unsigned viewer_contexts(const struct screen *screen)
{
    const struct viewer *viewer = viewer_const(screen);
    unsigned own = viewer->source->contexts != NULL ? viewer->source->contexts(viewer) : 0;
    return CONTEXT_VIEWER | own;
}

static bool viewer_is_offered(
    const struct screen *screen, const struct seat *seat, enum request request)
{
    (void)seat;
    const struct viewer *viewer = viewer_const(screen);
    switch ((int)request) {
    case REQUEST_FOLLOW:
        return viewer->source->page != NULL && !viewer->pager.is_following;
    case REQUEST_SEARCH_NEXT:
    case REQUEST_SEARCH_PREVIOUS:
        return viewer->pager.search.len > 0 && !viewer->pager.has_failed;
    case REQUEST_OPEN:
        return false; /* it is open */
    case REQUEST_TIMES:
    case REQUEST_DIVIDE:
        return viewer->source->is_offered != NULL && viewer->source->is_offered(viewer, request);
    default:
        break;
    }
    bool is_of_row = request >= REQUEST_PULL && request <= REQUEST_DOCTOR;
    return !is_of_row ||
           (viewer->source->is_offered != NULL && viewer->source->is_offered(viewer, request));
}

/* Everything on the page, as it is shown, into a new file of the current directory. */
static void save(struct viewer *viewer, struct seat *seat)
{
    struct error err = {0};
    auto_done(text) struct text all = {0};
    const struct page *page = page_of(viewer);
    for (size_t i = 0; i < page->count; i++) {
        const struct page_line *line = &page->lines[i];
        if (line->label != NULL) {
            text_printf(&all, "%-*s", PAGE_LABEL_CELLS, line->label);
        }
        text_append_safe(&all, line->text, strlen(line->text), true);
        text_append_char(&all, '\n');
    }
    char moment[CLOCK_TEXT_LEN];
    clock_format(clock_wall(), moment);
    auto_free char *here = getcwd(NULL, 0);
    auto_free char *path = memory_printf("%s/banger-%s.txt", here != NULL ? here : ".", moment);
    auto_close int fd = file_create(AT_FDCWD, path, &err);
    if (fd < 0 || !file_write_all(fd, text_cstr(&all), all.len, &err)) {
        seat_say(seat, ROLE_BAD, "%s", err.text);
        return;
    }
    seat_say(seat, ROLE_GOOD, "Saved as %s", path);
}

static void viewer_refuse(const struct screen *screen, const struct seat *seat,
    enum request request, struct text *sentence)
{
    (void)seat;
    if (request == REQUEST_FOLLOW && viewer_const(screen)->pager.is_following) {
        text_append(sentence, "It follows already; going up stops it");
    } else if (viewer_const(screen)->source->refuse != NULL) {
        viewer_const(screen)->source->refuse(viewer_const(screen), request, sentence);
    }
}

static void viewer_request(struct screen *screen, struct seat *seat, enum request request)
{
    struct viewer *viewer = viewer_of(screen);
    if (pager_request(&viewer->pager, page_of(viewer), request, viewer->width)) {
        return;
    }
    if (request == REQUEST_BACK) {
        seat_close(seat, screen);
    } else if (request == REQUEST_SAVE) {
        save(viewer, seat);
    } else if (viewer->source->request != NULL) {
        viewer->source->request(viewer, seat, request);
    }
}

static bool viewer_type(struct screen *screen, struct seat *seat, int key)
{
    (void)seat;
    struct viewer *viewer = viewer_of(screen);
    return pager_type(&viewer->pager, page_of(viewer), key);
}

static void viewer_click(struct screen *screen, struct seat *seat, const struct term_click *click)
{
    (void)seat;
    struct viewer *viewer = viewer_of(screen);
    enum request request = click->kind == CLICK_WHEEL_UP ? REQUEST_UP : REQUEST_DOWN;
    for (int i = 0; i < WHEEL_LINES && click->kind != CLICK_PRESS; i++) {
        pager_request(&viewer->pager, page_of(viewer), request, viewer->width);
    }
}

static void viewer_update(struct screen *screen, struct seat *seat)
{
    struct viewer *viewer = viewer_of(screen);
    if (viewer->source->update != NULL) {
        viewer->source->update(viewer, seat);
    }
    if (viewer->source->fill != NULL && viewer->width > 0) {
        page_clear(&viewer->filled);
        viewer->source->fill(viewer, seat, &viewer->filled, viewer->width);
    }
}

static void viewer_draw(
    struct screen *screen, struct seat *seat, struct frame *frame, struct area area)
{
    struct viewer *viewer = viewer_of(screen);
    struct area inner = draw_inside(area);
    inner.x++;
    inner.width -= 2;
    if (viewer->width != inner.width) {
        viewer->width = inner.width;
        viewer_update(screen, seat);
    }
    char words[64];
    draw_border(frame, area, true);
    pager_draw(&viewer->pager, page_of(viewer), frame, inner);
    pager_words(&viewer->pager, page_of(viewer), words, sizeof(words));
    struct pen pen = {.y = area.y, .x = area.x + 1, .limit = area.x + area.width - 2};
    pen_print(frame, &pen, ROLE_FOCUS, " %s ", viewer->title);
    if (viewer->pager.search.len > 0 && !viewer->pager.is_searching) {
        pen_print(frame, &pen, ROLE_ATTENTION, " /%s%s ", viewer->pager.search.text,
            viewer->pager.has_failed ? ": not found" : "");
    }
    if (viewer->pager.filter.len > 0) {
        pen_print(frame, &pen, ROLE_ATTENTION, " %zu of %zu lines  &%s ",
            pager_kept(&viewer->pager, page_of(viewer)), page_of(viewer)->count,
            viewer->pager.filter.text);
    }
    int line_cells = (int)viewer->line.len + 4;
    if (viewer->line.len > 0 && pen.limit - pen.x > line_cells) {
        auto_free char *line = memory_printf(" %s ", text_cstr(&viewer->line));
        draw_right(frame, area.y, pen.x, area.x + area.width - 2 - pen.x, ROLE_DIM, line);
    }
    auto_free char *place = memory_printf(" %s ", words);
    draw_right(frame, area.y + area.height - 1, area.x + 1, area.width - 3, ROLE_DIM, place);
}

static bool viewer_draw_bottom(
    struct screen *screen, struct seat *seat, struct frame *frame, struct area line)
{
    (void)seat;
    struct viewer *viewer = viewer_of(screen);
    const struct pager *pager = &viewer->pager;
    if (pager->is_filtering) {
        dialog_typing(frame, line, "&", &pager->filter,
            "Enter keeps it, Esc shows everything, ! in front inverts");
    } else if (pager->is_searching) {
        dialog_typing(frame, line, "/", &pager->search,
            pager->has_failed ? "not found" : "Enter keeps it, n goes to the next");
    }
    return pager->is_filtering || pager->is_searching;
}

static int viewer_wait_fd(const struct screen *screen)
{
    const struct viewer *viewer = viewer_const(screen);
    return viewer->source->wait_fd != NULL ? viewer->source->wait_fd(viewer) : -1;
}

static void viewer_ready(struct screen *screen, struct seat *seat)
{
    struct viewer *viewer = viewer_of(screen);
    viewer->source->ready(viewer, seat);
}

static void viewer_free(struct screen *screen)
{
    struct viewer *viewer = viewer_of(screen);
    if (viewer->source->free != NULL) {
        viewer->source->free(viewer);
    }
    page_done(&viewer->filled);
    text_done(&viewer->line);
    pager_done(&viewer->pager);
    free(viewer);
}

static const struct screen_ops viewer_ops = {
    .title = viewer_title,
    .contexts = viewer_contexts,
    .is_offered = viewer_is_offered,
    .refuse = viewer_refuse,
    .request = viewer_request,
    .type = viewer_type,
    .click = viewer_click,
    .update = viewer_update,
    .draw = viewer_draw,
    .draw_bottom = viewer_draw_bottom,
    .wait_fd = viewer_wait_fd,
    .ready = viewer_ready,
    .free = viewer_free,
};

struct viewer *viewer_new(const struct viewer_source *source, const char *title, void *state)
{
    struct viewer *viewer = memory_zero(1, sizeof(*viewer));
    viewer->screen.ops = &viewer_ops;
    viewer->source = source;
    viewer->state = state;
    viewer->pager.can_follow = source->page != NULL;
    viewer->pager.is_following = viewer->pager.can_follow;
    snprintf(viewer->title, sizeof(viewer->title), "%s", title);
    return viewer;
}
