/* SPDX-License-Identifier: MIT */
#include "guest/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "guest/exec.h"
#include "guest/guest.h"

/* How long the last bytes of a terminal may take after its program has ended. */
#define TTY_DRAIN_MS 200u
static int channel_of(unsigned index)
{
    return index == 0 ? WIRE_OUT : WIRE_ERR;
}

struct stream *stream_find(struct agent *agent, uint32_t id)
{
    struct stream *stream = agent->streams;
    while (stream != NULL && stream->id != id) {
        stream = stream->next;
    }
    return stream;
}

struct stream *stream_next(const struct stream *stream)
{
    return stream->next;
}

/* ---- input ---------------------------------------------------------------------------------- */

static void give_back(struct agent *agent, struct stream *stream, size_t len)
{
    uint32_t credit = wire_credit_return(&stream->in.credit, len);
    if (credit > 0) {
        wire_put_credit(&agent->out, stream->id, WIRE_IN, credit);
    }
}

/* Nobody reads any more: the host need not send. */
static void input_is_gone(struct agent *agent, struct stream *stream)
{
    stream_close_fd(&stream->in.fd);
    give_back(agent, stream, stream->in.len);
    stream->in.len = 0;
    wire_put_end(&agent->out, stream->id, WIRE_IN);
}

static void pass_input(struct agent *agent, struct stream *stream)
{
    struct input *in = &stream->in;
    if (stream->is_connecting) {
        return;
    }
    while (in->fd >= 0 && in->len > 0) {
        ssize_t done = write(in->fd, in->bytes + in->start, in->len);
        if (done < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        if (done <= 0) {
            input_is_gone(agent, stream);
            return;
        }
        in->start += (size_t)done;
        in->len -= (size_t)done;
        give_back(agent, stream, (size_t)done);
    }
    in->start = 0;
    if (in->is_ending && in->fd >= 0 && !stream->is_tty) {
        if (stream->kind == STREAM_TCP) {
            shutdown(in->fd, SHUT_WR);
        }
        stream_close_fd(&in->fd);
    }
}

static void append_input(struct input *in, const uint8_t *bytes, size_t len)
{
    if (in->bytes == NULL) {
        in->bytes = grow(NULL, WIRE_WINDOW + 1); /* and a terminal's end of file */
    }
    if (in->start + in->len + len > WIRE_WINDOW) {
        memmove(in->bytes, in->bytes + in->start, in->len);
        in->start = 0;
    }
    memcpy(in->bytes + in->start + in->len, bytes, len);
    in->len += len;
}

static bool take_data(struct agent *agent, struct stream *stream, const struct wire_frame *frame)
{
    struct input *in = &stream->in;
    if (frame->code != WIRE_IN || in->is_ending || !wire_credit_receive(&in->credit, frame->len)) {
        return false;
    }
    if (in->fd < 0) {
        give_back(agent, stream, frame->len);
        return true;
    }
    append_input(in, frame->payload, frame->len);
    pass_input(agent, stream);
    return true;
}

/* A terminal has no end of file but a character that means it, while it reads lines. */
static void end_input(struct agent *agent, struct stream *stream)
{
    struct termios modes;
    stream->in.is_ending = true;
    if (stream->is_tty && stream->in.fd >= 0 && tcgetattr(stream->in.fd, &modes) == 0 &&
        (modes.c_lflag & ICANON) != 0) {
        append_input(&stream->in, &modes.c_cc[VEOF], 1);
    }
    pass_input(agent, stream);
}

/* ---- output --------------------------------------------------------------------------------- */

static bool wants_output(
    const struct agent *agent, const struct stream *stream, const struct output *output)
{
    return output->fd >= 0 && !stream->is_connecting &&
           (output->is_ignored || output->credit.left > 0) && agent->out.len < AGENT_OUT_HIGH;
}

static void output_is_over(struct agent *agent, struct stream *stream, unsigned index)
{
    stream_close_fd(&stream->out[index].fd);
    if (!stream->out[index].is_ignored) {
        wire_put_end(&agent->out, stream->id, (enum wire_channel)channel_of(index));
    }
}

static size_t output_limit(const struct output *output)
{
    size_t limit = WIRE_DATA_MAX;
    if (!output->is_ignored && output->credit.left < limit) {
        limit = output->credit.left;
    }
    return output->owed < limit ? output->owed : limit;
}

static void move_output(struct agent *agent, struct stream *stream, unsigned index)
{
    static uint8_t bytes[WIRE_DATA_MAX];
    struct output *output = &stream->out[index];
    ssize_t got = read(output->fd, bytes, output_limit(output));
    if (got < 0 && errno == EINTR) {
        return;
    }
    if (got < 0 && errno == EAGAIN) {
        bool is_drained = stream->is_tty ? uptime_ms() >= stream->drain_until_ms : true;
        if (stream->is_exited && is_drained) {
            output_is_over(agent, stream, index);
        }
        return;
    }
    if (got <= 0) { /* EIO is a terminal's end of file */
        output_is_over(agent, stream, index);
        return;
    }
    if (!output->is_ignored) {
        wire_put_data(
            &agent->out, stream->id, (enum wire_channel)channel_of(index), bytes, (size_t)got);
        wire_credit_spend(&output->credit, (size_t)got);
    }
    if (output->owed != NOTHING_OWED) {
        output->owed -= (size_t)got;
        if (output->owed == 0) {
            output_is_over(agent, stream, index);
        }
    }
}

/* The host wants no more of it. A terminal goes on for the sake of its input. */
static void end_output(struct stream *stream, unsigned index)
{
    stream->out[index].is_ignored = true;
    if (stream->kind == STREAM_TCP) {
        shutdown(stream->out[index].fd, SHUT_RD);
    }
    if (!stream->is_tty) {
        stream_close_fd(&stream->out[index].fd);
    }
}

/* ---- frames and events ---------------------------------------------------------------------- */

bool stream_frame(struct agent *agent, struct stream *stream, const struct wire_frame *frame)
{
    uint16_t rows, columns;
    switch (frame->type) {
    case WIRE_DATA:
        return take_data(agent, stream, frame);
    case WIRE_END:
        if (frame->code == WIRE_IN) {
            end_input(agent, stream);
        } else {
            end_output(stream, frame->code == WIRE_OUT ? 0 : 1);
        }
        return true;
    case WIRE_CREDIT:
        return frame->code != WIRE_IN &&
               wire_credit_refill(
                   &stream->out[frame->code == WIRE_OUT ? 0 : 1].credit, wire_frame_credit(frame));
    case WIRE_SIGNAL:
        stream_signal(stream, (int)frame->code);
        return true;
    case WIRE_RESIZE:
        wire_frame_size(frame, &rows, &columns);
        if (stream->is_tty && stream->in.fd >= 0) {
            exec_resize(stream->in.fd, rows, columns);
        }
        return true;
    case WIRE_CLOSE:
        stream_close(agent, stream->id);
        return true;
    case WIRE_HELLO:
    case WIRE_OPEN:
    case WIRE_STARTED:
    case WIRE_RESULT:
    case WIRE_EVENT:
        break;
    }
    return false;
}

/* What a program wrote before it ended is in its pipes now; what its children write later is not
 * its own. */
static void settle_debts(struct agent *agent, struct stream *stream)
{
    for (unsigned i = 0; i < 2; i++) {
        int owed = 0;
        if (stream->out[i].fd < 0) {
            continue;
        }
        if (ioctl(stream->out[i].fd, FIONREAD, &owed) != 0 || owed <= 0) {
            output_is_over(agent, stream, i);
        } else {
            stream->out[i].owed = (size_t)owed;
        }
    }
}

void stream_reaped(struct agent *agent, pid_t pid, int status)
{
    for (struct stream *stream = agent->streams; stream != NULL; stream = stream->next) {
        if (stream->pid == pid && !stream->is_exited) {
            stream->is_exited = true;
            stream->status = status;
            stream->drain_until_ms = uptime_ms() + TTY_DRAIN_MS;
            if (!stream->is_tty) {
                settle_debts(agent, stream);
            }
            return;
        }
    }
}

/* A process has ended and its output is told, or both directions of a connection have ended. */
static bool is_over(const struct stream *stream)
{
    bool is_quiet = stream->out[0].fd < 0 && stream->out[1].fd < 0;
    return is_quiet && (stream->kind == STREAM_TCP ? stream->in.fd < 0
                                                   : stream->is_exited && stream->start_fd < 0);
}

void stream_poll(
    struct stream *stream, const struct agent *agent, struct pollfd *polls, int *timeout_ms)
{
    const struct input *in = &stream->in;
    polls[0] = (struct pollfd){.fd = stream->start_fd, .events = POLLIN};
    /* Without bytes only to hear that the reader has gone. */
    bool is_wanted_in = in->len > 0 || stream->is_connecting;
    polls[1] = (struct pollfd){.fd = in->fd, .events = is_wanted_in ? POLLOUT : 0};
    for (unsigned i = 0; i < 2; i++) {
        bool is_wanted = wants_output(agent, stream, &stream->out[i]);
        polls[2 + i] = (struct pollfd){.fd = is_wanted ? stream->out[i].fd : -1, .events = POLLIN};
        if (is_wanted && stream->is_exited) {
            uint64_t now = uptime_ms();
            uint64_t left = stream->drain_until_ms > now ? stream->drain_until_ms - now : 0;
            *timeout_ms = *timeout_ms < 0 || left < (uint64_t)*timeout_ms ? (int)left : *timeout_ms;
        }
    }
    if (is_over(stream)) {
        *timeout_ms = 0; /* nothing more will happen to it */
    }
}

static void learn_start(struct agent *agent, struct stream *stream)
{
    ssize_t got = read(stream->start_fd, &stream->failure, sizeof stream->failure);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    stream_close_fd(&stream->start_fd);
    if (got == sizeof stream->failure) {
        stream->has_failed = true;
        stream->failure.text[sizeof stream->failure.text - 1] = '\0';
    } else if (stream->kind == STREAM_EXEC) {
        wire_put_frame(&agent->out, WIRE_STARTED, 0, stream->id, NULL, 0);
    }
}

static void tell_result(struct agent *agent, const struct stream *stream)
{
    if (stream->has_failed) {
        agent_result(agent, stream->id, (enum wire_outcome)stream->failure.outcome, true,
            (uint64_t)stream->failure.error, stream->failure.text);
    } else if (stream->kind == STREAM_COPY && stream->status != 0) {
        agent_result(agent, stream->id, WIRE_OUTCOME_FAILED, false, 0, "the copying was ended");
    } else if (stream->kind != STREAM_EXEC) {
        agent_result(agent, stream->id, WIRE_OUTCOME_OK, false, 0, NULL);
    } else if (WIFSIGNALED(stream->status)) {
        agent_result(agent, stream->id, WIRE_OUTCOME_SIGNALED, true,
            (uint64_t)WTERMSIG(stream->status), NULL);
    } else {
        agent_result(agent, stream->id, WIRE_OUTCOME_EXITED, true,
            (uint64_t)WEXITSTATUS(stream->status), NULL);
    }
}

void stream_serve(struct agent *agent, struct stream *stream, const struct pollfd *polls)
{
    if (stream->start_fd >= 0 && (polls[0].revents != 0 || stream->is_exited)) {
        learn_start(agent, stream);
    }
    if (stream->is_connecting) {
        if (polls[1].revents == 0 || !stream_connected(agent, stream)) {
            return;
        }
        pass_input(agent, stream);
    } else if ((polls[1].revents & POLLOUT) != 0) {
        pass_input(agent, stream);
    } else if (polls[1].revents != 0 && stream->in.fd >= 0) {
        input_is_gone(agent, stream);
    }
    for (unsigned i = 0; i < 2; i++) {
        bool is_due = polls[2 + i].revents != 0 || stream->is_exited;
        if (is_due && wants_output(agent, stream, &stream->out[i])) {
            move_output(agent, stream, i);
        }
    }
    if (!is_over(stream)) {
        return;
    }
    tell_result(agent, stream);
    stream_remove(agent, stream);
}
