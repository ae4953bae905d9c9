/* SPDX-License-Identifier: MIT */
#pragma once

/* The two programs that change the network of this host, ip (iproute2) and nft (nftables): whole
 * scripts on their stdin, JSON back. Both speak of the network namespace the caller is in. Workers
 * and the monitor; each call takes some milliseconds. */

#include <stdbool.h>

struct error;
struct json;
struct text;

/* Absolute path of "ip" or "nft", also where an ordinary user's PATH does not lead; NULL when it is
 * not installed. Caller frees. */
char *net_tools_find(const char *program);
/* True when this process may change interfaces and rules (CAP_NET_ADMIN). */
bool net_tools_are_permitted(void);
/* ERROR_PERMISSION or ERROR_UNSUPPORTED with the next step when they cannot be used here. */
bool net_tools_check(struct error *err);

/* Lines of `ip`, in their order, up to the first that fails. */
bool net_tools_ip(const struct text *script, struct error *err);
/* All of it, or none of it. */
bool net_tools_nft(const struct text *script, struct error *err);
/* `ip -json link`: an array of {"ifname","ifalias","master"}. Caller frees; NULL on failure. */
struct json *net_tools_links(struct error *err);
/* Everything in the table inet NAME: the array behind "nftables". Caller frees; NULL without an
 * error when there is no such table, or no permission to look. */
struct json *net_tools_table(const char *name);
/* Chains of all tables, as above. */
struct json *net_tools_chains(void);
