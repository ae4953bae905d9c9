/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/wire_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

void peer_init(struct peer *peer, int fd)
{
    *peer = (struct peer){.fd = fd};
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    wire_decoder_init(&peer->decoder, true);
}

void peer_done(struct peer *peer)
{
    close(peer->fd);
    wire_decoder_done(&peer->decoder);
    wire_buffer_done(&peer->out);
    strings_done(&peer->facts);
    strings_done(&peer->events);
}

const char *peer_fact(const struct strings *facts, const char *key)
{
    size_t len = strlen(key);
    for (size_t i = 0; i < facts->count; i++) {
        if (strncmp(facts->items[i], key, len) == 0 && facts->items[i][len] == '=') {
            return facts->items[i] + len + 1;
        }
    }
    return NULL;
}

static void take_facts(const struct wire_frame *frame, struct strings *facts)
{
    struct wire_reader reader;
    struct wire_field field;
    wire_read(&reader, frame);
    while (wire_next(&reader, &field)) {
        if (field.tag == WIRE_TAG_FACT) {
            strings_add_len(facts, (const char *)field.bytes, field.len);
        }
    }
}

static void take_hello(struct peer *peer, const struct wire_frame *frame)
{
    struct wire_field nonce;
    if (wire_find(frame, WIRE_TAG_NONCE, &nonce) &&
        memcmp(nonce.bytes, peer->nonce, WIRE_NONCE_LEN) == 0) {
        peer->is_greeted = true;
        strings_done(&peer->facts);
        take_facts(frame, &peer->facts);
    }
}

static void take_result(struct peer_stream *stream, const struct wire_frame *frame)
{
    struct wire_field field;
    assert_false(stream->is_done);
    stream->is_done = true;
    stream->outcome = (enum wire_outcome)frame->code;
    if (wire_find(frame, WIRE_TAG_NUMBER, &field)) {
        assert_true(wire_field_number(&field, &stream->number));
    }
    if (wire_find(frame, WIRE_TAG_TEXT, &field)) {
        text_append_bytes(&stream->text, field.bytes, field.len);
    }
    take_facts(frame, &stream->facts);
}

static void take_data(struct peer *peer, struct peer_stream *stream, const struct wire_frame *frame)
{
    unsigned index = frame->code == WIRE_OUT ? 0 : 1;
    assert_true(frame->code == WIRE_OUT || frame->code == WIRE_ERR);
    assert_false(stream->has_ended[index]);
    assert_true(wire_credit_receive(&stream->out[index], frame->len));
    assert_true(text_append_bytes(&stream->got[index], frame->payload, frame->len));
    if (!stream->gives_no_credit) {
        uint32_t credit = wire_credit_return(&stream->out[index], frame->len);
        if (credit > 0) {
            wire_put_credit(&peer->out, stream->id, (enum wire_channel)frame->code, credit);
        }
    }
}

static void take_frame(struct peer *peer, const struct wire_frame *frame)
{
    struct peer_stream *stream = NULL;
    for (size_t i = 0; i < peer->count; i++) {
        if (peer->streams[i]->id == frame->stream) {
            stream = peer->streams[i];
        }
    }
    if (frame->type == WIRE_HELLO) {
        take_hello(peer, frame);
    } else if (frame->type == WIRE_EVENT) {
        take_facts(frame, &peer->events);
    } else if (stream == NULL) {
        return; /* of a stream we have dropped */
    } else if (frame->type == WIRE_STARTED) {
        stream->is_started = true;
    } else if (frame->type == WIRE_DATA) {
        take_data(peer, stream, frame);
    } else if (frame->type == WIRE_END && frame->code == WIRE_IN) {
        stream->is_input_refused = true;
    } else if (frame->type == WIRE_END) {
        stream->has_ended[frame->code == WIRE_OUT ? 0 : 1] = true;
    } else if (frame->type == WIRE_CREDIT) {
        assert_int_equal(frame->code, WIRE_IN);
        assert_true(wire_credit_refill(&stream->in, wire_frame_credit(frame)));
    } else if (frame->type == WIRE_RESULT) {
        take_result(stream, frame);
    } else {
        fail_msg("the guest sent a frame of type %d", frame->type);
    }
}

static void take_bytes(struct peer *peer, const uint8_t *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t taken = 0;
        struct wire_frame frame;
        enum wire_status status = wire_decode(&peer->decoder, bytes + at, len - at, &taken, &frame);
        at += taken;
        if (status == WIRE_FRAME) {
            take_frame(peer, &frame);
        } else if (status == WIRE_BAD) {
            fail_msg("the guest sent nonsense: %s", wire_decoder_fault(&peer->decoder));
        }
    }
}

static void queue_input(struct peer *peer)
{
    for (size_t i = 0; i < peer->count; i++) {
        struct peer_stream *stream = peer->streams[i];
        size_t left = stream->input_len - stream->input_at;
        size_t part = left < stream->in.left ? left : stream->in.left;
        if (stream->is_done || stream->is_input_refused || stream->is_input_ended) {
            continue;
        }
        if (part > 0 && peer->out.len < (1 << 20)) {
            wire_put_data(&peer->out, stream->id, WIRE_IN,
                (const uint8_t *)stream->input + stream->input_at, part);
            wire_credit_spend(&stream->in, part);
            stream->input_at += part;
        }
        if (stream->input_at == stream->input_len && !stream->keeps_input) {
            wire_put_end(&peer->out, stream->id, WIRE_IN);
            stream->is_input_ended = true;
        }
    }
}

void peer_step(struct peer *peer)
{
    static uint8_t bytes[64 << 10];
    queue_input(peer);
    struct pollfd poller = {
        .fd = peer->fd, .events = (short)(POLLIN | (peer->out.len > 0 ? POLLOUT : 0))};
    int ready = poll(&poller, 1, PEER_PATIENCE_MS);
    if (ready <= 0) {
        fail_msg("the agent says nothing");
    }
    if ((poller.revents & POLLOUT) != 0) {
        ssize_t done = write(peer->fd, wire_buffer_bytes(&peer->out), peer->out.len);
        assert_true(done > 0 || errno == EAGAIN || errno == EPIPE);
        wire_buffer_consume(&peer->out, done > 0 ? (size_t)done : 0);
    }
    if ((poller.revents & ~POLLOUT) != 0) {
        ssize_t got = read(peer->fd, bytes, sizeof bytes);
        if (got == 0 || (got < 0 && errno == ECONNRESET)) {
            peer->is_lost = true;
        } else if (got > 0) {
            take_bytes(peer, bytes, (size_t)got);
        }
    }
}

void peer_greet(struct peer *peer)
{
    assert_int_equal(getrandom(peer->nonce, sizeof peer->nonce, 0), sizeof peer->nonce);
    peer->is_greeted = false;
    peer->count = 0;
    peer->last_id = 0;
    wire_put_hello(&peer->out, peer->nonce);
    while (!peer->is_greeted) {
        assert_false(peer->is_lost);
        peer_step(peer);
    }
}

void peer_open(
    struct peer *peer, struct peer_stream *stream, enum wire_kind kind, struct wire_writer *writer)
{
    assert_true(peer->count < PEER_STREAMS_MAX);
    stream->id = ++peer->last_id;
    wire_credit_init(&stream->in);
    wire_credit_init(&stream->out[0]);
    wire_credit_init(&stream->out[1]);
    peer->streams[peer->count++] = stream;
    if (kind != WIRE_KIND_EXEC) {
        stream->keeps_input = true;
    }
    wire_begin(writer, &peer->out, WIRE_OPEN, kind, stream->id);
}

void peer_open_finish(struct peer *peer, struct wire_writer *writer)
{
    (void)peer;
    assert_true(wire_finish(writer));
}

void peer_exec(struct peer *peer, struct peer_stream *stream, const char *const *argv)
{
    struct wire_writer writer;
    peer_open(peer, stream, WIRE_KIND_EXEC, &writer);
    for (; *argv != NULL; argv++) {
        wire_add_text(&writer, WIRE_TAG_ARG, *argv);
    }
    peer_open_finish(peer, &writer);
}

void peer_drop(struct peer *peer, struct peer_stream *stream)
{
    size_t kept = 0;
    for (size_t i = 0; i < peer->count; i++) {
        if (peer->streams[i] != stream) {
            peer->streams[kept++] = peer->streams[i];
        }
    }
    peer->count = kept;
}

void peer_finish(struct peer *peer, struct peer_stream *stream)
{
    while (!stream->is_done) {
        if (peer->is_lost) {
            fail_msg("the line is lost");
        }
        peer_step(peer);
    }
    peer_drop(peer, stream);
}

void peer_stream_done(struct peer_stream *stream)
{
    text_done(&stream->got[0]);
    text_done(&stream->got[1]);
    text_done(&stream->text);
    strings_done(&stream->facts);
}

void peer_assert_runs(
    struct peer *peer, const char *const *argv, uint64_t status, const char *stdout_text)
{
    struct peer_stream stream = {0};
    peer_exec(peer, &stream, argv);
    peer_finish(peer, &stream);
    if (stream.outcome != WIRE_OUTCOME_EXITED || stream.number != status) {
        fail_msg("%s: outcome %d, number %d: %s%s", argv[0], stream.outcome, (int)stream.number,
            text_cstr(&stream.text), text_cstr(&stream.got[1]));
    }
    assert_string_equal(text_cstr(&stream.got[0]), stdout_text);
    peer_stream_done(&stream);
}
