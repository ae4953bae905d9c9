/* SPDX-License-Identifier: MIT */
#include "ui/actions.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "engine/command.h"
#include "engine/snapshot.h"

#define NAMED_MAX 4

size_t action_kernel_users(const struct snapshot *snapshot, const char *name)
{
    size_t users = 0;
    for (size_t i = 0; i < snapshot->images_count; i++) {
        users += strcmp(snapshot->images[i].kernel_ref, name) == 0;
    }
    for (size_t i = 0; i < snapshot->vms_count; i++) {
        users += strcmp(snapshot->vms[i].kernel_ref, name) == 0;
    }
    return users;
}

/* Of a machine that does not boot with it any more; where is the first to look at, and the next then.
 * NULL: none. */
static const struct vm_snapshot_item *next_snapshot(
    const struct vm_item *vm, const char *kernel, size_t *where)
{
    bool is_its_own = strcmp(vm->kernel_ref, kernel) == 0;
    while (!is_its_own && *where < vm->snapshot_count) {
        const struct vm_snapshot_item *found = &vm->snapshots[(*where)++];
        if (strcmp(found->kernel_ref, kernel) == 0) {
            return found;
        }
    }
    return NULL;
}

/* Who uses it: the first few by name, the others by their number. */
static void add_user(struct text *out, size_t *count, const char *kind, const char *name)
{
    if (*count < NAMED_MAX) {
        text_printf(out, "%s%s %s", *count > 0 ? ", " : "", kind, name);
    }
    (*count)++;
}

static void tell_rest(size_t count, struct text *out)
{
    if (count > NAMED_MAX) {
        text_printf(out, " and %zu more", count - NAMED_MAX);
    }
}

static void add_snapshots(
    const struct snapshot *snapshot, const char *kernel, size_t *count, struct text *out)
{
    for (size_t i = 0; i < snapshot->vms_count; i++) {
        size_t where = 0;
        const struct vm_snapshot_item *found;
        while ((found = next_snapshot(&snapshot->vms[i], kernel, &where)) != NULL) {
            auto_free char *words = memory_printf("%s of %s", found->name, snapshot->vms[i].name);
            add_user(out, count, "snapshot", words);
        }
    }
}

static size_t users_of_kernel(const struct snapshot *snapshot, const char *name, struct text *out)
{
    size_t count = 0;
    for (size_t i = 0; i < snapshot->images_count; i++) {
        if (strcmp(snapshot->images[i].kernel_ref, name) == 0) {
            add_user(out, &count, "image", snapshot->images[i].name);
        }
    }
    for (size_t i = 0; i < snapshot->vms_count; i++) {
        if (strcmp(snapshot->vms[i].kernel_ref, name) == 0) {
            add_user(out, &count, "machine", snapshot->vms[i].name);
        }
    }
    add_snapshots(snapshot, name, &count, out);
    return count;
}

static size_t users_of_image(const struct snapshot *snapshot, const char *name, struct text *out)
{
    size_t count = 0;
    for (size_t i = 0; i < snapshot->images_count; i++) {
        const struct image_item *image = &snapshot->images[i];
        for (size_t k = 0; strcmp(image->name, name) == 0 && k < image->used_by_count; k++) {
            add_user(out, &count, "machine", image->used_by[k]);
        }
    }
    return count;
}

void action_refusal(
    const struct snapshot *snapshot, const struct command *command, struct text *out)
{
    const struct verb *verb = command_verb(command);
    const struct argument *operand = action_operand(verb);
    const struct strings *names = operand != NULL ? command_all(command, operand->name) : NULL;
    bool is_kernel = strcmp(verb->subject, "kernel") == 0;
    bool is_image = strcmp(verb->subject, "image") == 0;
    if (strcmp(verb->name, "rm") != 0 || names == NULL || names->count != 1 ||
        !(is_kernel || is_image) || command_has(command, "force")) {
        return;
    }
    auto_done(text) struct text users = {0};
    const char *name = names->items[0];
    size_t count = is_kernel ? users_of_kernel(snapshot, name, &users)
                             : users_of_image(snapshot, name, &users);
    if (count == 0) {
        return;
    }
    text_printf(out, "%s is used by %s", name, text_cstr(&users));
    tell_rest(count, out);
    text_append(out, ": remove what uses it first");
    if (is_kernel) {
        text_printf(out, ", or say kernel rm %s --force", name);
    }
}

static void tell_users_of_kernel(
    const struct snapshot *snapshot, const char *name, struct text *out)
{
    size_t users = action_kernel_users(snapshot, name);
    auto_done(text) struct text snapshots = {0};
    size_t count = 0;
    add_snapshots(snapshot, name, &count, &snapshots);
    for (size_t i = 0; i < snapshot->kernels_count; i++) {
        char buffer[UNITS_MAX];
        if (strcmp(snapshot->kernels[i].name, name) == 0 && snapshot->kernels[i].size_bytes > 0) {
            text_printf(out, "Its files, %s, go to the trash. ",
                units_format_size(snapshot->kernels[i].size_bytes, buffer));
        }
    }
    if (users > 0) {
        text_printf(
            out, "%zu of your images and machines boot with it and will not boot without.", users);
    } else if (count == 0) {
        text_append(out, "No image and no machine uses it.");
    }
    if (count > 0) {
        text_printf(out, "%sWithout it no machine can go back to %s", users > 0 ? " " : "",
            text_cstr(&snapshots));
        tell_rest(count, out);
        text_append_char(out, '.');
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
            text_printf(out, "Its files, %s on disk, go to the trash. ",
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

/* The first few by name, the others by their number. */
static void tell_names(const struct strings *names, struct text *out)
{
    for (size_t i = 0; i < names->count && i < NAMED_MAX; i++) {
        text_printf(out, "%s%s", i > 0 ? ", " : "", names->items[i]);
    }
    tell_rest(names->count, out);
    text_append(out, ". ");
}

static void tell_about_snapshot(const struct command *command, struct text *out)
{
    const char *snapshot = command_get(command, "snapshot");
    snapshot = snapshot != NULL ? snapshot : "";
    const struct strings *several = command_all(command, "snapshot");
    if (several != NULL && several->count > 1) {
        tell_names(several, out);
        text_append(out, "What they keep is gone for good. The machine and its others stay.");
    } else if (strcmp(command_verb(command)->name, "snapshot rm") == 0) {
        text_printf(out,
            "What snapshot %s keeps is gone for good. The machine and its other snapshots stay.",
            snapshot);
    } else {
        text_printf(out,
            "It becomes what snapshot %s keeps. What was written or set since then is lost, unless "
            "another snapshot has it.",
            snapshot);
    }
}

static void tell_about_vm(const struct snapshot *snapshot, const struct command *command,
    const char *name, struct text *out)
{
    const char *verb = command_verb(command)->name;
    if (text_has_prefix(verb, "snapshot ")) {
        tell_about_snapshot(command, out);
    } else if (strcmp(verb, "stop") == 0) {
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
                text_printf(out, "Its disk with %s of changes goes to the trash. ",
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
    const struct argument *operand = action_operand(verb);
    const struct strings *names = operand != NULL ? command_all(command, operand->name) : NULL;
    if (names == NULL || names->count == 0) {
        text_append(out, verb->summary);
    } else if (names->count > 1) {
        tell_names(names, out);
        text_append(out, "What cannot be done to one of them is told; the rest is done.");
    } else if (strcmp(verb->subject, "kernel") == 0) {
        tell_users_of_kernel(snapshot, names->items[0], out);
    } else if (strcmp(verb->subject, "image") == 0) {
        tell_users_of_image(snapshot, names->items[0], out);
    } else if (strcmp(verb->subject, "vm") == 0) {
        tell_about_vm(snapshot, command, names->items[0], out);
    }
}
