/* SPDX-License-Identifier: MIT */
#include "vm/monitor_order.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "vm/net.h"

#define WHAT "the monitor's order"

void monitor_order_done(struct monitor_order *order)
{
    free(order->name);
    order->name = NULL;
    vmm_plan_done(&order->plan);
}

struct json *monitor_order_to_json(const struct monitor_order *order)
{
    struct json *json = json_new_object();
    json_put_integer(json, "format", 1);
    json_put_string(json, "name", order->name);
    json_put_string(json, "uuid", order->uuid);
    json_put_string(json, "kind", order->plan.kind);
    json_put_string(json, "accel", accel_name(order->plan.accel));
    if (order->is_adoption) {
        json_put_bool(json, "adopt", true);
    }
    json_put_string(json, "restart", machine_restart_name(order->restart));
    json_put_integer(json, "console_log_bytes", (int64_t)order->console_log_bytes);
    json_put_integer(json, "start_timeout_ms", (int64_t)order->start_timeout_ms);
    struct json *argv = json_new_array();
    for (size_t i = 0; i < order->plan.argv.count; i++) {
        json_append(argv, json_new_string(order->plan.argv.items[i]));
    }
    json_put(json, "argv", argv);
    struct json *calls = json_new_array();
    for (size_t i = 0; i < order->plan.calls.count; i++) {
        json_append(calls, json_new_string(order->plan.calls.items[i]));
    }
    json_put(json, "calls", calls);
    struct json *lines = json_new_array();
    for (size_t i = 0; i < VMM_LINE_COUNT; i++) {
        if (order->plan.has_line[i]) {
            json_append(lines, json_new_string(vmm_line_socket((enum vmm_line)i)));
        }
    }
    json_put(json, "lines", lines);
    if (order->plan.has_terminal) {
        json_put_bool(json, "terminal", true);
    }
    if (order->plan.memory != NULL) {
        json_put_string(json, "memory", order->plan.memory);
        json_put_integer(json, "memory_words", (int64_t)order->plan.memory_words);
    }
    struct json *net = net_link_to_json(&order->net);
    if (net != NULL) {
        json_put(json, "net", net);
    }
    struct json *ports = json_new_array();
    for (size_t i = 0; i < order->port_count; i++) {
        char text[NET_PUBLISH_MAX];
        json_append(ports, json_new_string(net_format_publish(&order->ports[i], text)));
    }
    json_put(json, "publish", ports);
    if (order->is_forwarding) {
        json_put_bool(json, "forward", true);
    }
    return json;
}

static bool read_lines(const struct json *json, struct vmm_plan *plan, struct error *err)
{
    const struct json *lines = json_get(json, "lines");
    for (size_t i = 0; lines != NULL && i < json_count(lines); i++) {
        const char *name = json_string_value(json_at(lines, i));
        bool is_known = false;
        for (size_t line = 0; name != NULL && line < VMM_LINE_COUNT; line++) {
            if (strcmp(name, vmm_line_socket((enum vmm_line)line)) == 0) {
                plan->has_line[line] = true;
                is_known = true;
            }
        }
        if (!is_known) {
            return error_set(err, ERROR_FORMAT, WHAT " names a line that is not known");
        }
    }
    return true;
}

static bool read_ports(const struct json *json, struct monitor_order *order, struct error *err)
{
    const struct json *ports = json_get(json, "publish");
    for (size_t i = 0; ports != NULL && i < json_count(ports) && i < MACHINE_PORT_MAX; i++) {
        const char *word = json_string_value(json_at(ports, i));
        if (word == NULL || !net_parse_publish(word, &order->ports[i], err)) {
            return error_set(err, ERROR_FORMAT, WHAT " names a port that is none");
        }
        order->port_count = i + 1;
    }
    return true;
}

static bool read_argv(const struct json *json, struct vmm_plan *plan, struct error *err)
{
    const struct json *argv = json_get(json, "argv");
    for (size_t i = 0; argv != NULL && i < json_count(argv); i++) {
        const char *word = json_string_value(json_at(argv, i));
        if (word == NULL) {
            return error_set(err, ERROR_FORMAT, WHAT " holds a command line that is none");
        }
        strings_add(&plan->argv, word);
    }
    if (plan->argv.count == 0 || plan->argv.items[0][0] != '/') {
        return error_set(err, ERROR_FORMAT, WHAT " holds no command line");
    }
    return true;
}

/* Where the start goes on from; none: a boot. */
static bool read_memory(const struct json *json, struct vmm_plan *plan, struct error *err)
{
    uint64_t words = 0;
    if (!json_read_size(json, "memory_words", false, WHAT, &words, err)) {
        return false;
    }
    plan->memory = memory_strdup(json_string(json, "memory", NULL));
    plan->memory_words = (size_t)words;
    return words < plan->argv.count || words == 0 ||
           error_set(err, ERROR_FORMAT, WHAT " holds fewer words than are for its memory");
}

/* None: of an older engine, or of a back end that is told everything by argv. */
static bool read_calls(const struct json *json, struct vmm_plan *plan, struct error *err)
{
    const struct json *calls = json_get(json, "calls");
    for (size_t i = 0; calls != NULL && i < json_count(calls); i++) {
        const char *word = json_string_value(json_at(calls, i));
        if (word == NULL) {
            return error_set(err, ERROR_FORMAT, WHAT " holds a call that is none");
        }
        strings_add(&plan->calls, word);
    }
    return plan->calls.count % 2 == 0 ||
           error_set(err, ERROR_FORMAT, WHAT " holds a call without a body");
}

static bool read_words(const struct json *json, struct monitor_order *order, struct error *err)
{
    const char *name = NULL;
    const char *uuid = NULL;
    const char *kind = NULL;
    const char *accel = NULL;
    if (!json_read_string(json, "name", true, WHAT, &name, err) ||
        !json_read_string(json, "uuid", true, WHAT, &uuid, err) ||
        !json_read_string(json, "kind", true, WHAT, &kind, err) ||
        !json_read_string(json, "accel", true, WHAT, &accel, err)) {
        return false;
    }
    if (strlen(uuid) != MACHINE_UUID_LEN || strlen(kind) >= sizeof(order->plan.kind) ||
        vmm_find(kind) == NULL) {
        return error_set(err, ERROR_FORMAT, WHAT " is for a kind of machine that is not known");
    }
    order->name = memory_strdup(name);
    snprintf(order->uuid, sizeof(order->uuid), "%s", uuid);
    snprintf(order->plan.kind, sizeof(order->plan.kind), "%s", kind);
    order->plan.accel = strcmp(accel, "kvm") == 0 ? ACCEL_KVM : ACCEL_TCG;
    return true;
}

bool monitor_order_from_json(
    const struct json *json, struct monitor_order *order, struct error *err)
{
    struct monitor_order read = {.is_adoption = json_bool(json, "adopt", false),
        .plan.has_terminal = json_bool(json, "terminal", false),
        .is_forwarding = json_bool(json, "forward", false)};
    const char *restart = json_string(json, "restart", "no"); /* none: of an older engine */
    bool is_read =
        read_words(json, &read, err) && machine_restart_parse(restart, &read.restart, err) &&
        json_read_size(json, "console_log_bytes", true, WHAT, &read.console_log_bytes, err) &&
        json_read_size(json, "start_timeout_ms", true, WHAT, &read.start_timeout_ms, err) &&
        (read.is_adoption || read_argv(json, &read.plan, err)) &&
        read_memory(json, &read.plan, err) && read_calls(json, &read.plan, err) &&
        read_lines(json, &read.plan, err) &&
        net_link_from_json(json_get(json, "net"), &read.net, err) && read_ports(json, &read, err);
    if (!is_read) {
        monitor_order_done(&read);
        return false;
    }
    *order = read;
    return true;
}

void monitor_order_keep(int vm_dir, const struct monitor_order *order)
{
    static const char staged[] = MONITOR_ORDER_FILE ".new";
    auto_json struct json *json = monitor_order_to_json(order);
    auto_done(text) struct text text = {0};
    struct error failure = {0};
    json_write(json, false, &text);
    auto_close int fd =
        openat(vm_dir, staged, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || !file_write_all(fd, text.data, text.len, &failure) ||
        renameat(vm_dir, staged, vm_dir, MONITOR_ORDER_FILE) != 0) {
        log_write(LOG_WARNING, "cannot write " MONITOR_ORDER_FILE);
    }
}

bool monitor_order_find(
    int vm_dir, const char *uuid, struct monitor_order *order, struct error *err)
{
    auto_done(text) struct text text = {0};
    struct error ignored = {0};
    if (!file_read_all(vm_dir, MONITOR_ORDER_FILE, MONITOR_ORDER_MAX, &text, &ignored)) {
        *err = error_is_blind(&ignored) ? ignored : *err;
        return false;
    }
    auto_json struct json *json = json_parse(text_cstr(&text), text.len, MONITOR_ORDER_MAX,
        limits_default.json_depth, MONITOR_ORDER_FILE, &ignored);
    if (json == NULL || !monitor_order_from_json(json, order, &ignored)) {
        return false;
    }
    if (strcmp(order->uuid, uuid) == 0 && !order->is_adoption) {
        return true;
    }
    monitor_order_done(order);
    return false;
}

struct json *monitor_error_to_json(const struct error *failure)
{
    struct json *inner = json_new_object();
    json_put_string(inner, "code", error_code_name(failure->code));
    json_put_string(inner, "message", failure->text);
    struct json *json = json_new_object();
    json_put(json, "error", inner);
    return json;
}

void monitor_error_from_json(const struct json *error_object, struct error *err)
{
    const char *name = json_string(error_object, "code", "");
    enum error_code code = ERROR_VMM;
    for (int i = ERROR_INVALID; i <= ERROR_BUG; i++) {
        if (strcmp(name, error_code_name((enum error_code)i)) == 0) {
            code = (enum error_code)i;
        }
    }
    error_set(err, code, "%s", json_string(error_object, "message", "the monitor gave no reason"));
}
