/* SPDX-License-Identifier: MIT */
#include "batch/request.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "batch/parser.h"
#include "engine/command.h"

/* The same operand twice is one operand. */
static bool is_repeated(const struct parser *parser, size_t at)
{
    const struct assignment *assignment = &parser->assignments[at];
    bool is_operand =
        (parser->request->verb->flags & VERB_EACH) != 0 && assignment->argument->is_positional;
    for (size_t i = 0; is_operand && i < at; ++i) {
        if (parser->assignments[i].argument == assignment->argument &&
            strcmp(parser->assignments[i].value, assignment->value) == 0) {
            return true;
        }
    }
    return false;
}

static bool build_commands(struct parser *parser, struct error *err)
{
    struct request *request = parser->request;
    __attribute__((cleanup(command_auto_free))) struct command *whole = command_new(request->verb);
    for (size_t i = 0; i < parser->assignment_count; ++i) {
        const struct assignment *assignment = &parser->assignments[i];
        if (!is_repeated(parser, i) &&
            !command_set(whole, assignment->argument->name, assignment->value, err)) {
            return false;
        }
    }
    if (!command_check(whole, err)) {
        return false;
    }
    command_set_dry_run(whole, request->options.is_dry_run);
    command_set_timeout(whole, request->options.timeout_ms);
    request->count = command_each_count(whole);
    request->commands = memory_zero(request->count, sizeof(request->commands[0]));
    for (size_t i = 0; i < request->count; ++i) {
        request->commands[i] = command_each(whole, i);
    }
    return true;
}

void request_init(struct request *request)
{
    *request = (struct request){.subject = ""};
    options_init(&request->options);
}

void request_done(struct request *request)
{
    for (size_t i = 0; i < request->count; ++i) {
        command_free(request->commands[i]);
    }
    free(request->commands);
    free(request->script);
    options_done(&request->options);
    request_init(request);
}

/* A word that stopped the parser must not hide in which form the error is to be printed. */
static void find_format(struct request *request, char *const *words, size_t count)
{
    const struct argument *format = options_find("format", 0);
    for (size_t i = 0; i < count && strcmp(words[i], "--") != 0; ++i) {
        struct error ignored = {0};
        if (text_has_prefix(words[i], "--format=")) {
            options_set(&request->options, format, words[i] + strlen("--format="), &ignored);
        } else if (strcmp(words[i], "--format") == 0 && i + 1 < count) {
            options_set(&request->options, format, words[i + 1], &ignored);
        }
    }
}

bool request_parse(struct request *request, char *const *words, size_t count,
    const struct options *base, bool is_line, struct error *err)
{
    options_done(&request->options);
    options_copy(&request->options, base);
    auto_done(parser) struct parser parser = {
        .request = request, .words = words, .count = count, .is_line = is_line};
    if (!parser_read(&parser, err)) {
        find_format(request, words, count);
        return false;
    }
    if (request->wants_help || request->script != NULL) {
        return true;
    }
    if (!build_commands(&parser, err)) {
        find_format(request, words, count);
        return false;
    }
    return true;
}

bool request_runs_command(const struct request *request)
{
    if (request->verb == NULL || request->count == 0) {
        return false;
    }
    const struct argument *rest = parser_rest_argument(request->verb);
    return rest != NULL &&
           ((request->verb->flags & VERB_CARRIES) != 0 ||
               command_has(request->commands[0], rest->name) || request_wants_terminal(request));
}

bool request_wants_terminal(const struct request *request)
{
    if (request->verb == NULL || request->count == 0) {
        return false;
    }
    const struct argument *tty = parser_own_option(request->verb, "tty", 0);
    if (tty != NULL && command_has(request->commands[0], tty->name)) {
        return true;
    }
    const struct argument *rest = parser_rest_argument(request->verb);
    return (request->verb->flags & VERB_TERMINAL) != 0 &&
           (rest == NULL || !command_has(request->commands[0], rest->name));
}
