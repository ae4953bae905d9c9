/* SPDX-License-Identifier: MIT */
#include "ui/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/snapshot.h"
#include "ui/seat.h"
#include "ui/term.h"

/* How it ended, once it has. */
struct attach_end {
    bool is_done;
    bool has_failed;
    char why[sizeof(((struct error *)0)->text)];
};

static void look(struct seat *seat, uint64_t id, struct attach_end *end)
{
    const struct snapshot *snapshot = engine_snapshot(seat->engine);
    end->is_done = true; /* a job that is not there any more has ended */
    for (size_t i = 0; i < snapshot->jobs_count; i++) {
        const struct job_item *job = &snapshot->jobs[i];
        if (job->id == id) {
            end->is_done = job_state_is_final(job->state);
            end->has_failed = job->state == JOB_FAILED;
            snprintf(end->why, sizeof(end->why), "%s", job->error.text);
        }
    }
    engine_release(snapshot);
}

static void send_size(int window_fd)
{
    unsigned rows = 0;
    unsigned columns = 0;
    term_size(&rows, &columns);
    struct command_window window = {.rows = (uint16_t)rows, .columns = (uint16_t)columns};
    ssize_t wrote = write(window_fd, &window, sizeof(window));
    (void)wrote; /* a verb that is gone needs no size */
}

/* A lost terminal or a request to end ends the guest's stream, and then the program. */
static void handle_signals(struct seat *seat, uint64_t id, int window_fd)
{
    int number = 0;
    while ((number = term_next_signal()) != 0) {
        if (number == SIGWINCH) {
            send_size(window_fd);
        } else if (number != SIGCONT && number != SIGTSTP) {
            engine_cancel(seat->engine, id);
            seat_leave(seat, 128 + number);
        }
    }
}

static void wait_for_end(struct seat *seat, uint64_t id, int window_fd, struct attach_end *end)
{
    look(seat, id, end);
    while (!end->is_done) {
        struct pollfd fds[] = {
            {.fd = engine_wake_fd(seat->engine), .events = POLLIN},
            {.fd = term_signal_fd(), .events = POLLIN},
        };
        if (poll(fds, array_length(fds), -1) < 0) {
            continue;
        }
        if (fds[1].revents != 0) {
            handle_signals(seat, id, window_fd);
        }
        if (fds[0].revents != 0) {
            look(seat, id, end);
        }
    }
}

void attach_run(struct seat *seat, struct command *command)
{
    int window[2] = {-1, -1};
    if (pipe2(window, O_CLOEXEC | O_NONBLOCK) != 0) {
        struct error err = {0};
        error_set_errno(&err, errno, "cannot make a pipe");
        seat_say(seat, ROLE_BAD, "%s", err.text);
        command_free(command);
        return;
    }
    auto_close int window_fd = window[1];
    command_set_fd(command, COMMAND_STDIN, fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
    command_set_fd(command, COMMAND_STDOUT, fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
    command_set_fd(command, COMMAND_STDERR, fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
    command_set_fd(command, COMMAND_WINDOW, window[0]);
    send_size(window_fd);
    term_lend(true);
    struct attach_end end = {0};
    uint64_t id = seat_submit(seat, command);
    if (id != 0) {
        wait_for_end(seat, id, window_fd, &end);
        engine_forget(seat->engine, id);
    }
    term_take_back();
    if (end.has_failed) {
        seat_say(seat, ROLE_BAD, "%s", end.why);
    }
}
