/* SPDX-License-Identifier: MIT */
#pragma once

/* The network of a machine as far as the host sees it: its mode, what it has on this host, and the
 * ports published for it. Any thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct json;
struct machine_port;
struct machine_spec;

enum net_mode {
    NET_USER,      /* the VMM's own user networking, or what stands in for it: needs no rights */
    NET_BRIDGE,    /* a tap on our bridge: machines and this host see each other */
    NET_NAT,       /* the same, and out into the world with this host's address */
    NET_NAMESPACE, /* as user, in a network namespace of the VMM's own */
    NET_NONE,
};
const char *net_mode_name(enum net_mode mode);
/* ERROR_INVALID. */
bool net_mode_parse(const char *word, enum net_mode *mode, struct error *err);
/* True when it has a tap and an address of its own on our bridge. */
bool net_mode_is_bridged(enum net_mode mode);

#define NET_NAME_MAX 16 /* IFNAMSIZ */
#define NET_MARK_LEN 8

/* What a running machine has on this host, as recorded in its handle. Plain data; the texts are
 * empty in modes that have none of it. */
struct net_link {
    enum net_mode mode;
    char mark[NET_MARK_LEN + 1];
    char bridge[NET_NAME_MAX];
    char tap[NET_NAME_MAX];
    char address[16];
};
/* NULL in mode user: nothing is to be recorded. Caller frees. */
struct json *net_link_to_json(const struct net_link *link);
/* NULL is mode user. ERROR_FORMAT. */
bool net_link_from_json(const struct json *json, struct net_link *link, struct error *err);

/* Keys "net" and "address" of vm.json. */
void net_spec_to_json(const struct machine_spec *spec, struct json *json);
bool net_spec_from_json(
    const struct json *json, const char *what, struct machine_spec *spec, struct error *err);

/* Addresses of QEMU's user network, the same for every machine. */
#define NET_USER_GUEST "10.0.2.15"
#define NET_USER_GATEWAY "10.0.2.2"

/* [ADDRESS:]HOST:GUEST[/tcp|/udp]; HOST 0 or empty lets us choose a free port at start.
 * ERROR_INVALID. */
bool net_parse_publish(const char *word, struct machine_port *port, struct error *err);
/* Room for the longest text: "255.255.255.255:65535:65535/udp". */
#define NET_PUBLISH_MAX 80
const char *net_format_publish(const struct machine_port *port, char buffer[NET_PUBLISH_MAX]);
/* True when both cannot be published at the same time: 0.0.0.0 takes the port of every address. */
bool net_ports_clash(const struct machine_port *a, const struct machine_port *b);
/* UDP has no stream of the agent's: it needs user networking of the VMM's own, or mode nat at an
 * address that rules reach. ERROR_INVALID. */
bool net_check_udp(const struct machine_spec *spec, struct error *err);
/* Binds each host port once and lets go again, so that a clash is told before anything starts;
 * fills in host ports that are 0. ERROR_IN_USE, ERROR_PERMISSION or ERROR_INVALID (an address that
 * is not this host's) with the port. */
bool net_check_ports(struct machine_port *ports, size_t count, struct error *err);
