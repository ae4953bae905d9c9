/* SPDX-License-Identifier: MIT */
#include "fuzz/fuzz.h"

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "base/wire.h"
#include "vm/agent_relay.h"
#include "vm/qmp.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* All that QEMU says, then it hangs up: a greeting, and answers to what it is asked. */
static void run_qmp(const uint8_t *bytes, size_t len)
{
    int pair[2];
    struct error err = {0};
    struct qmp qmp = {0};
    fuzz_check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    len = len > 65536 ? 65536 : len;
    fuzz_check(write(pair[1], bytes, len) == (ssize_t)len);
    shutdown(pair[1], SHUT_WR);
    if (qmp_adopt(&qmp, pair[0], 1000, NULL, &err)) {
        auto_json struct json *reply = NULL;
        if (!qmp_call(&qmp, "query-status", NULL, 1000, NULL, &reply, &err)) {
            fuzz_check(err.code != ERROR_NONE);
        }
    } else {
        fuzz_check(err.code != ERROR_NONE);
    }
    qmp_done(&qmp);
    close(pair[1]);
}

static void run_process_stat(const uint8_t *bytes, size_t len)
{
    auto_free char *text = fuzz_text(bytes, len);
    struct process_stat stat;
    process_parse_stat(text, &stat);
}

/* ---- the relay between a guest's agent and the clients of its monitor --------------------------- */

#define CLIENTS 2
#define PER_BYTE 17 /* a byte in a frame of its own costs a header, and may come back as credit */
#define PER_STREAM ((size_t)2 * WIRE_WINDOW * PER_BYTE + WIRE_PAYLOAD_MAX + 4096)

static const uint8_t relay_nonce[WIRE_NONCE_LEN] = {1, 2, 3, 4, 5, 6, 7, 8};

struct scene {
    struct relay relay;
    struct relay_client clients[CLIENTS];
    struct wire_buffer outs[CLIENTS];
    struct wire_decoder hearing[CLIENTS];
    size_t allowed[CLIENTS]; /* most that may wait for the client */
    struct strings facts;
};

static void client_join(struct scene *scene, size_t which)
{
    relay_client_init(&scene->clients[which], &scene->outs[which]);
    wire_decoder_init(&scene->hearing[which], false);
    scene->allowed[which] = 4096;
}

static void client_leave(struct scene *scene, size_t which)
{
    relay_drop_client(&scene->relay, &scene->clients[which]);
    relay_client_done(&scene->clients[which]);
    wire_decoder_done(&scene->hearing[which]);
    wire_buffer_done(&scene->outs[which]);
    scene->outs[which] = (struct wire_buffer){0};
}

static void guest_says(struct scene *scene, const uint8_t *bytes, size_t len)
{
    for (size_t at = 0;;) {
        size_t taken = 0;
        enum relay_news news =
            relay_feed_guest(&scene->relay, bytes + at, len - at, &taken, &scene->facts);
        at += taken;
        if (news == RELAY_BROKEN) {
            relay_greet(&scene->relay, relay_nonce);
        }
        if (news == RELAY_NOTHING || news == RELAY_BROKEN) {
            return;
        }
    }
}

static void guest_greets(struct scene *scene)
{
    struct wire_buffer bytes = {0};
    struct wire_writer writer;
    wire_begin(&writer, &bytes, WIRE_HELLO, 0, 0);
    wire_add_number(&writer, WIRE_TAG_VERSION, WIRE_VERSION);
    wire_add(&writer, WIRE_TAG_NONCE, relay_nonce, sizeof relay_nonce);
    wire_finish(&writer);
    guest_says(scene, wire_buffer_bytes(&bytes), bytes.len);
    wire_buffer_done(&bytes);
}

/* What it hears is whole frames of streams that it opened. */
static void client_hears(struct scene *scene, size_t which)
{
    struct wire_buffer *out = &scene->outs[which];
    size_t at = 0;
    for (;;) {
        size_t taken = 0;
        struct wire_frame frame;
        enum wire_status status = wire_decode(
            &scene->hearing[which], wire_buffer_bytes(out) + at, out->len - at, &taken, &frame);
        at += taken;
        fuzz_check(status == WIRE_MORE || status == WIRE_FRAME);
        if (status == WIRE_MORE) {
            break;
        }
        fuzz_check(frame.stream != 0 && frame.stream <= scene->clients[which].last_id);
    }
    wire_buffer_consume(out, out->len);
}

static void client_says(
    struct scene *scene, size_t which, const struct wire_buffer *bytes, const uint8_t *script)
{
    if (script[1] == WIRE_OPEN) {
        scene->allowed[which] += PER_STREAM;
    }
    scene->allowed[which] += (bytes->len + WIRE_WINDOW) * PER_BYTE;
    if (!relay_feed_client(
            &scene->relay, &scene->clients[which], wire_buffer_bytes(bytes), bytes->len)) {
        client_leave(scene, which);
        client_join(scene, which);
    }
}

/* A header of five bytes says what comes next; returns how many bytes it took. */
static size_t relay_step(struct scene *scene, const uint8_t *script, size_t len)
{
    size_t which = script[0] / 8 % CLIENTS;
    size_t more = script[4] < len - 5 ? script[4] : len - 5;
    static const uint8_t zeros[WIRE_DATA_MAX];
    struct wire_buffer bytes = {0};
    switch (script[0] % 8) {
    case 0:
        guest_says(scene, script + 5, more);
        break;
    case 1:
    case 2:
        wire_put_frame(
            &bytes, (enum wire_type)script[1], script[2], script[3] % 8, script + 5, more);
        if (script[0] % 8 == 1) {
            guest_says(scene, wire_buffer_bytes(&bytes), bytes.len);
        } else {
            client_says(scene, which, &bytes, script);
        }
        break;
    case 3:
        client_leave(scene, which);
        client_join(scene, which);
        more = 0;
        break;
    case 4:
        relay_lose_line(&scene->relay);
        relay_greet(&scene->relay, relay_nonce);
        guest_greets(scene);
        more = 0;
        break;
    case 5:
        wire_put_data(&bytes, script[3] % 8, (enum wire_channel)(script[2] % WIRE_CHANNELS), zeros,
            (size_t)script[4] * 128);
        guest_says(scene, wire_buffer_bytes(&bytes), bytes.len);
        more = 0;
        break;
    case 6:
        client_hears(scene, which);
        more = 0;
        break;
    case 7:
        guest_greets(scene);
        more = 0;
        break;
    }
    wire_buffer_done(&bytes);
    return 5 + more;
}

static void run_relay(const uint8_t *bytes, size_t len)
{
    struct scene scene = {0};
    relay_init(&scene.relay);
    for (size_t i = 0; i < CLIENTS; i++) {
        client_join(&scene, i);
    }
    relay_greet(&scene.relay, relay_nonce);
    guest_greets(&scene);
    fuzz_check(scene.relay.is_ready);
    for (size_t at = 0; len - at >= 5;) {
        at += relay_step(&scene, bytes + at, len - at);
        fuzz_check(scene.relay.stream_count <= RELAY_STREAMS_MAX && scene.facts.count <= 64);
        for (size_t i = 0; i < CLIENTS; i++) {
            fuzz_check(scene.outs[i].len <= scene.allowed[i]);
        }
        wire_buffer_consume(&scene.relay.out, scene.relay.out.len);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        client_hears(&scene, i);
        client_leave(&scene, i);
    }
    fuzz_check(scene.relay.stream_count == 0);
    relay_done(&scene.relay);
    strings_done(&scene.facts);
}

const struct fuzz_target fuzz_vm[] = {
    {"qmp", run_qmp},
    {"relay", run_relay},
    {"process_stat", run_process_stat},
    {NULL, NULL},
};
