/* SPDX-License-Identifier: MIT */
#include "ui/screens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/snapshot.h"
#include "ui/actions.h"
#include "ui/complete.h"
#include "ui/dialog.h"
#include "ui/edit.h"
#include "ui/line.h"
#include "ui/listbox.h"
#include "ui/screen.h"
#include "ui/seat.h"

#define WIDTH 60
#define ROWS 10
#define SUMMARY_CELLS 21

/* What can be typed is a batch line; what it lacks is asked in the verb's form. */
struct palette_screen {
    struct screen screen;
    struct edit edit;
    struct strings found; /* whole lines that what is typed could become */
    struct listbox box;   /* of them */
    struct error error;   /* why the line was not carried out */
    struct row row;       /* under the cursor below */
    char name[128];       /* its name */
};

static struct palette_screen *palette_of(struct screen *screen)
{
    return (struct palette_screen *)screen;
}

static const char *palette_title(const struct screen *screen)
{
    (void)screen;
    return "Do";
}

static unsigned palette_contexts(const struct screen *screen)
{
    (void)screen;
    return CONTEXT_FORM;
}

static bool palette_is_offered(
    const struct screen *screen, const struct seat *seat, enum request request)
{
    (void)screen;
    (void)seat;
    (void)request;
    return true;
}

/* The verb that a line begins with, and what follows it. */
static const struct verb *verb_of_line(const char *line, const char **rest)
{
    auto_done(strings) struct strings words = {0};
    strings_split(&words, line, " ");
    *rest = "";
    size_t used = 0;
    const struct verb *verb = line_verb(&words, &used);
    if (verb == NULL || (verb->flags & (VERB_LOCAL | VERB_HIDDEN)) != 0) {
        return NULL;
    }
    const char *at = line;
    for (size_t word = 0; word < used; word++) {
        at += strspn(at, " ");
        at += strcspn(at, " ");
    }
    *rest = at + strspn(at, " ");
    return verb;
}

/* The last word of a line, and the option that stands before it; NULL for none. */
static const char *last_word(
    const struct verb *verb, const char *rest, const struct argument **option)
{
    const char *last = strrchr(rest, ' ');
    last = last != NULL ? last + 1 : rest;
    auto_free char *before = memory_strndup(rest, (size_t)(last - rest));
    auto_done(strings) struct strings words = {0};
    strings_split(&words, before, " ");
    const char *word = words.count > 0 ? words.items[words.count - 1] : "";
    *option = strncmp(word, "--", 2) == 0 ? verb_argument(verb, word + 2) : NULL;
    if (*option != NULL && (*option)->kind == ARGUMENT_FLAG) {
        *option = NULL;
    }
    return last;
}

/* The options that could come next, or the values of the one that was typed. */
static void find_options(struct palette_screen *self, const struct snapshot *snapshot,
    const struct verb *verb, const char *rest)
{
    const struct argument *option;
    const char *last = last_word(verb, rest, &option);
    int kept = (int)(self->edit.len - strlen(last));
    auto_done(strings) struct strings values = {0};
    if (option != NULL) {
        complete_argument(snapshot, verb, option, last, &values);
    }
    for (size_t i = 0; i < values.count; i++) {
        strings_printf(&self->found, "%.*s%s", kept, self->edit.text, values.items[i]);
    }
    for (size_t i = 0; option == NULL && i < verb->argument_count; i++) {
        auto_free char *word = memory_printf("--%s", verb->arguments[i].name);
        bool is_option =
            !verb->arguments[i].is_positional && verb->arguments[i].kind != ARGUMENT_REST;
        if (is_option && text_has_prefix(word, last)) {
            strings_printf(&self->found, "%.*s%s", kept, self->edit.text, word);
        }
    }
}

static void find(struct palette_screen *self, const struct snapshot *snapshot)
{
    strings_done(&self->found);
    self->found = (struct strings){0};
    const char *rest = "";
    const struct verb *verb = verb_of_line(self->edit.text, &rest);
    bool has_object = verb != NULL && (rest[0] != '\0' || text_has_suffix(self->edit.text, " "));
    if (!has_object) {
        complete_verbs(self->edit.text, &self->found);
    } else {
        const struct argument *operand = action_operand(verb);
        auto_done(strings) struct strings names = {0};
        auto_free char *words = verb_words(verb);
        if (operand != NULL) {
            complete_argument(snapshot, verb, operand, rest, &names);
        }
        for (size_t i = 0; i < names.count; i++) {
            strings_printf(&self->found, "%s %s", words, names.items[i]);
        }
        if (names.count == 0) {
            find_options(self, snapshot, verb, rest);
        }
    }
    listbox_set_count(&self->box, self->found.count);
}

static void carry_out(struct palette_screen *self, struct seat *seat)
{
    const char *rest = "";
    error_clear(&self->error);
    if (verb_of_line(self->edit.text, &rest) == NULL && self->found.count > 0) {
        edit_set(&self->edit, self->found.items[self->box.marked]);
    }
    struct command *command = line_parse(self->edit.text, &self->error);
    if (command == NULL) {
        return;
    }
    seat_close(seat, &self->screen);
    action_begin_on(seat, command, &self->row);
}

static bool palette_type(struct screen *screen, struct seat *seat, int key)
{
    struct palette_screen *self = palette_of(screen);
    if (!edit_key(&self->edit, key)) {
        return false;
    }
    error_clear(&self->error);
    self->box.marked = 0;
    find(self, seat->snapshot);
    return true;
}

static void take_marked(struct palette_screen *self, const struct snapshot *snapshot)
{
    auto_done(text) struct text common = {0};
    complete_common(&self->found, &common);
    if (common.len > self->edit.len) {
        edit_set(&self->edit, text_cstr(&common));
    } else if (self->found.count > 0) {
        auto_free char *line = memory_printf("%s ", self->found.items[self->box.marked]);
        edit_set(&self->edit, line);
    }
    find(self, snapshot);
}

static void palette_request(struct screen *screen, struct seat *seat, enum request request)
{
    struct palette_screen *self = palette_of(screen);
    if (listbox_request(&self->box, request)) {
        edit_set(&self->edit, self->found.count > 0 ? self->found.items[self->box.marked] : "");
        return;
    }
    switch ((int)request) {
    case REQUEST_ACCEPT:
        carry_out(self, seat);
        return;
    case REQUEST_NEXT_PANE:
        take_marked(self, seat->snapshot);
        return;
    case REQUEST_BACK:
        seat_close(seat, screen);
        return;
    default:
        return;
    }
}

/* Where the meanings begin: behind the longest line, but for one that leaves them no room. */
static int meaning_column(const struct palette_screen *self, int width)
{
    int column = SUMMARY_CELLS;
    for (size_t i = 0; i < self->found.count; i++) {
        int needed = (int)strlen(self->found.items[i]) + 2;
        column = needed > column && needed <= width * 2 / 3 ? needed : column;
    }
    return column;
}

static void draw_found(void *context, struct frame *frame, struct area line, size_t index)
{
    const struct palette_screen *self = context;
    const char *rest = "";
    const struct verb *verb = verb_of_line(self->found.items[index], &rest);
    int used = draw_text(frame, line.y, line.x, line.width, ROLE_TEXT, self->found.items[index]);
    int column = meaning_column(self, line.width);
    column = used < column ? column : used + 2;
    const char *option = strrchr(rest, ' ');
    option = option != NULL ? option + 1 : rest;
    const struct argument *argument =
        verb != NULL && strncmp(option, "--", 2) == 0 ? verb_argument(verb, option + 2) : NULL;
    const char *meaning = argument != NULL                  ? argument->help
                          : verb != NULL && rest[0] == '\0' ? verb->summary
                                                            : "";
    draw_text(frame, line.y, line.x + column, line.width - column, ROLE_DIM, meaning);
}

static void palette_draw(
    struct screen *screen, struct seat *seat, struct frame *frame, struct area area)
{
    (void)seat;
    struct palette_screen *self = palette_of(screen);
    int width = area.width - 6 < WIDTH ? area.width - 6 : WIDTH;
    int rows = area.height - 6 < ROWS ? area.height - 6 : ROWS;
    struct area inner = dialog_box(frame, area, width, rows + 3, ROLE_STRONG, "Do what?");
    struct area line = {.y = inner.y, .x = inner.x - 1, .height = 1, .width = inner.width + 1};
    dialog_typing(frame, line, ": ", &self->edit, "");
    if (self->error.code != ERROR_NONE) {
        draw_text(frame, inner.y + 1, inner.x, inner.width, ROLE_BAD, self->error.text);
    }
    struct area list = inner;
    list.y += 2;
    list.height = rows;
    listbox_draw(&self->box, frame, list, draw_found, self);
    listbox_draw_place(&self->box, frame, inner);
}

static bool palette_draw_bottom(
    struct screen *screen, struct seat *seat, struct frame *frame, struct area line)
{
    (void)screen;
    (void)seat;
    struct pen pen = {.y = line.y, .x = line.x + 1, .limit = line.x + line.width};
    pen_key(frame, &pen, "Enter", "Carry out");
    pen_key(frame, &pen, "Tab", "Complete");
    pen_key(frame, &pen, "Up Down", "Choose");
    pen_key(frame, &pen, "Esc", "Back");
    return true;
}

static void palette_free(struct screen *screen)
{
    struct palette_screen *self = palette_of(screen);
    strings_done(&self->found);
    free(self);
}

static const struct screen_ops palette_ops = {
    .is_overlay = true,
    .title = palette_title,
    .contexts = palette_contexts,
    .is_offered = palette_is_offered,
    .request = palette_request,
    .type = palette_type,
    .draw = palette_draw,
    .draw_bottom = palette_draw_bottom,
    .free = palette_free,
};

struct screen *palette_screen_new(struct seat *seat, struct row row)
{
    struct palette_screen *self = memory_zero(1, sizeof(*self));
    self->screen.ops = &palette_ops;
    snprintf(self->name, sizeof(self->name), "%s", row.name);
    self->row = row;
    self->row.name = self->name;
    find(self, seat->snapshot);
    return &self->screen;
}
