/* SPDX-License-Identifier: MIT */
/* vm stats: what machines use of this host, and what their guests say of themselves. */
#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/machine/ops_vm.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "store/vm_store.h"
#include "vm/machine_figures.h"

#include <poll.h>
#include <string.h>

/* Between the two looks that make a rate. */
#define INTERVAL_MS 500
#define GUEST_TIMEOUT_MS 1000

struct watched {
    struct vm_hand hand;
    bool is_up;
    struct figures_request request;
    struct machine_figures first;
    struct machine_figures now;
};

static void put_network(
    const struct machine_figures *before, const struct machine_figures *now, struct json *row)
{
    ops_vm_put_network(now, row);
    if (now->network_from == before->network_from && now->net_at_ms > before->net_at_ms) {
        uint64_t over_ms = now->net_at_ms - before->net_at_ms;
        json_put_integer(row, "net_received_rate",
            (int64_t)ops_vm_rate(before->net_received_bytes, now->net_received_bytes, over_ms));
        json_put_integer(row, "net_sent_rate",
            (int64_t)ops_vm_rate(before->net_sent_bytes, now->net_sent_bytes, over_ms));
    }
}

/* With the page cache of its disks, unlike resident memory. */
static void put_group(const char *path, const struct cgroup_use *group, struct json *row)
{
    json_put_string(row, "cgroup", group->has_cpu ? path : NULL);
    if (group->has_memory) {
        json_put_integer(row, "cgroup_memory_bytes", (int64_t)group->memory_bytes);
        json_put_integer(row, "cgroup_memory_peak_bytes", (int64_t)group->memory_peak_bytes);
    }
    if (group->cpu_pressure >= 0) {
        json_put_number(row, "cpu_pressure_percent", (double)group->cpu_pressure / 100);
    }
    if (group->memory_pressure >= 0) {
        json_put_number(row, "memory_pressure_percent", (double)group->memory_pressure / 100);
    }
}

/* Which of its figures is whose word. */
static void put_sources(const struct machine_figures *now, struct json *row)
{
    struct json *sources = json_new_object();
    json_put_string(sources, "cpu", figures_source_name(now->cpu_from));
    json_put_string(sources, "memory", figures_source_name(now->memory_from));
    json_put_string(sources, "storage", figures_source_name(now->storage_from));
    json_put_string(sources, "network", figures_source_name(now->network_from));
    json_put(row, "sources", sources);
}

static void put_use(const struct watched *vm, struct json *row)
{
    const struct machine_figures *now = &vm->now;
    uint64_t used_per_s = ops_vm_rate(vm->first.cpu_ms, now->cpu_ms, now->at_ms - vm->first.at_ms);
    /* 100 is one processor, whatever the machine has. */
    json_put_number(row, "cpu_percent", (double)used_per_s / 10);
    json_put_integer(row, "cpu_ms", (int64_t)now->cpu_ms);
    json_put_integer(row, "rss_bytes", (int64_t)now->rss_bytes);
    json_put_integer(row, "read_bytes", (int64_t)now->read_bytes);
    json_put_integer(row, "written_bytes", (int64_t)now->written_bytes);
    put_network(&vm->first, now, row);
    put_group(vm->hand.facts.handle.cgroup, &now->group, row);
    put_sources(now, row);
    json_put_integer(row, "pid", vm->hand.facts.handle.vmm.pid);
    if (now->has_guest && vm->hand.facts.state == MACHINE_RUNNING) {
        json_put_number(row, "load", (double)now->guest_load / 100);
        json_put_integer(row, "guest_memory_bytes", (int64_t)now->guest_memory_bytes);
        json_put_integer(row, "guest_used_bytes", (int64_t)now->guest_used_bytes);
    }
}

static struct json *row_of(const struct watched *vm)
{
    struct json *row = json_new_object();
    json_put_string(row, "name", vm->hand.name);
    json_put_string(row, "state", machine_state_name(vm->hand.facts.state));
    json_put_integer(row, "vcpu", (int64_t)vm->hand.spec.vcpu);
    json_put_integer(row, "memory_bytes", (int64_t)(vm->hand.spec.memory_mib << 20));
    json_put_integer(row, "disk_bytes",
        (int64_t)ops_vm_disk_use(vm->hand.dir, machine_spec_disk_slots(&vm->hand.spec)));
    ops_put_time(row, "at", clock_wall());
    if (vm->is_up) {
        put_use(vm, row);
    }
    return row;
}

/* Those that were named; all that run when none was. */
static bool choose(struct ops *ops, struct strings *names, struct error *err)
{
    auto_done(strings) struct strings all = {0};
    const struct strings *words = command_all(ops->command, "vm");
    if (!vm_store_names(ops->store, &all, err)) {
        return false;
    }
    for (size_t i = 0; i < words->count; i++) {
        const char *name = ops_resolve_name("vm", &all, words->items[i], err);
        if (name == NULL) {
            return false;
        }
        strings_add(names, name);
    }
    for (size_t i = 0; words->count == 0 && i < all.count; i++) {
        strings_add(names, all.items[i]);
    }
    return true;
}

/* One that cannot be read, and one that is down and was not named, has no row. */
static bool find(struct ops *ops, const char *name, bool is_named, struct watched *vm)
{
    struct error failure = {0};
    vm->hand = (struct vm_hand)VM_HAND_INIT;
    bool is_read = ops_vm_read(ops, name, &vm->hand, &failure);
    vm->is_up = is_read && vm->hand.facts.has_handle && ops_vm_is_up(vm->hand.facts.state);
    if (vm->is_up || (is_read && is_named)) {
        return true;
    }
    vm_hand_done(&vm->hand);
    return false;
}

/* However many guests are silent, they are waited for together. */
static void look(struct ops *ops, struct watched *vms, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (vms[i].is_up) {
            machine_figures_ask(vms[i].hand.dir, ops->cancel, &vms[i].request);
        }
    }
    uint64_t deadline = clock_deadline(GUEST_TIMEOUT_MS);
    for (size_t i = 0; i < count; i++) {
        vms[i].first = vms[i].now;
        if (vms[i].is_up) {
            machine_figures_take(
                &vms[i].request, &vms[i].hand.facts.handle, deadline, ops->cancel, &vms[i].now);
        }
    }
}

static void look_twice(struct ops *ops, struct watched *vms, size_t count)
{
    struct pollfd stop = {.fd = cancel_fd(ops->cancel), .events = POLLIN};
    look(ops, vms, count);
    poll(&stop, 1, INTERVAL_MS);
    look(ops, vms, count);
}

bool ops_vm_stats(struct ops *ops, struct json **result, struct error *err)
{
    auto_done(strings) struct strings names = {0};
    if (!choose(ops, &names, err)) {
        return false;
    }
    bool is_named = command_all(ops->command, "vm")->count > 0;
    bool is_any_up = false;
    auto_free struct watched *vms = memory_zero(names.count, sizeof *vms);
    size_t count = 0;
    for (size_t i = 0; i < names.count; i++) {
        if (find(ops, names.items[i], is_named, &vms[count])) {
            is_any_up = is_any_up || vms[count].is_up;
            count++;
        }
    }
    if (is_any_up) {
        look_twice(ops, vms, count);
    }
    struct json *rows = json_new_array();
    for (size_t i = 0; i < count; i++) {
        json_append(rows, row_of(&vms[i]));
        vm_hand_done(&vms[i].hand);
    }
    if (cancel_check(ops->cancel, err)) {
        json_free(rows);
        return false;
    }
    *result = rows;
    return true;
}
