/* SPDX-License-Identifier: MIT */
/* vm restart, pause, resume. */
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "engine/command.h"
#include "engine/host/ops_net.h"
#include "engine/kernel/ops_boot_kernel.h"
#include "engine/machine/ops_vm.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "engine/state.h"
#include "store/image_store.h"
#include "vm/agent_client.h"

/* A guest that slept has a clock that stood still. */
#define CLOCK_TIMEOUT_MS 5000

static struct json *plan_for(struct ops *ops, const char *const *actions, const char *name)
{
    auto_free char *object = memory_printf("vm/%s", name);
    struct json *plan = ops_plan(ops);
    for (size_t i = 0; actions[i] != NULL; i++) {
        ops_plan_add(plan, actions[i], object, 0);
    }
    return plan;
}

bool ops_vm_restart(struct ops *ops, struct json **result, struct error *err)
{
    static const char *const actions[] = {"stop", "start", NULL};
    const char *name = command_get(ops->command, "name");
    auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
    if (!ops_vm_take(ops, name, "restart", &hand, err)) {
        return false;
    }
    if (command_is_dry_run(ops->command)) {
        bool is_up = ops_vm_is_up(hand.facts.state);
        *result = plan_for(ops, is_up ? actions : actions + 1, name);
        return true;
    }
    /* What cannot start again is not stopped. */
    auto_done(image_entry) struct image_entry image = {0};
    auto_done(boot_kernel) struct boot_kernel kernel = BOOT_KERNEL_INIT;
    if (!ops_vm_check_boot(ops, &hand, &image, &kernel, NULL, err)) {
        return false;
    }
    /* Both halves have deadlines of their own; --timeout is about the guest's being ready. */
    if (ops_vm_is_up(hand.facts.state) &&
        !machine_stop(hand.dir, &hand.facts.handle, 0, ops->progress, ops->cancel, NULL, err)) {
        return error_wrap(err, "VM %s", name);
    }
    ops_net_down(ops, &hand); /* its mode may be another one from now on */
    return ops_vm_start_taken(ops, &hand, result, err);
}

static bool refuse_state(const struct vm_hand *hand, struct error *err)
{
    return error_set(err, ERROR_UNSUPPORTED, "VM %s is %s: start it first (`vm start %s`)",
        hand->name, machine_state_name(hand->facts.state), hand->name);
}

void ops_vm_set_clock(struct ops *ops, const struct vm_hand *hand, const struct cancel *cancel)
{
    struct error failure = {0};
    if (!agent_set_time(hand->dir, CLOCK_TIMEOUT_MS, cancel, &failure)) {
        state_log(ops->state, LOG_WARNING, "VM %s goes on with its old time: %s", hand->name,
            failure.text);
    }
}

static bool set_paused(struct ops *ops, bool is_wanted, struct json **result, struct error *err)
{
    const char *actions[] = {is_wanted ? "pause" : "resume", NULL};
    const char *name = command_get(ops->command, "name");
    auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
    if (!ops_vm_take(ops, name, actions[0], &hand, err)) {
        return false;
    }
    bool is_paused = hand.facts.state == MACHINE_PAUSED;
    if (!is_paused && hand.facts.state != MACHINE_RUNNING) {
        return refuse_state(&hand, err);
    }
    bool is_change = is_paused != is_wanted;
    if (command_is_dry_run(ops->command)) {
        *result = plan_for(ops, is_change ? actions : actions + 1, name);
        return true;
    }
    bool (*change)(int, const struct machine_handle *, const struct cancel *, struct error *) =
        is_wanted ? machine_pause : machine_resume;
    if (is_change && !change(hand.dir, &hand.facts.handle, ops->cancel, err)) {
        return error_wrap(err, "VM %s", name);
    }
    if (is_change && !is_wanted && machine_timeline_is_ready(&hand.facts.timeline)) {
        ops_vm_set_clock(ops, &hand, ops->cancel);
    }
    ops_vms_changed(ops);
    *result = ops_vm_result(ops, name, is_change);
    return true;
}

bool ops_vm_pause(struct ops *ops, struct json **result, struct error *err)
{
    return set_paused(ops, true, result, err);
}

bool ops_vm_resume(struct ops *ops, struct json **result, struct error *err)
{
    return set_paused(ops, false, result, err);
}
