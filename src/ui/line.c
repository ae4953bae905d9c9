/* SPDX-License-Identifier: MIT */
#include "ui/line.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"

/* One word from *at on, without its quotes. */
static bool take_word(const char **at, struct text *word, struct error *err)
{
    char quote = '\0';
    const char *c = *at;
    for (; *c != '\0' && (quote != '\0' || *c != ' '); c++) {
        if (quote == '\0' && (*c == '\'' || *c == '"')) {
            quote = *c;
        } else if (*c == quote) {
            quote = '\0';
        } else if (*c == '\\' && quote != '\'' && c[1] != '\0') {
            text_append_char(word, *++c);
        } else {
            text_append_char(word, *c);
        }
    }
    *at = c;
    return quote == '\0' || error_set(err, ERROR_INVALID, "the quote %c has no end", quote);
}

bool line_split(const char *line, struct strings *words, struct error *err)
{
    const char *at = line;
    while (true) {
        at += strspn(at, " ");
        if (*at == '\0') {
            return true;
        }
        auto_done(text) struct text word = {0};
        if (!take_word(&at, &word, err)) {
            return false;
        }
        strings_add(words, text_cstr(&word));
    }
}

static const struct argument *by_letter(const struct verb *verb, char letter)
{
    for (size_t i = 0; i < verb->argument_count; i++) {
        if (verb->arguments[i].letter != '\0' && verb->arguments[i].letter == letter) {
            return &verb->arguments[i];
        }
    }
    return NULL;
}

static const struct argument *rest_of(const struct verb *verb)
{
    for (size_t i = 0; i < verb->argument_count; i++) {
        if (verb->arguments[i].kind == ARGUMENT_REST) {
            return &verb->arguments[i];
        }
    }
    return NULL;
}

/* The positional argument that the next plain word is for. */
static const struct argument *next_place(const struct verb *verb, const struct command *command)
{
    for (size_t i = 0; i < verb->argument_count; i++) {
        const struct argument *argument = &verb->arguments[i];
        bool has_room = argument->is_many || !command_has(command, argument->name);
        if (argument->is_positional && has_room) {
            return argument;
        }
    }
    return NULL;
}

/* The option that begins at words[*at], with its value; *at is moved to its last word. */
static bool set_option(
    struct command *command, const struct strings *words, size_t *at, struct error *err)
{
    const struct verb *verb = command_verb(command);
    const char *word = words->items[*at];
    const char *equals = strchr(word, '=');
    const struct argument *argument = NULL;
    if (text_has_prefix(word, "--")) {
        size_t len = equals != NULL ? (size_t)(equals - word) - 2 : strlen(word) - 2;
        auto_free char *name = memory_strndup(word + 2, len);
        argument = verb_argument(verb, name);
    } else if (word[2] == '\0') {
        argument = by_letter(verb, word[1]);
        equals = NULL;
    }
    if (argument == NULL || argument->kind == ARGUMENT_REST) {
        auto_free char *words_of_verb = verb_words(verb);
        return error_set(err, ERROR_INVALID, "%s has no option %s", words_of_verb, word);
    }
    if (argument->kind == ARGUMENT_FLAG) {
        return command_set(command, argument->name, NULL, err);
    }
    if (equals != NULL) {
        return command_set(command, argument->name, equals + 1, err);
    }
    if (*at + 1 >= words->count) {
        return error_set(err, ERROR_INVALID, "%s needs a value", word);
    }
    return command_set(command, argument->name, words->items[++*at], err);
}

/* words[from] and on, behind the verb. */
static bool set_words(
    struct command *command, const struct strings *words, size_t from, struct error *err)
{
    const struct verb *verb = command_verb(command);
    bool is_rest = false;
    for (size_t at = from; at < words->count; at++) {
        const char *word = words->items[at];
        const struct argument *argument = is_rest ? rest_of(verb) : next_place(verb, command);
        if (!is_rest && strcmp(word, "--") == 0) {
            is_rest = true;
        } else if (!is_rest && word[0] == '-' && word[1] != '\0') {
            if (!set_option(command, words, &at, err)) {
                return false;
            }
        } else if (argument == NULL) {
            auto_free char *words_of_verb = verb_words(verb);
            return error_set(err, ERROR_INVALID, "%s has no use for \"%s\"", words_of_verb, word);
        } else if (!command_set(command, argument->name, word, err)) {
            return false;
        }
    }
    return true;
}

const struct verb *line_verb(const struct strings *words, size_t *used)
{
    const struct verb *verb = NULL;
    if (words->count >= 3) {
        auto_free char *two = memory_printf("%s %s", words->items[1], words->items[2]);
        verb = verb_find(words->items[0], two);
        *used = 3;
    }
    if (verb == NULL && words->count >= 2) {
        verb = verb_find(words->items[0], words->items[1]);
        *used = 2;
    }
    if (verb == NULL && words->count >= 1) {
        verb = verb_find("", words->items[0]);
        *used = 1;
    }
    return verb;
}

struct command *line_parse(const char *line, struct error *err)
{
    auto_done(strings) struct strings words = {0};
    if (!line_split(line, &words, err)) {
        return NULL;
    }
    size_t used = 0;
    const struct verb *verb = line_verb(&words, &used);
    if (verb == NULL || (verb->flags & (VERB_LOCAL | VERB_HIDDEN)) != 0) {
        error_set(err, ERROR_INVALID, "there is no such verb: %s", line);
        return NULL;
    }
    struct command *command = command_new(verb);
    if (!set_words(command, &words, used, err)) {
        command_free(command);
        return NULL;
    }
    return command;
}
