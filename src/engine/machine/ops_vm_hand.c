/* SPDX-License-Identifier: MIT */
/* One machine at hand: read, locked, and put right where its monitor or this host crashed. */
#include "base/error.h"
#include "base/memory.h"
#include "engine/engine.h"
#include "engine/machine/ops_vm.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "engine/state.h"
#include "store/lock.h"
#include "store/vm_snapshot.h"
#include "store/vm_store.h"

#include <string.h>

void vm_hand_done(struct vm_hand *hand)
{
    ops_vm_unlock(hand);
    memory_auto_close(&hand->dir);
    machine_spec_done(&hand->spec);
    machine_facts_done(&hand->facts);
    free(hand->name);
    free(hand->warning);
    free(hand->why);
    free(hand->memory);
}

void ops_vm_unlock(struct vm_hand *hand)
{
    lock_release(hand->lock);
    hand->lock = NULL;
}

bool ops_vm_read(struct ops *ops, const char *name, struct vm_hand *hand, struct error *err)
{
    auto_done(vm_record) struct vm_record record = {0};
    if (!vm_store_read(ops->store, name, &record, err)) {
        return false;
    }
    if (record.is_damaged) {
        return error_set(err, ERROR_FORMAT,
            "the record of VM %s is damaged (%s): `vm rm --force %s` removes it", name,
            record.damage, name);
    }
    if (!machine_spec_from_json(record.documents[VM_DOCUMENT_SPEC], "vm.json", &hand->spec, err)) {
        return error_wrap(err, "VM %s", name);
    }
    hand->dir = vm_store_open(ops->store, name, err);
    if (hand->dir < 0) {
        return false;
    }
    hand->name = memory_strdup(name);
    machine_look(hand->dir, &hand->facts);
    return true;
}

bool ops_vm_has_ended(const struct vm_hand *hand)
{
    return hand->facts.state == MACHINE_STOPPED || hand->facts.state == MACHINE_CRASHED;
}

bool ops_vm_has_room(const struct vm_hand *hand, struct error *err)
{
    bool is_full = hand->facts.state == MACHINE_PAUSED && hand->facts.timeline.is_no_space;
    return !is_full || error_set(err, ERROR_NO_SPACE,
                           "VM %s stands still because this host's disk is full: make room, and it "
                           "goes on by itself",
                           hand->name);
}

/* One that is stopping too: whoever stops a machine has its lock, so he is gone. */
bool ops_vm_is_orphan(const struct vm_hand *hand)
{
    enum machine_state state = hand->facts.state;
    return !hand->facts.is_monitored &&
           (state == MACHINE_RUNNING || state == MACHINE_PAUSED || state == MACHINE_STOPPING);
}

/* A machine whose monitor died gets a new one before anything is done with it. Without one it can
 * still be stopped, so a failure is only told. */
bool ops_vm_adopt(struct ops *ops, struct vm_hand *hand)
{
    struct error failure = {0};
    if (!ops_vm_is_orphan(hand)) {
        return false;
    }
    struct machine_boot boot = {.vm_dir = hand->dir,
        .console_log_bytes = ops->limits->console_log_bytes,
        .runtime_dir = ops->config->runtime_dir};
    if (!machine_adopt(
            &boot, hand->name, ops_self_path(ops), ops->cancel, &hand->facts.handle, &failure)) {
        state_log(ops->state, LOG_WARNING, "VM %s runs but lost its monitor: %s", hand->name,
            failure.text);
        return false;
    }
    state_log(ops->state, LOG_WARNING, "VM %s had lost its monitor and got a new one", hand->name);
    machine_facts_done(&hand->facts);
    machine_look(hand->dir, &hand->facts);
    return true;
}

/* Before its record is read: it may be the one that was to be replaced. */
static bool finish_before(struct ops *ops, const char *name, struct error *err)
{
    struct error failure = {0};
    auto_close int dir = vm_store_open(ops->store, name, &failure);
    if (error_is_blind(&failure)) {
        *err = failure;
        return false;
    }
    return dir < 0 || ops_vm_finish_restore(ops, dir, err) || error_wrap(err, "VM %s", name);
}

void ops_vm_note_unknown(
    struct ops *ops, const char *name, const struct error *why, struct unread *unread)
{
    auto_free char *path = store_entry_path(ops->store, STORE_VM, name, NULL);
    unread_note(unread, why, path);
}

/* What is not known of it is about the host: nothing is done to it, or called so, for that. */
static bool refuse_unknown(
    struct ops *ops, const char *name, const struct error *why, struct error *err)
{
    auto_done(unread) struct unread unread = {0};
    struct error known = *why;
    error_clear(err);
    ops_vm_note_unknown(ops, name, &known, &unread);
    return unread_error(&unread, "VM", name, err);
}

bool ops_vm_take(
    struct ops *ops, const char *name, const char *purpose, struct vm_hand *hand, struct error *err)
{
    hand->lock = ops_lock(ops, STORE_VM, name, purpose, err);
    if (hand->lock == NULL || !finish_before(ops, name, err) ||
        !ops_vm_read(ops, name, hand, err)) {
        return false;
    }
    bool is_settled = machine_settle(hand->dir, err);
    if (err->code != ERROR_NONE) {
        return error_is_blind(err) ? refuse_unknown(ops, name, err, err)
                                   : error_wrap(err, "VM %s", name);
    }
    if (is_settled) {
        machine_facts_done(&hand->facts);
        machine_look(hand->dir, &hand->facts);
    } else {
        ops_vm_adopt(ops, hand);
    }
    return !error_is_blind(&hand->facts.why_unknown) ||
           refuse_unknown(ops, name, &hand->facts.why_unknown, err);
}

bool ops_vm_try_take(
    struct ops *ops, const char *name, const char *purpose, struct vm_hand *hand, struct error *err)
{
    hand->lock = lock_take(ops->store, STORE_VM, name, purpose, 0, NULL, NULL, err);
    return hand->lock != NULL && ops_vm_read(ops, name, hand, err);
}

bool ops_vm_take_both(struct ops *ops, const char *name, const char *other, const char *purpose,
    struct lock **lock, struct vm_hand *hand, struct error *err)
{
    bool is_other_first = strcmp(other, name) < 0;
    if (is_other_first) {
        *lock = ops_lock(ops, STORE_VM, other, purpose, err);
    }
    if ((is_other_first && *lock == NULL) || !ops_vm_take(ops, name, purpose, hand, err)) {
        return false;
    }
    if (!is_other_first) {
        *lock = ops_lock(ops, STORE_VM, other, purpose, err);
    }
    return *lock != NULL;
}

bool ops_vm_settle(struct ops *ops, struct vm_hand *hand)
{
    struct error failure = {0};
    bool is_due =
        hand->facts.has_handle && (ops_vm_is_orphan(hand) || !ops_vm_is_up(hand->facts.state));
    bool has_leftovers = vm_snapshot_has_leftovers(hand->dir);
    if ((!is_due && !has_leftovers) || ops->config->is_readonly) {
        return false;
    }
    auto_lock struct lock *lock =
        lock_take(ops->store, STORE_VM, hand->name, "settle", 0, NULL, NULL, &failure);
    if (lock == NULL) {
        return false; /* whoever has it does the same */
    }
    if (has_leftovers && !ops_vm_finish_restore(ops, hand->dir, &failure)) {
        state_log(ops->state, LOG_WARNING, "VM %s: %s", hand->name, failure.text);
    }
    machine_settle(hand->dir, &failure);
    machine_facts_done(&hand->facts);
    machine_look(hand->dir, &hand->facts);
    ops_vm_adopt(ops, hand);
    return true;
}
