/* SPDX-License-Identifier: MIT */
#pragma once

/* Shares the one line to a guest's agent (base/wire.h) among many clients: the monitor's part. The
 * relay is the host of that line; each client speaks the same frames over a private connection that
 * begins without marker and HELLO, with stream ids of its own choice, which are renamed on the way.
 * Only bytes in and bytes out: no descriptor, no clock. One owner.
 *
 * Neither side is trusted with memory: what the guest may send to a client is bounded by the credit
 * that client gave, streams are bounded by RELAY_STREAMS_MAX, and frames that break the rules end
 * the line or the client. */

#include "base/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strings;

#define RELAY_STREAMS_MAX 512
#define RELAY_RETRIES 5 /* a line that broke is greeted again this often */

struct relay_client {
    struct wire_decoder decoder;
    struct wire_buffer *out; /* borrowed: frames for this client */
    uint32_t last_id;        /* ids only grow */
    bool is_lost;            /* its streams died with the line: hang up once out is written */
};

void relay_client_init(struct relay_client *client, struct wire_buffer *out);
/* Without relay_drop_client before, its streams would go on. */
void relay_client_done(struct relay_client *client);

struct relay_stream {
    struct relay_client *client;
    uint32_t client_id;
    uint32_t guest_id;
    struct wire_credit credit[WIRE_CHANNELS]; /* in: as the sender; out and err: as the receiver */
    bool is_started;                          /* these the guest says once */
    bool has_ended[WIRE_CHANNELS];
};

struct relay {
    struct wire_decoder decoder;
    struct wire_buffer out; /* bytes for the guest */
    struct relay_stream *streams;
    size_t stream_count;
    uint32_t last_id;
    uint8_t nonce[WIRE_NONCE_LEN];
    unsigned greetings;
    bool is_ready; /* the agent answered our greeting */
};

void relay_init(struct relay *relay);
void relay_done(struct relay *relay);
/* Begins, or begins anew: everything of before is forgotten. */
void relay_greet(struct relay *relay, const uint8_t nonce[WIRE_NONCE_LEN]);

enum relay_news {
    RELAY_NOTHING,
    RELAY_READY,  /* the agent answered: facts were filled */
    RELAY_FACTS,  /* facts came that were new or changed */
    RELAY_BROKEN, /* the guest broke the rules: all clients are lost; greet again or give up */
};
/* Bytes from the guest. Facts that come ("key=value") replace those of the same key in *facts. At
 * most one piece of news is told: call again with the bytes that were not taken. */
enum relay_news relay_feed_guest(
    struct relay *relay, const uint8_t *bytes, size_t len, size_t *taken, struct strings *facts);
/* Bytes from a client. False when it broke the rules: drop it and hang up. */
bool relay_feed_client(
    struct relay *relay, struct relay_client *client, const uint8_t *bytes, size_t len);
/* The client is gone: its streams are closed in the guest. */
void relay_drop_client(struct relay *relay, struct relay_client *client);
/* The line is gone: all clients are lost. */
void relay_lose_line(struct relay *relay);
