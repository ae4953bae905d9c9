/* SPDX-License-Identifier: MIT */
#include "engine/host/ops_net.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "artifact/hash.h"
#include "artifact/initrd.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/machine/ops_vm.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "store/config.h"
#include "store/lock.h"
#include "store/vm_store.h"
#include "vm/machine.h"
#include "vm/net_host.h"

#define RESOLVER_BYTES 65536

static const char *setting(const struct ops *ops, const char *key, const char *fallback)
{
    const char *value = config_pairs_get(&ops->settings->network, key);
    return value != NULL ? value : fallback;
}

/* What the kernel takes for an interface, without what scripts and shells would stumble over. */
static bool check_bridge_name(const char *name, struct error *err)
{
    size_t len = strlen(name);
    bool is_good = len > 0 && len < NET_NAME_MAX && isalnum((unsigned char)name[0]);
    for (size_t i = 0; is_good && i < len; i++) {
        is_good = isalnum((unsigned char)name[i]) || strchr("._-", name[i]) != NULL;
    }
    return is_good ||
           error_set(err, ERROR_CONFIG,
               "[network] bridge = %s is no name for an interface: at most %d letters and digits",
               name, NET_NAME_MAX - 1);
}

bool ops_net_settings(struct ops *ops, struct net_host *host, struct error *err)
{
    struct digest digest;
    char hex[DIGEST_HEX_LEN + 1];
    const char *path = store_path(ops->store);
    hash_bytes(path, strlen(path), &digest);
    snprintf(host->mark, sizeof(host->mark), "%.*s", NET_MARK_LEN, digest_format(&digest, hex));
    const char *bridge = setting(ops, "bridge", NULL);
    if (bridge == NULL) {
        snprintf(host->bridge, sizeof(host->bridge), "bb-%s", host->mark);
    } else if (check_bridge_name(bridge, err)) {
        snprintf(host->bridge, sizeof(host->bridge), "%s", bridge);
    } else {
        return false;
    }
    host->may_forward = strcmp(setting(ops, "forward", "no"), "yes") == 0;
    return net_range_parse(setting(ops, "cidr", NET_RANGE_DEFAULT), &host->range, err);
}

bool ops_net_choose(struct ops *ops, struct machine_spec *spec, bool is_new, struct error *err)
{
    const char *mode = command_get(ops->command, "net");
    const char *address = command_get(ops->command, "address");
    if (mode == NULL && is_new) {
        mode = setting(ops, "mode", NULL);
    }
    if (mode != NULL && !net_mode_parse(mode, &spec->net, err)) {
        if (!command_has(ops->command, "net")) {
            err->code = ERROR_CONFIG;
        }
        return false;
    }
    bool is_bridged = net_mode_is_bridged(spec->net);
    if (!is_bridged || (address != NULL && strcmp(address, "auto") == 0)) {
        spec->address[0] = '\0';
    }
    if (address == NULL || strcmp(address, "auto") == 0) {
        return true;
    }
    struct net_host host;
    char range[NET_RANGE_MAX];
    if (!is_bridged) {
        return error_set(err, ERROR_INVALID,
            "--address is for machines on a bridge: add --net bridge or --net nat");
    }
    if (!ops_net_settings(ops, &host, err)) {
        return false;
    }
    if (!net_range_has_guest(&host.range, address)) {
        return error_set(err, ERROR_INVALID,
            "--address %s is none that a machine can have of %s ([network] cidr)", address,
            net_range_format(&host.range, range));
    }
    snprintf(spec->address, sizeof(spec->address), "%s", address);
    return true;
}

/* Addresses of all other machines, by their records and by what runs. */
static bool collect(struct ops *ops, const struct machine_spec *spec, struct strings *used,
    struct strings *owners, struct error *err)
{
    auto_done(strings) struct strings names = {0};
    if (!vm_store_names(ops->store, &names, err)) {
        return false;
    }
    for (size_t i = 0; i < names.count; i++) {
        auto_done(vm_record) struct vm_record record = {0};
        struct error ignored = {0};
        if (strcmp(names.items[i], spec->name) == 0 ||
            !vm_store_read(ops->store, names.items[i], &record, &ignored)) {
            continue;
        }
        const struct json *documents[] = {record.documents[VM_DOCUMENT_SPEC],
            record.documents[VM_DOCUMENT_HANDLE] != NULL
                ? json_get(record.documents[VM_DOCUMENT_HANDLE], "net")
                : NULL};
        for (size_t j = 0; j < array_length(documents); j++) {
            const char *address =
                documents[j] != NULL ? json_string(documents[j], "address", NULL) : NULL;
            if (address != NULL) {
                strings_add(used, address);
                strings_add(owners, names.items[i]);
            }
        }
    }
    return true;
}

bool ops_net_assign(
    struct ops *ops, struct machine_spec *spec, struct lock **lock, struct error *err)
{
    struct net_host host;
    auto_done(strings) struct strings used = {0};
    auto_done(strings) struct strings owners = {0};
    if (!net_mode_is_bridged(spec->net)) {
        return true;
    }
    *lock = lock_take_network(ops->store, "address", ops_lock_timeout_ms(ops), ops->cancel, err);
    if (*lock == NULL || !ops_net_settings(ops, &host, err) ||
        !collect(ops, spec, &used, &owners, err)) {
        return false;
    }
    if (spec->address[0] == '\0') {
        return net_range_pick(&host.range, &used, spec->address, err);
    }
    for (size_t i = 0; i < used.count; i++) {
        if (strcmp(used.items[i], spec->address) == 0) {
            return error_set(err, ERROR_IN_USE,
                "the address %s is that of VM %s: give another --address, or auto", spec->address,
                owners.items[i]);
        }
    }
    return true;
}

/* ---- the guest's side ------------------------------------------------------------------------- */

/* "nameserver ADDRESS" lines; those at loopback are of this host alone. */
static size_t put_servers_of(const char *path, struct text *facts)
{
    auto_done(text) struct text content = {0};
    struct error ignored = {0};
    size_t count = 0;
    if (!file_read_all(AT_FDCWD, path, RESOLVER_BYTES, &content, &ignored)) {
        return 0;
    }
    for (const char *line = text_cstr(&content); *line != '\0';) {
        char server[64];
        struct in_addr address;
        if (sscanf(line, "nameserver %63[0-9.]", server) == 1 &&
            inet_pton(AF_INET, server, &address) == 1 && ntohl(address.s_addr) >> 24 != 127) {
            initrd_put_fact(facts, "dns", server);
            count++;
        }
        line += strcspn(line, "\n");
        line += *line == '\n' ? 1 : 0;
    }
    return count;
}

static bool put_configured_servers(const char *words, struct text *facts, struct error *err)
{
    auto_free char *copy = memory_strdup(words);
    char *rest = NULL;
    for (char *word = strtok_r(copy, " ,", &rest); word != NULL;
         word = strtok_r(NULL, " ,", &rest)) {
        unsigned char raw[16];
        if (inet_pton(AF_INET, word, raw) != 1 && inet_pton(AF_INET6, word, raw) != 1) {
            return error_set(err, ERROR_CONFIG, "[network] dns: %s is no address", word);
        }
        initrd_put_fact(facts, "dns", word);
    }
    return true;
}

bool ops_net_facts(
    struct ops *ops, const struct machine_spec *spec, struct text *facts, struct error *err)
{
    const char *dns = setting(ops, "dns", NULL);
    if (spec->net == NET_NONE) {
        initrd_put_fact(facts, "address", "none");
        return true;
    }
    if (dns != NULL && !put_configured_servers(dns, facts, err)) {
        return false;
    }
    if (!net_mode_is_bridged(spec->net)) {
        return true; /* the guest knows the addresses of user networking */
    }
    struct net_host host;
    char gateway[NET_ADDRESS_MAX];
    if (!ops_net_settings(ops, &host, err)) {
        return false;
    }
    net_range_gateway(&host.range, gateway);
    auto_free char *address = memory_printf("%s/%u", spec->address, host.range.prefix);
    initrd_put_fact(facts, "address", address);
    initrd_put_fact(facts, "gateway", gateway);
    if (dns == NULL && put_servers_of("/etc/resolv.conf", facts) == 0 &&
        put_servers_of("/run/systemd/resolve/resolv.conf", facts) == 0) {
        initrd_put_fact(facts, "dns", gateway); /* a resolver on this host, if there is one */
    }
    return true;
}

void ops_net_put(struct ops *ops, struct json *json, const struct vm_hand *hand)
{
    const struct machine_spec *spec = &hand->spec;
    const struct net_link *link = &hand->facts.handle.net;
    bool is_running = hand->facts.has_handle && ops_vm_is_up(hand->facts.state);
    enum net_mode mode = is_running ? link->mode : spec->net;
    json_put_string(json, "net", net_mode_name(mode));
    if (mode == NET_NONE) {
        return;
    }
    if (!net_mode_is_bridged(mode)) {
        json_put_string(json, "address", NET_USER_GUEST);
        json_put_string(json, "gateway", NET_USER_GATEWAY);
        return;
    }
    struct net_host host;
    struct error ignored = {0};
    char gateway[NET_ADDRESS_MAX];
    json_put_string(json, "address", is_running ? link->address : spec->address);
    if (ops_net_settings(ops, &host, &ignored)) {
        json_put_string(json, "gateway", net_range_gateway(&host.range, gateway));
    }
    if (is_running) {
        json_put_string(json, "bridge", link->bridge);
        json_put_string(json, "tap", link->tap);
    }
}
