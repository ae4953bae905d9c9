/* SPDX-License-Identifier: MIT */
/* What was removed and can be taken back, the newest first; Enter takes the marked one back. */
#include "ui/screens.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/snapshot.h"
#include "ui/actions.h"
#include "ui/dialog.h"
#include "ui/format.h"
#include "ui/listbox.h"
#include "ui/result.h"
#include "ui/screen.h"
#include "ui/seat.h"
#include "ui/undo.h"

#define WIDTH 74
#define NAME_CELLS 32
#define SIZE_CELLS 10
#define DAY_CELLS 10
#define NOTHING "Nothing was removed: what x removes waits here, and u takes it back."

struct trash_screen {
    struct screen screen;
    struct seat *seat;
    uint64_t asked;    /* the job that lists the trash; 0: it has answered */
    struct json *rows; /* as it said it; the oldest first */
    struct text why;   /* in place of rows */
    struct listbox box;
};

static struct trash_screen *trash_of(struct screen *screen)
{
    return (struct trash_screen *)screen;
}

static const char *trash_title(const struct screen *screen)
{
    (void)screen;
    return "Trash";
}

static unsigned trash_contexts(const struct screen *screen)
{
    (void)screen;
    return CONTEXT_CHOICE;
}

static bool trash_is_offered(
    const struct screen *screen, const struct seat *seat, enum request request)
{
    (void)screen;
    (void)seat;
    (void)request;
    return true;
}

static const struct json *row_at(const struct trash_screen *self, size_t index)
{
    return json_at(self->rows, self->box.count - 1 - index);
}

static void take_back(struct trash_screen *self, struct seat *seat)
{
    struct error err = {0};
    struct command *command =
        undo_command(json_string(row_at(self, self->box.marked), "id", ""), &err);
    if (command == NULL) {
        seat_say(seat, ROLE_BAD, "%s", err.text);
        return;
    }
    seat_close(seat, &self->screen);
    action_go(seat, command, false);
}

static void trash_request(struct screen *screen, struct seat *seat, enum request request)
{
    struct trash_screen *self = trash_of(screen);
    if (listbox_request(&self->box, request)) {
        return;
    }
    if (request == REQUEST_ACCEPT && self->box.count > 0) {
        take_back(self, seat);
    } else if (request == REQUEST_BACK) {
        seat_close(seat, screen);
    }
}

static void trash_update(struct screen *screen, struct seat *seat)
{
    struct trash_screen *self = trash_of(screen);
    const struct job_item *job =
        self->asked != 0 ? snapshot_find_job(seat->snapshot, self->asked) : NULL;
    if (job == NULL || !job_state_is_final(job->state)) {
        return;
    }
    self->asked = 0;
    self->rows = job->result != NULL ? result_parse(job) : NULL;
    listbox_set_count(&self->box, self->rows != NULL ? json_count(self->rows) : 0);
    text_clear(&self->why);
    text_append(&self->why, job->state == JOB_OK ? NOTHING : job->error.text);
    seat_abandon(seat, job->id);
}

static void draw_row(void *context, struct frame *frame, struct area line, size_t index)
{
    const struct trash_screen *self = context;
    const struct json *row = row_at(self, index);
    char size[UNITS_MAX];
    int64_t at = 0;
    auto_done(text) struct text age = {0};
    auto_done(text) struct text name = {0};
    clock_parse(json_string(row, "trashed_at", ""), &at);
    format_age(&age, clock_wall(), at, NULL);
    result_put_thing(row, &name);
    auto_free char *told = memory_printf("%*s  %s ago, until %.*s", SIZE_CELLS,
        units_format_size((uint64_t)json_integer(row, "disk_bytes", 0), size), text_cstr(&age),
        DAY_CELLS, json_string(row, "restorable_until", ""));
    draw_text(frame, line.y, line.x, NAME_CELLS, ROLE_TEXT, text_cstr(&name));
    int used = NAME_CELLS + 1;
    draw_text(frame, line.y, line.x + used, line.width - used, ROLE_DIM, told);
}

static void trash_draw(
    struct screen *screen, struct seat *seat, struct frame *frame, struct area area)
{
    (void)seat;
    struct trash_screen *self = trash_of(screen);
    int rows = self->box.count > 0 ? (int)self->box.count : 1;
    int width = area.width - 6 < WIDTH ? area.width - 6 : WIDTH;
    int height = area.height - 4 < rows ? area.height - 4 : rows;
    struct area inner =
        dialog_box(frame, area, width, height, ROLE_FOCUS, "Take back from the trash");
    if (self->box.count == 0) {
        draw_text(frame, inner.y, inner.x, inner.width, ROLE_DIM, text_cstr(&self->why));
        return;
    }
    listbox_draw(&self->box, frame, inner, draw_row, self);
    listbox_draw_place(&self->box, frame, inner);
}

static bool trash_draw_bottom(
    struct screen *screen, struct seat *seat, struct frame *frame, struct area line)
{
    (void)seat;
    struct pen pen = {.y = line.y, .x = line.x + 1, .limit = line.x + line.width};
    if (trash_of(screen)->box.count > 0) {
        pen_key(frame, &pen, "Up Down", "Choose");
        pen_key(frame, &pen, "Enter", "Take it back");
    }
    pen_key(frame, &pen, "Esc", "Back");
    return true;
}

static void trash_free(struct screen *screen)
{
    struct trash_screen *self = trash_of(screen);
    if (self->asked != 0) {
        seat_abandon(self->seat, self->asked);
    }
    json_free(self->rows);
    text_done(&self->why);
    free(self);
}

static const struct screen_ops trash_ops = {
    .is_overlay = true,
    .title = trash_title,
    .contexts = trash_contexts,
    .is_offered = trash_is_offered,
    .request = trash_request,
    .update = trash_update,
    .draw = trash_draw,
    .draw_bottom = trash_draw_bottom,
    .free = trash_free,
};

struct screen *trash_screen_new(struct seat *seat)
{
    struct error err = {0};
    struct trash_screen *self = memory_zero(1, sizeof(*self));
    self->screen.ops = &trash_ops;
    self->seat = seat;
    text_append(&self->why, "Looking into the trash");
    struct command *command = command_new(verb_find("host", "trash list"));
    if (!engine_submit(seat->engine, command, &self->asked, &err)) {
        self->asked = 0;
        text_clear(&self->why);
        text_append(&self->why, err.text);
    }
    return &self->screen;
}
