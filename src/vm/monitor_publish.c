/* SPDX-License-Identifier: MIT */
/* Published TCP ports: this host's end of them is the monitor's, the guest's end is its agent's, so
 * they need no network and no rights, are the same for every VMM, and stay open while the guest
 * reboots. The monitor is a client of its own relay here, with memory in place of a socket. */
#include "vm/monitor_state.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"

#define TO_GUEST_MAX (256u << 10)

static void free_client(struct monitor_publish *publish)
{
    relay_client_done(&publish->client);
    wire_decoder_done(&publish->decoder);
}

static void init_client(struct monitor_publish *publish)
{
    relay_client_init(&publish->client, &publish->from_guest);
    wire_decoder_init(&publish->decoder, false);
    publish->client.last_id = publish->table.last_id;
}

bool monitor_publish_begin(struct monitor *monitor, struct error *err)
{
    struct monitor_publish *publish = &monitor->publish;
    struct monitor_order *order = &monitor->order;
    publish->table = (struct forward_table){.ports = order->ports,
        .listeners = publish->listeners,
        .out = &publish->to_guest,
        .out_max = TO_GUEST_MAX,
        .connections_max = MONITOR_PUBLISHED_MAX};
    init_client(publish);
    for (size_t i = 0; order->is_forwarding && i < order->port_count; i++) {
        struct error failure = {0};
        bool is_udp = order->ports[i].is_udp;
        publish->listeners[i] = is_udp ? -1 : forward_listen(&order->ports[i], &failure);
        publish->table.count = i + 1;
        if (failure.code == ERROR_NONE) {
            continue;
        }
        if (!order->is_adoption) {
            *err = failure;
            return false;
        }
        /* Of a VMM that an older program started: it forwards by itself. */
        log_write(LOG_WARNING, "%s", failure.text);
    }
    return true;
}

size_t monitor_publish_poll(const struct monitor *monitor, struct pollfd *fds)
{
    return forward_table_poll(&monitor->publish.table, fds);
}

/* True when there was something. */
static bool take_from_guest(struct monitor_publish *publish)
{
    struct wire_buffer *from = &publish->from_guest;
    bool was_any = from->len > 0;
    while (from->len > 0) {
        struct wire_frame frame;
        struct error failure = {0};
        size_t taken = 0;
        enum wire_status status =
            wire_decode(&publish->decoder, wire_buffer_bytes(from), from->len, &taken, &frame);
        if (status == WIRE_FRAME && !forward_table_take(&publish->table, &frame, &failure)) {
            log_write(LOG_WARNING, "published ports: %s", failure.text);
            publish->client.is_lost = true;
        }
        wire_buffer_consume(from, taken);
    }
    return was_any;
}

static bool give_to_guest(struct monitor *monitor)
{
    struct monitor_publish *publish = &monitor->publish;
    struct wire_buffer *to = &publish->to_guest;
    if (to->len == 0) {
        return false;
    }
    if (!relay_feed_client(&monitor->relay, &publish->client, wire_buffer_bytes(to), to->len)) {
        publish->client.is_lost = true;
    }
    wire_buffer_consume(to, to->len);
    return true;
}

void monitor_publish_lose(struct monitor *monitor)
{
    struct monitor_publish *publish = &monitor->publish;
    take_from_guest(publish);
    forward_table_lose(&publish->table);
    relay_drop_client(&monitor->relay, &publish->client);
    free_client(publish);
    wire_buffer_consume(&publish->to_guest, publish->to_guest.len);
    init_client(publish);
}

void monitor_publish_serve(struct monitor *monitor, const struct pollfd *fds, size_t used)
{
    struct monitor_publish *publish = &monitor->publish;
    forward_table_serve(&publish->table, fds, used, monitor->relay.is_ready);
    bool is_busy;
    do {
        is_busy = take_from_guest(publish);
        is_busy = give_to_guest(monitor) || is_busy;
    } while (is_busy);
    if (publish->client.is_lost) {
        monitor_publish_lose(monitor);
    }
    forward_table_sweep(&publish->table);
}

/* Nobody waits for what the agent says to it. */
void monitor_mend_clock(struct monitor *monitor)
{
    struct monitor_publish *publish = &monitor->publish;
    struct wire_writer writer;
    if (host_sleep_look(&monitor->sleep)) {
        log_write(LOG_INFO, "this host slept: the guest's clock is set");
        monitor->is_clock_due = true;
    }
    if (!monitor->is_clock_due || !monitor->relay.is_ready) {
        return;
    }
    monitor->is_clock_due = false;
    wire_begin(
        &writer, &publish->to_guest, WIRE_OPEN, WIRE_KIND_TIME_SET, ++publish->table.last_id);
    wire_add_number(&writer, WIRE_TAG_NUMBER, (uint64_t)clock_wall_ms() * 1000000);
    wire_finish(&writer);
}

void monitor_publish_end(struct monitor *monitor)
{
    struct monitor_publish *publish = &monitor->publish;
    for (size_t i = 0; i < publish->table.count; i++) {
        memory_auto_close(&publish->listeners[i]);
        publish->listeners[i] = -1;
    }
    publish->table.count = 0;
    forward_table_done(&publish->table);
    relay_drop_client(&monitor->relay, &publish->client);
    free_client(publish);
    wire_buffer_done(&publish->to_guest);
    wire_buffer_done(&publish->from_guest);
}
