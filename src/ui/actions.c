/* SPDX-License-Identifier: MIT */
#include "ui/actions.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "engine/command.h"
#include "engine/snapshot.h"
#include "ui/attach.h"
#include "ui/format.h"
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

static bool vm_has_line(const struct snapshot *snapshot, size_t index)
{
    switch (snapshot->vms[index].state) {
    case VM_STATE_STARTING:
    case VM_STATE_RUNNING:
    case VM_STATE_PAUSED:
    case VM_STATE_STOPPING:
        return true;
    case VM_STATE_UNKNOWN:
    case VM_STATE_CREATED:
    case VM_STATE_STOPPED:
    case VM_STATE_CRASHED:
    case VM_STATE_ERROR:
        break;
    }
    return false;
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
    {REQUEST_START, VMS, "vm", "start", ACTION_SUBMIT, true, vm_is_down},
    {REQUEST_SHELL, VMS, "vm", "exec", ACTION_TERMINAL, true, vm_is_ready},
    {REQUEST_CONSOLE, VMS, "vm", "console", ACTION_TERMINAL, true, vm_has_line},
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
    {REQUEST_DOCTOR, CONTEXT_PANES & ~CONTEXT_JOBS, "host", "doctor", ACTION_SHOW, false, NULL},
};

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
        if (action->needs_row && !has_row) {
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

/* The argument that names what the verb acts on: the first one given by its place. */
static const struct argument *operand_of(const struct verb *verb)
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

/* NULL after having said why. */
static struct command *make_command(
    struct seat *seat, const struct verb *verb, const char *object, enum action_kind kind)
{
    struct error err = {0};
    struct command *command = command_new(verb);
    const struct argument *operand = operand_of(verb);
    bool is_made = true;
    if (operand != NULL && object[0] != '\0') {
        is_made = command_set(command, operand->name, object, &err);
    }
    if (is_made && kind == ACTION_TERMINAL) {
        is_made = set_terminal_words(command, &err);
    }
    if (is_made && kind == ACTION_FOLLOW && verb_argument(verb, "follow") != NULL) {
        is_made = command_set(command, "follow", NULL, &err) &&
                  command_set(command, "tail", "10000", &err);
    }
    if (!is_made) {
        seat_say(seat, ROLE_BAD, "%s", err.text);
        command_free(command);
        return NULL;
    }
    return command;
}

static void begin(
    struct seat *seat, const struct verb *verb, const char *object, enum action_kind kind)
{
    struct command *command = make_command(seat, verb, object, kind);
    if (command == NULL) {
        return;
    }
    if (kind == ACTION_FORM) {
        seat_open(seat, form_screen_new(seat, command));
    } else if (kind == ACTION_ASK) {
        seat_open(seat, confirm_screen_new(seat, command));
    } else {
        action_go(seat, command, false);
    }
}

void action_begin(
    struct seat *seat, const struct action *action, enum pane pane, bool has_row, size_t index)
{
    const struct verb *verb = verb_find(action->subject, action->verb);
    bool takes_row = has_row && action->needs_row;
    begin(seat, verb, takes_row ? pane_name(pane, seat->snapshot, index) : "", action->kind);
}

/* A verb that lacks nothing can begin at once; any other needs its form. */
static bool needs_form(const struct verb *verb, const char *object)
{
    const struct argument *operand = operand_of(verb);
    for (size_t i = 0; i < verb->argument_count; i++) {
        const struct argument *argument = &verb->arguments[i];
        bool is_given = argument == operand && object[0] != '\0';
        if (argument->is_required && !is_given) {
            return true;
        }
    }
    return object[0] == '\0' && verb->argument_count > 0 && (verb->flags & VERB_READS) == 0;
}

void action_begin_verb(struct seat *seat, const struct verb *verb, const char *object)
{
    if ((verb->flags & VERB_READS) == 0 && !seat_may_change(seat)) {
        seat_say(seat, ROLE_BAD, "this seat is read-only: %s %s changes something", verb->subject,
            verb->name);
        return;
    }
    for (size_t i = 0; i < array_length(actions); i++) {
        bool is_it = strcmp(actions[i].subject, verb->subject) == 0 &&
                     strcmp(actions[i].verb, verb->name) == 0;
        if (is_it && actions[i].kind == ACTION_TERMINAL && object[0] != '\0') {
            begin(seat, verb, object, ACTION_TERMINAL);
            return;
        }
        if (is_it && actions[i].kind == ACTION_FOLLOW && object[0] != '\0') {
            begin(seat, verb, object, ACTION_FOLLOW);
            return;
        }
    }
    begin(seat, verb, object, needs_form(verb, object) ? ACTION_FORM : ACTION_SUBMIT);
}

static void tell_users_of_kernel(
    const struct snapshot *snapshot, const char *name, struct text *out)
{
    size_t users = 0;
    for (size_t i = 0; i < snapshot->images_count; i++) {
        users += strcmp(snapshot->images[i].kernel_ref, name) == 0;
    }
    for (size_t i = 0; i < snapshot->vms_count; i++) {
        users += strcmp(snapshot->vms[i].kernel_ref, name) == 0;
    }
    for (size_t i = 0; i < snapshot->kernels_count; i++) {
        char buffer[UNITS_MAX];
        if (strcmp(snapshot->kernels[i].name, name) == 0 && snapshot->kernels[i].size_bytes > 0) {
            text_printf(out, "Its files, %s, are deleted. ",
                units_format_size(snapshot->kernels[i].size_bytes, buffer));
        }
    }
    if (users > 0) {
        text_printf(out, "%zu of your images and machines boot with it.", users);
    } else {
        text_append(out, "No image and no machine uses it.");
    }
}

static void tell_users_of_image(const struct snapshot *snapshot, const char *name, struct text *out)
{
    for (size_t i = 0; i < snapshot->images_count; i++) {
        const struct image_item *image = &snapshot->images[i];
        if (strcmp(image->name, name) != 0) {
            continue;
        }
        char buffer[UNITS_MAX];
        if (image->is_managed && image->disk_bytes > 0) {
            text_printf(out, "Its files, %s on disk, are deleted. ",
                units_format_size(image->disk_bytes, buffer));
        } else if (!image->is_managed) {
            text_append(out, "It is only forgotten: the files it was made from stay. ");
        }
        for (size_t k = 0; k < image->used_by_count; k++) {
            text_printf(out, "%s%s", k == 0 ? "Used by " : ", ", image->used_by[k]);
        }
        text_append(out, image->used_by_count > 0 ? "." : "No machine uses it.");
    }
}

static void tell_about_vm(
    const struct snapshot *snapshot, const char *verb, const char *name, struct text *out)
{
    if (strcmp(verb, "stop") == 0) {
        text_append(out, "The guest is asked to power off; what it serves ends. Its disk is kept.");
    } else if (strcmp(verb, "restart") == 0) {
        text_append(out, "The guest powers off and boots again; what it serves is interrupted.");
    } else if (strcmp(verb, "kill") == 0) {
        text_append(out, "It ends at once, as if its power failed: what it has not written is "
                         "lost. Its disk is kept.");
    } else {
        for (size_t i = 0; i < snapshot->vms_count; i++) {
            char buffer[UNITS_MAX];
            if (strcmp(snapshot->vms[i].name, name) == 0 && snapshot->vms[i].disk_bytes > 0) {
                text_printf(out, "Its disk with %s of changes is deleted. ",
                    units_format_size(snapshot->vms[i].disk_bytes, buffer));
            }
        }
        text_append(out, "The image it was made from stays.");
    }
}

void action_question(
    const struct snapshot *snapshot, const struct command *command, struct text *out)
{
    const struct verb *verb = command_verb(command);
    const struct argument *operand = operand_of(verb);
    const char *name = operand != NULL ? command_get(command, operand->name) : NULL;
    if (name == NULL) {
        text_append(out, verb->summary);
    } else if (strcmp(verb->subject, "kernel") == 0) {
        tell_users_of_kernel(snapshot, name, out);
    } else if (strcmp(verb->subject, "image") == 0) {
        tell_users_of_image(snapshot, name, out);
    } else if (strcmp(verb->subject, "vm") == 0) {
        tell_about_vm(snapshot, verb->name, name, out);
    }
}

void action_go(struct seat *seat, struct command *command, bool is_asked)
{
    const struct verb *verb = command_verb(command);
    bool has_tty = verb_argument(verb, "tty") != NULL && command_has(command, "tty");
    if ((verb->flags & VERB_DESTROYS) != 0 && !is_asked) {
        seat_open(seat, confirm_screen_new(seat, command));
    } else if ((verb->flags & VERB_TERMINAL) != 0 || has_tty) {
        attach_run(seat, command);
    } else if ((verb->flags & VERB_CARRIES) != 0) {
        seat_open(seat, stream_screen_new(seat, command));
    } else if ((verb->flags & VERB_READS) != 0) {
        seat_open(seat, result_screen_new(seat, command));
    } else {
        seat_submit(seat, command);
    }
}
