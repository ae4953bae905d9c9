/* SPDX-License-Identifier: MIT */
/* vm forward, proxy, ports: the guest's TCP ports, through its agent. */
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "engine/command.h"
#include "engine/machine/ops_vm.h"
#include "engine/machine/ops_vm_guest.h"
#include "engine/ops.h"
#include "vm/agent_client.h"
#include "vm/agent_forward.h"
#include "vm/net.h"
#include "vm/stream_fd.h"

#include <string.h>

struct forwards {
    struct machine_port ports[MACHINE_PORT_MAX];
    int listeners[MACHINE_PORT_MAX];
    size_t count;
};

static bool parse_ports(const struct command *command, struct forwards *forwards, struct error *err)
{
    const struct strings *words = command_all(command, "port");
    forwards->count = words->count;
    if (words->count > MACHINE_PORT_MAX) {
        return error_set(err, ERROR_INVALID, "at most %d ports at once", MACHINE_PORT_MAX);
    }
    for (size_t i = 0; i < words->count; i++) {
        if (!net_parse_publish(words->items[i], &forwards->ports[i], err)) {
            return false;
        }
    }
    return true;
}

bool ops_vm_forward_check(const struct command *command, struct error *err)
{
    struct forwards forwards;
    return parse_ports(command, &forwards, err);
}

/* Who started us may connect from now on. */
static bool tell_ports(
    struct ops *ops, const struct forwards *forwards, int out_fd, struct error *err)
{
    auto_done(text) struct text lines = {0};
    for (size_t i = 0; i < forwards->count; i++) {
        const struct machine_port *port = &forwards->ports[i];
        text_printf(&lines, "%s:%u:%u\n", port->host_address, port->host_port, port->guest_port);
    }
    bool is_closed = false;
    return out_fd < 0 ||
           stream_write_all(out_fd, text_cstr(&lines), lines.len, ops->cancel, &is_closed, err);
}

static struct json *done_result(void)
{
    struct json *json = json_new_object();
    json_put_integer(json, "exit_status", 0);
    return json;
}

bool ops_vm_forward(struct ops *ops, struct json **result, struct error *err)
{
    const char *name = command_get(ops->command, "name");
    auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
    auto_close int out_fd = command_take_fd(ops->command, COMMAND_STDOUT);
    struct forwards forwards;
    if (!parse_ports(ops->command, &forwards, err) || !ops_vm_reach(ops, name, &hand, err) ||
        !agent_forward_listen(forwards.ports, forwards.count, forwards.listeners, err)) {
        return false;
    }
    bool is_done = tell_ports(ops, &forwards, out_fd, err) &&
                   agent_forward(hand.dir, forwards.ports, forwards.listeners, forwards.count,
                       ops->cancel, err);
    for (size_t i = 0; i < forwards.count; i++) {
        memory_auto_close(&forwards.listeners[i]);
    }
    *result = is_done ? done_result() : NULL;
    return is_done || error_wrap(err, "VM %s", name);
}

bool ops_vm_proxy(struct ops *ops, struct json **result, struct error *err)
{
    const char *name = command_get(ops->command, "name");
    auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
    auto_close int in_fd = command_take_fd(ops->command, COMMAND_STDIN);
    auto_close int out_fd = command_take_fd(ops->command, COMMAND_STDOUT);
    if (!ops_vm_reach(ops, name, &hand, err) ||
        !agent_tcp(hand.dir, (uint16_t)command_number(ops->command, "port"), in_fd, out_fd,
            ops->cancel, err)) {
        return error_wrap(err, "VM %s", name);
    }
    *result = done_result();
    return true;
}

/* ---- ports ---------------------------------------------------------------------------------- */

static void put_published(
    struct json *row, const struct machine_handle *handle, uint64_t port, bool is_udp)
{
    for (size_t i = 0; i < handle->port_count; i++) {
        const struct machine_port *published = &handle->ports[i];
        if (published->guest_port == port && published->is_udp == is_udp) {
            auto_free char *place =
                memory_printf("%s:%u", published->host_address, published->host_port);
            json_put_string(row, "published", place);
            return;
        }
    }
}

/* "tcp=0.0.0.0 22 sshd", the guest's word. NULL when it is something else. */
static struct json *port_row(const char *fact, const struct machine_handle *handle)
{
    auto_free char *copy = memory_strdup(fact);
    char *address = strchr(copy, '=');
    char *port = address == NULL ? NULL : strchr(address, ' ');
    struct error ignored = {0};
    uint64_t number = 0;
    if (port == NULL) {
        return NULL;
    }
    *address++ = '\0';
    *port++ = '\0';
    char *process = strchr(port, ' ');
    if (process != NULL) {
        *process++ = '\0';
    }
    bool is_udp = strcmp(copy, "udp") == 0;
    if ((!is_udp && strcmp(copy, "tcp") != 0) ||
        !units_parse_number(port, "port", UINT16_MAX, &number, &ignored)) {
        return NULL;
    }
    struct json *row = json_new_object();
    json_put_string(row, "protocol", copy);
    json_put_string(row, "address", address);
    json_put_integer(row, "port", (int64_t)number);
    if (process != NULL) {
        json_put_string(row, "process", process);
    }
    put_published(row, handle, number, is_udp);
    return row;
}

bool ops_vm_ports(struct ops *ops, struct json **result, struct error *err)
{
    const char *name = command_get(ops->command, "name");
    auto_done(vm_hand) struct vm_hand hand = VM_HAND_INIT;
    auto_done(strings) struct strings facts = {0};
    if (!ops_vm_reach(ops, name, &hand, err) ||
        !agent_ports(hand.dir, command_timeout_ms(ops->command), ops->cancel, &facts, err)) {
        return error_wrap(err, "VM %s", name);
    }
    *result = json_new_array();
    for (size_t i = 0; i < facts.count; i++) {
        struct json *row = port_row(facts.items[i], &hand.facts.handle);
        if (row != NULL) {
            json_append(*result, row);
        }
    }
    return true;
}
