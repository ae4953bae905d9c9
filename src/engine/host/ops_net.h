/* SPDX-License-Identifier: MIT */
#pragma once

/* The networks of machines: which mode and address each has ([network] of config.ini, --net,
 * --address), and what that needs on this host. Records come first: an address is in a durable
 * vm.json before anything is made with it. Workers only. */

#include <stdbool.h>

struct error;
struct json;
struct lock;
struct machine_handle;
struct machine_spec;
struct net_host;
struct net_link;
struct ops;
struct text;
struct vm_hand;

/* ops_net.c. The bridge and range of this state directory. ERROR_CONFIG. */
bool ops_net_settings(struct ops *ops, struct net_host *host, struct error *err);
/* --net and --address of the command over what the machine has; without either nothing changes.
 * address "auto" takes a free one anew. ERROR_INVALID. */
bool ops_net_choose(struct ops *ops, struct machine_spec *spec, bool is_new, struct error *err);
/* Gives a machine on the bridge an address that no other record has, or makes sure of the one it
 * has (ERROR_IN_USE). *lock (NULL before) is the caller's to hold until the record is written. */
bool ops_net_assign(
    struct ops *ops, struct machine_spec *spec, struct lock **lock, struct error *err);
/* Facts for the guest: address, gateway, dns. */
bool ops_net_facts(
    struct ops *ops, const struct machine_spec *spec, struct text *facts, struct error *err);
/* Keys net, address, gateway and, while it runs, bridge and tap. */
void ops_net_put(struct ops *ops, struct json *json, const struct vm_hand *hand);

/* ops_net_host.c. Makes what the machine needs, just before it starts; *link is what was made. */
bool ops_net_up(
    struct ops *ops, const struct machine_spec *spec, struct net_link *link, struct error *err);
/* It runs: host ports that were chosen lead to it. */
void ops_net_publish(struct ops *ops, const struct vm_hand *hand);
/* It does not run any more, or was never started: nothing of it stays, and with the last machine
 * bridge and table go. What fails is told in the log and found by host gc. */
void ops_net_down(struct ops *ops, const struct vm_hand *hand);
/* What no machine that runs owns: taken away (done), or only planned. */
bool ops_net_gc(struct ops *ops, struct json *done, struct json *plan, struct error *err);
/* ops_net_doctor.c: rows of host doctor. */
void ops_net_doctor(struct ops *ops, struct json *rows);
