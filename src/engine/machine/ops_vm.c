/* SPDX-License-Identifier: MIT */
/* The machines on this host: reading them, list, show, and their part of the state. */
#include "engine/machine/ops_vm.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/host/ops_net.h"
#include "engine/machine/ops_vm_snapshot.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "engine/section.h"
#include "engine/snapshot.h"
#include "engine/state.h"
#include "store/lock.h"
#include "store/vm_snapshot.h"
#include "store/vm_store.h"
#include "vm/machine_control.h"
#include "vm/machine_history.h"
#include "vm/net.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Disks that a machine may have by what it is; the further ones are numbered. */
#define OWN_DISKS 3

bool ops_vm_is_up(enum machine_state state)
{
    return state == MACHINE_STARTING || state == MACHINE_RUNNING || state == MACHINE_PAUSED ||
           state == MACHINE_STOPPING;
}

bool ops_vm_may_be_up(enum machine_state state)
{
    return ops_vm_is_up(state) || state == MACHINE_UNKNOWN;
}

static struct json *exit_json(const struct machine_exit *exit)
{
    char sentence[640];
    struct json *json = json_new_object();
    json_put_string(json, "reason", machine_exit_reason_name(exit->reason));
    if (exit->code >= 0) {
        json_put_integer(json, "code", exit->code);
    }
    if (exit->signal > 0) {
        json_put_integer(json, "signal", exit->signal);
    }
    ops_put_time(json, "at", exit->at);
    json_put_string(json, "text", machine_exit_describe(exit, sentence, sizeof sentence));
    return json;
}

struct json *ops_vm_json(const struct machine_spec *spec, const struct machine_facts *facts)
{
    bool is_running = ops_vm_is_up(facts->state) && facts->has_handle;
    struct json *json = json_new_object();
    json_put_string(json, "name", spec->name);
    json_put_string(json, "state", ops_vm_state_name(facts->state));
    json_put_string(json, "image", spec->image);
    json_put_string(json, "kernel_ref", spec->kernel_ref);
    json_put_string(json, "vmm", is_running ? facts->handle.kind : spec->vmm);
    json_put_string(json, "accel", is_running ? facts->handle.accel : spec->accel);
    json_put_integer(json, "vcpu", (int64_t)spec->vcpu);
    json_put_integer(json, "memory_mib", (int64_t)spec->memory_mib);
    if (is_running) {
        json_put_integer(json, "pid", facts->handle.vmm.pid);
    }
    ops_put_time(json, "created_at", spec->created_at);
    if (facts->has_timeline) {
        ops_put_time(json, "started_at", facts->timeline.started_at);
    }
    if (facts->has_timeline && facts->timeline.restarts > 0) {
        json_put_integer(json, "restarts", facts->timeline.restarts);
    }
    if (is_running && facts->has_timeline && facts->timeline.is_network_lost) {
        json_put_bool(json, "network_lost", true);
    }
    if (is_running && facts->has_timeline && facts->timeline.is_no_space) {
        json_put_bool(json, "no_space", true);
    }
    if (is_running) {
        bool is_kept = facts->handle.unit[0] != '\0';
        json_put_string(json, "runs_under", is_kept ? "user-manager" : "caller");
        json_put_string(json, "unit", is_kept ? facts->handle.unit : NULL);
        if (!facts->is_monitored) {
            json_put_bool(json, "unmonitored", true);
        }
    }
    if (!is_running && facts->has_exit) {
        json_put(json, "exit", exit_json(&facts->exit));
    }
    return json;
}

/* [{"stage","ms"}] of the latest boot under "timeline", and "ready_ms". */
static void put_timeline(struct json *json, const struct machine_timeline *timeline)
{
    struct json *stages = json_new_array();
    for (int stage = 0; stage < MACHINE_STAGE_COUNT; stage++) {
        if (timeline->at_ms[stage] == MACHINE_STAGE_UNREACHED) {
            continue;
        }
        struct json *row = json_new_object();
        json_put_string(row, "stage", machine_stage_name((enum machine_stage)stage));
        json_put_integer(row, "ms", (int64_t)timeline->at_ms[stage]);
        json_append(stages, row);
    }
    json_put(json, "timeline", stages);
    if (machine_timeline_is_ready(timeline)) {
        json_put_integer(json, "ready_ms", (int64_t)timeline->at_ms[MACHINE_STAGE_AGENT]);
    }
}

struct json *ops_vm_result(struct ops *ops, const char *name, bool is_changed)
{
    auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
    struct error ignored = {0};
    if (!ops_vm_read(ops, name, &hand, &ignored)) {
        return ops_result(name, is_changed);
    }
    struct json *json = ops_vm_json(&hand.spec, &hand.facts);
    json_put_bool(json, "changed", is_changed);
    if (hand.facts.has_timeline && ops_vm_is_up(hand.facts.state)) {
        put_timeline(json, &hand.facts.timeline);
    }
    return json;
}

/* A record that is none of a machine, or that the host keeps us from reading: still listed, never in
 * the way. */
static struct json *nameless_json(const struct vm_look *look)
{
    struct json *json = json_new_object();
    bool is_damaged = look->unread.errnum == 0;
    json_put_string(json, "name", look->name);
    json_put_string(json, "state", vm_state_name(is_damaged ? VM_STATE_ERROR : VM_STATE_UNKNOWN));
    json_put_string(json, "damage", is_damaged ? look->why.text : NULL);
    unread_put(&look->unread, json);
    return json;
}

bool ops_vm_list(struct ops *ops, struct json **result, struct error *err)
{
    auto_done(vm_looks) struct vm_looks looks = {0};
    if (!ops_vm_look_at_all(ops, &looks, err)) {
        return false;
    }
    bool is_running_only = command_has(ops->command, "running");
    auto_done(text) struct text rows = {.cap_bytes = SIZE_MAX / 2};
    for (size_t i = 0; i < looks.count; i++) {
        const struct vm_look *look = &looks.items[i];
        if (!look->is_read) {
            if (!is_running_only) {
                ops_rows_add(&rows, nameless_json(look));
            }
        } else if (!is_running_only || ops_vm_is_up(look->facts.state)) {
            struct json *row = ops_vm_json(&look->spec, &look->facts);
            unread_put(&look->unread, row);
            ops_vm_put_network(&look->figures, row);
            ops_rows_add(&rows, row);
        }
    }
    *result = ops_rows_take(&rows);
    return true;
}

const char *ops_vm_disk_name(size_t index)
{
    static const char *const names[OWN_DISKS] = {
        MACHINE_UPPER_FILE, MACHINE_ROOT_FILE, MACHINE_WORK_FILE};
    if (index < OWN_DISKS) {
        return names[index];
    }
    index -= OWN_DISKS;
    return index < MACHINE_DISKS_MAX ? machine_disk_file(index) : NULL;
}

uint64_t ops_vm_disk_use(int dir, size_t further)
{
    struct stat status;
    uint64_t total = 0;
    for (size_t i = 0; i < OWN_DISKS + further; i++) {
        const char *name = ops_vm_disk_name(i);
        if (name != NULL && fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
            total += (uint64_t)status.st_blocks * 512;
        }
    }
    return total;
}

/* While it runs, with the host ports that were chosen. */
static void put_ports(struct json *json, const struct vm_hand *hand)
{
    bool is_running = hand->facts.has_handle && ops_vm_is_up(hand->facts.state);
    const struct machine_port *ports = is_running ? hand->facts.handle.ports : hand->spec.ports;
    size_t count = is_running ? hand->facts.handle.port_count : hand->spec.port_count;
    if (count == 0) {
        return;
    }
    struct json *array = json_new_array();
    for (size_t i = 0; i < count; i++) {
        char word[NET_PUBLISH_MAX];
        json_append(array, json_new_string(net_format_publish(&ports[i], word)));
    }
    json_put(json, "publish", array);
}

/* One boot, as boot.json and the history keep it. exit: how it ended; NULL for one that runs. */
static struct json *boot_json(
    const struct machine_timeline *timeline, const struct machine_exit *exit)
{
    struct json *row = json_new_object();
    ops_put_time(row, "started_at", timeline->started_at);
    put_timeline(row, timeline);
    if (exit != NULL) {
        json_put(row, "exit", exit_json(exit));
    }
    return row;
}

/* The boots there were, the latest first. */
static void put_boots(struct json *json, const struct vm_hand *hand)
{
    if (!hand->facts.has_timeline) {
        return;
    }
    struct json *boots = json_new_array();
    json_append(
        boots, boot_json(&hand->facts.timeline, hand->facts.has_exit ? &hand->facts.exit : NULL));
    auto_json struct json *before = machine_history_read(hand->dir);
    for (const struct json *boot = json_first(before); boot != NULL; boot = json_next(boot)) {
        auto_done(machine_timeline) struct machine_timeline timeline = {0};
        struct machine_exit exit;
        struct error ignored = {0};
        if (machine_timeline_from_json(boot, &timeline, &ignored)) {
            const struct json *end = json_get(boot, "exit");
            bool has_end = end != NULL && machine_exit_from_json(end, &exit, &ignored);
            json_append(boots, boot_json(&timeline, has_end ? &exit : NULL));
        }
    }
    json_put(json, "boots", boots);
}

static void put_snapshots(struct json *json, const struct vm_hand *hand)
{
    struct json *snapshots = ops_vm_snapshots_json(hand->dir, false);
    if (snapshots != NULL) {
        json_put(json, "snapshots", snapshots);
        json_put_integer(json, "snapshot_bytes", (int64_t)vm_snapshot_disk_use(hand->dir, NULL));
    }
}

bool ops_vm_show(struct ops *ops, struct json **result, struct error *err)
{
    auto_done(strings) struct strings names = {0};
    auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
    if (!vm_store_names(ops->store, &names, err)) {
        return false;
    }
    const char *name = ops_resolve_name("vm", &names, command_get(ops->command, "name"), err);
    if (name == NULL || !ops_vm_read(ops, name, &hand, err)) {
        return false;
    }
    auto_done(unread) struct unread unread = {0};
    struct json *json = ops_vm_json(&hand.spec, &hand.facts);
    ops_vm_note_unknown(ops, name, &hand.facts.why_unknown, &unread);
    unread_put(&unread, json);
    json_put_string(json, "uuid", hand.spec.uuid);
    json_put_string(json, "mac", hand.spec.mac);
    json_put_integer(json, "size_bytes", (int64_t)hand.spec.disk_bytes);
    json_put_integer(json, "disk_bytes",
        (int64_t)ops_vm_disk_use(hand.dir, machine_spec_disk_slots(&hand.spec)));
    json_put_string(json, "root", machine_root_name(hand.spec.root));
    json_put_string(json, "restart", machine_restart_name(hand.spec.restart));
    json_put_string(json, "append", hand.spec.append);
    if (hand.spec.is_autostart) {
        json_put_bool(json, "autostart", true);
    }
    ops_net_put(ops, json, &hand);
    put_ports(json, &hand);
    machine_mounts_to_json(&hand.spec, json);
    put_snapshots(json, &hand);
    if (hand.facts.has_timeline) {
        put_timeline(json, &hand.facts.timeline);
    }
    put_boots(json, &hand);
    auto_free char *directory = store_entry_path(ops->store, STORE_VM, name, NULL);
    json_put_string(json, "directory", directory);
    *result = json;
    return true;
}
