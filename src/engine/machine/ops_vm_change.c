/* SPDX-License-Identifier: MIT */
/* vm rename. */
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/name.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/machine/ops_vm.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "store/lock.h"
#include "store/publish.h"
#include "store/vm_store.h"

#include <string.h>

bool ops_vm_write_spec(const struct vm_hand *hand, const char *was, struct error *err)
{
    auto_json struct json *record = machine_spec_to_json(&hand->spec);
    json_put_string(record, "was", was);
    return vm_store_write_document(hand->dir, VM_DOCUMENT_SPEC, record, err);
}

bool ops_vm_rename(struct ops *ops, struct json **result, struct error *err)
{
    const char *name = command_get(ops->command, "name");
    const char *new_name = command_get(ops->command, "new");
    auto_free char *object = memory_printf("vm/%s", new_name);
    auto_lock struct lock *lock = NULL;
    auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
    if (!name_check_label(new_name, "VM name", err)) {
        return false;
    }
    if (strcmp(name, new_name) == 0) {
        return error_set(err, ERROR_EXISTS, "VM %s has that name already", name);
    }
    if (!ops_claim(ops, object, err) ||
        !ops_vm_take_both(ops, name, new_name, "rename", &lock, &hand, err)) {
        return false;
    }
    if (ops_vm_is_up(hand.facts.state)) {
        return error_set(err, ERROR_IN_USE, "VM %s is %s: stop it first (`vm stop %s`)", name,
            machine_state_name(hand.facts.state), name);
    }
    if (vm_store_exists(ops->store, new_name)) {
        return error_set(
            err, ERROR_EXISTS, "there is already a VM %s: choose another name", new_name);
    }
    if (command_is_dry_run(ops->command)) {
        *result = ops_vm_plan_one(ops, "rename", name, 0);
        return true;
    }
    free(hand.spec.name);
    hand.spec.name = memory_strdup(new_name);
    /* Until the directory has its new name, the record belongs to the old one: vm_store.h. */
    if (!ops_vm_write_spec(&hand, name, err) ||
        !store_rename_entry(ops->store, STORE_VM, name, new_name, err)) {
        return false;
    }
    struct error ignored = {0};
    ops_vm_write_spec(&hand, NULL, &ignored);
    if (hand.spec.is_autostart && !ops_vm_autostart(ops, &hand.spec, err)) {
        return false;
    }
    ops_vms_changed(ops);
    *result = ops_vm_result(ops, new_name, true);
    json_put_string(*result, "was", name);
    return true;
}
