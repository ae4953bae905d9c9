/* SPDX-License-Identifier: MIT */
#include "engine/command.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/name.h"
#include "base/text.h"
#include "base/units.h"

struct command {
    const struct verb *verb;
    struct strings *values; /* one list per argument of the verb */
    int fds[COMMAND_FD_COUNT];
    bool is_dry_run;
    uint64_t timeout_ms;
};

static const struct strings no_values;

static bool word_is_verb(const struct verb *verb, const char *name)
{
    if (strcmp(verb->name, name) == 0) {
        return true;
    }
    struct strings aliases = {0};
    strings_split(&aliases, verb->alias ? verb->alias : "", "|");
    bool is_alias = strings_contain(&aliases, name);
    strings_done(&aliases);
    return is_alias;
}

const struct verb *verb_find(const char *subject, const char *name)
{
    for (size_t i = 0; i < verb_count(); i++) {
        if (strcmp(verb_at(i)->subject, subject) == 0 && word_is_verb(verb_at(i), name)) {
            return verb_at(i);
        }
    }
    return NULL;
}

char *verb_words(const struct verb *verb)
{
    return memory_printf("%s%s%s", verb->subject, *verb->subject ? " " : "", verb->name);
}

const struct argument *verb_argument(const struct verb *verb, const char *name)
{
    for (size_t i = 0; i < verb->argument_count; i++) {
        if (strcmp(verb->arguments[i].name, name) == 0) {
            return &verb->arguments[i];
        }
    }
    return NULL;
}

struct command *command_new(const struct verb *verb)
{
    struct command *command = memory_zero(1, sizeof(*command));
    command->verb = verb;
    command->values = memory_zero(verb->argument_count + 1, sizeof(*command->values));
    for (size_t i = 0; i < COMMAND_FD_COUNT; i++) {
        command->fds[i] = -1;
    }
    return command;
}

void command_free(struct command *command)
{
    if (!command) {
        return;
    }
    for (size_t i = 0; i < command->verb->argument_count; i++) {
        strings_done(&command->values[i]);
    }
    for (size_t i = 0; i < COMMAND_FD_COUNT; i++) {
        memory_auto_close(&command->fds[i]);
    }
    free(command->values);
    free(command);
}

void command_auto_free(struct command **command)
{
    command_free(*command);
    *command = NULL;
}

const struct verb *command_verb(const struct command *command)
{
    return command->verb;
}

/* "--from", or "NAME" for what is given by its place. */
static const char *shown_argument(const struct argument *argument, char buffer[80])
{
    struct text text = {0};
    if (argument->is_positional || argument->kind == ARGUMENT_REST) {
        text_printf(&text, "%s", argument->value_name ? argument->value_name : argument->name);
    } else {
        text_printf(&text, "--%s", argument->name);
    }
    strncpy(buffer, text_cstr(&text), 79);
    buffer[79] = '\0';
    text_done(&text);
    return buffer;
}

static bool check_choice(
    const struct argument *argument, const char *what, const char *value, struct error *err)
{
    struct strings choices = {0};
    strings_split(&choices, argument->choices, "|");
    bool is_known = strings_contain(&choices, value);
    strings_done(&choices);
    return is_known || error_set(err, ERROR_INVALID, "%s is one of %s, not '%s'", what,
                           argument->choices, value);
}

static bool check_name(
    const struct verb *verb, const char *what, const char *value, struct error *err)
{
    if (strcmp(verb->subject, "vm") == 0) {
        return name_check_label(value, "VM name", err);
    }
    auto_free char *kind = memory_printf("%s name", *verb->subject ? verb->subject : what);
    return name_check_entry(value, kind, err);
}

static bool check_value(
    const struct verb *verb, const struct argument *argument, const char *value, struct error *err)
{
    char what[80];
    uint64_t number;
    shown_argument(argument, what);
    if (argument->kind == ARGUMENT_FLAG) {
        return !value || error_set(err, ERROR_INVALID, "%s takes no value, not '%s'", what, value);
    }
    if (!value) {
        return error_set(err, ERROR_INVALID, "%s needs a value (%s)", what,
            argument->value_name ? argument->value_name : argument->name);
    }
    switch (argument->kind) {
    case ARGUMENT_NAME:
        return check_name(verb, what, value, err);
    case ARGUMENT_KERNEL:
        return name_check_entry(value, "kernel name", err);
    case ARGUMENT_IMAGE:
    case ARGUMENT_WORD:
    case ARGUMENT_FILE:
    case ARGUMENT_PLACE:
        return *value || error_set(err, ERROR_INVALID, "%s must not be empty", what);
    case ARGUMENT_SIZE:
        return units_parse_size(value, what, &number, err);
    case ARGUMENT_NUMBER:
        if (!units_parse_number(value, what, argument->max, &number, err)) {
            return false;
        }
        return number || error_set(err, ERROR_INVALID, "%s must be at least 1", what);
    case ARGUMENT_DURATION:
        return units_parse_duration(value, what, &number, err);
    case ARGUMENT_CHOICE:
        return check_choice(argument, what, value, err);
    case ARGUMENT_TEXT:
    case ARGUMENT_REST:
    case ARGUMENT_FLAG:
        return true;
    }
    return true;
}

static struct strings *values_of(const struct command *command, const char *name)
{
    const struct argument *argument = verb_argument(command->verb, name);
    return argument ? &command->values[argument - command->verb->arguments] : NULL;
}

bool command_set(
    struct command *command, const char *argument, const char *value, struct error *err)
{
    const struct verb *verb = command->verb;
    const struct argument *row = verb_argument(verb, argument);
    if (!row) {
        auto_free char *words = verb_words(verb);
        return error_set(err, ERROR_INVALID, "%s has no option --%s", words, argument);
    }
    if (!check_value(verb, row, value, err)) {
        return false;
    }
    struct strings *values = values_of(command, argument);
    if (!row->is_many && row->kind != ARGUMENT_REST) {
        strings_done(values);
        *values = (struct strings){0};
    }
    strings_add(values, value ? value : "true");
    return true;
}

const char *command_get(const struct command *command, const char *argument)
{
    const struct strings *values = command_all(command, argument);
    if (values->count) {
        return values->items[0];
    }
    const struct argument *row = verb_argument(command->verb, argument);
    return row ? row->fallback : NULL;
}

bool command_has(const struct command *command, const char *argument)
{
    return command_all(command, argument)->count > 0;
}

const struct strings *command_all(const struct command *command, const char *argument)
{
    const struct strings *values = values_of(command, argument);
    return values ? values : &no_values;
}

uint64_t command_size(const struct command *command, const char *argument)
{
    const char *value = command_get(command, argument);
    uint64_t size_bytes = 0;
    struct error ignored = {0};
    return value && units_parse_size(value, argument, &size_bytes, &ignored) ? size_bytes : 0;
}

uint64_t command_number(const struct command *command, const char *argument)
{
    const char *value = command_get(command, argument);
    uint64_t number = 0;
    struct error ignored = {0};
    return value && units_parse_number(value, argument, UINT64_MAX, &number, &ignored) ? number : 0;
}

uint64_t command_duration_ms(const struct command *command, const char *argument)
{
    const char *value = command_get(command, argument);
    uint64_t duration_ms = 0;
    struct error ignored = {0};
    return value && units_parse_duration(value, argument, &duration_ms, &ignored) ? duration_ms : 0;
}

bool command_check(const struct command *command, struct error *err)
{
    const struct verb *verb = command->verb;
    for (size_t i = 0; i < verb->argument_count; i++) {
        const struct argument *argument = &verb->arguments[i];
        if (argument->is_required && !command->values[i].count) {
            char what[80];
            auto_free char *words = verb_words(verb);
            return error_set(err, ERROR_INVALID, "%s needs %s: %s", words,
                shown_argument(argument, what), argument->help);
        }
    }
    return !verb->check || verb->check(command, err);
}

static const struct argument *each_argument(const struct verb *verb)
{
    if (!(verb->flags & VERB_EACH)) {
        return NULL;
    }
    for (size_t i = 0; i < verb->argument_count; i++) {
        if (verb->arguments[i].is_positional && verb->arguments[i].is_many) {
            return &verb->arguments[i];
        }
    }
    return NULL;
}

size_t command_each_count(const struct command *command)
{
    const struct argument *each = each_argument(command->verb);
    size_t count = each ? command->values[each - command->verb->arguments].count : 1;
    return count ? count : 1;
}

struct command *command_each(const struct command *command, size_t index)
{
    const struct verb *verb = command->verb;
    const struct argument *each = each_argument(verb);
    struct command *one = command_new(verb);
    one->is_dry_run = command->is_dry_run;
    one->timeout_ms = command->timeout_ms;
    for (size_t i = 0; i < verb->argument_count; i++) {
        const struct strings *from = &command->values[i];
        bool is_picked = &verb->arguments[i] == each;
        for (size_t j = 0; j < from->count; j++) {
            if (!is_picked || j == index) {
                strings_add(&one->values[i], from->items[j]);
            }
        }
    }
    return one;
}

const struct column *command_columns(const struct command *command, size_t *count)
{
    const struct verb *verb = command->verb;
    bool is_variant = verb->variant_flag && command_has(command, verb->variant_flag);
    *count = is_variant ? verb->variant_column_count : verb->column_count;
    return is_variant ? verb->variant_columns : verb->columns;
}

char *command_object(const struct command *command)
{
    const struct verb *verb = command->verb;
    if (verb->object) {
        return verb->object(command);
    }
    for (size_t i = 0; i < verb->argument_count; i++) {
        if (verb->arguments[i].kind == ARGUMENT_NAME && command->values[i].count) {
            return memory_printf("%s/%s", verb->subject, command->values[i].items[0]);
        }
    }
    return NULL;
}

char *command_image_name(const char *reference)
{
    const char *slash = strrchr(reference, '/');
    const char *last = slash ? slash + 1 : reference;
    const char *digest = strchr(last, '@');
    struct text name = {0};
    text_append_bytes(&name, last, digest ? (size_t)(digest - last) : strlen(last));
    const char *colon = digest ? strchr(digest, ':') : NULL;
    /* A tag beside a digest already tells one version from another. */
    if (colon && !strchr(text_cstr(&name), ':')) {
        text_printf(&name, "-%.12s", colon + 1);
    }
    char *taken = text_take(&name);
    for (char *c = taken; *c; c++) {
        *c = *c == ':' ? '-' : *c;
    }
    return taken;
}

/* Words of these characters alone mean themselves to any shell-like parser. */
static bool is_plain_word(const char *word)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
    return *word && word[strspn(word, plain)] == '\0';
}

static void append_word(struct text *out, const char *word)
{
    if (is_plain_word(word)) {
        text_append(out, word);
        return;
    }
    text_append_char(out, '\'');
    for (const char *c = word; *c; c++) {
        if (*c == '\'') {
            text_append(out, "'\\''");
        } else {
            text_append_char(out, *c);
        }
    }
    text_append_char(out, '\'');
}

void command_words(const struct command *command, struct strings *words)
{
    const struct verb *verb = command->verb;
    if (*verb->subject) {
        strings_add(words, verb->subject);
    }
    strings_split(words, verb->name, " "); /* "trash list" is two words */
    const struct strings *rest = NULL;
    for (size_t i = 0; i < verb->argument_count; i++) {
        const struct argument *argument = &verb->arguments[i];
        const struct strings *values = &command->values[i];
        if (argument->kind == ARGUMENT_REST) {
            rest = values;
            continue;
        }
        for (size_t j = 0; j < values->count; j++) {
            const char *value = values->items[j];
            if (argument->kind == ARGUMENT_FLAG) {
                strings_printf(words, "--%s", argument->name);
            } else if (argument->is_positional && *value != '-') {
                strings_add(words, value);
            } else if (*value == '-') {
                strings_printf(words, "--%s=%s", argument->name, value);
            } else {
                strings_printf(words, "--%s", argument->name);
                strings_add(words, value);
            }
        }
    }
    if (command->timeout_ms) {
        strings_add(words, "--timeout");
        strings_printf(words, "%llums", (unsigned long long)command->timeout_ms);
    }
    if (command->is_dry_run) {
        strings_add(words, "--dry-run");
    }
    if (rest && rest->count) {
        strings_add(words, "--");
        for (size_t j = 0; j < rest->count; j++) {
            strings_add(words, rest->items[j]);
        }
    }
}

void command_line(const struct command *command, struct text *out)
{
    struct strings words = {0};
    command_words(command, &words);
    for (size_t i = 0; i < words.count; i++) {
        if (i) {
            text_append_char(out, ' ');
        }
        append_word(out, words.items[i]);
    }
    strings_done(&words);
}

void command_set_fd(struct command *command, enum command_fd which, int fd)
{
    memory_auto_close(&command->fds[which]);
    command->fds[which] = fd;
}

int command_take_fd(struct command *command, enum command_fd which)
{
    return take_fd(&command->fds[which]);
}

void command_set_dry_run(struct command *command, bool is_dry_run)
{
    command->is_dry_run = is_dry_run;
}

bool command_is_dry_run(const struct command *command)
{
    return command->is_dry_run;
}

void command_set_timeout(struct command *command, uint64_t timeout_ms)
{
    command->timeout_ms = timeout_ms;
}

uint64_t command_timeout_ms(const struct command *command)
{
    return command->timeout_ms;
}

const char *column_remark(const struct column *column, size_t index)
{
    static const char *const of_state[COLUMN_REMARKS] = {"no_space", "network_lost", "unmonitored"};
    return column->form == COLUMN_STATE && index < COLUMN_REMARKS ? of_state[index] : NULL;
}

void column_append_remark(const char *field, struct text *out)
{
    text_append(out, " (");
    for (const char *at = field; *at != '\0'; at++) {
        text_append_char(out, *at == '_' ? ' ' : *at);
    }
    text_append_char(out, ')');
}
