/* SPDX-License-Identifier: MIT */
/* The machines as a table: all of them looked at, their part of the state, and its figures. */
#include "engine/machine/ops_vm.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/process.h"
#include "base/text.h"
#include "engine/engine.h"
#include "engine/machine/ops_vm_snapshot.h"
#include "engine/ops.h"
#include "engine/section.h"
#include "engine/snapshot.h"
#include "engine/state.h"
#include "store/vm_snapshot.h"
#include "store/vm_store.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Fewer are looked at by one thread. */
#define LOOKS_WORTH 100

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

const char *ops_vm_state_name(enum machine_state state)
{
    return vm_state_name(vm_state_of(state));
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
        item->ended_at = facts->exit.at;
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
    item->restarts = facts->has_timeline ? facts->timeline.restarts : 0;
    if (is_running) {
        item->is_network_lost = facts->has_timeline && facts->timeline.is_network_lost;
        item->is_no_space = facts->has_timeline && facts->timeline.is_no_space;
        item->lost_monitor = facts->is_monitored ? 0 : facts->handle.monitor.pid;
        item->pid = facts->handle.vmm.pid;
        item->pid_start_time = facts->handle.vmm.start_time;
    } else {
        item->is_ready = false;
    }
}

static bool look_at(struct ops *ops, struct vm_record *record, struct vm_look *look)
{
    if (record->unread.errnum != 0) {
        look->unread = record->unread;
        record->unread = (struct unread){0};
        return error_set_told(&look->why, look->unread.errnum, "%s", look->unread.reason);
    }
    if (record->is_damaged) {
        return error_set(&look->why, ERROR_FORMAT, "%s", record->damage);
    }
    auto_close int dir = vm_store_open(ops->store, record->name, &look->why);
    if (dir < 0 || !machine_spec_from_json(
                       record->documents[VM_DOCUMENT_SPEC], "vm.json", &look->spec, &look->why)) {
        ops_vm_note_unknown(ops, record->name, &look->why, &look->unread);
        return false;
    }
    machine_look(dir, &look->facts);
    ops_vm_note_unknown(ops, record->name, &look->facts.why_unknown, &look->unread);
    look->disk_bytes = ops_vm_disk_use(dir, machine_spec_disk_slots(&look->spec));
    if (look->facts.has_handle && ops_vm_is_up(look->facts.state)) {
        machine_figures_read(dir, &look->facts.handle, ops->cancel, &look->figures);
    }
    return true;
}

/* What those who look share; each writes the slot of its own index only. */
struct looking {
    struct ops *ops;
    struct vm_list *list;
    struct vm_look *items;
};

static void look_at_one(void *context, size_t i)
{
    struct looking *looking = context;
    struct vm_look *look = &looking->items[i];
    look->name = memory_strdup(looking->list->items[i].name);
    look->is_read = look_at(looking->ops, &looking->list->items[i], look);
}

bool ops_vm_look_at_all(struct ops *ops, struct vm_looks *looks, struct error *err)
{
    auto_done(vm_list) struct vm_list list = {0};
    if (!vm_store_list(ops->store, &list, err)) {
        return false;
    }
    looks->count = list.count;
    looks->items = memory_zero(list.count + 1, sizeof(*looks->items));
    struct looking looking = {.ops = ops, .list = &list, .items = looks->items};
    parallel_each(list.count, LOOKS_WORTH, look_at_one, &looking);
    return true;
}

void vm_looks_done(struct vm_looks *looks)
{
    for (size_t i = 0; i < looks->count; i++) {
        free(looks->items[i].name);
        unread_done(&looks->items[i].unread);
        machine_spec_done(&looks->items[i].spec);
        machine_facts_done(&looks->items[i].facts);
    }
    free(looks->items);
    *looks = (struct vm_looks){0};
}

/* Most machines have none, which costs one call. */
static void fill_snapshots(struct ops *ops, struct section *section, struct vm_item *item)
{
    auto_free char *place = memory_printf("%s/" VM_SNAPSHOTS, item->name);
    struct error ignored = {0};
    if (file_is_absent(store_kind_dir(ops->store, STORE_VM), place)) {
        return;
    }
    auto_close int dir = vm_store_open(ops->store, item->name, &ignored);
    auto_json struct json *rows = dir >= 0 ? ops_vm_snapshots_json(dir, true) : NULL;
    if (rows == NULL) {
        return;
    }
    struct vm_snapshot_item *snapshots =
        section_alloc(section, json_count(rows) * sizeof(*snapshots));
    for (const struct json *row = json_first(rows); row != NULL; row = json_next(row)) {
        struct vm_snapshot_item *snapshot = &snapshots[item->snapshot_count++];
        *snapshot =
            (struct vm_snapshot_item){.name = section_string(section, json_string(row, "name", "")),
                .has_memory = json_bool(row, "memory", false),
                .kernel_ref = section_string(section, json_string(row, "kernel_ref", ""))};
        if (!clock_parse(json_string(row, "created_at", ""), &snapshot->created_at)) {
            snapshot->created_at = 0;
        }
    }
    item->snapshots = snapshots;
}

/* A row for the front end; *watch is the process whose end changes it. */
static void add_item(struct ops *ops, struct section *section, const struct vm_look *look,
    const struct section *before, struct process_identity *watch)
{
    struct vm_item *item = section_add(section);
    const char *empty = section_string(section, NULL);
    *item = (struct vm_item){.name = section_string(section, look->name),
        .state = VM_STATE_ERROR,
        .image = empty,
        .kernel_ref = empty,
        .vmm = empty,
        .accel = empty,
        .reason = section_string(section, look->unread.reason),
        .hint = section_string(section, look->unread.hint),
        .exit_text = empty};
    if (!look->is_read && look->unread.errnum != 0) {
        item->state = VM_STATE_UNKNOWN;
        return;
    }
    if (!look->is_read) {
        item->exit_text = section_string(section, look->why.text);
        return;
    }
    const struct machine_facts *facts = &look->facts;
    fill_item(section, item, &look->spec, facts);
    item->disk_bytes = look->disk_bytes;
    fill_snapshots(ops, section, item);
    if (facts->has_handle && ops_vm_is_up(facts->state)) {
        *watch = facts->is_monitored ? facts->handle.monitor : facts->handle.vmm;
        ops_vm_measure(item, &look->figures, ops_vm_item(before, look->name));
    }
}

bool ops_refresh_vms(struct ops *ops, struct error *err)
{
    auto_done(vm_looks) struct vm_looks looks = {0};
    if (!ops_vm_look_at_all(ops, &looks, err)) {
        return false;
    }
    auto_free struct process_identity *watched = memory_zero(looks.count, sizeof *watched);
    size_t watched_count = 0;
    auto_section struct section *before = state_hold_vms(ops->state);
    struct section *section = section_new(sizeof(struct vm_item));
    for (size_t i = 0; i < looks.count; i++) {
        struct process_identity watch = {0};
        add_item(ops, section, &looks.items[i], before, &watch);
        if (watch.pid > 0) {
            watched[watched_count++] = watch;
        }
    }
    ops_vm_tell_ends(ops, before, section);
    state_put_vms(ops->state, section);
    ops_watch_processes(ops, watched, watched_count);
    return true;
}

static void measure(struct ops *ops, struct vm_item *item, const struct vm_item *before)
{
    struct machine_handle handle;
    struct error gone = {0};
    auto_close int dir = vm_store_open(ops->store, item->name, &gone);
    if (dir >= 0 && machine_handle_read(dir, &handle, &gone) && handle.vmm.pid == item->pid) {
        item->disk_bytes = ops_vm_disk_use(dir, MACHINE_DISKS_MAX);
        struct machine_figures now;
        machine_figures_read(dir, &handle, ops->cancel, &now);
        ops_vm_measure(item, &now, before);
    }
}

bool ops_refresh_figures(struct ops *ops, struct error *err)
{
    (void)err;
    auto_section struct section *before = state_hold_vms(ops->state);
    const struct vm_item *items = before != NULL ? section_items(before) : NULL;
    size_t count = before != NULL ? section_count(before) : 0;
    struct section *section = section_new(sizeof(struct vm_item));
    for (size_t i = 0; i < count; i++) {
        struct vm_item *item = state_copy_vm(section, &items[i]);
        if (item->pid > 0) {
            measure(ops, item, &items[i]);
        }
    }
    state_replace_vms(ops->state, before, section);
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
