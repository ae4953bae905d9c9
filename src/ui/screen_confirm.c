/* SPDX-License-Identifier: MIT */
/* The question before a command that destroys. */
#include "ui/screens.h"

#include <ctype.h>
#include <string.h>

#include "base/memory.h"
#include "engine/command.h"
#include "engine/snapshot.h"
#include "ui/actions.h"
#include "ui/choice.h"
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

struct screen *confirm_screen_new(struct seat *seat, struct command *command)
{
    const struct verb *verb = command_verb(command);
    const char *name = NULL;
    for (size_t i = 0; i < verb->argument_count && name == NULL; i++) {
        if (verb->arguments[i].is_positional) {
            name = command_get(command, verb->arguments[i].name);
        }
    }
    const char *subject = strcmp(verb->subject, "vm") == 0 ? "machine" : verb->subject;
    size_t count = command_each_count(command);
    auto_free char *title =
        count > 1 ? memory_printf("%s %zu %ss?", format_verb_word(verb), count, subject)
                  : memory_printf("%s %s%s%s?", format_verb_word(verb), subject,
                        name != NULL ? " " : "", name != NULL ? name : "");
    title[0] = (char)toupper((unsigned char)title[0]);
    struct choice_screen *choice = choice_new(seat, title, ROLE_BAD);
    choice->command = command;
    action_question(seat->snapshot, command, &choice->question);
    auto_free char *yes = memory_printf("Yes, %s", format_verb_word(verb));
    choice_add(choice, 'n', "No", NULL);
    choice_add(choice, 'y', yes, confirm);
    demand_typing(choice, seat->snapshot, name, count);
    plan_ask(&choice->plan, seat, command);
    return &choice->screen;
}
