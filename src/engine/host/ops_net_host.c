/* SPDX-License-Identifier: MIT */
/* What machines on the bridge need on this host: made, taken away, found again, explained. */
#include "engine/host/ops_net.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/machine/ops_vm.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "engine/state.h"
#include "store/lock.h"
#include "store/vm_store.h"
#include "vm/net_host.h"
#include "vm/net_tools.h"

static struct lock *take_lock(struct ops *ops, const char *purpose, struct error *err)
{
    return lock_take_network(ops->store, purpose, ops_lock_timeout_ms(ops), ops->cancel, err);
}

/* The record may be older than [network] cidr. */
static bool check_address(
    const struct net_host *host, const struct machine_spec *spec, struct error *err)
{
    char range[NET_RANGE_MAX];
    return net_range_has_guest(&host->range, spec->address) ||
           error_set(err, ERROR_CONFIG,
               "its address %s is not of %s ([network] cidr): give it another one (`vm set %s "
               "--address auto`)",
               spec->address, net_range_format(&host->range, range), spec->name);
}

bool ops_net_up(
    struct ops *ops, const struct machine_spec *spec, struct net_link *link, struct error *err)
{
    struct net_host host;
    auto_done(machine_spec) struct machine_spec copy = {0};
    auto_lock struct lock *lock = NULL;
    *link = (struct net_link){.mode = spec->net};
    if (!net_mode_is_bridged(spec->net)) {
        return true;
    }
    /* One that came back from the trash may find its address given away. */
    machine_spec_copy(spec, &copy);
    if (!ops_net_assign(ops, &copy, &lock, err) || !ops_net_settings(ops, &host, err) ||
        !check_address(&host, spec, err)) {
        return false;
    }
    memcpy(link->mark, host.mark, sizeof(link->mark));
    memcpy(link->bridge, host.bridge, sizeof(link->bridge));
    memcpy(link->address, spec->address, sizeof(link->address));
    net_host_name_tap(spec->uuid, link->tap);
    return net_host_up(&host, link, err);
}

void ops_net_publish(struct ops *ops, const struct vm_hand *hand)
{
    const struct machine_handle *handle = &hand->facts.handle;
    struct error failure = {0};
    if (!net_host_publish(&handle->net, handle->ports, handle->port_count, &failure)) {
        state_log(ops->state, LOG_WARNING, "VM %s: its ports are not published: %s", hand->name,
            failure.text);
    }
}

static bool take_down(struct ops *ops, const struct net_link *link, struct error *err)
{
    auto_lock struct lock *lock = take_lock(ops, "down", err);
    return lock != NULL && net_host_down(link, err) && net_host_tidy(link->mark, err);
}

void ops_net_down(struct ops *ops, const struct vm_hand *hand)
{
    struct net_host host;
    struct error failure = {0};
    struct net_link link = hand->facts.handle.net;
    if (!hand->facts.has_handle || !net_mode_is_bridged(link.mode)) {
        if (!net_mode_is_bridged(hand->spec.net) || !ops_net_settings(ops, &host, &failure)) {
            return;
        }
        link = (struct net_link){.mode = hand->spec.net};
        memcpy(link.mark, host.mark, sizeof(link.mark));
        memcpy(link.address, hand->spec.address, sizeof(link.address));
        net_host_name_tap(hand->spec.uuid, link.tap);
    }
    if (net_tools_are_permitted() && !take_down(ops, &link, &failure)) {
        state_log(ops->state, LOG_WARNING,
            "the network of VM %s was not taken away: %s (see `host "
            "gc`)",
            hand->name, failure.text);
    }
}

/* ---- host gc ---------------------------------------------------------------------------------- */

/* A machine that is up, or that somebody is about to start, owns its tap; so may one that the host
 * keeps us from looking at. */
static bool is_owned(struct ops *ops, const struct strings *names, const char *tap)
{
    for (size_t i = 0; i < names->count; i++) {
        auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
        auto_done(vm_hand) struct vm_hand held = VM_HAND_INIT;
        struct error failure = {0};
        char own[NET_NAME_MAX];
        if (!ops_vm_read(ops, names->items[i], &hand, &failure)) {
            if (error_is_blind(&failure)) {
                return true;
            }
            continue;
        }
        net_host_name_tap(hand.spec.uuid, own);
        if (strcmp(own, tap) != 0) {
            continue;
        }
        return ops_vm_may_be_up(hand.facts.state) ||
               !ops_vm_try_take(ops, hand.name, "gc", &held, &failure) ||
               ops_vm_may_be_up(held.facts.state);
    }
    return false;
}

static void tell_gc(struct json *done, struct json *plan, const char *kind, const char *name)
{
    auto_free char *object = memory_printf("%s %s", kind, name);
    if (plan != NULL) {
        ops_plan_add(plan, "remove", object, 0);
    } else {
        json_append(done, json_new_string(object));
    }
}

static bool collect_garbage(struct ops *ops, const struct net_host *host,
    const struct net_found *found, struct json *done, struct json *plan, struct error *err)
{
    auto_done(strings) struct strings names = {0};
    char table[NET_TABLE_MAX];
    size_t kept = 0;
    if (!vm_store_names(ops->store, &names, err)) {
        return false;
    }
    for (size_t i = 0; i < found->taps.count; i++) {
        if (is_owned(ops, &names, found->taps.items[i])) {
            kept++;
            continue;
        }
        struct net_link link = {.mode = NET_BRIDGE};
        memcpy(link.mark, host->mark, sizeof(link.mark));
        snprintf(link.tap, sizeof(link.tap), "%s", found->taps.items[i]);
        snprintf(link.address, sizeof(link.address), "%s", found->addresses.items[i]);
        if (plan == NULL && !net_host_down(&link, err)) {
            return false;
        }
        tell_gc(done, plan, "tap", link.tap);
    }
    if (kept > 0) {
        return true;
    }
    for (size_t i = 0; i < found->bridges.count; i++) {
        tell_gc(done, plan, "bridge", found->bridges.items[i]);
    }
    if (found->has_table) {
        auto_free char *name = memory_printf("inet %s", net_host_table(host->mark, table));
        tell_gc(done, plan, "table", name);
    }
    return plan != NULL || net_host_tidy(host->mark, err);
}

bool ops_net_gc(struct ops *ops, struct json *done, struct json *plan, struct error *err)
{
    struct net_host host;
    struct error ignored = {0};
    auto_done(net_found) struct net_found found = {0};
    auto_free char *ip = net_tools_find("ip");
    if (ip == NULL || !ops_net_settings(ops, &host, &ignored)) {
        return true; /* nothing of it can have been made here */
    }
    auto_lock struct lock *lock = take_lock(ops, "gc", err);
    if (lock == NULL || !net_host_find(host.mark, &found, err)) {
        return false;
    }
    if (found.taps.count == 0 && found.bridges.count == 0 && !found.has_table) {
        return true;
    }
    return collect_garbage(ops, &host, &found, done, plan, err);
}
