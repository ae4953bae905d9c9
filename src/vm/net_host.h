/* SPDX-License-Identifier: MIT */
#pragma once

/* What machines in the modes "bridge" and "nat" have on this host: one bridge, one nftables table,
 * and a tap device each. Everything carries the mark of its state directory, in its name or in its
 * alias, and nothing without that mark is ever changed: an interface of that name that is not ours
 * is an error, foreign tables are not even read.
 *
 *     tap     bt-<8 digits of the machine's uuid>   alias banger:<mark>:<address>
 *     bridge  [network] bridge, else bb-<mark>      alias banger:<mark>
 *     table   inet banger_<mark>
 *
 * The name of a tap follows from the machine's record, which is there before the tap is. Calls that
 * make things, and net_host_tidy, are made under the lock of the network (store/lock.h); taking one
 * machine's things away needs no lock and may be repeated. Workers and the monitor. */

#include "base/text.h"
#include "vm/net.h"
#include "vm/net_range.h"

#include <stdbool.h>
#include <stddef.h>

struct error;

struct net_host {
    char mark[NET_MARK_LEN + 1];
    char bridge[NET_NAME_MAX];
    struct net_range range;
    bool may_forward; /* [network] forward: IP forwarding may be turned on */
};

/* The tap's name for a machine. */
void net_host_name_tap(const char *uuid, char tap[NET_NAME_MAX]);

/* Bridge, table, tap and, in mode nat, masquerading of this one address; what is there already stays
 * as it is. After a failure nothing of the machine's is left. ERROR_PERMISSION, ERROR_UNSUPPORTED,
 * ERROR_CONFIG (the range or the bridge's name is somebody else's), ERROR_IO. */
bool net_host_up(const struct net_host *host, const struct net_link *link, struct error *err);
/* In mode nat, host ports at other addresses than loopback lead to the guest without a detour. */
bool net_host_publish(
    const struct net_link *link, const struct machine_port *ports, size_t count, struct error *err);
/* Takes away the tap and every rule about its address. Success when there is none. */
bool net_host_down(const struct net_link *link, struct error *err);
/* Takes away bridge and table when no machine's tap is left. */
bool net_host_tidy(const char *mark, struct error *err);
/* At the end of a machine, by whoever sees it: its own things, and behind the lock of the network
 * those that the last one leaves. vm_dir: where the lock is found from; one that was taken out of its
 * state directory leaves the rest to host gc. */
bool net_host_end(int vm_dir, const struct net_link *link, struct error *err);

/* What there is with this mark. */
struct net_found {
    struct strings taps;
    struct strings addresses; /* of each tap, "" where its alias was changed */
    struct strings bridges;
    bool has_table;
};
void net_found_done(struct net_found *found);
/* Needs no rights; without them tables are not seen. */
bool net_host_find(const char *mark, struct net_found *found, struct error *err);
/* Name of the table; for messages. */
#define NET_TABLE_MAX 32
const char *net_host_table(const char *mark, char buffer[NET_TABLE_MAX]);

/* The sysctl net.ipv4.ip_forward. */
bool net_host_forwards(void);
/* A chain of somebody else's that drops what is forwarded by policy, as "ip filter FORWARD"; NULL:
 * none, or not to be seen. Caller frees. */
char *net_host_foreign_drop(void);
