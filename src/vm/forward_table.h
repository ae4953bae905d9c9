/* SPDX-License-Identifier: MIT */
#pragma once

/* Connections to ports of this host, each of them a TCP stream of the guest's agent (base/wire.h):
 * what `vm forward` and the monitor's published ports share. It accepts, and moves bytes between
 * sockets and frames; who carries the frames, and polls, is its owner: agent_forward.c over a
 * connection to the monitor, monitor_publish.c inside of it. One owner; nothing blocks.
 *
 * A client that the guest has no room or no listener for is reset, not left with an empty answer. */

#include "base/wire.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct machine_port;

#define FORWARD_CONNECTIONS_MAX 128u /* what the guest's agent can serve beside other things */

struct forward_connection;

struct forward_table {
    const struct machine_port *ports;
    const int *listeners; /* of the ports; -1: none. The owner's, with room for MACHINE_PORT_MAX. */
    size_t count;
    struct wire_buffer *out; /* frames for the guest */
    size_t out_max;          /* beyond, clients wait */
    size_t connections_max;
    uint32_t last_id;
    struct forward_connection *connections[FORWARD_CONNECTIONS_MAX];
    size_t connection_count;
};

/* All connections end; the listeners stay the owner's. */
void forward_table_done(struct forward_table *table);
/* The way into the guest was lost: clients that have not got everything are reset. */
void forward_table_lose(struct forward_table *table);
/* Most slots there can be. */
size_t forward_table_slots_max(const struct forward_table *table);
/* Fills one slot for each listener and connection; returns how many. */
size_t forward_table_poll(const struct forward_table *table, struct pollfd *fds);
/* True when a client waits to be accepted. */
bool forward_table_is_called(const struct forward_table *table, const struct pollfd *fds);
/* Serves what poll(2) told about those slots. Without a way into the guest, clients are reset. */
void forward_table_serve(
    struct forward_table *table, const struct pollfd *fds, size_t used, bool is_reachable);
/* A frame from the guest. False: it broke the rules. */
bool forward_table_take(
    struct forward_table *table, const struct wire_frame *frame, struct error *err);
/* Frees what has ended. */
void forward_table_sweep(struct forward_table *table);

/* Binds and listens; a host port that was 0 is filled in. -1: ERROR_IN_USE for one that is taken. */
int forward_listen(struct machine_port *port, struct error *err);
