/* SPDX-License-Identifier: MIT */
#include "base/wire.h"

#include <stdlib.h>
#include <string.h>

static uint16_t get_le16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static uint32_t get_le32(const uint8_t *at)
{
    return get_le16(at) | (uint32_t)get_le16(at + 2) << 16;
}

static uint64_t get_le64(const uint8_t *at)
{
    return get_le32(at) | (uint64_t)get_le32(at + 4) << 32;
}

void wire_decoder_init(struct wire_decoder *decoder, bool is_skipping)
{
    *decoder = (struct wire_decoder){.is_skipping = is_skipping};
}

void wire_decoder_done(struct wire_decoder *decoder)
{
    free(decoder->payload);
    *decoder = (struct wire_decoder){0};
}

const char *wire_decoder_fault(const struct wire_decoder *decoder)
{
    return decoder->fault;
}

/* The payload each type may have. */
enum payload_shape { PAYLOAD_NONE, PAYLOAD_DATA, PAYLOAD_FIELDS, PAYLOAD_FOUR_BYTES };

struct frame_rule {
    enum payload_shape shape;
    unsigned code_min, code_max;
    bool has_stream;
};

/* clang-format off */
static const struct frame_rule frame_rules[] = {
    [WIRE_HELLO]   = {PAYLOAD_FIELDS,     0, 0,                 false},
    [WIRE_OPEN]    = {PAYLOAD_FIELDS,     1, 255,               true},
    [WIRE_STARTED] = {PAYLOAD_NONE,       0, 0,                 true},
    [WIRE_DATA]    = {PAYLOAD_DATA,       0, WIRE_CHANNELS - 1, true},
    [WIRE_END]     = {PAYLOAD_NONE,       0, WIRE_CHANNELS - 1, true},
    [WIRE_CREDIT]  = {PAYLOAD_FOUR_BYTES, 0, WIRE_CHANNELS - 1, true},
    [WIRE_SIGNAL]  = {PAYLOAD_NONE,       1, 64,                true},
    [WIRE_RESIZE]  = {PAYLOAD_FOUR_BYTES, 0, 0,                 true},
    [WIRE_RESULT]  = {PAYLOAD_FIELDS,     0, 255,               true},
    [WIRE_CLOSE]   = {PAYLOAD_NONE,       0, 0,                 true},
    [WIRE_EVENT]   = {PAYLOAD_FIELDS,     0, 0,                 false},
};
/* clang-format on */

static const char *length_fault(const struct frame_rule *rule, size_t len)
{
    switch (rule->shape) {
    case PAYLOAD_NONE:
        return len == 0 ? NULL : "a frame has a payload that should have none";
    case PAYLOAD_DATA:
        return len > 0 && len <= WIRE_DATA_MAX ? NULL : "a data frame is empty or too long";
    case PAYLOAD_FIELDS:
        return len <= WIRE_PAYLOAD_MAX ? NULL : "a frame is too long";
    case PAYLOAD_FOUR_BYTES:
        return len == 4 ? NULL : "a frame's payload has the wrong length";
    }
    return "a frame is of an unknown shape";
}

static const char *header_fault(const struct wire_decoder *decoder)
{
    const uint8_t *header = decoder->header;
    unsigned type = header[0], code = header[1];
    if (type < WIRE_HELLO || type > WIRE_EVENT || get_le16(header + 2) != 0) {
        return "a frame is of an unknown type";
    }
    if (decoder->is_hello_due != (type == WIRE_HELLO)) {
        return decoder->is_hello_due ? "the marker is not followed by a hello"
                                     : "a hello comes without the marker";
    }
    const struct frame_rule *rule = &frame_rules[type];
    if (code < rule->code_min || code > rule->code_max) {
        return "a frame's code is out of range";
    }
    if (rule->has_stream != (get_le32(header + 4) != 0)) {
        return "a frame belongs to no stream, or to one and should not";
    }
    return length_fault(rule, get_le32(header + 8));
}

static bool next_field(struct wire_reader *reader, struct wire_field *field)
{
    if (reader->left < 6) {
        return false;
    }
    size_t len = get_le32(reader->at + 2);
    if (len > reader->left - 6) {
        return false;
    }
    *field = (struct wire_field){.tag = get_le16(reader->at), .bytes = reader->at + 6, .len = len};
    reader->at += 6 + len;
    reader->left -= 6 + len;
    return true;
}

static const char *fields_fault(const struct wire_frame *frame)
{
    struct wire_reader reader = {.at = frame->payload, .left = frame->len};
    struct wire_field field;
    unsigned fields = 0, versions = 0, nonces = 0;
    while (next_field(&reader, &field)) {
        if (++fields > WIRE_FIELDS_MAX) {
            return "a frame has too many fields";
        }
        if (field.tag == WIRE_TAG_VERSION) {
            versions += field.len == 8 ? 1 : 2;
        } else if (field.tag == WIRE_TAG_NONCE) {
            nonces += field.len == WIRE_NONCE_LEN ? 1 : 2;
        }
    }
    if (reader.left != 0) {
        return "a frame's fields are cut off";
    }
    unsigned expected = frame->type == WIRE_HELLO ? 1 : 0;
    if (versions != expected || nonces != expected) {
        return "a hello lacks its version or nonce, or a frame has one too many";
    }
    return NULL;
}

static const char *frame_fault(const struct wire_frame *frame)
{
    if (frame_rules[frame->type].shape == PAYLOAD_FIELDS) {
        return fields_fault(frame);
    }
    if (frame->type == WIRE_CREDIT &&
        (get_le32(frame->payload) == 0 || get_le32(frame->payload) > WIRE_WINDOW)) {
        return "a credit is nothing, or more than a window";
    }
    return NULL;
}

/* Looks for the end of the marker in the bytes. Returns how many belong to it and to what came
 * before it, or 0 when it does not end here. Its bytes all differ, so after a mismatch it can only
 * begin anew. */
static size_t marker_end(struct wire_decoder *decoder, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (decoder->marker_len == 0) {
            const uint8_t *first = memchr(bytes + i, wire_marker[0], len - i);
            if (first == NULL) {
                return 0;
            }
            i = (size_t)(first - bytes);
        }
        if (bytes[i] == wire_marker[decoder->marker_len]) {
            decoder->marker_len++;
        } else {
            decoder->marker_len = bytes[i] == wire_marker[0] ? 1 : 0;
        }
        if (decoder->marker_len == WIRE_MARKER_LEN) {
            return i + 1;
        }
    }
    return 0;
}

static void forget_frame(struct wire_decoder *decoder)
{
    decoder->header_len = 0;
    decoder->payload_len = 0;
    decoder->payload_expected = 0;
}

/* A frame that was cut off and a marker behind it look like a malformed frame at first. */
static enum wire_status fail(struct wire_decoder *decoder, const char *fault)
{
    forget_frame(decoder);
    decoder->is_skipping = true;
    decoder->is_hello_due = false;
    decoder->fault = fault;
    decoder->is_fault_due = true;
    return WIRE_MORE;
}

static void reserve_payload(struct wire_decoder *decoder, size_t len)
{
    decoder->payload_expected = len;
    if (len > decoder->payload_capacity) {
        free(decoder->payload);
        decoder->payload = malloc(len);
        if (decoder->payload == NULL) {
            abort();
        }
        decoder->payload_capacity = len;
    }
}

/* The whole frame is here, except that its last byte says whether it really is. */
static enum wire_status finish_frame(
    struct wire_decoder *decoder, uint8_t last_byte, struct wire_frame *frame)
{
    if (last_byte != 0) {
        return fail(decoder, "a frame is not where it should end");
    }
    struct wire_frame found = {
        .type = (enum wire_type)decoder->header[0],
        .code = decoder->header[1],
        .stream = get_le32(decoder->header + 4),
        .payload = decoder->payload,
        .len = decoder->payload_len,
    };
    const char *fault = frame_fault(&found);
    if (fault != NULL) {
        return fail(decoder, fault);
    }
    forget_frame(decoder);
    decoder->is_hello_due = false;
    *frame = found;
    return WIRE_FRAME;
}

/* How many of the bytes ahead belong to the part of the frame that is being read. */
static size_t part_len(const struct wire_decoder *decoder, size_t len)
{
    size_t wanted = 1;
    if (decoder->is_skipping) {
        return len;
    }
    if (decoder->header_len < WIRE_HEADER_LEN) {
        wanted = WIRE_HEADER_LEN - decoder->header_len;
    } else if (decoder->payload_len < decoder->payload_expected) {
        wanted = decoder->payload_expected - decoder->payload_len;
    }
    return wanted < len ? wanted : len;
}

/* Takes bytes that hold no end of a marker. WIRE_MORE: go on. */
static enum wire_status take_part(
    struct wire_decoder *decoder, const uint8_t *bytes, size_t len, struct wire_frame *frame)
{
    if (decoder->is_skipping) {
        return WIRE_MORE;
    }
    if (decoder->header_len == WIRE_HEADER_LEN) {
        if (decoder->payload_len == decoder->payload_expected) {
            return finish_frame(decoder, bytes[0], frame);
        }
        memcpy(decoder->payload + decoder->payload_len, bytes, len);
        decoder->payload_len += len;
        return WIRE_MORE;
    }
    memcpy(decoder->header + decoder->header_len, bytes, len);
    decoder->header_len += len;
    if (decoder->header_len == WIRE_HEADER_LEN) {
        const char *fault = header_fault(decoder);
        if (fault != NULL) {
            return fail(decoder, fault);
        }
        reserve_payload(decoder, get_le32(decoder->header + 8));
    }
    return WIRE_MORE;
}

enum wire_status wire_decode(struct wire_decoder *decoder, const uint8_t *bytes, size_t len,
    size_t *taken, struct wire_frame *frame)
{
    *taken = 0;
    while (*taken < len) {
        size_t part = part_len(decoder, len - *taken);
        const uint8_t *at = bytes + *taken;
        size_t end = marker_end(decoder, at, part);
        if (end > 0) {
            *taken += end;
            forget_frame(decoder);
            decoder->marker_len = 0;
            decoder->is_skipping = false;
            decoder->is_hello_due = true;
            decoder->is_fault_due = false;
            decoder->fault = NULL;
            return WIRE_RESET;
        }
        *taken += part;
        enum wire_status status = take_part(decoder, at, part, frame);
        if (status != WIRE_MORE) {
            return status;
        }
        if (decoder->is_fault_due && decoder->marker_len == 0) {
            decoder->is_fault_due = false;
            return WIRE_BAD;
        }
    }
    return WIRE_MORE;
}

enum wire_status wire_decode_all(
    struct wire_decoder *decoder, const uint8_t *bytes, size_t len, wire_taker *take, void *context)
{
    for (;;) {
        size_t taken = 0;
        struct wire_frame frame;
        enum wire_status status = wire_decode(decoder, bytes, len, &taken, &frame);
        if (status != WIRE_FRAME || !take(context, &frame)) {
            return status;
        }
        bytes += taken;
        len -= taken;
    }
}

void wire_read(struct wire_reader *reader, const struct wire_frame *frame)
{
    *reader = (struct wire_reader){.at = frame->payload, .left = frame->len};
}

bool wire_next(struct wire_reader *reader, struct wire_field *field)
{
    return next_field(reader, field);
}

bool wire_find(const struct wire_frame *frame, enum wire_tag tag, struct wire_field *field)
{
    struct wire_reader reader;
    struct wire_field candidate;
    wire_read(&reader, frame);
    while (next_field(&reader, &candidate)) {
        if (candidate.tag == (unsigned)tag) {
            *field = candidate;
            return true;
        }
    }
    return false;
}

bool wire_field_number(const struct wire_field *field, uint64_t *number)
{
    if (field->len != 8) {
        return false;
    }
    *number = get_le64(field->bytes);
    return true;
}

bool wire_field_size(const struct wire_field *field, uint16_t *rows, uint16_t *columns)
{
    if (field->len != 4) {
        return false;
    }
    *rows = get_le16(field->bytes);
    *columns = get_le16(field->bytes + 2);
    return true;
}

char *wire_field_text(const struct wire_field *field)
{
    if (memchr(field->bytes, '\0', field->len) != NULL) {
        return NULL;
    }
    char *text = malloc(field->len + 1);
    if (text == NULL) {
        abort();
    }
    memcpy(text, field->bytes, field->len);
    text[field->len] = '\0';
    return text;
}

uint32_t wire_frame_credit(const struct wire_frame *frame)
{
    return get_le32(frame->payload);
}

void wire_frame_size(const struct wire_frame *frame, uint16_t *rows, uint16_t *columns)
{
    *rows = get_le16(frame->payload);
    *columns = get_le16(frame->payload + 2);
}
