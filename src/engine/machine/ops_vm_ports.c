/* SPDX-License-Identifier: MIT */
/* Published host ports, looked at before anything starts: which machine, or whatever else, has one. */
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/machine/ops_vm.h"
#include "engine/ops.h"
#include "store/vm_store.h"
#include "vm/net.h"

#include <string.h>

static bool refuse_taken(const struct machine_port *port, const char *owner, struct error *err)
{
    return error_set(err, ERROR_IN_USE,
        "host port %s:%u is published by VM %s, which runs: publish another one, or stop that VM "
        "(`vm stop %s`)",
        port->host_address, port->host_port, owner, owner);
}

/* What that machine has published while it runs, against what is wanted. */
static bool check_against(
    struct ops *ops, const struct machine_spec *spec, const char *other, struct error *err)
{
    auto_done(machine_facts) struct machine_facts facts = {0};
    struct error ignored = {0};
    auto_close int dir = vm_store_open(ops->store, other, &ignored);
    if (dir < 0) {
        return true; /* removed meanwhile, or damaged: nothing of it runs that we know of */
    }
    machine_look(dir, &facts);
    if (!facts.has_handle || !ops_vm_is_up(facts.state)) {
        return true;
    }
    for (size_t i = 0; i < spec->port_count; i++) {
        for (size_t j = 0; j < facts.handle.port_count; j++) {
            if (net_ports_clash(&spec->ports[i], &facts.handle.ports[j])) {
                return refuse_taken(&spec->ports[i], other, err);
            }
        }
    }
    return true;
}

bool ops_vm_check_ports(struct ops *ops, const struct machine_spec *spec, struct error *err)
{
    auto_done(strings) struct strings names = {0};
    if (spec->port_count == 0) {
        return true;
    }
    if (!vm_store_names(ops->store, &names, err)) {
        return false;
    }
    for (size_t i = 0; i < names.count; i++) {
        if (strcmp(names.items[i], spec->name) != 0 &&
            !check_against(ops, spec, names.items[i], err)) {
            return false;
        }
    }
    /* A copy: what is free now for "any port" may not be at the start, which chooses itself. */
    auto_done(machine_spec) struct machine_spec copy = {0};
    machine_spec_copy(spec, &copy);
    return net_check_ports(copy.ports, copy.port_count, err);
}
