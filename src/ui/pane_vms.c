/* SPDX-License-Identifier: MIT */
#include "ui/panes.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "engine/snapshot.h"
#include "ui/cell.h"
#include "ui/format.h"
#include "ui/table.h"

enum {
    VM_NAME,
    VM_STATE,
    VM_CPU,
    VM_TREND,
    VM_MEMORY,
    VM_RECEIVED,
    VM_SENT,
    VM_UP,
    VM_VCPU,
    VM_IMAGE,
    VM_KERNEL,
    VM_VMM,
    VM_DISK
};
static const struct table_column vm_columns[] = {
    [VM_NAME] = {"NAME", 0, 8, 32, .is_right = false},
    [VM_STATE] = {"STATE", 0, 8, 8, .is_right = false},
    [VM_CPU] = {"CPU", 1, 4, 5, .is_right = true, .is_kept = true},
    [VM_TREND] = {"TREND", 2, 4, CELL_TREND_MAX, .is_right = true, .is_loose = true},
    [VM_MEMORY] = {"MEM", 1, 4, 5, .is_right = true, .is_kept = true},
    [VM_RECEIVED] = {"RX/s", 4, 4, 5, .is_right = true},
    [VM_SENT] = {"TX/s", 4, 4, 5, .is_right = true},
    [VM_UP] = {"UP", 1, 3, 4, .is_right = true, .is_kept = true},
    [VM_VCPU] = {"VCPU", 3, 4, 4, .is_right = true},
    [VM_IMAGE] = {"IMAGE", 3, 6, 20, .is_right = false},
    [VM_KERNEL] = {"KERNEL", 5, 6, 20, .is_right = false},
    [VM_VMM] = {"VMM", 6, 4, 16, .is_right = false},
    [VM_DISK] = {"DISK", 6, 4, 5, .is_right = true},
};

static const void *vm_section(const struct snapshot *snapshot, size_t *count)
{
    *count = snapshot->vms_count;
    return snapshot->vms;
}

static void vm_key(const struct snapshot *snapshot, size_t index, char key[TABLE_KEY_MAX])
{
    snprintf(key, TABLE_KEY_MAX, "%s", snapshot->vms[index].name);
}

/* Text or nothing: figures of a machine that does not run would be old ones. */
static void vm_live_cell(const struct vm_item *vm, size_t column, int64_t now, struct cell *cell)
{
    bool is_live = vm->state == VM_STATE_RUNNING || vm->state == VM_STATE_STOPPING ||
                   vm->state == VM_STATE_PAUSED;
    if (column == VM_CPU) {
        auto_done(text) struct text cpu = {0};
        format_cpu(&cpu, vm->cpu_permille);
        cell_print(cell, ROLE_TEXT, "%s", is_live ? text_cstr(&cpu) : "");
        cell_order(cell, is_live ? (int64_t)vm->cpu_permille : -1);
    } else if (column == VM_TREND) {
        if (is_live) {
            cell_trend(cell, vm->cpu_history, vm->cpu_history_count, 1000 * (vm->vcpu + !vm->vcpu));
        }
        cell->role = ROLE_DIM;
        cell_order(cell, is_live ? (int64_t)vm->cpu_permille : -1);
    } else if (column == VM_MEMORY) {
        cell_size(cell, is_live ? vm->rss_bytes : 0);
    } else if (is_live) {
        cell_age(cell, now, vm->started_at);
    }
}

/* Bytes a second of a machine that has a network; a quiet one is not an unknown one. */
static void vm_network_cell(const struct vm_item *vm, bool is_received, struct cell *cell)
{
    bool is_known = vm->has_net && vm->pid > 0;
    uint64_t rate = is_received ? vm->net_received_rate : vm->net_sent_rate;
    char buffer[UNITS_MAX];
    const char *words = rate > 0 ? units_format_size_short(rate, buffer) : "0";
    cell_print(cell, rate > 0 ? ROLE_TEXT : ROLE_DIM, "%s", is_known ? words : "");
    cell_order(cell, is_known ? (int64_t)rate : -1);
}

/* A machine whose agent has not answered yet runs, but is of no use so far; one that lost its network
 * runs, but nobody can tell from outside. */
static void vm_state_cell(const struct vm_item *vm, struct cell *cell)
{
    if (vm->state == VM_STATE_RUNNING && !vm->is_ready) {
        cell_print(cell, ROLE_ATTENTION, "booting");
    } else if (vm->is_no_space) {
        cell_print(cell, ROLE_BAD, "no space");
    } else if (vm->state == VM_STATE_RUNNING && vm->is_network_lost) {
        cell_print(cell, ROLE_ATTENTION, "no net");
    } else if (vm->state == VM_STATE_RUNNING && vm->lost_monitor != 0) {
        cell_print(cell, ROLE_ATTENTION, "no watch");
    } else {
        cell_print(cell, format_vm_role(vm->state), "%s", vm_state_name(vm->state));
    }
}

static void vm_cell(
    const struct snapshot *snapshot, size_t index, size_t column, int64_t now, struct cell *cell)
{
    const struct vm_item *vm = &snapshot->vms[index];
    switch (column) {
    case VM_NAME:
        cell_print(cell, ROLE_TEXT, "%s", vm->name);
        return;
    case VM_STATE:
        vm_state_cell(vm, cell);
        return;
    case VM_CPU:
    case VM_TREND:
    case VM_MEMORY:
    case VM_UP:
        vm_live_cell(vm, column, now, cell);
        return;
    case VM_RECEIVED:
    case VM_SENT:
        vm_network_cell(vm, column == VM_RECEIVED, cell);
        return;
    case VM_VCPU:
        cell_print(cell, ROLE_TEXT, "%" PRIu64, vm->vcpu);
        cell_order(cell, (int64_t)vm->vcpu);
        return;
    case VM_IMAGE:
        cell_print(cell, ROLE_DIM, "%s", vm->image);
        return;
    case VM_KERNEL:
        cell_print(cell, ROLE_DIM, "%s", vm->kernel_ref);
        return;
    case VM_VMM:
        cell_print(cell, ROLE_DIM, "%s%s%s", vm->vmm, vm->accel[0] != '\0' ? " " : "", vm->accel);
        return;
    case VM_DISK:
        cell_size(cell, vm->disk_bytes);
        return;
    }
}

const struct table_source pane_vms_source = {.columns = vm_columns,
    .column_count = array_length(vm_columns),
    .section = vm_section,
    .key = vm_key,
    .cell = vm_cell};
