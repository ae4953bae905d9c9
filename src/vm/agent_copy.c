/* SPDX-License-Identifier: MIT */
/* Copies and connections: streams of bytes that end without a status. */
#include "vm/agent_client.h"

#include <errno.h>
#include <limits.h>

#include "base/error.h"
#include "base/tree_stream.h"
#include "vm/agent_stream.h"

/* A guest that does not move for so long while we wait for it is given up. */
#define COPY_IDLE_MS 60000

struct transfer {
    struct agent_stream stream;
    const struct agent_copy_spec *spec;
    const char *what;
};

static bool take_result(void *context, const struct wire_frame *frame, struct error *err)
{
    struct transfer *transfer = context;
    struct wire_field field;
    uint64_t number = 0;
    if (frame->code == WIRE_OUTCOME_OK) {
        return true;
    }
    agent_result_failed(frame, transfer->what, err);
    bool has_errno = frame->code == WIRE_OUTCOME_FAILED && transfer->spec != NULL &&
                     wire_find(frame, WIRE_TAG_NUMBER, &field) &&
                     wire_field_number(&field, &number);
    struct error same = {0};
    if (has_errno && number <= INT_MAX) {
        error_set_errno(&same, (int)number, "as it would be here");
    }
    if (same.code != ERROR_NONE && same.code != ERROR_IO) {
        err->code = same.code;
    }
    return false;
}

static ssize_t read_source(void *context, void *bytes, size_t size, struct error *err)
{
    struct transfer *transfer = context;
    return transfer->spec->read(transfer->spec->context, bytes, size, err);
}

static bool write_sink(void *context, const void *bytes, size_t len, struct error *err)
{
    struct transfer *transfer = context;
    return transfer->spec->write(transfer->spec->context, bytes, len, err);
}

static bool lost_output(const struct agent_stream *stream, struct error *err)
{
    int reason = stream->outputs[0].lost_reason;
    return reason == 0 || error_set_errno(err, reason, "cannot write what the guest sends");
}

static bool send_copy(struct transfer *transfer, struct error *err)
{
    const struct agent_copy_spec *spec = transfer->spec;
    struct wire_writer writer;
    wire_begin(&writer, &transfer->stream.line.out, WIRE_OPEN, WIRE_KIND_COPY, AGENT_STREAM);
    wire_add_number(&writer, WIRE_TAG_FORMAT, TREE_FORMAT);
    wire_add_number(&writer, WIRE_TAG_DIRECTION, spec->is_into_guest ? WIRE_IN : WIRE_OUT);
    wire_add_text(&writer, WIRE_TAG_PATH, spec->path);
    if (spec->is_into_guest && spec->name != NULL) {
        wire_add_text(&writer, WIRE_TAG_NAME, spec->name);
    }
    return wire_finish(&writer) ||
           error_set(err, ERROR_INVALID, "the path in the guest is too long");
}

bool agent_copy(
    int vm_dir, const struct agent_copy_spec *spec, const struct cancel *cancel, struct error *err)
{
    struct transfer transfer = {
        .spec = spec, .what = spec->is_into_guest ? "take the copy" : "send the copy"};
    struct agent_stream *stream = &transfer.stream;
    if (!agent_stream_open(vm_dir, cancel, stream, err)) {
        return false;
    }
    stream->take_result = take_result;
    stream->context = &transfer;
    stream->idle_ms = spec->idle_ms != 0 ? spec->idle_ms : COPY_IDLE_MS;
    if (spec->is_into_guest) {
        stream->stdin_fd = spec->read == NULL ? spec->fd : -1;
        stream->read = spec->read == NULL ? NULL : read_source;
    } else {
        stream->outputs[0].fd = spec->write == NULL ? spec->fd : -1;
        stream->write = spec->write == NULL ? NULL : write_sink;
    }
    bool is_done = send_copy(&transfer, err) && agent_stream_run(stream, cancel, err) &&
                   lost_output(stream, err);
    agent_stream_done(stream);
    return is_done;
}

bool agent_tcp(int vm_dir, uint16_t port, int in_fd, int out_fd, const struct cancel *cancel,
    struct error *err)
{
    struct transfer transfer = {.what = "connect"};
    struct agent_stream *stream = &transfer.stream;
    if (!agent_stream_open(vm_dir, cancel, stream, err)) {
        return false;
    }
    struct wire_writer writer;
    wire_begin(&writer, &stream->line.out, WIRE_OPEN, WIRE_KIND_TCP, AGENT_STREAM);
    wire_add_number(&writer, WIRE_TAG_NUMBER, port);
    wire_finish(&writer);
    stream->take_result = take_result;
    stream->context = &transfer;
    stream->stdin_fd = in_fd;
    stream->outputs[0].fd = out_fd;
    bool is_done = agent_stream_run(stream, cancel, err) && lost_output(stream, err);
    if (!is_done && !stream->is_started && err->code == ERROR_VMM) {
        error_wrap(err, "port %u of the guest", port);
    }
    agent_stream_done(stream);
    return is_done;
}
