/* SPDX-License-Identifier: MIT */
/* A monitor for a VMM that lost its own: the sockets of the lines are the VMM's, so a new one can
 * connect. What the serial port said in between is lost, and so is the exit status; where the port
 * was a terminal of the dead monitor's, it stays silent. */
#include "vm/monitor_state.h"

#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/process.h"
#include "vm/local_socket.h"
#include "vm/machine_identity.h"

#define CONNECT_TIMEOUT_MS 5000

static bool find_vmm(struct monitor *monitor, struct error *err)
{
    struct machine_handle *handle = &monitor->handle;
    if (!machine_handle_read(monitor->vm_dir, handle, err)) {
        return false;
    }
    monitor->launch.pidfd = process_open(&handle->vmm);
    if (strcmp(handle->uuid, monitor->order.uuid) != 0 || monitor->launch.pidfd < 0 ||
        !machine_process_is_ours(handle, &handle->vmm)) {
        return error_set(err, ERROR_NOT_FOUND, "the machine is not running any more");
    }
    monitor->launch.pid = handle->vmm.pid;
    monitor->order.port_count = handle->port_count;
    memcpy(monitor->order.ports, handle->ports, sizeof(handle->ports));
    monitor->is_adopted = true;
    return true;
}

/* So that its policy goes on, and a reboot of its guest is one: the VMM's lines are as they were. */
static bool find_order(struct monitor *monitor, struct error *err)
{
    struct monitor_order kept;
    if (!monitor_order_find(monitor->vm_dir, monitor->order.uuid, &kept, err)) {
        return err->code == ERROR_NONE;
    }
    vmm_plan_forget_memory(&kept.plan);
    vmm_plan_done(&monitor->order.plan);
    monitor->order.plan = kept.plan;
    monitor->order.restart = kept.restart;
    monitor->order.net = kept.net;
    kept.plan = (struct vmm_plan){0};
    monitor_order_done(&kept);
    return true;
}

/* How far it is; what it never told is not known. */
static bool find_timeline(struct monitor *monitor, struct error *err)
{
    struct error failure = {0};
    if (!machine_timeline_read(monitor->vm_dir, &monitor->timeline, &failure) &&
        error_is_blind(&failure)) {
        *err = failure;
        return false;
    }
    return true;
}

static bool connect_lines(struct monitor *monitor, struct error *err)
{
    uint64_t deadline = clock_deadline(CONNECT_TIMEOUT_MS);
    for (size_t i = 0; i < VMM_LINE_COUNT; i++) {
        if (i == VMM_LINE_CONTROL || monitor->backend->has_vsock) {
            continue;
        }
        monitor->launch.lines[i] = local_socket_connect(
            monitor->vm_dir, vmm_line_socket((enum vmm_line)i), deadline, NULL, err);
        if (monitor->launch.lines[i] < 0) {
            return false;
        }
    }
    return monitor->backend->attach == NULL ||
           monitor->backend->attach(
               monitor->launch.lines[VMM_LINE_EVENTS], CONNECT_TIMEOUT_MS, &monitor->events, err);
}

bool monitor_adopt(struct monitor *monitor, struct error *err)
{
    struct error ignored = {0};
    /* A record that cannot be read now would be written over with less than it says. */
    if (!find_vmm(monitor, err) || !find_order(monitor, err) || !find_timeline(monitor, err) ||
        !connect_lines(monitor, err) || !monitor_publish_begin(monitor, err)) {
        return false;
    }
    monitor->restarts = monitor->timeline.restarts;
    monitor->timeline.is_stopping = false; /* it would have the lock that this is done under */
    int64_t age = clock_wall() - monitor->handle.started_at;
    uint64_t age_ms = age > 0 ? (uint64_t)age * 1000 : 0;
    uint64_t now_ms = clock_monotonic_ms();
    monitor->exec_ms = age_ms < now_ms ? now_ms - age_ms : 0;
    monitor->handle.monitor = process_self();
    if (monitor->handle.cgroup[0] != '\0' && !cgroup_enter(monitor->handle.cgroup, 0, &ignored)) {
        log_write(LOG_WARNING, "%s", ignored.text);
    }
    auto_json struct json *record = machine_handle_to_json(&monitor->handle);
    if (!monitor_record(monitor, MACHINE_HANDLE_FILE, record, err)) {
        return false;
    }
    log_write(LOG_WARNING, "took over %s, whose monitor had died", monitor->order.name);
    monitor_network_adopt(monitor);
    monitor_room_adopt(monitor);
    monitor_begin_agent(monitor);
    monitor_take_events(monitor);
    monitor_tell(monitor);
    return true;
}
