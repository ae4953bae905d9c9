/* SPDX-License-Identifier: MIT */
#include "base/wire.h"

#include <stdlib.h>
#include <string.h>

const uint8_t wire_marker[WIRE_MARKER_LEN] = {
    0xf7, 0xf1, 0xfc, 0xf4, 0xfa, 0xf0, 0xfd, 0xf3, 0xfe, 0xf2, 0xf9, 0xf5, 0xfb, 0xf8, 0xff, 0xf6};

static void put_le16(uint8_t *at, uint16_t number)
{
    at[0] = (uint8_t)number;
    at[1] = (uint8_t)(number >> 8);
}

static void put_le32(uint8_t *at, uint32_t number)
{
    put_le16(at, (uint16_t)number);
    put_le16(at + 2, (uint16_t)(number >> 16));
}

static void put_le64(uint8_t *at, uint64_t number)
{
    put_le32(at, (uint32_t)number);
    put_le32(at + 4, (uint32_t)(number >> 32));
}

static bool contains_marker(const uint8_t *bytes, size_t len)
{
    return len >= WIRE_MARKER_LEN && memmem(bytes, len, wire_marker, WIRE_MARKER_LEN) != NULL;
}

/* Room for len more bytes behind what waits. */
static uint8_t *buffer_extend(struct wire_buffer *buffer, size_t len)
{
    if (buffer->start + buffer->len + len > buffer->capacity) {
        if (buffer->start > 0) {
            memmove(buffer->bytes, buffer->bytes + buffer->start, buffer->len);
            buffer->start = 0;
        }
        if (buffer->len + len > buffer->capacity) {
            size_t capacity = buffer->capacity > 0 ? buffer->capacity : 1024;
            while (capacity < buffer->len + len) {
                capacity *= 2;
            }
            uint8_t *bytes = realloc(buffer->bytes, capacity);
            if (bytes == NULL) {
                abort();
            }
            buffer->bytes = bytes;
            buffer->capacity = capacity;
        }
    }
    uint8_t *room = buffer->bytes + buffer->start + buffer->len;
    buffer->len += len;
    return room;
}

void wire_buffer_append(struct wire_buffer *buffer, const void *bytes, size_t len)
{
    if (len > 0) {
        memcpy(buffer_extend(buffer, len), bytes, len);
    }
}

void wire_buffer_done(struct wire_buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (struct wire_buffer){0};
}

const uint8_t *wire_buffer_bytes(const struct wire_buffer *buffer)
{
    return buffer->bytes == NULL ? NULL : buffer->bytes + buffer->start;
}

void wire_buffer_consume(struct wire_buffer *buffer, size_t len)
{
    if (len >= buffer->len) {
        buffer->start = 0;
        buffer->len = 0;
        return;
    }
    buffer->start += len;
    buffer->len -= len;
}

static void put_header(
    uint8_t *at, enum wire_type type, unsigned code, uint32_t stream, uint32_t len)
{
    at[0] = (uint8_t)type;
    at[1] = (uint8_t)code;
    put_le16(at + 2, 0);
    put_le32(at + 4, stream);
    put_le32(at + 8, len);
}

static void append_frame(struct wire_buffer *buffer, enum wire_type type, unsigned code,
    uint32_t stream, const void *payload, size_t len)
{
    put_header(buffer_extend(buffer, WIRE_HEADER_LEN), type, code, stream, (uint32_t)len);
    wire_buffer_append(buffer, payload, len);
    *buffer_extend(buffer, 1) = 0;
}

bool wire_put_frame(struct wire_buffer *buffer, enum wire_type type, unsigned code, uint32_t stream,
    const void *payload, size_t len)
{
    size_t max = type == WIRE_DATA ? WIRE_DATA_MAX : WIRE_PAYLOAD_MAX;
    if (len > max || contains_marker(payload, len)) {
        return false;
    }
    if (type == WIRE_HELLO) {
        wire_buffer_append(buffer, wire_marker, WIRE_MARKER_LEN);
    }
    append_frame(buffer, type, code, stream, payload, len);
    return true;
}

void wire_put_data(struct wire_buffer *buffer, uint32_t stream, enum wire_channel channel,
    const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    while (len > 0) {
        size_t part = len < WIRE_DATA_MAX ? len : WIRE_DATA_MAX;
        const uint8_t *marker =
            part >= WIRE_MARKER_LEN ? memmem(at, part, wire_marker, WIRE_MARKER_LEN) : NULL;
        if (marker != NULL) {
            part = (size_t)(marker - at) + WIRE_MARKER_LEN / 2;
        }
        append_frame(buffer, WIRE_DATA, channel, stream, at, part);
        at += part;
        len -= part;
    }
}

void wire_put_end(struct wire_buffer *buffer, uint32_t stream, enum wire_channel channel)
{
    append_frame(buffer, WIRE_END, channel, stream, NULL, 0);
}

void wire_put_credit(
    struct wire_buffer *buffer, uint32_t stream, enum wire_channel channel, uint32_t bytes)
{
    uint8_t payload[4];
    put_le32(payload, bytes);
    append_frame(buffer, WIRE_CREDIT, channel, stream, payload, sizeof payload);
}

void wire_put_signal(struct wire_buffer *buffer, uint32_t stream, unsigned signal_number)
{
    append_frame(buffer, WIRE_SIGNAL, signal_number, stream, NULL, 0);
}

void wire_put_resize(struct wire_buffer *buffer, uint32_t stream, uint16_t rows, uint16_t columns)
{
    uint8_t payload[4];
    put_le16(payload, rows);
    put_le16(payload + 2, columns);
    append_frame(buffer, WIRE_RESIZE, 0, stream, payload, sizeof payload);
}

void wire_put_close(struct wire_buffer *buffer, uint32_t stream)
{
    append_frame(buffer, WIRE_CLOSE, 0, stream, NULL, 0);
}

void wire_begin(struct wire_writer *writer, struct wire_buffer *buffer, enum wire_type type,
    unsigned code, uint32_t stream)
{
    *writer = (struct wire_writer){
        .buffer = buffer,
        .frame_at = buffer->len,
        .marker_len = type == WIRE_HELLO ? WIRE_MARKER_LEN : 0,
    };
    wire_buffer_append(buffer, wire_marker, writer->marker_len);
    put_header(buffer_extend(buffer, WIRE_HEADER_LEN), type, code, stream, 0);
}

void wire_add(struct wire_writer *writer, enum wire_tag tag, const void *bytes, size_t len)
{
    size_t head_len = writer->marker_len + WIRE_HEADER_LEN;
    size_t payload_len = writer->buffer->len - writer->frame_at - head_len;
    if (len > WIRE_PAYLOAD_MAX || payload_len + 6 + len > WIRE_PAYLOAD_MAX ||
        ++writer->fields > WIRE_FIELDS_MAX) {
        writer->is_bad = true;
    }
    if (writer->is_bad) {
        return;
    }
    uint8_t head[6];
    put_le16(head, (uint16_t)tag);
    put_le32(head + 2, (uint32_t)len);
    wire_buffer_append(writer->buffer, head, sizeof head);
    wire_buffer_append(writer->buffer, bytes, len);
}

void wire_add_text(struct wire_writer *writer, enum wire_tag tag, const char *text)
{
    wire_add(writer, tag, text, strlen(text));
}

void wire_add_number(struct wire_writer *writer, enum wire_tag tag, uint64_t number)
{
    uint8_t bytes[8];
    put_le64(bytes, number);
    wire_add(writer, tag, bytes, sizeof bytes);
}

void wire_add_size(struct wire_writer *writer, enum wire_tag tag, uint16_t rows, uint16_t columns)
{
    uint8_t bytes[4];
    put_le16(bytes, rows);
    put_le16(bytes + 2, columns);
    wire_add(writer, tag, bytes, sizeof bytes);
}

bool wire_finish(struct wire_writer *writer)
{
    struct wire_buffer *buffer = writer->buffer;
    uint8_t *header = buffer->bytes + buffer->start + writer->frame_at + writer->marker_len;
    size_t payload_len = buffer->len - writer->frame_at - writer->marker_len - WIRE_HEADER_LEN;
    if (writer->is_bad || contains_marker(header + WIRE_HEADER_LEN, payload_len)) {
        buffer->len = writer->frame_at;
        return false;
    }
    put_le32(header + 8, (uint32_t)payload_len);
    *buffer_extend(buffer, 1) = 0;
    return true;
}

void wire_put_hello(struct wire_buffer *buffer, const uint8_t nonce[WIRE_NONCE_LEN])
{
    struct wire_writer writer;
    wire_begin(&writer, buffer, WIRE_HELLO, 0, 0);
    wire_add_number(&writer, WIRE_TAG_VERSION, WIRE_VERSION);
    wire_add(&writer, WIRE_TAG_NONCE, nonce, WIRE_NONCE_LEN);
    wire_finish(&writer);
}

void wire_credit_init(struct wire_credit *credit)
{
    *credit = (struct wire_credit){.left = WIRE_WINDOW};
}

void wire_credit_spend(struct wire_credit *credit, size_t len)
{
    credit->left -= len < credit->left ? (uint32_t)len : credit->left;
}

bool wire_credit_refill(struct wire_credit *credit, uint32_t bytes)
{
    if (bytes > WIRE_WINDOW - credit->left) {
        return false;
    }
    credit->left += bytes;
    return true;
}

bool wire_credit_receive(struct wire_credit *credit, size_t len)
{
    if (len > credit->left) {
        return false;
    }
    credit->left -= (uint32_t)len;
    return true;
}

uint32_t wire_credit_return(struct wire_credit *credit, size_t len)
{
    credit->owed += (uint32_t)len;
    if (credit->owed < WIRE_WINDOW / 2) {
        return 0;
    }
    uint32_t bytes = credit->owed;
    credit->left += bytes;
    credit->owed = 0;
    return bytes;
}
