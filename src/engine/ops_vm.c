/* SPDX-License-Identifier: MIT */
/* The machines on this host: reading them, list, show, and their part of the state. */
#include "engine/ops_vm.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "engine/ops_net.h"
#include "engine/section.h"
#include "engine/snapshot.h"
#include "engine/state.h"
#include "store/lock.h"
#include "store/vm_store.h"
#include "vm/machine_control.h"
#include "vm/machine_history.h"
#include "vm/net.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool ops_vm_is_up(enum machine_state state)
{
    return state == MACHINE_STARTING || state == MACHINE_RUNNING || state == MACHINE_PAUSED ||
           state == MACHINE_STOPPING;
}

static enum vm_state vm_state_of(enum machine_state state)
{
    switch (state) {
    case MACHINE_UNKNOWN:
        return VM_STATE_UNKNOWN;
    case MACHINE_CREATED:
        return VM_STATE_CREATED;
    case MACHINE_STARTING:
        return VM_STATE_STARTING;
    case MACHINE_RUNNING:
        return VM_STATE_RUNNING;
    case MACHINE_PAUSED:
        return VM_STATE_PAUSED;
    case MACHINE_STOPPING:
        return VM_STATE_STOPPING;
    case MACHINE_STOPPED:
        return VM_STATE_STOPPED;
    case MACHINE_CRASHED:
        return VM_STATE_CRASHED;
    }
    return VM_STATE_UNKNOWN;
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
    json_put_string(json, "state", vm_state_name(vm_state_of(facts->state)));
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
    if (!is_running && facts->has_exit) {
        json_put(json, "exit", exit_json(&facts->exit));
    }
    return json;
}

void ops_vm_put_timeline(struct json *json, const struct machine_timeline *timeline)
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
        ops_vm_put_timeline(json, &hand.facts.timeline);
    }
    return json;
}

/* A record that cannot be read as a machine: still listed, never in the way. */
static struct json *damaged_json(const struct vm_record *record, const char *damage)
{
    struct json *json = json_new_object();
    json_put_string(json, "name", record->name);
    json_put_string(json, "state", vm_state_name(VM_STATE_ERROR));
    json_put_string(json, "damage", damage);
    return json;
}

/* Reads what is needed of one record; false and the reason when it is damaged. */
static bool look_at(struct ops *ops, const struct vm_record *record, struct machine_spec *spec,
    struct machine_facts *facts, struct error *why)
{
    if (record->is_damaged) {
        return error_set(why, ERROR_FORMAT, "%s", record->damage);
    }
    auto_close int dir = vm_store_open(ops->store, record->name, why);
    if (dir < 0 ||
        !machine_spec_from_json(record->documents[VM_DOCUMENT_SPEC], "vm.json", spec, why)) {
        return false;
    }
    machine_look(dir, facts);
    return true;
}

bool ops_vm_list(struct ops *ops, struct json **result, struct error *err)
{
    auto_done(vm_list) struct vm_list list = {0};
    if (!vm_store_list(ops->store, &list, err)) {
        return false;
    }
    bool is_running_only = command_has(ops->command, "running");
    auto_done(text) struct text rows = {.cap_bytes = SIZE_MAX / 2};
    for (size_t i = 0; i < list.count; i++) {
        auto_done(machine_spec) struct machine_spec spec = {0};
        auto_done(machine_facts) struct machine_facts facts = {0};
        struct error why = {0};
        if (!look_at(ops, &list.items[i], &spec, &facts, &why)) {
            if (!is_running_only) {
                ops_rows_add(&rows, damaged_json(&list.items[i], why.text));
            }
        } else if (!is_running_only || ops_vm_is_up(facts.state)) {
            ops_rows_add(&rows, ops_vm_json(&spec, &facts));
        }
    }
    *result = ops_rows_take(&rows);
    return true;
}

const char *ops_vm_disk_name(size_t index)
{
    static const char *const names[] = {MACHINE_UPPER_FILE, MACHINE_ROOT_FILE, MACHINE_WORK_FILE};
    if (index < array_length(names)) {
        return names[index];
    }
    index -= array_length(names);
    return index < MACHINE_DISKS_MAX ? machine_disk_file(index) : NULL;
}

uint64_t ops_vm_disk_use(int dir)
{
    struct stat status;
    uint64_t total = 0;
    size_t i = 0;
    for (const char *name = ops_vm_disk_name(i); name != NULL; name = ops_vm_disk_name(++i)) {
        if (fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
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

/* The boots there were, the latest first. */
static void put_boots(struct json *json, const struct vm_hand *hand)
{
    if (!hand->facts.has_timeline) {
        return;
    }
    struct json *boots = json_new_array();
    struct json *latest = json_new_object();
    ops_put_time(latest, "started_at", hand->facts.timeline.started_at);
    ops_vm_put_timeline(latest, &hand->facts.timeline);
    if (hand->facts.has_exit) {
        json_put(latest, "exit", exit_json(&hand->facts.exit));
    }
    json_append(boots, latest);
    auto_json struct json *before = machine_history_read(hand->dir);
    for (size_t i = 0; i < json_count(before); i++) {
        const struct json *boot = json_at(before, i);
        const struct json *end = json_get(boot, "exit");
        const struct json *stages = json_get(boot, "stages");
        struct machine_exit exit;
        struct error ignored = {0};
        struct json *row = json_new_object();
        json_put_string(row, "started_at", json_string(boot, "started_at", NULL));
        if (stages != NULL) {
            json_put(row, "timeline", json_copy(stages));
        }
        if (end != NULL && machine_exit_from_json(end, &exit, &ignored)) {
            json_put(row, "exit", exit_json(&exit));
        }
        json_append(boots, row);
    }
    json_put(json, "boots", boots);
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
    struct json *json = ops_vm_json(&hand.spec, &hand.facts);
    json_put_string(json, "uuid", hand.spec.uuid);
    json_put_string(json, "mac", hand.spec.mac);
    json_put_integer(json, "size_bytes", (int64_t)hand.spec.disk_bytes);
    json_put_integer(json, "disk_bytes", (int64_t)ops_vm_disk_use(hand.dir));
    json_put_string(json, "root", machine_root_name(hand.spec.root));
    json_put_string(json, "restart", machine_restart_name(hand.spec.restart));
    json_put_string(json, "append", hand.spec.append);
    if (hand.spec.is_autostart) {
        json_put_bool(json, "autostart", true);
    }
    ops_net_put(ops, json, &hand);
    put_ports(json, &hand);
    machine_mounts_to_json(&hand.spec, json);
    if (hand.facts.has_timeline) {
        ops_vm_put_timeline(json, &hand.facts.timeline);
    }
    put_boots(json, &hand);
    auto_free char *directory = store_entry_path(ops->store, STORE_VM, name, NULL);
    json_put_string(json, "directory", directory);
    *result = json;
    return true;
}

uint64_t ops_vm_resident_bytes(pid_t pid)
{
    auto_free char *path = memory_printf("/proc/%d/statm", (int)pid);
    auto_done(text) struct text content = {0};
    struct error ignored = {0};
    uint64_t total_pages, resident_pages;
    if (!file_read_all(AT_FDCWD, path, 4096, &content, &ignored) ||
        sscanf(text_cstr(&content), "%" SCNu64 " %" SCNu64, &total_pages, &resident_pages) != 2) {
        return 0;
    }
    return resident_pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Two looks closer than this give no meaningful rate: the one before stays. */
#define CPU_INTERVAL_MS 500

/* Puts the newest figure behind those of the item's last look. */
static void remember_cpu(struct vm_item *item, const struct vm_item *before)
{
    size_t kept = before != NULL ? before->cpu_history_count : 0;
    size_t gone = kept == VM_HISTORY ? 1 : 0;
    for (size_t i = gone; i < kept; i++) {
        item->cpu_history[i - gone] = before->cpu_history[i];
    }
    item->cpu_history[kept - gone] = item->cpu_permille;
    item->cpu_history_count = kept - gone + 1;
}

/* Processor use since the last look; the mean since its start when there was none. */
static void measure_cpu(struct vm_item *item, const struct machine_handle *handle,
    const struct vm_item *before, int64_t started_at)
{
    item->cpu_ms = process_cpu_ms(&handle->vmm);
    item->looked_ms = clock_monotonic_ms();
    uint64_t used_ms = item->cpu_ms;
    int64_t age_s = clock_wall() - started_at;
    uint64_t over_ms = age_s > 0 ? (uint64_t)age_s * 1000 : 1000;
    bool is_same = before != NULL && before->pid == item->pid;
    if (is_same && before->cpu_ms <= item->cpu_ms && before->looked_ms > 0) {
        used_ms = item->cpu_ms - before->cpu_ms;
        over_ms = item->looked_ms - before->looked_ms;
        if (over_ms < CPU_INTERVAL_MS) {
            item->cpu_permille = before->cpu_permille;
            item->cpu_ms = before->cpu_ms;
            item->looked_ms = before->looked_ms;
            item->cpu_history_count = before->cpu_history_count;
            memcpy(item->cpu_history, before->cpu_history, sizeof(item->cpu_history));
            return;
        }
    }
    item->cpu_permille = (uint32_t)(used_ms * 1000 / over_ms);
    remember_cpu(item, is_same ? before : NULL);
}

static const struct vm_item *find_item(const struct section *section, const char *name)
{
    const struct vm_item *items = section != NULL ? section_items(section) : NULL;
    for (size_t i = 0; items != NULL && i < section_count(section); i++) {
        if (strcmp(items[i].name, name) == 0) {
            return &items[i];
        }
    }
    return NULL;
}

static void fill_stages(
    struct section *section, struct vm_item *item, const struct machine_timeline *timeline)
{
    struct stage_item *stages =
        section_alloc(section, sizeof *stages * (size_t)MACHINE_STAGE_COUNT);
    for (int stage = 0; stage < MACHINE_STAGE_COUNT; stage++) {
        if (timeline->at_ms[stage] != MACHINE_STAGE_UNREACHED) {
            stages[item->stage_count++] =
                (struct stage_item){.name = machine_stage_name((enum machine_stage)stage),
                    .at_ms = timeline->at_ms[stage]};
        }
    }
    item->stages = stages;
    item->is_ready = machine_timeline_is_ready(timeline);
}

static void fill_item(struct section *section, struct vm_item *item,
    const struct machine_spec *spec, const struct machine_facts *facts)
{
    bool is_running = ops_vm_is_up(facts->state) && facts->has_handle;
    char sentence[640] = "";
    if (!is_running && facts->has_exit) {
        machine_exit_describe(&facts->exit, sentence, sizeof sentence);
    }
    item->state = vm_state_of(facts->state);
    item->image = section_string(section, spec->image);
    item->kernel_ref = section_string(section, spec->kernel_ref);
    item->vmm = section_string(section, is_running ? facts->handle.kind : spec->vmm);
    item->accel = section_string(section, is_running ? facts->handle.accel : spec->accel);
    item->vcpu = spec->vcpu;
    item->memory_mib = spec->memory_mib;
    item->created_at = spec->created_at;
    item->exit_text = section_string(section, sentence);
    if (facts->has_timeline) {
        item->started_at = facts->timeline.started_at;
        fill_stages(section, item, &facts->timeline);
    }
    if (is_running) {
        item->pid = facts->handle.vmm.pid;
        item->rss_bytes = ops_vm_resident_bytes(facts->handle.vmm.pid);
    } else {
        item->is_ready = false;
    }
}

/* A row for the front end; *watch is the process whose end changes it. */
static void add_item(struct ops *ops, struct section *section, const struct vm_record *record,
    const struct section *before, struct process_identity *watch)
{
    auto_done(machine_spec) struct machine_spec spec = {0};
    auto_done(machine_facts) struct machine_facts facts = {0};
    struct error why = {0};
    struct vm_item *item = section_add(section);
    const char *empty = section_string(section, NULL);
    *item = (struct vm_item){.name = section_string(section, record->name),
        .state = VM_STATE_ERROR,
        .image = empty,
        .kernel_ref = empty,
        .vmm = empty,
        .accel = empty};
    if (!look_at(ops, record, &spec, &facts, &why)) {
        item->exit_text = section_string(section, why.text);
        return;
    }
    fill_item(section, item, &spec, &facts);
    auto_close int dir = vm_store_open(ops->store, record->name, &why);
    if (dir >= 0) {
        item->disk_bytes = ops_vm_disk_use(dir);
    }
    if (facts.has_handle && ops_vm_is_up(facts.state)) {
        *watch = facts.is_monitored ? facts.handle.monitor : facts.handle.vmm;
        measure_cpu(item, &facts.handle, find_item(before, record->name), item->started_at);
    }
}

bool ops_refresh_vms(struct ops *ops, struct error *err)
{
    auto_done(vm_list) struct vm_list list = {0};
    if (!vm_store_list(ops->store, &list, err)) {
        return false;
    }
    auto_free struct process_identity *watched = memory_zero(list.count, sizeof *watched);
    size_t watched_count = 0;
    auto_section struct section *before = state_hold_vms(ops->state);
    struct section *section = section_new(sizeof(struct vm_item));
    for (size_t i = 0; i < list.count; i++) {
        struct process_identity watch = {0};
        add_item(ops, section, &list.items[i], before, &watch);
        if (watch.pid > 0) {
            watched[watched_count++] = watch;
        }
    }
    state_put_vms(ops->state, section);
    ops_watch_processes(ops, watched, watched_count);
    return true;
}

void ops_vms_changed(struct ops *ops)
{
    if (!ops->config->is_watching) {
        return;
    }
    struct error failure = {0};
    if (!ops_refresh_vms(ops, &failure) || !ops_refresh_images(ops, &failure)) {
        state_log(ops->state, LOG_WARNING, "listing VMs: %s", failure.text);
    }
}
