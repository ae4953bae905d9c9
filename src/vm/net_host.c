/* SPDX-License-Identifier: MIT */
#include "vm/net_host.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "vm/machine.h"
#include "vm/net_rules.h"
#include "vm/net_tools.h"

#define TAP_PREFIX "bt-"
/* As lock_take_network has it, from the directory of a machine. */
#define LOCK_FILE "../../locks/network"
#define LOCK_TIMEOUT_MS 10000
#define LOCK_RETRY_MS 10
#define FORWARD_FILE "/proc/sys/net/ipv4/ip_forward"

const char *net_host_table(const char *mark, char buffer[NET_TABLE_MAX])
{
    snprintf(buffer, NET_TABLE_MAX, "banger_%s", mark);
    return buffer;
}

void net_host_name_tap(const char *uuid, char tap[NET_NAME_MAX])
{
    snprintf(tap, NET_NAME_MAX, TAP_PREFIX "%.8s", uuid);
}

/* ---- what is there ----------------------------------------------------------------------------- */

void net_found_done(struct net_found *found)
{
    strings_done(&found->taps);
    strings_done(&found->addresses);
    strings_done(&found->bridges);
}

/* What is behind our mark in an alias; NULL: not ours. */
static const char *behind_mark(const char *alias, const char *mark)
{
    char ours[32];
    snprintf(ours, sizeof(ours), "banger:%s", mark);
    size_t len = strlen(ours);
    bool is_ours = strncmp(alias, ours, len) == 0 && (alias[len] == '\0' || alias[len] == ':');
    return is_ours ? alias + len : NULL;
}

bool net_host_find(const char *mark, struct net_found *found, struct error *err)
{
    char table[NET_TABLE_MAX];
    auto_json struct json *links = net_tools_links(err);
    if (links == NULL) {
        return false;
    }
    for (const struct json *link = json_first(links); link != NULL; link = json_next(link)) {
        const char *name = json_string(link, "ifname", "");
        const char *rest = behind_mark(json_string(link, "ifalias", ""), mark);
        if (rest == NULL) {
            continue;
        }
        if (strncmp(name, TAP_PREFIX, strlen(TAP_PREFIX)) == 0) {
            strings_add(&found->taps, name);
            strings_add(&found->addresses, rest[0] == ':' ? rest + 1 : rest);
        } else {
            strings_add(&found->bridges, name);
        }
    }
    auto_json struct json *rules = net_tools_table(net_host_table(mark, table));
    found->has_table = rules != NULL;
    return true;
}

static bool has(const struct strings *list, const char *word)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], word) == 0) {
            return true;
        }
    }
    return false;
}

bool net_host_forwards(void)
{
    auto_done(text) struct text content = {0};
    struct error ignored = {0};
    return file_read_all(AT_FDCWD, FORWARD_FILE, 16, &content, &ignored) &&
           text_cstr(&content)[0] == '1';
}

char *net_host_foreign_drop(void)
{
    auto_json struct json *list = net_tools_chains();
    const struct json *row = list != NULL ? json_first(list) : NULL;
    for (; row != NULL; row = json_next(row)) {
        const struct json *chain = json_get(row, "chain");
        if (chain != NULL && strcmp(json_string(chain, "hook", ""), "forward") == 0 &&
            strcmp(json_string(chain, "policy", ""), "drop") == 0) {
            return memory_printf("%s %s %s", json_string(chain, "family", ""),
                json_string(chain, "table", ""), json_string(chain, "name", ""));
        }
    }
    return NULL;
}

/* ---- made ------------------------------------------------------------------------------------- */

/* Two interfaces with one range would take each other's packets. */
static bool check_range(const struct net_host *host, struct error *err)
{
    struct ifaddrs *list = NULL;
    bool is_free = true;
    if (getifaddrs(&list) != 0) {
        return true; /* the kernel will say it */
    }
    for (const struct ifaddrs *one = list; one != NULL && is_free; one = one->ifa_next) {
        if (one->ifa_addr == NULL || one->ifa_netmask == NULL ||
            one->ifa_addr->sa_family != AF_INET || strcmp(one->ifa_name, host->bridge) == 0) {
            continue;
        }
        struct sockaddr_in address, mask;
        char shown[NET_ADDRESS_MAX], range[NET_RANGE_MAX];
        memcpy(&address, one->ifa_addr, sizeof(address));
        memcpy(&mask, one->ifa_netmask, sizeof(mask));
        if (net_range_overlaps(
                &host->range, ntohl(address.sin_addr.s_addr), ntohl(mask.sin_addr.s_addr))) {
            inet_ntop(AF_INET, &address.sin_addr, shown, sizeof(shown));
            is_free = error_set(err, ERROR_CONFIG,
                "the range %s of the machines' bridge is that of %s (%s) as well: give another "
                "cidr under [network] in config.ini",
                net_range_format(&host->range, range), one->ifa_name, shown);
        }
    }
    freeifaddrs(list);
    return is_free;
}

/* A hardware address that does not change with the taps: guests remember it. */
static void script_bridge(const struct net_host *host, struct text *ip)
{
    unsigned number = 0;
    char gateway[NET_ADDRESS_MAX];
    sscanf(host->mark, "%8x", &number);
    text_printf(ip,
        "link add name %s address 02:62:%02x:%02x:%02x:%02x type bridge stp_state 0 "
        "forward_delay 0\n",
        host->bridge, number >> 24, number >> 16 & 255, number >> 8 & 255, number & 255);
    text_printf(ip, "link set dev %s alias banger:%s\n", host->bridge, host->mark);
    text_printf(ip, "addr add %s/%u dev %s\n", net_range_gateway(&host->range, gateway),
        host->range.prefix, host->bridge);
    text_printf(ip, "link set dev %s up\n", host->bridge);
}

static void script_tap(const struct net_link *link, struct text *ip)
{
    text_printf(ip, "tuntap add dev %s mode tap user %u\n", link->tap, (unsigned)geteuid());
    text_printf(ip, "link set dev %s alias banger:%s:%s\n", link->tap, link->mark, link->address);
    text_printf(ip, "link set dev %s master %s\n", link->tap, link->bridge);
    text_printf(ip, "link set dev %s up\n", link->tap);
}

/* True when the interface has that address. */
static bool has_address(const char *name, const char *address)
{
    struct ifaddrs *list = NULL;
    bool is_there = false;
    if (getifaddrs(&list) != 0) {
        return false;
    }
    for (const struct ifaddrs *one = list; one != NULL && !is_there; one = one->ifa_next) {
        struct sockaddr_in raw;
        char shown[NET_ADDRESS_MAX];
        if (one->ifa_addr != NULL && one->ifa_addr->sa_family == AF_INET &&
            strcmp(one->ifa_name, name) == 0) {
            memcpy(&raw, one->ifa_addr, sizeof(raw));
            inet_ntop(AF_INET, &raw.sin_addr, shown, sizeof(shown));
            is_there = strcmp(shown, address) == 0;
        }
    }
    freeifaddrs(list);
    return is_there;
}

/* Machines that run have the bridge and the gateway of their start: others would cut them off. */
static bool check_settings(
    const struct net_host *host, const struct net_found *found, struct error *err)
{
    char gateway[NET_ADDRESS_MAX];
    net_range_gateway(&host->range, gateway);
    bool is_same = found->taps.count == 0 ||
                   (has(&found->bridges, host->bridge) && has_address(host->bridge, gateway));
    return is_same ||
           error_set(err, ERROR_CONFIG,
               "machines that run have another bridge than %s with %s: stop them before bridge or "
               "cidr under [network] changes",
               host->bridge, gateway);
}

/* The bridge of that name is ours, or there is none yet. */
static bool check_bridge(
    const struct net_host *host, const struct net_found *found, bool *is_there, struct error *err)
{
    *is_there = has(&found->bridges, host->bridge);
    if (!*is_there && if_nametoindex(host->bridge) != 0) {
        return error_set(err, ERROR_CONFIG,
            "the interface %s is not ours and is left alone: give another bridge under [network] "
            "in config.ini",
            host->bridge);
    }
    return true;
}

/* Without it a packet of a guest goes nowhere. Turned on only where the operator allows it, and then
 * left on: others may rely on it by the time the machine ends. */
static bool ensure_forwarding(const struct net_host *host, struct error *err)
{
    if (net_host_forwards()) {
        return true;
    }
    if (!host->may_forward) {
        return error_set(err, ERROR_UNSUPPORTED,
            "IP forwarding is off on this host, and --net nat needs it: sysctl -w "
            "net.ipv4.ip_forward=1, or allow it with forward = yes under [network] in config.ini");
    }
    auto_close int fd = open(FORWARD_FILE, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && file_write_all(fd, "1\n", 2, err) ? true
           : err->code != ERROR_NONE
               ? false
               : error_set(err, ERROR_PERMISSION,
                     "IP forwarding cannot be turned on here: sysctl -w net.ipv4.ip_forward=1");
}

static bool make(const struct net_host *host, const struct net_link *link, struct error *err)
{
    auto_done(net_found) struct net_found found = {0};
    auto_done(text) struct text ip = {0};
    auto_done(text) struct text nft = {0};
    bool has_bridge = false;
    if (!net_host_find(host->mark, &found, err) || !check_settings(host, &found, err)) {
        return false;
    }
    /* One without a machine may have been made for other settings. */
    if (found.taps.count == 0 && found.bridges.count > 0) {
        net_found_done(&found);
        found = (struct net_found){0};
        if (!net_host_tidy(host->mark, err) || !net_host_find(host->mark, &found, err)) {
            return false;
        }
    }
    if (!check_bridge(host, &found, &has_bridge, err)) {
        return false;
    }
    if (!has_bridge) {
        if (!check_range(host, err)) {
            return false;
        }
        script_bridge(host, &ip);
    }
    if (!has(&found.taps, link->tap)) {
        script_tap(link, &ip);
    }
    net_rules_table(host, &nft);
    if (link->mode == NET_NAT) {
        net_rules_masquerade(link, &nft);
    }
    return (ip.len == 0 || net_tools_ip(&ip, err)) && net_tools_nft(&nft, err);
}

bool net_host_up(const struct net_host *host, const struct net_link *link, struct error *err)
{
    if (!net_tools_check(err) || (link->mode == NET_NAT && !ensure_forwarding(host, err))) {
        return false;
    }
    if (!make(host, link, err)) {
        struct error ignored = {0};
        net_host_down(link, &ignored);
        return false;
    }
    return true;
}

bool net_host_publish(
    const struct net_link *link, const struct machine_port *ports, size_t count, struct error *err)
{
    auto_done(text) struct text script = {0};
    if (link->mode == NET_NAT) {
        net_rules_publish(link, ports, count, &script);
    }
    return script.len == 0 || net_tools_nft(&script, err);
}

/* ---- taken away ------------------------------------------------------------------------------- */

bool net_host_down(const struct net_link *link, struct error *err)
{
    char name[NET_TABLE_MAX];
    auto_done(net_found) struct net_found found = {0};
    auto_done(text) struct text script = {0};
    if (!net_host_find(link->mark, &found, err)) {
        return false;
    }
    if (has(&found.taps, link->tap)) {
        text_printf(&script, "link delete dev %s\n", link->tap);
        if (!net_tools_ip(&script, err)) {
            return false;
        }
        text_clear(&script);
    }
    auto_json struct json *table = net_tools_table(net_host_table(link->mark, name));
    if (table != NULL && link->address[0] != '\0') {
        net_rules_forget(table, name, link->address, &script);
    }
    return script.len == 0 || net_tools_nft(&script, err);
}

bool net_host_tidy(const char *mark, struct error *err)
{
    char name[NET_TABLE_MAX];
    auto_done(net_found) struct net_found found = {0};
    auto_done(text) struct text ip = {0};
    auto_done(text) struct text nft = {0};
    if (!net_host_find(mark, &found, err)) {
        return false;
    }
    if (found.taps.count > 0) {
        return true;
    }
    for (size_t i = 0; i < found.bridges.count; i++) {
        text_printf(&ip, "link delete dev %s\n", found.bridges.items[i]);
    }
    if (found.has_table) {
        text_printf(&nft, "delete table inet %s\n", net_host_table(mark, name));
    }
    return (ip.len == 0 || net_tools_ip(&ip, err)) && (nft.len == 0 || net_tools_nft(&nft, err));
}

bool net_host_end(int vm_dir, const struct net_link *link, struct error *err)
{
    if (!net_host_down(link, err)) {
        return false;
    }
    auto_close int lock = openat(vm_dir, LOCK_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    uint64_t deadline = clock_deadline(LOCK_TIMEOUT_MS);
    while (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) != 0) {
        if (clock_left_ms(deadline) == 0) {
            return error_set(err, ERROR_BUSY, "the lock of the network is held: see host gc");
        }
        poll(NULL, 0, LOCK_RETRY_MS);
    }
    return lock < 0 || net_host_tidy(link->mark, err);
}
