/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/wire.h"

static const uint8_t nonce[WIRE_NONCE_LEN] = {1, 2, 3, 4, 5, 6, 7, 8};

/* What a decoder said about a whole input, fed in pieces. */
struct outcome {
    unsigned frames, resets, faults;
    struct wire_frame last; /* payload is invalid afterwards */
    struct received {
        uint8_t *bytes;
        size_t len;
    } received; /* payloads of DATA, joined */
};

static void append(struct received *received, const void *bytes, size_t len)
{
    received->bytes = realloc(received->bytes, received->len + len);
    assert_non_null(received->bytes);
    memcpy(received->bytes + received->len, bytes, len);
    received->len += len;
}

static void feed(struct wire_decoder *decoder, const uint8_t *bytes, size_t len, size_t step,
    struct outcome *outcome)
{
    for (size_t at = 0; at < len;) {
        size_t piece = len - at < step ? len - at : step;
        size_t taken = 0;
        struct wire_frame frame = {0};
        switch (wire_decode(decoder, bytes + at, piece, &taken, &frame)) {
        case WIRE_MORE:
            assert_int_equal(taken, piece);
            break;
        case WIRE_FRAME:
            outcome->frames++;
            outcome->last = frame;
            if (frame.type == WIRE_DATA) {
                append(&outcome->received, frame.payload, frame.len);
            }
            break;
        case WIRE_RESET:
            outcome->resets++;
            break;
        case WIRE_BAD:
            assert_non_null(wire_decoder_fault(decoder));
            outcome->faults++;
            break;
        }
        assert_true(taken <= piece);
        at += taken;
    }
}

static struct outcome decode(const struct wire_buffer *buffer, bool is_skipping, size_t step)
{
    struct wire_decoder decoder;
    struct outcome outcome = {0};
    wire_decoder_init(&decoder, is_skipping);
    feed(&decoder, wire_buffer_bytes(buffer), buffer->len, step, &outcome);
    wire_decoder_done(&decoder);
    return outcome;
}

static void hello_carries_version_and_nonce(void **state)
{
    (void)state;
    struct wire_buffer buffer = {0};
    wire_put_hello(&buffer, nonce);
    assert_memory_equal(wire_buffer_bytes(&buffer), wire_marker, WIRE_MARKER_LEN);

    struct wire_decoder decoder;
    wire_decoder_init(&decoder, true);
    struct wire_frame frame;
    size_t taken;
    assert_int_equal(wire_decode(&decoder, buffer.bytes, buffer.len, &taken, &frame), WIRE_RESET);
    size_t rest;
    assert_int_equal(
        wire_decode(&decoder, buffer.bytes + taken, buffer.len - taken, &rest, &frame), WIRE_FRAME);
    assert_int_equal(taken + rest, buffer.len);
    assert_int_equal(frame.type, WIRE_HELLO);
    struct wire_field field;
    uint64_t version = 0;
    assert_true(wire_find(&frame, WIRE_TAG_VERSION, &field));
    assert_true(wire_field_number(&field, &version));
    assert_int_equal(version, WIRE_VERSION);
    assert_true(wire_find(&frame, WIRE_TAG_NONCE, &field));
    assert_memory_equal(field.bytes, nonce, WIRE_NONCE_LEN);
    assert_false(wire_find(&frame, WIRE_TAG_ARG, &field));
    wire_decoder_done(&decoder);
    wire_buffer_done(&buffer);
}

static void frames_have_the_layout_of_the_contract(void **state)
{
    (void)state;
    struct wire_buffer buffer = {0};
    wire_put_data(&buffer, 0x01020304, WIRE_ERR, "hi", 2);
    static const uint8_t expected[] = {4, 2, 0, 0, 4, 3, 2, 1, 2, 0, 0, 0, 'h', 'i', 0};
    assert_int_equal(buffer.len, sizeof expected);
    assert_memory_equal(wire_buffer_bytes(&buffer), expected, sizeof expected);
    wire_buffer_done(&buffer);
}

static void every_frame_survives_any_cut(void **state)
{
    (void)state;
    struct wire_buffer buffer = {0};
    struct wire_writer writer;
    wire_put_hello(&buffer, nonce);
    wire_begin(&writer, &buffer, WIRE_OPEN, WIRE_KIND_EXEC, 7);
    wire_add_text(&writer, WIRE_TAG_ARG, "sh");
    wire_add_text(&writer, WIRE_TAG_ARG, "");
    wire_add_size(&writer, WIRE_TAG_TTY, 50, 132);
    assert_true(wire_finish(&writer));
    wire_put_data(&buffer, 7, WIRE_IN, "input", 5);
    wire_put_end(&buffer, 7, WIRE_IN);
    wire_put_credit(&buffer, 7, WIRE_OUT, 1000);
    wire_put_signal(&buffer, 7, 15);
    wire_put_resize(&buffer, 7, 24, 80);
    wire_put_close(&buffer, 7);
    assert_true(wire_put_frame(&buffer, WIRE_STARTED, 0, 7, NULL, 0));
    wire_begin(&writer, &buffer, WIRE_RESULT, WIRE_OUTCOME_EXITED, 7);
    wire_add_number(&writer, WIRE_TAG_NUMBER, 3);
    assert_true(wire_finish(&writer));
    for (size_t step = 1; step <= buffer.len; step++) {
        struct outcome outcome = decode(&buffer, true, step);
        assert_int_equal(outcome.resets, 1);
        assert_int_equal(outcome.frames, 10);
        assert_int_equal(outcome.faults, 0);
        assert_int_equal(outcome.last.type, WIRE_RESULT);
        free(outcome.received.bytes);
    }
    wire_buffer_done(&buffer);
}

static void fields_come_back_in_order(void **state)
{
    (void)state;
    struct wire_buffer buffer = {0};
    struct wire_writer writer;
    wire_begin(&writer, &buffer, WIRE_OPEN, WIRE_KIND_EXEC, 1);
    wire_add_text(&writer, WIRE_TAG_ARG, "echo");
    wire_add_text(&writer, WIRE_TAG_ARG, "a b");
    wire_add(&writer, WIRE_TAG_ENV, "A=\0B", 4);
    wire_add_size(&writer, WIRE_TAG_TTY, 50, 132);
    assert_true(wire_finish(&writer));
    struct wire_decoder decoder;
    wire_decoder_init(&decoder, false);
    struct wire_frame frame;
    size_t taken;
    assert_int_equal(wire_decode(&decoder, buffer.bytes, buffer.len, &taken, &frame), WIRE_FRAME);
    struct wire_reader reader;
    struct wire_field field;
    wire_read(&reader, &frame);
    static const char *const args[] = {"echo", "a b"};
    for (unsigned i = 0; i < 2; i++) {
        assert_true(wire_next(&reader, &field));
        char *text = wire_field_text(&field);
        assert_string_equal(text, args[i]);
        free(text);
    }
    assert_true(wire_next(&reader, &field));
    assert_null(wire_field_text(&field)); /* a NUL inside */
    assert_true(wire_next(&reader, &field));
    uint16_t rows = 0, columns = 0;
    assert_true(wire_field_size(&field, &rows, &columns));
    assert_int_equal(rows, 50);
    assert_int_equal(columns, 132);
    uint64_t number;
    assert_false(wire_field_number(&field, &number));
    assert_false(wire_next(&reader, &field));
    wire_decoder_done(&decoder);
    wire_buffer_done(&buffer);
}

static void data_may_hold_the_marker(void **state)
{
    (void)state;
    uint8_t bytes[3 * WIRE_MARKER_LEN + 5];
    for (size_t gap = 0; gap <= WIRE_MARKER_LEN; gap++) {
        size_t len = 0;
        memcpy(bytes, wire_marker, WIRE_MARKER_LEN);
        len += WIRE_MARKER_LEN;
        memcpy(bytes + len, wire_marker, gap); /* a false start in between */
        len += gap;
        memcpy(bytes + len, wire_marker, WIRE_MARKER_LEN);
        len += WIRE_MARKER_LEN;
        struct wire_buffer buffer = {0};
        wire_put_data(&buffer, 9, WIRE_OUT, bytes, len);
        assert_null(memmem(wire_buffer_bytes(&buffer), buffer.len, wire_marker, WIRE_MARKER_LEN));
        for (size_t step = 1; step < 40; step++) {
            struct outcome outcome = decode(&buffer, false, step);
            assert_int_equal(outcome.resets, 0);
            assert_int_equal(outcome.faults, 0);
            assert_int_equal(outcome.received.len, len);
            assert_memory_equal(outcome.received.bytes, bytes, len);
            free(outcome.received.bytes);
        }
        wire_buffer_done(&buffer);
    }
}

static void other_payloads_with_the_marker_are_refused(void **state)
{
    (void)state;
    struct wire_buffer buffer = {0};
    wire_put_end(&buffer, 3, WIRE_IN);
    size_t before = buffer.len;
    struct wire_writer writer;
    wire_begin(&writer, &buffer, WIRE_OPEN, WIRE_KIND_EXEC, 4);
    wire_add(&writer, WIRE_TAG_ARG, wire_marker, WIRE_MARKER_LEN);
    assert_false(wire_finish(&writer));
    assert_int_equal(buffer.len, before);
    assert_false(wire_put_frame(&buffer, WIRE_DATA, 0, 4, wire_marker, WIRE_MARKER_LEN));
    assert_int_equal(buffer.len, before);
    wire_buffer_done(&buffer);
}

static void too_much_is_refused(void **state)
{
    (void)state;
    struct wire_buffer buffer = {0};
    struct wire_writer writer;
    char *large = calloc(1, WIRE_PAYLOAD_MAX + 1);
    assert_non_null(large);
    wire_begin(&writer, &buffer, WIRE_OPEN, WIRE_KIND_EXEC, 4);
    wire_add(&writer, WIRE_TAG_ARG, large, WIRE_PAYLOAD_MAX - 6);
    assert_true(wire_finish(&writer));
    wire_buffer_consume(&buffer, buffer.len);
    wire_begin(&writer, &buffer, WIRE_OPEN, WIRE_KIND_EXEC, 4);
    wire_add(&writer, WIRE_TAG_ARG, large, WIRE_PAYLOAD_MAX - 5);
    wire_add_text(&writer, WIRE_TAG_ARG, "short");
    assert_false(wire_finish(&writer));
    wire_begin(&writer, &buffer, WIRE_OPEN, WIRE_KIND_EXEC, 4);
    for (unsigned i = 0; i < WIRE_FIELDS_MAX + 1; i++) {
        wire_add_text(&writer, WIRE_TAG_ARG, "x");
    }
    assert_false(wire_finish(&writer));
    assert_int_equal(buffer.len, 0);
    assert_false(wire_put_frame(&buffer, WIRE_OPEN, 1, 4, large, WIRE_PAYLOAD_MAX + 1));
    assert_false(wire_put_frame(&buffer, WIRE_DATA, 0, 4, large, WIRE_DATA_MAX + 1));
    assert_int_equal(buffer.len, 0);
    free(large);
    wire_buffer_done(&buffer);
}

static void long_data_is_cut_into_frames(void **state)
{
    (void)state;
    size_t len = 3 * WIRE_DATA_MAX + 17;
    uint8_t *bytes = malloc(len);
    assert_non_null(bytes);
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    }
    struct wire_buffer buffer = {0};
    wire_put_data(&buffer, 1, WIRE_OUT, bytes, len);
    struct outcome outcome = decode(&buffer, false, 4096);
    assert_int_equal(outcome.frames, 4);
    assert_int_equal(outcome.received.len, len);
    assert_memory_equal(outcome.received.bytes, bytes, len);
    free(outcome.received.bytes);
    wire_buffer_done(&buffer);
    free(bytes);
}

/* Whoever was cut off in the middle of a frame must not be taken for somebody who finished. */
static void a_cut_frame_is_dropped_by_the_next_hello(void **state)
{
    (void)state;
    uint8_t payload[40];
    memset(payload, 0xf7, sizeof payload);
    struct wire_buffer whole = {0}, hello = {0};
    wire_put_data(&whole, 1, WIRE_IN, payload, sizeof payload);
    wire_put_hello(&hello, nonce);
    for (size_t cut = 0; cut < whole.len; cut++) {
        struct wire_decoder decoder;
        struct outcome outcome = {0};
        wire_decoder_init(&decoder, false);
        feed(&decoder, wire_buffer_bytes(&whole), cut, 7, &outcome);
        feed(&decoder, wire_buffer_bytes(&hello), hello.len, 7, &outcome);
        assert_int_equal(outcome.frames, 1);
        assert_int_equal(outcome.last.type, WIRE_HELLO);
        assert_int_equal(outcome.resets, 1);
        assert_int_equal(outcome.faults, 0); /* to be cut off is no fault */
        assert_int_equal(outcome.received.len, 0);
        wire_decoder_done(&decoder);
    }
    wire_buffer_done(&whole);
    wire_buffer_done(&hello);
}

static void a_false_start_of_the_marker_is_a_fault_once(void **state)
{
    (void)state;
    struct wire_buffer more = {0};
    wire_put_end(&more, 1, WIRE_IN);
    for (size_t len = 1; len < WIRE_MARKER_LEN; len++) {
        struct wire_decoder decoder;
        struct outcome outcome = {0};
        wire_decoder_init(&decoder, false);
        feed(&decoder, wire_marker, len, 5, &outcome);
        feed(&decoder, wire_buffer_bytes(&more), more.len, 5, &outcome);
        feed(&decoder, wire_buffer_bytes(&more), more.len, 5, &outcome);
        assert_int_equal(outcome.faults, 1);
        assert_int_equal(outcome.frames, 0);
        wire_decoder_done(&decoder);
    }
    wire_buffer_done(&more);
}

static void noise_before_the_first_marker_is_skipped(void **state)
{
    (void)state;
    struct wire_buffer buffer = {0};
    wire_put_data(&buffer, 1, WIRE_OUT, "tail of somebody else", 21);
    wire_put_hello(&buffer, nonce);
    wire_put_end(&buffer, 1, WIRE_IN);
    wire_buffer_consume(&buffer, 5);
    struct outcome outcome = decode(&buffer, true, 3);
    assert_int_equal(outcome.frames, 2);
    assert_int_equal(outcome.resets, 1);
    assert_int_equal(outcome.faults, 0);
    assert_int_equal(outcome.last.type, WIRE_END);
    wire_buffer_done(&buffer);
}

struct malformed {
    const char *name;
    uint8_t bytes[48];
    size_t len;
};

/* clang-format off */
static const struct malformed malformed_frames[] = {
    {"type 0",            {0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}, 13},
    {"type 12",           {12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}, 13},
    {"not zero",          {5, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}, 13},
    {"channel 3",         {5, 3, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}, 13},
    {"signal 0",          {7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}, 13},
    {"signal 65",         {7, 65, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}, 13},
    {"no stream",         {5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 13},
    {"event on a stream", {11, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}, 13},
    {"end with payload",  {5, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0}, 14},
    {"empty data",        {4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}, 13},
    {"data too long",     {4, 0, 0, 0, 1, 0, 0, 0, 1, 128, 0, 0, 0}, 13},
    {"fields too long",   {2, 1, 0, 0, 1, 0, 0, 0, 1, 0, 4, 0, 0}, 13},
    {"huge",              {2, 1, 0, 0, 1, 0, 0, 0, 255, 255, 255, 255, 0}, 13},
    {"credit of 3 bytes", {6, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0}, 16},
    {"credit of nothing", {6, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0}, 17},
    {"endless credit",    {6, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 1, 0, 2, 0, 0}, 17},
    {"field cut off",     {2, 1, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 4, 0, 2, 0, 0, 0, 'a', 0}, 20},
    {"half a field head", {2, 1, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 4, 0, 2, 0}, 16},
    {"no end",            {5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1}, 13},
    {"hello, no marker",  {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 13},
};
/* clang-format on */

static void malformed_frames_stop_the_line_until_a_hello(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof malformed_frames / sizeof *malformed_frames; i++) {
        const struct malformed *frame = &malformed_frames[i];
        struct wire_decoder decoder;
        struct outcome outcome = {0};
        struct wire_buffer more = {0};
        wire_put_end(&more, 1, WIRE_IN);
        wire_decoder_init(&decoder, false);
        feed(&decoder, frame->bytes, frame->len, 5, &outcome);
        feed(&decoder, wire_buffer_bytes(&more), more.len, 5, &outcome);
        if (outcome.faults != 1 || outcome.frames != 0) {
            fail_msg("%s: %u faults, %u frames", frame->name, outcome.faults, outcome.frames);
        }
        wire_put_hello(&more, nonce);
        feed(&decoder, wire_buffer_bytes(&more), more.len, 5, &outcome);
        assert_int_equal(outcome.frames, 1);
        assert_null(wire_decoder_fault(&decoder));
        wire_decoder_done(&decoder);
        wire_buffer_done(&more);
    }
}

static void a_hello_needs_version_and_nonce(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct wire_buffer buffer = {0};
        struct wire_writer writer;
        wire_begin(&writer, &buffer, WIRE_HELLO, 0, 0);
        if (i != 0) {
            wire_add_number(&writer, WIRE_TAG_VERSION, 1);
        }
        if (i != 1) {
            wire_add(&writer, WIRE_TAG_NONCE, nonce, i == 2 ? 7 : WIRE_NONCE_LEN);
        }
        if (i == 3) {
            wire_add_number(&writer, WIRE_TAG_VERSION, 2);
        }
        assert_true(wire_finish(&writer));
        struct outcome outcome = decode(&buffer, true, 4096);
        assert_int_equal(outcome.faults, 1);
        assert_int_equal(outcome.frames, 0);
        wire_buffer_done(&buffer);
    }
}

static void only_a_hello_may_follow_the_marker(void **state)
{
    (void)state;
    struct wire_decoder decoder;
    struct outcome outcome = {0};
    struct wire_buffer buffer = {0};
    wire_put_end(&buffer, 1, WIRE_IN);
    wire_decoder_init(&decoder, true);
    feed(&decoder, wire_marker, WIRE_MARKER_LEN, 4096, &outcome);
    feed(&decoder, wire_buffer_bytes(&buffer), buffer.len, 4096, &outcome);
    assert_int_equal(outcome.resets, 1);
    assert_int_equal(outcome.faults, 1);
    wire_decoder_done(&decoder);
    wire_buffer_done(&buffer);
}

/* A fixed generator: the same garbage on every run. */
static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void garbage_never_breaks_the_decoder(void **state)
{
    (void)state;
    uint32_t seed = 1;
    struct wire_buffer frames = {0};
    wire_put_hello(&frames, nonce);
    struct wire_writer writer;
    wire_begin(&writer, &frames, WIRE_OPEN, WIRE_KIND_EXEC, 1);
    wire_add_text(&writer, WIRE_TAG_ARG, "true");
    assert_true(wire_finish(&writer));
    wire_put_data(&frames, 1, WIRE_IN, "0123456789", 10);
    wire_put_credit(&frames, 1, WIRE_OUT, 5);
    uint8_t *copy = malloc(frames.len);
    assert_non_null(copy);
    for (unsigned round = 0; round < 20000; round++) {
        memcpy(copy, wire_buffer_bytes(&frames), frames.len);
        for (unsigned flips = next_random(&seed) % 5; flips < 5; flips++) {
            copy[next_random(&seed) % frames.len] = (uint8_t)next_random(&seed);
        }
        struct wire_decoder decoder;
        struct outcome outcome = {0};
        wire_decoder_init(&decoder, round % 2 == 0);
        feed(&decoder, copy, frames.len, 1 + next_random(&seed) % 60, &outcome);
        /* Whatever that was, the next hello is understood. */
        outcome.frames = 0;
        feed(&decoder, wire_buffer_bytes(&frames), frames.len, 64, &outcome);
        assert_int_equal(outcome.frames, 4);
        free(outcome.received.bytes);
        wire_decoder_done(&decoder);
    }
    free(copy);
    wire_buffer_done(&frames);
}

static void credit_is_exact(void **state)
{
    (void)state;
    struct wire_credit sender, receiver;
    wire_credit_init(&sender);
    wire_credit_init(&receiver);
    assert_false(wire_credit_refill(&sender, 1)); /* more than a window */
    wire_credit_spend(&sender, WIRE_WINDOW);
    assert_int_equal(sender.left, 0);
    assert_true(wire_credit_receive(&receiver, WIRE_WINDOW));
    assert_false(wire_credit_receive(&receiver, 1));
    assert_int_equal(wire_credit_return(&receiver, WIRE_WINDOW / 2 - 1), 0);
    assert_int_equal(wire_credit_return(&receiver, 1), WIRE_WINDOW / 2);
    assert_true(wire_credit_refill(&sender, WIRE_WINDOW / 2));
    assert_int_equal(sender.left, receiver.left);
    assert_false(wire_credit_refill(&sender, UINT32_MAX));
    assert_int_equal(wire_credit_return(&receiver, WIRE_WINDOW / 2), WIRE_WINDOW / 2);
    assert_int_equal(receiver.left, WIRE_WINDOW);
}

static void buffer_keeps_order_while_it_is_consumed(void **state)
{
    (void)state;
    struct wire_buffer buffer = {0};
    struct wire_decoder decoder;
    struct outcome outcome = {0};
    uint8_t byte = 0;
    wire_decoder_init(&decoder, false);
    for (unsigned i = 0; i < 3000; i++) {
        wire_put_data(&buffer, 1, WIRE_OUT, &byte, 1);
        byte++;
        size_t part = buffer.len < 11 ? buffer.len : 11;
        feed(&decoder, wire_buffer_bytes(&buffer), part, part, &outcome);
        wire_buffer_consume(&buffer, part);
    }
    feed(&decoder, wire_buffer_bytes(&buffer), buffer.len, 4096, &outcome);
    assert_int_equal(outcome.faults, 0);
    assert_int_equal(outcome.received.len, 3000);
    for (unsigned i = 0; i < 3000; i++) {
        assert_int_equal(outcome.received.bytes[i], (uint8_t)i);
    }
    free(outcome.received.bytes);
    wire_decoder_done(&decoder);
    wire_buffer_done(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_carries_version_and_nonce),
        cmocka_unit_test(frames_have_the_layout_of_the_contract),
        cmocka_unit_test(every_frame_survives_any_cut),
        cmocka_unit_test(fields_come_back_in_order),
        cmocka_unit_test(data_may_hold_the_marker),
        cmocka_unit_test(other_payloads_with_the_marker_are_refused),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(long_data_is_cut_into_frames),
        cmocka_unit_test(a_cut_frame_is_dropped_by_the_next_hello),
        cmocka_unit_test(a_false_start_of_the_marker_is_a_fault_once),
        cmocka_unit_test(noise_before_the_first_marker_is_skipped),
        cmocka_unit_test(malformed_frames_stop_the_line_until_a_hello),
        cmocka_unit_test(a_hello_needs_version_and_nonce),
        cmocka_unit_test(only_a_hello_may_follow_the_marker),
        cmocka_unit_test(garbage_never_breaks_the_decoder),
        cmocka_unit_test(credit_is_exact),
        cmocka_unit_test(buffer_keeps_order_while_it_is_consumed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
