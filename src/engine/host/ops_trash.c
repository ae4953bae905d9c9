/* SPDX-License-Identifier: MIT */
/* host trash list, restore, empty, and how long things stay. */
#include "engine/host/ops_trash.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "engine/command.h"
#include "engine/image/ops_image.h"
#include "engine/kernel/ops_kernel.h"
#include "engine/machine/ops_vm.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "engine/state.h"
#include "store/lock.h"
#include "store/trash.h"

#include <string.h>

static const struct trash_item *find_id(const struct trash_list *list, const char *id)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].id, id) == 0) {
            return &list->items[i];
        }
    }
    return NULL;
}

static void tell(struct ops *ops, uint64_t freed_bytes)
{
    char size[UNITS_MAX];
    if (freed_bytes > 0) {
        state_log(ops->state, LOG_INFO, "%s of the trash are gone for good",
            units_format_size(freed_bytes, size));
    }
}

struct json *ops_trash_result(struct ops *ops, const char *name, const char *trash_id)
{
    auto_done(trash_list) struct trash_list list = {0};
    struct error failure = {0};
    uint64_t freed_bytes = 0;
    struct json *result = ops_result(name, true);
    if (!trash_expire(ops->store, ops->limits, NULL, &freed_bytes, &failure) ||
        !trash_read(ops->store, &list, &failure)) {
        state_log(ops->state, LOG_WARNING, "%s", failure.text);
    }
    tell(ops, freed_bytes);
    const struct trash_item *item = find_id(&list, trash_id);
    if (item != NULL) {
        json_put_string(result, "trash_id", trash_id);
        ops_put_time(result, "restorable_until", trash_kept_until(item, ops->limits));
    }
    return result;
}

void ops_trash_sweep(struct ops *ops)
{
    uint64_t freed_bytes = 0;
    struct error failure = {0};
    if (!trash_expire_old(ops->store, ops->limits, ops->cancel, &freed_bytes, &failure)) {
        state_log(ops->state, LOG_WARNING, "%s", failure.text);
    }
    tell(ops, freed_bytes);
}

bool ops_host_trash_list(struct ops *ops, struct json **result, struct error *err)
{
    auto_done(trash_list) struct trash_list list = {0};
    if (!trash_read(ops->store, &list, err)) {
        return false;
    }
    struct json *rows = json_new_array();
    for (size_t i = 0; i < list.count; i++) {
        const struct trash_item *item = &list.items[i];
        struct json *row = json_new_object();
        json_put_string(row, "id", item->id);
        json_put_string(row, "kind", store_kind_name(item->kind));
        json_put_string(row, "name", item->name);
        json_put_integer(row, "disk_bytes", (int64_t)item->disk_bytes);
        ops_put_time(row, "trashed_at", item->trashed_at);
        ops_put_time(row, "restorable_until", trash_kept_until(item, ops->limits));
        json_append(rows, row);
    }
    *result = rows;
    return true;
}

/* "lab" or "kernel/lab". */
static bool is_meant(const struct trash_item *item, const char *word)
{
    size_t kind_len = strlen(store_kind_name(item->kind));
    bool has_kind =
        strncmp(word, store_kind_name(item->kind), kind_len) == 0 && word[kind_len] == '/';
    return strcmp(has_kind ? word + kind_len + 1 : word, item->name) == 0;
}

/* By id, or the one that went last under that name; a name that several kinds have had is not
 * enough. */
static const struct trash_item *find(
    const struct trash_list *list, const char *word, struct error *err)
{
    const struct trash_item *found = find_id(list, word);
    if (found != NULL) {
        return found;
    }
    for (size_t i = list->count; i > 0; i--) {
        const struct trash_item *item = &list->items[i - 1];
        if (!is_meant(item, word)) {
            continue;
        }
        if (found != NULL && found->kind != item->kind) {
            error_set(err, ERROR_INVALID, "the trash has %s/%s and %s/%s: type the kind as well",
                store_kind_name(item->kind), word, store_kind_name(found->kind), word);
            return NULL;
        }
        found = found != NULL ? found : item;
    }
    if (found == NULL) {
        auto_free char *shown = text_safe(word, true);
        error_set(err, ERROR_NOT_FOUND,
            "the trash has no %.120s: host trash list shows what it has", shown);
    }
    return found;
}

static void tell_changed(struct ops *ops, enum store_kind kind)
{
    switch (kind) {
    case STORE_KERNEL:
        ops_kernels_changed(ops);
        break;
    case STORE_IMAGE:
        ops_images_changed(ops);
        break;
    case STORE_VM:
        ops_vms_changed(ops);
        break;
    }
}

/* A machine that started with the host does so again: its unit went with it. */
static void bring_unit_back(struct ops *ops, const char *name)
{
    auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
    struct error failure = {0};
    if (ops_vm_read(ops, name, &hand, &failure) && hand.spec.is_autostart &&
        !ops_vm_autostart(ops, &hand.spec, &failure)) {
        state_log(ops->state, LOG_WARNING, "VM %s is back, but will not start with the host: %s",
            name, failure.text);
    }
}

bool ops_host_trash_restore(struct ops *ops, struct json **result, struct error *err)
{
    auto_done(trash_list) struct trash_list list = {0};
    const struct trash_item *item = NULL;
    if (!trash_read(ops->store, &list, err) ||
        (item = find(&list, command_get(ops->command, "what"), err)) == NULL) {
        return false;
    }
    auto_free char *object = memory_printf("%s/%s", store_kind_name(item->kind), item->name);
    if (!trash_may_restore(ops->store, item, err)) {
        return false;
    }
    if (command_is_dry_run(ops->command)) {
        *result = ops_plan(ops);
        ops_plan_add(*result, "restore", object, item->disk_bytes);
        return true;
    }
    if (!ops_claim(ops, object, err)) {
        return false;
    }
    auto_lock struct lock *lock = ops_lock(ops, item->kind, item->name, "restore", err);
    if (lock == NULL || !trash_restore(ops->store, item->id, err)) {
        return false;
    }
    if (item->kind == STORE_VM) {
        bring_unit_back(ops, item->name);
    }
    tell_changed(ops, item->kind);
    *result = ops_result(item->name, true);
    json_put_string(*result, "kind", store_kind_name(item->kind));
    json_put_string(*result, "trash_id", item->id);
    return true;
}

bool ops_host_trash_empty(struct ops *ops, struct json **result, struct error *err)
{
    if (command_is_dry_run(ops->command)) {
        auto_done(trash_list) struct trash_list list = {0};
        if (!trash_read(ops->store, &list, err)) {
            return false;
        }
        *result = ops_plan(ops);
        for (size_t i = 0; i < list.count; i++) {
            ops_plan_add(*result, "remove", list.items[i].id, list.items[i].disk_bytes);
        }
        return true;
    }
    uint64_t freed_bytes = 0;
    if (!trash_empty(ops->store, ops->cancel, &freed_bytes, err)) {
        return false;
    }
    struct json *emptied = json_new_object();
    json_put_bool(emptied, "changed", freed_bytes > 0);
    json_put_integer(emptied, "freed_bytes", (int64_t)freed_bytes);
    *result = emptied;
    return true;
}
