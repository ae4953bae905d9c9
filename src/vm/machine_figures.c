/* SPDX-License-Identifier: MIT */
#include "vm/machine_figures.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "vm/machine.h"
#include "vm/monitor_client.h"

/* It answers at once; only one that hangs takes longer. */
#define MONITOR_TIMEOUT_MS 500
#define PROC_BYTES_MAX (1024 * 1024) /* a host of some thousand interfaces */

static const char *const source_names[] = {[FIGURES_UNKNOWN] = "unknown",
    [FIGURES_PROCESS] = "process",
    [FIGURES_CGROUP] = "cgroup",
    [FIGURES_LINK] = "link",
    [FIGURES_GUEST] = "guest"};

const char *figures_source_name(enum figures_source source)
{
    return source_names[source];
}

/* A small file of the kernel's, whole; false when it is not there. */
static bool read_small(const char *path, struct text *content)
{
    struct error ignored = {0};
    return file_read_all(AT_FDCWD, path, PROC_BYTES_MAX, content, &ignored);
}

/* ---- the process ------------------------------------------------------------------------------ */

static void read_memory(pid_t pid, struct machine_figures *figures)
{
    auto_free char *path = memory_printf("/proc/%d/statm", (int)pid);
    auto_done(text) struct text content = {0};
    uint64_t total_pages, resident_pages;
    if (read_small(path, &content) &&
        sscanf(text_cstr(&content), "%" SCNu64 " %" SCNu64, &total_pages, &resident_pages) == 2) {
        figures->rss_bytes = resident_pages * (uint64_t)sysconf(_SC_PAGESIZE);
        figures->memory_from = FIGURES_PROCESS;
    }
}

static void read_storage(pid_t pid, struct machine_figures *figures)
{
    auto_free char *path = memory_printf("/proc/%d/io", (int)pid);
    auto_done(text) struct text content = {0};
    if (!read_small(path, &content)) {
        return;
    }
    const char *of_reads = strstr(text_cstr(&content), "\nread_bytes: ");
    const char *of_writes = strstr(text_cstr(&content), "\nwrite_bytes: ");
    if (of_reads != NULL && of_writes != NULL &&
        sscanf(of_reads, "\nread_bytes: %" SCNu64, &figures->read_bytes) == 1 &&
        sscanf(of_writes, "\nwrite_bytes: %" SCNu64, &figures->written_bytes) == 1) {
        figures->storage_from = FIGURES_PROCESS;
    }
}

/* ---- the group -------------------------------------------------------------------------------- */

/* What it counts is in place of the process's: whatever its controllers leave out stays. */
static void read_group(const struct machine_handle *handle, struct machine_figures *figures)
{
    struct cgroup_use *group = &figures->group;
    *group = (struct cgroup_use){.cpu_pressure = -1, .memory_pressure = -1};
    if (handle->cgroup[0] == '\0' || figures->memory_from == FIGURES_UNKNOWN) {
        return;
    }
    cgroup_read(handle->cgroup, group);
    if (group->has_cpu && group->cpu_ms >= handle->cgroup_cpu_ms) {
        figures->cpu_ms = group->cpu_ms - handle->cgroup_cpu_ms;
        figures->cpu_from = FIGURES_CGROUP;
    }
    if (group->has_storage) {
        figures->read_bytes = group->read_bytes;
        figures->written_bytes = group->written_bytes;
        figures->storage_from = FIGURES_CGROUP;
    }
}

/* ---- the network ------------------------------------------------------------------------------ */

/* The interface's row in proc(5), net/dev, of the VMM's namespace, be it this host's or its own: what
 * is behind the name. */
static const char *find_link(const char *table, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = table; line != NULL && *line != '\0';) {
        const char *word = line + strspn(line, " ");
        if (strncmp(word, name, len) == 0 && word[len] == ':') {
            return word + len + 1;
        }
        line = strchr(line, '\n');
        if (line != NULL) {
            line++;
        }
    }
    return NULL;
}

/* What this host receives at the tap is what the guest sent. */
static bool read_tap(const struct machine_handle *handle, struct machine_figures *figures)
{
    auto_free char *path = memory_printf("/proc/%d/net/dev", (int)handle->vmm.pid);
    auto_done(text) struct text table = {0};
    const char *row = NULL;
    if (handle->net.tap[0] != '\0' && read_small(path, &table)) {
        row = find_link(text_cstr(&table), handle->net.tap);
    }
    return row != NULL && sscanf(row, " %" SCNu64 " %*u %*u %*u %*u %*u %*u %*u %" SCNu64,
                              &figures->net_sent_bytes, &figures->net_received_bytes) == 2;
}

/* ---- the guest -------------------------------------------------------------------------------- */

static bool take_number(const struct json *said, const char *key, uint64_t *number)
{
    int64_t value = json_integer(said, key, -1);
    if (value >= 0) {
        *number = (uint64_t)value;
    }
    return value >= 0;
}

static void take_guest(
    const struct json *said, uint64_t at_ms, bool has_network, struct machine_figures *figures)
{
    uint64_t available;
    figures->has_guest = take_number(said, MONITOR_GUEST_LOAD, &figures->guest_load) &&
                         take_number(said, MONITOR_GUEST_MEMORY, &figures->guest_memory_bytes) &&
                         take_number(said, MONITOR_GUEST_AVAILABLE, &available) &&
                         available <= figures->guest_memory_bytes;
    if (figures->has_guest) {
        figures->guest_used_bytes = figures->guest_memory_bytes - available;
    }
    if (has_network && figures->network_from != FIGURES_LINK &&
        take_number(said, MONITOR_GUEST_RECEIVED, &figures->net_received_bytes) &&
        take_number(said, MONITOR_GUEST_SENT, &figures->net_sent_bytes)) {
        figures->net_at_ms = at_ms;
        figures->network_from = FIGURES_GUEST;
    }
}

/* Nobody where the monitor is gone. */
static void ask(
    int vm_dir, bool is_waiting, const struct cancel *cancel, struct figures_request *request)
{
    struct error ignored = {0};
    auto_json struct json *json = monitor_request_new("figures");
    json_put_bool(json, "wait", is_waiting);
    if (!monitor_connect(vm_dir, json, clock_deadline(MONITOR_TIMEOUT_MS), cancel,
            &request->connection, &ignored)) {
        request->connection.fd = -1;
    }
}

void machine_figures_ask(int vm_dir, const struct cancel *cancel, struct figures_request *request)
{
    ask(vm_dir, true, cancel, request);
}

/* Nothing where the monitor hangs, or is of an older release. */
static void take_answer(struct figures_request *request, const struct machine_handle *handle,
    uint64_t deadline_ms, const struct cancel *cancel, struct machine_figures *figures)
{
    struct error ignored = {0};
    uint64_t at_ms;
    if (request->connection.fd < 0) {
        return;
    }
    auto_json struct json *answer =
        monitor_read_json(&request->connection, deadline_ms, cancel, &ignored);
    const struct json *said = json_get(answer, "guest");
    if (said != NULL && take_number(answer, "at_ms", &at_ms)) {
        take_guest(said, at_ms, handle->net.mode != NET_NONE, figures);
    }
    monitor_connection_done(&request->connection);
}

void machine_figures_take(struct figures_request *request, const struct machine_handle *handle,
    uint64_t deadline_ms, const struct cancel *cancel, struct machine_figures *figures)
{
    *figures = (struct machine_figures){0};
    if (read_tap(handle, figures)) {
        figures->network_from = FIGURES_LINK;
        figures->net_at_ms = clock_monotonic_ms();
    }
    take_answer(request, handle, deadline_ms, cancel, figures);
    figures->at_ms = clock_monotonic_ms();
    figures->cpu_ms = process_cpu_ms(&handle->vmm);
    read_memory(handle->vmm.pid, figures);
    figures->cpu_from = figures->memory_from; /* it is there */
    read_storage(handle->vmm.pid, figures);
    read_group(handle, figures);
}

void machine_figures_read(int vm_dir, const struct machine_handle *handle,
    const struct cancel *cancel, struct machine_figures *figures)
{
    struct figures_request request = {.connection.fd = -1};
    ask(vm_dir, false, cancel, &request);
    machine_figures_take(&request, handle, clock_deadline(MONITOR_TIMEOUT_MS), cancel, figures);
}
