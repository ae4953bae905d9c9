/* SPDX-License-Identifier: MIT */
#include "fuzz/fuzz.h"

#include "base/base64.h"
#include "base/error.h"
#include "base/json.h"
#include "base/json_scan.h"
#include "base/memory.h"
#include "base/name.h"
#include "base/text.h"
#include "base/units.h"
#include "base/wire.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH 64

/* What the scan accepts the tree builder must understand, and say again in the same way. */
static void run_json(const uint8_t *bytes, size_t len)
{
    struct error err = {0};
    bool is_clean = json_scan((const char *)bytes, len, DEPTH, "input", &err);
    fuzz_check(is_clean == (err.code == ERROR_NONE));
    struct error failure = {0};
    auto_json struct json *json =
        json_parse((const char *)bytes, len, 1 << 20, DEPTH, "input", &failure);
    fuzz_check(is_clean == (json != NULL));
    if (json != NULL) {
        auto_done(text) struct text once = {0};
        auto_done(text) struct text twice = {0};
        json_write(json, false, &once);
        auto_json struct json *again =
            json_parse(text_cstr(&once), once.len, 8 << 20, DEPTH, "again", &failure);
        fuzz_check(again != NULL);
        json_write(again, false, &twice);
        fuzz_check(strcmp(text_cstr(&once), text_cstr(&twice)) == 0);
    }
}

static void run_names(const uint8_t *bytes, size_t len)
{
    struct error err = {0};
    auto_free char *text = fuzz_text(bytes, len);
    size_t length = strlen(text);
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    if (name_check_entry(text, "kernel", &err)) {
        fuzz_check(length >= 1 && length <= 64 && strchr(letters, text[0]) != NULL);
        for (size_t i = 0; i < length; i++) {
            fuzz_check(strchr(letters, text[i]) != NULL || strchr("._-", text[i]) != NULL);
        }
    } else {
        fuzz_check(err.code == ERROR_INVALID && err.text[0] != '\0');
    }
    error_clear(&err);
    if (name_check_label(text, "VM", &err)) {
        fuzz_check(length >= 1 && length <= 63 && text[0] != '-' && text[length - 1] != '-');
        fuzz_check(strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == length);
    }
}

static void run_units(const uint8_t *bytes, size_t len)
{
    struct error err = {0};
    auto_free char *text = fuzz_text(bytes, len);
    uint64_t value = 0;
    char shown[UNITS_MAX];
    if (units_parse_size(text, "size", &value, &err)) {
        fuzz_check(value > 0);
        fuzz_check(units_format_size(value, shown)[0] != '\0');
        fuzz_check(units_format_size_short(value, shown)[0] != '\0');
    }
    error_clear(&err);
    value = 0;
    if (units_parse_number(text, "number", 1000, &value, &err)) {
        fuzz_check(value <= 1000 && strspn(text, "0123456789") == strlen(text));
    }
    error_clear(&err);
    if (units_parse_duration(text, "time", &value, &err)) {
        fuzz_check(units_format_duration(value, shown)[0] != '\0');
        fuzz_check(units_format_age(value, shown)[0] != '\0');
        fuzz_check(units_format_clock(value, shown)[0] != '\0');
    }
}

/* Nothing that a terminal acts upon is left, and escaping what is escaped changes nothing. */
static void run_text(const uint8_t *bytes, size_t len)
{
    for (int is_utf8 = 0; is_utf8 < 2; is_utf8++) {
        auto_done(text) struct text safe = {0};
        text_append_safe(&safe, (const char *)bytes, len, is_utf8);
        const char *out = text_cstr(&safe);
        for (size_t i = 0; i < safe.len; i++) {
            unsigned char c = (unsigned char)out[i];
            fuzz_check(c >= 0x20 && c != 0x7f && (is_utf8 || c < 0x7f));
            fuzz_check(c != 0xc2 || (unsigned char)out[i + 1] >= 0xa0);
        }
        auto_done(text) struct text again = {0};
        text_append_safe(&again, out, safe.len, is_utf8);
        fuzz_check(again.len == safe.len && memcmp(text_cstr(&again), out, safe.len) == 0);
    }
}

/* Each byte string has one spelling. */
static void run_base64(const uint8_t *bytes, size_t len)
{
    auto_done(text) struct text plain = {0};
    if (base64_decode((const char *)bytes, len, &plain)) {
        auto_done(text) struct text again = {0};
        base64_encode(text_cstr(&plain), plain.len, &again);
        fuzz_check(again.len == len && memcmp(text_cstr(&again), bytes, len) == 0);
    } else {
        fuzz_check(plain.len == 0);
    }
}

static void read_fields(const struct wire_frame *frame)
{
    struct wire_reader reader;
    struct wire_field field;
    wire_read(&reader, frame);
    while (wire_next(&reader, &field)) {
        uint64_t number;
        uint16_t rows, columns;
        wire_field_number(&field, &number);
        wire_field_size(&field, &rows, &columns);
        free(wire_field_text(&field));
    }
}

/* A number that depends on everything that was decoded. The same bytes in pieces give the same. */
static uint64_t decode(const uint8_t *bytes, size_t len, size_t piece, bool is_skipping)
{
    struct wire_decoder decoder;
    uint64_t sum = 0;
    wire_decoder_init(&decoder, is_skipping);
    for (size_t at = 0; at < len;) {
        size_t step = len - at < piece ? len - at : piece;
        size_t taken = 0;
        struct wire_frame frame;
        enum wire_status status = wire_decode(&decoder, bytes + at, step, &taken, &frame);
        fuzz_check(taken <= step);
        if (status == WIRE_MORE) {
            fuzz_check(taken == step);
        }
        if (status == WIRE_BAD) {
            fuzz_check(wire_decoder_fault(&decoder) != NULL);
        }
        if (status == WIRE_FRAME) {
            read_fields(&frame);
            sum = sum * 31 + frame.type * 7 + frame.code * 5 + frame.stream * 3 + frame.len;
            for (size_t i = 0; i < frame.len; i++) {
                sum = sum * 31 + frame.payload[i];
            }
        } else if (status == WIRE_RESET) {
            sum = sum * 31 + 1; /* when a fault is told depends on the pieces */
        }
        at += taken;
    }
    wire_decoder_done(&decoder);
    return sum;
}

static void run_wire(const uint8_t *bytes, size_t len)
{
    for (int is_skipping = 0; is_skipping < 2; is_skipping++) {
        uint64_t whole = decode(bytes, len, len, is_skipping);
        fuzz_check(whole == decode(bytes, len, 1, is_skipping));
        fuzz_check(whole == decode(bytes, len, 7, is_skipping));
    }
}

/* Data and fields that we put into frames come out of the decoder as they were. */
static void run_wire_encode(const uint8_t *bytes, size_t len)
{
    struct wire_buffer buffer = {0};
    struct wire_decoder decoder;
    struct wire_frame frame;
    auto_done(text) struct text data = {0};
    auto_free char *text = fuzz_text(bytes, len);
    struct wire_writer writer;
    wire_put_data(&buffer, 1, WIRE_OUT, bytes, len);
    wire_begin(&writer, &buffer, WIRE_OPEN, WIRE_KIND_EXEC, 2);
    wire_add_text(&writer, WIRE_TAG_ARG, text);
    wire_add_number(&writer, WIRE_TAG_NUMBER, len);
    bool is_there = false;
    bool is_whole = wire_finish(&writer);
    wire_decoder_init(&decoder, false);
    while (buffer.len > 0) {
        size_t taken;
        enum wire_status status =
            wire_decode(&decoder, wire_buffer_bytes(&buffer), buffer.len, &taken, &frame);
        fuzz_check(status == WIRE_FRAME || (status == WIRE_MORE && taken == buffer.len));
        if (status == WIRE_FRAME && frame.type == WIRE_DATA) {
            text_append_bytes(&data, (const char *)frame.payload, frame.len);
        } else if (status == WIRE_FRAME) {
            struct wire_field field;
            fuzz_check(wire_find(&frame, WIRE_TAG_ARG, &field));
            is_there = field.len == strlen(text) && memcmp(field.bytes, text, field.len) == 0;
        }
        wire_buffer_consume(&buffer, taken);
    }
    fuzz_check(is_there == is_whole);
    fuzz_check(data.len == len && memcmp(text_cstr(&data), bytes, len) == 0);
    wire_decoder_done(&decoder);
    wire_buffer_done(&buffer);
}

const struct fuzz_target fuzz_base[] = {
    {"json", run_json},
    {"names", run_names},
    {"units", run_units},
    {"text", run_text},
    {"base64", run_base64},
    {"wire", run_wire},
    {"wire_encode", run_wire_encode},
    {NULL, NULL},
};
