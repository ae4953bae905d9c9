/* SPDX-License-Identifier: MIT */
/* vm stop, kill, rm. */
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/host/ops_net.h"
#include "engine/host/ops_trash.h"
#include "engine/machine/ops_vm.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "engine/state.h"
#include "store/vm_store.h"

#include <signal.h>
#include <string.h>
#include <strings.h>

static bool is_up(const struct vm_hand *hand)
{
    return hand->facts.has_handle && ops_vm_is_up(hand->facts.state);
}

bool ops_vm_stop(struct ops *ops, struct json **result, struct error *err)
{
    const char *name = command_get(ops->command, "name");
    auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
    if (!ops_vm_take(ops, name, "stop", &hand, err)) {
        return false;
    }
    if (command_is_dry_run(ops->command)) {
        *result = ops_vm_plan_one(ops, "stop", name, 0);
        return true;
    }
    bool was_up = is_up(&hand);
    if (was_up && !machine_stop(hand.dir, &hand.facts.handle, command_timeout_ms(ops->command),
                      ops->progress, ops->cancel, NULL, err)) {
        return error_wrap(err, "VM %s", name);
    }
    ops_net_down(ops, &hand);
    ops_vms_changed(ops);
    *result = ops_vm_result(ops, name, was_up);
    return true;
}

/* "KILL", "SIGKILL" or "9"; 0 when it is none. */
static int parse_signal(const char *word, struct error *err)
{
    uint64_t number = 0;
    struct error ignored = {0};
    if (units_parse_number(word, "signal", SIGRTMAX, &number, &ignored) && number > 0) {
        return (int)number;
    }
    const char *name = strncasecmp(word, "SIG", 3) == 0 ? word + 3 : word;
    for (int candidate = 1; candidate < SIGRTMIN; candidate++) {
        const char *abbreviation = sigabbrev_np(candidate);
        if (abbreviation != NULL && strcasecmp(abbreviation, name) == 0) {
            return candidate;
        }
    }
    error_set(err, ERROR_INVALID, "\"%s\" is no signal: use KILL, TERM or a number", word);
    return 0;
}

bool ops_vm_kill(struct ops *ops, struct json **result, struct error *err)
{
    const char *name = command_get(ops->command, "name");
    int number = parse_signal(command_get(ops->command, "signal"), err);
    auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
    if (number == 0 || !ops_vm_take(ops, name, "kill", &hand, err)) {
        return false;
    }
    if (command_is_dry_run(ops->command)) {
        *result = ops_vm_plan_one(ops, "kill", name, 0);
        return true;
    }
    bool was_up = is_up(&hand);
    if (was_up && !machine_kill(hand.dir, &hand.facts.handle, number, ops->cancel, NULL, err)) {
        return error_wrap(err, "VM %s", name);
    }
    if (number == SIGKILL || number == SIGTERM) {
        ops_net_down(ops, &hand);
    }
    ops_vms_changed(ops);
    *result = ops_vm_result(ops, name, was_up);
    return true;
}

static bool end(struct ops *ops, struct vm_hand *hand, struct error *err)
{
    if (is_up(hand) &&
        !machine_kill(hand->dir, &hand->facts.handle, SIGKILL, ops->cancel, NULL, err)) {
        return error_wrap(err, "VM %s could not be ended and was not removed", hand->name);
    }
    ops_net_down(ops, hand);
    bool had_unit = hand->spec.is_autostart;
    hand->spec.is_autostart = false;
    return !had_unit || ops_vm_autostart(ops, &hand->spec, err);
}

bool ops_vm_discard(struct ops *ops, struct vm_hand *hand, struct error *err)
{
    if (!end(ops, hand, err)) {
        return false;
    }
    bool is_removed = vm_store_remove(ops->store, hand->name, err);
    ops_vms_changed(ops);
    return is_removed;
}

/* A machine of `run --rm` that has ended, also once nobody else can start it again. */
static void sweep_ended(struct ops *ops, const char *name)
{
    auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
    struct error ignored = {0};
    if (ops_vm_try_take(ops, name, "sweep", &hand, &ignored) && hand.spec.is_ephemeral &&
        ops_vm_has_ended(&hand) && ops_vm_discard(ops, &hand, &ignored)) {
        state_log(ops->state, LOG_INFO, "removed VM %s, which was to go when it ended", name);
    }
}

void ops_vm_sweep(struct ops *ops)
{
    auto_done(strings) struct strings names = {0};
    struct error failure = {0};
    vm_store_names(ops->store, &names, &failure);
    for (size_t i = 0; i < names.count; i++) {
        auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
        error_clear(&failure);
        if (!ops_vm_read(ops, names.items[i], &hand, &failure)) {
            continue;
        }
        if (ops->config->is_watching) { /* a single command settles what it is about */
            ops_vm_settle(ops, &hand);
        }
        if (hand.spec.is_ephemeral && ops_vm_has_ended(&hand)) {
            sweep_ended(ops, hand.name);
        }
    }
}

/* A record that cannot be read: with --force its directory goes; a process it may have had is
 * found by nobody without the record, so without --force it stays. */
static bool remove_damaged(struct ops *ops, const char *name, char **trash_id, struct error *err)
{
    error_clear(err);
    return vm_store_trash(ops->store, name, trash_id, err);
}

bool ops_vm_rm(struct ops *ops, struct json **result, struct error *err)
{
    const char *name = command_get(ops->command, "name");
    bool is_forced = command_has(ops->command, "force");
    auto_free char *trash_id = NULL;
    auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
    if (!ops_vm_take(ops, name, "remove", &hand, err)) {
        if (err->code != ERROR_FORMAT || !is_forced || !remove_damaged(ops, name, &trash_id, err)) {
            return false;
        }
        ops_vms_changed(ops);
        *result = ops_trash_result(ops, name, trash_id);
        return true;
    }
    if (is_up(&hand) && !is_forced) {
        return error_set(err, ERROR_IN_USE,
            "VM %s is running: stop it first (`vm stop %s`), or add --force", name, name);
    }
    if (command_is_dry_run(ops->command)) {
        *result = ops_vm_plan_one(ops, "remove", name, 0);
        return true;
    }
    if (!end(ops, &hand, err) || !vm_store_trash(ops->store, name, &trash_id, err)) {
        return false;
    }
    ops_vms_changed(ops);
    *result = ops_trash_result(ops, name, trash_id);
    return true;
}
