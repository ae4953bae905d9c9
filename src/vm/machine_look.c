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

/* What is at a handle's pid. */
enum process_look {
    LOOK_OURS,
    LOOK_GONE,   /* no such process, or another one */
    LOOK_ENDING, /* that pid and start time, but without a command line */
    LOOK_HIDDEN, /* the host (too many open files) kept us from looking */
};

/* The uuid must be one whole argument of the process. */
static enum process_look look_at_command_line(pid_t pid, const char *uuid)
{
    char path[32];
    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    auto_done(text) struct text line = {0};
    struct error failure = {0};
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        error_set_errno(&failure, errno, "%s", path);
    }
    if (fd < 0 || !file_read_fd(fd, path, COMMAND_LINE_MAX, &line, &failure)) {
        return error_is_blind(&failure) ? LOOK_HIDDEN : LOOK_ENDING;
    }
    for (size_t at = 0; at < line.len; at += strlen(line.data + at) + 1) {
        if (strcmp(line.data + at, uuid) == 0) {
            return LOOK_OURS;
        }
    }
    return line.len == 0 ? LOOK_ENDING : LOOK_GONE;
}

static enum process_look look_at_process(
    const struct machine_handle *handle, const struct process_identity *identity)
{
    enum process_life life =
        process_is_boot_other(handle->boot_id) ? PROCESS_GONE : process_look(identity);
    if (life == PROCESS_GONE) {
        return LOOK_GONE;
    }
    return life == PROCESS_HIDDEN || process_boot_id()[0] == '\0'
               ? LOOK_HIDDEN
               : look_at_command_line(identity->pid, handle->uuid);
}

bool machine_process_is_ours(
    const struct machine_handle *handle, const struct process_identity *identity)
{
    return look_at_process(handle, identity) == LOOK_OURS;
}

bool machine_process_is_gone(
    const struct machine_handle *handle, const struct process_identity *identity)
{
    return look_at_process(handle, identity) == LOOK_GONE;
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
    enum process_look vmm = handle != NULL ? look_at_process(handle, &handle->vmm) : LOOK_GONE;
    if (vmm == LOOK_OURS) {
        return state_of_running(timeline);
    }
    enum process_look monitor =
        handle != NULL ? look_at_process(handle, &handle->monitor) : LOOK_GONE;
    if (vmm == LOOK_HIDDEN || monitor == LOOK_HIDDEN) {
        return MACHINE_UNKNOWN;
    }
    if (monitor == LOOK_OURS) {
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

/* What kept us from knowing: records that cannot be read or make no sense. boot.json that makes none
 * costs no more than what it tells. */
static bool find_why_unknown(const struct error *handle, const struct error *exit,
    const struct error *timeline, struct error *why)
{
    const struct error *const failures[] = {handle, exit};
    for (size_t i = 0; i < array_length(failures); i++) {
        if (failures[i]->code != ERROR_NONE && failures[i]->code != ERROR_NOT_FOUND) {
            *why = *failures[i];
            return true;
        }
    }
    if (error_is_blind(timeline)) {
        *why = *timeline;
    }
    return why->code != ERROR_NONE;
}

static void look_once(int vm_dir, struct machine_facts *facts)
{
    *facts = (struct machine_facts){0};
    struct error handle_failure = {0};
    struct error exit_failure = {0};
    struct error timeline_failure = {0};
    facts->has_handle = machine_handle_read(vm_dir, &facts->handle, &handle_failure);
    facts->has_exit = machine_exit_read(vm_dir, &facts->exit, &exit_failure);
    facts->has_timeline = machine_timeline_read(vm_dir, &facts->timeline, &timeline_failure);
    if (find_why_unknown(&handle_failure, &exit_failure, &timeline_failure, &facts->why_unknown)) {
        facts->state = MACHINE_UNKNOWN;
        return;
    }
    facts->is_monitored =
        facts->has_handle && machine_process_is_ours(&facts->handle, &facts->handle.monitor);
    facts->state = decide(facts->has_handle ? &facts->handle : NULL,
        facts->has_exit ? &facts->exit : NULL, &facts->timeline);
    if (facts->state == MACHINE_UNKNOWN) {
        error_set_errno(&facts->why_unknown, EMFILE, "cannot look at its process %d",
            (int)facts->handle.vmm.pid);
    }
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
 * when there is a monitor, or (then *err) may be; *lock stays -1 where there never was one. */
static bool lock_out_monitors(int vm_dir, int *lock, struct error *err)
{
    uint64_t deadline = clock_deadline(SETTLE_LOCK_MS);
    auto_close int fd = openat(vm_dir, MONITOR_LOCK, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno != ENOENT) {
        return error_set_errno(err, errno, "cannot open its " MONITOR_LOCK);
    }
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
    if (!lock_out_monitors(vm_dir, &lock, err)) {
        return false;
    }
    auto_done(machine_facts) struct machine_facts facts;
    machine_look(vm_dir, &facts);
    if (facts.state == MACHINE_UNKNOWN && error_is_blind(&facts.why_unknown)) {
        *err = facts.why_unknown; /* nothing is put right by what could not be seen */
        return false;
    }
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
