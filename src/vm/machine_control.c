/* SPDX-License-Identifier: MIT */
/* Waiting for machines, and ending them. */
#include "vm/machine_control.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/progress.h"
#include "vm/agent_client.h"
#include "vm/exit_record.h"
#include "vm/local_socket.h"
#include "vm/machine_identity.h"
#include "vm/monitor_client.h"
#include "vm/vmm.h"

#define CALL_TIMEOUT_MS 5000
#define GRACE_DEFAULT_MS 10000
#define TERM_GRACE_MS 3000
#define KILL_GRACE_MS 60000 /* freeing the memory of a big guest takes a while */
#define MONITOR_GRACE_MS 10000
#define SYNC_SHARE 2 /* the agent gets half of the grace, ctrl-alt-del the rest */

/* ---- waiting -------------------------------------------------------------------------------- */

static void report_stages(const struct progress *progress, const struct machine_timeline *timeline)
{
    uint64_t reached = 0;
    const char *last = NULL;
    for (int i = 0; i < MACHINE_STAGE_COUNT; i++) {
        if (timeline->at_ms[i] != MACHINE_STAGE_UNREACHED) {
            reached = (uint64_t)i + 1;
            last = machine_stage_name((enum machine_stage)i);
        }
    }
    progress_report(progress, PROGRESS_BOOT, PROGRESS_STEPS, reached, MACHINE_STAGE_COUNT);
    if (last != NULL) {
        progress_note(progress, "reached %s", last);
    }
}

static const char *last_stage(const struct machine_timeline *timeline)
{
    const char *last = "nothing";
    for (int i = 0; i < MACHINE_STAGE_COUNT; i++) {
        if (timeline->at_ms[i] != MACHINE_STAGE_UNREACHED) {
            last = machine_stage_name((enum machine_stage)i);
        }
    }
    return last;
}

static bool fail_by_exit(
    const struct machine_exit *exit, const struct machine_timeline *timeline, struct error *err)
{
    char sentence[640];
    return error_set(err, ERROR_VMM, "the machine ended before it was ready (%s; last stage: %s)",
        machine_exit_describe(exit, sentence, sizeof(sentence)), last_stage(timeline));
}

/* No monitor to listen to: the records say what there is to say. */
static bool ready_by_records(int vm_dir, struct machine_timeline *timeline, struct error *err)
{
    struct error ignored = {0};
    struct machine_facts facts;
    machine_look(vm_dir, &facts);
    machine_timeline_done(timeline);
    machine_timeline_read(vm_dir, timeline, &ignored);
    bool is_running = facts.state == MACHINE_RUNNING || facts.state == MACHINE_PAUSED ||
                      facts.state == MACHINE_STARTING;
    bool is_ready = is_running && machine_timeline_is_ready(timeline);
    if (!is_ready && facts.has_exit) {
        fail_by_exit(&facts.exit, timeline, err);
    } else if (!is_ready && is_running) {
        error_set(err, ERROR_UNSUPPORTED,
            "the machine runs but its monitor is gone: stop it and start it again");
    } else if (!is_ready) {
        error_set(err, ERROR_VMM, "the machine is not running");
    }
    machine_facts_done(&facts);
    return is_ready;
}

/* One event line; false ends the wait with *err set or, when the connection ended, not. */
static bool take_event(const struct json *event, struct machine_timeline *timeline,
    const struct progress *progress, struct error *err)
{
    const struct json *boot = json_get(event, "boot");
    const struct json *ended = json_get(event, "exit");
    if (boot != NULL) {
        machine_timeline_done(timeline);
        if (!machine_timeline_from_json(boot, timeline, err)) {
            return false;
        }
        report_stages(progress, timeline);
    }
    if (ended != NULL) {
        struct machine_exit exit;
        return machine_exit_from_json(ended, &exit, err) && fail_by_exit(&exit, timeline, err);
    }
    return true;
}

static bool ready_by_events(struct monitor_connection *connection, uint64_t deadline,
    const struct progress *progress, const struct cancel *cancel, struct machine_timeline *timeline,
    struct error *err)
{
    while (!machine_timeline_is_ready(timeline)) {
        auto_json struct json *event = monitor_read_json(connection, deadline, cancel, err);
        if (event == NULL || !take_event(event, timeline, progress, err)) {
            return false;
        }
    }
    return true;
}

bool machine_wait_ready(int vm_dir, const struct machine_handle *handle, uint64_t timeout_ms,
    const struct progress *progress, const struct cancel *cancel, struct machine_timeline *timeline,
    struct error *err)
{
    (void)handle;
    machine_timeline_init(timeline);
    struct monitor_connection connection;
    struct error failure = {0};
    uint64_t deadline = clock_deadline(timeout_ms);
    auto_json struct json *request = monitor_request_new("events");
    if (!monitor_connect(vm_dir, request, deadline, cancel, &connection, &failure)) {
        if (failure.code == ERROR_NOT_FOUND) {
            return ready_by_records(vm_dir, timeline, err);
        }
        *err = failure;
        return false;
    }
    bool is_ready = ready_by_events(&connection, deadline, progress, cancel, timeline, &failure);
    monitor_connection_done(&connection);
    if (is_ready) {
        return true;
    }
    if (failure.code == ERROR_TIMEOUT) {
        return error_set(err, ERROR_TIMEOUT,
            "the machine is not ready in time; the last stage it reached is %s",
            last_stage(timeline));
    }
    if (failure.code == ERROR_IO) {
        return ready_by_records(vm_dir, timeline, err);
    }
    *err = failure;
    return false;
}

static bool wait_gone(const struct machine_handle *handle, const struct process_identity *identity,
    uint64_t deadline, const struct cancel *cancel, struct error *err)
{
    auto_close int pidfd = process_open(identity);
    if (pidfd < 0 && errno != ESRCH) {
        return error_set_errno(err, errno, "cannot look at process %d", (int)identity->pid);
    }
    return pidfd < 0 || machine_process_is_gone(handle, identity) ||
           local_socket_wait(pidfd, POLLIN, deadline, cancel, err);
}

/* exit.json once VMM and monitor are gone; a monitor that died first is made up for. */
static bool collect_exit(int vm_dir, struct machine_exit *exit, struct error *err)
{
    struct machine_exit read;
    struct error failure = {0};
    if (!machine_exit_read(vm_dir, &read, &failure)) {
        struct error ignored = {0};
        machine_settle(vm_dir, &ignored);
        if (!machine_exit_read(vm_dir, &read, err)) {
            return error_wrap(err, "how the machine ended");
        }
    }
    if (exit != NULL) {
        *exit = read;
    }
    return true;
}

bool machine_wait_exit(int vm_dir, const struct machine_handle *handle, uint64_t timeout_ms,
    const struct cancel *cancel, struct machine_exit *exit, struct error *err)
{
    uint64_t deadline = clock_deadline(timeout_ms);
    if (strcmp(handle->boot_id, process_boot_id()) == 0) {
        /* The monitor is there until the machine has ended for good: a VMM that ends may be followed
         * by another. Only of one whose monitor died is the VMM all there is to wait for. */
        struct machine_handle now = *handle;
        struct error ignored = {0};
        if (!wait_gone(handle, &handle->monitor, deadline, cancel, err)) {
            return error_wrap(err, "the machine still runs");
        }
        machine_handle_read(vm_dir, &now, &ignored);
        if (strcmp(now.uuid, handle->uuid) == 0 &&
            !wait_gone(&now, &now.vmm, deadline, cancel, err)) {
            return error_wrap(err, "the machine still runs");
        }
    }
    return collect_exit(vm_dir, exit, err);
}

/* Its VMM is gone, but it does not follow: stopped by somebody, or held by a disk that does not
 * answer. Nobody could end the machine for good any more, so it is ended, and what it had to write
 * is written. */
static bool end_stuck_monitor(
    int vm_dir, const struct machine_handle *handle, const struct cancel *cancel, struct error *err)
{
    struct error failure = {0};
    if (!machine_process_is_ours(handle, &handle->monitor)) {
        return true;
    }
    if (!process_signal(&handle->monitor, SIGKILL, &failure) && failure.code != ERROR_NOT_FOUND) {
        *err = failure;
        return false;
    }
    if (!wait_gone(handle, &handle->monitor, clock_deadline(KILL_GRACE_MS), cancel, err)) {
        return error_wrap(err, "the machine's monitor, process %d, does not end even when killed",
            (int)handle->monitor.pid);
    }
    struct machine_exit exit;
    error_clear(&failure);
    bool has_exit = machine_exit_read(vm_dir, &exit, &failure);
    if (error_is_blind(&failure)) {
        *err = failure; /* it may have told how it ended */
        return false;
    }
    if (!has_exit) {
        exit = (struct machine_exit){.reason = MACHINE_EXIT_KILLED,
            .code = -1,
            .at = clock_wall(),
            .started_at = handle->started_at,
            .is_requested = true};
        auto_json struct json *json = machine_exit_to_json(&exit);
        if (!exit_record_write(vm_dir, json, err)) {
            return false;
        }
    }
    machine_settle(vm_dir, &failure);
    return true;
}

/* Of an end that was asked for, after which nothing begins again. */
static bool await_end(int vm_dir, const struct machine_handle *handle, uint64_t timeout_ms,
    const struct cancel *cancel, struct machine_exit *exit, struct error *err)
{
    uint64_t deadline = clock_deadline(timeout_ms);
    /* Pid and start time are enough for waiting: a process that is about to end has no command line
     * any more, but still holds its memory and its locks. */
    if (strcmp(handle->boot_id, process_boot_id()) == 0) {
        if (!wait_gone(handle, &handle->vmm, deadline, cancel, err)) {
            return error_wrap(err, "the machine still runs");
        }
        struct error stuck = {0};
        if (!wait_gone(
                handle, &handle->monitor, clock_deadline(MONITOR_GRACE_MS), cancel, &stuck)) {
            if (stuck.code != ERROR_TIMEOUT) {
                *err = stuck;
                return error_wrap(err, "the machine's monitor");
            }
            if (!end_stuck_monitor(vm_dir, handle, cancel, err)) {
                return false;
            }
        }
    }
    return collect_exit(vm_dir, exit, err);
}

/* ---- ending --------------------------------------------------------------------------------- */

/* The monitor writes it into the record, and from then on begins no VMM again, for as long as the
 * connection is held; the VMM there is now is in *now. Without a monitor there is nobody to tell. */
static void announce_stop(int vm_dir, const struct machine_handle *handle, uint64_t grace_ms,
    struct machine_handle *now, struct monitor_connection *held)
{
    struct machine_handle read;
    struct error ignored = {0};
    *now = *handle;
    *held = (struct monitor_connection){.fd = -1};
    if (!machine_process_is_ours(handle, &handle->monitor)) {
        return;
    }
    auto_json struct json *request = monitor_request_new("stop");
    json_put_bool(request, "held", true);
    json_put_integer(request, "grace_ms", (int64_t)grace_ms);
    monitor_request(vm_dir, request, clock_deadline(CALL_TIMEOUT_MS), NULL, held, &ignored);
    if (machine_handle_read(vm_dir, &read, &ignored) && strcmp(read.uuid, handle->uuid) == 0) {
        *now = read;
    }
}

/* It goes on after all. */
static void withdraw_stop(int vm_dir)
{
    struct monitor_connection connection;
    struct error ignored = {0};
    auto_json struct json *request = monitor_request_new("stop");
    json_put_bool(request, "withdrawn", true);
    if (monitor_request(
            vm_dir, request, clock_deadline(CALL_TIMEOUT_MS), NULL, &connection, &ignored)) {
        monitor_connection_done(&connection);
    }
}

/* True when the VMM was gone within the time; false also on cancel, with *err set. */
static bool is_gone_within(const struct machine_handle *handle, uint64_t timeout_ms,
    const struct cancel *cancel, struct error *err)
{
    struct error failure = {0};
    auto_close int pidfd = process_open(&handle->vmm);
    if (pidfd < 0 && errno != ESRCH) {
        return error_set_errno(err, errno, "cannot look at process %d", (int)handle->vmm.pid);
    }
    if (pidfd < 0 ||
        local_socket_wait(pidfd, POLLIN, clock_deadline(timeout_ms), cancel, &failure)) {
        return true;
    }
    if (failure.code == ERROR_CANCELLED) {
        *err = failure;
    }
    return false;
}

/* Each means in turn, until one works. False only on cancel. */
static bool end_gently(int vm_dir, const struct machine_handle *handle, uint64_t grace_ms,
    const struct progress *progress, const struct cancel *cancel, struct error *err)
{
    const struct vmm_backend *backend = vmm_find(handle->kind);
    struct error ignored = {0};
    struct machine_timeline timeline;
    machine_timeline_read(vm_dir, &timeline, &ignored);
    bool has_agent = machine_timeline_is_ready(&timeline);
    bool is_paused = timeline.is_paused;
    machine_timeline_done(&timeline);
    uint64_t begin = clock_monotonic_ms();
    if (is_paused && backend != NULL && backend->resume != NULL) {
        struct error failure = {0};
        backend->resume(vm_dir, CALL_TIMEOUT_MS, cancel, &failure); /* asleep it hears nothing */
    }
    if (has_agent) {
        progress_note(progress, "asking the guest to power off");
        struct error failure = {0};
        uint64_t share = grace_ms / SYNC_SHARE;
        bool (*ask)(int, uint64_t, const struct cancel *, struct error *) =
            backend != NULL && backend->ends_by_reboot ? agent_reboot : agent_poweroff;
        bool is_asked =
            agent_sync(vm_dir, share, cancel, &failure) && ask(vm_dir, share, cancel, &failure);
        if ((is_asked && is_gone_within(handle, share, cancel, err)) || cancel_check(cancel, err)) {
            return err->code != ERROR_CANCELLED;
        }
    }
    uint64_t used = clock_monotonic_ms() - begin;
    if (backend != NULL && backend->press_ctrl_alt_del != NULL && used < grace_ms) {
        progress_note(progress, "pressing ctrl-alt-del");
        struct error failure = {0};
        if (backend->press_ctrl_alt_del(vm_dir, CALL_TIMEOUT_MS, cancel, &failure)) {
            is_gone_within(handle, grace_ms - used, cancel, err);
        }
    }
    return err->code != ERROR_CANCELLED;
}

static bool end_by_force(
    const struct machine_handle *handle, const struct cancel *cancel, struct error *err)
{
    static const struct {
        int signal;
        uint64_t grace_ms;
    } steps[] = {{SIGTERM, TERM_GRACE_MS}, {SIGKILL, KILL_GRACE_MS}};
    for (size_t i = 0; i < array_length(steps); i++) {
        struct error failure = {0};
        if (!machine_process_is_ours(handle, &handle->vmm)) {
            return true;
        }
        if (!process_signal(&handle->vmm, steps[i].signal, &failure) &&
            failure.code != ERROR_NOT_FOUND) {
            *err = failure;
            return false;
        }
        if (is_gone_within(handle, steps[i].grace_ms, cancel, err)) {
            return true;
        }
        if (err->code != ERROR_NONE) {
            return false;
        }
    }
    return error_set(err, ERROR_TIMEOUT, "the machine's process %d does not end even when killed",
        (int)handle->vmm.pid);
}

bool machine_stop(int vm_dir, const struct machine_handle *handle, uint64_t grace_ms,
    const struct progress *progress, const struct cancel *cancel, struct machine_exit *exit,
    struct error *err)
{
    if (cancel_check(cancel, err)) {
        return false;
    }
    struct machine_handle now;
    auto_done(monitor_connection) struct monitor_connection held;
    uint64_t grace = grace_ms != 0 ? grace_ms : GRACE_DEFAULT_MS;
    announce_stop(vm_dir, handle, grace, &now, &held);
    handle = &now;
    if (machine_process_is_ours(handle, &handle->vmm)) {
        struct error failure = {0};
        if (!end_gently(vm_dir, handle, grace, progress, cancel, &failure) ||
            !end_by_force(handle, cancel, &failure)) {
            *err = failure;
            withdraw_stop(vm_dir);
            return false;
        }
    }
    return await_end(vm_dir, handle, 0, cancel, exit, err);
}

bool machine_kill(int vm_dir, const struct machine_handle *handle, int signal,
    const struct cancel *cancel, struct machine_exit *exit, struct error *err)
{
    bool is_end = signal == SIGKILL || signal == SIGTERM;
    struct machine_handle now;
    auto_done(monitor_connection) struct monitor_connection held = {.fd = -1};
    if (is_end) {
        announce_stop(vm_dir, handle, TERM_GRACE_MS, &now, &held);
        handle = &now;
    }
    if (!machine_process_is_ours(handle, &handle->vmm)) {
        return is_end ? await_end(vm_dir, handle, 0, cancel, exit, err)
                      : error_set(err, ERROR_NOT_FOUND, "the machine is not running");
    }
    struct error failure = {0};
    if (!process_signal(&handle->vmm, signal, &failure) && failure.code != ERROR_NOT_FOUND) {
        *err = failure;
        return false;
    }
    return !is_end || await_end(vm_dir, handle, KILL_GRACE_MS, cancel, exit, err);
}
