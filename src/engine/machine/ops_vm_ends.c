/* SPDX-License-Identifier: MIT */
/* What machines did by themselves between two looks: a crash is told like what another seat
 * destroyed, and one whose monitor died gets a new one without waiting for the next command. */
#include "engine/machine/ops_vm.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/engine_internal.h"
#include "engine/ops.h"
#include "engine/section.h"
#include "engine/snapshot.h"
#include "engine/state.h"
#include "store/vm_store.h"
#include "vm/machine_history.h"

#define NAMED_MAX 3 /* of many that crashed at once */

const struct vm_item *ops_vm_item(const struct section *section, const char *name)
{
    const struct vm_item *items = section != NULL ? section_items(section) : NULL;
    for (size_t i = 0; items != NULL && i < section_count(section); i++) {
        if (strcmp(items[i].name, name) == 0) {
            return &items[i];
        }
    }
    return NULL;
}

struct ends {
    struct ops *ops;
    size_t crashed;
    struct text names;
    const char *why; /* of the first */
};

/* One that never was of use is told by the job that started it. */
static bool has_crashed(const struct vm_item *before, const struct vm_item *now)
{
    return now->state == VM_STATE_CRASHED && before->state != VM_STATE_CRASHED &&
           (before->is_ready || before->restarts > 0);
}

/* A reboot of the guest, and one that powers off and is to run always, do what they should. */
static void tell_restart(struct ops *ops, const struct vm_item *vm)
{
    struct error ignored = {0};
    struct machine_exit exit;
    char sentence[640];
    auto_close int dir = vm_store_open(ops->store, vm->name, &ignored);
    auto_json struct json *boots = dir >= 0 ? machine_history_read(dir) : NULL;
    const struct json *latest = boots != NULL ? json_first(boots) : NULL;
    if (latest != NULL && machine_exit_from_json(json_get(latest, "exit"), &exit, &ignored) &&
        exit.reason != MACHINE_EXIT_GUEST_REBOOT && exit.reason != MACHINE_EXIT_GUEST_POWEROFF) {
        state_log_news(ops->state, LOG_WARNING,
            "VM %s began again by itself (restart %" PRIu64 "), after this: %s", vm->name,
            vm->restarts, machine_exit_describe(&exit, sentence, sizeof(sentence)));
    }
}

static void compare(struct ends *ends, const struct vm_item *before, const struct vm_item *now)
{
    if (has_crashed(before, now)) {
        if (ends->crashed == 0) {
            ends->why = now->exit_text;
        }
        if (ends->crashed++ < NAMED_MAX) {
            text_printf(&ends->names, "%s%s", ends->names.len > 0 ? ", " : "", now->name);
        }
    } else if (now->restarts > before->restarts) {
        tell_restart(ends->ops, now);
    }
    if (now->is_no_space && !before->is_no_space) {
        state_log_news(ends->ops->state, LOG_ERROR,
            "VM %s stands still: this host's disk is full; make room, and it goes on by itself",
            now->name);
    }
    bool is_lost = now->lost_monitor != 0 && now->lost_monitor != before->lost_monitor;
    if (is_lost && !ends->ops->config->is_readonly) {
        housekeeping_tend(ends->ops->engine);
    }
}

void ops_vm_tell_ends(struct ops *ops, const struct section *before, const struct section *now)
{
    struct ends ends = {.ops = ops};
    const struct vm_item *items = section_items(now);
    for (size_t i = 0; before != NULL && i < section_count(now); i++) {
        const struct vm_item *was = ops_vm_item(before, items[i].name);
        if (was != NULL) {
            compare(&ends, was, &items[i]);
        }
    }
    if (ends.crashed == 1) {
        state_log_news(
            ops->state, LOG_ERROR, "VM %s crashed: %s", text_cstr(&ends.names), ends.why);
    } else if (ends.crashed > 1) {
        auto_done(text) struct text more = {0};
        if (ends.crashed > NAMED_MAX) {
            text_printf(&more, " and %zu more", ends.crashed - NAMED_MAX);
        }
        state_log_news(ops->state, LOG_ERROR, "%zu VMs crashed: %s%s; the first: %s", ends.crashed,
            text_cstr(&ends.names), text_cstr(&more), ends.why);
    }
    text_done(&ends.names);
}
