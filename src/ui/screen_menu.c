/* SPDX-License-Identifier: MIT */
/* What can be done to a row as it is now, then what else its pane is for: the command table as a
 * menu. What destroys stands last. */
#include "ui/screens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"
#include "ui/actions.h"
#include "ui/dialog.h"
#include "ui/listbox.h"
#include "ui/screen.h"
#include "ui/seat.h"

#define WIDTH 69
#define NAME_CELLS 19
#define KEY_CELLS 4

struct menu_screen {
    struct screen screen;
    struct seat *seat;
    char title[160];
    struct row row;
    char name[128]; /* of the row; "" for none */
    const struct verb **verbs;
    bool *is_about; /* beside each: it is done to the row */
    struct listbox box;
};

static struct menu_screen *menu_of(struct screen *screen)
{
    return (struct menu_screen *)screen;
}

static const char *menu_title(const struct screen *screen)
{
    return ((const struct menu_screen *)screen)->title;
}

static unsigned menu_contexts(const struct screen *screen)
{
    (void)screen;
    return CONTEXT_CHOICE;
}

static bool menu_is_offered(
    const struct screen *screen, const struct seat *seat, enum request request)
{
    (void)screen;
    (void)seat;
    (void)request;
    return true;
}

/* The verb on the row, as far as the row says it; the rest is asked in a form. */
static void carry_out(struct menu_screen *self, struct seat *seat)
{
    struct error err = {0};
    const struct verb *verb = self->verbs[self->box.marked];
    struct command *command = command_new(verb);
    if (self->is_about[self->box.marked] &&
        !command_set(command, action_operand(verb)->name, self->name, &err)) {
        seat_say(seat, ROLE_BAD, "%s", err.text);
        command_free(command);
        return;
    }
    seat_close(seat, &self->screen);
    action_begin_command(seat, command);
}

static void menu_request(struct screen *screen, struct seat *seat, enum request request)
{
    struct menu_screen *self = menu_of(screen);
    if (listbox_request(&self->box, request)) {
        return;
    }
    if (request == REQUEST_ACCEPT && self->box.count > 0) {
        carry_out(self, seat);
    } else if (request == REQUEST_BACK) {
        seat_close(seat, screen);
    }
}

static void draw_verb(void *context, struct frame *frame, struct area line, size_t index)
{
    const struct menu_screen *self = context;
    const struct verb *verb = self->verbs[index];
    auto_free char *name = verb_words(verb);
    auto_done(text) struct text key = {0};
    enum request request = action_request(self->row.pane, verb);
    if (request != REQUEST_NONE) {
        keymap_name(&self->seat->keymap,
            keys_row(request, pane_infos[self->row.pane].context | CONTEXT_LIST), &key);
    }
    struct pen pen = {.y = line.y, .x = line.x, .limit = line.x + line.width};
    draw_text(frame, line.y, pen.x, KEY_CELLS - 1, ROLE_KEY, text_cstr(&key));
    pen_skip(&pen, KEY_CELLS);
    enum role role = (verb->flags & VERB_DESTROYS) != 0 ? ROLE_BAD : ROLE_TEXT;
    draw_text(frame, line.y, pen.x, NAME_CELLS, role, name);
    pen_skip(&pen, NAME_CELLS + 1);
    pen_text(frame, &pen, ROLE_DIM, verb->summary);
}

static void menu_draw(
    struct screen *screen, struct seat *seat, struct frame *frame, struct area area)
{
    (void)seat;
    struct menu_screen *self = menu_of(screen);
    int width = area.width - 6 < WIDTH ? area.width - 6 : WIDTH;
    int height = area.height - 4 < (int)self->box.count ? area.height - 4 : (int)self->box.count;
    struct area inner = dialog_box(frame, area, width, height, ROLE_FOCUS, self->title);
    listbox_draw(&self->box, frame, inner, draw_verb, self);
    listbox_draw_place(&self->box, frame, inner);
}

static bool menu_draw_bottom(
    struct screen *screen, struct seat *seat, struct frame *frame, struct area line)
{
    (void)screen;
    (void)seat;
    struct pen pen = {.y = line.y, .x = line.x + 1, .limit = line.x + line.width};
    pen_key(frame, &pen, "Up Down", "Choose");
    pen_key(frame, &pen, "Enter", "Do it, or ask for the rest first");
    pen_key(frame, &pen, "Esc", "Back");
    return true;
}

static void menu_free(struct screen *screen)
{
    free(menu_of(screen)->verbs);
    free(menu_of(screen)->is_about);
    free(screen);
}

static const struct screen_ops menu_ops = {
    .is_overlay = true,
    .title = menu_title,
    .contexts = menu_contexts,
    .is_offered = menu_is_offered,
    .request = menu_request,
    .draw = menu_draw,
    .draw_bottom = menu_draw_bottom,
    .free = menu_free,
};

enum rank {
    RANK_KEY,
    RANK_ASKED,
    RANK_ROW,
    RANK_PANE,
    RANK_DESTROYS,
    RANK_HOST,
    RANK_HOST_DESTROYS,
    RANK_NONE
};

/* Where the verb stands in the menu: what a key does to the row, what else is done to it, what the
 * pane is for, the host; of each what destroys behind the others. */
static enum rank rank_of(
    const struct menu_screen *self, const struct seat *seat, const struct verb *verb, bool is_about)
{
    static const char *const subjects[PANE_COUNT] = {
        [PANE_CATALOG] = "catalog",
        [PANE_KERNELS] = "kernel",
        [PANE_IMAGES] = "image",
        [PANE_VMS] = "vm",
        [PANE_JOBS] = "job",
    };
    bool is_destroying = (verb->flags & VERB_DESTROYS) != 0;
    enum action_use use = action_use(seat, &self->row, verb);
    if ((verb->flags & (VERB_LOCAL | VERB_HIDDEN)) != 0 || use == ACTION_NOT_NOW ||
        ((verb->flags & VERB_READS) == 0 && !seat_may_change(seat))) {
        return RANK_NONE;
    }
    if (strcmp(verb->subject, "host") == 0) {
        return is_destroying ? RANK_HOST_DESTROYS : RANK_HOST;
    }
    bool is_here = use != ACTION_NO_KEY || strcmp(verb->subject, subjects[self->row.pane]) == 0;
    if (!is_here) {
        return RANK_NONE;
    }
    return is_destroying          ? RANK_DESTROYS
           : use == ACTION_ON_ROW ? RANK_KEY
           : use == ACTION_ASKED  ? RANK_ASKED
           : is_about             ? RANK_ROW
                                  : RANK_PANE;
}

static void collect(struct menu_screen *self, const struct seat *seat)
{
    size_t count = 0;
    self->verbs = memory_zero(verb_count(), sizeof(struct verb *));
    self->is_about = memory_zero(verb_count(), sizeof(*self->is_about));
    for (int rank = RANK_KEY; rank < RANK_NONE; rank++) {
        for (size_t i = 0; i < verb_count(); i++) {
            const struct verb *verb = verb_at(i);
            bool is_about = action_is_about(verb, seat->snapshot, &self->row);
            if ((int)rank_of(self, seat, verb, is_about) == rank) {
                self->verbs[count] = verb;
                self->is_about[count++] = is_about;
            }
        }
    }
    listbox_set_count(&self->box, count);
}

struct screen *menu_screen_new(struct seat *seat, struct row row)
{
    struct menu_screen *self = memory_zero(1, sizeof(*self));
    self->screen.ops = &menu_ops;
    self->seat = seat;
    snprintf(self->name, sizeof(self->name), "%s", row.name);
    snprintf(self->title, sizeof(self->title), "%s%s%s", pane_infos[row.pane].title,
        self->name[0] != '\0' ? ": " : "", self->name);
    self->row = row;
    self->row.name = self->name;
    collect(self, seat);
    return &self->screen;
}
