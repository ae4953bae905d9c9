/* SPDX-License-Identifier: MIT */
/* vm snapshot restore: a machine becomes what it was. What it is now stays whole until what it becomes
 * is whole beside it; from then on it is finished by whoever comes next. */
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/name.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/host/ops_net.h"
#include "engine/machine/ops_vm.h"
#include "engine/machine/ops_vm_snapshot.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "engine/state.h"
#include "store/lock.h"
#include "store/vm_snapshot.h"
#include "store/vm_store.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A snapshot at hand. Zero-initialise, dir -1; free with snapshot_hand_done. */
struct snapshot_hand {
    const char *name;
    int dir;
    struct json *manifest;
    struct machine_spec spec; /* what the machine becomes */
    bool goes_on;             /* from what it held in memory */
};

static void snapshot_hand_done(struct snapshot_hand *snapshot)
{
    memory_auto_close(&snapshot->dir);
    json_free(snapshot->manifest);
    machine_spec_done(&snapshot->spec);
}

/* ---- what was left behind ------------------------------------------------------------------- */

bool ops_vm_finish_restore(struct ops *ops, int dir, struct error *err)
{
    auto_done(strings) struct strings own = {0};
    struct machine_facts facts = {0};
    struct error failure = {0};
    if (!vm_snapshot_has_leftovers(dir)) {
        return true;
    }
    ops_vm_disk_names(&own);
    if (!vm_restore_finish(dir, &own, err)) {
        return error_wrap(err, "what is restored is not whole yet");
    }
    if (vm_snapshot_left_paused(dir)) {
        machine_look(dir, &facts);
        if (facts.state == MACHINE_PAUSED &&
            !machine_resume(dir, &facts.handle, ops->cancel, &failure)) {
            state_log(ops->state, LOG_WARNING, "a machine stands still since its snapshot: %s",
                failure.text);
        }
        machine_facts_done(&facts);
    }
    vm_snapshot_abandon(dir);
    return true;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* What names it in this world stays as it is now. */
static void keep_identity(const struct machine_spec *now, struct machine_spec *spec)
{
    free(spec->name);
    spec->name = memory_strdup(now->name);
    memcpy(spec->uuid, now->uuid, sizeof spec->uuid);
    memcpy(spec->mac, now->mac, sizeof spec->mac);
    spec->created_at = now->created_at;
    spec->is_autostart = now->is_autostart;
    spec->is_ephemeral = now->is_ephemeral;
}

/* All of its disks are there, as long as they were. */
static bool check_disks(const struct snapshot_hand *snapshot, struct error *err)
{
    const struct json *disks = json_get(snapshot->manifest, "disks");
    auto_done(strings) struct strings own = {0};
    ops_vm_disk_names(&own);
    for (const struct json *item = json_first(disks); item != NULL; item = json_next(item)) {
        struct stat status;
        const char *file = json_string(item, "file", "");
        if (!strings_contain(&own, file)) {
            return error_set(err, ERROR_FORMAT,
                "the manifest of snapshot %s names \"%s\", which is no disk of a machine",
                snapshot->name, file);
        }
        bool is_seen = fstatat(snapshot->dir, file, &status, AT_SYMLINK_NOFOLLOW) == 0;
        if (!is_seen && errno != ENOENT) {
            return error_set_errno(
                err, errno, "cannot examine %s of snapshot %s", file, snapshot->name);
        }
        if (!is_seen || !S_ISREG(status.st_mode) ||
            status.st_size != json_integer(item, "size_bytes", -1)) {
            return error_set(err, ERROR_FORMAT,
                "%s of snapshot %s is not there as it was: the snapshot can only be removed", file,
                snapshot->name);
        }
    }
    return json_count(disks) > 0 ||
           error_set(err, ERROR_FORMAT, "snapshot %s holds no disk", snapshot->name);
}

/* What was written over one image is nothing over another. */
static bool check_image(struct ops *ops, const struct vm_hand *hand,
    const struct snapshot_hand *snapshot, struct error *err)
{
    const char *was = json_string(snapshot->manifest, "image_identity", NULL);
    auto_free char *is = ops_vm_image_identity(ops, hand);
    if (strcmp(snapshot->spec.image, hand->spec.image) != 0) {
        return error_set(err, ERROR_UNSUPPORTED,
            "snapshot %s was made over image %s, and VM %s stands on %s: it cannot be restored",
            snapshot->name, snapshot->spec.image, hand->name, hand->spec.image);
    }
    bool is_known = was != NULL && is != NULL && strcspn(was, ":") == strcspn(is, ":") &&
                    strncmp(was, is, strcspn(is, ":")) == 0;
    return snapshot->spec.root == MACHINE_ROOT_COPY || !is_known || strcmp(was, is) == 0 ||
           error_set(err, ERROR_UNSUPPORTED,
               "image %s is not what it was when snapshot %s was made: put the old one back first",
               hand->spec.image, snapshot->name);
}

static bool read_snapshot(
    struct ops *ops, const struct vm_hand *hand, struct snapshot_hand *snapshot, struct error *err)
{
    snapshot->name = command_get(ops->command, "snapshot");
    if (!name_check_entry(snapshot->name, "snapshot name", err)) {
        return false;
    }
    if (!ops_vm_snapshot_has(hand, snapshot->name, err)) {
        return false;
    }
    snapshot->dir = vm_snapshot_open(hand->dir, snapshot->name, err);
    snapshot->manifest = vm_snapshot_read(hand->dir, snapshot->name, VM_SNAPSHOT_MANIFEST, err);
    auto_json struct json *spec =
        snapshot->manifest != NULL
            ? vm_snapshot_read(hand->dir, snapshot->name, VM_SNAPSHOT_SPEC, err)
            : NULL;
    if (spec == NULL || snapshot->dir < 0 ||
        !machine_spec_from_json(spec, "vm.json of the snapshot", &snapshot->spec, err)) {
        return false;
    }
    keep_identity(&hand->spec, &snapshot->spec);
    snapshot->goes_on =
        json_bool(snapshot->manifest, "memory", false) && !command_has(ops->command, "no-memory");
    return check_disks(snapshot, err) && check_image(ops, hand, snapshot, err);
}

/* ---- restoring ------------------------------------------------------------------------------ */

/* The disks that the machine becomes, whole beside those that it has; the directory, or -1. */
static int prepare(struct ops *ops, const struct vm_hand *hand,
    const struct snapshot_hand *snapshot, struct error *err)
{
    uint64_t need_bytes = ops_vm_disk_use(snapshot->dir, MACHINE_DISKS_MAX);
    auto_done(text) struct text bytes = {0};
    auto_close int staging = vm_restore_begin(hand->dir, err);
    if (staging < 0 || (!file_copy_shares(snapshot->dir, staging) &&
                           !file_need_space(staging, ".", need_bytes, err))) {
        return -1;
    }
    json_write(snapshot->manifest, true, &bytes);
    auto_close int fd = file_create(staging, VM_SNAPSHOT_MANIFEST, err);
    bool is_copied = fd >= 0 && file_write_all(fd, text_cstr(&bytes), bytes.len, err) &&
                     ops_vm_copy_disks(ops, snapshot->dir, staging, err);
    return is_copied ? take_fd(&staging) : -1;
}

/* Its address is made sure of last: others wait for that meanwhile. */
static bool prepare_spec(struct ops *ops, struct snapshot_hand *snapshot, int staging,
    struct lock **network, struct error *err)
{
    if (!ops_net_assign(ops, &snapshot->spec, network, err)) {
        return false;
    }
    auto_json struct json *spec = machine_spec_to_json(&snapshot->spec);
    return vm_store_write_document(staging, VM_DOCUMENT_SPEC, spec, err);
}

static bool end_machine(struct ops *ops, struct vm_hand *hand, struct error *err)
{
    if (hand->facts.has_handle && ops_vm_is_up(hand->facts.state) &&
        !machine_kill(hand->dir, &hand->facts.handle, SIGKILL, ops->cancel, NULL, err)) {
        return error_wrap(err, "VM %s could not be ended and was left as it is", hand->name);
    }
    ops_net_down(ops, hand);
    return true;
}

static bool restore(
    struct ops *ops, struct vm_hand *hand, struct snapshot_hand *snapshot, struct error *err)
{
    auto_lock struct lock *network = NULL;
    auto_done(strings) struct strings own = {0};
    ops_vm_disk_names(&own);
    auto_close int staging = prepare(ops, hand, snapshot, err);
    if (staging < 0 || !prepare_spec(ops, snapshot, staging, &network, err) ||
        !end_machine(ops, hand, err) || !vm_restore_commit(hand->dir, err)) {
        vm_snapshot_abandon(hand->dir);
        return error_wrap(err, "VM %s was left as it is", hand->name);
    }
    return vm_restore_finish(hand->dir, &own, err);
}

static struct json *make_plan(
    struct ops *ops, const struct vm_hand *hand, const struct snapshot_hand *snapshot)
{
    auto_free char *object = memory_printf("vm/%s", hand->name);
    auto_free char *source = memory_printf("vm/%s/%s", hand->name, snapshot->name);
    struct json *plan = ops_plan(ops);
    if (ops_vm_is_up(hand->facts.state)) {
        ops_plan_add(plan, "kill", object, 0);
    }
    ops_plan_add(plan, "restore", source, vm_snapshot_disk_use(hand->dir, snapshot->name));
    if (snapshot->goes_on) {
        ops_plan_add(plan, "resume", object, 0);
    }
    return plan;
}

/* Its disks are what they were: so its processors can go on. */
static bool go_on(
    struct ops *ops, struct vm_hand *hand, const struct snapshot_hand *snapshot, struct error *err)
{
    auto_done(machine_timeline) struct machine_timeline timeline = {0};
    hand->memory = vm_snapshot_path(snapshot->name);
    machine_spec_done(&hand->spec);
    machine_spec_copy(&snapshot->spec, &hand->spec);
    if (!ops_vm_memory_suit(ops, &hand->spec, snapshot->manifest, err) ||
        !ops_vm_boot(ops, hand, err)) {
        return error_wrap(err,
            "it has the disks of snapshot %s and cannot go on from its memory (`vm start %s` boots "
            "it)",
            snapshot->name, hand->name);
    }
    auto_free char *object = memory_printf("vm/%s", hand->name);
    ops_vm_unlock(hand);
    ops_release(ops, object);
    if (!ops_vm_await_ready(ops, hand->name, hand->dir, &hand->facts.handle, &timeline, err)) {
        return false;
    }
    ops_vm_set_clock(ops, hand, ops->cancel);
    return true;
}

/* Everything that can be known is asked before anything changes. */
static bool check(struct ops *ops, const struct vm_hand *hand, const struct snapshot_hand *snapshot,
    struct error *err)
{
    auto_done(machine_spec) struct machine_spec spec = {0};
    machine_spec_copy(&snapshot->spec, &spec);
    if (snapshot->goes_on && !ops_vm_memory_suit(ops, &spec, snapshot->manifest, err)) {
        return error_wrap(err, "snapshot %s of VM %s", snapshot->name, hand->name);
    }
    if (ops_vm_is_up(hand->facts.state) && !command_has(ops->command, "force")) {
        return error_set(err, ERROR_IN_USE,
            "VM %s is %s, and what it did since snapshot %s would be gone: stop it first "
            "(`vm stop %s`), or add --force",
            hand->name, machine_state_name(hand->facts.state), snapshot->name, hand->name);
    }
    return true;
}

bool ops_vm_snapshot_restore(struct ops *ops, struct json **result, struct error *err)
{
    const char *name = command_get(ops->command, "name");
    auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
    auto_done(snapshot_hand) struct snapshot_hand snapshot = {.dir = -1};
    if (!ops_vm_take(ops, name, "restore", &hand, err) ||
        !read_snapshot(ops, &hand, &snapshot, err) || !check(ops, &hand, &snapshot, err)) {
        return false;
    }
    if (command_is_dry_run(ops->command)) {
        *result = make_plan(ops, &hand, &snapshot);
        return true;
    }
    if (!restore(ops, &hand, &snapshot, err) ||
        (snapshot.goes_on && !go_on(ops, &hand, &snapshot, err))) {
        ops_vms_changed(ops);
        return false;
    }
    ops_vms_changed(ops);
    *result = ops_vm_result(ops, name, true);
    json_put_string(*result, "snapshot", snapshot.name);
    return true;
}
