/* SPDX-License-Identifier: MIT */
/* vm clone, prune: one machine more, and the ended ones gone. */
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/name.h"
#include "base/progress.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/host/ops_net.h"
#include "engine/machine/ops_vm.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "store/lock.h"
#include "store/publish.h"
#include "store/vm_store.h"

#include <string.h>

bool ops_vm_copy_disks(struct ops *ops, int from_dir, int to_dir, struct error *err)
{
    size_t i = 0;
    for (const char *name = ops_vm_disk_name(i); name != NULL; name = ops_vm_disk_name(++i)) {
        if (file_is_absent(from_dir, name)) {
            continue;
        }
        auto_close int from = file_open_read(from_dir, name, err);
        auto_close int to = from >= 0 ? file_create(to_dir, name, err) : -1;
        if (to < 0 || !file_copy_data(from, to, name, ops->progress, ops->cancel, err)) {
            return false;
        }
    }
    return true;
}

/* Another machine made of the same: an identity of its own, and host ports that do not clash. */
static bool make_spec(
    const struct machine_spec *from, const char *name, struct machine_spec *spec, struct error *err)
{
    machine_spec_copy(from, spec);
    free(spec->name);
    spec->name = memory_strdup(name);
    spec->created_at = clock_wall();
    spec->is_autostart = false;
    for (size_t i = 0; i < spec->port_count; i++) {
        spec->ports[i].host_port = 0;
    }
    spec->address[0] = '\0';
    return machine_spec_identify(spec, err) && machine_spec_validate(spec, err);
}

static bool publish(
    struct ops *ops, const struct vm_hand *from, struct machine_spec *spec, struct error *err)
{
    auto_lock struct lock *network = NULL;
    if (!ops_net_assign(ops, spec, &network, err)) {
        return false;
    }
    auto_staging struct staging *staging = staging_begin(ops->store, STORE_VM, spec->name, err);
    if (staging == NULL) {
        return false;
    }
    auto_json struct json *record = machine_spec_to_json(spec);
    uint64_t disk_bytes = ops_vm_disk_use(from->dir, machine_spec_disk_slots(&from->spec));
    return (file_copy_shares(from->dir, staging_dir(staging)) ||
               file_need_space(staging_dir(staging), "..", disk_bytes, err)) &&
           ops_vm_copy_disks(ops, from->dir, staging_dir(staging), err) &&
           vm_store_write_document(staging_dir(staging), VM_DOCUMENT_SPEC, record, err) &&
           staging_publish(staging, PUBLISH_NEW, err);
}

bool ops_vm_clone(struct ops *ops, struct json **result, struct error *err)
{
    const char *name = command_get(ops->command, "name");
    const char *new_name = command_get(ops->command, "new");
    auto_free char *object = memory_printf("vm/%s", new_name);
    auto_lock struct lock *lock = NULL;
    auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
    auto_done(machine_spec) struct machine_spec spec = {0};
    if (!name_check_label(new_name, "VM name", err)) {
        return false;
    }
    if (vm_store_exists(ops->store, new_name)) {
        return error_set(
            err, ERROR_EXISTS, "there is already a VM %s: choose another name", new_name);
    }
    if (!ops_claim(ops, object, err) ||
        !ops_vm_take_both(ops, name, new_name, "clone", &lock, &hand, err)) {
        return false;
    }
    if (ops_vm_is_up(hand.facts.state)) {
        return error_set(err, ERROR_IN_USE,
            "VM %s is %s and its disk changes: stop it first (`vm stop %s`)", name,
            machine_state_name(hand.facts.state), name);
    }
    if (command_is_dry_run(ops->command)) {
        *result = ops_vm_plan_one(ops, "create", new_name,
            ops_vm_disk_use(hand.dir, machine_spec_disk_slots(&hand.spec)));
        return true;
    }
    if (!make_spec(&hand.spec, new_name, &spec, err) || !publish(ops, &hand, &spec, err)) {
        return error_wrap(err, "VM %s was not made", new_name);
    }
    ops_vms_changed(ops);
    *result = ops_vm_result(ops, new_name, true);
    json_put_string(*result, "from", name);
    return true;
}

/* One that somebody works on, or that cannot be read, is left alone. */
static bool take_ended(struct ops *ops, const char *name, struct vm_hand *hand)
{
    struct error ignored = {0};
    return ops_vm_try_take(ops, name, "prune", hand, &ignored) && ops_vm_has_ended(hand);
}

static void plan_prune(struct ops *ops, const struct strings *names, struct json *plan)
{
    for (size_t i = 0; i < names->count; i++) {
        auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
        struct error ignored = {0};
        if (ops_vm_read(ops, names->items[i], &hand, &ignored) && ops_vm_has_ended(&hand)) {
            auto_free char *object = memory_printf("vm/%s", hand.name);
            ops_plan_add(plan, "remove", object,
                ops_vm_disk_use(hand.dir, machine_spec_disk_slots(&hand.spec)));
        }
    }
}

bool ops_vm_prune(struct ops *ops, struct json **result, struct error *err)
{
    auto_done(strings) struct strings names = {0};
    auto_done(strings) struct strings removed = {0};
    if (!vm_store_names(ops->store, &names, err)) {
        return false;
    }
    if (command_is_dry_run(ops->command)) {
        *result = ops_plan(ops);
        plan_prune(ops, &names, *result);
        return true;
    }
    uint64_t freed_bytes = 0;
    for (size_t i = 0; i < names.count; i++) {
        auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
        if (!take_ended(ops, names.items[i], &hand)) {
            continue;
        }
        uint64_t disk_bytes = ops_vm_disk_use(hand.dir, machine_spec_disk_slots(&hand.spec));
        progress_report(ops->progress, PROGRESS_PUBLISH, PROGRESS_ENTRIES, i, names.count);
        if (!ops_vm_discard(ops, &hand, err)) {
            return error_wrap(err, "%zu VMs were removed before VM %s", removed.count, hand.name);
        }
        strings_add(&removed, hand.name);
        freed_bytes += disk_bytes;
    }
    struct json *json = json_new_object();
    json_put_bool(json, "changed", removed.count > 0);
    struct json *array = json_new_array();
    for (size_t i = 0; i < removed.count; i++) {
        json_append(array, json_new_string(removed.items[i]));
    }
    json_put(json, "removed", array);
    json_put_integer(json, "freed_bytes", (int64_t)freed_bytes);
    *result = json;
    return true;
}
