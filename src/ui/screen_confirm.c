/* SPDX-License-Identifier: MIT */
/* The question before a command that destroys. */
#include "ui/screens.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/snapshot.h"
#include "ui/actions.h"
#include "ui/choice.h"
#include "ui/form.h"
#include "ui/format.h"
#include "ui/seat.h"

static void confirm(struct screen *screen, struct seat *seat)
{
    struct choice_screen *choice = (struct choice_screen *)screen;
    action_go(seat, take_ptr(choice->command), true);
}

/* More than this many at once is not a slip of the finger's doing any more. */
#define MARKED_MAX 5

/* Somebody depends on the one that goes, or many go at once: a key is too little an answer. What
 * others depend on goes only by force. */
static void demand_typing(
    struct choice_screen *choice, const struct snapshot *snapshot, const char *name, size_t count)
{
    const struct verb *verb = command_verb(choice->command);
    if ((verb->flags & VERB_DESTROYS) == 0) {
        return;
    }
    if (count > MARKED_MAX) {
        choice->wanted = memory_printf("%zu", count);
    } else if (count == 1 && strcmp(verb->subject, "kernel") == 0 &&
               strcmp(verb->name, "rm") == 0 && action_kernel_users(snapshot, name) > 0) {
        choice->wanted = memory_strdup(name);
    }
}

/* With the form, where what is missing can be added. */
static void change(struct screen *screen, struct seat *seat)
{
    struct choice_screen *choice = (struct choice_screen *)screen;
    struct error why = {0};
    error_set(&why, ERROR_INVALID, "%s", choice->plan.lines.items[0]);
    seat_open(seat, form_screen_again(seat, take_ptr(choice->command), &why));
}

/* Who says yes to what is refused anyway only meets the refusal again. */
static void meet_refusal(struct choice_screen *choice)
{
    free(choice->wanted);
    choice->wanted = NULL;
    choice->marked = 0;
    choice->option_count = 0;
    choice_add(choice, 'n', "Leave it", NULL);
    if (form_has_fields(command_verb(choice->command))) {
        choice_add(choice, 'e', "Change the line", change);
    }
}

/* "Yes, remove": the first word will do where the title has them all. */
static char *yes_words(const struct verb *verb)
{
    const char *word = format_verb_word(verb);
    size_t len = text_has_suffix(word, " of") ? strcspn(word, " ") : strlen(word);
    return memory_printf("Yes, %.*s", (int)len, word);
}

struct screen *confirm_screen_new(struct seat *seat, struct command *command)
{
    const struct verb *verb = command_verb(command);
    const char *name = NULL;
    for (size_t i = 0; i < verb->argument_count && name == NULL; i++) {
        if (verb->arguments[i].is_positional) {
            name = command_get(command, verb->arguments[i].name);
        }
    }
    bool is_hosts = strcmp(verb->subject, "host") == 0; /* its words say it all */
    const char *subject = is_hosts                           ? ""
                          : strcmp(verb->subject, "vm") == 0 ? "machine"
                                                             : verb->subject;
    size_t count = command_each_count(command);
    auto_free char *title =
        count > 1 ? memory_printf("%s %zu %ss?", format_verb_word(verb), count, subject)
                  : memory_printf("%s%s%s%s%s?", format_verb_word(verb), is_hosts ? "" : " ",
                        subject, name != NULL ? " " : "", name != NULL ? name : "");
    title[0] = (char)toupper((unsigned char)title[0]);
    struct choice_screen *choice = choice_new(seat, title, ROLE_BAD);
    choice->command = command;
    action_question(seat->snapshot, command, &choice->question);
    auto_free char *yes = yes_words(verb);
    choice_add(choice, 'n', "No", NULL);
    choice_add(choice, 'y', yes, confirm);
    choice->refused = count == 1 ? meet_refusal : NULL;
    demand_typing(choice, seat->snapshot, name, count);
    plan_ask(&choice->plan, seat, command);
    return &choice->screen;
}
