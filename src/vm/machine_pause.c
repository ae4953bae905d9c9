/* SPDX-License-Identifier: MIT */
/* Pausing a machine and letting it go on; done once its record says so too. */
#include "vm/machine_control.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "vm/machine_identity.h"
#include "vm/monitor_client.h"
#include "vm/vmm.h"

#define CALL_TIMEOUT_MS 5000

/* A VMM that has no events: the monitor is told by us. */
static bool tell_monitor(
    int vm_dir, bool is_paused, uint64_t deadline, const struct cancel *cancel, struct error *err)
{
    struct monitor_connection connection;
    auto_json struct json *request = monitor_request_new("paused");
    json_put_bool(request, "is", is_paused);
    if (!monitor_request(vm_dir, request, deadline, cancel, &connection, err)) {
        return false;
    }
    monitor_connection_done(&connection);
    return true;
}

/* The monitor hears of it by an event and writes it down; a machine without a monitor has nobody
 * who could. */
static bool await_record(struct monitor_connection *connection, bool is_paused, uint64_t deadline,
    const struct cancel *cancel, struct error *err)
{
    for (;;) {
        auto_json struct json *event = monitor_read_json(connection, deadline, cancel, err);
        if (event == NULL) {
            return false;
        }
        const struct json *boot = json_get(event, "boot");
        if (boot != NULL && json_bool(boot, "paused", false) == is_paused) {
            return true;
        }
    }
}

static bool change(int vm_dir, const struct machine_handle *handle, bool is_pause,
    const struct cancel *cancel, struct error *err)
{
    const struct vmm_backend *backend = vmm_find(handle->kind);
    if (backend == NULL || backend->pause == NULL || backend->resume == NULL) {
        return error_set(err, ERROR_UNSUPPORTED, "machines on %s cannot be paused", handle->kind);
    }
    if (!machine_process_is_ours(handle, &handle->vmm)) {
        return error_set(err, ERROR_NOT_FOUND, "the machine is not running");
    }
    struct monitor_connection connection;
    struct error failure = {0};
    uint64_t deadline = clock_deadline(CALL_TIMEOUT_MS);
    auto_json struct json *request = monitor_request_new("events");
    bool is_heard = monitor_connect(vm_dir, request, deadline, cancel, &connection, &failure);
    bool is_done = is_pause ? backend->pause(vm_dir, CALL_TIMEOUT_MS, cancel, err)
                            : backend->resume(vm_dir, CALL_TIMEOUT_MS, cancel, err);
    if (is_heard) {
        bool is_told = backend->read_event != NULL || !is_done ||
                       tell_monitor(vm_dir, is_pause, deadline, cancel, err);
        is_done = is_done && is_told && await_record(&connection, is_pause, deadline, cancel, err);
        monitor_connection_done(&connection);
    }
    return is_done;
}

bool machine_pause(
    int vm_dir, const struct machine_handle *handle, const struct cancel *cancel, struct error *err)
{
    return change(vm_dir, handle, true, cancel, err);
}

bool machine_resume(
    int vm_dir, const struct machine_handle *handle, const struct cancel *cancel, struct error *err)
{
    return change(vm_dir, handle, false, cancel, err);
}
