/* SPDX-License-Identifier: MIT */
#include "vm/net_range.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"

static uint32_t mask_of(unsigned prefix)
{
    return ~UINT32_C(0) << (32 - prefix);
}

static const char *format(uint32_t address, char buffer[NET_ADDRESS_MAX])
{
    struct in_addr raw = {.s_addr = htonl(address)};
    return inet_ntop(AF_INET, &raw, buffer, NET_ADDRESS_MAX);
}

bool net_range_parse(const char *word, struct net_range *range, struct error *err)
{
    auto_free char *copy = memory_strdup(word);
    struct error ignored = {0};
    struct in_addr address;
    uint64_t prefix = 0;
    char *slash = strchr(copy, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
    if (slash == NULL || inet_pton(AF_INET, copy, &address) != 1 ||
        !units_parse_number(slash + 1, "prefix", NET_PREFIX_MAX, &prefix, &ignored) ||
        prefix < NET_PREFIX_MIN) {
        return error_set(err, ERROR_CONFIG,
            "[network] cidr = %s is no IPv4 range with a prefix of %d to %d, such as "
            "" NET_RANGE_DEFAULT,
            word, NET_PREFIX_MIN, NET_PREFIX_MAX);
    }
    range->prefix = (unsigned)prefix;
    range->network = ntohl(address.s_addr) & mask_of(range->prefix);
    return true;
}

const char *net_range_format(const struct net_range *range, char buffer[NET_RANGE_MAX])
{
    char address[NET_ADDRESS_MAX];
    snprintf(buffer, NET_RANGE_MAX, "%s/%u", format(range->network, address), range->prefix);
    return buffer;
}

const char *net_range_gateway(const struct net_range *range, char address[NET_ADDRESS_MAX])
{
    return format(range->network + 1, address);
}

bool net_range_has_guest(const struct net_range *range, const char *address)
{
    struct in_addr raw;
    if (inet_pton(AF_INET, address, &raw) != 1) {
        return false;
    }
    uint32_t number = ntohl(raw.s_addr);
    uint32_t broadcast = range->network | ~mask_of(range->prefix);
    return number > range->network + 1 && number < broadcast;
}

bool net_range_overlaps(const struct net_range *range, uint32_t network, uint32_t mask)
{
    uint32_t common = mask_of(range->prefix) & mask;
    return (range->network & common) == (network & common);
}

static bool is_used(const struct strings *used, const char *address)
{
    for (size_t i = 0; i < used->count; i++) {
        if (strcmp(used->items[i], address) == 0) {
            return true;
        }
    }
    return false;
}

bool net_range_pick(const struct net_range *range, const struct strings *used,
    char address[NET_ADDRESS_MAX], struct error *err)
{
    char candidate[NET_ADDRESS_MAX];
    for (uint32_t at = range->network + 2;; at++) {
        if (!net_range_has_guest(range, format(at, candidate))) {
            char shown[NET_RANGE_MAX];
            return error_set(err, ERROR_IN_USE,
                "all addresses of %s belong to machines: remove one, or give a wider cidr under "
                "[network] in config.ini",
                net_range_format(range, shown));
        }
        if (!is_used(used, candidate)) {
            memcpy(address, candidate, NET_ADDRESS_MAX);
            return true;
        }
    }
}
