/* SPDX-License-Identifier: MIT */
#include "vm/agent_relay.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

void relay_client_init(struct relay_client *client, struct wire_buffer *out)
{
    *client = (struct relay_client){.out = out};
    wire_decoder_init(&client->decoder, false);
}

void relay_client_done(struct relay_client *client)
{
    wire_decoder_done(&client->decoder);
}

void relay_init(struct relay *relay)
{
    *relay = (struct relay){0};
    wire_decoder_init(&relay->decoder, true);
    relay->streams = memory_zero(RELAY_STREAMS_MAX, sizeof(*relay->streams));
}

void relay_done(struct relay *relay)
{
    wire_decoder_done(&relay->decoder);
    wire_buffer_done(&relay->out);
    free(relay->streams);
    relay->streams = NULL;
}

void relay_greet(struct relay *relay, const uint8_t nonce[WIRE_NONCE_LEN])
{
    wire_decoder_done(&relay->decoder);
    wire_decoder_init(&relay->decoder, true);
    memcpy(relay->nonce, nonce, WIRE_NONCE_LEN);
    relay->greetings++;
    relay->last_id = 0;
    wire_put_hello(&relay->out, nonce);
}

static void remove_stream(struct relay *relay, struct relay_stream *stream)
{
    relay->stream_count--;
    *stream = relay->streams[relay->stream_count];
}

static struct relay_stream *find_guest_stream(struct relay *relay, uint32_t guest_id)
{
    for (size_t i = 0; i < relay->stream_count; i++) {
        if (relay->streams[i].guest_id == guest_id) {
            return &relay->streams[i];
        }
    }
    return NULL;
}

static struct relay_stream *find_client_stream(
    struct relay *relay, const struct relay_client *client, uint32_t client_id)
{
    for (size_t i = 0; i < relay->stream_count; i++) {
        if (relay->streams[i].client == client && relay->streams[i].client_id == client_id) {
            return &relay->streams[i];
        }
    }
    return NULL;
}

void relay_lose_line(struct relay *relay)
{
    for (size_t i = 0; i < relay->stream_count; i++) {
        relay->streams[i].client->is_lost = true;
    }
    relay->stream_count = 0;
    relay->is_ready = false;
}

void relay_drop_client(struct relay *relay, struct relay_client *client)
{
    for (size_t i = 0; i < relay->stream_count;) {
        if (relay->streams[i].client == client) {
            wire_put_close(&relay->out, relay->streams[i].guest_id);
            remove_stream(relay, &relay->streams[i]);
        } else {
            i++;
        }
    }
}

/* ---- from the guest ------------------------------------------------------------------------- */

/* True when it is new or says something new. "warning" is the one key that comes several times. */
static bool keep_fact(struct strings *facts, const char *fact)
{
    const char *equals = strchr(fact, '=');
    if (equals == NULL || strings_contain(facts, fact)) {
        return false;
    }
    size_t key_len = (size_t)(equals - fact) + 1;
    for (size_t i = 0; i < facts->count && !text_has_prefix(fact, "warning="); i++) {
        if (strncmp(facts->items[i], fact, key_len) == 0) {
            free(facts->items[i]);
            facts->items[i] = memory_strdup(fact);
            return true;
        }
    }
    strings_add(facts, fact);
    return true;
}

#define FACTS_MAX 64 /* a guest that invents keys is not followed for ever */

static bool take_facts(const struct wire_frame *frame, struct strings *facts)
{
    struct wire_reader reader;
    struct wire_field field;
    bool is_news = false;
    wire_read(&reader, frame);
    while (wire_next(&reader, &field)) {
        auto_free char *fact = field.tag == WIRE_TAG_FACT ? wire_field_text(&field) : NULL;
        if (fact != NULL && field.len <= 1024 && facts->count < FACTS_MAX) {
            is_news = keep_fact(facts, fact) || is_news;
        }
    }
    return is_news;
}

static bool is_our_greeting(const struct relay *relay, const struct wire_frame *frame)
{
    struct wire_field nonce;
    return wire_find(frame, WIRE_TAG_NONCE, &nonce) && nonce.len == WIRE_NONCE_LEN &&
           memcmp(nonce.bytes, relay->nonce, WIRE_NONCE_LEN) == 0;
}

static bool is_first(bool *was_said)
{
    bool is_new = !*was_said;
    *was_said = true;
    return is_new;
}

/* False: the guest sent more than the client allowed, or again what is only said once. */
static bool account_from_guest(struct relay_stream *stream, const struct wire_frame *frame)
{
    if (frame->type == WIRE_STARTED) {
        return is_first(&stream->is_started);
    }
    if (frame->type == WIRE_END) {
        return is_first(&stream->has_ended[frame->code]);
    }
    if (frame->type == WIRE_DATA) {
        return frame->code != WIRE_IN &&
               wire_credit_receive(&stream->credit[frame->code], frame->len);
    }
    if (frame->type == WIRE_CREDIT) {
        return frame->code == WIRE_IN &&
               wire_credit_refill(&stream->credit[WIRE_IN], wire_frame_credit(frame));
    }
    return true;
}

static bool pass_to_client(struct relay *relay, const struct wire_frame *frame)
{
    struct relay_stream *stream = find_guest_stream(relay, frame->stream);
    if (stream == NULL) {
        return true; /* crossed with our CLOSE */
    }
    bool is_fair = account_from_guest(stream, frame) &&
                   wire_put_frame(stream->client->out, frame->type, frame->code, stream->client_id,
                       frame->payload, frame->len);
    if (is_fair && frame->type == WIRE_RESULT) {
        remove_stream(relay, stream);
    }
    return is_fair;
}

static enum relay_news take_guest_frame(
    struct relay *relay, const struct wire_frame *frame, struct strings *facts)
{
    if (frame->type == WIRE_HELLO) {
        if (!is_our_greeting(relay, frame)) {
            return RELAY_NOTHING; /* an answer to somebody who is gone */
        }
        take_facts(frame, facts);
        relay->is_ready = true;
        return RELAY_READY;
    }
    if (!relay->is_ready) {
        return RELAY_NOTHING;
    }
    switch (frame->type) {
    case WIRE_EVENT:
        return take_facts(frame, facts) ? RELAY_FACTS : RELAY_NOTHING;
    case WIRE_STARTED:
    case WIRE_DATA:
    case WIRE_END:
    case WIRE_CREDIT:
    case WIRE_RESULT:
        return pass_to_client(relay, frame) ? RELAY_NOTHING : RELAY_BROKEN;
    case WIRE_HELLO:
    case WIRE_OPEN:
    case WIRE_SIGNAL:
    case WIRE_RESIZE:
    case WIRE_CLOSE:
        break;
    }
    return RELAY_BROKEN; /* frames only a host may send */
}

enum relay_news relay_feed_guest(
    struct relay *relay, const uint8_t *bytes, size_t len, size_t *taken, struct strings *facts)
{
    *taken = 0;
    for (;;) {
        size_t step = 0;
        struct wire_frame frame;
        enum relay_news news = RELAY_NOTHING;
        enum wire_status status =
            wire_decode(&relay->decoder, bytes + *taken, len - *taken, &step, &frame);
        *taken += step;
        switch (status) {
        case WIRE_MORE:
            return RELAY_NOTHING;
        case WIRE_FRAME:
            news = take_guest_frame(relay, &frame, facts);
            break;
        case WIRE_RESET:
            /* Before the answer to our greeting: expected. After it: the agent began anew. */
            news = relay->is_ready ? RELAY_BROKEN : RELAY_NOTHING;
            break;
        case WIRE_BAD:
            news = relay->is_ready ? RELAY_BROKEN : RELAY_NOTHING;
            break;
        }
        if (news == RELAY_BROKEN) {
            relay_lose_line(relay);
        }
        if (news != RELAY_NOTHING) {
            return news;
        }
    }
}

/* ---- from a client -------------------------------------------------------------------------- */

static void refuse_open(struct relay_client *client, uint32_t id, const char *sentence)
{
    struct wire_writer writer;
    wire_begin(&writer, client->out, WIRE_RESULT, WIRE_OUTCOME_FAILED, id);
    wire_add_text(&writer, WIRE_TAG_TEXT, sentence);
    wire_finish(&writer);
}

static bool open_stream(
    struct relay *relay, struct relay_client *client, const struct wire_frame *frame)
{
    if (frame->stream <= client->last_id) {
        return false;
    }
    client->last_id = frame->stream;
    if (!relay->is_ready) {
        refuse_open(client, frame->stream, "the guest's agent does not answer");
        return true;
    }
    if (relay->stream_count == RELAY_STREAMS_MAX) {
        refuse_open(client, frame->stream, "too many commands run in this machine at once");
        return true;
    }
    relay->last_id++;
    struct relay_stream *stream = &relay->streams[relay->stream_count++];
    *stream = (struct relay_stream){
        .client = client, .client_id = frame->stream, .guest_id = relay->last_id};
    for (size_t i = 0; i < WIRE_CHANNELS; i++) {
        wire_credit_init(&stream->credit[i]);
    }
    return wire_put_frame(
        &relay->out, frame->type, frame->code, stream->guest_id, frame->payload, frame->len);
}

/* False: the client sent or allowed more than it may. */
static bool account_from_client(struct relay_stream *stream, const struct wire_frame *frame)
{
    if (frame->type == WIRE_DATA) {
        struct wire_credit *credit = &stream->credit[WIRE_IN];
        if (frame->code != WIRE_IN || frame->len > credit->left) {
            return false;
        }
        wire_credit_spend(credit, frame->len);
        return true;
    }
    if (frame->type == WIRE_CREDIT) {
        return frame->code != WIRE_IN &&
               wire_credit_refill(&stream->credit[frame->code], wire_frame_credit(frame));
    }
    return true;
}

static bool pass_to_guest(
    struct relay *relay, struct relay_client *client, const struct wire_frame *frame)
{
    struct relay_stream *stream = find_client_stream(relay, client, frame->stream);
    if (stream == NULL) {
        return true; /* crossed with its RESULT */
    }
    bool is_fair =
        account_from_client(stream, frame) && wire_put_frame(&relay->out, frame->type, frame->code,
                                                  stream->guest_id, frame->payload, frame->len);
    if (is_fair && frame->type == WIRE_CLOSE) {
        remove_stream(relay, stream);
    }
    return is_fair;
}

struct sending {
    struct relay *relay;
    struct relay_client *client;
};

static bool take_client_frame(void *context, const struct wire_frame *frame)
{
    struct relay *relay = ((struct sending *)context)->relay;
    struct relay_client *client = ((struct sending *)context)->client;
    switch (frame->type) {
    case WIRE_OPEN:
        return open_stream(relay, client, frame);
    case WIRE_DATA:
    case WIRE_END:
    case WIRE_CREDIT:
    case WIRE_SIGNAL:
    case WIRE_RESIZE:
    case WIRE_CLOSE:
        return pass_to_guest(relay, client, frame);
    case WIRE_HELLO:
    case WIRE_STARTED:
    case WIRE_RESULT:
    case WIRE_EVENT:
        break;
    }
    return false;
}

bool relay_feed_client(
    struct relay *relay, struct relay_client *client, const uint8_t *bytes, size_t len)
{
    struct sending sending = {.relay = relay, .client = client};
    return wire_decode_all(&client->decoder, bytes, len, take_client_frame, &sending) == WIRE_MORE;
}
