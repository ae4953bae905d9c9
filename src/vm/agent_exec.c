/* SPDX-License-Identifier: MIT */
/* A command in the guest with the caller's descriptors connected to it. */
#include "vm/agent_client.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "vm/agent_stream.h"

#define STATUS_NOT_EXECUTABLE 126
#define STATUS_NOT_FOUND 127
#define STATUS_SIGNAL 128

struct exec {
    struct agent_stream stream;
    const struct agent_exec_spec *spec;
    int status;
};

static bool send_open(struct exec *exec, struct error *err)
{
    const struct agent_exec_spec *spec = exec->spec;
    struct wire_writer writer;
    wire_begin(&writer, &exec->stream.line.out, WIRE_OPEN, WIRE_KIND_EXEC, AGENT_STREAM);
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
        agent_stream_window(&exec->stream, &rows, &columns);
        wire_add_size(&writer, WIRE_TAG_TTY, rows, columns);
    }
    if (!wire_finish(&writer)) {
        return error_set(err, ERROR_INVALID,
            "the command with its environment is longer than the %u KiB the guest takes",
            WIRE_PAYLOAD_MAX >> 10);
    }
    if (exec->stream.stdin_fd < 0) {
        wire_put_end(&exec->stream.line.out, AGENT_STREAM, WIRE_IN);
    }
    return true;
}

/* What a shell would have said on its stderr about a command that did not start. */
static void say_why(struct exec *exec, const char *reason)
{
    struct agent_output *output = &exec->stream.outputs[exec->spec->is_tty ? 0 : 1];
    auto_done(text) struct text line = {0};
    text_append_safe(&line, exec->spec->argv[0], strlen(exec->spec->argv[0]), false);
    text_printf(&line, ": %s%s", reason, exec->spec->is_tty ? "\r\n" : "\n");
    if (output->fd >= 0) {
        wire_buffer_append(&output->pending, text_cstr(&line), line.len);
    }
}

static bool take_result(void *context, const struct wire_frame *frame, struct error *err)
{
    struct exec *exec = context;
    struct wire_field field;
    uint64_t number = 0;
    bool has_number = wire_find(frame, WIRE_TAG_NUMBER, &field) &&
                      wire_field_number(&field, &number) && number <= 255;
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

/* Output that nobody wanted is no failure, output that found no room is one. */
static bool check_outputs(const struct exec *exec, struct error *err)
{
    for (int i = 0; i < 2; i++) {
        if (exec->stream.outputs[i].lost_reason != 0) {
            return error_set_errno(err, exec->stream.outputs[i].lost_reason,
                "cannot write what the guest's command says");
        }
    }
    return true;
}

bool agent_exec(int vm_dir, const struct agent_exec_spec *spec, const struct cancel *cancel,
    int *exit_status, struct error *err)
{
    struct exec exec = {.spec = spec};
    struct agent_stream *stream = &exec.stream;
    if (!agent_stream_open(vm_dir, cancel, stream, err)) {
        return false;
    }
    stream->stdin_fd = spec->stdin_fd;
    stream->window_fd = spec->window_fd;
    stream->deadline = spec->deadline;
    stream->can_leave = spec->is_tty && spec->stdin_fd >= 0 && isatty(spec->stdin_fd);
    stream->outputs[0].fd = spec->stdout_fd;
    stream->outputs[1].fd = spec->stderr_fd;
    stream->take_result = take_result;
    stream->context = &exec;
    bool is_done =
        send_open(&exec, err) && agent_stream_run(stream, cancel, err) && check_outputs(&exec, err);
    if (is_done) {
        *exit_status = exec.status;
    }
    agent_stream_done(stream);
    return is_done;
}
