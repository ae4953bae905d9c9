/* SPDX-License-Identifier: MIT */
/* handle.json, exit.json and boot.json: what the monitor of a machine writes and everybody
 * reads. */
#include "vm/machine.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/memory.h"
#include "vm/net.h"

static const char *const reason_names[] = {
    "guest-poweroff", "guest-reboot", "panic", "killed", "vmm-error"};
static const char *const stage_names[] = {"vmm", "kernel", "init", "root", "network", "agent"};

static struct json *read_record(int vm_dir, const char *name, struct error *err)
{
    auto_done(text) struct text bytes = {0};
    if (!file_read_all(vm_dir, name, limits_default.json_bytes, &bytes, err)) {
        return NULL;
    }
    struct json *json = json_parse(text_cstr(&bytes), bytes.len, limits_default.json_bytes,
        limits_default.json_depth, name, err);
    if (json != NULL && !json_is_object(json)) {
        json_free(json);
        error_set(err, ERROR_FORMAT, "%s is not a JSON object", name);
        return NULL;
    }
    return json;
}

static void put_time(struct json *json, const char *key, int64_t wall_seconds)
{
    if (wall_seconds != 0) {
        char text[CLOCK_TEXT_LEN];
        json_put_string(json, key, clock_format(wall_seconds, text));
    }
}

static int64_t read_time(const struct json *json, const char *key)
{
    int64_t seconds = 0;
    const char *text = json_string(json, key, NULL);
    return text != NULL && clock_parse(text, &seconds) ? seconds : 0;
}

static bool read_fixed(const struct json *json, const char *key, const char *what, char *out,
    size_t size, struct error *err)
{
    const char *text = NULL;
    if (!json_read_string(json, key, true, what, &text, err)) {
        return false;
    }
    if (strlen(text) >= size) {
        return error_set(err, ERROR_FORMAT, "%s: \"%s\" is too long", what, key);
    }
    memcpy(out, text, strlen(text) + 1);
    return true;
}

static void put_identity(
    struct json *json, const char *key, const struct process_identity *identity)
{
    struct json *object = json_new_object();
    json_put_integer(object, "pid", identity->pid);
    json_put_integer(object, "start_time", (int64_t)identity->start_time);
    json_put(json, key, object);
}

static bool read_identity(
    const struct json *json, const char *key, struct process_identity *identity, struct error *err)
{
    const struct json *object = json_get(json, key);
    uint64_t pid = 0;
    if (object == NULL || !json_is_object(object)) {
        return error_set(err, ERROR_FORMAT, MACHINE_HANDLE_FILE " has no \"%s\"", key);
    }
    if (!json_read_size(object, "pid", true, MACHINE_HANDLE_FILE, &pid, err) ||
        !json_read_size(
            object, "start_time", true, MACHINE_HANDLE_FILE, &identity->start_time, err)) {
        return false;
    }
    if (pid > INT32_MAX) {
        return error_set(err, ERROR_FORMAT, MACHINE_HANDLE_FILE ": \"pid\" is none");
    }
    identity->pid = (pid_t)pid;
    return true;
}

struct json *machine_handle_to_json(const struct machine_handle *handle)
{
    struct json *json = json_new_object();
    json_put_integer(json, "format", 1);
    json_put_string(json, "boot_id", handle->boot_id);
    json_put_string(json, "uuid", handle->uuid);
    put_identity(json, "monitor", &handle->monitor);
    put_identity(json, "vmm", &handle->vmm);
    json_put_string(json, "kind", handle->kind);
    json_put_string(json, "accel", handle->accel);
    put_time(json, "started_at", handle->started_at);
    json_put_integer(json, "log_offset", (int64_t)handle->log_offset);
    struct json *net = net_link_to_json(&handle->net);
    if (net != NULL) {
        json_put(json, "net", net);
    }
    if (handle->cgroup[0] != '\0') {
        json_put_string(json, "cgroup", handle->cgroup);
        json_put_integer(json, "cgroup_cpu_ms", (int64_t)handle->cgroup_cpu_ms);
    }
    if (handle->unit[0] != '\0') {
        json_put_string(json, "unit", handle->unit);
    }
    if (handle->port_count > 0) {
        struct json *ports = json_new_array();
        for (size_t i = 0; i < handle->port_count; i++) {
            char text[NET_PUBLISH_MAX];
            json_append(ports, json_new_string(net_format_publish(&handle->ports[i], text)));
        }
        json_put(json, "publish", ports);
    }
    return json;
}

static bool read_ports(const struct json *json, struct machine_handle *handle, struct error *err)
{
    const struct json *ports = json_get(json, "publish");
    for (size_t i = 0; ports != NULL && i < json_count(ports); i++) {
        const char *word = json_string_value(json_at(ports, i));
        if (i >= MACHINE_PORT_MAX || word == NULL) {
            return error_set(err, ERROR_FORMAT, MACHINE_HANDLE_FILE ": \"publish\" is malformed");
        }
        if (!net_parse_publish(word, &handle->ports[i], err)) {
            err->code = ERROR_FORMAT;
            return error_wrap(err, MACHINE_HANDLE_FILE);
        }
        handle->port_count = i + 1;
    }
    return true;
}

/* What is no group of this machine's is nobody's to end or to remove. */
static void read_cgroup(const struct json *json, struct machine_handle *handle)
{
    const char *path = json_string(json, "cgroup", "");
    const char *uuid = cgroup_uuid(path);
    int64_t cpu_ms = json_integer(json, "cgroup_cpu_ms", 0);
    if (path[0] == '/' && strlen(path) < sizeof(handle->cgroup) && uuid != NULL &&
        strcmp(uuid, handle->uuid) == 0) {
        snprintf(handle->cgroup, sizeof(handle->cgroup), "%s", path);
        handle->cgroup_cpu_ms = cpu_ms > 0 ? (uint64_t)cpu_ms : 0;
    }
}

bool machine_handle_from_json(
    const struct json *json, struct machine_handle *handle, struct error *err)
{
    const char *what = MACHINE_HANDLE_FILE;
    struct machine_handle read = {0};
    bool is_read = read_fixed(json, "boot_id", what, read.boot_id, sizeof(read.boot_id), err) &&
                   read_fixed(json, "uuid", what, read.uuid, sizeof(read.uuid), err) &&
                   read_fixed(json, "kind", what, read.kind, sizeof(read.kind), err) &&
                   read_fixed(json, "accel", what, read.accel, sizeof(read.accel), err) &&
                   read_identity(json, "monitor", &read.monitor, err) &&
                   read_identity(json, "vmm", &read.vmm, err) &&
                   json_read_size(json, "log_offset", false, what, &read.log_offset, err) &&
                   net_link_from_json(json_get(json, "net"), &read.net, err) &&
                   read_ports(json, &read, err);
    if (!is_read) {
        return false;
    }
    read.started_at = read_time(json, "started_at");
    read_cgroup(json, &read);
    snprintf(read.unit, sizeof(read.unit), "%s", json_string(json, "unit", ""));
    *handle = read;
    return true;
}

bool machine_handle_read(int vm_dir, struct machine_handle *handle, struct error *err)
{
    auto_json struct json *json = read_record(vm_dir, MACHINE_HANDLE_FILE, err);
    return json != NULL && machine_handle_from_json(json, handle, err);
}

const char *machine_exit_reason_name(enum machine_exit_reason reason)
{
    return reason_names[reason];
}

struct json *machine_exit_to_json(const struct machine_exit *exit)
{
    struct json *json = json_new_object();
    json_put_integer(json, "format", 1);
    json_put_string(json, "reason", machine_exit_reason_name(exit->reason));
    if (exit->code >= 0) {
        json_put_integer(json, "code", exit->code);
    }
    if (exit->signal != 0) {
        json_put_integer(json, "signal", exit->signal);
    }
    put_time(json, "at", exit->at);
    put_time(json, "started_at", exit->started_at);
    if (exit->is_requested) {
        json_put_bool(json, "requested", true);
    }
    if (exit->is_given_up) {
        json_put_bool(json, "given_up", true);
    }
    if (exit->restarts > 0) {
        json_put_integer(json, "restarts", exit->restarts);
    }
    if (exit->detail[0] != '\0') {
        json_put_string(json, "detail", exit->detail);
    }
    return json;
}

bool machine_exit_from_json(const struct json *json, struct machine_exit *exit, struct error *err)
{
    const char *reason = NULL;
    if (!json_read_string(json, "reason", true, MACHINE_EXIT_FILE, &reason, err)) {
        return false;
    }
    for (size_t i = 0; i < array_length(reason_names); i++) {
        if (strcmp(reason, reason_names[i]) != 0) {
            continue;
        }
        *exit = (struct machine_exit){.reason = (enum machine_exit_reason)i,
            .code = (int)json_integer(json, "code", -1),
            .signal = (int)json_integer(json, "signal", 0),
            .at = read_time(json, "at"),
            .started_at = read_time(json, "started_at"),
            .is_requested = json_bool(json, "requested", false),
            .is_given_up = json_bool(json, "given_up", false),
            .restarts = (unsigned)json_integer(json, "restarts", 0)};
        snprintf(exit->detail, sizeof(exit->detail), "%s", json_string(json, "detail", ""));
        return true;
    }
    return error_set(
        err, ERROR_FORMAT, MACHINE_EXIT_FILE ": the reason \"%s\" is not known", reason);
}

bool machine_exit_read(int vm_dir, struct machine_exit *exit, struct error *err)
{
    auto_json struct json *json = read_record(vm_dir, MACHINE_EXIT_FILE, err);
    return json != NULL && machine_exit_from_json(json, exit, err);
}

static void describe_killed(const struct machine_exit *exit, char *buffer, size_t size)
{
    const char *name = exit->signal != 0 ? sigabbrev_np(exit->signal) : NULL;
    if (exit->signal == 0) {
        snprintf(buffer, size, "%s", exit->is_requested ? "ended as asked" : "ended from outside");
    } else {
        snprintf(buffer, size, "killed by signal %d%s%s%s", exit->signal, name != NULL ? " (" : "",
            name != NULL ? name : "", name != NULL ? ")" : "");
    }
}

static const char *describe(const struct machine_exit *exit, char *buffer, size_t size)
{
    const char *detail = exit->detail;
    const char *colon = detail[0] != '\0' ? ": " : "";
    switch (exit->reason) {
    case MACHINE_EXIT_GUEST_POWEROFF:
        snprintf(buffer, size, "power-off by the guest");
        break;
    case MACHINE_EXIT_GUEST_REBOOT:
        snprintf(buffer, size, "reboot by the guest");
        break;
    case MACHINE_EXIT_PANIC:
        snprintf(buffer, size, "kernel panic%s%s", colon, detail);
        break;
    case MACHINE_EXIT_KILLED:
        describe_killed(exit, buffer, size);
        break;
    case MACHINE_EXIT_VMM_ERROR:
        if (exit->signal != 0) {
            snprintf(buffer, size, "the VMM died of signal %d%s%s", exit->signal, colon, detail);
        } else if (exit->code > 0) {
            snprintf(buffer, size, "the VMM failed with status %d%s%s", exit->code, colon, detail);
        } else {
            snprintf(buffer, size, "the VMM ended unexpectedly%s%s", colon, detail);
        }
        break;
    }
    return buffer;
}

const char *machine_exit_describe(const struct machine_exit *exit, char *buffer, size_t size)
{
    describe(exit, buffer, size);
    if (exit->is_given_up) {
        size_t len = strlen(buffer);
        snprintf(buffer + len, size - len, "; given up after %u restarts in a row", exit->restarts);
    }
    return buffer;
}

const char *machine_stage_name(enum machine_stage stage)
{
    return stage_names[stage];
}

void machine_timeline_init(struct machine_timeline *timeline)
{
    *timeline = (struct machine_timeline){0};
    for (size_t i = 0; i < MACHINE_STAGE_COUNT; i++) {
        timeline->at_ms[i] = MACHINE_STAGE_UNREACHED;
    }
}

void machine_timeline_done(struct machine_timeline *timeline)
{
    strings_done(&timeline->facts);
}

bool machine_timeline_is_ready(const struct machine_timeline *timeline)
{
    return timeline->at_ms[MACHINE_STAGE_AGENT] != MACHINE_STAGE_UNREACHED;
}

const char *machine_timeline_fact(const struct machine_timeline *timeline, const char *key)
{
    size_t len = strlen(key);
    for (size_t i = 0; i < timeline->facts.count; i++) {
        const char *fact = timeline->facts.items[i];
        if (strncmp(fact, key, len) == 0 && fact[len] == '=') {
            return fact + len + 1;
        }
    }
    return NULL;
}

struct json *machine_timeline_to_json(const struct machine_timeline *timeline)
{
    struct json *json = json_new_object();
    json_put_integer(json, "format", 1);
    put_time(json, "started_at", timeline->started_at);
    struct json *stages = json_new_array();
    for (size_t i = 0; i < MACHINE_STAGE_COUNT; i++) {
        if (timeline->at_ms[i] == MACHINE_STAGE_UNREACHED) {
            continue;
        }
        struct json *stage = json_new_object();
        json_put_string(stage, "stage", stage_names[i]);
        json_put_integer(stage, "ms", (int64_t)timeline->at_ms[i]);
        json_append(stages, stage);
    }
    json_put(json, "stages", stages);
    if (timeline->is_paused) {
        json_put_bool(json, "paused", true);
    }
    if (timeline->is_stopping) {
        json_put_bool(json, "stopping", true);
    }
    if (timeline->is_network_lost) {
        json_put_bool(json, "network_lost", true);
    }
    if (timeline->is_no_space) {
        json_put_bool(json, "no_space", true);
    }
    if (timeline->is_restarting) {
        json_put_bool(json, "restarting", true);
    }
    if (timeline->restarts > 0) {
        json_put_integer(json, "restarts", timeline->restarts);
    }
    if (timeline->facts.count > 0) {
        struct json *facts = json_new_array();
        for (size_t i = 0; i < timeline->facts.count; i++) {
            json_append(facts, json_new_string(timeline->facts.items[i]));
        }
        json_put(json, "facts", facts);
    }
    return json;
}

static bool read_stage(
    const struct json *json, struct machine_timeline *timeline, struct error *err)
{
    const char *name = NULL;
    uint64_t at_ms = 0;
    if (!json_read_string(json, "stage", true, MACHINE_BOOT_FILE, &name, err) ||
        !json_read_size(json, "ms", true, MACHINE_BOOT_FILE, &at_ms, err)) {
        return false;
    }
    for (size_t i = 0; i < MACHINE_STAGE_COUNT; i++) {
        if (strcmp(name, stage_names[i]) == 0) {
            timeline->at_ms[i] = at_ms;
        }
    }
    return true; /* a stage of a newer program is skipped */
}

bool machine_timeline_from_json(
    const struct json *json, struct machine_timeline *timeline, struct error *err)
{
    machine_timeline_init(timeline);
    timeline->started_at = read_time(json, "started_at");
    timeline->is_paused = json_bool(json, "paused", false);
    timeline->is_stopping = json_bool(json, "stopping", false);
    timeline->is_network_lost = json_bool(json, "network_lost", false);
    timeline->is_no_space = json_bool(json, "no_space", false);
    timeline->is_restarting = json_bool(json, "restarting", false);
    timeline->restarts = (unsigned)json_integer(json, "restarts", 0);
    const struct json *stages = json_get(json, "stages");
    for (size_t i = 0; stages != NULL && i < json_count(stages); i++) {
        if (!read_stage(json_at(stages, i), timeline, err)) {
            machine_timeline_init(timeline);
            return false;
        }
    }
    const struct json *facts = json_get(json, "facts");
    for (size_t i = 0; facts != NULL && i < json_count(facts); i++) {
        const char *fact = json_string_value(json_at(facts, i));
        if (fact != NULL) {
            strings_add(&timeline->facts, fact);
        }
    }
    return true;
}

bool machine_timeline_read(int vm_dir, struct machine_timeline *timeline, struct error *err)
{
    machine_timeline_init(timeline);
    auto_json struct json *json = read_record(vm_dir, MACHINE_BOOT_FILE, err);
    return json != NULL && machine_timeline_from_json(json, timeline, err);
}
