/* SPDX-License-Identifier: MIT */
/* vm run: make, boot, wait, and what the caller wants to do in it. */
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/machine/ops_vm.h"
#include "engine/ops.h"
#include "engine/ops_common.h"

static void put_why(const struct vm_hand *hand, struct json *json)
{
    json_put_string(json, "why", hand->why);
    json_put_string(json, "warning", hand->warning);
}

/* After the command or the machine's own end: the machine goes, whatever happened. */
static bool discard(struct ops *ops, const char *name, struct error *err)
{
    auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
    struct error failure = {0};
    struct ops unhurried = *ops;
    unhurried.cancel = NULL; /* a Ctrl-C must not leave behind what --rm promised to remove */
    if (ops_vm_take(&unhurried, name, "remove", &hand, &failure) &&
        ops_vm_discard(&unhurried, &hand, &failure)) {
        return true;
    }
    if (failure.code == ERROR_NOT_FOUND) {
        return true; /* another process swept it in the moment between */
    }
    *err = failure;
    return false;
}

/* --rm without a command: stays until the machine ends, then removes it. */
static bool stay_until_end(
    struct ops *ops, struct vm_hand *hand, struct json **result, struct error *err)
{
    struct machine_exit exit;
    struct error waiting = {0};
    bool has_ended =
        machine_wait_exit(hand->dir, &hand->facts.handle, 0, ops->cancel, &exit, &waiting);
    *result = ops_vm_result(ops, hand->name, true);
    if (!discard(ops, hand->name, err)) {
        return false;
    }
    if (!has_ended) {
        *err = waiting;
    }
    return has_ended;
}

/* The part behind the boot. */
static bool use_machine(
    struct ops *ops, struct vm_hand *hand, struct json **result, struct error *err)
{
    const struct strings *words = command_all(ops->command, "command");
    bool is_ephemeral = command_has(ops->command, "rm");
    bool is_tty = command_has(ops->command, "tty");
    auto_done(machine_timeline) struct machine_timeline timeline = {0};
    if (command_has(ops->command, "detach")) {
        *result = ops_vm_result(ops, hand->name, true);
        put_why(hand, *result);
        return true;
    }
    if (!ops_vm_await_ready(ops, hand->name, hand->dir, &hand->facts.handle, &timeline, err)) {
        return false;
    }
    if (words->count > 0 || is_tty) {
        const char *const *argv = words->count > 0 ? (const char *const *)words->items : NULL;
        bool is_done = ops_vm_attach_exec(ops, hand->dir, argv, is_tty, result, err);
        struct error removing = {0};
        if (is_ephemeral && !discard(ops, hand->name, &removing) && is_done) {
            *err = removing;
            return false;
        }
        return is_done;
    }
    if (is_ephemeral) {
        return stay_until_end(ops, hand, result, err);
    }
    *result = ops_vm_result(ops, hand->name, true);
    put_why(hand, *result);
    return true;
}

bool ops_vm_run(struct ops *ops, struct json **result, struct error *err)
{
    if (command_is_dry_run(ops->command)) {
        return ops_vm_plan(ops, result, err);
    }
    auto_free char *name = NULL;
    auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
    if (!ops_vm_make(ops, &name, err) || !ops_vm_take(ops, name, "start", &hand, err)) {
        return false;
    }
    if (!ops_vm_boot(ops, &hand, err)) {
        /* Nothing of it ever ran: the record would only be in the way of the next attempt. */
        struct error ignored = {0};
        struct ops unhurried = *ops;
        unhurried.cancel = NULL;
        ops_vm_discard(&unhurried, &hand, &ignored);
        return false;
    }
    /* From here on others may stop or remove it while a command runs inside. */
    auto_free char *object = memory_printf("vm/%s", name);
    ops_vm_unlock(&hand);
    ops_release(ops, object);
    return use_machine(ops, &hand, result, err);
}
