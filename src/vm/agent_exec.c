/* SPDX-License-Identifier: MIT */
/* A command in the guest with the caller's descriptors connected to it: one poll loop, back-pressure
 * by the credit of base/wire.h, descriptors left in the mode they came in. */
#include "vm/agent_client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "vm/agent_line.h"
#include "vm/stream_fd.h"

#define OPEN_TIMEOUT_MS 10000
#define TO_GUEST_MAX (256u << 10) /* waiting for the monitor; beyond, stdin waits */
#define STATUS_NOT_EXECUTABLE 126
#define STATUS_NOT_FOUND 127
#define STATUS_SIGNAL 128

/* One way out of the guest. */
struct exec_output {
    int fd;          /* -1: thrown away */
    int lost_reason; /* errno of the write that failed, but for EPIPE: output is missing */
    enum wire_channel channel;
    struct wire_buffer pending;
    struct wire_credit credit;
};

struct exec {
    struct agent_line line;
    const struct agent_exec_spec *spec;
    int stdin_fd;  /* -1 once it ended */
    int window_fd; /* the same */
    struct wire_credit stdin_credit;
    struct exec_output outputs[2];
    bool is_over; /* RESULT came */
    int status;
};

static void exec_done(struct exec *exec)
{
    agent_line_done(&exec->line);
    wire_buffer_done(&exec->outputs[0].pending);
    wire_buffer_done(&exec->outputs[1].pending);
}

/* ---- towards the guest ---------------------------------------------------------------------- */

/* One record of the window pipe. False when there is none now. */
static bool read_window(struct exec *exec, uint16_t *rows, uint16_t *columns)
{
    struct pollfd window = {.fd = exec->window_fd, .events = POLLIN};
    uint16_t record[2];
    if (exec->window_fd < 0 || poll(&window, 1, 0) <= 0) {
        return false;
    }
    if (read(exec->window_fd, record, sizeof(record)) != (ssize_t)sizeof(record)) {
        exec->window_fd = -1;
        return false;
    }
    *rows = record[0];
    *columns = record[1];
    return true;
}

static bool send_open(struct exec *exec, struct error *err)
{
    const struct agent_exec_spec *spec = exec->spec;
    struct wire_writer writer;
    wire_begin(&writer, &exec->line.out, WIRE_OPEN, WIRE_KIND_EXEC, AGENT_STREAM);
    for (size_t i = 0; spec->argv[i] != NULL; i++) {
        wire_add_text(&writer, WIRE_TAG_ARG, spec->argv[i]);
    }
    for (size_t i = 0; spec->env != NULL && spec->env[i] != NULL; i++) {
        wire_add_text(&writer, WIRE_TAG_ENV, spec->env[i]);
    }
    if (spec->cwd != NULL) {
        wire_add_text(&writer, WIRE_TAG_CWD, spec->cwd);
    }
    if (spec->user != NULL) {
        wire_add_text(&writer, WIRE_TAG_USER, spec->user);
    }
    if (spec->is_tty) {
        uint16_t rows = spec->rows;
        uint16_t columns = spec->columns;
        read_window(exec, &rows, &columns);
        wire_add_size(&writer, WIRE_TAG_TTY, rows, columns);
    }
    if (!wire_finish(&writer)) {
        return error_set(err, ERROR_INVALID,
            "the command with its environment is longer than the %u KiB the guest takes",
            WIRE_PAYLOAD_MAX >> 10);
    }
    if (exec->stdin_fd < 0) {
        wire_put_end(&exec->line.out, AGENT_STREAM, WIRE_IN);
    }
    return true;
}

static bool wants_stdin(const struct exec *exec)
{
    return exec->stdin_fd >= 0 && exec->stdin_credit.left > 0 &&
           exec->line.out.len < TO_GUEST_MAX && !exec->is_over;
}

static void pass_stdin(struct exec *exec)
{
    char chunk[WIRE_DATA_MAX];
    size_t most = exec->stdin_credit.left < sizeof(chunk) ? exec->stdin_credit.left : sizeof(chunk);
    ssize_t got = read(exec->stdin_fd, chunk, most);
    if (got > 0) {
        wire_put_data(&exec->line.out, AGENT_STREAM, WIRE_IN, chunk, (size_t)got);
        wire_credit_spend(&exec->stdin_credit, (size_t)got);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        wire_put_end(&exec->line.out, AGENT_STREAM, WIRE_IN);
        exec->stdin_fd = -1;
    }
}

static void pass_window(struct exec *exec)
{
    uint16_t rows = 0;
    uint16_t columns = 0;
    if (read_window(exec, &rows, &columns)) {
        wire_put_resize(&exec->line.out, AGENT_STREAM, rows, columns);
    }
}

/* ---- from the guest ------------------------------------------------------------------------- */

static void give_credit(struct exec *exec, struct exec_output *output, size_t len)
{
    uint32_t bytes = wire_credit_return(&output->credit, len);
    if (bytes > 0 && !exec->is_over) {
        wire_put_credit(&exec->line.out, AGENT_STREAM, output->channel, bytes);
    }
}

/* Nobody reads any more: what is there is dropped, and the guest is told. */
static void close_output(struct exec *exec, struct exec_output *output)
{
    output->fd = -1;
    size_t dropped = output->pending.len;
    wire_buffer_consume(&output->pending, dropped);
    if (!exec->is_over) {
        wire_put_end(&exec->line.out, AGENT_STREAM, output->channel);
    }
    give_credit(exec, output, dropped);
}

static void pass_output(struct exec *exec, struct exec_output *output)
{
    ssize_t written =
        stream_write_some(output->fd, wire_buffer_bytes(&output->pending), output->pending.len);
    if (written < 0) {
        output->lost_reason = errno == EPIPE ? 0 : errno;
        close_output(exec, output);
        return;
    }
    wire_buffer_consume(&output->pending, (size_t)written);
    give_credit(exec, output, (size_t)written);
}

static bool take_data(struct exec *exec, const struct wire_frame *frame, struct error *err)
{
    if (frame->code == WIRE_IN) {
        return error_set(err, ERROR_VMM, "the guest sends on the wrong channel");
    }
    struct exec_output *output = &exec->outputs[frame->code == WIRE_ERR ? 1 : 0];
    if (!wire_credit_receive(&output->credit, frame->len)) {
        return error_set(err, ERROR_VMM, "the guest sends more than it was allowed to");
    }
    if (output->fd < 0) {
        give_credit(exec, output, frame->len);
    } else {
        wire_buffer_append(&output->pending, frame->payload, frame->len);
    }
    return true;
}

/* What a shell would have said on its stderr about a command that did not start. */
static void say_why(struct exec *exec, const char *reason)
{
    struct exec_output *output = &exec->outputs[exec->spec->is_tty ? 0 : 1];
    auto_done(text) struct text line = {0};
    text_append_safe(&line, exec->spec->argv[0], strlen(exec->spec->argv[0]), false);
    text_printf(&line, ": %s%s", reason, exec->spec->is_tty ? "\r\n" : "\n");
    if (output->fd >= 0) {
        wire_buffer_append(&output->pending, text_cstr(&line), line.len);
    }
}

static bool take_result(struct exec *exec, const struct wire_frame *frame, struct error *err)
{
    struct wire_field field;
    uint64_t number = 0;
    bool has_number = wire_find(frame, WIRE_TAG_NUMBER, &field) &&
                      wire_field_number(&field, &number) && number <= 255;
    exec->is_over = true;
    switch (frame->code) {
    case WIRE_OUTCOME_EXITED:
        exec->status = (int)number;
        return has_number || error_set(err, ERROR_VMM, "the guest sent no exit status");
    case WIRE_OUTCOME_SIGNALED:
        exec->status = STATUS_SIGNAL + (int)number;
        return has_number || error_set(err, ERROR_VMM, "the guest sent no signal number");
    case WIRE_OUTCOME_NOT_FOUND:
        say_why(exec, "the guest has no such command");
        exec->status = STATUS_NOT_FOUND;
        return true;
    case WIRE_OUTCOME_NOT_EXECUTABLE:
        say_why(exec, "the guest may not execute this");
        exec->status = STATUS_NOT_EXECUTABLE;
        return true;
    }
    return agent_result_failed(frame, "run the command", err);
}

static bool take_frame(void *context, const struct wire_frame *frame, struct error *err)
{
    struct exec *exec = context;
    if (frame->stream != AGENT_STREAM || exec->is_over) {
        return true;
    }
    switch (frame->type) {
    case WIRE_DATA:
        return take_data(exec, frame, err);
    case WIRE_CREDIT:
        return wire_credit_refill(&exec->stdin_credit, wire_frame_credit(frame)) ||
               error_set(err, ERROR_VMM, "the guest allows more than a window");
    case WIRE_END: /* of stdin: nobody reads it any more */
        if (frame->code == WIRE_IN) {
            exec->stdin_fd = -1;
        }
        return true;
    case WIRE_RESULT:
        return take_result(exec, frame, err);
    case WIRE_HELLO:
    case WIRE_OPEN:
    case WIRE_STARTED:
    case WIRE_SIGNAL:
    case WIRE_RESIZE:
    case WIRE_CLOSE:
    case WIRE_EVENT:
        return true;
    }
    return true;
}

/* ---- the loop ------------------------------------------------------------------------------- */

enum slot { SLOT_LINE, SLOT_CANCEL, SLOT_STDIN, SLOT_WINDOW, SLOT_OUT, SLOT_ERR, SLOT_COUNT };

static void fill_slots(struct exec *exec, const struct cancel *cancel, struct pollfd *fds)
{
    short line = exec->is_over ? 0 : POLLIN;
    line = exec->line.out.len > 0 && !exec->is_over ? (short)(line | POLLOUT) : line;
    fds[SLOT_LINE] = (struct pollfd){exec->is_over ? -1 : exec->line.connection.fd, line, 0};
    fds[SLOT_CANCEL] = (struct pollfd){cancel_fd(cancel), POLLIN, 0};
    fds[SLOT_STDIN] = (struct pollfd){wants_stdin(exec) ? exec->stdin_fd : -1, POLLIN, 0};
    fds[SLOT_WINDOW] = (struct pollfd){exec->is_over ? -1 : exec->window_fd, POLLIN, 0};
    for (int i = 0; i < 2; i++) {
        struct exec_output *output = &exec->outputs[i];
        /* A reader that goes away is noticed (POLLERR) even while there is nothing to write. */
        fds[SLOT_OUT + i] =
            (struct pollfd){output->fd, output->pending.len > 0 ? (short)POLLOUT : (short)0, 0};
    }
}

static bool is_finished(const struct exec *exec)
{
    return exec->is_over && (exec->outputs[0].fd < 0 || exec->outputs[0].pending.len == 0) &&
           (exec->outputs[1].fd < 0 || exec->outputs[1].pending.len == 0);
}

static void serve_outputs(struct exec *exec, const struct pollfd *fds)
{
    for (int i = 0; i < 2; i++) {
        struct exec_output *output = &exec->outputs[i];
        short revents = fds[SLOT_OUT + i].revents;
        if (output->fd < 0 || revents == 0) {
            continue;
        }
        if (output->pending.len > 0 && (revents & POLLNVAL) == 0) {
            pass_output(exec, output); /* also finds out what a POLLERR means */
        } else {
            close_output(exec, output);
        }
    }
}

static bool run(struct exec *exec, const struct cancel *cancel, struct error *err)
{
    if (!agent_line_receive(&exec->line, take_frame, exec, err)) {
        return false; /* bytes behind the monitor's answer */
    }
    while (!is_finished(exec)) {
        struct pollfd fds[SLOT_COUNT];
        fill_slots(exec, cancel, fds);
        if (poll(fds, SLOT_COUNT, -1) < 0 && errno != EINTR) {
            return error_set_errno(err, errno, "cannot wait for the guest");
        }
        if (cancel_check(cancel, err)) {
            return false;
        }
        serve_outputs(exec, fds);
        if (fds[SLOT_STDIN].revents != 0) {
            pass_stdin(exec);
        }
        if (fds[SLOT_WINDOW].revents != 0) {
            pass_window(exec);
        }
        if (exec->is_over) {
            continue;
        }
        if (!agent_line_send(&exec->line, err) ||
            ((fds[SLOT_LINE].revents & (POLLIN | POLLHUP | POLLERR)) != 0 &&
                !agent_line_receive(&exec->line, take_frame, exec, err))) {
            return false;
        }
    }
    return true;
}

/* Output that nobody wanted is no failure, output that found no room is one. */
static bool check_outputs(const struct exec *exec, struct error *err)
{
    for (int i = 0; i < 2; i++) {
        if (exec->outputs[i].lost_reason != 0) {
            return error_set_errno(
                err, exec->outputs[i].lost_reason, "cannot write what the guest's command says");
        }
    }
    return true;
}

bool agent_exec(int vm_dir, const struct agent_exec_spec *spec, const struct cancel *cancel,
    int *exit_status, struct error *err)
{
    struct exec exec = {.spec = spec,
        .stdin_fd = spec->stdin_fd,
        .window_fd = spec->window_fd,
        .outputs = {{.fd = spec->stdout_fd, .channel = WIRE_OUT},
            {.fd = spec->stderr_fd, .channel = WIRE_ERR}}};
    wire_credit_init(&exec.stdin_credit);
    wire_credit_init(&exec.outputs[0].credit);
    wire_credit_init(&exec.outputs[1].credit);
    if (!agent_line_open(vm_dir, clock_deadline(OPEN_TIMEOUT_MS), cancel, &exec.line, err)) {
        return false;
    }
    bool is_done = send_open(&exec, err) && run(&exec, cancel, err) && check_outputs(&exec, err);
    if (is_done) {
        *exit_status = exec.status;
    }
    exec_done(&exec);
    return is_done;
}
