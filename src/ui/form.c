/* SPDX-License-Identifier: MIT */
#include "ui/form.h"

#include <curses.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"
#include "ui/complete.h"
#include "ui/keys.h"

static bool is_field(const struct argument *argument)
{
    return argument->kind != ARGUMENT_REST;
}

static bool is_path(const struct argument *argument)
{
    return argument->kind == ARGUMENT_FILE || argument->kind == ARGUMENT_PLACE;
}

/* Several values of one argument stand in one field, separated by blanks; paths may hold blanks
 * themselves and are taken whole. */
static bool is_split(const struct argument *argument)
{
    return argument->is_many && !is_path(argument);
}

bool form_has_fields(const struct verb *verb)
{
    for (size_t i = 0; i < verb->argument_count; i++) {
        if (is_field(&verb->arguments[i])) {
            return true;
        }
    }
    return false;
}

void form_init(struct form *form, const struct command *command, const char *home)
{
    const struct verb *verb = command_verb(command);
    *form = (struct form){.verb = verb, .home = home};
    form->fields = memory_zero(verb->argument_count + 1, sizeof(*form->fields));
    for (size_t i = 0; i < verb->argument_count; i++) {
        const struct argument *argument = &verb->arguments[i];
        if (!is_field(argument)) {
            continue;
        }
        struct field *field = &form->fields[form->field_count++];
        field->argument = argument;
        bool is_given = command_has(command, argument->name);
        field->is_on = argument->kind == ARGUMENT_FLAG && is_given;
        if (argument->kind != ARGUMENT_FLAG && is_given) {
            auto_free char *values = strings_join(command_all(command, argument->name), " ");
            edit_set(&field->edit, values);
        }
    }
    for (size_t i = form->field_count; i-- > 0;) {
        if (form->fields[i].argument->is_required && form->fields[i].edit.len == 0) {
            form->focus = i;
        }
    }
}

void form_done(struct form *form)
{
    free(form->fields);
    form->fields = NULL;
}

/* To the next of the choices, where "not given" is one of them unless it is required. */
static void turn_choice(struct field *field, int by)
{
    auto_done(strings) struct strings choices = {0};
    if (!field->argument->is_required) {
        strings_add(&choices, "");
    }
    auto_done(strings) struct strings words = {0};
    strings_split(&words, field->argument->choices, "|");
    for (size_t i = 0; i < words.count; i++) {
        strings_add(&choices, words.items[i]);
    }
    size_t at = 0;
    for (size_t i = 0; i < choices.count; i++) {
        if (strcmp(choices.items[i], field->edit.text) == 0) {
            at = i;
        }
    }
    size_t next = (at + choices.count + (size_t)(by > 0 ? 1 : choices.count - 1)) % choices.count;
    edit_set(&field->edit, choices.items[next]);
}

bool form_key(struct form *form, int key)
{
    struct field *field = &form->fields[form->focus];
    if (form->field_count == 0) {
        return false;
    }
    bool is_forward = key == ' ' || key == KEY_FUNCTION + KEY_RIGHT;
    bool is_backward = key == KEY_FUNCTION + KEY_LEFT;
    if (field->argument->kind == ARGUMENT_FLAG) {
        if (is_forward || is_backward || key == 'x') {
            field->is_on = !field->is_on;
            return true;
        }
        return key >= ' ' && key != 0x7f && key < KEY_FUNCTION; /* swallowed: no text here */
    }
    if (field->argument->kind == ARGUMENT_CHOICE) {
        if (is_forward || is_backward) {
            turn_choice(field, is_forward ? 1 : -1);
            return true;
        }
        return key >= ' ' && key < KEY_FUNCTION;
    }
    return edit_key(&field->edit, key);
}

void form_move(struct form *form, int by)
{
    if (form->field_count > 0) {
        size_t count = form->field_count;
        form->focus = (form->focus + count + (size_t)(by > 0 ? 1 : count - 1)) % count;
    }
}

bool form_wants_path(const struct form *form)
{
    return form->field_count > 0 && is_path(form->fields[form->focus].argument);
}

bool form_complete(struct form *form, const struct snapshot *snapshot, struct strings *found)
{
    struct field *field = &form->fields[form->focus];
    if (form->field_count == 0 || field->argument->kind == ARGUMENT_CHOICE) {
        return false;
    }
    complete_argument(snapshot, form->verb, field->argument, field->edit.text, found);
    auto_done(text) struct text common = {0};
    complete_common(found, &common);
    if (common.len <= field->edit.len) {
        return false;
    }
    edit_set(&field->edit, text_cstr(&common));
    return true;
}

/* "~/x" as a shell would read it: the engine takes paths as they are. */
static char *expand_home(const char *path, const char *home)
{
    if (text_has_prefix(path, "~/") && home != NULL) {
        return memory_printf("%s%s", home, path + 1);
    }
    return memory_strdup(path);
}

static bool set_field(
    const struct form *form, struct command *command, const struct field *field, struct error *err)
{
    const struct argument *argument = field->argument;
    if (argument->kind == ARGUMENT_FLAG) {
        return !field->is_on || command_set(command, argument->name, NULL, err);
    }
    if (field->edit.len == 0) {
        return true;
    }
    if (!is_split(argument)) {
        auto_free char *value = is_path(argument) ? expand_home(field->edit.text, form->home)
                                                  : memory_strdup(field->edit.text);
        return command_set(command, argument->name, value, err);
    }
    auto_done(strings) struct strings values = {0};
    strings_split(&values, field->edit.text, " ");
    for (size_t i = 0; i < values.count; i++) {
        if (!command_set(command, argument->name, values.items[i], err)) {
            return false;
        }
    }
    return true;
}

struct command *form_command(const struct form *form, bool is_whole, size_t *at, struct error *err)
{
    struct command *command = command_new(form->verb);
    for (size_t i = 0; i < form->field_count; i++) {
        if (!set_field(form, command, &form->fields[i], err)) {
            *at = i;
            command_free(command);
            return NULL;
        }
    }
    if (is_whole && !command_check(command, err)) {
        *at = form->focus;
        for (size_t i = form->field_count; i-- > 0;) {
            const struct field *field = &form->fields[i];
            if (field->argument->is_required && field->edit.len == 0) {
                *at = i;
            }
        }
        command_free(command);
        return NULL;
    }
    return command;
}
