/* SPDX-License-Identifier: MIT */
/* How the agent's streams begin, and how they are forgotten. */
#include "guest/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest/copy.h"
#include "guest/exec.h"
#include "guest/guest.h"
#include "guest/tcp.h"

void stream_close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
    *fd = -1;
}

static struct stream *add_stream(struct agent *agent, uint32_t id, enum stream_kind kind)
{
    struct stream *stream = grow(NULL, sizeof *stream);
    *stream = (struct stream){.id = id, .kind = kind, .start_fd = -1};
    stream->in.fd = -1;
    wire_credit_init(&stream->in.credit);
    for (unsigned i = 0; i < 2; i++) {
        stream->out[i].fd = -1;
        stream->out[i].owed = NOTHING_OWED;
        wire_credit_init(&stream->out[i].credit);
    }
    stream->next = agent->streams;
    agent->streams = stream;
    agent->stream_count++;
    return stream;
}

void stream_remove(struct agent *agent, struct stream *stream)
{
    struct stream **link = &agent->streams;
    while (*link != stream) {
        link = &(*link)->next;
    }
    *link = stream->next;
    agent->stream_count--;
    stream_close_fd(&stream->start_fd);
    stream_close_fd(&stream->in.fd);
    stream_close_fd(&stream->out[0].fd);
    stream_close_fd(&stream->out[1].fd);
    free(stream->in.bytes);
    free(stream);
}

void stream_signal(const struct stream *stream, int number)
{
    bool is_ours = stream->kind == STREAM_EXEC || stream->kind == STREAM_COPY;
    if (is_ours && !stream->is_exited && kill(-stream->pid, number) != 0) {
        kill(stream->pid, number); /* it has not come so far as to have a group */
    }
}

void stream_open_exec(struct agent *agent, const struct wire_frame *frame)
{
    struct exec_request request = {0};
    struct exec_child child;
    const char *fault = exec_parse(frame, &request);
    if (fault != NULL) {
        agent_result(agent, frame->stream, WIRE_OUTCOME_FAILED, true, EINVAL, fault);
    } else if (!exec_start(&request, &agent->facts, &child)) {
        int error = errno;
        char *text = format_text("cannot start a process in the machine: %m");
        agent_result(agent, frame->stream, WIRE_OUTCOME_FAILED, true, (uint64_t)error, text);
        free(text);
    } else {
        struct stream *stream = add_stream(agent, frame->stream, STREAM_EXEC);
        stream->pid = child.pid;
        stream->is_tty = request.command.is_tty;
        stream->start_fd = child.start_fd;
        stream->in.fd = child.in_fd;
        stream->out[0].fd = child.out_fd;
        stream->out[1].fd = child.err_fd;
    }
    command_done(&request.command);
}

/* In a process of its own: it may take seconds, and nobody else shall wait. */
void stream_open_sync(struct agent *agent, const struct wire_frame *frame)
{
    pid_t pid = fork();
    if (pid == 0) {
        sync();
        _exit(0);
    }
    if (pid < 0) {
        agent_result(agent, frame->stream, WIRE_OUTCOME_FAILED, true, (uint64_t)errno,
            "cannot start a process in the machine");
        return;
    }
    add_stream(agent, frame->stream, STREAM_SYNC)->pid = pid;
}

void stream_open_copy(struct agent *agent, const struct wire_frame *frame)
{
    struct copy_request request = {0};
    struct exec_child child;
    const char *fault = copy_parse(frame, &request);
    if (fault != NULL) {
        bool is_newer = request.format > COPY_FORMAT;
        agent_result(agent, frame->stream,
            is_newer ? WIRE_OUTCOME_UNSUPPORTED : WIRE_OUTCOME_FAILED, true, EINVAL, fault);
    } else if (!copy_start(&request, &child)) {
        agent_result(agent, frame->stream, WIRE_OUTCOME_FAILED, true, (uint64_t)errno,
            "cannot start a process in the machine");
    } else {
        struct stream *stream = add_stream(agent, frame->stream, STREAM_COPY);
        stream->pid = child.pid;
        stream->start_fd = child.start_fd;
        stream->in.fd = child.in_fd;
        stream->out[0].fd = child.out_fd;
    }
    copy_done(&request);
}

/* ---- connections ---------------------------------------------------------------------------- */

static void connection_failed(struct agent *agent, uint32_t id, int error)
{
    errno = error;
    char *text = format_text("%m");
    agent_result(agent, id, WIRE_OUTCOME_FAILED, true, (uint64_t)error, text);
    free(text);
}

void stream_open_tcp(struct agent *agent, const struct wire_frame *frame)
{
    struct wire_field field;
    uint64_t port = 0;
    if (!wire_find(frame, WIRE_TAG_NUMBER, &field) || !wire_field_number(&field, &port) ||
        port == 0 || port > UINT16_MAX) {
        connection_failed(agent, frame->stream, EINVAL);
        return;
    }
    unsigned try = 0;
    int fd = tcp_connect((uint16_t)port, &try);
    if (fd < 0) {
        connection_failed(agent, frame->stream, errno);
        return;
    }
    struct stream *stream = add_stream(agent, frame->stream, STREAM_TCP);
    stream->port = (uint16_t)port;
    stream->try = try;
    stream->is_connecting = true;
    stream->in.fd = fd;
}

bool stream_connected(struct agent *agent, struct stream *stream)
{
    int error = tcp_error(stream->in.fd);
    if (error != 0) {
        int fd = tcp_connect(stream->port, &stream->try);
        stream_close_fd(&stream->in.fd);
        stream->in.fd = fd;
        if (fd < 0) {
            connection_failed(agent, stream->id, error);
            stream_remove(agent, stream);
        }
        return false;
    }
    stream->is_connecting = false;
    stream->out[0].fd = fcntl(stream->in.fd, F_DUPFD_CLOEXEC, 0);
    wire_put_frame(&agent->out, WIRE_STARTED, 0, stream->id, NULL, 0);
    return true;
}

/* ---- forgetting ----------------------------------------------------------------------------- */

void stream_close(struct agent *agent, uint32_t id)
{
    struct stream *next;
    for (struct stream *stream = agent->streams; stream != NULL; stream = next) {
        next = stream->next;
        if (id == 0 || stream->id == id) {
            stream_signal(stream, SIGHUP);
            stream_signal(stream, SIGCONT);
            stream_remove(agent, stream);
        }
    }
}
