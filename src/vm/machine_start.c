/* SPDX-License-Identifier: MIT */
/* The engine's half of a start: decide, plan, hand the order to a new monitor, wait for its answer. */
#include "vm/machine_control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/progress.h"
#include "base/text.h"
#include "vm/local_socket.h"
#include "vm/monitor.h"
#include "vm/monitor_order.h"
#include "vm/net.h"
#include "vm/net_space.h"
#include "vm/user_manager.h"
#include "vm/vmm.h"

#define SELF_PATH "/proc/self/exe"
#define DETACH_TIMEOUT_MS 30000
#define VMM_TIMEOUT_MS 30000
/* For the user's manager to make a scope. */
#define MANAGER_TIMEOUT_MS 10000
/* What a big guest held in memory takes a while to read. */
#define MEMORY_TIMEOUT_MS (10 * 60 * 1000)
#define WITHDRAW_TIMEOUT_MS 1000
#define KILL_TIMEOUT_MS 10000

/* User networking where the VMM has none: a namespace of its own, if this host lets us; else none,
 * which the handle tells. */
static bool choose_network(const struct vmm_backend *backend, const struct machine_spec *spec,
    struct vmm_host *host, struct net_link *link, struct error *err)
{
    struct error why_not = {0};
    bool is_wanted = link->mode == NET_NAMESPACE;
    if (!is_wanted && (link->mode != NET_USER || backend->has_user_network)) {
        return true;
    }
    if (vmm_check_network(backend, spec, host, &why_not)) {
        link->mode = NET_NAMESPACE;
        snprintf(link->tap, sizeof(link->tap), NET_SPACE_TAP);
        return true;
    }
    if (is_wanted) {
        *err = why_not;
        return false;
    }
    link->mode = NET_NONE;
    return true;
}

static uint64_t log_bytes_of(const struct machine_boot *boot)
{
    return boot->console_log_bytes != 0 ? boot->console_log_bytes
                                        : limits_default.console_log_bytes;
}

static bool make_order(const struct machine_spec *spec, const struct machine_boot *boot,
    struct monitor_order *order, struct error *err)
{
    struct vmm_choice choice;
    if (boot->choice != NULL) {
        choice = *boot->choice;
    } else if (!vmm_choose(spec, boot, &choice, err)) {
        return false;
    }
    auto_done(machine_spec) struct machine_spec chosen = {0};
    machine_spec_copy(spec, &chosen);
    struct machine_boot connected = *boot;
    if (!net_check_ports(chosen.ports, chosen.port_count, err) ||
        !choose_network(choice.backend, spec, boot->host, &connected.net, err) ||
        !choice.backend->plan(&chosen, &connected, &choice.accel, &order->plan, err)) {
        return false;
    }
    order->name = memory_strdup(spec->name);
    memcpy(order->uuid, spec->uuid, sizeof(order->uuid));
    order->console_log_bytes = log_bytes_of(boot);
    order->start_timeout_ms = boot->memory != NULL ? MEMORY_TIMEOUT_MS : VMM_TIMEOUT_MS;
    order->restart = spec->restart;
    order->is_forwarding = true;
    order->net = connected.net;
    order->port_count = chosen.port_count;
    for (size_t i = 0; i < chosen.port_count; i++) {
        order->ports[i] = chosen.ports[i];
    }
    return true;
}

/* How a monitor is started: as what, and where. */
struct monitor_launch {
    const struct monitor_order *order;
    int vm_dir;
    const char *self_path;
    const char *runtime_dir; /* NULL: the user's manager is not asked */
};

/* The process that is spawned forks the monitor and ends at once. One that does not is killed. */
static bool spawn(const struct monitor_launch *launch, const struct strings *argv, int channel,
    int stderr_fd, uint64_t timeout_ms, struct error *err)
{
    struct process_spec process = {.argv = (const char *const *)argv->items,
        .stdin_fd = channel,
        .stdout_fd = -1,
        .stderr_fd = stderr_fd,
        .cwd_fd = launch->vm_dir,
        .is_new_session = true};
    pid_t pid = -1;
    auto_close int pidfd = -1;
    int status = 0;
    if (!process_spawn(&process, &pid, &pidfd, err)) {
        return false;
    }
    /* Without a cancel: it must be reaped, and it ends by itself. */
    if (!process_wait(pid, pidfd, timeout_ms, NULL, &status, err)) {
        syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0U);
        waitpid(pid, NULL, 0);
        return false;
    }
    return (WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
           error_set(err, ERROR_VMM, "it could not begin");
}

/* Ours and, for the monitor, theirs. */
static bool open_channel(int *ours, int *theirs, struct error *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return error_set_errno(err, errno, "no socket for the monitor");
    }
    *ours = pair[0];
    *theirs = pair[1];
    return true;
}

static void add_command(
    const struct monitor_launch *launch, const char *self_path, struct strings *argv)
{
    strings_add(argv, self_path);
    strings_add(argv, MONITOR_OPTION);
    strings_add(argv, launch->order->name);
    strings_add(argv, launch->order->uuid);
}

/* The first line of what the manager's program said, if it said anything. */
static bool explain_refusal(int said_fd, struct error *err)
{
    char words[512];
    ssize_t len = pread(said_fd, words, sizeof(words) - 1, 0);
    words[len > 0 ? len : 0] = '\0';
    words[strcspn(words, "\n")] = '\0';
    if (err->code == ERROR_VMM && words[0] != '\0') {
        *err = (struct error){0};
        error_set(err, ERROR_VMM, "%s", words);
    }
    return error_wrap(err, "the user's systemd manager");
}

/* A monitor that begins nevertheless, after the program was given up, finds its channel closed. */
static bool spawn_in_scope(const struct monitor_launch *launch, int *channel, struct error *err)
{
    auto_close int ours = -1;
    auto_close int theirs = -1;
    auto_close int said_fd = memfd_create("said", MFD_CLOEXEC);
    auto_done(strings) struct strings argv = {0};
    auto_free char *self = memory_printf("/proc/%d/exe", (int)getpid()); /* not that program's */
    bool is_self = strcmp(launch->self_path, SELF_PATH) == 0;
    add_command(launch, is_self ? self : launch->self_path, &argv);
    user_manager_wrap(launch->runtime_dir, launch->order->name, launch->order->uuid, &argv);
    if (!open_channel(&ours, &theirs, err)) {
        return false;
    }
    if (!spawn(launch, &argv, theirs, said_fd, MANAGER_TIMEOUT_MS, err)) {
        return explain_refusal(said_fd, err);
    }
    *channel = take_fd(&ours);
    return true;
}

static bool spawn_monitor(const struct monitor_launch *launch, int *channel, struct error *err)
{
    struct error refusal = {0};
    auto_close int ours = -1;
    auto_close int theirs = -1;
    if (user_manager_keeps(launch->runtime_dir)) {
        if (spawn_in_scope(launch, channel, &refusal)) {
            return true;
        }
        log_write(LOG_WARNING, "VM %s is started in this session, whose end may be its own: %s",
            launch->order->name, refusal.text);
    }
    auto_done(strings) struct strings argv = {0};
    add_command(launch, launch->self_path, &argv);
    if (!open_channel(&ours, &theirs, err) ||
        !spawn(launch, &argv, theirs, -1, DETACH_TIMEOUT_MS, err)) {
        return error_wrap(err, "the monitor of %s", launch->order->name);
    }
    *channel = take_fd(&ours);
    return true;
}

/* What the monitor said so far. */
struct start_state {
    struct process_identity monitor;
    struct machine_handle handle;
    bool is_alive;
    bool is_recorded;
    bool is_running;
};

static bool take_answer(const struct json *json, struct start_state *state, struct error *err)
{
    const struct json *part = json_get(json, "error");
    if (part != NULL) {
        monitor_error_from_json(part, err);
        return false;
    }
    part = json_get(json, "monitor");
    if (part != NULL) {
        state->monitor.pid = (pid_t)json_integer(part, "pid", 0);
        state->monitor.start_time = (uint64_t)json_integer(part, "start_time", 0);
        state->is_alive = true;
        return true;
    }
    state->is_running = json_get(json, "running") != NULL;
    part = json_get(json, state->is_running ? "running" : "recorded");
    if (part == NULL) {
        return true; /* of a newer monitor */
    }
    state->is_recorded = true;
    return machine_handle_from_json(part, &state->handle, err);
}

/* The monitor gives up on the VMM first, so that its reason is the one that is told. */
static uint64_t answer_timeout_ms(const struct monitor_order *order)
{
    return order->start_timeout_ms * 2 + 15000;
}

static bool read_answers(int channel, uint64_t timeout_ms, struct start_state *state,
    const struct progress *progress, const struct cancel *cancel, struct error *err)
{
    auto_done(text) struct text pending = {0};
    uint64_t deadline = clock_deadline(timeout_ms);
    while (!state->is_running) {
        auto_done(text) struct text line = {0};
        if (!local_socket_read_line(
                channel, &pending, MONITOR_ANSWER_MAX, &line, deadline, cancel, err)) {
            if (err->code == ERROR_IO) {
                struct error plain = {0};
                error_set(&plain, ERROR_VMM, "the machine's monitor died at the start");
                *err = plain;
            }
            return false;
        }
        auto_json struct json *json = json_parse(text_cstr(&line), line.len, MONITOR_ANSWER_MAX,
            limits_default.json_depth, "the monitor's answer", err);
        if (json == NULL || !take_answer(json, state, err)) {
            return false;
        }
        progress_report(progress, PROGRESS_BOOT, PROGRESS_STEPS, state->is_running ? 1 : 0,
            MACHINE_STAGE_COUNT);
    }
    return true;
}

static void wait_gone(const struct process_identity *identity, uint64_t timeout_ms)
{
    auto_close int pidfd = process_open(identity);
    struct error ignored = {0};
    if (pidfd >= 0) {
        local_socket_wait(pidfd, POLLIN, clock_deadline(timeout_ms), NULL, &ignored);
    }
}

/* After a failure nothing may stay. The monitor cleans up when the channel closes; one that is still
 * busy with a VMM that does not answer is killed, and what it leaves is settled from its record. */
static void withdraw(int vm_dir, int *channel, const struct start_state *state)
{
    struct error ignored = {0};
    memory_auto_close(channel);
    *channel = -1;
    if (state->is_recorded) {
        process_signal(&state->handle.vmm, SIGKILL, &ignored);
    }
    if (!state->is_alive) {
        return;
    }
    wait_gone(&state->monitor, WITHDRAW_TIMEOUT_MS);
    if (process_signal(&state->monitor, SIGKILL, &ignored)) {
        wait_gone(&state->monitor, KILL_TIMEOUT_MS);
        machine_settle(vm_dir, &ignored);
    }
}

static bool run_order(const struct monitor_launch *launch, const struct progress *progress,
    const struct cancel *cancel, struct start_state *state, struct error *err)
{
    auto_close int channel = -1;
    if (!spawn_monitor(launch, &channel, err)) {
        return false;
    }
    auto_json struct json *json = monitor_order_to_json(launch->order);
    auto_done(text) struct text line = {0};
    json_write(json, false, &line);
    text_append_char(&line, '\n');
    if (!local_socket_send(
            channel, line.data, line.len, clock_deadline(DETACH_TIMEOUT_MS), cancel, err) ||
        !read_answers(channel, answer_timeout_ms(launch->order), state, progress, cancel, err)) {
        withdraw(launch->vm_dir, &channel, state);
        return false;
    }
    return true;
}

bool machine_start(const struct machine_spec *spec, const struct machine_boot *boot,
    const char *self_path, const struct progress *progress, const struct cancel *cancel,
    struct machine_handle *handle, struct error *err)
{
    struct machine_handle running;
    struct error failure = {0};
    if (!machine_spec_validate(spec, err) || cancel_check(cancel, err)) {
        return false;
    }
    if (machine_handle_read(boot->vm_dir, &running, &failure)) {
        enum machine_state state = machine_status(boot->vm_dir, &running, NULL);
        if (state == MACHINE_RUNNING || state == MACHINE_STARTING || state == MACHINE_PAUSED ||
            state == MACHINE_UNKNOWN) {
            return error_set(err, ERROR_BUSY,
                state == MACHINE_UNKNOWN ? "whether %s is running cannot be seen: try again"
                                         : "%s is running already",
                spec->name);
        }
    } else if (error_is_blind(&failure)) {
        *err = failure;
        return error_wrap(err, "whether %s is running cannot be seen", spec->name);
    }
    struct monitor_order order = {0};
    struct start_state state = {0};
    struct monitor_launch launch = {.order = &order,
        .vm_dir = boot->vm_dir,
        .self_path = self_path != NULL ? self_path : SELF_PATH,
        .runtime_dir = boot->runtime_dir};
    bool is_started =
        make_order(spec, boot, &order, err) && run_order(&launch, progress, cancel, &state, err);
    monitor_order_done(&order);
    if (is_started) {
        *handle = state.handle;
    }
    return is_started;
}

bool machine_adopt(const struct machine_boot *boot, const char *name, const char *self_path,
    const struct cancel *cancel, struct machine_handle *handle, struct error *err)
{
    struct start_state state = {0};
    struct monitor_order order = {.name = memory_strdup(name),
        .is_adoption = true,
        .is_forwarding = true,
        .console_log_bytes = log_bytes_of(boot),
        .start_timeout_ms = VMM_TIMEOUT_MS};
    snprintf(order.uuid, sizeof(order.uuid), "%s", handle->uuid);
    snprintf(order.plan.kind, sizeof(order.plan.kind), "%s", handle->kind);
    order.plan.accel = strcmp(handle->accel, "kvm") == 0 ? ACCEL_KVM : ACCEL_TCG;
    struct monitor_launch launch = {.order = &order,
        .vm_dir = boot->vm_dir,
        .self_path = self_path != NULL ? self_path : SELF_PATH,
        .runtime_dir = boot->runtime_dir};
    bool is_adopted = run_order(&launch, NULL, cancel, &state, err);
    monitor_order_done(&order);
    if (is_adopted) {
        *handle = state.handle;
    }
    return is_adopted;
}
