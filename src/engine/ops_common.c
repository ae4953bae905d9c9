/* SPDX-License-Identifier: MIT */
#include "engine/ops_common.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"
#include "engine/engine.h"
#include "engine/job_file.h"
#include "engine/ops.h"
#include "engine/section.h"
#include "engine/state.h"
#include "store/image_store.h"
#include "store/lock.h"
#include "store/vm_snapshot.h"
#include "store/vm_store.h"

#include <pwd.h>
#include <string.h>
#include <unistd.h>

#define LOCK_TIMEOUT_DEFAULT_MS 30000
/* How long one attempt at a lock lasts before the holder's progress is looked at again. */
#define LOCK_SLICE_MS 300
#define USERS_NAMED 3
/* Edits up to which a name counts as what was meant. */
#define NEAR_DISTANCE 2

uint64_t ops_lock_timeout_ms(const struct ops *ops)
{
    uint64_t configured = ops->config->lock_timeout_ms;
    return configured > 0 ? configured : LOCK_TIMEOUT_DEFAULT_MS;
}

const char *ops_self_path(const struct ops *ops)
{
    return ops->config->self_path != NULL ? ops->config->self_path : "/proc/self/exe";
}

/* Shows what another process does to the object; true when it moved since *last. */
static bool follow_holder(struct ops *ops, const char *object, uint64_t *last)
{
    struct error ignored = {0};
    auto_section struct section *jobs =
        job_file_list(store_area_dir(ops->store, STORE_JOBS), true, &ignored);
    const struct job_file *files = jobs != NULL ? section_items(jobs) : NULL;
    for (size_t i = 0; files != NULL && i < section_count(jobs); i++) {
        if (files[i].place > 0 || strcmp(files[i].object, object) != 0) {
            continue;
        }
        progress_note(
            ops->progress, "waiting for %s (pid %d)", files[i].command, (int)files[i].process.pid);
        progress_report(
            ops->progress, files[i].phase, files[i].unit, files[i].done, files[i].total);
        uint64_t now = files[i].done + ((uint64_t)files[i].phase << 56);
        bool has_moved = now != *last;
        *last = now;
        return has_moved;
    }
    return false;
}

static struct lock *wait_for_lock(struct ops *ops, enum store_kind kind, const char *name,
    const char *purpose, bool is_work, struct error *err)
{
    auto_free char *object = memory_printf("%s/%s", store_kind_name(kind), name);
    uint64_t timeout_ms = ops_lock_timeout_ms(ops);
    uint64_t give_up = clock_monotonic_ms() + timeout_ms;
    uint64_t last = 0;
    for (;;) {
        struct error failure = {0};
        uint64_t slice = timeout_ms < LOCK_SLICE_MS ? timeout_ms : LOCK_SLICE_MS;
        struct lock *lock =
            is_work
                ? lock_take_work(ops->store, kind, name, purpose, slice, ops->cancel, &failure)
                : lock_take(ops->store, kind, name, purpose, slice, NULL, ops->cancel, &failure);
        if (lock != NULL) {
            progress_note(ops->progress, "%s", "");
            return lock;
        }
        if (follow_holder(ops, object, &last)) {
            give_up = clock_monotonic_ms() + timeout_ms;
        }
        if (failure.code != ERROR_BUSY || clock_monotonic_ms() >= give_up) {
            *err = failure;
            return NULL;
        }
    }
}

struct lock *ops_lock(
    struct ops *ops, enum store_kind kind, const char *name, const char *purpose, struct error *err)
{
    return wait_for_lock(ops, kind, name, purpose, false, err);
}

struct lock *ops_lock_work(
    struct ops *ops, enum store_kind kind, const char *name, const char *purpose, struct error *err)
{
    return wait_for_lock(ops, kind, name, purpose, true, err);
}

/* False when the host keeps us from looking. */
static bool add_snapshot_user(int dir, const char *vm, const char *key, const char *name,
    const char *snapshot, struct strings *users, struct error *err)
{
    struct error failure = {0};
    auto_json struct json *manifest =
        vm_snapshot_read(dir, snapshot, VM_SNAPSHOT_MANIFEST, &failure);
    if (error_is_blind(&failure)) {
        *err = failure;
        return false;
    }
    if (strcmp(json_string(manifest, key, ""), name) == 0) {
        strings_printf(users, "snapshot %s of VM %s", snapshot, vm);
    }
    return true;
}

/* Snapshots of that machine that need it; key: of their manifests. False when the host keeps us from
 * looking. */
static bool add_snapshot_users(struct ops *ops, const char *vm, const char *key, const char *name,
    struct strings *users, struct error *err)
{
    auto_done(strings) struct strings snapshots = {0};
    struct error failure = {0};
    auto_close int dir = vm_store_open(ops->store, vm, &failure);
    bool is_listed = dir >= 0 && vm_snapshot_names(dir, &snapshots, &failure);
    for (size_t i = 0; is_listed && i < snapshots.count && failure.code == ERROR_NONE; i++) {
        add_snapshot_user(dir, vm, key, name, snapshots.items[i], users, &failure);
    }
    if (!error_is_blind(&failure)) {
        return true;
    }
    auto_done(unread) struct unread unread = {0};
    auto_free char *path = store_entry_path(ops->store, STORE_VM, vm, VM_SNAPSHOTS);
    unread_note(&unread, &failure, path);
    return unread_error(&unread, "snapshots of VM", vm, err);
}

/* VMs, and snapshots of those that do not use it themselves any more. */
static bool add_vm_users(struct ops *ops, const char *key, const char *prefix, const char *name,
    struct strings *users, struct error *err)
{
    auto_done(vm_list) struct vm_list vms = {0};
    if (!vm_store_list(ops->store, &vms, err)) {
        return false;
    }
    for (size_t i = 0; i < vms.count; i++) {
        const struct vm_record *vm = &vms.items[i];
        const struct json *spec = vm->documents[VM_DOCUMENT_SPEC];
        if (vm->unread.errnum != 0) {
            unread_error(&vm->unread, "VM", vm->name, err);
        } else if (strcmp(json_string(spec, key, ""), name) == 0) {
            strings_printf(users, "%s%s", prefix, vm->name);
        } else {
            add_snapshot_users(ops, vm->name, key, name, users, err);
        }
        if (err->code != ERROR_NONE) {
            return error_wrap(err, "who uses %s is not known", name);
        }
    }
    return true;
}

bool ops_image_users(struct ops *ops, const char *image, struct strings *users, struct error *err)
{
    return add_vm_users(ops, "image", "", image, users, err);
}

bool ops_kernel_users(struct ops *ops, const char *kernel, struct strings *users, struct error *err)
{
    auto_done(image_list) struct image_list images = {0};
    if (!image_store_list(ops->store, &images, err)) {
        return false;
    }
    for (size_t i = 0; i < images.count; i++) {
        const char *ref = images.items[i].kernel_ref;
        if (images.items[i].unread.errnum != 0) {
            unread_error(&images.items[i].unread, "image", images.items[i].name, err);
            return error_wrap(err, "who uses %s is not known", kernel);
        }
        if (ref != NULL && strcmp(ref, kernel) == 0) {
            strings_printf(users, "image %s", images.items[i].name);
        }
    }
    return add_vm_users(ops, "kernel_ref", "VM ", kernel, users, err);
}

const char *ops_resolve_name(
    const char *what, const struct strings *names, const char *word, struct error *err)
{
    auto_done(strings) struct strings near = {0};
    auto_done(strings) struct strings matches = {0};
    const char *match = NULL;
    for (size_t i = 0; i < names->count; i++) {
        const char *candidate = names->items[i];
        if (strcmp(candidate, word) == 0) {
            return candidate;
        }
        if (text_has_prefix(candidate, word)) {
            strings_add(&matches, candidate);
            match = candidate;
        } else if (text_distance(candidate, word) <= NEAR_DISTANCE) {
            strings_add(&near, candidate);
        }
    }
    if (matches.count == 1) {
        return match;
    }
    if (matches.count > 1) {
        auto_free char *all = strings_join(&matches, ", ");
        error_set(err, ERROR_INVALID, "\"%s\" could be any of %s: type more of it", word, all);
        return NULL;
    }
    auto_free char *all = strings_join(&near, ", ");
    const char *shown = strcmp(what, "vm") == 0 ? "VM" : what;
    if (near.count > 0) {
        error_set(
            err, ERROR_NOT_FOUND, "there is no %s named %s: did you mean %s?", shown, word, all);
    } else {
        error_set(
            err, ERROR_NOT_FOUND, "there is no %s named %s: see `%s list`", shown, word, what);
    }
    return NULL;
}

enum entry_state ops_entry_state(bool is_damaged, const struct unread *unread)
{
    if (unread->errnum != 0) {
        return ENTRY_UNREADABLE;
    }
    return is_damaged ? ENTRY_DAMAGED : ENTRY_OK;
}

bool ops_refuse_in_use(const char *what, const char *name, const struct strings *users,
    bool can_force, struct error *err)
{
    auto_done(text) struct text names = {0};
    for (size_t i = 0; i < users->count && i < USERS_NAMED; i++) {
        text_printf(&names, "%s%s", i > 0 ? ", " : "", users->items[i]);
    }
    if (users->count > USERS_NAMED) {
        text_printf(&names, " and %zu more", users->count - USERS_NAMED);
    }
    return error_set(err, ERROR_IN_USE, "%s %s is used by %s: remove that first%s", what, name,
        text_cstr(&names), can_force ? ", or add --force" : "");
}

struct json *ops_result(const char *name, bool is_changed)
{
    struct json *result = json_new_object();
    json_put_string(result, "name", name);
    json_put_bool(result, "changed", is_changed);
    return result;
}

void ops_put_time(struct json *object, const char *key, int64_t wall_seconds)
{
    if (wall_seconds != 0) {
        char stamp[CLOCK_TEXT_LEN];
        json_put_string(object, key, clock_format(wall_seconds, stamp));
    }
}

void ops_rows_add(struct text *rows, struct json *row)
{
    text_append_char(rows, rows->len == 0 ? '[' : ',');
    json_write(row, false, rows);
    json_free(row);
}

struct json *ops_rows_take(struct text *rows)
{
    text_append(rows, rows->len == 0 ? "[]" : "]");
    return json_new_written(text_take(rows));
}

void ops_put_strings(struct json *object, const char *key, const struct strings *list)
{
    if (list->count == 0) {
        return;
    }
    struct json *array = json_new_array();
    for (size_t i = 0; i < list->count; i++) {
        json_append(array, json_new_string(list->items[i]));
    }
    json_put(object, key, array);
}

struct json *ops_plan(struct ops *ops)
{
    struct json *plan = json_new_object();
    json_put(plan, "plan", json_new_array());
    uint64_t free_bytes;
    struct error ignored = {0};
    if (file_free_space(store_dir_fd(ops->store), ".", &free_bytes, &ignored)) {
        json_put_integer(plan, "free_bytes", (int64_t)free_bytes);
    }
    return plan;
}

void ops_plan_add(struct json *plan, const char *action, const char *object, uint64_t size_bytes)
{
    struct json *row = json_new_object();
    json_put_string(row, "action", action);
    json_put_string(row, "object", object);
    if (size_bytes > 0) {
        json_put_integer(row, "bytes", (int64_t)size_bytes);
    }
    /* The array was put there by ops_plan. */
    json_append((struct json *)json_get(plan, "plan"), row);
}

char *ops_login(void)
{
    struct passwd entry;
    struct passwd *found = NULL;
    char buffer[4096];
    if (getpwuid_r(geteuid(), &entry, buffer, sizeof buffer, &found) == 0 && found != NULL) {
        return memory_strdup(entry.pw_name);
    }
    return memory_printf("%u", (unsigned)geteuid());
}
