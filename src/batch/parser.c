/* SPDX-License-Identifier: MIT */
#include "batch/parser.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "batch/near.h"
#include "batch/options.h"
#include "batch/request.h"
#include "engine/command.h"

void parser_done(struct parser *parser)
{
    free(parser->assignments);
}

static void assign(struct parser *parser, const struct argument *argument, const char *value)
{
    parser->assignments = memory_grow(
        parser->assignments, parser->assignment_count + 1, sizeof(parser->assignments[0]));
    parser->assignments[parser->assignment_count++] =
        (struct assignment){.argument = argument, .value = value};
}

static bool is_help(const struct verb *verb, const char *word)
{
    if (strcmp(word, "-h") != 0) {
        return strcmp(word, "--help") == 0;
    }
    for (size_t i = 0; verb != NULL && i < verb->argument_count; ++i) {
        if (verb->arguments[i].letter == 'h') {
            return false;
        }
    }
    return true;
}

/* Fails with "what "word" …", and the nearest candidate when there is one. */
static bool fail_unknown(const char *what, const char *word, const char *otherwise,
    const struct strings *candidates, struct error *err)
{
    const char *near = near_best(word, candidates);
    if (near != NULL) {
        return error_set(
            err, ERROR_INVALID, "%s \"%s\" is not known: did you mean \"%s\"?", what, word, near);
    }
    return error_set(err, ERROR_INVALID, "%s \"%s\" is not known: %s", what, word, otherwise);
}

/* ---- options ---- */

const struct argument *parser_own_option(const struct verb *verb, const char *name, char letter)
{
    for (size_t i = 0; verb != NULL && i < verb->argument_count; ++i) {
        const struct argument *argument = &verb->arguments[i];
        if (argument->kind != ARGUMENT_REST &&
            (name != NULL ? strcmp(argument->name, name) == 0 : argument->letter == letter)) {
            return argument;
        }
    }
    return NULL;
}

/* Takes one option with the value that belongs to it. `is_own`: of the verb, not common. */
static bool take_option(struct parser *parser, const struct argument *argument, bool is_own,
    const char *value, struct error *err)
{
    if (is_own) {
        bool is_tty = strcmp(argument->name, "tty") == 0;
        parser->request->carries_stream = parser->request->carries_stream || is_tty;
        assign(parser, argument, value);
        return true;
    }
    if (parser->is_line && !options_is_per_line(argument)) {
        return error_set(err, ERROR_INVALID,
            "--%s holds for a whole run: give it behind --batch, not on a line of a script",
            argument->name);
    }
    return options_set(&parser->request->options, argument, value, err);
}

/* The word behind an option that wants a value. */
static bool next_value(
    struct parser *parser, const struct argument *argument, const char **value, struct error *err)
{
    if (parser->at == parser->count) {
        return error_set(err, ERROR_INVALID, "--%s needs a value: --%s %s", argument->name,
            argument->name, argument->value_name != NULL ? argument->value_name : "VALUE");
    }
    *value = parser->words[parser->at++];
    return true;
}

static bool read_long_option(struct parser *parser, const char *word, struct error *err)
{
    const struct verb *verb = parser->request->verb;
    const char *equals = strchr(word, '=');
    auto_free char *name = equals != NULL ? memory_strndup(word + 2, (size_t)(equals - word) - 2)
                                          : memory_strdup(word + 2);
    const struct argument *argument = parser_own_option(verb, name, 0);
    bool is_own = argument != NULL;
    if (!is_own) {
        argument = options_find(name, 0);
    }
    if (argument == NULL) {
        auto_done(strings) struct strings candidates = {0};
        near_add_options(verb, &candidates);
        auto_free char *shown = memory_printf("--%s", name);
        return fail_unknown(
            "option", shown, "--help behind the command lists those it takes", &candidates, err);
    }
    const char *value = equals != NULL ? equals + 1 : NULL;
    if (argument->kind == ARGUMENT_FLAG && value != NULL) {
        return error_set(err, ERROR_INVALID, "--%s takes no value", argument->name);
    }
    if (argument->kind != ARGUMENT_FLAG && value == NULL &&
        !next_value(parser, argument, &value, err)) {
        return false;
    }
    return take_option(parser, argument, is_own, value, err);
}

/* "-f", "-dt", "-n5", "-n 5". */
static bool read_short_options(struct parser *parser, const char *word, struct error *err)
{
    for (const char *letter = word + 1; *letter != '\0'; ++letter) {
        const struct argument *argument = parser_own_option(parser->request->verb, NULL, *letter);
        bool is_own = argument != NULL;
        if (!is_own) {
            argument = options_find(NULL, *letter);
        }
        if (argument == NULL) {
            return error_set(err, ERROR_INVALID,
                "option \"-%.*s\" is not known: --help behind the command lists those it takes",
                text_decode_utf8(letter, strlen(letter), &(unsigned){0}) > 1 ? 4 : 1, letter);
        }
        if (argument->kind == ARGUMENT_FLAG) {
            if (!take_option(parser, argument, is_own, NULL, err)) {
                return false;
            }
            continue;
        }
        const char *value = letter[1] != '\0' ? letter + 1 : NULL;
        if (value == NULL && !next_value(parser, argument, &value, err)) {
            return false;
        }
        return take_option(parser, argument, is_own, value, err);
    }
    return true;
}

static bool read_option(struct parser *parser, const char *word, struct error *err)
{
    return word[1] == '-' ? read_long_option(parser, word, err)
                          : read_short_options(parser, word, err);
}

/* ---- words ---- */

const struct argument *parser_rest_argument(const struct verb *verb)
{
    for (size_t i = 0; verb != NULL && i < verb->argument_count; ++i) {
        if (verb->arguments[i].kind == ARGUMENT_REST) {
            return &verb->arguments[i];
        }
    }
    return NULL;
}

static const struct argument *positional_at(const struct verb *verb, size_t index)
{
    const struct argument *found = NULL;
    for (size_t i = 0; i < verb->argument_count; ++i) {
        if (!verb->arguments[i].is_positional) {
            continue;
        }
        found = &verb->arguments[i];
        if (index == 0 || found->is_many) {
            return found;
        }
        --index;
    }
    return NULL;
}

static bool read_positional(struct parser *parser, const char *word, struct error *err)
{
    const struct verb *verb = parser->request->verb;
    const struct argument *argument = positional_at(verb, parser->positional_count);
    if (argument == NULL && parser_rest_argument(verb) != NULL) {
        return error_set(err, ERROR_INVALID,
            "\"%s\" is one word too many: a command to run stands behind \"--\"", word);
    }
    if (argument == NULL) {
        auto_free char *words = verb_words(verb);
        return error_set(err, ERROR_INVALID, "\"%s\" is one word too many for %s", word, words);
    }
    ++parser->positional_count;
    assign(parser, argument, word);
    if ((parser->request->verb->flags & VERB_PIPES) != 0 && strcmp(word, "-") == 0) {
        parser->request->carries_stream = true;
    }
    return true;
}

/* Everything behind the verb. */
static bool read_arguments(struct parser *parser, struct error *err)
{
    struct request *request = parser->request;
    const struct argument *rest = parser_rest_argument(request->verb);
    bool are_options_over = false;
    request->carries_stream = (request->verb->flags & VERB_CARRIES) != 0;
    while (parser->at < parser->count) {
        const char *word = parser->words[parser->at++];
        bool is_option = !are_options_over && word[0] == '-' && word[1] != '\0';
        if (is_option && strcmp(word, "--") == 0) {
            are_options_over = true;
            request->carries_stream = request->carries_stream || rest != NULL;
            if (rest != NULL && parser->at == parser->count) {
                return error_set(err, ERROR_INVALID, "there is no command behind \"--\"");
            }
            while (rest != NULL && parser->at < parser->count) {
                assign(parser, rest, parser->words[parser->at++]);
            }
        } else if (is_option && is_help(request->verb, word)) {
            request->wants_help = true;
            return true;
        } else if (is_option ? !read_option(parser, word, err)
                             : !read_positional(parser, word, err)) {
            return false;
        }
    }
    return true;
}

static bool fail_verb(const char *subject, const char *word, struct error *err)
{
    auto_done(strings) struct strings candidates = {0};
    near_add_second_words(subject, word, &candidates);
    if (subject[0] != '\0' && candidates.count > 0) {
        auto_free char *all = strings_join(&candidates, ", ");
        return error_set(err, ERROR_INVALID, "%s %s needs a word more: %s", subject, word, all);
    }
    near_add_verbs(subject, &candidates);
    if (subject[0] != '\0') {
        auto_free char *all = strings_join(&candidates, ", ");
        auto_free char *otherwise = memory_printf("%s can %s", subject, all);
        auto_free char *what = memory_printf("%s verb", subject);
        return fail_unknown(what, word, otherwise, &candidates, err);
    }
    near_add_subjects(&candidates);
    return fail_unknown("command", word, "\"help\" lists all there are", &candidates, err);
}

static const char *find_subject(const char *word)
{
    for (size_t i = 0; i < verb_count(); ++i) {
        if (verb_at(i)->subject[0] != '\0' && strcmp(verb_at(i)->subject, word) == 0) {
            return verb_at(i)->subject;
        }
    }
    return NULL;
}

/* The verb of a subject; some have names of two words ("cache prune"). */
static bool read_verb_of(struct parser *parser, const char *subject, struct error *err)
{
    struct request *request = parser->request;
    if (parser->at == parser->count) {
        auto_done(strings) struct strings names = {0};
        near_add_verbs(subject, &names);
        auto_free char *all = strings_join(&names, ", ");
        return error_set(err, ERROR_INVALID, "%s needs a verb: %s", subject, all);
    }
    const char *word = parser->words[parser->at++];
    if (is_help(NULL, word)) {
        request->wants_help = true;
        return true;
    }
    if (parser->at < parser->count) {
        auto_free char *two = memory_printf("%s %s", word, parser->words[parser->at]);
        request->verb = verb_find(subject, two);
        if (request->verb != NULL) {
            ++parser->at;
            return true;
        }
    }
    request->verb = verb_find(subject, word);
    return request->verb != NULL || fail_verb(subject, word, err);
}

/* "--file F", "--file=F" and "-" in front of a verb. False when the word is none of these. */
static bool read_script_word(struct parser *parser, const char *word, struct error *err)
{
    static const struct argument file = {"file", .value_name = "FILE"};
    const char *path = NULL;
    if (strcmp(word, "-") == 0) {
        path = word;
    } else if (text_has_prefix(word, "--file=")) {
        path = word + strlen("--file=");
    } else if (strcmp(word, "--file") != 0) {
        return false;
    } else if (!next_value(parser, &file, &path, err)) {
        return true;
    }
    if (parser->is_line) {
        error_set(err, ERROR_INVALID, "a script cannot run another one");
    }
    free(parser->request->script);
    parser->request->script = memory_strdup(path);
    return true;
}

/* --help and --version in the place of a verb. False when the word is neither. */
static bool read_verb_like(struct parser *parser, const char *word)
{
    struct request *request = parser->request;
    if (strcmp(word, "--version") == 0) {
        request->verb = verb_find("", "version");
        return true;
    }
    if (is_help(NULL, word)) {
        /* `--help exit` is `help exit`. */
        bool has_topic = parser->at < parser->count && parser->words[parser->at][0] != '-';
        request->verb = has_topic ? verb_find("", "help") : NULL;
        request->wants_help = request->verb == NULL;
        return true;
    }
    return false;
}

/* Options in front, then the verb; without one it is a script. */
static bool read_verb(struct parser *parser, struct error *err)
{
    struct request *request = parser->request;
    while (parser->at < parser->count) {
        const char *word = parser->words[parser->at++];
        if (read_script_word(parser, word, err)) {
            if (err->code != ERROR_NONE) {
                return false;
            }
            continue;
        }
        if (read_verb_like(parser, word)) {
            return true;
        }
        if (word[0] == '-') {
            if (!read_option(parser, word, err)) {
                return false;
            }
            continue;
        }
        if (request->script != NULL) {
            return error_set(err, ERROR_INVALID,
                "a script and a command exclude each other: leave \"%s\" or --file %s away", word,
                request->script);
        }
        request->verb = verb_find("", word);
        if (request->verb != NULL) {
            return true;
        }
        const char *subject = find_subject(word);
        if (subject == NULL) {
            return fail_verb("", word, err);
        }
        request->subject = subject;
        return read_verb_of(parser, subject, err);
    }
    if (parser->is_line) {
        return error_set(err, ERROR_INVALID, "there is no command on this line");
    }
    if (request->script == NULL) {
        request->script = memory_strdup("-");
    }
    return true;
}

bool parser_read(struct parser *parser, struct error *err)
{
    struct request *request = parser->request;
    if (!read_verb(parser, err)) {
        return false;
    }
    return request->wants_help || request->script != NULL || read_arguments(parser, err);
}
