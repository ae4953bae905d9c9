/* SPDX-License-Identifier: MIT */
#include "ui/actions.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/snapshot.h"
#include "ui/attach.h"
#include "ui/machines.h"
#include "ui/refusals.h"
#include "ui/screens.h"
#include "ui/seat.h"

/* A login shell of the guest: bash where there is one, without a package for it where there is
 * none. The guest's environment decides the rest. */
#define GUEST_SHELL "command -v bash >/dev/null 2>&1 && exec bash -l; exec sh -l"

static bool offer_is_kernel_to_pull(const struct snapshot *snapshot, size_t index)
{
    const struct offer_item *offer = &snapshot->offers[index];
    return offer->kind == OFFER_KERNEL && offer->state == OFFER_AVAILABLE;
}

static bool offer_is_image_to_pull(const struct snapshot *snapshot, size_t index)
{
    const struct offer_item *offer = &snapshot->offers[index];
    return offer->kind == OFFER_IMAGE && offer->state == OFFER_AVAILABLE;
}

static bool offer_is_kernel(const struct snapshot *snapshot, size_t index)
{
    return snapshot->offers[index].kind == OFFER_KERNEL;
}

static bool offer_is_image(const struct snapshot *snapshot, size_t index)
{
    return snapshot->offers[index].kind == OFFER_IMAGE;
}

static bool image_is_whole(const struct snapshot *snapshot, size_t index)
{
    return snapshot->images[index].state == ENTRY_OK;
}

static bool image_is_foreign(const struct snapshot *snapshot, size_t index)
{
    return !snapshot->images[index].is_managed;
}

static bool vm_is_running(const struct snapshot *snapshot, size_t index)
{
    return snapshot->vms[index].state == VM_STATE_RUNNING;
}

/* The agent opens the shell: before it answers there is nobody to ask. */
static bool vm_is_ready(const struct snapshot *snapshot, size_t index)
{
    return vm_is_running(snapshot, index) && snapshot->vms[index].is_ready;
}

static bool vm_is_paused(const struct snapshot *snapshot, size_t index)
{
    return snapshot->vms[index].state == VM_STATE_PAUSED;
}

/* Where one can get as soon as it is there: see screen_wait.c. */
static bool vm_will_have_agent(const struct snapshot *snapshot, size_t index)
{
    return vm_is_ready(snapshot, index) || machine_is_booting(snapshot, &snapshot->vms[index]);
}

static bool vm_will_have_line(const struct snapshot *snapshot, size_t index)
{
    return machine_is_up(&snapshot->vms[index]) ||
           machine_is_booting(snapshot, &snapshot->vms[index]);
}

static bool vm_has_line(const struct snapshot *snapshot, size_t index)
{
    return machine_is_up(&snapshot->vms[index]);
}

static bool vm_is_down(const struct snapshot *snapshot, size_t index)
{
    enum vm_state state = snapshot->vms[index].state;
    return !vm_has_line(snapshot, index) && state != VM_STATE_UNKNOWN;
}

static bool vm_has_started(const struct snapshot *snapshot, size_t index)
{
    return snapshot->vms[index].state != VM_STATE_CREATED;
}

#define CATALOG CONTEXT_CATALOG
#define KERNELS CONTEXT_KERNELS
#define IMAGES CONTEXT_IMAGES
#define VMS CONTEXT_VMS

static const struct action actions[] = {
    {REQUEST_PULL, CATALOG, "kernel", "pull", ACTION_SUBMIT, true, offer_is_kernel_to_pull},
    {REQUEST_PULL, CATALOG, "image", "pull", ACTION_SUBMIT, true, offer_is_image_to_pull},
    {REQUEST_PULL, KERNELS, "kernel", "pull", ACTION_FORM, false, NULL},
    {REQUEST_PULL, IMAGES, "image", "pull", ACTION_FORM, false, NULL},
    {REQUEST_PULL_AS, CATALOG, "kernel", "pull", ACTION_FORM, true, offer_is_kernel},
    {REQUEST_PULL_AS, CATALOG, "image", "pull", ACTION_FORM, true, offer_is_image},
    {REQUEST_PULL_AS, KERNELS, "kernel", "pull", ACTION_FORM, false, NULL},
    {REQUEST_PULL_AS, IMAGES, "image", "pull", ACTION_FORM, false, NULL},
    {REQUEST_REFRESH, CATALOG, "catalog", "refresh", ACTION_SUBMIT, false, NULL},
    {REQUEST_RUN, CATALOG, "vm", "run", ACTION_FORM, true, offer_is_image},
    {REQUEST_RUN, IMAGES, "vm", "run", ACTION_FORM, true, image_is_whole},
    {REQUEST_RUN_AS, VMS, "vm", "run", ACTION_FORM, false, NULL},
    {REQUEST_CREATE, IMAGES, "vm", "create", ACTION_FORM, true, image_is_whole},
    {REQUEST_CREATE, VMS, "vm", "create", ACTION_FORM, false, NULL},
    {REQUEST_SET, VMS, "vm", "set", ACTION_FORM, true, NULL},
    {REQUEST_START, VMS, "vm", "start", ACTION_SUBMIT, true, vm_is_down},
    {REQUEST_SHELL, VMS, "vm", "exec", ACTION_TERMINAL, true, vm_will_have_agent},
    {REQUEST_CONSOLE, VMS, "vm", "console", ACTION_TERMINAL, true, vm_will_have_line},
    {REQUEST_LOGS, VMS, "vm", "logs", ACTION_FOLLOW, true, vm_has_started},
    {REQUEST_STOP, VMS, "vm", "stop", ACTION_ASK, true, vm_has_line},
    {REQUEST_RESTART, VMS, "vm", "restart", ACTION_ASK, true, vm_has_line},
    {REQUEST_KILL, VMS, "vm", "kill", ACTION_ASK, true, vm_has_line},
    {REQUEST_PAUSE, VMS, "vm", "pause", ACTION_SUBMIT, true, vm_is_running},
    {REQUEST_RESUME, VMS, "vm", "resume", ACTION_SUBMIT, true, vm_is_paused},
    {REQUEST_REMOVE, VMS, "vm", "rm", ACTION_ASK, true, vm_is_down},
    {REQUEST_IMPORT, IMAGES, "image", "register", ACTION_FORM, false, NULL},
    {REQUEST_IMPORT, CONTEXT_PANES, "kernel", "import", ACTION_FORM, false, NULL},
    {REQUEST_PROMOTE, IMAGES, "image", "promote", ACTION_SUBMIT, true, image_is_foreign},
    {REQUEST_VERIFY, KERNELS, "kernel", "verify", ACTION_SUBMIT, true, NULL},
    {REQUEST_VERIFY, IMAGES, "image", "verify", ACTION_SUBMIT, true, NULL},
    {REQUEST_EXPORT, KERNELS, "kernel", "export", ACTION_FORM, true, NULL},
    {REQUEST_EXPORT, IMAGES, "image", "export", ACTION_FORM, true, NULL},
    {REQUEST_REMOVE, KERNELS, "kernel", "rm", ACTION_ASK, true, NULL},
    {REQUEST_REMOVE, IMAGES, "image", "rm", ACTION_ASK, true, NULL},
    {REQUEST_DEEDS, CONTEXT_PANES, "", "events", ACTION_FOLLOW, false, NULL},
    {REQUEST_TRASH, CONTEXT_PANES, "host", "trash list", ACTION_SHOW, false, NULL},
    {REQUEST_DOCTOR, CONTEXT_PANES & ~CONTEXT_JOBS, "host", "doctor", ACTION_SHOW, false, NULL},
};

/* What cannot be read may be looked at, and no more. */
static bool is_safe(
    const struct verb *verb, const struct snapshot *snapshot, enum pane pane, size_t index)
{
    return (verb->flags & VERB_READS) != 0 || !refusal_is_unread(snapshot, pane, index, NULL);
}

const struct action *action_find(
    const struct seat *seat, enum request request, enum pane pane, bool has_row, size_t index)
{
    unsigned context = pane_infos[pane].context;
    for (size_t i = 0; i < array_length(actions); i++) {
        const struct action *action = &actions[i];
        if (action->request != request || (action->contexts & context) == 0) {
            continue;
        }
        const struct verb *verb = verb_find(action->subject, action->verb);
        if (verb == NULL || ((verb->flags & VERB_READS) == 0 && !seat_may_change(seat))) {
            continue;
        }
        if (action->needs_row && (!has_row || !is_safe(verb, seat->snapshot, pane, index))) {
            continue;
        }
        if (action->is_possible == NULL || action->is_possible(seat->snapshot, index)) {
            return action;
        }
    }
    return NULL;
}

bool action_exists(enum request request, unsigned contexts)
{
    bool is_action = false;
    for (size_t i = 0; i < array_length(actions); i++) {
        if (actions[i].request == request && (actions[i].contexts & contexts) != 0) {
            is_action = true;
            if (verb_find(actions[i].subject, actions[i].verb) != NULL) {
                return true;
            }
        }
    }
    return !is_action;
}

enum request action_request(enum pane pane, const struct verb *verb)
{
    for (size_t i = 0; i < array_length(actions); i++) {
        if ((actions[i].contexts & pane_infos[pane].context) != 0 &&
            strcmp(actions[i].subject, verb->subject) == 0 &&
            strcmp(actions[i].verb, verb->name) == 0) {
            return actions[i].request;
        }
    }
    return REQUEST_NONE;
}

/* Whether the verbs of a subject act on what a row of the pane is. */
static bool subject_is_row(
    const struct snapshot *snapshot, const struct row *row, const char *subject)
{
    static const char *const subjects[PANE_COUNT] = {
        [PANE_CATALOG] = "",
        [PANE_KERNELS] = "kernel",
        [PANE_IMAGES] = "image",
        [PANE_VMS] = "vm",
        [PANE_JOBS] = "",
    };
    if (row->pane == PANE_CATALOG && row->is_there) {
        return strcmp(subject, offer_kind_name(snapshot->offers[row->index].kind)) == 0;
    }
    return strcmp(subjects[row->pane], subject) == 0;
}

enum action_use action_use(const struct seat *seat, const struct row *row, const struct verb *verb)
{
    enum action_use use = ACTION_NO_KEY;
    if (action_is_about(verb, seat->snapshot, row) &&
        !is_safe(verb, seat->snapshot, row->pane, row->index)) {
        return ACTION_NOT_NOW;
    }
    for (size_t i = 0; i < array_length(actions); i++) {
        const struct action *action = &actions[i];
        unsigned context = pane_infos[row->pane].context;
        if ((action->contexts & context) == 0 ||
            keys_row(action->request, context | CONTEXT_LIST) == NULL ||
            strcmp(action->subject, verb->subject) != 0 || strcmp(action->verb, verb->name) != 0) {
            continue;
        }
        bool is_possible = !action->needs_row ||
                           (row->is_there && (action->is_possible == NULL ||
                                                 action->is_possible(seat->snapshot, row->index)));
        if (is_possible) {
            return !action->needs_row           ? ACTION_IN_PANE
                   : action->kind == ACTION_ASK ? ACTION_ASKED
                                                : ACTION_ON_ROW;
        }
        use = ACTION_NOT_NOW;
    }
    return use;
}

const struct argument *action_operand(const struct verb *verb)
{
    for (size_t i = 0; i < verb->argument_count; i++) {
        if (verb->arguments[i].is_positional) {
            return &verb->arguments[i];
        }
    }
    return NULL;
}

static bool set_terminal_words(struct command *command, struct error *err)
{
    if (strcmp(command_verb(command)->name, "exec") != 0) {
        return true;
    }
    return command_set(command, "tty", NULL, err) && command_set(command, "command", "sh", err) &&
           command_set(command, "command", "-c", err) &&
           command_set(command, "command", GUEST_SHELL, err);
}

bool action_is_shell(const struct command *command)
{
    bool is_exec = strcmp(command_verb(command)->name, "exec") == 0;
    const struct strings *words = is_exec ? command_all(command, "command") : NULL;
    return words != NULL && words->count == 3 && strcmp(words->items[2], GUEST_SHELL) == 0;
}

/* What a verb is given besides its object, by the way it is used here. */
static bool set_extras(struct command *command, enum action_kind kind, struct error *err)
{
    if (kind == ACTION_TERMINAL) {
        return set_terminal_words(command, err);
    }
    const struct verb *verb = command_verb(command);
    if (kind != ACTION_FOLLOW || verb_argument(verb, "follow") == NULL) {
        return true;
    }
    return command_set(command, "follow", NULL, err) &&
           (verb_argument(verb, "tail") == NULL || command_set(command, "tail", "10000", err)) &&
           (strcmp(verb->name, "events") != 0 || command_set(command, "since", "all", err));
}

/* What would be refused anyway is refused before anybody has to answer. */
static void ask(struct seat *seat, struct command *command)
{
    auto_done(text) struct text refusal = {0};
    action_refusal(seat->snapshot, command, &refusal);
    if (refusal.len > 0) {
        seat_say(seat, ROLE_BAD, "%s.", text_cstr(&refusal));
        command_free(command);
    } else {
        seat_open(seat, confirm_screen_new(seat, command));
    }
}

static void begin(struct seat *seat, struct command *command, enum action_kind kind)
{
    if (kind == ACTION_FORM) {
        seat_open(seat, form_screen_new(seat, command));
    } else if (kind == ACTION_ASK) {
        ask(seat, command);
    } else {
        action_go(seat, command, false);
    }
}

/* Why not everything that was marked takes part: by the first of those. */
static void tell_left_alone(
    struct seat *seat, const struct action *action, const struct action_rows *rows)
{
    auto_done(text) struct text why = {0};
    size_t count = 0;
    for (size_t i = 0; i < rows->count && action->is_possible != NULL; i++) {
        if (!action->is_possible(seat->snapshot, rows->indices[i])) {
            if (count++ == 0) {
                refusal_words(seat, action->request, rows->pane, rows->indices[i], &why);
            }
        }
    }
    if (count > 0) {
        seat_say(seat, ROLE_ATTENTION, "%zu of %zu marked left alone%s%s.", count, rows->count,
            why.len > 0 ? ": " : "", text_cstr(&why));
    }
}

/* Names of the rows into the verb's operand. */
static bool set_rows(const struct seat *seat, const struct action *action,
    const struct action_rows *rows, struct command *command, struct error *err)
{
    const struct argument *operand = action_operand(command_verb(command));
    bool takes_many = (command_verb(command)->flags & VERB_EACH) != 0;
    size_t taken = 0;
    for (size_t i = 0; action->needs_row && operand != NULL && i < rows->count; i++) {
        size_t index = rows->indices[i];
        if ((taken > 0 && !takes_many) ||
            (action->is_possible != NULL && !action->is_possible(seat->snapshot, index))) {
            continue;
        }
        const char *name = pane_name(rows->pane, seat->snapshot, index);
        if (!command_set(command, operand->name, name, err)) {
            return false;
        }
        taken++;
    }
    return true;
}

/* A new machine is most often like the one that is looked at. */
static void propose_image(const struct seat *seat, const struct action *action,
    const struct action_rows *rows, struct command *command)
{
    struct error ignored = {0};
    const struct argument *operand = action_operand(command_verb(command));
    if (rows->pane == PANE_VMS && !action->needs_row && rows->count > 0 && operand != NULL &&
        operand->kind == ARGUMENT_IMAGE) {
        const char *image = seat->snapshot->vms[rows->indices[0]].image;
        command_set(command, operand->name, image, &ignored); /* else it stays to be filled in */
    }
}

void action_begin(struct seat *seat, const struct action *action, const struct action_rows *rows)
{
    struct error err = {0};
    struct command *command = command_new(verb_find(action->subject, action->verb));
    if (!set_rows(seat, action, rows, command, &err) || !set_extras(command, action->kind, &err)) {
        seat_say(seat, ROLE_BAD, "%s", err.text);
        command_free(command);
        return;
    }
    bool takes_many = (command_verb(command)->flags & VERB_EACH) != 0;
    propose_image(seat, action, rows, command);
    begin(seat, command, action->kind);
    if (takes_many && action->needs_row) {
        tell_left_alone(seat, action, rows);
    }
}

static size_t values_of(const struct command *command)
{
    const struct verb *verb = command_verb(command);
    size_t count = 0;
    for (size_t i = 0; i < verb->argument_count; i++) {
        count += command_has(command, verb->arguments[i].name);
    }
    return count;
}

/* The way a verb is used on a row, where its object alone was given; there is nothing to set then. */
static enum action_kind usual_kind(const struct command *command)
{
    const struct verb *verb = command_verb(command);
    const struct argument *operand = action_operand(verb);
    bool has_object = operand != NULL && command_has(command, operand->name);
    for (size_t i = 0; i < array_length(actions) && has_object && values_of(command) == 1; i++) {
        bool is_it = strcmp(actions[i].subject, verb->subject) == 0 &&
                     strcmp(actions[i].verb, verb->name) == 0;
        if (is_it && (actions[i].kind == ACTION_TERMINAL || actions[i].kind == ACTION_FOLLOW ||
                         actions[i].request == REQUEST_SET)) {
            return actions[i].kind;
        }
    }
    return ACTION_SUBMIT;
}

void action_begin_command(struct seat *seat, struct command *command)
{
    const struct verb *verb = command_verb(command);
    struct error err = {0};
    bool is_change = (verb->flags & VERB_READS) == 0;
    if (is_change && !seat_may_change(seat)) {
        seat_say(seat, ROLE_BAD, "this seat is read-only: %s %s changes something", verb->subject,
            verb->name);
        command_free(command);
        return;
    }
    enum action_kind kind = usual_kind(command);
    if (!set_extras(command, kind, &err)) {
        seat_say(seat, ROLE_BAD, "%s", err.text);
        command_free(command);
        return;
    }
    bool is_bare = is_change && verb->argument_count > 0 && values_of(command) == 0;
    bool is_complete = !is_bare && command_check(command, &err);
    begin(seat, command, is_complete ? kind : ACTION_FORM);
}

/* The verb's operand is the name of something that is not there yet. */
static bool is_maker(const struct verb *verb)
{
    static const char *const makers[] = {"import", "register", "pull"};
    for (size_t i = 0; i < array_length(makers); i++) {
        if (strcmp(verb->name, makers[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool action_is_about(
    const struct verb *verb, const struct snapshot *snapshot, const struct row *row)
{
    const struct argument *operand = action_operand(verb);
    bool is_still_there =
        row->is_there && strcmp(pane_name(row->pane, snapshot, row->index), row->name) == 0;
    if (operand == NULL || !is_still_there || (row->pane != PANE_CATALOG && is_maker(verb))) {
        return false;
    }
    if (operand->kind == ARGUMENT_IMAGE) {
        return subject_is_row(snapshot, row, "image");
    }
    return operand->kind == ARGUMENT_NAME && subject_is_row(snapshot, row, verb->subject);
}

void action_begin_on(struct seat *seat, struct command *command, const struct row *row)
{
    const struct verb *verb = command_verb(command);
    const struct argument *operand = action_operand(verb);
    struct error ignored = {0};
    bool is_for_row = action_is_about(verb, seat->snapshot, row) &&
                      !command_check(command, &ignored) && !command_has(command, operand->name) &&
                      command_set(command, operand->name, row->name, &ignored);
    bool is_change = (verb->flags & VERB_READS) == 0 && usual_kind(command) == ACTION_SUBMIT;
    if (is_for_row && is_change && seat_may_change(seat)) {
        begin(seat, command, ACTION_FORM); /* nobody said that it is this one */
    } else {
        action_begin_command(seat, command);
    }
}

/* One job for each name; every refusal is told. */
static void submit_each(struct seat *seat, struct command *command)
{
    size_t count = command_each_count(command);
    seat->act++;
    if (count <= 1) {
        seat_submit(seat, command);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        seat_submit(seat, command_each(command, i));
    }
    command_free(command);
}

void action_go(struct seat *seat, struct command *command, bool is_asked)
{
    const struct verb *verb = command_verb(command);
    bool has_tty = verb_argument(verb, "tty") != NULL && command_has(command, "tty");
    if ((verb->flags & VERB_DESTROYS) != 0 && !is_asked) {
        ask(seat, command);
    } else if ((verb->flags & VERB_TERMINAL) != 0 || has_tty) {
        if (wait_is_needed(seat->snapshot, command)) {
            seat_open(seat, wait_screen_new(seat, command));
        } else {
            attach_run(seat, command);
        }
    } else if ((verb->flags & VERB_CARRIES) != 0) {
        seat_open(seat, stream_screen_new(seat, command));
    } else if ((verb->flags & VERB_READS) != 0) {
        seat_open(seat, result_screen_new(seat, command));
    } else {
        submit_each(seat, command);
    }
}
