/* SPDX-License-Identifier: MIT */
#pragma once

/* Our nftables table as script: what nft is told, and nothing else. Rules decide only about packets
 * that come from or go to our bridge; whatever is said of one machine is an element of a set or map,
 * so that machines come and go without the rules being touched. Pure; any thread. */

#include <stdbool.h>
#include <stddef.h>

struct json;
struct machine_port;
struct net_host;
struct net_link;
struct text;

/* The whole table without any machine in it. Applied again it changes nothing: elements stay. */
void net_rules_table(const struct net_host *host, struct text *script);
/* This machine's address may go out into the world. */
void net_rules_masquerade(const struct net_link *link, struct text *script);
/* Ports of this host that lead to the machine; those at loopback are left out, for rules do not
 * reach them. */
void net_rules_publish(const struct net_link *link, const struct machine_port *ports, size_t count,
    struct text *script);
/* Takes out every element about the address. table: what nft lists of it. */
void net_rules_forget(
    const struct json *table, const char *name, const char *address, struct text *script);
