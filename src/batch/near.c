/* SPDX-License-Identifier: MIT */
#include "batch/near.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"

const char *near_best(const char *word, const struct strings *candidates)
{
    size_t len = strlen(word);
    /* One slip in a short word, two in a longer one: "lsit", "doctr", "availabel". */
    int allowed = len < 3 ? 0 : len < 4 ? 1 : len < 8 ? 2 : 3;
    const char *best = NULL;
    for (size_t i = 0; i < candidates->count; ++i) {
        int distance = text_distance(word, candidates->items[i]);
        bool is_start = len >= 3 && text_has_prefix(candidates->items[i], word);
        if (is_start && distance > allowed) {
            distance = allowed;
        }
        if (distance <= allowed) {
            best = candidates->items[i];
            if (distance == 0) {
                break;
            }
            allowed = distance - 1;
        }
    }
    return best;
}

void near_add_subjects(struct strings *words)
{
    for (size_t i = 0; i < verb_count(); ++i) {
        const struct verb *verb = verb_at(i);
        bool is_offered = verb->subject[0] != '\0' && (verb->flags & VERB_HIDDEN) == 0;
        if (is_offered && !strings_contain(words, verb->subject)) {
            strings_add(words, verb->subject);
        }
    }
}

void near_add_verbs(const char *subject, struct strings *words)
{
    for (size_t i = 0; i < verb_count(); ++i) {
        const struct verb *verb = verb_at(i);
        if (strcmp(verb->subject, subject) == 0 && (verb->flags & VERB_HIDDEN) == 0) {
            strings_add(words, verb->name);
        }
    }
}

void near_add_first_words(const char *subject, struct strings *words)
{
    auto_done(strings) struct strings names = {0};
    near_add_verbs(subject, &names);
    for (size_t i = 0; i < names.count; ++i) {
        auto_free char *first = memory_strndup(names.items[i], strcspn(names.items[i], " "));
        if (!strings_contain(words, first)) {
            strings_add(words, first);
        }
    }
}

void near_add_second_words(const char *subject, const char *first, struct strings *words)
{
    auto_done(strings) struct strings names = {0};
    size_t len = strlen(first);
    near_add_verbs(subject, &names);
    for (size_t i = 0; i < names.count; ++i) {
        if (text_has_prefix(names.items[i], first) && names.items[i][len] == ' ') {
            strings_add(words, names.items[i] + len + 1);
        }
    }
}

static void add_options(const struct argument *arguments, size_t count, struct strings *words)
{
    for (size_t i = 0; i < count; ++i) {
        if (arguments[i].kind != ARGUMENT_REST) {
            strings_printf(words, "--%s", arguments[i].name);
        }
    }
}

void near_add_options(const struct verb *verb, struct strings *words)
{
    if (verb != NULL) {
        add_options(verb->arguments, verb->argument_count, words);
    }
    add_options(common_arguments, common_argument_count, words);
}
