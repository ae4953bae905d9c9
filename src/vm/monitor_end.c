/* SPDX-License-Identifier: MIT */
/* The end of a machine as its monitor sees it: why, the record of it, and the farewell. */
#include "vm/monitor_state.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/process.h"
#include "vm/exit_record.h"
#include "vm/net_host.h"

#define SAID_FILE "vmm.log"
#define REAP_TIMEOUT_MS 60000
#define LEFT_MS 500 /* what the VMM had begun goes with it, or never */

/* The last line of what the VMM said, which is where the reason stands. */
void monitor_last_words(const struct monitor *monitor, char *buffer, size_t size)
{
    const char *said = text_cstr(&monitor->said);
    size_t end = strlen(said);
    while (end > 0 && (said[end - 1] == '\n' || said[end - 1] == '\r')) {
        end--;
    }
    size_t begin = end;
    while (begin > 0 && said[begin - 1] != '\n') {
        begin--;
    }
    snprintf(buffer, size, "%.*s", (int)(end - begin), said + begin);
}

static bool is_signal_of_somebody(int number)
{
    return number == SIGTERM || number == SIGKILL || number == SIGINT || number == SIGHUP ||
           number == SIGQUIT;
}

/* What a VMM that tells nothing by events means by a status of 0. A stop asks for a reboot where a
 * power-off does not end the VMM; what was meant is the power-off. */
static enum vmm_event fate_of(const struct monitor *monitor)
{
    if (monitor->has_halted) {
        return VMM_EVENT_GUEST_POWEROFF;
    }
    bool is_told = monitor->fate != VMM_EVENT_NONE || monitor->boot.panic[0] != '\0';
    if (is_told || monitor->is_adopted || !monitor->backend->ends_by_reboot) {
        return monitor->fate;
    }
    return monitor->is_requested ? VMM_EVENT_GUEST_POWEROFF : VMM_EVENT_GUEST_REBOOT;
}

static enum machine_exit_reason reason_of_clean_end(const struct monitor *monitor)
{
    bool has_panic = monitor->boot.panic[0] != '\0';
    switch (fate_of(monitor)) {
    case VMM_EVENT_GUEST_PANIC:
        return MACHINE_EXIT_PANIC;
    case VMM_EVENT_GUEST_REBOOT:
        return has_panic ? MACHINE_EXIT_PANIC : MACHINE_EXIT_GUEST_REBOOT;
    case VMM_EVENT_GUEST_POWEROFF:
        return MACHINE_EXIT_GUEST_POWEROFF;
    case VMM_EVENT_HOST_QUIT:
        return MACHINE_EXIT_KILLED;
    case VMM_EVENT_NONE:
    case VMM_EVENT_NO_SPACE:
    case VMM_EVENT_PAUSED:
    case VMM_EVENT_RESUMED:
        break;
    }
    if (has_panic) {
        return MACHINE_EXIT_PANIC;
    }
    return monitor->is_requested ? MACHINE_EXIT_KILLED : MACHINE_EXIT_VMM_ERROR;
}

/* "Attempted to kill init" is how a kernel tells that our init gave up; why, that one said itself. */
static void explain_panic(const struct monitor *monitor, struct machine_exit *exit)
{
    const struct boot_watch *boot = &monitor->boot;
    bool is_init = strncmp(boot->panic, "Attempted to kill init", 22) == 0 &&
                   boot->guest[0] != '\0' && strncmp(boot->guest, "the root is ready", 17) != 0 &&
                   !machine_timeline_is_ready(&monitor->timeline);
    if (is_init) {
        snprintf(exit->detail, sizeof(exit->detail), "%.350s (%.100s)", boot->guest, boot->panic);
    } else {
        snprintf(exit->detail, sizeof(exit->detail), "%s", boot->panic);
    }
}

/* A status with a meaning of its own says more than the last of many words. */
static void explain_failure(const struct monitor *monitor, struct machine_exit *exit)
{
    const struct vmm_backend *backend = monitor->backend;
    const char *sentence = backend->explain_status == NULL || exit->code < 0
                               ? NULL
                               : backend->explain_status(exit->code);
    if (sentence != NULL) {
        snprintf(exit->detail, sizeof(exit->detail), "%s", sentence);
    } else {
        monitor_last_words(monitor, exit->detail, sizeof(exit->detail));
    }
}

static void explain_end(const struct monitor *monitor, struct machine_exit *exit)
{
    int status = monitor->wait_status;
    *exit = (struct machine_exit){.code = -1,
        .at = clock_wall(),
        .started_at = monitor->handle.started_at,
        .is_requested = monitor->is_requested,
        .is_given_up = monitor->has_given_up,
        .restarts = monitor->restarts};
    if (monitor->is_adopted || monitor->has_halted) {
        exit->code = monitor->has_halted ? 0 : -1; /* by us, after all that the guest had to do */
        exit->reason = reason_of_clean_end(monitor);
    } else if (WIFSIGNALED(status)) {
        exit->signal = WTERMSIG(status);
        exit->reason =
            is_signal_of_somebody(exit->signal) ? MACHINE_EXIT_KILLED : MACHINE_EXIT_VMM_ERROR;
    } else {
        exit->code = WEXITSTATUS(status);
        exit->reason = exit->code == 0 ? reason_of_clean_end(monitor) : MACHINE_EXIT_VMM_ERROR;
    }
    if (exit->reason == MACHINE_EXIT_PANIC) {
        explain_panic(monitor, exit);
    } else if (exit->reason == MACHINE_EXIT_VMM_ERROR) {
        explain_failure(monitor, exit);
    }
    if (exit->reason == MACHINE_EXIT_VMM_ERROR && monitor->is_adopted) {
        snprintf(exit->detail, sizeof(exit->detail),
            "its first monitor had died, so its status is not known");
    }
}

static void poll_clients(struct monitor *monitor, int timeout_ms)
{
    struct pollfd fds[MONITOR_CLIENTS_MAX];
    size_t count = monitor->client_count;
    for (size_t i = 0; i < count; i++) {
        struct monitor_client *client = monitor->clients[i];
        fds[i] = (struct pollfd){.fd = client->fd, .events = monitor_client_wants(monitor, client)};
    }
    if (poll(fds, count, timeout_ms) > 0) {
        for (size_t i = 0; i < count; i++) {
            monitor_client_ready(monitor, monitor->clients[i], fds[i].revents);
        }
    }
    monitor_sweep_clients(monitor);
}

static void drain_lines(struct monitor *monitor)
{
    /* The VMM is gone, so each of these comes to its end; what it wrote is all there already. */
    uint64_t before;
    do {
        before = monitor->log.end + monitor->said.len;
        monitor_read_serial(monitor);
        monitor_read_events(monitor);
        monitor_read_said(monitor);
    } while (monitor->log.end + monitor->said.len != before);
}

static void keep_words(const struct monitor *monitor)
{
    struct error ignored = {0};
    if (monitor->is_forgotten) {
        return;
    }
    auto_close int fd = openat(
        monitor->vm_dir, SAID_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0) {
        file_write_all(fd, text_cstr(&monitor->said), monitor->said.len, &ignored);
    }
}

void monitor_explain(struct monitor *monitor, struct machine_exit *exit)
{
    drain_lines(monitor);
    explain_end(monitor, exit);
}

/* Its tap and rules go while the record still names them. What fails here is found by host gc. */
static void take_network_down(const struct monitor *monitor)
{
    const struct net_link *link = &monitor->handle.net;
    struct error failure = {0};
    if (net_mode_is_bridged(link->mode) && !net_host_end(monitor->vm_dir, link, &failure)) {
        log_write(LOG_WARNING, "%s", failure.text);
    }
}

static void take_cgroup_down(struct monitor *monitor)
{
    const char *path = monitor->handle.cgroup;
    if (path[0] == '\0') {
        return;
    }
    net_server_done(&monitor->launch.server); /* it is in there too */
    if (monitor->has_stopper) {
        return; /* it is in there, until we are gone; the group goes with the scope around it */
    }
    if (monitor->handle.unit[0] != '\0') {
        cgroup_count(path, false);
    }
    if (cgroup_leave(path) && !cgroup_is_empty(path, LEFT_MS)) {
        log_write(LOG_WARNING, "the VMM left processes behind: they are ended");
        cgroup_kill(path);
    }
    if (!cgroup_remove(path)) {
        log_write(LOG_WARNING, "the control group %s is left: see host gc", path);
    }
}

/* The record first, then the farewell, then nothing of the run is left but its logs. */
void monitor_finish(struct monitor *monitor, struct machine_exit *exit)
{
    monitor->has_ended = true;
    monitor_explain(monitor, exit);
    keep_words(monitor);
    take_network_down(monitor);
    take_cgroup_down(monitor);
    auto_json struct json *record = machine_exit_to_json(exit);
    struct error failure = {0};
    if (monitor->is_forgotten || exit_record_write(monitor->vm_dir, record, &failure)) {
        unlinkat(monitor->vm_dir, MACHINE_HANDLE_FILE, 0);
    } else {
        log_write(LOG_ERROR, "%s", failure.text); /* the handle still tells that it ran */
    }
    launch_sweep(monitor->vm_dir);
    memory_auto_close(&monitor->listen_fd);
    monitor->listen_fd = -1;
    monitor_publish_end(monitor);
    auto_json struct json *farewell = json_new_object();
    json_put(farewell, "exit", json_copy(record));
    monitor_dismiss_clients(monitor, farewell);
    uint64_t deadline = clock_deadline(MONITOR_FAREWELL_MS);
    while (monitor->client_count > 0 && clock_left_ms(deadline) > 0) {
        poll_clients(monitor, clock_left_ms(deadline));
    }
}

bool monitor_reap(struct monitor *monitor, int flags)
{
    int status = 0;
    pid_t pid = waitpid(monitor->launch.pid, &status, flags);
    if (pid == monitor->launch.pid) {
        monitor->wait_status = status;
        return true;
    }
    return pid < 0 && errno == ECHILD;
}

void monitor_signal_vmm(struct monitor *monitor, int number)
{
    syscall(SYS_pidfd_send_signal, monitor->launch.pidfd, number, NULL, 0U);
}

/* Ends a VMM that must not go on, and waits for it: freeing a big guest takes a while. */
void monitor_kill_vmm(struct monitor *monitor)
{
    if (monitor->launch.pidfd < 0) {
        return;
    }
    monitor_signal_vmm(monitor, SIGKILL);
    struct pollfd gone = {.fd = monitor->launch.pidfd, .events = POLLIN};
    while (poll(&gone, 1, REAP_TIMEOUT_MS) < 0 && errno == EINTR) {
    }
    monitor_reap(monitor, WNOHANG);
}

/* Its name is where we are, also after it got a new one. */
void monitor_begin_stop(struct monitor *monitor)
{
    auto_free char *here = getcwd(NULL, 0);
    auto_free char *state = monitor_state_path();
    const char *slash = here != NULL ? strrchr(here, '/') : NULL;
    if (monitor->has_stopper || slash == NULL || state == NULL) {
        return;
    }
    const char *const argv[] = {
        "/proc/self/exe", "--batch", "--state-dir", state, "vm", "stop", slash + 1, NULL};
    struct process_spec stop = {
        .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1, .cwd_fd = -1};
    struct error failure = {0};
    pid_t pid = -1;
    auto_close int pidfd = -1; /* nobody waits: it outlives us */
    monitor->has_stopper = process_spawn(&stop, &pid, &pidfd, &failure);
    log_write(LOG_WARNING, "this machine's scope is to end: %s",
        monitor->has_stopper ? "it is stopped in order" : failure.text);
}
