/* SPDX-License-Identifier: MIT */
#pragma once

/* The IPv4 range that machines on the bridge have their addresses from ([network] cidr). The first
 * address is the bridge's own and their gateway. Pure; any thread. */

#include <stdbool.h>
#include <stdint.h>

struct error;
struct strings;

#define NET_ADDRESS_MAX 16 /* "255.255.255.255" */
#define NET_PREFIX_MIN 16
#define NET_PREFIX_MAX 30
#define NET_RANGE_DEFAULT "172.16.0.0/24"

struct net_range {
    uint32_t network; /* host order */
    unsigned prefix;
};

/* "172.16.0.0/24"; bits of a host in it are ignored. ERROR_CONFIG. */
bool net_range_parse(const char *word, struct net_range *range, struct error *err);
/* "172.16.0.0/24" */
#define NET_RANGE_MAX 20
const char *net_range_format(const struct net_range *range, char buffer[NET_RANGE_MAX]);
/* The bridge's own. */
const char *net_range_gateway(const struct net_range *range, char address[NET_ADDRESS_MAX]);
/* True for an address that a machine may have. */
bool net_range_has_guest(const struct net_range *range, const char *address);
/* True when they share addresses. */
bool net_range_overlaps(const struct net_range *range, uint32_t network, uint32_t mask);
/* The lowest address for a machine that is not among `used`. ERROR_IN_USE when all are. */
bool net_range_pick(const struct net_range *range, const struct strings *used,
    char address[NET_ADDRESS_MAX], struct error *err);
