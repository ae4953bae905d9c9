/* SPDX-License-Identifier: MIT */
/* What is true of a machine, from its records and the host's processes. */
#include "vm/machine_control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/process.h"
#include "vm/exit_record.h"
#include "vm/local_socket.h"
#include "vm/machine_identity.h"
#include "vm/monitor.h"
#include "vm/monitor_launch.h"
#include "vm/net_host.h"

#define COMMAND_LINE_MAX (1024 * 1024)
#define SETTLE_KILL_MS 30000
#define SETTLE_LOCK_MS 1000
#define SETTLE_RETRY_MS 5

static const char *const state_names[] = {
    "unknown", "created", "starting", "running", "paused", "stopping", "stopped", "crashed"};

const char *machine_state_name(enum machine_state state)
{
    return state_names[state];
}

/* The uuid must be one whole argument of the process. *is_empty: it has no command line. */
static bool command_line_holds(pid_t pid, const char *uuid, bool *is_empty)
{
    *is_empty = true;
    char path[32];
    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    auto_done(text) struct text line = {0};
    struct error ignored = {0};
    if (fd < 0 || !file_read_fd(fd, path, COMMAND_LINE_MAX, &line, &ignored)) {
        return false;
    }
    *is_empty = line.len == 0;
    for (size_t at = 0; at < line.len; at += strlen(line.data + at) + 1) {
        if (strcmp(line.data + at, uuid) == 0) {
            return true;
        }
    }
    return false;
}

bool machine_process_is_ours(
    const struct machine_handle *handle, const struct process_identity *identity)
{
    bool is_empty;
    return strcmp(handle->boot_id, process_boot_id()) == 0 && process_is_alive(identity) &&
           command_line_holds(identity->pid, handle->uuid, &is_empty);
}

bool machine_process_is_gone(
    const struct machine_handle *handle, const struct process_identity *identity)
{
    bool is_empty;
    return strcmp(handle->boot_id, process_boot_id()) != 0 || !process_is_alive(identity) ||
           (!command_line_holds(identity->pid, handle->uuid, &is_empty) && !is_empty);
}

static enum machine_state state_of_exit(const struct machine_exit *exit)
{
    if (exit->is_given_up) {
        return MACHINE_CRASHED;
    }
    switch (exit->reason) {
    case MACHINE_EXIT_GUEST_POWEROFF:
    case MACHINE_EXIT_GUEST_REBOOT:
        return MACHINE_STOPPED;
    case MACHINE_EXIT_KILLED:
        return exit->is_requested ? MACHINE_STOPPED : MACHINE_CRASHED;
    case MACHINE_EXIT_PANIC:
    case MACHINE_EXIT_VMM_ERROR:
        return MACHINE_CRASHED;
    }
    return MACHINE_UNKNOWN;
}

static enum machine_state state_of_running(const struct machine_timeline *timeline)
{
    if (timeline->at_ms[MACHINE_STAGE_VMM] == MACHINE_STAGE_UNREACHED) {
        return MACHINE_STARTING;
    }
    if (timeline->is_stopping) {
        return MACHINE_STOPPING;
    }
    return timeline->is_paused ? MACHINE_PAUSED : MACHINE_RUNNING;
}

static enum machine_state decide(const struct machine_handle *handle,
    const struct machine_exit *exit, const struct machine_timeline *timeline)
{
    if (handle != NULL && machine_process_is_ours(handle, &handle->vmm)) {
        return state_of_running(timeline);
    }
    if (handle != NULL && machine_process_is_ours(handle, &handle->monitor)) {
        /* The monitor is writing how it ended, or waits before it begins again. */
        return timeline->is_restarting ? MACHINE_STARTING : MACHINE_STOPPING;
    }
    if (exit != NULL) {
        return state_of_exit(exit);
    }
    return handle != NULL ? MACHINE_CRASHED : MACHINE_CREATED;
}

enum machine_state machine_status(
    int vm_dir, const struct machine_handle *handle, const struct machine_exit *exit)
{
    struct machine_timeline timeline;
    struct error ignored = {0};
    machine_timeline_read(vm_dir, &timeline, &ignored);
    enum machine_state state = decide(handle, exit, &timeline);
    machine_timeline_done(&timeline);
    return state;
}

static bool is_unreadable(const struct error *failure)
{
    return failure->code != ERROR_NONE && failure->code != ERROR_NOT_FOUND;
}

static void look_once(int vm_dir, struct machine_facts *facts)
{
    *facts = (struct machine_facts){0};
    struct error handle_failure = {0};
    struct error exit_failure = {0};
    struct error ignored = {0};
    facts->has_handle = machine_handle_read(vm_dir, &facts->handle, &handle_failure);
    facts->has_exit = machine_exit_read(vm_dir, &facts->exit, &exit_failure);
    facts->has_timeline = machine_timeline_read(vm_dir, &facts->timeline, &ignored);
    if (is_unreadable(&handle_failure) || is_unreadable(&exit_failure)) {
        facts->state = MACHINE_UNKNOWN;
        return;
    }
    facts->is_monitored =
        facts->has_handle && machine_process_is_ours(&facts->handle, &facts->handle.monitor);
    facts->state = decide(facts->has_handle ? &facts->handle : NULL,
        facts->has_exit ? &facts->exit : NULL, &facts->timeline);
}

void machine_look(int vm_dir, struct machine_facts *facts)
{
    look_once(vm_dir, facts);
    /* Between reading the handle and asking for its process the machine may have ended in order, or
     * it was started between reading the handle and the exit, or began again between reading the
     * handle and the timeline: the second look sees it settled. */
    bool is_gone = facts->state == MACHINE_CRASHED && facts->has_handle;
    bool is_going = facts->state == MACHINE_STOPPING && !facts->timeline.is_stopping;
    if (is_gone || is_going || (facts->state == MACHINE_CREATED && facts->has_timeline)) {
        machine_facts_done(facts);
        look_once(vm_dir, facts);
    }
}

void machine_facts_done(struct machine_facts *facts)
{
    machine_timeline_done(&facts->timeline);
}

/* A VMM whose monitor died while it was being started: nobody was ever told that it runs. */
static bool is_stillborn(const struct machine_facts *facts)
{
    return facts->state == MACHINE_STARTING && !facts->is_monitored;
}

static void kill_stillborn(const struct machine_handle *handle)
{
    struct error ignored = {0};
    auto_close int pidfd = process_open(&handle->vmm);
    if (pidfd >= 0 && process_signal(&handle->vmm, SIGKILL, &ignored)) {
        local_socket_wait(pidfd, POLLIN, clock_deadline(SETTLE_KILL_MS), NULL, &ignored);
    }
}

static bool write_lost_exit(int vm_dir, const struct machine_handle *handle, struct error *err)
{
    struct machine_exit exit = {.reason = MACHINE_EXIT_VMM_ERROR,
        .code = -1,
        .at = clock_wall(),
        .started_at = handle->started_at};
    bool is_other_boot = strcmp(handle->boot_id, process_boot_id()) != 0;
    snprintf(exit.detail, sizeof(exit.detail), "%s",
        is_other_boot ? "the host went down while it ran"
                      : "it ended without its monitor, so nobody saw how");
    auto_json struct json *json = machine_exit_to_json(&exit);
    return exit_record_write(vm_dir, json, err);
}

/* A monitor holds this lock from before its first trace to after its last; while we hold it, none is
 * there. A VMM that waits for its exec has it too, but not for long after its monitor died. False
 * when there is a monitor; *lock stays -1 where there never was one. */
static bool lock_out_monitors(int vm_dir, int *lock)
{
    uint64_t deadline = clock_deadline(SETTLE_LOCK_MS);
    auto_close int fd = openat(vm_dir, MONITOR_LOCK, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (clock_left_ms(deadline) == 0) {
            return false;
        }
        poll(NULL, 0, SETTLE_RETRY_MS);
    }
    *lock = take_fd(&fd);
    return true;
}

bool machine_settle(int vm_dir, struct error *err)
{
    struct machine_handle running;
    struct error ignored = {0};
    if (machine_handle_read(vm_dir, &running, &ignored) &&
        machine_process_is_ours(&running, &running.monitor)) {
        return false; /* the usual case, without a wait for the lock */
    }
    auto_close int lock = -1;
    if (!lock_out_monitors(vm_dir, &lock)) {
        return false;
    }
    auto_done(machine_facts) struct machine_facts facts;
    machine_look(vm_dir, &facts);
    bool is_still = is_stillborn(&facts);
    if (is_still) {
        kill_stillborn(&facts.handle);
    }
    bool is_over = is_still || facts.state == MACHINE_CREATED || facts.state == MACHINE_STOPPED ||
                   facts.state == MACHINE_CRASHED;
    if (!is_over ||
        (facts.has_handle && !facts.has_exit && !write_lost_exit(vm_dir, &facts.handle, err))) {
        return false;
    }
    if (facts.has_handle && net_mode_is_bridged(facts.handle.net.mode) &&
        !net_host_end(vm_dir, &facts.handle.net, &ignored)) {
        error_clear(&ignored); /* found by host gc */
    }
    if (facts.has_handle && facts.handle.cgroup[0] != '\0') {
        cgroup_kill(facts.handle.cgroup); /* no monitor is there, and no VMM */
        cgroup_remove(facts.handle.cgroup);
    }
    launch_sweep(vm_dir);
    return facts.has_handle && unlinkat(vm_dir, MACHINE_HANDLE_FILE, 0) == 0;
}
