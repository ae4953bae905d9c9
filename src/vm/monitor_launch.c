/* SPDX-License-Identifier: MIT */
#include "vm/monitor_launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "vm/local_socket.h"
#include "vm/machine.h"
#include "vm/machine_history.h"
#include "vm/monitor.h"
#include "vm/monitor_order.h"

#define CONNECT_TIMEOUT_MS 5000
/* Descriptors in the child on the way to their places: above every place, below every limit. */
#define PARKED_FD 16

void launch_init(struct launch *launch)
{
    *launch = (struct launch){.pid = -1,
        .pidfd = -1,
        .stderr_fd = -1,
        .gate_fd = -1,
        .exec_fd = -1,
        .alive_fd = -1,
        .server = {.pid = -1, .pidfd = -1}};
    for (size_t i = 0; i < VMM_LINE_COUNT; i++) {
        launch->lines[i] = -1;
    }
}

/* ---- the child: only async-signal-safe calls ------------------------------------------------ */

struct child_fds {
    int listeners[VMM_LINE_COUNT];
    int terminal_fd; /* -1: none */
    int stderr_fd;
    int gate_fd;
    int exec_fd;
    int alive_fd; /* -1: no namespace of its own */
};

static _Noreturn void child_fail(int exec_fd)
{
    int failure = errno;
    ssize_t ignored = write(exec_fd, &failure, sizeof(failure));
    (void)ignored;
    _exit(127);
}

/* Everything but the listed descriptors closes at exec. Each goes first to a parking place above all
 * final places, so that none is overwritten before it was moved. */
static bool child_place_fds(const struct child_fds *fds)
{
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    int parked[VMM_LINE_COUNT];
    int alive_fd = fds->alive_fd < 0 ? -1 : fcntl(fds->alive_fd, F_DUPFD_CLOEXEC, PARKED_FD);
    for (int i = 0; i < VMM_LINE_COUNT; i++) {
        parked[i] =
            fds->listeners[i] < 0 ? -1 : fcntl(fds->listeners[i], F_DUPFD_CLOEXEC, PARKED_FD);
        if (fds->listeners[i] >= 0 && parked[i] < 0) {
            return false;
        }
    }
    int stdio_fd = fds->terminal_fd >= 0 ? fds->terminal_fd : null_fd;
    if (stdio_fd < 0 || dup2(stdio_fd, 0) < 0 || dup2(stdio_fd, 1) < 0 ||
        dup2(fds->stderr_fd, 2) < 0) {
        return false;
    }
    for (int i = 0; i < VMM_LINE_COUNT; i++) {
        if (parked[i] >= 0 && dup2(parked[i], VMM_LINE_FD + i) < 0) {
            return false;
        }
    }
    return fds->alive_fd < 0 || dup2(alive_fd, VMM_ALIVE_FD) >= 0;
}

static void child_reset_signals(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number++) {
        sigaction(number, &action, NULL);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Without a word the monitor is gone, or gave up: as if nothing had been. */
static void child_await_gate(int gate_fd)
{
    char word = 0;
    ssize_t got;
    do {
        got = read(gate_fd, &word, 1);
    } while (got < 0 && errno == EINTR);
    if (got != 1) {
        _exit(0);
    }
}

static _Noreturn void child_run(char *const *argv, const struct child_fds *fds)
{
    static const char *const environment[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL};
    /* The gate and exec descriptors may lie where a line has to go. */
    int gate_fd = fcntl(fds->gate_fd, F_DUPFD_CLOEXEC, PARKED_FD);
    int exec_fd = fcntl(fds->exec_fd, F_DUPFD_CLOEXEC, PARKED_FD);
    if (gate_fd < 0 || exec_fd < 0) {
        _exit(127);
    }
    child_await_gate(gate_fd);
    if (fds->alive_fd >= 0) {
        int failure = net_space_enter();
        ssize_t ignored = write(exec_fd, &failure, sizeof(failure));
        (void)ignored;
        child_await_gate(gate_fd);
    }
    syscall(SYS_close_range, 3U, ~0U, 1U << 2 /* CLOSE_RANGE_CLOEXEC */);
    if (!child_place_fds(fds)) {
        child_fail(exec_fd);
    }
    struct rlimit none = {0};
    setrlimit(RLIMIT_CORE, &none); /* a core file would hold the guest's memory */
    child_reset_signals();
    execve(argv[0], argv, (char *const *)environment);
    child_fail(exec_fd);
}

/* ---- the monitor ---------------------------------------------------------------------------- */

static bool open_lines(const struct monitor_order *order, int vm_dir, struct launch *launch,
    int *listeners, struct error *err)
{
    uint64_t deadline = clock_deadline(CONNECT_TIMEOUT_MS);
    for (size_t i = 0; i < VMM_LINE_COUNT; i++) {
        if (!order->plan.has_line[i]) {
            continue;
        }
        const char *name = vmm_line_socket((enum vmm_line)i);
        listeners[i] = local_socket_listen(vm_dir, name, err);
        if (listeners[i] < 0) {
            return false;
        }
        /* The VMM's own main loop expects what it would have made itself. */
        fcntl(listeners[i], F_SETFL, fcntl(listeners[i], F_GETFL) & ~O_NONBLOCK);
        if (i == VMM_LINE_CONTROL) {
            continue; /* everybody's */
        }
        launch->lines[i] = local_socket_connect(vm_dir, name, deadline, NULL, err);
        if (launch->lines[i] < 0) {
            return false;
        }
    }
    return true;
}

/* The VMM's end of a new terminal, which passes every byte as it is; ours is the serial line. */
static int open_terminal(struct launch *launch, struct error *err)
{
    char path[64];
    struct termios mode;
    auto_close int ours = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (ours < 0 || grantpt(ours) != 0 || unlockpt(ours) != 0 ||
        ptsname_r(ours, path, sizeof(path)) != 0 || fcntl(ours, F_SETFL, O_NONBLOCK) != 0) {
        error_set_errno(err, errno, "no terminal for the machine's serial port");
        return -1;
    }
    auto_close int theirs = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (theirs < 0 || tcgetattr(theirs, &mode) != 0) {
        error_set_errno(err, errno, "no terminal for the machine's serial port");
        return -1;
    }
    cfmakeraw(&mode);
    if (tcsetattr(theirs, TCSANOW, &mode) != 0) {
        error_set_errno(err, errno, "the terminal of the machine's serial port");
        return -1;
    }
    launch->lines[VMM_LINE_SERIAL] = take_fd(&ours);
    return take_fd(&theirs);
}

static bool fork_child(const struct monitor_order *order, const int *listeners, int terminal_fd,
    struct launch *launch, struct error *err)
{
    int gate[2];
    int exec_report[2];
    int said[2];
    int alive[2] = {-1, -1};
    if (pipe2(gate, O_CLOEXEC) != 0 || pipe2(exec_report, O_CLOEXEC) != 0 ||
        pipe2(said, O_CLOEXEC) != 0 ||
        (order->net.mode == NET_NAMESPACE && pipe2(alive, O_CLOEXEC) != 0)) {
        return error_set_errno(err, errno, "no pipe for the VMM");
    }
    launch->alive_fd = alive[0];
    launch->gate_fd = gate[1];
    launch->exec_fd = exec_report[0];
    launch->stderr_fd = said[0];
    pid_t pid = fork();
    if (pid == 0) {
        struct child_fds fds = {.terminal_fd = terminal_fd,
            .gate_fd = gate[0],
            .exec_fd = exec_report[1],
            .alive_fd = alive[1],
            .stderr_fd = said[1]};
        memcpy(fds.listeners, listeners, sizeof(fds.listeners));
        close(gate[1]); /* else the child would hold its own gate open */
        child_run(order->plan.argv.items, &fds);
    }
    int failure = errno;
    close(gate[0]);
    close(exec_report[1]);
    close(said[1]);
    memory_auto_close(&alive[1]);
    if (pid < 0) {
        return error_set_errno(err, failure, "cannot fork the VMM");
    }
    launch->pid = pid;
    launch->pidfd = (int)syscall(SYS_pidfd_open, pid, 0U);
    if (launch->pidfd < 0) {
        return error_set_errno(err, errno, "cannot watch the VMM");
    }
    fcntl(launch->stderr_fd, F_SETFL, O_NONBLOCK);
    return true;
}

bool launch_prepare(
    const struct monitor_order *order, int vm_dir, struct launch *launch, struct error *err)
{
    int listeners[VMM_LINE_COUNT];
    for (size_t i = 0; i < VMM_LINE_COUNT; i++) {
        listeners[i] = -1;
    }
    auto_close int terminal_fd = -1;
    bool is_ready = open_lines(order, vm_dir, launch, listeners, err);
    if (is_ready && order->plan.has_terminal) {
        terminal_fd = open_terminal(launch, err);
        is_ready = terminal_fd >= 0;
    }
    is_ready = is_ready && fork_child(order, listeners, terminal_fd, launch, err);
    for (size_t i = 0; i < VMM_LINE_COUNT; i++) {
        memory_auto_close(&listeners[i]);
    }
    return is_ready;
}

static bool open_gate(const struct launch *launch)
{
    ssize_t put;
    do {
        put = write(launch->gate_fd, "g", 1);
    } while (put < 0 && errno == EINTR);
    return put == 1;
}

static ssize_t read_report(const struct launch *launch, int *failure)
{
    ssize_t got;
    do {
        got = read(launch->exec_fd, failure, sizeof(*failure));
    } while (got < 0 && errno == EINTR);
    return got;
}

/* The first opening of the gate, up to where the child waits again. */
static bool enter_namespace(struct launch *launch, struct error *err)
{
    int failure = 0;
    if (!open_gate(launch) || read_report(launch, &failure) != (ssize_t)sizeof(failure)) {
        return error_set(err, ERROR_VMM, "the process for the VMM died before it began");
    }
    if (failure != 0) {
        return error_set_errno(err, failure, "no network namespace for the VMM");
    }
    bool is_served = net_space_serve(launch->pid, launch->alive_fd, &launch->server, err);
    return is_served;
}

bool launch_release(const struct monitor_order *order, struct launch *launch, struct error *err)
{
    if (order->net.mode == NET_NAMESPACE && !enter_namespace(launch, err)) {
        return false;
    }
    bool was_opened = open_gate(launch);
    close(take_fd(&launch->gate_fd));
    int failure = 0;
    ssize_t got = read_report(launch, &failure);
    close(take_fd(&launch->exec_fd));
    if (got == (ssize_t)sizeof(failure)) {
        return error_set_errno(err, failure, "cannot run %s", order->plan.argv.items[0]);
    }
    if (!was_opened) {
        return error_set(err, ERROR_VMM, "the process for the VMM died before it began");
    }
    launch->has_begun = true;
    return true;
}

void launch_done(struct launch *launch)
{
    memory_auto_close(&launch->gate_fd);
    memory_auto_close(&launch->exec_fd);
    memory_auto_close(&launch->stderr_fd);
    memory_auto_close(&launch->pidfd);
    memory_auto_close(&launch->alive_fd);
    net_server_done(&launch->server);
    for (size_t i = 0; i < VMM_LINE_COUNT; i++) {
        memory_auto_close(&launch->lines[i]);
    }
    launch_init(launch);
}

void launch_sweep_lines(int vm_dir)
{
    for (size_t i = 0; i < VMM_LINE_COUNT; i++) {
        unlinkat(vm_dir, vmm_line_socket((enum vmm_line)i), 0);
    }
    unlinkat(vm_dir, VMM_API_SOCKET, 0);
    unlinkat(vm_dir, VMM_VSOCK_SOCKET, 0);
}

void launch_sweep(int vm_dir)
{
    static const char *const records[] = {MACHINE_HANDLE_FILE ".tmp-", MACHINE_EXIT_FILE ".tmp-",
        MACHINE_BOOT_FILE ".new", MACHINE_HISTORY_FILE ".new", MONITOR_ORDER_FILE};
    auto_done(strings) struct strings names = {0};
    struct error ignored = {0};
    unlinkat(vm_dir, MONITOR_SOCKET, 0);
    launch_sweep_lines(vm_dir);
    file_list(vm_dir, ".", &names, &ignored);
    for (size_t i = 0; i < names.count; i++) {
        for (size_t j = 0; j < array_length(records); j++) {
            if (text_has_prefix(names.items[i], records[j])) {
                unlinkat(vm_dir, names.items[i], 0);
            }
        }
    }
}
