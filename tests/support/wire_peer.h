/* SPDX-License-Identifier: MIT */
#pragma once

/* The host's side of the agent's line for tests: one connection, any number of streams at once,
 * exact credit. Everything asserts; a line that says nothing for PEER_PATIENCE_MS fails the test.
 * Include cmocka's headers first. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "base/wire.h"

#define PEER_PATIENCE_MS 60000
#define PEER_STREAMS_MAX 128u

struct peer_stream {
    uint32_t id;
    const void *input; /* the test's; sent as credit allows, then END */
    size_t input_len;
    bool keeps_input;     /* no END */
    bool gives_no_credit; /* reads nothing back */

    size_t input_at;
    bool is_input_ended, is_input_refused;
    struct wire_credit in, out[2];
    struct text got[2]; /* stdout, stderr */
    bool has_ended[2];
    bool is_started, is_done;
    enum wire_outcome outcome;
    uint64_t number;
    struct text text;     /* of RESULT */
    struct strings facts; /* of RESULT */
};

struct peer {
    int fd;
    struct wire_decoder decoder;
    struct wire_buffer out;
    uint32_t last_id;
    struct peer_stream *streams[PEER_STREAMS_MAX];
    size_t count;
    struct strings facts; /* of HELLO */
    struct strings events;
    uint8_t nonce[WIRE_NONCE_LEN];
    bool is_greeted, is_lost;
};

/* Takes over the descriptor. */
void peer_init(struct peer *peer, int fd);
void peer_done(struct peer *peer);
/* Says hello and reads until it is answered; streams of before are forgotten. */
void peer_greet(struct peer *peer);
/* The value of a fact, or NULL. */
const char *peer_fact(const struct strings *facts, const char *key);

/* Opens a stream; *stream must live until it is done or dropped. For an exec first the frame is
 * begun, then fields are added to peer's writer by the test, then peer_open_finish. */
void peer_open(
    struct peer *peer, struct peer_stream *stream, enum wire_kind kind, struct wire_writer *writer);
void peer_open_finish(struct peer *peer, struct wire_writer *writer);
/* An exec of a NULL-ended list. */
void peer_exec(struct peer *peer, struct peer_stream *stream, const char *const *argv);
/* Waits for the RESULT. */
void peer_finish(struct peer *peer, struct peer_stream *stream);
/* One exchange: sends what can be sent, waits for something to come, takes it. */
void peer_step(struct peer *peer);
/* Forgets the stream on our side only. */
void peer_drop(struct peer *peer, struct peer_stream *stream);
void peer_stream_done(struct peer_stream *stream);

/* exec, wait, and compare exit status and stdout. */
void peer_assert_runs(
    struct peer *peer, const char *const *argv, uint64_t status, const char *stdout_text);
