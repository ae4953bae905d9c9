/* SPDX-License-Identifier: MIT */
#include "vm/net_rules.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "vm/machine.h"
#include "vm/net_host.h"

#define ANY_ADDRESS "0.0.0.0"
#define LOOPBACK "127."

static void put_sets(struct text *script)
{
    static const char *const protocols[] = {"tcp", "udp"};
    text_append(script, "set nat_guests { type ipv4_addr; }\n");
    for (size_t i = 0; i < array_length(protocols); i++) {
        text_printf(
            script, "map %s_any { type inet_service : ipv4_addr . inet_service; }\n", protocols[i]);
        text_printf(script,
            "map %s_at { type ipv4_addr . inet_service : ipv4_addr . inet_service; }\n",
            protocols[i]);
    }
}

static void put_forward(const char *bridge, struct text *script)
{
    text_append(
        script, "chain forward {\ntype filter hook forward priority filter; policy accept;\n");
    /* Where bridged packets pass here as well (br_netfilter). */
    text_printf(script, "iifname \"%s\" oifname \"%s\" accept\n", bridge, bridge);
    text_printf(script, "iifname \"%s\" ip saddr @nat_guests accept\n", bridge);
    text_printf(script, "oifname \"%s\" ct state established,related accept\n", bridge);
    text_printf(script, "oifname \"%s\" ct status dnat accept\n", bridge);
    text_printf(script, "iifname \"%s\" drop\noifname \"%s\" drop\n}\n", bridge, bridge);
}

void net_rules_table(const struct net_host *host, struct text *script)
{
    char name[NET_TABLE_MAX], range[NET_RANGE_MAX];
    net_host_table(host->mark, name);
    /* Rules are flushed and made again in the same transaction; sets keep their elements. */
    text_printf(
        script, "table inet %s {\n}\nflush table inet %s\ntable inet %s {\n", name, name, name);
    put_sets(script);
    text_append(script,
        "chain prerouting {\ntype nat hook prerouting priority dstnat; policy accept;\n"
        "fib daddr type local dnat ip to ip daddr . tcp dport map @tcp_at\n"
        "fib daddr type local dnat ip to ip daddr . udp dport map @udp_at\n"
        "fib daddr type local dnat ip to tcp dport map @tcp_any\n"
        "fib daddr type local dnat ip to udp dport map @udp_any\n}\n");
    text_append(
        script, "chain postrouting {\ntype nat hook postrouting priority srcnat; policy accept;\n");
    text_printf(script, "ip saddr @nat_guests oifname != \"%s\" masquerade\n", host->bridge);
    /* A machine that reaches another one by this host's address is answered the same way. */
    text_printf(script, "oifname \"%s\" ip saddr %s ct status dnat masquerade\n}\n", host->bridge,
        net_range_format(&host->range, range));
    put_forward(host->bridge, script);
    text_append(script, "}\n");
}

void net_rules_masquerade(const struct net_link *link, struct text *script)
{
    char name[NET_TABLE_MAX];
    text_printf(script, "add element inet %s nat_guests { %s }\n", net_host_table(link->mark, name),
        link->address);
}

void net_rules_publish(const struct net_link *link, const struct machine_port *ports, size_t count,
    struct text *script)
{
    char name[NET_TABLE_MAX];
    net_host_table(link->mark, name);
    for (size_t i = 0; i < count; i++) {
        const struct machine_port *port = &ports[i];
        bool is_any = strcmp(port->host_address, ANY_ADDRESS) == 0;
        if (text_has_prefix(port->host_address, LOOPBACK)) {
            continue;
        }
        text_printf(script, "add element inet %s %s_%s { %s%s%u : %s . %u }\n", name,
            port->is_udp ? "udp" : "tcp", is_any ? "any" : "at", is_any ? "" : port->host_address,
            is_any ? "" : " . ", port->host_port, link->address, port->guest_port);
    }
}

/* The words of an element's key, as nft takes them again: "8080", "10.0.0.1 . 8080". */
static void put_key(const struct json *key, struct text *script)
{
    const struct json *parts = json_is_object(key) ? json_get(key, "concat") : NULL;
    const struct json *part = parts != NULL ? json_first(parts) : key;
    for (bool is_first = true; part != NULL; is_first = false) {
        const char *word = json_string_value(part);
        text_append(script, is_first ? "" : " . ");
        if (word != NULL) {
            text_append(script, word);
        } else {
            text_printf(script, "%lld", (long long)json_integer_value(part, 0));
        }
        part = parts != NULL ? json_next(part) : NULL;
    }
}

/* "10.0.0.1", or {"concat": ["10.0.0.1", 80]}. */
static bool begins_with(const struct json *value, const char *address)
{
    const struct json *parts =
        value != NULL && json_is_object(value) ? json_get(value, "concat") : NULL;
    const struct json *first = parts != NULL ? json_first(parts) : value;
    const char *word = first != NULL ? json_string_value(first) : NULL;
    return word != NULL && strcmp(word, address) == 0;
}

static void forget_in(
    const struct json *set, bool is_map, const char *name, const char *address, struct text *script)
{
    const struct json *elements = json_get(set, "elem");
    const struct json *element = elements != NULL ? json_first(elements) : NULL;
    for (; element != NULL; element = json_next(element)) {
        const struct json *key = is_map ? json_at(element, 0) : element;
        if (begins_with(is_map ? json_at(element, 1) : key, address)) {
            text_printf(script, "delete element inet %s %s { ", name, json_string(set, "name", ""));
            put_key(key, script);
            text_append(script, " }\n");
        }
    }
}

void net_rules_forget(
    const struct json *table, const char *name, const char *address, struct text *script)
{
    for (const struct json *row = json_first(table); row != NULL; row = json_next(row)) {
        const struct json *set = json_get(row, "set");
        const struct json *map = json_get(row, "map");
        if (set != NULL || map != NULL) {
            forget_in(set != NULL ? set : map, map != NULL, name, address, script);
        }
    }
}
