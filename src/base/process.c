/* SPDX-License-Identifier: MIT */
#include "base/process.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

char *process_find(const char *program)
{
    if (strchr(program, '/') != NULL) {
        return access(program, X_OK) == 0 ? memory_strdup(program) : NULL;
    }
    const char *path = getenv("PATH");
    auto_done(strings) struct strings places = {0};
    strings_split(&places, path != NULL ? path : "/usr/local/bin:/usr/bin:/bin", ":");
    for (size_t i = 0; i < places.count; i++) {
        auto_free char *candidate = memory_printf("%s/%s", places.items[i], program);
        struct stat status;
        if (places.items[i][0] == '/' && stat(candidate, &status) == 0 && S_ISREG(status.st_mode) &&
            access(candidate, X_OK) == 0) {
            return take_ptr(candidate);
        }
    }
    return NULL;
}

/* Everything below runs between fork and exec in a process with other threads: only
 * async-signal-safe calls. */

static void child_fail(int report_fd)
{
    int failure = errno;
    ssize_t ignored = write(report_fd, &failure, sizeof failure);
    (void)ignored;
    _exit(127);
}

/* Moves the descriptors that go to 0, 1, 2 out of each other's way, then into place. */
static bool child_place_standard_fds(const struct process_spec *spec)
{
    int wanted[3] = {spec->stdin_fd, spec->stdout_fd, spec->stderr_fd};
    for (int i = 0; i < 3; i++) {
        if (wanted[i] < 0) {
            wanted[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
        }
        wanted[i] = fcntl(wanted[i], F_DUPFD_CLOEXEC, 3);
        if (wanted[i] < 0) {
            return false;
        }
    }
    for (int i = 0; i < 3; i++) {
        if (dup2(wanted[i], i) < 0) {
            return false;
        }
    }
    return true;
}

static bool child_keep_fds(const struct process_spec *spec)
{
    for (unsigned i = 0; i < spec->keep_count; i++) {
        if (fcntl(spec->keep_fds[i], F_SETFD, 0) < 0) {
            return false;
        }
    }
    return true;
}

static void child_default_signals(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number++) {
        sigaction(number, &action, NULL);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void child_exec(
    const struct process_spec *spec, const char *program, int report_fd)
{
    if (spec->is_new_session) {
        setsid();
    }
    if (spec->cwd_fd >= 0 && fchdir(spec->cwd_fd) != 0) {
        child_fail(report_fd);
    }
    /* All descriptors are close-on-exec from here on; the wanted ones are then taken out. */
    syscall(SYS_close_range, 3U, ~0U, 1U << 2 /* CLOSE_RANGE_CLOEXEC */);
    if (!child_place_standard_fds(spec) || !child_keep_fds(spec)) {
        child_fail(report_fd);
    }
    child_default_signals();
    char *const *env = spec->env != NULL ? (char *const *)spec->env : environ;
    execve(program, (char *const *)spec->argv, env);
    child_fail(report_fd);
    _exit(127);
}

static int open_pidfd(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0U);
}

/* True when exec succeeded (the report pipe closed empty). */
static bool read_report(int report_fd, const char *program, struct error *err)
{
    int failure = 0;
    ssize_t got;
    do {
        got = read(report_fd, &failure, sizeof failure);
    } while (got < 0 && errno == EINTR);
    if (got == (ssize_t)sizeof failure) {
        return error_set_errno(err, failure, "cannot run %s", program);
    }
    return true;
}

bool process_spawn(const struct process_spec *spec, pid_t *pid, int *pidfd, struct error *err)
{
    auto_free char *program = process_find(spec->argv[0]);
    if (program == NULL) {
        return error_set(err, ERROR_NOT_FOUND, "the program %s is not installed", spec->argv[0]);
    }
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0) {
        return error_set_errno(err, errno, "cannot make a pipe");
    }
    auto_close int report_in = report[0];
    auto_close int report_out = report[1];
    /* No handler of ours may run in the child before its dispositions are reset. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pid_t child = fork();
    if (child == 0) {
        child_exec(spec, program, report_out);
    }
    int fork_errno = errno;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (child < 0) {
        return error_set_errno(err, fork_errno, "cannot start %s", program);
    }
    close(take_fd(&report_out));
    auto_close int child_fd = open_pidfd(child);
    if (child_fd < 0 || !read_report(report_in, program, err)) {
        int saved = errno;
        kill(child, SIGKILL); /* still our unreaped child: the pid cannot be anybody else's */
        waitpid(child, NULL, 0);
        return error_set_errno(err, saved, "cannot watch %s", program);
    }
    *pid = child;
    *pidfd = take_fd(&child_fd);
    return true;
}

bool process_wait(pid_t pid, int pidfd, uint64_t timeout_ms, const struct cancel *cancel,
    int *status, struct error *err)
{
    uint64_t deadline = clock_deadline(timeout_ms);
    for (;;) {
        struct pollfd fds[2] = {
            {.fd = pidfd, .events = POLLIN}, {.fd = cancel_fd(cancel), .events = POLLIN}};
        int ready = poll(fds, 2, clock_left_ms(deadline));
        if (ready < 0 && errno != EINTR) {
            return error_set_errno(err, errno, "cannot wait for process %d", (int)pid);
        }
        if (fds[0].revents != 0 && ready > 0) {
            break;
        }
        if (cancel_check(cancel, err)) {
            return false;
        }
        if (ready == 0 && clock_left_ms(deadline) == 0) {
            return error_set(err, ERROR_TIMEOUT, "process %d did not end in time", (int)pid);
        }
    }
    if (waitpid(pid, status, 0) != pid) {
        return error_set_errno(err, errno, "cannot wait for process %d", (int)pid);
    }
    return true;
}

struct collector {
    int fd;
    struct text *into;
    size_t max_bytes;
};

/* One read; closes the descriptor at the end. What is beyond the cap is read and dropped. */
static void collect(struct collector *from)
{
    char chunk[4096];
    ssize_t got = read(from->fd, chunk, sizeof chunk);
    if (got < 0 && errno == EINTR) {
        return;
    }
    if (got <= 0) {
        close(from->fd);
        from->fd = -1;
        return;
    }
    if (from->into != NULL && from->into->len < from->max_bytes) {
        size_t room = from->max_bytes - from->into->len;
        text_append_bytes(from->into, chunk, (size_t)got < room ? (size_t)got : room);
    }
}

/* Reads both pipes until they close. */
static bool collect_all(struct collector *streams, const char *program, uint64_t deadline,
    const struct cancel *cancel, struct error *err)
{
    while (streams[0].fd >= 0 || streams[1].fd >= 0) {
        struct pollfd fds[3] = {{.fd = streams[0].fd, .events = POLLIN},
            {.fd = streams[1].fd, .events = POLLIN}, {.fd = cancel_fd(cancel), .events = POLLIN}};
        int ready = poll(fds, 3, clock_left_ms(deadline));
        if (ready < 0 && errno != EINTR) {
            return error_set_errno(err, errno, "cannot read from %s", program);
        }
        if (cancel_check(cancel, err)) {
            return false;
        }
        if (ready == 0) {
            return error_set(err, ERROR_TIMEOUT, "%s did not end in time", program);
        }
        for (int i = 0; i < 2 && ready > 0; i++) {
            if (fds[i].revents != 0) {
                collect(&streams[i]);
            }
        }
    }
    return true;
}

bool process_run_input(const char *const *argv, int stdin_fd, uint64_t timeout_ms, size_t max_bytes,
    const struct cancel *cancel, struct text *out, struct text *errors, int *status,
    struct error *err)
{
    int pipes[2][2] = {{-1, -1}, {-1, -1}};
    if (pipe2(pipes[0], O_CLOEXEC) != 0 || pipe2(pipes[1], O_CLOEXEC) != 0) {
        error_set_errno(err, errno, "cannot make a pipe");
        memory_auto_close(&pipes[0][0]);
        memory_auto_close(&pipes[0][1]);
        return false;
    }
    struct process_spec spec = {.argv = argv,
        .stdin_fd = stdin_fd,
        .stdout_fd = pipes[0][1],
        .stderr_fd = pipes[1][1],
        .cwd_fd = -1};
    pid_t pid = -1;
    auto_close int pidfd = -1;
    bool is_started = process_spawn(&spec, &pid, &pidfd, err);
    close(pipes[0][1]);
    close(pipes[1][1]);
    struct collector streams[2] = {{pipes[0][0], out, max_bytes}, {pipes[1][0], errors, max_bytes}};
    uint64_t deadline = clock_deadline(timeout_ms);
    bool is_done = is_started && collect_all(streams, argv[0], deadline, cancel, err) &&
                   process_wait(pid, pidfd, timeout_ms, cancel, status, err);
    for (int i = 0; i < 2; i++) {
        if (streams[i].fd >= 0) {
            close(streams[i].fd);
        }
    }
    if (is_started && !is_done) {
        syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0U);
        waitpid(pid, NULL, 0);
    }
    return is_done;
}

bool process_run(const char *const *argv, uint64_t timeout_ms, size_t max_bytes,
    const struct cancel *cancel, struct text *out, struct text *errors, int *status,
    struct error *err)
{
    return process_run_input(argv, -1, timeout_ms, max_bytes, cancel, out, errors, status, err);
}
