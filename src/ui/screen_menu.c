/* SPDX-License-Identifier: MIT */
/* Everything that can be done to a row, and what else its pane is for: the command table as a menu.
 * What destroys stands last. */
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
    char title[96];
    enum pane pane;
    char name[128]; /* of the row; "" for none */
    const struct verb **verbs;
    struct listbox box;
};

/* Whether the verbs of a subject act on what a pane lists. */
static bool subject_is_row(enum pane pane, const char *subject)
{
    static const char *const subjects[PANE_COUNT] = {
        [PANE_CATALOG] = "kernel image",
        [PANE_KERNELS] = "kernel",
        [PANE_IMAGES] = "image",
        [PANE_VMS] = "vm",
        [PANE_JOBS] = "job",
    };
    return strstr(subjects[pane], subject) != NULL;
}

/* Whether they belong into the pane's menu at all: the catalogs' into theirs, the host's into each. */
static bool subject_is_here(enum pane pane, const char *subject)
{
    return subject[0] != '\0' && (subject_is_row(pane, subject) || strcmp(subject, "host") == 0 ||
                                     (pane == PANE_CATALOG && strcmp(subject, "catalog") == 0));
}

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
    const struct argument *operand = action_operand(verb);
    struct command *command = command_new(verb);
    bool is_of_row = operand != NULL && self->name[0] != '\0' &&
                     (operand->kind == ARGUMENT_NAME || operand->kind == ARGUMENT_IMAGE) &&
                     subject_is_row(self->pane, verb->subject);
    if (is_of_row && !command_set(command, operand->name, self->name, &err)) {
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
    auto_free char *name = memory_printf("%s %s", verb->subject, verb->name);
    auto_done(text) struct text key = {0};
    enum request request = action_request(self->pane, verb);
    if (request != REQUEST_NONE) {
        keymap_name(&self->seat->keymap,
            keys_row(request, pane_infos[self->pane].context | CONTEXT_LIST), &key);
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

/* First what is done to the row, then the rest of the pane; of each what destroys at the end. */
static void collect(struct menu_screen *self, const struct seat *seat)
{
    size_t count = 0;
    self->verbs = memory_zero(verb_count(), sizeof(struct verb *));
    for (int round = 0; round < 4; round++) {
        bool wants_row = round < 2;
        bool wants_destroying = round % 2 == 1;
        for (size_t i = 0; i < verb_count(); i++) {
            const struct verb *verb = verb_at(i);
            bool is_row = subject_is_row(self->pane, verb->subject);
            bool is_destroying = (verb->flags & VERB_DESTROYS) != 0;
            bool is_offered = (verb->flags & (VERB_LOCAL | VERB_HIDDEN)) == 0 &&
                              ((verb->flags & VERB_READS) != 0 || seat_may_change(seat));
            if (is_offered && subject_is_here(self->pane, verb->subject) && is_row == wants_row &&
                is_destroying == wants_destroying) {
                self->verbs[count++] = verb;
            }
        }
    }
    listbox_set_count(&self->box, count);
}

struct screen *menu_screen_new(struct seat *seat, enum pane pane, const char *name)
{
    struct menu_screen *self = memory_zero(1, sizeof(*self));
    self->screen.ops = &menu_ops;
    self->seat = seat;
    self->pane = pane;
    snprintf(self->name, sizeof(self->name), "%s", name);
    snprintf(self->title, sizeof(self->title), "%s%s%s", pane_infos[pane].title,
        name[0] != '\0' ? ": " : "", name);
    collect(self, seat);
    return &self->screen;
}
