/* SPDX-License-Identifier: MIT */
/* vm stats: what machines use of this host, and what their guests say of themselves. */
#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "engine/command.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "engine/ops_vm.h"
#include "store/vm_store.h"
#include "vm/agent_client.h"
#include "vm/machine_figures.h"

#include <poll.h>
#include <string.h>

/* Between the two looks that make a rate. */
#define INTERVAL_MS 500
#define GUEST_TIMEOUT_MS 1000

struct watched {
    struct vm_hand hand;
    bool is_up;
    struct strings guest; /* what it says of itself; nothing where no agent answers */
    struct machine_figures first;
};

static void put_network(
    const struct machine_figures *before, const struct machine_figures *now, struct json *row)
{
    uint64_t over_ms = now->at_ms - before->at_ms;
    if (now->network_from == FIGURES_UNKNOWN) {
        return;
    }
    json_put_integer(row, "net_received_bytes", (int64_t)now->net_received_bytes);
    json_put_integer(row, "net_sent_bytes", (int64_t)now->net_sent_bytes);
    if (before->network_from == now->network_from) {
        json_put_integer(row, "net_received_rate",
            (int64_t)ops_vm_rate(before->net_received_bytes, now->net_received_bytes, over_ms));
        json_put_integer(row, "net_sent_rate",
            (int64_t)ops_vm_rate(before->net_sent_bytes, now->net_sent_bytes, over_ms));
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
    const struct machine_handle *handle = &vm->hand.facts.handle;
    struct machine_figures now;
    machine_figures_read(handle, &now);
    uint64_t used_per_s = ops_vm_rate(vm->first.cpu_ms, now.cpu_ms, now.at_ms - vm->first.at_ms);
    /* 100 is one processor, whatever the machine has. */
    json_put_number(row, "cpu_percent", (double)used_per_s / 10);
    json_put_integer(row, "cpu_ms", (int64_t)now.cpu_ms);
    json_put_integer(row, "rss_bytes", (int64_t)now.rss_bytes);
    json_put_integer(row, "read_bytes", (int64_t)now.read_bytes);
    json_put_integer(row, "written_bytes", (int64_t)now.written_bytes);
    put_network(&vm->first, &now, row);
    put_sources(&now, row);
    json_put_integer(row, "pid", handle->vmm.pid);
}

static bool fact_number(const struct strings *facts, const char *key, uint64_t *number)
{
    size_t len = strlen(key);
    struct error ignored = {0};
    for (size_t i = 0; i < facts->count; i++) {
        const char *fact = facts->items[i];
        if (strncmp(fact, key, len) == 0 && fact[len] == '=') {
            return units_parse_number(fact + len + 1, key, INT64_MAX, number, &ignored);
        }
    }
    return false;
}

/* The guest's word, put beside what the host measured. */
static void put_guest(const struct strings *facts, struct json *row)
{
    uint64_t number, available;
    if (fact_number(facts, "load1", &number)) {
        json_put_number(row, "load", (double)number / 100);
    }
    if (fact_number(facts, "mem_total", &number) &&
        fact_number(facts, "mem_available", &available) && available <= number) {
        json_put_integer(row, "guest_memory_bytes", (int64_t)number);
        json_put_integer(row, "guest_used_bytes", (int64_t)(number - available));
    }
    /* Where this host counts by itself, that is the word. */
    if (json_get(row, "net_received_bytes") != NULL) {
        return;
    }
    if (fact_number(facts, "net_received", &number)) {
        json_put_integer(row, "net_received_bytes", (int64_t)number);
    }
    if (fact_number(facts, "net_sent", &number)) {
        json_put_integer(row, "net_sent_bytes", (int64_t)number);
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
        put_guest(&vm->guest, row);
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

static void look(struct ops *ops, const char *name, bool is_named, struct watched *vm)
{
    struct error failure = {0};
    vm->hand = (struct vm_hand)VM_HAND_INIT;
    if (!ops_vm_read(ops, name, &vm->hand, &failure)) {
        vm_hand_done(&vm->hand);
        vm->hand = (struct vm_hand)VM_HAND_INIT;
        return;
    }
    vm->is_up = vm->hand.facts.has_handle && ops_vm_is_up(vm->hand.facts.state);
    if (vm->is_up) {
        machine_figures_read(&vm->hand.facts.handle, &vm->first);
    } else if (!is_named) {
        vm_hand_done(&vm->hand);
        vm->hand = (struct vm_hand)VM_HAND_INIT;
    }
}

/* One that does not answer soon is left out; a paused one is not even asked. */
static void ask_guests(struct ops *ops, struct watched *vms, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct error ignored = {0};
        if (vms[i].is_up && vms[i].hand.facts.state == MACHINE_RUNNING &&
            machine_timeline_is_ready(&vms[i].hand.facts.timeline)) {
            agent_stats(vms[i].hand.dir, GUEST_TIMEOUT_MS, ops->cancel, &vms[i].guest, &ignored);
        }
    }
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
    for (size_t i = 0; i < names.count; i++) {
        look(ops, names.items[i], is_named, &vms[i]);
        is_any_up = is_any_up || vms[i].is_up;
    }
    if (is_any_up) {
        uint64_t deadline = clock_deadline(INTERVAL_MS);
        ask_guests(ops, vms, names.count);
        struct pollfd stop = {.fd = cancel_fd(ops->cancel), .events = POLLIN};
        poll(&stop, 1, clock_left_ms(deadline));
    }
    struct json *rows = json_new_array();
    for (size_t i = 0; i < names.count; i++) {
        if (vms[i].hand.name != NULL) {
            json_append(rows, row_of(&vms[i]));
            vm_hand_done(&vms[i].hand);
            strings_done(&vms[i].guest);
        }
    }
    if (cancel_check(ops->cancel, err)) {
        json_free(rows);
        return false;
    }
    *result = rows;
    return true;
}
