/* SPDX-License-Identifier: MIT */
/* host gc: finds what is ours on this host and belongs to no record, and ends or removes it. */
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/host/ops_host.h"
#include "engine/host/ops_net.h"
#include "engine/machine/ops_vm.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "engine/state.h"
#include "store/layout.h"
#include "store/lock.h"
#include "store/publish.h"
#include "store/trash.h"
#include "store/vm_store.h"
#include "vm/machine_orphan.h"

#include <signal.h>

static char *describe(const struct machine_orphan *orphan)
{
    return memory_printf("process %d (%s in %s)", (int)orphan->process.pid,
        orphan->is_monitor ? "monitor" : "VMM", orphan->directory);
}

/* A start that is under way holds the machine's lock: that one is left alone. */
static bool end_orphan(struct ops *ops, const struct machine_orphan *orphan, struct error *err)
{
    struct error ignored = {0};
    auto_lock struct lock *lock = NULL;
    if (orphan->name != NULL) {
        lock = lock_take(ops->store, STORE_VM, orphan->name, "gc", 0, NULL, NULL, &ignored);
        if (lock == NULL) {
            return false;
        }
    }
    if (!machine_is_orphan(store_path(ops->store), orphan)) {
        return false;
    }
    auto_free char *what = describe(orphan);
    if (!process_signal(&orphan->process, SIGKILL, err)) {
        if (err->code == ERROR_NOT_FOUND) {
            error_clear(err);
        }
        return false;
    }
    state_log(ops->state, LOG_WARNING, "ended %s, which no record owns", what);
    return true;
}

static bool end_orphans(struct ops *ops, struct json *done, struct error *err)
{
    auto_done(machine_orphan_list) struct machine_orphan_list orphans = {0};
    struct json *processes = json_new_array();
    json_put(done, "processes", processes);
    if (!machine_orphan_find(store_path(ops->store), &orphans, err)) {
        return false;
    }
    for (size_t i = 0; i < orphans.count && err->code == ERROR_NONE; i++) {
        if (end_orphan(ops, &orphans.items[i], err)) {
            struct json *row = json_new_object();
            json_put_integer(row, "pid", orphans.items[i].process.pid);
            json_put_string(row, "kind", orphans.items[i].is_monitor ? "monitor" : "vmm");
            json_put_string(row, "directory", orphans.items[i].directory);
            json_append(processes, row);
        }
    }
    return err->code == ERROR_NONE;
}

/* It says that it runs and does not. */
static bool needs_settling(const struct vm_hand *hand)
{
    return hand->facts.has_handle && !ops_vm_is_up(hand->facts.state);
}

static void settle_machines(struct ops *ops, struct json *done)
{
    auto_done(strings) struct strings names = {0};
    auto_done(strings) struct strings settled = {0}, adopted = {0}, damaged = {0}, unseen = {0};
    struct error ignored = {0};
    vm_store_names(ops->store, &names, &ignored);
    for (size_t i = 0; i < names.count; i++) {
        auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
        struct error failure = {0};
        if (!ops_vm_try_take(ops, names.items[i], "gc", &hand, &failure)) {
            if (failure.code == ERROR_FORMAT) {
                strings_add(&damaged, names.items[i]);
            } else if (error_is_blind(&failure)) {
                strings_add(&unseen, names.items[i]);
            }
            continue;
        }
        if (error_is_blind(&hand.facts.why_unknown)) {
            strings_add(&unseen, names.items[i]);
            continue;
        }
        bool is_due = needs_settling(&hand);
        if (machine_settle(hand.dir, &failure)) {
            if (is_due) {
                strings_add(&settled, hand.name);
            }
        } else if (error_is_blind(&failure)) {
            strings_add(&unseen, hand.name);
        } else if (ops_vm_adopt(ops, &hand)) {
            strings_add(&adopted, hand.name);
        }
    }
    ops_put_strings(done, "settled", &settled);
    ops_put_strings(done, "adopted", &adopted);
    /* Never removed silently: somebody's disk may be in it. */
    ops_put_strings(done, "damaged", &damaged);
    /* What nobody could look at is left as it is, whatever it may be. */
    ops_put_strings(done, "unreadable", &unseen);
}

static bool plan(struct ops *ops, struct json **result, struct error *err)
{
    auto_done(machine_orphan_list) struct machine_orphan_list orphans = {0};
    auto_done(strings) struct strings names = {0};
    uint64_t leftovers = 0, trash_bytes = 0;
    if (!machine_orphan_find(store_path(ops->store), &orphans, err) ||
        !vm_store_names(ops->store, &names, err) ||
        !store_sweep_find(ops->store, &leftovers, err) ||
        !trash_overflow(ops->store, ops->limits, &trash_bytes, err)) {
        return false;
    }
    *result = ops_plan(ops);
    for (size_t i = 0; i < orphans.count; i++) {
        auto_free char *object = describe(&orphans.items[i]);
        ops_plan_add(*result, "end", object, 0);
    }
    for (size_t i = 0; i < names.count; i++) {
        auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
        struct error ignored = {0};
        if (!ops_vm_read(ops, names.items[i], &hand, &ignored)) {
            continue;
        }
        auto_free char *object = memory_printf("vm/%s", hand.name);
        if (needs_settling(&hand)) {
            ops_plan_add(*result, "settle", object, 0);
        } else if (ops_vm_is_orphan(&hand)) {
            ops_plan_add(*result, "adopt", object, 0);
        }
    }
    if (!ops_net_gc(ops, NULL, *result, err) || !ops_cgroup_gc(ops, NULL, *result, err)) {
        return false;
    }
    if (leftovers > 0) {
        auto_free char *object =
            memory_printf("%llu unfinished things", (unsigned long long)leftovers);
        ops_plan_add(*result, "remove", object, 0);
    }
    if (trash_bytes > 0) {
        ops_plan_add(*result, "remove", "trash beyond its limits", trash_bytes);
    }
    return true;
}

bool ops_host_gc(struct ops *ops, struct json **result, struct error *err)
{
    if (command_is_dry_run(ops->command)) {
        return plan(ops, result, err);
    }
    uint64_t swept = 0, freed_bytes = 0;
    struct json *done = json_new_object();
    *result = done;
    if (!end_orphans(ops, done, err)) {
        return false;
    }
    settle_machines(ops, done);
    struct json *network = json_new_array();
    json_put(done, "network", network);
    struct json *groups = json_new_array();
    json_put(done, "cgroups", groups);
    if (!ops_net_gc(ops, network, NULL, err) || !ops_cgroup_gc(ops, groups, NULL, err)) {
        return false;
    }
    if (!store_sweep(ops->store, &swept, err) ||
        !trash_expire(ops->store, ops->limits, ops->cancel, &freed_bytes, err)) {
        return false;
    }
    json_put_integer(done, "swept", (int64_t)swept);
    json_put_integer(done, "freed_bytes", (int64_t)freed_bytes);
    bool is_changed = swept > 0 || freed_bytes > 0 || json_get(done, "settled") != NULL ||
                      json_get(done, "adopted") != NULL ||
                      json_count(json_get(done, "processes")) > 0 || json_count(network) > 0 ||
                      json_count(groups) > 0;
    json_put_bool(done, "changed", is_changed);
    ops_vms_changed(ops);
    return true;
}
