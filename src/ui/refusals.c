/* SPDX-License-Identifier: MIT */
#include "ui/refusals.h"

#include "base/memory.h"
#include "base/text.h"
#include "engine/snapshot.h"
#include "ui/keys.h"
#include "ui/seat.h"

/* "t stops it first": the key as it is set here. */
static void add_key(const struct seat *seat, enum request request, unsigned context,
    const char *does, struct text *out)
{
    auto_done(text) struct text key = {0};
    keymap_name(&seat->keymap, keys_row(request, context), &key);
    if (key.len > 0) {
        text_printf(out, "; %s %s", text_cstr(&key), does);
    }
}

bool refusal_is_unread(
    const struct snapshot *snapshot, enum pane pane, size_t index, struct text *out)
{
    const char *name = "", *reason = NULL, *hint = NULL;
    if (pane == PANE_KERNELS && snapshot->kernels[index].state == ENTRY_UNREADABLE) {
        name = snapshot->kernels[index].name;
        reason = snapshot->kernels[index].reason;
        hint = snapshot->kernels[index].hint;
    } else if (pane == PANE_IMAGES && snapshot->images[index].state == ENTRY_UNREADABLE) {
        name = snapshot->images[index].name;
        reason = snapshot->images[index].reason;
        hint = snapshot->images[index].hint;
    } else if (pane == PANE_VMS && snapshot->vms[index].state == VM_STATE_UNKNOWN) {
        name = snapshot->vms[index].name;
        reason = snapshot->vms[index].reason;
        hint = snapshot->vms[index].hint;
    }
    if (reason == NULL || reason[0] == '\0') {
        return false;
    }
    if (out != NULL) {
        text_printf(out, "%s cannot be read (%s): %s", name, reason, hint);
    }
    return true;
}

static void refuse_up(
    const struct seat *seat, const struct vm_item *vm, enum request request, struct text *out)
{
    if (request == REQUEST_START) {
        text_printf(out, "%s is up already", vm->name);
    } else if (request == REQUEST_REMOVE) {
        text_printf(out, "%s is still up", vm->name);
        add_key(seat, REQUEST_STOP, CONTEXT_VMS, "stops it first", out);
    } else if (request == REQUEST_SHELL) {
        text_printf(out, "%s is %s", vm->name, vm_state_name(vm->state));
        if (vm->state == VM_STATE_PAUSED) {
            add_key(seat, REQUEST_RESUME, CONTEXT_VMS, "lets it go on", out);
        }
    }
}

static void refuse_down(
    const struct seat *seat, const struct vm_item *vm, enum request request, struct text *out)
{
    switch ((int)request) {
    case REQUEST_SHELL:
    case REQUEST_CONSOLE:
    case REQUEST_STOP:
    case REQUEST_KILL:
    case REQUEST_RESTART:
    case REQUEST_PAUSE:
        text_printf(out, "%s is not running", vm->name);
        add_key(seat, REQUEST_START, CONTEXT_VMS, "starts it", out);
        return;
    case REQUEST_LOGS:
        text_printf(out, "%s was never started, so it printed nothing", vm->name);
        add_key(seat, REQUEST_START, CONTEXT_VMS, "starts it", out);
        return;
    default:
        return;
    }
}

static void refuse_vm(
    const struct seat *seat, const struct vm_item *vm, enum request request, struct text *out)
{
    switch (vm->state) {
    case VM_STATE_STARTING:
    case VM_STATE_RUNNING:
    case VM_STATE_PAUSED:
    case VM_STATE_STOPPING:
        refuse_up(seat, vm, request, out);
        return;
    case VM_STATE_UNKNOWN:
    case VM_STATE_CREATED:
    case VM_STATE_STOPPED:
    case VM_STATE_CRASHED:
    case VM_STATE_ERROR:
        refuse_down(seat, vm, request, out);
        return;
    }
}

static void refuse_offer(
    const struct seat *seat, const struct offer_item *offer, enum request request, struct text *out)
{
    if (request == REQUEST_PULL && offer->state == OFFER_PULLED) {
        text_printf(out, "%s is on this host already", offer->name);
        add_key(seat, REQUEST_PULL_AS, CONTEXT_CATALOG, "fetches it anew, with --force", out);
    } else if (request == REQUEST_PULL && offer->state == OFFER_UNUSABLE) {
        text_printf(out, "%s cannot be used here: %s", offer->name, offer->why_unusable);
    } else if (request == REQUEST_RUN && offer->kind == OFFER_KERNEL) {
        text_printf(out, "%s is a kernel: a machine is made from an image", offer->name);
    }
}

void refusal_words(
    const struct seat *seat, enum request request, enum pane pane, size_t index, struct text *out)
{
    const struct snapshot *snapshot = seat->snapshot;
    if (refusal_is_unread(snapshot, pane, index, out)) {
        return;
    }
    switch (pane) {
    case PANE_CATALOG:
        refuse_offer(seat, &snapshot->offers[index], request, out);
        return;
    case PANE_VMS:
        refuse_vm(seat, &snapshot->vms[index], request, out);
        return;
    case PANE_IMAGES:
        if (request == REQUEST_PROMOTE) {
            text_printf(
                out, "The files of %s are in the store already", snapshot->images[index].name);
        } else if (request == REQUEST_RUN) {
            text_printf(out, "%s is damaged: %s", snapshot->images[index].name,
                snapshot->images[index].damage);
        }
        return;
    case PANE_KERNELS:
    case PANE_JOBS:
        return;
    }
}
