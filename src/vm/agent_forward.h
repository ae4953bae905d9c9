/* SPDX-License-Identifier: MIT */
#pragma once

/* Ports of this host that lead to ports of the guest, by way of its agent: no network and no rights
 * are needed, and a connection is only kept when the guest takes it. One line into the guest for
 * all of them. Streaming threads. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cancel;
struct error;
struct machine_port;

/* The ports are bound and waiting; *listeners are the caller's to close. TCP only: ERROR_UNSUPPORTED
 * for udp, ERROR_IN_USE for a port that is taken. Host ports that were 0 are filled in. */
bool agent_forward_listen(
    struct machine_port *ports, size_t count, int *listeners, struct error *err);
/* Serves connections until cancel (ERROR_CANCELLED) or the end of the machine (a success). */
bool agent_forward(int vm_dir, const struct machine_port *ports, const int *listeners, size_t count,
    const struct cancel *cancel, struct error *err);
