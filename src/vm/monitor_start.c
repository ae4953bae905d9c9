/* SPDX-License-Identifier: MIT */
/* How a monitor starts its VMM: the record, then the exec, then the VMM's answer; and how it takes
 * everything down again when that fails. */
#include "vm/monitor_state.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/process.h"
#include "vm/exit_record.h"

#define DEATH_MS 1000

/* Only its path: the record comes first. In a boot after the first, its monitor is in it. */
static void fill_cgroup(struct machine_handle *handle)
{
    struct cgroup_use use;
    auto_free char *path = cgroup_of_machine(handle->uuid);
    if (path == NULL) {
        return;
    }
    cgroup_read(path, &use);
    snprintf(handle->cgroup, sizeof(handle->cgroup), "%s", path);
    handle->cgroup_cpu_ms = use.cpu_ms;
}

char *monitor_state_path(void)
{
    char path[PATH_MAX];
    if (getcwd(path, sizeof(path)) == NULL) {
        return NULL;
    }
    for (int i = 0; i < 2; i++) {
        char *slash = strrchr(path, '/');
        if (slash == NULL) {
            return NULL;
        }
        *slash = '\0';
    }
    return memory_strdup(path);
}

static bool enter_cgroup(const char *path, struct error *err)
{
    auto_free char *owner = monitor_state_path();
    return cgroup_make(path, owner != NULL ? owner : "", err) && cgroup_enter(path, 0, err);
}

/* Without it, the machine runs as well: its figures come from its process. */
static void join_cgroup(const struct monitor *monitor)
{
    const char *path = monitor->handle.cgroup;
    struct error failure = {0};
    if (path[0] == '\0') {
        return;
    }
    if (!enter_cgroup(path, &failure) || !cgroup_enter(path, monitor->launch.pid, &failure)) {
        log_write(LOG_WARNING, "%s", failure.text);
    } else if (monitor->handle.unit[0] != '\0') {
        cgroup_count(path, true);
    }
}

static bool fill_handle(struct monitor *monitor, struct error *err)
{
    struct machine_handle *handle = &monitor->handle;
    *handle = (struct machine_handle){.monitor = process_self(),
        .started_at = clock_wall(),
        .log_offset = monitor->log.end,
        .net = monitor->order.net,
        .port_count = monitor->order.port_count};
    memcpy(handle->ports, monitor->order.ports, sizeof(handle->ports));
    snprintf(handle->boot_id, sizeof(handle->boot_id), "%s", process_boot_id());
    snprintf(handle->uuid, sizeof(handle->uuid), "%s", monitor->order.uuid);
    snprintf(handle->kind, sizeof(handle->kind), "%s", monitor->order.plan.kind);
    snprintf(handle->accel, sizeof(handle->accel), "%s", accel_name(monitor->order.plan.accel));
    if (!process_identify(monitor->launch.pid, &handle->vmm)) {
        return error_set(err, ERROR_VMM, "the process for the VMM died before it began");
    }
    fill_cgroup(handle);
    user_manager_unit_of(handle->vmm.pid, handle->uuid, handle->unit);
    return true;
}

/* Record, then exec, then the VMM's answer. */
bool monitor_start_vmm(struct monitor *monitor, struct error *err)
{
    if (!launch_prepare(&monitor->order, monitor->vm_dir, &monitor->launch, err) ||
        !fill_handle(monitor, err)) {
        return false;
    }
    if (!exit_record_reserve(monitor->vm_dir, err)) {
        return false;
    }
    unlinkat(monitor->vm_dir, MACHINE_EXIT_FILE, 0);
    machine_timeline_init(&monitor->timeline);
    monitor->timeline.started_at = monitor->handle.started_at;
    monitor->timeline.restarts = monitor->restarts;
    /* Until the handle names the new VMM, a look finds the dead one and must not call it the end. */
    monitor->timeline.is_restarting = monitor->restarts > 0;
    monitor_tell(monitor);
    auto_json struct json *record = machine_handle_to_json(&monitor->handle);
    if (!monitor_record(monitor, MACHINE_HANDLE_FILE, record, err)) {
        return false;
    }
    monitor->timeline.is_restarting = false;
    monitor->is_adopted = false; /* this one is our child */
    monitor->order.is_adoption = false;
    if (!monitor->is_forgotten) {
        monitor_order_keep(monitor->vm_dir, &monitor->order);
    }
    monitor_answer_handle(monitor, "recorded", false);
    join_cgroup(monitor);
    monitor->exec_ms = clock_monotonic_ms();
    if (!launch_release(&monitor->order, &monitor->launch, err)) {
        return false;
    }
    monitor_network_began(monitor);
    monitor_begin_agent(monitor);
    struct vmm_start start = {.plan = &monitor->order.plan,
        .vm_dir = monitor->vm_dir,
        .events_fd = monitor->launch.lines[VMM_LINE_EVENTS],
        .pidfd = monitor->launch.pidfd,
        .timeout_ms = monitor->order.start_timeout_ms};
    if (monitor->backend->boot != NULL && !monitor->backend->boot(&start, &monitor->events, err)) {
        return false;
    }
    vmm_plan_forget_memory(&monitor->order.plan); /* a reboot of its guest is a boot */
    monitor_reach(monitor, MACHINE_STAGE_VMM);
    monitor_take_events(monitor);
    monitor_tell(monitor);
    return true;
}

/* True when the engine hung up before it knew: it wants nothing of this any more. */
bool monitor_is_given_up(const struct monitor *monitor)
{
    struct pollfd channel = {.fd = monitor->channel_fd, .events = POLLIN};
    return poll(&channel, 1, 0) > 0;
}

/* By itself: its end of a line goes a moment before it does. */
static bool has_died(struct monitor *monitor)
{
    struct pollfd gone = {.fd = monitor->launch.pidfd, .events = POLLIN};
    return poll(&gone, 1, DEATH_MS) > 0 && monitor_reap(monitor, WNOHANG);
}

/* The VMM's own words where it has any; else how it ended, which tells more than what failed because
 * of that. */
static void explain_start(const struct monitor *monitor, const struct machine_exit *exit,
    bool was_dead, struct error *failure)
{
    char words[640];
    monitor_last_words(monitor, words, sizeof(words));
    if (words[0] == '\0' && was_dead && monitor->launch.has_begun) {
        machine_exit_describe(exit, words, sizeof(words));
    }
    if (words[0] != '\0') {
        error_clear(failure);
        error_set(failure, ERROR_VMM, "it did not start: %s", words);
    }
}

/* Takes down what was begun, and says in one sentence why. */
void monitor_fail_start(struct monitor *monitor, struct error *failure)
{
    bool has_vmm = monitor->launch.pidfd >= 0;
    bool is_silence = failure->code == ERROR_IO || failure->code == ERROR_NOT_FOUND;
    bool was_dead = has_vmm && is_silence && has_died(monitor);
    monitor_kill_vmm(monitor);
    if (has_vmm && monitor->handle.vmm.pid != 0) {
        struct machine_exit exit = {0};
        bool was_started = monitor->launch.gate_fd < 0;
        monitor->is_requested = monitor->is_requested || failure->code == ERROR_CANCELLED;
        monitor_finish(monitor, &exit);
        if (was_started && failure->code != ERROR_CANCELLED) {
            explain_start(monitor, &exit, was_dead, failure);
        }
    } else {
        unlinkat(monitor->vm_dir, MACHINE_HANDLE_FILE, 0);
        launch_sweep(monitor->vm_dir);
    }
    log_write(LOG_ERROR, "%s", failure->text);
    monitor_answer_error(monitor, failure);
}
