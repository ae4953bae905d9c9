/* SPDX-License-Identifier: MIT */
#pragma once

/* What the engine tells a new monitor, and what the monitor answers, each a line of JSON over the
 * socket pair that is the monitor's descriptor 0. The order comes first; the answers are
 *     {"monitor": {"pid", "start_time"}}        it lives in a session of its own
 *     {"recorded": {handle}}                    handle.json is durable; the VMM may exec now
 *     {"running": {handle}}                     the VMM answered; the last one
 *     {"error": {"code", "message"}}            nothing is left running; the last one
 * The engine that hangs up before the last answer wants it all taken down again. An adoption has only
 * the first, and then "running" or "error"; the VMM is left alone in any case. */

#include "vm/machine.h"
#include "vm/vmm.h"

struct error;
struct json;
struct text;

#define MONITOR_ORDER_MAX (1024u * 1024u)
#define MONITOR_ANSWER_MAX (64u * 1024u)

struct monitor_order {
    char *name;
    char uuid[MACHINE_UUID_LEN + 1];
    bool is_adoption; /* the VMM runs already and its monitor died: no command line then */
    struct vmm_plan plan;
    uint64_t console_log_bytes;
    uint64_t start_timeout_ms; /* for the VMM to answer */
    enum machine_restart restart;
    bool is_forwarding; /* the monitor serves the TCP ports; an older engine had the VMM do it */
    struct net_link net;
    size_t port_count;
    struct machine_port ports[MACHINE_PORT_MAX];
};

/* In the machine's directory while it runs: what a monitor that takes over can start it again by. Not
 * durable, as it is of no use after the host went down. */
#define MONITOR_ORDER_FILE "order.json"

void monitor_order_done(struct monitor_order *order);
struct json *monitor_order_to_json(const struct monitor_order *order);
bool monitor_order_from_json(
    const struct json *json, struct monitor_order *order, struct error *err);

/* Puts it there; and what is there: false when there is none, or none of that machine; with *err when
 * the host keeps us from knowing. */
void monitor_order_keep(int vm_dir, const struct monitor_order *order);
bool monitor_order_find(
    int vm_dir, const char *uuid, struct monitor_order *order, struct error *err);

/* {"error": …} of an error, and back: sets *err. */
struct json *monitor_error_to_json(const struct error *failure);
void monitor_error_from_json(const struct json *error_object, struct error *err);
