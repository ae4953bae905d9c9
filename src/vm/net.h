/* SPDX-License-Identifier: MIT */
#pragma once

/* The network of a machine as far as the host sees it: QEMU's user networking, which needs no
 * rights, and the ports published through it. Any thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct machine_port;

/* Addresses of QEMU's user network, the same for every machine. */
#define NET_USER_GUEST "10.0.2.15"
#define NET_USER_PREFIX 24
#define NET_USER_GATEWAY "10.0.2.2"
#define NET_USER_DNS "10.0.2.3"

/* [ADDRESS:]HOST:GUEST[/tcp|/udp]; HOST 0 or empty lets us choose a free port at start.
 * ERROR_INVALID. */
bool net_parse_publish(const char *word, struct machine_port *port, struct error *err);
/* Room for the longest text: "255.255.255.255:65535:65535/udp". */
#define NET_PUBLISH_MAX 80
const char *net_format_publish(const struct machine_port *port, char buffer[NET_PUBLISH_MAX]);
/* True when both cannot be published at the same time: 0.0.0.0 takes the port of every address. */
bool net_ports_clash(const struct machine_port *a, const struct machine_port *b);
/* Binds each host port once and lets go again, so that a clash is told before anything starts;
 * fills in host ports that are 0. ERROR_IN_USE, ERROR_PERMISSION or ERROR_INVALID (an address that
 * is not this host's) with the port. */
bool net_check_ports(struct machine_port *ports, size_t count, struct error *err);
