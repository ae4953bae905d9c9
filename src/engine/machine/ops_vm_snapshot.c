/* SPDX-License-Identifier: MIT */
/* vm snapshot create, list, show, rm: what a machine was at one moment, kept beside it. */
#include "engine/machine/ops_vm_snapshot.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/name.h"
#include "base/progress.h"
#include "engine/command.h"
#include "engine/machine/ops_vm.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "engine/state.h"
#include "store/image_store.h"
#include "store/vm_snapshot.h"
#include "store/vm_store.h"
#include "vm/agent_client.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SYNC_TIMEOUT_MS 10000

/* ---- showing -------------------------------------------------------------------------------- */

/* Its row of the list with everything else that its manifest tells; caller frees. */
static struct json *whole_of(int vm_dir, const char *name, struct error *err)
{
    struct json *json = vm_snapshot_read(vm_dir, name, VM_SNAPSHOT_MANIFEST, err);
    if (json != NULL) {
        json_put_string(json, "name", name);
        json_put_integer(json, "disk_bytes", (int64_t)vm_snapshot_disk_use(vm_dir, name));
    }
    return json;
}

/* One that cannot be read is told, and removed like any other. */
static struct json *row_of(int vm_dir, const char *name, bool is_brief)
{
    static const char *const keys[] = {
        "created_at", "state", "memory", "kernel_ref", "size_bytes", "disk_bytes"};
    struct error failure = {0};
    auto_json struct json *whole =
        is_brief ? vm_snapshot_read(vm_dir, name, VM_SNAPSHOT_MANIFEST, &failure)
                 : whole_of(vm_dir, name, &failure);
    struct json *row = json_new_object();
    json_put_string(row, "name", name);
    if (whole == NULL && error_is_blind(&failure)) {
        auto_done(unread) struct unread unread = {0};
        auto_free char *path = vm_snapshot_path(name);
        unread_note(&unread, &failure, path);
        json_put_string(row, "state", entry_state_name(ENTRY_UNREADABLE));
        unread_put(&unread, row);
        return row;
    }
    if (whole == NULL) {
        json_put_string(row, "state", entry_state_name(ENTRY_DAMAGED));
        json_put_string(row, "damage", failure.text);
        return row;
    }
    for (size_t i = 0; i < array_length(keys); i++) {
        const struct json *value = json_get(whole, keys[i]);
        if (value != NULL) {
            json_put(row, keys[i], json_copy(value));
        }
    }
    return row;
}

static int by_age(const void *a, const void *b)
{
    const struct json *const *one = a;
    const struct json *const *other = b;
    int order = strcmp(json_string(*one, "created_at", ""), json_string(*other, "created_at", ""));
    return order != 0 ? order
                      : strcmp(json_string(*one, "name", ""), json_string(*other, "name", ""));
}

struct json *ops_vm_snapshots_json(int vm_dir, bool is_brief)
{
    auto_done(strings) struct strings names = {0};
    struct error ignored = {0};
    if (!vm_snapshot_names(vm_dir, &names, &ignored) || names.count == 0) {
        return NULL;
    }
    auto_free struct json **rows = memory_zero(names.count, sizeof(struct json *));
    for (size_t i = 0; i < names.count; i++) {
        rows[i] = row_of(vm_dir, names.items[i], is_brief);
    }
    qsort(rows, names.count, sizeof(struct json *), by_age);
    struct json *array = json_new_array();
    for (size_t i = 0; i < names.count; i++) {
        json_append(array, rows[i]);
    }
    return array;
}

bool ops_vm_snapshot_has(const struct vm_hand *hand, const char *name, struct error *err)
{
    struct error failure = {0};
    auto_close int dir = vm_snapshot_open(hand->dir, name, &failure);
    if (dir >= 0) {
        return true;
    }
    if (failure.code != ERROR_NOT_FOUND) {
        *err = failure;
        return error_wrap(err, "snapshot %s of VM %s", name, hand->name);
    }
    return error_set(err, ERROR_NOT_FOUND, "VM %s has no snapshot %s: see `vm snapshot list %s`",
        hand->name, name, hand->name);
}

/* The machine that the command names, as reading verbs do. */
static bool read_machine(struct ops *ops, struct vm_hand *hand, struct error *err)
{
    auto_done(strings) struct strings names = {0};
    if (!vm_store_names(ops->store, &names, err)) {
        return false;
    }
    const char *name = ops_resolve_name("vm", &names, command_get(ops->command, "name"), err);
    return name != NULL && ops_vm_read(ops, name, hand, err);
}

bool ops_vm_snapshot_list(struct ops *ops, struct json **result, struct error *err)
{
    auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
    auto_done(strings) struct strings names = {0};
    if (!read_machine(ops, &hand, err) || !vm_snapshot_names(hand.dir, &names, err)) {
        return false;
    }
    struct json *rows = ops_vm_snapshots_json(hand.dir, false);
    *result = rows != NULL ? rows : json_new_array();
    return true;
}

bool ops_vm_snapshot_show(struct ops *ops, struct json **result, struct error *err)
{
    auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
    auto_done(strings) struct strings names = {0};
    if (!read_machine(ops, &hand, err) || !vm_snapshot_names(hand.dir, &names, err)) {
        return false;
    }
    const char *word = command_get(ops->command, "snapshot");
    const char *name = ops_resolve_name("snapshot", &names, word, err);
    struct json *json = name != NULL ? whole_of(hand.dir, name, err) : NULL;
    auto_json struct json *spec =
        json != NULL ? vm_snapshot_read(hand.dir, name, VM_SNAPSHOT_SPEC, err) : NULL;
    if (spec == NULL) {
        json_free(json);
        return false;
    }
    json_put_string(json, "vm", hand.name);
    json_put(json, "vcpu", json_copy(json_get(spec, "vcpu")));
    json_put(json, "memory_mib", json_copy(json_get(spec, "memory_mib")));
    *result = json;
    return true;
}

/* ---- making --------------------------------------------------------------------------------- */

void ops_vm_disk_names(struct strings *names)
{
    size_t i = 0;
    for (const char *name = ops_vm_disk_name(i); name != NULL; name = ops_vm_disk_name(++i)) {
        strings_add(names, name);
    }
}

char *ops_vm_image_identity(struct ops *ops, const struct vm_hand *hand)
{
    auto_done(image_entry) struct image_entry image = {0};
    struct error ignored = {0};
    struct stat status;
    if (!image_store_read(ops->store, hand->spec.image, &image, &ignored)) {
        return NULL;
    }
    if (image.content_sha256 != NULL) {
        return memory_printf("sha256:%s", image.content_sha256);
    }
    auto_free char *path = image_store_rootfs(ops->store, &image);
    return stat(path, &status) != 0 ? NULL
                                    : memory_printf("file:%jd %jd.%09ld", (intmax_t)status.st_size,
                                          (intmax_t)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

/* "20261127-115301", and what is behind it when that is taken. Caller frees. */
static char *invent_name(int vm_dir)
{
    char stamp[32];
    struct tm parts;
    time_t now = (time_t)clock_wall();
    gmtime_r(&now, &parts);
    strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &parts);
    char *name = memory_strdup(stamp);
    for (int i = 2; vm_snapshot_exists(vm_dir, name); i++) {
        free(name);
        name = memory_printf("%s-%d", stamp, i);
    }
    return name;
}

/* A machine that is made to stand still for the time of the copy. */
struct standstill {
    bool has_memory; /* what it holds in memory is kept too */
    char version[MACHINE_VERSION_MAX];
    bool is_ours; /* it ran, and goes on by us */
    bool is_synced;
    uint64_t since_ms;
    uint64_t lasted_ms;
    struct error unsynced; /* why its guest did not write back what it held */
};

static bool mark_paused(int staging, struct error *err)
{
    auto_close int fd = file_create(staging, VM_SNAPSHOT_PAUSED, err);
    return fd >= 0;
}

/* The guest writes back what it holds, then its processors stop. That we did it is written down before,
 * for whoever comes when we are killed. */
static bool stand_still(struct ops *ops, const struct vm_hand *hand, int staging,
    struct standstill *still, struct error *err)
{
    if (hand->facts.state != MACHINE_RUNNING) {
        return true;
    }
    still->is_synced = agent_sync(hand->dir, SYNC_TIMEOUT_MS, ops->cancel, &still->unsynced);
    if (!mark_paused(staging, err)) {
        return false;
    }
    still->is_ours = true;
    still->since_ms = clock_monotonic_ms();
    return machine_pause(hand->dir, &hand->facts.handle, ops->cancel, err);
}

/* Also after a failure or a cancel. */
static bool go_on(struct ops *ops, const struct vm_hand *hand, struct standstill *still,
    int staging, struct error *err)
{
    struct error failure = {0};
    if (!still->is_ours) {
        return true;
    }
    still->is_ours = false;
    if (!machine_resume(hand->dir, &hand->facts.handle, NULL, &failure)) {
        if (err->code == ERROR_NONE) {
            *err = failure;
        }
        state_log(ops->state, LOG_ERROR, "VM %s stands still: %s", hand->name, failure.text);
        return false;
    }
    still->lasted_ms = clock_monotonic_ms() - still->since_ms;
    unlinkat(staging, VM_SNAPSHOT_PAUSED, 0);
    if (machine_timeline_is_ready(&hand->facts.timeline)) {
        ops_vm_set_clock(ops, hand, NULL);
    }
    return true;
}

/* What is in it, and what it stands on. */
static struct json *make_manifest(
    struct ops *ops, const struct vm_hand *hand, int staging, const struct standstill *still)
{
    struct json *json = json_new_object();
    struct json *disks = json_new_array();
    struct json *left_out = json_new_array();
    struct stat status;
    uint64_t size_bytes = 0;
    size_t i = 0;
    for (const char *file = ops_vm_disk_name(i); file != NULL; file = ops_vm_disk_name(++i)) {
        if (fstatat(staging, file, &status, AT_SYMLINK_NOFOLLOW) == 0) {
            struct json *disk = json_new_object();
            json_put_string(disk, "file", file);
            json_put_integer(disk, "size_bytes", (int64_t)status.st_size);
            json_append(disks, disk);
            size_bytes += (uint64_t)status.st_size;
        }
    }
    for (i = 0; i < hand->spec.disk_count; i++) {
        if (hand->spec.disks[i].file != NULL) {
            json_append(left_out, json_new_string(hand->spec.disks[i].file));
        }
    }
    auto_free char *image = ops_vm_image_identity(ops, hand);
    json_put_integer(json, "format", 1);
    ops_put_time(json, "created_at", clock_wall());
    json_put_string(json, "state", ops_vm_state_name(hand->facts.state));
    json_put_bool(json, "memory", still->has_memory);
    json_put_integer(json, "size_bytes", (int64_t)size_bytes);
    json_put_string(json, "image", hand->spec.image);
    json_put_string(json, "image_identity", image);
    json_put_string(json, "kernel_ref", hand->spec.kernel_ref);
    if (still->has_memory) {
        ops_vm_memory_describe(ops, hand, still->version, json);
    }
    json_put(json, "disks", disks);
    if (json_count(left_out) > 0) {
        json_put(json, "left_out", left_out);
    } else {
        json_free(left_out);
    }
    return json;
}

static bool write_json(int dir, const char *file, const struct json *json, struct error *err)
{
    auto_done(text) struct text bytes = {0};
    json_write(json, true, &bytes);
    auto_close int fd = file_create(dir, file, err);
    return fd >= 0 && file_write_all(fd, text_cstr(&bytes), bytes.len, err);
}

static bool fill(struct ops *ops, const struct vm_hand *hand, int staging, const char *name,
    struct standstill *still, struct error *err)
{
    bool is_copied = stand_still(ops, hand, staging, still, err) &&
                     (!still->has_memory || machine_save(hand->dir, &hand->facts.handle,
                                                VM_SNAPSHOT_STAGING, ops->cancel, err)) &&
                     ops_vm_copy_disks(ops, hand->dir, staging, err);
    bool goes_on = go_on(ops, hand, still, staging, err);
    if (!is_copied || !goes_on) {
        return false;
    }
    auto_json struct json *manifest = make_manifest(ops, hand, staging, still);
    auto_json struct json *spec = machine_spec_to_json(&hand->spec);
    progress_report(ops->progress, PROGRESS_PUBLISH, PROGRESS_STEPS, 0, 1);
    return write_json(staging, VM_SNAPSHOT_SPEC, spec, err) &&
           write_json(staging, VM_SNAPSHOT_MANIFEST, manifest, err) &&
           vm_snapshot_publish(hand->dir, name, err);
}

static bool make(struct ops *ops, const struct vm_hand *hand, const char *name,
    struct standstill *still, struct error *err)
{
    auto_close int staging = vm_snapshot_begin(hand->dir, err);
    uint64_t bytes = still->has_memory ? ops_vm_memory_bytes(&hand->spec) : 0;
    if (staging >= 0 && !file_copy_shares(hand->dir, staging)) {
        bytes += ops_vm_disk_use(hand->dir, machine_spec_disk_slots(&hand->spec));
    }
    bool is_made = staging >= 0 && file_need_space(staging, ".", bytes, err) &&
                   fill(ops, hand, staging, name, still, err);
    if (!is_made) {
        vm_snapshot_abandon(hand->dir);
        return error_wrap(err, "VM %s was not snapshotted", hand->name);
    }
    return true;
}

static bool check_state(const struct vm_hand *hand, struct error *err)
{
    if (hand->facts.state == MACHINE_STARTING || hand->facts.state == MACHINE_STOPPING) {
        return error_set(err, ERROR_BUSY, "VM %s is %s: wait until it is not (`vm wait %s`)",
            hand->name, machine_state_name(hand->facts.state), hand->name);
    }
    return true;
}

static struct json *plan_for(struct ops *ops, const char *action, const struct vm_hand *hand,
    const char *name, uint64_t bytes)
{
    auto_free char *object = memory_printf("%s/%s", hand->name, name);
    return ops_vm_plan_one(ops, action, object, bytes);
}

bool ops_vm_snapshot_create(struct ops *ops, struct json **result, struct error *err)
{
    auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
    struct standstill still = {0};
    if (!ops_vm_take(ops, command_get(ops->command, "name"), "snapshot", &hand, err) ||
        !check_state(&hand, err)) {
        return false;
    }
    const char *given = command_get(ops->command, "snapshot");
    auto_free char *name = given != NULL ? memory_strdup(given) : invent_name(hand.dir);
    if (!name_check_entry(name, "snapshot name", err)) {
        return false;
    }
    if (vm_snapshot_exists(hand.dir, name)) {
        return error_set(err, ERROR_EXISTS, "VM %s has a snapshot %s already: choose another name",
            hand.name, name);
    }
    still.has_memory = command_has(ops->command, "memory");
    if (still.has_memory && !ops_vm_memory_check(ops, &hand, still.version, err)) {
        return false;
    }
    if (command_is_dry_run(ops->command)) {
        uint64_t bytes = ops_vm_disk_use(hand.dir, machine_spec_disk_slots(&hand.spec));
        *result = plan_for(ops, "create", &hand, name, bytes);
        return true;
    }
    if (!make(ops, &hand, name, &still, err)) {
        return false;
    }
    ops_vms_changed(ops);
    *result = whole_of(hand.dir, name, err);
    if (*result == NULL) {
        return false;
    }
    json_put_string(*result, "vm", hand.name);
    json_put_bool(*result, "changed", true);
    if (hand.facts.state == MACHINE_RUNNING) {
        json_put_integer(*result, "paused_ms", (int64_t)still.lasted_ms);
        if (!still.is_synced) {
            auto_free char *note = memory_printf("its guest did not write back what it held (%s): "
                                                 "the disks are as after a power cut",
                still.unsynced.text);
            json_put_string(*result, "note", note);
        }
    }
    return true;
}

bool ops_vm_snapshot_rm(struct ops *ops, struct json **result, struct error *err)
{
    const char *name = command_get(ops->command, "snapshot");
    auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
    if (!ops_vm_take(ops, command_get(ops->command, "name"), "snapshot rm", &hand, err)) {
        return false;
    }
    if (!name_check_entry(name, "snapshot name", err)) {
        return false;
    }
    if (!ops_vm_snapshot_has(&hand, name, err)) {
        return false;
    }
    uint64_t bytes = vm_snapshot_disk_use(hand.dir, name);
    if (command_is_dry_run(ops->command)) {
        *result = plan_for(ops, "remove", &hand, name, bytes);
        return true;
    }
    if (!vm_snapshot_remove(hand.dir, name, err)) {
        return error_wrap(err, "VM %s", hand.name);
    }
    ops_vms_changed(ops);
    *result = ops_result(name, true);
    json_put_string(*result, "vm", hand.name);
    json_put_integer(*result, "freed_bytes", (int64_t)bytes);
    return true;
}
