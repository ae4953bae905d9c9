/* SPDX-License-Identifier: MIT */
#include "batch/usage.h"

#include <stdbool.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "batch/topics.h"
#include "engine/command.h"

#define WIDTH 80
#define HELP_COLUMN 28
#define VERB_COLUMN 23 /* "  vm snapshot restore" and a gap */

/* ---- text ---- */

static void append_blanks(struct text *out, size_t count)
{
    text_printf(out, "%*s", (int)count, "");
}

/* Fills words up to WIDTH; the first line begins at column `at`, the others at `indent`. */
static void append_filled(struct text *out, const char *words, size_t len, size_t at, size_t indent)
{
    size_t column = at;
    bool is_first = true;
    while (len > 0) {
        size_t width = 0;
        while (width < len && words[width] != ' ') {
            ++width;
        }
        if (!is_first && column + 1 + width > WIDTH) {
            text_append_char(out, '\n');
            append_blanks(out, indent);
            column = indent;
        } else if (!is_first) {
            text_append_char(out, ' ');
            ++column;
        }
        text_append_bytes(out, words, width);
        column += width;
        is_first = false;
        while (width < len && words[width] == ' ') {
            ++width;
        }
        words += width;
        len -= width;
    }
    text_append_char(out, '\n');
}

/* Lines up to an empty one make a paragraph and are filled; those that begin with a blank stay. */
static void append_body(struct text *out, const char *body)
{
    auto_done(text) struct text paragraph = {0};
    while (*body != '\0' || paragraph.len > 0) {
        size_t len = strcspn(body, "\n");
        bool is_kept = len == 0 || body[0] == ' ';
        if (is_kept && paragraph.len > 0) {
            append_filled(out, text_cstr(&paragraph), paragraph.len, 0, 0);
            text_clear(&paragraph);
        }
        if (*body == '\0') {
            break;
        }
        if (is_kept) {
            text_append_bytes(out, body, len);
            text_append_char(out, '\n');
        } else {
            text_append(&paragraph, paragraph.len > 0 ? " " : "");
            text_append_bytes(&paragraph, body, len);
        }
        body += len + (body[len] == '\n');
    }
}

/* "  left part            right part, filled". */
static void append_pair(struct text *out, const char *left, const char *right, size_t column)
{
    size_t len = strlen(left);
    text_printf(out, "  %s", left);
    if (len + 4 > column) {
        text_append_char(out, '\n');
        append_blanks(out, column);
    } else {
        append_blanks(out, column - len - 2);
    }
    append_filled(out, right, strlen(right), column, column);
}

/* ---- arguments ---- */

static const char *value_name(const struct argument *argument)
{
    return argument->value_name != NULL ? argument->value_name : "VALUE";
}

static void append_synopsis_of(const struct argument *argument, struct text *out)
{
    const char *many = argument->is_many ? "..." : "";
    text_append(out, argument->is_required ? " " : " [");
    if (argument->kind == ARGUMENT_REST) {
        text_printf(out, "-- %s...", value_name(argument));
    } else if (argument->is_positional) {
        text_printf(out, "%s%s", value_name(argument), many);
    } else if (argument->kind == ARGUMENT_FLAG) {
        text_printf(out, "--%s", argument->name);
    } else {
        text_printf(out, "--%s %s", argument->name, value_name(argument));
    }
    text_append(out, argument->is_required ? "" : "]");
}

void usage_append_synopsis(const struct verb *verb, struct text *out)
{
    auto_free char *words = verb_words(verb);
    text_append(out, words);
    for (size_t i = 0; i < verb->argument_count; ++i) {
        if (verb->arguments[i].is_positional) {
            append_synopsis_of(&verb->arguments[i], out);
        }
    }
    for (size_t i = 0; i < verb->argument_count; ++i) {
        if (!verb->arguments[i].is_positional && verb->arguments[i].kind != ARGUMENT_REST) {
            append_synopsis_of(&verb->arguments[i], out);
        }
    }
    for (size_t i = 0; i < verb->argument_count; ++i) {
        if (verb->arguments[i].kind == ARGUMENT_REST) {
            append_synopsis_of(&verb->arguments[i], out);
        }
    }
}

void usage_append_option(const struct argument *argument, struct text *out)
{
    if (argument->kind == ARGUMENT_REST) {
        text_printf(out, "-- %s...", value_name(argument));
    } else if (argument->is_positional) {
        text_append(out, value_name(argument));
    } else {
        if (argument->letter != 0) {
            text_printf(out, "-%c, ", argument->letter);
        }
        text_printf(out, "--%s", argument->name);
        if (argument->kind != ARGUMENT_FLAG) {
            text_printf(out, " %s", value_name(argument));
        }
    }
}

void usage_append_meaning(const struct argument *argument, struct text *out)
{
    text_append(out, argument->help);
    if (argument->choices != NULL) {
        text_printf(out, ": %s", argument->choices);
    }
    if (argument->fallback != NULL) {
        text_printf(out, " (default %s)", argument->fallback);
    }
}

static void append_arguments(
    struct text *out, const char *title, const struct argument *arguments, size_t count)
{
    if (count == 0) {
        return;
    }
    text_printf(out, "\n%s:\n", title);
    for (size_t i = 0; i < count; ++i) {
        auto_done(text) struct text left = {0};
        auto_done(text) struct text right = {0};
        usage_append_option(&arguments[i], &left);
        usage_append_meaning(&arguments[i], &right);
        append_pair(out, text_cstr(&left), text_cstr(&right), HELP_COLUMN);
    }
}

/* ---- pages ---- */

static void append_verb_line(const struct verb *verb, struct text *out)
{
    if ((verb->flags & VERB_HIDDEN) == 0) {
        auto_free char *left = verb_words(verb);
        append_pair(out, left, verb->summary, VERB_COLUMN);
    }
}

void usage_append_subject(const char *call, const char *subject, struct text *out)
{
    text_printf(out, "usage: %s %s VERB ...\n\n", call, subject);
    for (size_t i = 0; i < verb_count(); ++i) {
        if (strcmp(verb_at(i)->subject, subject) == 0) {
            append_verb_line(verb_at(i), out);
        }
    }
    text_printf(out, "\n%s help %s VERB tells more about one of them.\n", call, subject);
}

void usage_append_overview(const char *call, struct text *out)
{
    auto_free char *command = memory_printf("%s COMMAND ...", call);
    text_append(out, "usage:\n");
    append_pair(out, "banger-tui [OPTION...]", "The console", 42);
    append_pair(out, command, "One command", 42);
    append_pair(out, "banger-tui --batch [--file FILE | -]", "A script from a file or stdin", 42);
    text_append(out, "\nCommands:\n");
    for (size_t i = 0; i < verb_count(); ++i) {
        bool is_new = i > 0 && strcmp(verb_at(i)->subject, verb_at(i - 1)->subject) != 0;
        text_append(out, is_new ? "\n" : "");
        append_verb_line(verb_at(i), out);
    }
    text_append(out, "\nTopics (help TOPIC):\n");
    for (size_t i = 0; i < topic_count; ++i) {
        append_pair(out, topics[i].name, topics[i].summary, VERB_COLUMN);
    }
    append_arguments(out, "Options of every command", common_arguments, common_argument_count);
    text_append(out, "\n--help behind a command tells more about it.\n");
}

/* Their names alone: what is special of the verb would be far above what they mean. */
static void append_common_names(const char *call, struct text *out)
{
    auto_done(text) struct text names = {0};
    for (size_t i = 0; i < common_argument_count; ++i) {
        text_printf(&names, "%s--%s", i > 0 ? " " : "", common_arguments[i].name);
    }
    text_printf(out, "\nOptions of every command (%s help tells what they do):\n  ", call);
    append_filled(out, text_cstr(&names), names.len, 2, 2);
}

void usage_append_verb(const char *call, const struct verb *verb, struct text *out)
{
    auto_done(text) struct text synopsis = {0};
    text_printf(&synopsis, "usage: %s ", call);
    usage_append_synopsis(verb, &synopsis);
    append_filled(out, text_cstr(&synopsis), synopsis.len, 0, 7);
    auto_free char *summary = memory_printf("%s.", verb->summary);
    text_append_char(out, '\n');
    append_filled(out, summary, strlen(summary), 0, 0);
    if (verb->details != NULL) {
        text_append_char(out, '\n');
        append_body(out, verb->details);
    }
    append_arguments(out, "Arguments", verb->arguments, verb->argument_count);
    auto_done(strings) struct strings aliases = {0};
    strings_split(&aliases, verb->alias != NULL ? verb->alias : "", "|");
    for (size_t i = 0; i < aliases.count; ++i) {
        text_printf(out, "%s%s %s", i == 0 ? "\nAlso: " : ", ", verb->subject, aliases.items[i]);
    }
    text_append(out, aliases.count > 0 ? "\n" : "");
    if (verb->example != NULL) {
        text_append(out, "\nExample:\n");
        for (const char *at = verb->example; *at != '\0';) {
            size_t len = strcspn(at, "\n");
            text_printf(out, "  %.*s\n", (int)len, at);
            at += len + (at[len] == '\n');
        }
    }
    append_common_names(call, out);
}

void usage_append_topic(const struct topic *topic, struct text *out)
{
    for (size_t i = 0; strcmp(topic->name, "exit") == 0 && i < exit_row_count; ++i) {
        auto_free char *status = memory_printf("%d", exit_rows[i].status);
        append_pair(out, status, exit_rows[i].meaning, 7);
    }
    text_append(out, strcmp(topic->name, "exit") == 0 ? "\n" : "");
    append_body(out, topic->body);
}
