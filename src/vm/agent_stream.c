/* SPDX-License-Identifier: MIT */
#include "vm/agent_stream.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "vm/stream_fd.h"

#define OPEN_TIMEOUT_MS 10000
#define TO_GUEST_MAX (256u << 10) /* waiting for the monitor; beyond, stdin waits */

/* ---- towards the guest ---------------------------------------------------------------------- */

bool agent_stream_window(struct agent_stream *stream, uint16_t *rows, uint16_t *columns)
{
    struct pollfd window = {.fd = stream->window_fd, .events = POLLIN};
    uint16_t record[2];
    if (stream->window_fd < 0 || poll(&window, 1, 0) <= 0) {
        return false;
    }
    if (read(stream->window_fd, record, sizeof(record)) != (ssize_t)sizeof(record)) {
        stream->window_fd = -1;
        return false;
    }
    *rows = record[0];
    *columns = record[1];
    return true;
}

static bool has_input(const struct agent_stream *stream)
{
    return stream->read != NULL || stream->stdin_fd >= 0;
}

static bool wants_input(const struct agent_stream *stream)
{
    return has_input(stream) && stream->stdin_credit.left > 0 &&
           stream->line.out.len < TO_GUEST_MAX && !stream->is_over;
}

static void end_input(struct agent_stream *stream)
{
    stream->stdin_fd = -1;
    stream->read = NULL;
}

static bool is_left(struct agent_stream *stream, const char *bytes, size_t len)
{
    for (size_t i = 0; stream->can_leave && i < len; i++) {
        stream->leaving = bytes[i] == AGENT_STREAM_LEAVE ? stream->leaving + 1 : 0;
        if (stream->leaving == AGENT_STREAM_LEAVES) {
            return true;
        }
    }
    return false;
}

static bool pass_input(struct agent_stream *stream, struct error *err)
{
    char chunk[WIRE_DATA_MAX];
    size_t left = stream->stdin_credit.left;
    size_t most = left < sizeof(chunk) ? left : sizeof(chunk);
    ssize_t got = stream->read != NULL ? stream->read(stream->context, chunk, most, err)
                                       : read(stream->stdin_fd, chunk, most);
    if (got > 0 && is_left(stream, chunk, (size_t)got)) {
        return error_set(err, ERROR_CANCELLED, "left the machine by its key");
    }
    if (got > 0) {
        wire_put_data(&stream->line.out, AGENT_STREAM, WIRE_IN, chunk, (size_t)got);
        wire_credit_spend(&stream->stdin_credit, (size_t)got);
    } else if (got < 0 && stream->read != NULL) {
        return false;
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        wire_put_end(&stream->line.out, AGENT_STREAM, WIRE_IN);
        end_input(stream);
    }
    return true;
}

static void pass_window(struct agent_stream *stream)
{
    uint16_t rows = 0;
    uint16_t columns = 0;
    if (agent_stream_window(stream, &rows, &columns)) {
        wire_put_resize(&stream->line.out, AGENT_STREAM, rows, columns);
    }
}

/* ---- from the guest ------------------------------------------------------------------------- */

static void give_credit(struct agent_stream *stream, struct agent_output *output, size_t len)
{
    uint32_t bytes = wire_credit_return(&output->credit, len);
    if (bytes > 0 && !stream->is_over) {
        wire_put_credit(&stream->line.out, AGENT_STREAM, output->channel, bytes);
    }
}

/* Nobody reads any more: what is there is dropped, and the guest is told. */
static void close_output(struct agent_stream *stream, struct agent_output *output)
{
    output->fd = -1;
    size_t dropped = output->pending.len;
    wire_buffer_consume(&output->pending, dropped);
    if (!stream->is_over) {
        wire_put_end(&stream->line.out, AGENT_STREAM, output->channel);
    }
    give_credit(stream, output, dropped);
}

static void pass_output(struct agent_stream *stream, struct agent_output *output)
{
    ssize_t written =
        stream_write_some(output->fd, wire_buffer_bytes(&output->pending), output->pending.len);
    if (written < 0) {
        output->lost_reason = errno == EPIPE ? 0 : errno;
        close_output(stream, output);
        return;
    }
    wire_buffer_consume(&output->pending, (size_t)written);
    give_credit(stream, output, (size_t)written);
}

static bool take_data(
    struct agent_stream *stream, const struct wire_frame *frame, struct error *err)
{
    if (frame->code == WIRE_IN) {
        return error_set(err, ERROR_VMM, "the guest sends on the wrong channel");
    }
    struct agent_output *output = &stream->outputs[frame->code == WIRE_ERR ? 1 : 0];
    if (!wire_credit_receive(&output->credit, frame->len)) {
        return error_set(err, ERROR_VMM, "the guest sends more than it was allowed to");
    }
    bool is_for_function = stream->write != NULL && frame->code == WIRE_OUT;
    if (is_for_function && !stream->write(stream->context, frame->payload, frame->len, err)) {
        return false;
    }
    if (output->fd < 0) {
        give_credit(stream, output, frame->len);
    } else {
        wire_buffer_append(&output->pending, frame->payload, frame->len);
    }
    return true;
}

static bool take_frame(void *context, const struct wire_frame *frame, struct error *err)
{
    struct agent_stream *stream = context;
    if (frame->stream != AGENT_STREAM || stream->is_over) {
        return true;
    }
    switch (frame->type) {
    case WIRE_DATA:
        return take_data(stream, frame, err);
    case WIRE_CREDIT:
        return wire_credit_refill(&stream->stdin_credit, wire_frame_credit(frame)) ||
               error_set(err, ERROR_VMM, "the guest allows more than a window");
    case WIRE_END: /* of stdin: nobody reads it any more */
        if (frame->code == WIRE_IN) {
            end_input(stream);
        }
        return true;
    case WIRE_RESULT:
        stream->is_over = true;
        return stream->take_result(stream->context, frame, err);
    case WIRE_STARTED:
        stream->is_started = true;
        return true;
    case WIRE_HELLO:
    case WIRE_OPEN:
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

static void fill_slots(struct agent_stream *stream, const struct cancel *cancel, struct pollfd *fds)
{
    short line = stream->is_over ? 0 : POLLIN;
    line = stream->line.out.len > 0 && !stream->is_over ? (short)(line | POLLOUT) : line;
    fds[SLOT_LINE] = (struct pollfd){stream->is_over ? -1 : stream->line.connection.fd, line, 0};
    fds[SLOT_CANCEL] = (struct pollfd){cancel_fd(cancel), POLLIN, 0};
    fds[SLOT_STDIN] = (struct pollfd){wants_input(stream) ? stream->stdin_fd : -1, POLLIN, 0};
    fds[SLOT_WINDOW] = (struct pollfd){stream->is_over ? -1 : stream->window_fd, POLLIN, 0};
    for (int i = 0; i < 2; i++) {
        struct agent_output *output = &stream->outputs[i];
        /* A reader that goes away is noticed (POLLERR) even while there is nothing to write. */
        fds[SLOT_OUT + i] =
            (struct pollfd){output->fd, output->pending.len > 0 ? (short)POLLOUT : (short)0, 0};
    }
}

static bool is_finished(const struct agent_stream *stream)
{
    return stream->is_over && (stream->outputs[0].fd < 0 || stream->outputs[0].pending.len == 0) &&
           (stream->outputs[1].fd < 0 || stream->outputs[1].pending.len == 0);
}

static void serve_outputs(struct agent_stream *stream, const struct pollfd *fds)
{
    for (int i = 0; i < 2; i++) {
        struct agent_output *output = &stream->outputs[i];
        short revents = fds[SLOT_OUT + i].revents;
        if (output->fd < 0 || revents == 0) {
            continue;
        }
        if (output->pending.len > 0 && (revents & POLLNVAL) == 0) {
            pass_output(stream, output); /* also finds out what a POLLERR means */
        } else {
            close_output(stream, output);
        }
    }
}

/* What the polls found. */
static bool serve(struct agent_stream *stream, const struct pollfd *fds, struct error *err)
{
    serve_outputs(stream, fds);
    bool is_input_due = fds[SLOT_STDIN].revents != 0 || stream->read != NULL;
    if (is_input_due && wants_input(stream) && !pass_input(stream, err)) {
        return false;
    }
    if (fds[SLOT_WINDOW].revents != 0) {
        pass_window(stream);
    }
    if (stream->is_over) {
        return true;
    }
    bool has_news = (fds[SLOT_LINE].revents & (POLLIN | POLLHUP | POLLERR)) != 0;
    return agent_line_send(&stream->line, err) &&
           (!has_news || agent_line_receive(&stream->line, take_frame, stream, err));
}

/* Only the guest can be what keeps us: nothing is to be read, nothing to be written to others. */
static bool is_waiting_for_guest(const struct agent_stream *stream)
{
    return !stream->is_over && stream->idle_ms != 0 && stream->outputs[0].pending.len == 0 &&
           stream->outputs[1].pending.len == 0 && (!has_input(stream) || !wants_input(stream));
}

static int patience_ms(const struct agent_stream *stream)
{
    if (stream->read != NULL && wants_input(stream)) {
        return 0;
    }
    int idle_ms = is_waiting_for_guest(stream) ? (int)stream->idle_ms : -1;
    int left_ms = clock_left_ms(stream->deadline);
    return left_ms >= 0 && (idle_ms < 0 || left_ms < idle_ms) ? left_ms : idle_ms;
}

bool agent_stream_run(struct agent_stream *stream, const struct cancel *cancel, struct error *err)
{
    if (!agent_line_receive(&stream->line, take_frame, stream, err)) {
        return false; /* bytes behind the monitor's answer */
    }
    while (!is_finished(stream)) {
        struct pollfd fds[SLOT_COUNT];
        fill_slots(stream, cancel, fds);
        int patience = patience_ms(stream);
        int ready = poll(fds, SLOT_COUNT, patience);
        if (ready < 0 && errno != EINTR) {
            return error_set_errno(err, errno, "cannot wait for the guest");
        }
        if (clock_left_ms(stream->deadline) == 0) {
            return error_set(err, ERROR_TIMEOUT, "the guest did not end it in time");
        }
        if (ready == 0 && patience > 0 && patience == (int)stream->idle_ms) {
            return error_set(err, ERROR_TIMEOUT,
                "the guest has not moved for %llu s: it hangs, or its agent does",
                (unsigned long long)stream->idle_ms / 1000);
        }
        if (cancel_check(cancel, err) || (ready >= 0 && !serve(stream, fds, err))) {
            return false;
        }
    }
    return true;
}

bool agent_stream_open(
    int vm_dir, const struct cancel *cancel, struct agent_stream *stream, struct error *err)
{
    *stream = (struct agent_stream){.stdin_fd = -1,
        .window_fd = -1,
        .outputs = {{.fd = -1, .channel = WIRE_OUT}, {.fd = -1, .channel = WIRE_ERR}}};
    wire_credit_init(&stream->stdin_credit);
    wire_credit_init(&stream->outputs[0].credit);
    wire_credit_init(&stream->outputs[1].credit);
    return agent_line_open(vm_dir, clock_deadline(OPEN_TIMEOUT_MS), cancel, &stream->line, err);
}

void agent_stream_done(struct agent_stream *stream)
{
    agent_line_done(&stream->line);
    wire_buffer_done(&stream->outputs[0].pending);
    wire_buffer_done(&stream->outputs[1].pending);
}
