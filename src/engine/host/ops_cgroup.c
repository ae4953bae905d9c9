/* SPDX-License-Identifier: MIT */
/* Control groups of machines: what host gc finds of them, and the doctor's rows about them. */
#include "engine/host/ops_host.h"

#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/machine/ops_vm.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "engine/state.h"
#include "store/layout.h"
#include "store/lock.h"
#include "store/vm_store.h"
#include "vm/cgroup.h"

/* For what was told to end. */
#define END_TIMEOUT_MS 1000

/* ---- host gc ---------------------------------------------------------------------------------- */

enum find { FIND_MACHINE, FIND_NONE, FIND_HIDDEN };

/* The machine of that uuid. FIND_HIDDEN: it may be one that the host keeps us from looking at. */
static enum find find_machine(
    struct ops *ops, const struct strings *names, const char *uuid, struct vm_hand *hand)
{
    bool is_hidden = false;
    for (size_t i = 0; i < names->count; i++) {
        struct error failure = {0};
        *hand = (struct vm_hand)VM_HAND_INIT;
        if (ops_vm_read(ops, names->items[i], hand, &failure) &&
            strcmp(hand->spec.uuid, uuid) == 0) {
            return hand->facts.state == MACHINE_UNKNOWN ? FIND_HIDDEN : FIND_MACHINE;
        }
        is_hidden = is_hidden || error_is_blind(&failure);
        vm_hand_done(hand);
    }
    *hand = (struct vm_hand)VM_HAND_INIT;
    return is_hidden ? FIND_HIDDEN : FIND_NONE;
}

/* Of a machine that is here and down, all that is in its group is nobody's; its lock keeps a start
 * away. Where no record tells, it goes once it is empty. Those of other state directories stay. */
static bool is_garbage(
    struct ops *ops, const struct strings *names, const char *path, bool is_dry, struct lock **lock)
{
    auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
    auto_done(vm_hand) struct vm_hand held = VM_HAND_INIT;
    struct error ignored = {0};
    enum find found = find_machine(ops, names, cgroup_uuid(path), &hand);
    if (found != FIND_MACHINE) {
        return found == FIND_NONE && cgroup_is_of(path, store_path(ops->store)) &&
               cgroup_is_empty(path, is_dry ? 0 : END_TIMEOUT_MS);
    }
    if (!ops_vm_is_up(hand.facts.state) && ops_vm_try_take(ops, hand.name, "gc", &held, &ignored) &&
        !ops_vm_may_be_up(held.facts.state) && strcmp(held.spec.uuid, hand.spec.uuid) == 0) {
        *lock = take_ptr(held.lock);
    }
    if (*lock != NULL && !is_dry) {
        cgroup_kill(path);
    }
    return *lock != NULL;
}

bool ops_cgroup_gc(struct ops *ops, struct json *done, struct json *plan, struct error *err)
{
    auto_done(strings) struct strings names = {0};
    auto_done(strings) struct strings paths = {0};
    if (!vm_store_names(ops->store, &names, err)) {
        return false;
    }
    cgroup_find(&paths);
    for (size_t i = 0; i < paths.count; i++) {
        const char *path = paths.items[i];
        auto_lock struct lock *lock = NULL;
        auto_free char *object = memory_printf("control group %s", path);
        if (!is_garbage(ops, &names, path, plan != NULL, &lock)) {
            continue;
        }
        if (plan != NULL) {
            ops_plan_add(plan, "remove", object, 0);
        } else if (cgroup_remove(path)) {
            json_append(done, json_new_string(path));
            state_log(ops->state, LOG_WARNING, "removed the %s, which no machine uses", object);
        }
    }
    return true;
}

/* ---- host doctor ------------------------------------------------------------------------------ */

static void add(
    struct json *rows, const char *check, const char *status, const char *detail, const char *hint)
{
    struct json *row = json_new_object();
    json_put_string(row, "check", check);
    json_put_string(row, "status", status);
    json_put_string(row, "detail", detail);
    json_put_string(row, "hint", hint);
    json_append(rows, row);
}

static void check_delegation(struct json *rows)
{
    struct error why_not = {0};
    auto_free char *parent = cgroup_parent(&why_not);
    if (parent == NULL) {
        auto_free char *detail =
            memory_printf("%s: figures of machines come from their processes", why_not.text);
        add(rows, "cgroup delegation", "ok", detail,
            "optional: systemd-run --user --scope -p Delegate=yes banger-tui");
        return;
    }
    auto_free char *detail = memory_printf("each machine gets a control group in %s", parent);
    add(rows, "cgroup delegation", "ok", detail, NULL);
}

void ops_cgroup_doctor(struct json *rows)
{
    check_delegation(rows);
}
