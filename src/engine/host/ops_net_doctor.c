/* SPDX-License-Identifier: MIT */
/* The doctor's rows about networks: which modes work here, and what stands in the way of the rest. */
#include "engine/host/ops_net.h"

#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "engine/ops.h"
#include "store/config.h"
#include "vm/net.h"
#include "vm/net_host.h"
#include "vm/net_tools.h"
#include "vm/vmm_host.h"

#define OPTIONAL "optional: --net user needs nothing of it"

/* hint NULL: all is well. What does not work and is not wanted by the configuration is off. */
static void add(
    struct json *rows, const char *check, bool is_wanted, const char *detail, const char *hint)
{
    struct json *row = json_new_object();
    json_put_string(row, "check", check);
    json_put_string(row, "status", hint == NULL ? "ok" : is_wanted ? "warn" : "off");
    json_put_string(row, "detail", detail);
    json_put_string(row, "hint", hint);
    json_append(rows, row);
}

static bool is_wanted(const struct ops *ops, enum net_mode mode)
{
    const char *configured = config_pairs_get(&ops->settings->network, "mode");
    return configured != NULL && strcmp(configured, net_mode_name(mode)) == 0;
}

static void check_namespace(const struct ops *ops, struct json *rows)
{
    struct error why_not = {0};
    bool is_usable = vmm_host_check_namespace(ops->host, &why_not);
    add(rows, "network: namespace", is_wanted(ops, NET_NAMESPACE),
        is_usable
            ? "slirp4netns serves namespaces of the VMMs' own; user networking on Firecracker "
              "needs it"
            : why_not.text,
        is_usable ? NULL : OPTIONAL);
}

/* Forwarding, and somebody's firewall that would drop what ours lets through. */
static void check_nat(const struct ops *ops, const struct net_host *host, struct json *rows)
{
    bool wants_nat = is_wanted(ops, NET_NAT);
    auto_free char *drop = net_host_foreign_drop();
    if (drop != NULL) {
        auto_free char *detail = memory_printf("the chain %s drops what no rule of its own lets "
                                               "through, also from machines behind --net nat",
            drop);
        auto_free char *hint = memory_printf(
            "accept what comes from and goes to the interface %s there", host->bridge);
        add(rows, "network: nat", wants_nat, detail, hint);
    } else if (net_host_forwards() || host->may_forward) {
        add(rows, "network: nat", wants_nat,
            net_host_forwards() ? "IP forwarding is on"
                                : "IP forwarding is turned on with the first machine that needs it",
            NULL);
    } else {
        add(rows, "network: nat", wants_nat,
            "machines with --net nat are refused: IP forwarding is off (net.ipv4.ip_forward = 0)",
            "sudo sysctl -w net.ipv4.ip_forward=1, or forward = yes under [network] in config.ini");
    }
}

void ops_net_doctor(struct ops *ops, struct json *rows)
{
    struct net_host host;
    struct error why_not = {0};
    char range[NET_RANGE_MAX];
    check_namespace(ops, rows);
    bool wants_bridge = is_wanted(ops, NET_BRIDGE) || is_wanted(ops, NET_NAT);
    if (!ops_net_settings(ops, &host, &why_not)) {
        add(rows, "network: bridge", true, why_not.text, "mend [network] in config.ini");
        return;
    }
    if (!net_tools_check(&why_not)) {
        add(rows, "network: bridge", wants_bridge, why_not.text, OPTIONAL);
        return;
    }
    auto_free char *detail = memory_printf("%s with %s, when the first machine needs it",
        host.bridge, net_range_format(&host.range, range));
    add(rows, "network: bridge", wants_bridge, detail, NULL);
    check_nat(ops, &host, rows);
}
