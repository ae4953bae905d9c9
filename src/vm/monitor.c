/* SPDX-License-Identifier: MIT */
/* The monitor's life: it leaves the caller's session, takes its order, starts the VMM, serves until
 * the VMM ends, and records how it ended. */
#include "vm/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/process.h"
#include "vm/local_socket.h"
#include "vm/machine_history.h"
#include "vm/monitor_state.h"

#define LOG_FILE "monitor.log"
#define LOG_BYTES_MAX (256 << 10)
#define ORDER_TIMEOUT_MS 10000
#define ANSWER_TIMEOUT_MS 5000
#define LOCK_TIMEOUT_MS (MONITOR_FAREWELL_MS + 1000)
#define LOCK_RETRY_MS 5
#define HALT_GRACE_MS 1000

/* ---- what is told and recorded -------------------------------------------------------------- */

/* Its room is there when the disk is full, which is when a machine has something to tell. */
#define BOOT_NEW MACHINE_BOOT_FILE ".new"
#define BOOT_BYTES 4096

static void reserve_boot(const struct monitor *monitor)
{
    auto_close int fd = openat(
        monitor->vm_dir, BOOT_NEW, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd >= 0) {
        (void)posix_fallocate(fd, 0, BOOT_BYTES);
    }
}

/* Not durable: what it says is only true until the host goes down anyway. */
static void record_boot(const struct monitor *monitor, const struct json *json)
{
    if (monitor->is_forgotten) {
        return;
    }
    auto_done(text) struct text text = {0};
    json_write(json, true, &text);
    auto_close int fd =
        openat(monitor->vm_dir, BOOT_NEW, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct error failure = {0};
    if (fd < 0 || !file_write_all(fd, text.data, text.len, &failure) ||
        ftruncate(fd, (off_t)text.len) != 0 ||
        renameat(monitor->vm_dir, BOOT_NEW, monitor->vm_dir, MACHINE_BOOT_FILE) != 0) {
        log_write(LOG_WARNING, "cannot write " MACHINE_BOOT_FILE);
    }
    reserve_boot(monitor);
}

void monitor_tell(struct monitor *monitor)
{
    auto_json struct json *boot = machine_timeline_to_json(&monitor->timeline);
    record_boot(monitor, boot);
    auto_json struct json *event = json_new_object();
    json_put(event, "boot", json_copy(boot));
    monitor_broadcast(monitor, event);
}

bool monitor_reach(struct monitor *monitor, enum machine_stage stage)
{
    uint64_t *at_ms = &monitor->timeline.at_ms[stage];
    if (*at_ms != MACHINE_STAGE_UNREACHED) {
        return false;
    }
    *at_ms = clock_monotonic_ms() - monitor->exec_ms;
    return true;
}

bool monitor_record(
    const struct monitor *monitor, const char *name, const struct json *json, struct error *err)
{
    if (monitor->is_forgotten) {
        return true;
    }
    auto_done(text) struct text text = {0};
    json_write(json, true, &text);
    return file_replace(monitor->vm_dir, name, text.data, text.len, 0600, err);
}

/* Tells the engine that waits for the start; the last answer also closes the channel. */
static void answer(struct monitor *monitor, const struct json *json, bool is_last)
{
    auto_done(text) struct text line = {0};
    struct error ignored = {0};
    json_write(json, false, &line);
    text_append_char(&line, '\n');
    if (monitor->channel_fd >= 0) {
        local_socket_send(monitor->channel_fd, line.data, line.len,
            clock_deadline(ANSWER_TIMEOUT_MS), NULL, &ignored);
    }
    if (is_last) {
        memory_auto_close(&monitor->channel_fd);
        monitor->channel_fd = -1;
    }
}

void monitor_answer_handle(struct monitor *monitor, const char *key, bool is_last)
{
    auto_json struct json *json = json_new_object();
    json_put(json, key, machine_handle_to_json(&monitor->handle));
    answer(monitor, json, is_last);
}

void monitor_answer_error(struct monitor *monitor, const struct error *failure)
{
    auto_json struct json *json = monitor_error_to_json(failure);
    answer(monitor, json, true);
}

/* ---- serving -------------------------------------------------------------------------------- */

enum slot {
    SLOT_SIGNAL,
    SLOT_RECORD,
    SLOT_SLEEP,
    SLOT_VMM,
    SLOT_SAID,
    SLOT_SERIAL,
    SLOT_EVENTS,
    SLOT_AGENT,
    SLOT_NETWORK,
    SLOT_LISTEN,
    SLOT_CLIENTS,
};

static void take_signal(struct monitor *monitor)
{
    struct signalfd_siginfo info;
    while (read(monitor->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGTERM) {
            monitor->is_requested = true;
            monitor_signal_vmm(monitor, SIGTERM);
        } else if (info.ssi_signo == USER_MANAGER_STOP_SIGNAL) {
            monitor_begin_stop(monitor);
        }
    }
}

/* A machine whose record was taken away, such as with its whole directory, is one that nobody can
 * find any more: it ends. What it could still write would go to files without a name. */
static void look_for_record(struct monitor *monitor)
{
    char events[4096];
    while (read(monitor->record_fd, events, sizeof(events)) > 0) {
    }
    if (faccessat(monitor->vm_dir, MACHINE_HANDLE_FILE, F_OK, AT_SYMLINK_NOFOLLOW) != 0 &&
        errno == ENOENT) {
        log_write(LOG_ERROR, MACHINE_HANDLE_FILE " was removed: the machine is ended");
        monitor->is_forgotten = true;
        monitor_signal_vmm(monitor, SIGKILL);
    }
}

static void fill_slots(struct monitor *monitor, struct pollfd *fds)
{
    const struct launch *launch = &monitor->launch;
    short typed = monitor->typed.len > 0 ? POLLOUT : 0;
    short to_guest = launch->lines[VMM_LINE_AGENT] >= 0 && monitor->relay.out.len > 0 ? POLLOUT : 0;
    fds[SLOT_SIGNAL] = (struct pollfd){monitor->signal_fd, POLLIN, 0};
    fds[SLOT_RECORD] = (struct pollfd){monitor->record_fd, POLLIN, 0};
    fds[SLOT_SLEEP] = (struct pollfd){monitor->sleep.fd, POLLIN, 0};
    fds[SLOT_VMM] = (struct pollfd){launch->pidfd, POLLIN, 0};
    fds[SLOT_SAID] = (struct pollfd){launch->stderr_fd, POLLIN, 0};
    fds[SLOT_SERIAL] = (struct pollfd){launch->lines[VMM_LINE_SERIAL], (short)(POLLIN | typed), 0};
    fds[SLOT_EVENTS] = (struct pollfd){launch->lines[VMM_LINE_EVENTS], POLLIN, 0};
    fds[SLOT_AGENT] = (struct pollfd){monitor_agent_fd(monitor), (short)(POLLIN | to_guest), 0};
    fds[SLOT_NETWORK] = (struct pollfd){launch->server.pidfd, POLLIN, 0};
    fds[SLOT_LISTEN] = (struct pollfd){monitor->listen_fd, POLLIN, 0};
    for (size_t i = 0; i < monitor->client_count; i++) {
        struct monitor_client *client = monitor->clients[i];
        fds[SLOT_CLIENTS + i] =
            (struct pollfd){client->fd, monitor_client_wants(monitor, client), 0};
    }
}

static void serve_lines(struct monitor *monitor, const struct pollfd *fds)
{
    const short in = POLLIN | POLLHUP | POLLERR;
    if ((fds[SLOT_SAID].revents & in) != 0) {
        monitor_read_said(monitor);
    }
    if ((fds[SLOT_SERIAL].revents & in) != 0) {
        monitor_read_serial(monitor);
    }
    if ((fds[SLOT_SERIAL].revents & POLLOUT) != 0) {
        monitor_write_serial(monitor);
    }
    if ((fds[SLOT_EVENTS].revents & in) != 0) {
        monitor_read_events(monitor);
    }
    if ((fds[SLOT_AGENT].revents & in) != 0) {
        monitor_read_agent(monitor);
    }
    if ((fds[SLOT_AGENT].revents & POLLOUT) != 0) {
        monitor_write_agent(monitor);
    }
}

static bool is_about_to_end(const struct monitor *monitor)
{
    return monitor->backend->ends_by_reboot && monitor->halted_ms != 0 && !monitor->has_halted;
}

/* -1: never. */
static int sooner(int a_ms, int b_ms)
{
    return a_ms < 0 || (b_ms >= 0 && b_ms < a_ms) ? b_ms : a_ms;
}

/* The sooner of what the caller waits for and what is due here. */
static int wait_ms(const struct monitor *monitor, int timeout_ms)
{
    int halt_ms = is_about_to_end(monitor) ? clock_left_ms(monitor->halted_ms + HALT_GRACE_MS) : -1;
    int due_ms = sooner(monitor_agent_wait_ms(monitor), monitor_network_wait_ms(monitor));
    due_ms = sooner(due_ms, sooner(monitor_stop_wait_ms(monitor), monitor_room_wait_ms(monitor)));
    return sooner(timeout_ms, sooner(due_ms, halt_ms));
}

/* A VMM that its guest's power-off only halts would stay for ever. Other words with the same letters
 * are followed by more, as is everything that does not come from a kernel at its end. */
static void end_halted(struct monitor *monitor)
{
    if (is_about_to_end(monitor) && clock_monotonic_ms() - monitor->halted_ms >= HALT_GRACE_MS) {
        monitor->has_halted = true;
        monitor_signal_vmm(monitor, SIGKILL);
    }
}

bool monitor_serve_once(struct monitor *monitor, int timeout_ms)
{
    struct pollfd
        fds[SLOT_CLIENTS + MONITOR_CLIENTS_MAX + MACHINE_PORT_MAX + MONITOR_PUBLISHED_MAX];
    size_t client_count = monitor->client_count;
    fill_slots(monitor, fds);
    struct pollfd *published = fds + SLOT_CLIENTS + client_count;
    size_t published_count = monitor_publish_poll(monitor, published);
    int ready =
        poll(fds, SLOT_CLIENTS + client_count + published_count, wait_ms(monitor, timeout_ms));
    monitor_dial_agent(monitor);
    monitor_network_go_on(monitor);
    monitor_room_go_on(monitor);
    monitor_stop_go_on(monitor);
    end_halted(monitor);
    if (ready <= 0) {
        return false; /* EINTR; anything else cannot happen and would show as a busy process */
    }
    serve_lines(monitor, fds);
    monitor_mend_clock(monitor);
    monitor_publish_serve(monitor, published, published_count);
    auto_json struct json *figures = monitor_figures_serve(monitor);
    if (figures != NULL) {
        monitor_hand_figures(monitor, figures);
    }
    for (size_t i = 0; i < client_count; i++) {
        if (fds[SLOT_CLIENTS + i].revents != 0) {
            monitor_client_ready(monitor, monitor->clients[i], fds[SLOT_CLIENTS + i].revents);
        }
    }
    monitor_sweep_clients(monitor);
    if (fds[SLOT_LISTEN].revents != 0) {
        monitor_accept(monitor);
    }
    if (fds[SLOT_SIGNAL].revents != 0) {
        take_signal(monitor);
    }
    if (fds[SLOT_NETWORK].revents != 0) {
        monitor_network_ended(monitor);
    }
    if (fds[SLOT_RECORD].revents != 0) {
        look_for_record(monitor);
    }
    return fds[SLOT_VMM].revents != 0 && monitor_reap(monitor, WNOHANG);
}

/* Until the machine ends for good. Without anything to do it sleeps. */
static void serve(struct monitor *monitor)
{
    do {
        while (!monitor_serve_once(monitor, -1)) {
        }
    } while (monitor_begin_again(monitor));
}

/* ---- the start ------------------------------------------------------------------------------ */

/* Nothing of the caller's stays: no descriptor but the channel, no terminal, no session. */
static bool leave_caller(struct monitor *monitor)
{
    umask(077);
    int channel = fcntl(0, F_DUPFD_CLOEXEC, 3);
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (channel < 0 || null_fd < 0) {
        return false;
    }
    for (int fd = 0; fd < 3; fd++) {
        dup2(null_fd, fd);
    }
    if (channel != 3) {
        dup3(channel, 3, O_CLOEXEC);
    }
    syscall(SYS_close_range, 4U, ~0U, 0U);
    monitor->channel_fd = 3;
    fcntl(monitor->channel_fd, F_SETFL, O_NONBLOCK);
    pid_t pid = fork();
    if (pid != 0) {
        /* The engine waits for this one; the other has init for a parent. */
        _exit(pid > 0 ? 0 : 1);
    }
    setsid();
    return true;
}

static bool block_signals(struct monitor *monitor, struct error *err)
{
    sigset_t taken;
    sigfillset(&taken);
    sigprocmask(SIG_SETMASK, &taken, NULL); /* hang-ups and the terminal's signals reach nobody */
    sigemptyset(&taken);
    sigaddset(&taken, SIGTERM);
    sigaddset(&taken, USER_MANAGER_STOP_SIGNAL);
    monitor->signal_fd = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
    return monitor->signal_fd >= 0 || error_set_errno(err, errno, "no signal descriptor");
}

/* One monitor per machine, whoever starts it. */
static bool take_lock(struct monitor *monitor, struct error *err)
{
    monitor->lock_fd =
        openat(monitor->vm_dir, MONITOR_LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (monitor->lock_fd < 0) {
        return error_set_errno(err, errno, "cannot open " MONITOR_LOCK);
    }
    /* The one before may still be saying farewell to its clients. */
    uint64_t deadline = clock_deadline(LOCK_TIMEOUT_MS);
    while (flock(monitor->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (clock_left_ms(deadline) == 0) {
            return error_set(err, ERROR_BUSY, "the machine is running: another monitor has it");
        }
        poll(NULL, 0, LOCK_RETRY_MS);
    }
    return true;
}

static void open_log(const struct monitor *monitor)
{
    struct stat status;
    if (fstatat(monitor->vm_dir, LOG_FILE, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        status.st_size > LOG_BYTES_MAX) {
        unlinkat(monitor->vm_dir, LOG_FILE, 0);
    }
    struct error ignored = {0};
    log_open(monitor->vm_dir, LOG_FILE, &ignored);
}

static bool read_order(struct monitor *monitor, struct error *err)
{
    auto_done(text) struct text pending = {0};
    auto_done(text) struct text line = {0};
    if (!local_socket_read_line(monitor->channel_fd, &pending, MONITOR_ORDER_MAX, &line,
            clock_deadline(ORDER_TIMEOUT_MS), NULL, err)) {
        return error_wrap(err, "the monitor's order");
    }
    auto_json struct json *json = json_parse(text_cstr(&line), line.len, MONITOR_ORDER_MAX,
        limits_default.json_depth, "the monitor's order", err);
    if (json == NULL || !monitor_order_from_json(json, &monitor->order, err)) {
        return false;
    }
    monitor->backend = vmm_find(monitor->order.plan.kind);
    return true;
}

static void answer_alive(struct monitor *monitor)
{
    struct process_identity self = process_self();
    struct json *identity = json_new_object();
    json_put_integer(identity, "pid", self.pid);
    json_put_integer(identity, "start_time", (int64_t)self.start_time);
    auto_json struct json *json = json_new_object();
    json_put(json, "monitor", identity);
    answer(monitor, json, false);
}

static bool prepare(struct monitor *monitor, struct error *err)
{
    monitor->vm_dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (monitor->vm_dir < 0) {
        return error_set_errno(err, errno, "the machine's directory");
    }
    if (!block_signals(monitor, err) || !take_lock(monitor, err)) {
        return false;
    }
    if (!monitor->order.is_adoption) {
        launch_sweep(monitor->vm_dir);
        machine_history_keep(monitor->vm_dir, NULL);
    }
    open_log(monitor);
    if (!serial_log_open(&monitor->log, monitor->vm_dir, monitor->order.console_log_bytes, err) ||
        (!monitor->order.is_adoption && !monitor_publish_begin(monitor, err))) {
        return false;
    }
    /* Without a watch, only the end by itself is missing. */
    monitor->record_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (monitor->record_fd >= 0) {
        inotify_add_watch(monitor->record_fd, ".", IN_DELETE | IN_ONLYDIR);
    }
    monitor->listen_fd = local_socket_listen(monitor->vm_dir, MONITOR_SOCKET, err);
    return monitor->listen_fd >= 0;
}

static int run_adopted(struct monitor *monitor)
{
    struct error failure = {0};
    if (!monitor_adopt(monitor, &failure)) {
        unlinkat(monitor->vm_dir, MONITOR_SOCKET, 0);
        log_write(LOG_ERROR, "%s", failure.text);
        monitor_answer_error(monitor, &failure);
        return error_exit_status(failure.code);
    }
    monitor_answer_handle(monitor, "running", true);
    serve(monitor);
    struct machine_exit exit = {0};
    monitor_finish(monitor, &exit);
    return 0;
}

static int run(struct monitor *monitor)
{
    struct error failure = {0};
    answer_alive(monitor);
    if (!read_order(monitor, &failure) || !prepare(monitor, &failure)) {
        monitor_answer_error(monitor, &failure);
        return error_exit_status(failure.code);
    }
    if (monitor->order.is_adoption) {
        return run_adopted(monitor);
    }
    bool is_started = monitor_start_vmm(monitor, &failure);
    if (is_started && monitor_is_given_up(monitor)) {
        is_started = error_set(&failure, ERROR_CANCELLED, "the start was cancelled");
    }
    if (!is_started) {
        monitor_fail_start(monitor, &failure);
        return error_exit_status(failure.code);
    }
    monitor_answer_handle(monitor, "running", true);
    serve(monitor);
    struct machine_exit exit = {0};
    monitor_finish(monitor, &exit);
    return 0;
}

int monitor_main(int argc, char **argv)
{
    if (argc != 4 || strcmp(argv[1], MONITOR_OPTION) != 0) {
        return error_exit_status(ERROR_INVALID);
    }
    struct monitor monitor = {.vm_dir = -1,
        .lock_fd = -1,
        .channel_fd = -1,
        .signal_fd = -1,
        .record_fd = -1,
        .listen_fd = -1,
        .log = {.log_fd = -1, .index_fd = -1},
        .said = {.cap_bytes = MONITOR_SAID_MAX},
        .events = {.cap_bytes = MONITOR_ORDER_MAX}};
    launch_init(&monitor.launch);
    vsock_dial_init(&monitor.dial);
    monitor_figures_begin(&monitor.figures);
    if (!leave_caller(&monitor)) {
        return error_exit_status(ERROR_IO);
    }
    host_sleep_begin(&monitor.sleep);
    int status = run(&monitor);
    host_sleep_end(&monitor.sleep);
    launch_done(&monitor.launch);
    monitor_publish_end(&monitor);
    monitor_figures_end(&monitor);
    serial_log_done(&monitor.log);
    relay_done(&monitor.relay);
    vsock_dial_done(&monitor.dial);
    machine_timeline_done(&monitor.timeline);
    monitor_order_done(&monitor.order);
    wire_buffer_done(&monitor.typed);
    text_done(&monitor.events);
    text_done(&monitor.said);
    return status;
}
