/* SPDX-License-Identifier: MIT */
#include "ui/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/snapshot.h"
#include "ui/actions.h"
#include "ui/result.h"
#include "ui/seat.h"
#include "ui/term.h"

/* How it ended, once it has. */
struct attach_end {
    bool is_done;
    bool has_failed;
    int64_t exit_status; /* of the guest's command; 0 when it had none */
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
            auto_json struct json *result = result_parse(job);
            end->exit_status = json_integer(result, "exit_status", 0);
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

/* What was said beside the guest's own stream, without its end of line. */
static void read_words(int fd, char *words, size_t size)
{
    ssize_t got = read(fd, words, size - 1);
    size_t len = got > 0 ? (size_t)got : 0;
    while (len > 0 && (words[len - 1] == '\n' || words[len - 1] == '\r')) {
        len--;
    }
    words[len] = '\0';
}

static void tell_end(struct seat *seat, const struct attach_end *end, bool is_shell, int errors_fd)
{
    char words[TOAST_MAX];
    read_words(errors_fd, words, sizeof(words));
    if (end->has_failed) {
        seat_say(seat, ROLE_BAD, "%s", end->why);
    } else if (words[0] != '\0') {
        seat_say(seat, ROLE_BAD, "%s", words);
    } else if (is_shell && end->exit_status == 127) {
        seat_say(seat, ROLE_BAD,
            "There is no shell in this machine (sh was not found); its serial line may have one.");
    } else if (end->exit_status == 126 || end->exit_status == 127) {
        seat_say(seat, ROLE_BAD, "The command %s in the machine (status %" PRId64 ").",
            end->exit_status == 127 ? "was not found" : "could not be started", end->exit_status);
    } else if (end->exit_status != 0) {
        seat_say(seat, ROLE_TEXT, "The command ended with status %" PRId64 ".", end->exit_status);
    }
}

/* The terminal's descriptors for the guest, and pipes for sizes and for what is said on stderr:
 * the guest's own goes the same way as its output when it has a terminal. */
static bool give_descriptors(
    struct seat *seat, struct command *command, int *window_fd, int *errors_fd)
{
    int window[2] = {-1, -1};
    int errors[2] = {-1, -1};
    if (pipe2(window, O_CLOEXEC | O_NONBLOCK) != 0 || pipe2(errors, O_CLOEXEC | O_NONBLOCK) != 0) {
        struct error err = {0};
        error_set_errno(&err, errno, "cannot make a pipe");
        seat_say(seat, ROLE_BAD, "%s", err.text);
        memory_auto_close(&window[0]);
        memory_auto_close(&window[1]);
        return false;
    }
    command_set_fd(command, COMMAND_STDIN, fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
    command_set_fd(command, COMMAND_STDOUT, fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
    command_set_fd(command, COMMAND_STDERR, errors[1]);
    command_set_fd(command, COMMAND_WINDOW, window[0]);
    *window_fd = window[1];
    *errors_fd = errors[0];
    return true;
}

/* A serial line says itself how to leave it; a shell would not. */
static void say_way_back(const struct command *command)
{
    const struct argument *operand = action_operand(command_verb(command));
    const char *name = operand != NULL ? command_get(command, operand->name) : NULL;
    if ((command_verb(command)->flags & VERB_TERMINAL) == 0 && name != NULL) {
        auto_done(text) struct text line = {0};
        text_append(&line, "In machine ");
        text_append_safe(&line, name, strlen(name), true);
        text_append(
            &line, ": exit or Ctrl-D comes back.\r\nShould it hang: Ctrl-] three times.\r\n");
        term_write(text_cstr(&line), line.len);
    }
}

void attach_run(struct seat *seat, struct command *command)
{
    auto_close int window_fd = -1;
    auto_close int errors_fd = -1;
    if (!give_descriptors(seat, command, &window_fd, &errors_fd)) {
        command_free(command);
        return;
    }
    send_size(window_fd);
    term_lend(true);
    say_way_back(command);
    struct attach_end end = {0};
    bool is_shell = action_is_shell(command);
    uint64_t id = seat_submit(seat, command);
    if (id != 0) {
        wait_for_end(seat, id, window_fd, &end);
        engine_forget(seat->engine, id);
    }
    term_take_back();
    term_drop_keys(); /* what was typed at the guest is not for the list */
    if (id != 0) {
        tell_end(seat, &end, is_shell, errors_fd);
    }
}
