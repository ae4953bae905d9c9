/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/scratch.h"
#include "vm/agent_relay.h"

static const uint8_t nonce[WIRE_NONCE_LEN] = {1, 2, 3, 4, 5, 6, 7, 8};
static const uint8_t other_nonce[WIRE_NONCE_LEN] = {9, 9, 9, 9, 9, 9, 9, 9};

/* A relay with two clients, and the guest played by the test. */
struct scene {
    struct relay relay;
    struct relay_client clients[2];
    struct wire_buffer outs[2];
    struct strings facts;
    struct wire_decoder guest;      /* what the guest hears */
    struct wire_decoder hearing[2]; /* what the clients hear */
};

static enum relay_news from_guest(struct scene *scene, struct wire_buffer *bytes)
{
    enum relay_news last = RELAY_NOTHING;
    size_t at = 0;
    for (;;) {
        size_t taken = 0;
        enum relay_news news = relay_feed_guest(
            &scene->relay, wire_buffer_bytes(bytes) + at, bytes->len - at, &taken, &scene->facts);
        at += taken;
        if (news == RELAY_NOTHING) {
            break;
        }
        last = news;
        if (news == RELAY_BROKEN) {
            break;
        }
    }
    wire_buffer_consume(bytes, bytes->len);
    return last;
}

static bool from_client(struct scene *scene, int which, struct wire_buffer *bytes)
{
    bool is_fine = relay_feed_client(
        &scene->relay, &scene->clients[which], wire_buffer_bytes(bytes), bytes->len);
    wire_buffer_consume(bytes, bytes->len);
    return is_fine;
}

/* The next frame somebody hears; false when there is none. */
static bool hear(struct wire_decoder *decoder, struct wire_buffer *bytes, struct wire_frame *frame)
{
    for (;;) {
        size_t taken = 0;
        enum wire_status status =
            wire_decode(decoder, wire_buffer_bytes(bytes), bytes->len, &taken, frame);
        wire_buffer_consume(bytes, taken);
        if (status == WIRE_FRAME) {
            return true;
        }
        if (status == WIRE_MORE) {
            return false;
        }
    }
}

static void put_hello(struct wire_buffer *bytes, const uint8_t *with, const char *fact)
{
    struct wire_writer writer;
    wire_begin(&writer, bytes, WIRE_HELLO, 0, 0);
    wire_add_number(&writer, WIRE_TAG_VERSION, 1);
    wire_add(&writer, WIRE_TAG_NONCE, with, WIRE_NONCE_LEN);
    wire_add_text(&writer, WIRE_TAG_FACT, fact);
    assert_true(wire_finish(&writer));
}

static void put_open(struct wire_buffer *bytes, uint32_t id)
{
    struct wire_writer writer;
    wire_begin(&writer, bytes, WIRE_OPEN, WIRE_KIND_EXEC, id);
    wire_add_text(&writer, WIRE_TAG_ARG, "true");
    assert_true(wire_finish(&writer));
}

static void put_result(struct wire_buffer *bytes, uint32_t id, uint64_t number)
{
    struct wire_writer writer;
    wire_begin(&writer, bytes, WIRE_RESULT, WIRE_OUTCOME_EXITED, id);
    wire_add_number(&writer, WIRE_TAG_NUMBER, number);
    assert_true(wire_finish(&writer));
}

static void scene_make(struct scene *scene)
{
    *scene = (struct scene){0};
    relay_init(&scene->relay);
    for (int i = 0; i < 2; i++) {
        relay_client_init(&scene->clients[i], &scene->outs[i]);
        wire_decoder_init(&scene->hearing[i], false);
    }
    wire_decoder_init(&scene->guest, true);
    relay_greet(&scene->relay, nonce);
}

static void scene_greet(struct scene *scene)
{
    struct wire_frame frame;
    struct wire_buffer bytes = {0};
    assert_true(hear(&scene->guest, &scene->relay.out, &frame));
    assert_int_equal(frame.type, WIRE_HELLO);
    put_hello(&bytes, nonce, "kernel=6.1");
    assert_int_equal(from_guest(scene, &bytes), RELAY_READY);
    wire_buffer_done(&bytes);
}

static void scene_done(struct scene *scene)
{
    for (int i = 0; i < 2; i++) {
        relay_client_done(&scene->clients[i]);
        wire_buffer_done(&scene->outs[i]);
        wire_decoder_done(&scene->hearing[i]);
    }
    wire_decoder_done(&scene->guest);
    relay_done(&scene->relay);
    strings_done(&scene->facts);
}

static void test_streams_do_not_mix(void **state)
{
    (void)state;
    struct scene scene;
    struct wire_buffer bytes = {0};
    struct wire_frame frame;
    scene_make(&scene);
    scene_greet(&scene);
    assert_string_equal(scene.facts.items[0], "kernel=6.1");
    /* Both choose the same id; in the guest they differ. */
    uint32_t ids[2];
    for (int i = 0; i < 2; i++) {
        put_open(&bytes, 7);
        assert_true(from_client(&scene, i, &bytes));
        assert_true(hear(&scene.guest, &scene.relay.out, &frame));
        assert_int_equal(frame.type, WIRE_OPEN);
        assert_int_equal(frame.code, WIRE_KIND_EXEC);
        ids[i] = frame.stream;
    }
    assert_true(ids[1] > ids[0]);
    /* Input of the second goes to its own stream, output of each to its own client. */
    wire_put_data(&bytes, 7, WIRE_IN, "two", 3);
    assert_true(from_client(&scene, 1, &bytes));
    assert_true(hear(&scene.guest, &scene.relay.out, &frame));
    assert_int_equal(frame.stream, ids[1]);
    assert_memory_equal(frame.payload, "two", 3);
    wire_put_data(&bytes, ids[0], WIRE_OUT, "one", 3);
    put_result(&bytes, ids[1], 5);
    assert_int_equal(from_guest(&scene, &bytes), RELAY_NOTHING);
    assert_true(hear(&scene.hearing[0], &scene.outs[0], &frame));
    assert_int_equal(frame.stream, 7);
    assert_memory_equal(frame.payload, "one", 3);
    assert_true(hear(&scene.hearing[1], &scene.outs[1], &frame));
    assert_int_equal(frame.type, WIRE_RESULT);
    assert_int_equal(frame.stream, 7);
    /* After its RESULT the stream is gone: what crosses is dropped. */
    wire_put_data(&bytes, 7, WIRE_IN, "late", 4);
    assert_true(from_client(&scene, 1, &bytes));
    assert_false(hear(&scene.guest, &scene.relay.out, &frame));
    assert_int_equal(scene.relay.stream_count, 1);
    wire_buffer_done(&bytes);
    scene_done(&scene);
}

static void test_client_that_leaves_closes_its_streams(void **state)
{
    (void)state;
    struct scene scene;
    struct wire_buffer bytes = {0};
    struct wire_frame frame;
    scene_make(&scene);
    scene_greet(&scene);
    for (int i = 0; i < 2; i++) {
        put_open(&bytes, 1);
        put_open(&bytes, 2);
        assert_true(from_client(&scene, i, &bytes));
    }
    for (int i = 0; i < 4; i++) {
        assert_true(hear(&scene.guest, &scene.relay.out, &frame));
    }
    relay_drop_client(&scene.relay, &scene.clients[0]);
    uint32_t closed = 0;
    while (hear(&scene.guest, &scene.relay.out, &frame)) {
        assert_int_equal(frame.type, WIRE_CLOSE);
        closed += frame.stream;
    }
    assert_int_equal(closed, 1 + 2);
    assert_int_equal(scene.relay.stream_count, 2);
    /* What the guest had sent meanwhile goes nowhere. */
    wire_put_data(&bytes, 1, WIRE_OUT, "x", 1);
    assert_int_equal(from_guest(&scene, &bytes), RELAY_NOTHING);
    assert_int_equal(scene.outs[0].len, 0);
    wire_buffer_done(&bytes);
    scene_done(&scene);
}

static void test_guest_beyond_its_credit_loses_the_line(void **state)
{
    (void)state;
    struct scene scene;
    struct wire_buffer bytes = {0};
    struct wire_frame frame;
    static char block[WIRE_DATA_MAX];
    scene_make(&scene);
    scene_greet(&scene);
    put_open(&bytes, 1);
    assert_true(from_client(&scene, 0, &bytes));
    for (size_t sent = 0; sent < WIRE_WINDOW; sent += sizeof block) {
        wire_put_data(&bytes, 1, WIRE_OUT, block, sizeof block);
        assert_int_equal(from_guest(&scene, &bytes), RELAY_NOTHING);
    }
    assert_true(scene.outs[0].len < WIRE_WINDOW + 4096);
    /* The client gives some back: exactly that much may come. */
    wire_put_credit(&bytes, 1, WIRE_OUT, 10);
    assert_true(from_client(&scene, 0, &bytes));
    wire_put_data(&bytes, 1, WIRE_OUT, block, 10);
    assert_int_equal(from_guest(&scene, &bytes), RELAY_NOTHING);
    wire_put_data(&bytes, 1, WIRE_OUT, block, 1);
    assert_int_equal(from_guest(&scene, &bytes), RELAY_BROKEN);
    assert_true(scene.clients[0].is_lost);
    assert_false(scene.clients[1].is_lost);
    assert_false(scene.relay.is_ready);
    /* Greeted again, it serves again. */
    while (hear(&scene.guest, &scene.relay.out, &frame)) {
    }
    relay_greet(&scene.relay, other_nonce);
    put_hello(&bytes, other_nonce, "kernel=6.2");
    assert_int_equal(from_guest(&scene, &bytes), RELAY_READY);
    assert_int_equal(scene.facts.count, 1);
    assert_string_equal(scene.facts.items[0], "kernel=6.2");
    wire_buffer_done(&bytes);
    scene_done(&scene);
}

static void test_only_our_greeting_counts(void **state)
{
    (void)state;
    struct scene scene;
    struct wire_buffer bytes = {0};
    scene_make(&scene);
    /* Left-overs of somebody before us: garbage, and an answer to another host. */
    wire_buffer_append(&bytes, "login: garbage\xf7\xf1", 16);
    put_hello(&bytes, other_nonce, "kernel=1");
    assert_int_equal(from_guest(&scene, &bytes), RELAY_NOTHING);
    assert_false(scene.relay.is_ready);
    /* Until it answers, opens are refused with a result. */
    struct wire_frame frame;
    put_open(&bytes, 3);
    assert_true(from_client(&scene, 0, &bytes));
    assert_true(hear(&scene.hearing[0], &scene.outs[0], &frame));
    assert_int_equal(frame.type, WIRE_RESULT);
    assert_int_equal(frame.code, WIRE_OUTCOME_FAILED);
    put_hello(&bytes, nonce, "kernel=2");
    assert_int_equal(from_guest(&scene, &bytes), RELAY_READY);
    wire_buffer_done(&bytes);
    scene_done(&scene);
}

static void test_clients_keep_the_rules(void **state)
{
    (void)state;
    /* Frames a client may not send, each on a stream 1 that is open. */
    for (int i = 0; i < 6; i++) {
        struct scene scene;
        struct wire_buffer bytes = {0};
        static char block[WIRE_DATA_MAX];
        scene_make(&scene);
        scene_greet(&scene);
        put_open(&bytes, 1);
        assert_true(from_client(&scene, 0, &bytes));
        switch (i) {
        case 0:
            put_open(&bytes, 1); /* ids only grow */
            break;
        case 1:
            put_result(&bytes, 1, 0);
            break;
        case 2:
            put_hello(&bytes, nonce, "a=b"); /* would reset the line for everybody */
            break;
        case 3:
            wire_put_data(&bytes, 1, WIRE_OUT, "x", 1);
            break;
        case 4:
            for (size_t sent = 0; sent <= WIRE_WINDOW; sent += sizeof block) {
                wire_put_data(&bytes, 1, WIRE_IN, block, sizeof block);
            }
            break;
        case 5:
            wire_put_credit(&bytes, 1, WIRE_OUT, 1); /* nothing was used yet */
            break;
        }
        if (from_client(&scene, 0, &bytes)) {
            fail_msg("frame %d was taken", i);
        }
        relay_drop_client(&scene.relay, &scene.clients[0]);
        assert_int_equal(scene.relay.stream_count, 0);
        assert_true(scene.relay.is_ready);
        wire_buffer_done(&bytes);
        scene_done(&scene);
    }
}

static void test_streams_are_limited(void **state)
{
    (void)state;
    struct scene scene;
    struct wire_buffer bytes = {0};
    struct wire_frame frame;
    scene_make(&scene);
    scene_greet(&scene);
    for (uint32_t id = 1; id <= RELAY_STREAMS_MAX; id++) {
        put_open(&bytes, id);
    }
    assert_true(from_client(&scene, 0, &bytes));
    assert_int_equal(scene.outs[0].len, 0);
    put_open(&bytes, 1);
    assert_true(from_client(&scene, 1, &bytes));
    assert_true(hear(&scene.hearing[1], &scene.outs[1], &frame));
    assert_int_equal(frame.code, WIRE_OUTCOME_FAILED);
    wire_buffer_done(&bytes);
    scene_done(&scene);
}

static void test_facts_change_and_are_limited(void **state)
{
    (void)state;
    struct scene scene;
    struct wire_buffer bytes = {0};
    scene_make(&scene);
    scene_greet(&scene);
    for (int i = 0; i < 200; i++) {
        struct wire_writer writer;
        char fact[64];
        snprintf(fact, sizeof fact, "%s%d=%d", i < 2 ? "entrypoint" : "x", i < 2 ? 0 : i, i);
        wire_begin(&writer, &bytes, WIRE_EVENT, 0, 0);
        wire_add_text(&writer, WIRE_TAG_FACT, fact);
        assert_true(wire_finish(&writer));
        from_guest(&scene, &bytes);
    }
    assert_true(strings_contain(&scene.facts, "entrypoint0=1"));
    assert_false(strings_contain(&scene.facts, "entrypoint0=0"));
    assert_true(scene.facts.count <= 64);
    wire_buffer_done(&bytes);
    scene_done(&scene);
}

/* What is not counted by credit comes once: a client that does not read cannot be made to cost
 * memory. */
static void test_uncounted_frames_come_once(void **state)
{
    (void)state;
    static const struct {
        enum wire_type type;
        unsigned code;
    } rows[] = {{WIRE_STARTED, 0}, {WIRE_END, WIRE_IN}, {WIRE_END, WIRE_OUT}, {WIRE_END, WIRE_ERR}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scene scene;
        struct wire_buffer bytes = {0};
        scene_make(&scene);
        scene_greet(&scene);
        put_open(&bytes, 1);
        assert_true(from_client(&scene, 0, &bytes));
        wire_put_frame(&bytes, rows[i].type, rows[i].code, 1, NULL, 0);
        assert_int_equal(from_guest(&scene, &bytes), RELAY_NOTHING);
        wire_put_frame(&bytes, rows[i].type, rows[i].code, 1, NULL, 0);
        assert_int_equal(from_guest(&scene, &bytes), RELAY_BROKEN);
        wire_buffer_done(&bytes);
        scene_done(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams_do_not_mix),
        cmocka_unit_test(test_client_that_leaves_closes_its_streams),
        cmocka_unit_test(test_guest_beyond_its_credit_loses_the_line),
        cmocka_unit_test(test_uncounted_frames_come_once),
        cmocka_unit_test(test_only_our_greeting_counts),
        cmocka_unit_test(test_clients_keep_the_rules),
        cmocka_unit_test(test_streams_are_limited),
        cmocka_unit_test(test_facts_change_and_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
