/* SPDX-License-Identifier: MIT */
#include "ui/screens.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "engine/command.h"
#include "engine/snapshot.h"
#include "ui/actions.h"
#include "ui/app.h"
#include "ui/cells.h"
#include "ui/dialog.h"
#include "ui/form.h"
#include "ui/listbox.h"
#include "ui/machines.h"
#include "ui/picker.h"
#include "ui/screen.h"
#include "ui/seat.h"

#define WIDTH 70
#define LABEL_CELLS 16
/* Below the fields: an empty line, two of help, what is wrong, the batch line. */
#define HELP_LINES 2
#define FOOT_LINES 5

struct form_screen {
    struct screen screen;
    struct form form;
    struct error error; /* of the last try to carry it out */
    struct listbox box; /* of the fields */
};

static struct form_screen *form_of(struct screen *screen)
{
    return (struct form_screen *)screen;
}

static const char *form_title(const struct screen *screen)
{
    return ((const struct form_screen *)screen)->form.verb->summary;
}

static unsigned form_contexts(const struct screen *screen)
{
    (void)screen;
    return CONTEXT_FORM;
}

static bool form_is_offered(
    const struct screen *screen, const struct seat *seat, enum request request)
{
    (void)screen;
    (void)seat;
    (void)request;
    return true;
}

static void carry_out(struct form_screen *self, struct seat *seat)
{
    size_t at = 0;
    error_clear(&self->error);
    struct command *command = form_command(&self->form, true, &at, &self->error);
    if (command == NULL) {
        self->form.focus = at;
        return;
    }
    seat_close(seat, &self->screen);
    action_go(seat, command, false);
}

/* The same as a question: what it would do. The form stays below the answer. */
static void show_plan(struct form_screen *self, struct seat *seat)
{
    size_t at = 0;
    error_clear(&self->error);
    struct command *command = form_command(&self->form, true, &at, &self->error);
    if (command == NULL) {
        self->form.focus = at;
        return;
    }
    command_set_dry_run(command, true);
    seat_open(seat, result_screen_new(seat, command));
}

static void take_value(void *context, struct seat *seat, const char *value)
{
    struct form_screen *self = context;
    (void)seat;
    error_clear(&self->error);
    edit_set(&self->form.fields[self->form.focus].edit, value);
}

/* What can be chosen for the field is shown; what can only be typed is left. */
static void choose_or_move(struct form_screen *self, struct seat *seat)
{
    const struct field *field = &self->form.fields[self->form.focus];
    if (self->form.field_count == 0) {
        return;
    }
    auto_free char *title = memory_printf("Choose: %s", field->argument->name);
    auto_done(strings) struct strings found = {0};
    if (form_wants_path(&self->form)) {
        bool wants_directory = field->argument->kind == ARGUMENT_PLACE;
        seat_open(seat,
            picker_file_new(seat, title, field->edit.text, wants_directory, take_value, self));
    } else if (!form_complete(&self->form, seat->snapshot, &found)) {
        if (found.count > 1) {
            seat_open(seat, picker_name_new(seat, title, &found, take_value, self));
        } else {
            form_move(&self->form, 1);
        }
    }
}

static bool form_type(struct screen *screen, struct seat *seat, int key)
{
    struct form_screen *self = form_of(screen);
    (void)seat;
    if (form_key(&self->form, key)) {
        error_clear(&self->error);
        return true;
    }
    return false;
}

static void form_request(struct screen *screen, struct seat *seat, enum request request)
{
    struct form_screen *self = form_of(screen);
    switch ((int)request) {
    case REQUEST_ACCEPT:
        carry_out(self, seat);
        return;
    case REQUEST_PLAN:
        show_plan(self, seat);
        return;
    case REQUEST_NEXT_PANE:
        choose_or_move(self, seat);
        return;
    case REQUEST_DOWN:
        form_move(&self->form, 1);
        return;
    case REQUEST_PREVIOUS_PANE:
    case REQUEST_UP:
        form_move(&self->form, -1);
        return;
    case REQUEST_BACK:
        seat_close(seat, screen);
        return;
    default:
        return;
    }
}

/* What holds when the field stays empty: the table's fallback, or what the help says of it. */
static char *default_hint(const struct argument *argument)
{
    static const char mark[] = "(default: ";
    const char *said = strstr(argument->help, mark);
    if (argument->is_required) {
        return memory_strdup("(needed)");
    }
    if (argument->fallback != NULL) {
        return memory_printf("(%s)", argument->fallback);
    }
    const char *end = said != NULL ? strrchr(said, ')') : NULL;
    if (end == NULL) {
        return memory_strdup("");
    }
    const char *value = said + strlen(mark);
    return memory_printf("(%.*s)", (int)(end - value), value);
}

static const struct vm_item *machine_to_set(
    const struct form *form, const struct snapshot *snapshot)
{
    bool is_set = strcmp(form->verb->subject, "vm") == 0 && strcmp(form->verb->name, "set") == 0;
    for (size_t i = 0; is_set && i < form->field_count; i++) {
        if (strcmp(form->fields[i].argument->name, "name") == 0) {
            return machine_find(snapshot, form->fields[i].edit.text);
        }
    }
    return NULL;
}

/* What the machine has now, where that is to be changed and known; else what holds by itself. */
static char *hint_of(
    const struct form *form, const struct snapshot *snapshot, const struct argument *argument)
{
    const struct vm_item *vm = machine_to_set(form, snapshot);
    char buffer[UNITS_MAX];
    if (vm != NULL && strcmp(argument->name, "vcpu") == 0) {
        return memory_printf("(now %" PRIu64 ")", vm->vcpu);
    }
    if (vm != NULL && strcmp(argument->name, "memory") == 0) {
        return memory_printf("(now %s)", units_format_size(vm->memory_mib << 20, buffer));
    }
    if (vm != NULL && strcmp(argument->name, "kernel-ref") == 0) {
        return memory_printf("(now %s)", vm->kernel_ref);
    }
    if (vm != NULL && strcmp(argument->name, "vmm") == 0) {
        return memory_printf("(now %s)", vm->vmm);
    }
    return default_hint(argument);
}

static void draw_value(const struct field *field, const char *hint, struct frame *frame,
    struct area line, bool is_focused)
{
    const struct argument *argument = field->argument;
    int x = line.x + LABEL_CELLS;
    int width = line.width - LABEL_CELLS;
    enum role role = is_focused ? ROLE_STRONG : ROLE_TEXT;
    if (argument->kind == ARGUMENT_FLAG) {
        draw_text(frame, line.y, x, width, role, field->is_on ? "[x] yes" : "[ ] no");
        return;
    }
    if (field->edit.len == 0) {
        draw_text(frame, line.y, x, width, ROLE_DIM, hint);
    }
    if (argument->kind == ARGUMENT_CHOICE) {
        draw_text(frame, line.y, x, width, role, field->edit.text);
        if (is_focused) {
            draw_right(frame, line.y, x, width, ROLE_DIM, argument->choices);
        }
        return;
    }
    int cursor = edit_cursor_cells(&field->edit, frame->theme->is_utf8);
    int skip = cursor >= width ? cursor - width + 1 : 0;
    draw_from(frame, line.y, x, skip, width, role, field->edit.text);
    if (is_focused) {
        draw_cursor(frame, line.y, x + cursor - skip);
    }
}

static void draw_fields(struct form_screen *self, const struct snapshot *snapshot,
    struct frame *frame, struct area area)
{
    struct listbox *box = &self->box;
    box->count = self->form.field_count;
    box->marked = self->form.focus;
    listbox_scroll(box, area.height > 0 ? (size_t)area.height : 1);
    for (size_t line = 0; line < box->page && box->top + line < box->count; line++) {
        size_t index = box->top + line;
        const struct field *field = &self->form.fields[index];
        bool is_focused = index == self->form.focus;
        struct area at = {.y = area.y + (int)line, .x = area.x + 2, .width = area.width - 2};
        if (is_focused) {
            draw_text(frame, at.y, area.x, 1, ROLE_KEY, theme_glyph(frame->theme, GLYPH_MARK));
        }
        draw_text(frame, at.y, at.x, LABEL_CELLS - 1, is_focused ? ROLE_STRONG : ROLE_DIM,
            field->argument->name);
        auto_free char *hint = hint_of(&self->form, snapshot, field->argument);
        draw_value(field, hint, frame, at, is_focused);
    }
}

/* What the focused field means, what is wrong, and the line this is. */
static void draw_foot(struct form_screen *self, struct frame *frame, struct area area)
{
    struct error err = self->error;
    size_t at = 0;
    struct command *command = form_command(&self->form, false, &at, &err);
    const struct field *field = &self->form.fields[self->form.focus];
    auto_done(text) struct text line = {0};
    auto_done(strings) struct strings lines = {0};
    cells_wrap(&lines,
        self->form.field_count > 0 ? field->argument->help : "There is nothing to fill in.",
        area.width, 0, frame->theme->is_utf8);
    for (size_t i = 0; i < lines.count && i < HELP_LINES; i++) {
        draw_text(frame, area.y + (int)i, area.x, area.width, ROLE_TEXT, lines.items[i]);
    }
    if (err.text[0] != '\0') {
        draw_text(frame, area.y + HELP_LINES, area.x, area.width, ROLE_BAD, err.text);
    }
    if (command != NULL) {
        text_append(&line, "as a line: ");
        command_line(command, &line);
        draw_text(frame, area.y + HELP_LINES + 1, area.x, area.width, ROLE_DIM, text_cstr(&line));
        command_free(command);
    }
}

static void form_draw(
    struct screen *screen, struct seat *seat, struct frame *frame, struct area area)
{
    struct form_screen *self = form_of(screen);
    int width = area.width - 6 < WIDTH ? area.width - 6 : WIDTH;
    int height = (int)self->form.field_count + FOOT_LINES + 1;
    struct area inner =
        dialog_box(frame, area, width, height, ROLE_STRONG, self->form.verb->summary);
    struct area fields = inner;
    fields.y++;
    fields.height -= FOOT_LINES + 1;
    draw_fields(self, seat->snapshot, frame, fields);
    fields.width++; /* the words end with a blank */
    listbox_draw_place(&self->box, frame, fields);
    struct area foot = inner;
    foot.y = inner.y + inner.height - FOOT_LINES + 1;
    foot.height = FOOT_LINES - 1;
    draw_foot(self, frame, foot);
}

static bool form_draw_bottom(
    struct screen *screen, struct seat *seat, struct frame *frame, struct area line)
{
    (void)seat;
    const struct form_screen *self = form_of(screen);
    const struct argument *argument = self->form.fields[self->form.focus].argument;
    struct pen pen = {.y = line.y, .x = line.x + 1, .limit = line.x + line.width};
    pen_key(frame, &pen, "Enter", "Carry out");
    if (argument != NULL) {
        bool is_turned = argument->kind == ARGUMENT_FLAG || argument->kind == ARGUMENT_CHOICE;
        pen_key(frame, &pen, "Up Down", "Field");
        pen_key(frame, &pen, is_turned ? "Space" : "Tab",
            is_turned                      ? "Change"
            : form_wants_path(&self->form) ? "Files"
                                           : "Choose");
    }
    if ((self->form.verb->flags & VERB_READS) == 0) {
        pen_key(frame, &pen, "F3", "Plan");
    }
    pen_key(frame, &pen, "Esc", "Back");
    pen_key(frame, &pen, "F1", "Help");
    return true;
}

static void form_free(struct screen *screen)
{
    struct form_screen *self = form_of(screen);
    form_done(&self->form);
    free(self);
}

static const struct screen_ops form_ops = {
    .is_overlay = true,
    .title = form_title,
    .contexts = form_contexts,
    .is_offered = form_is_offered,
    .request = form_request,
    .type = form_type,
    .draw = form_draw,
    .draw_bottom = form_draw_bottom,
    .free = form_free,
};

struct screen *form_screen_new(struct seat *seat, struct command *command)
{
    struct form_screen *self = memory_zero(1, sizeof(*self));
    self->screen.ops = &form_ops;
    form_init(&self->form, command, seat->options->home);
    command_free(command);
    return &self->screen;
}

struct screen *form_screen_again(
    struct seat *seat, struct command *command, const struct error *why)
{
    struct screen *screen = form_screen_new(seat, command);
    form_of(screen)->error = *why;
    return screen;
}
