/* SPDX-License-Identifier: MIT */
/* The mode of a machine's network as word, in its record and in its handle. */
#include "vm/net.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "vm/machine.h"
#include "vm/net_range.h"

static const char *const mode_names[] = {"user", "bridge", "nat", "namespace", "none"};

const char *net_mode_name(enum net_mode mode)
{
    return mode_names[mode];
}

bool net_mode_parse(const char *word, enum net_mode *mode, struct error *err)
{
    for (size_t i = 0; i < array_length(mode_names); i++) {
        if (strcmp(word, mode_names[i]) == 0) {
            *mode = (enum net_mode)i;
            return true;
        }
    }
    return error_set(err, ERROR_INVALID,
        "--net %s is none of \"user\", \"bridge\", \"nat\", \"namespace\", \"none\"", word);
}

bool net_mode_is_bridged(enum net_mode mode)
{
    return mode == NET_BRIDGE || mode == NET_NAT;
}

struct json *net_link_to_json(const struct net_link *link)
{
    if (link->mode == NET_USER) {
        return NULL;
    }
    struct json *json = json_new_object();
    json_put_string(json, "mode", net_mode_name(link->mode));
    json_put_known(json, "mark", link->mark);
    json_put_known(json, "bridge", link->bridge);
    json_put_known(json, "tap", link->tap);
    json_put_known(json, "address", link->address);
    return json;
}

static bool take(
    const struct json *json, const char *key, char *field, size_t size, struct error *err)
{
    const char *text = json_string(json, key, "");
    if (strlen(text) >= size) {
        return error_set(err, ERROR_FORMAT, "the network of a machine: \"%s\" is too long", key);
    }
    memcpy(field, text, strlen(text) + 1);
    return true;
}

bool net_link_from_json(const struct json *json, struct net_link *link, struct error *err)
{
    struct net_link read = {0};
    struct error ignored = {0};
    if (json == NULL) {
        *link = read;
        return true;
    }
    if (!net_mode_parse(json_string(json, "mode", ""), &read.mode, &ignored)) {
        return error_set(err, ERROR_FORMAT, "the network of a machine: \"mode\" is not known");
    }
    if (!take(json, "mark", read.mark, sizeof(read.mark), err) ||
        !take(json, "bridge", read.bridge, sizeof(read.bridge), err) ||
        !take(json, "tap", read.tap, sizeof(read.tap), err) ||
        !take(json, "address", read.address, sizeof(read.address), err)) {
        return false;
    }
    *link = read;
    return true;
}

void net_spec_to_json(const struct machine_spec *spec, struct json *json)
{
    if (spec->net != NET_USER) {
        json_put_string(json, "net", net_mode_name(spec->net));
    }
    json_put_known(json, "address", spec->address);
}

bool net_spec_from_json(
    const struct json *json, const char *what, struct machine_spec *spec, struct error *err)
{
    const char *word = json_string(json, "net", mode_names[NET_USER]);
    const char *address = json_string(json, "address", "");
    if (!net_mode_parse(word, &spec->net, err)) {
        err->code = ERROR_FORMAT;
        return error_wrap(err, "%s", what);
    }
    if (strlen(address) >= sizeof(spec->address)) {
        return error_set(err, ERROR_FORMAT, "%s: \"address\" is too long", what);
    }
    snprintf(spec->address, sizeof(spec->address), "%s", address);
    return true;
}
