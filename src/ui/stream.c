/* SPDX-License-Identifier: MIT */
#include "ui/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/snapshot.h"
#include "ui/seat.h"

/* Bytes taken in between two frames: a guest that prints without end must not stop the keys. */
#define READ_MAX ((size_t)256 * 1024)
#define STEP_BYTES ((size_t)16 * 1024)
#define LINE_MAX_BYTES 4000
#define TAB_CELLS 8

/* Length of the escape sequence at bytes[0], which is ESC (ECMA-48, 5.4; strings end with BEL or
 * ST). */
static size_t escape_length(const char *bytes, size_t len)
{
    if (len < 2) {
        return len;
    }
    size_t at = 2;
    if (bytes[1] == '[') {
        while (at < len && ((unsigned char)bytes[at] < 0x40 || (unsigned char)bytes[at] > 0x7e)) {
            at++;
        }
        return at < len ? at + 1 : len;
    }
    if (bytes[1] == ']' || bytes[1] == 'P' || bytes[1] == '_' || bytes[1] == '^') {
        while (at < len && bytes[at] != 7 && bytes[at] != 0x1b) {
            at++;
        }
        return at < len && bytes[at] == 0x1b ? at + 2 : at + 1;
    }
    /* Sequences with intermediate bytes, such as ESC ( B. */
    while (at - 1 < len && bytes[at - 1] >= 0x20 && bytes[at - 1] <= 0x2f) {
        at++;
    }
    return at < len ? at : len;
}

void stream_clean(const char *bytes, size_t len, struct text *out)
{
    for (size_t at = 0; at < len;) {
        char c = bytes[at];
        if (c == 0x1b) {
            at += escape_length(bytes + at, len - at);
            continue;
        }
        at++;
        if (c == '\r') {
            if (at < len && bytes[at] != '\r') {
                text_clear(out);
            }
        } else if (c == '\t') {
            do {
                text_append_char(out, ' ');
            } while (out->len % TAB_CELLS != 0);
        } else if (c == '\b') {
            if (out->len > 0) {
                out->len--;
                out->data[out->len] = '\0';
            }
        } else if (c != 0 && c != 7) {
            text_append_char(out, c);
        }
    }
}

static void show_line(struct stream *stream)
{
    auto_done(text) struct text shown = {0};
    stream_clean(text_cstr(&stream->line), stream->line.len, &shown);
    page_add(&stream->page, ROLE_TEXT, NULL, text_cstr(&shown));
}

static void end_line(struct stream *stream)
{
    show_line(stream);
    text_clear(&stream->line);
}

/* A prompt has no end of line and is what people wait for. */
static void show_part(struct stream *stream)
{
    if (stream->line.len > 0) {
        show_line(stream);
        stream->has_part = true;
    }
}

static void hide_part(struct stream *stream)
{
    if (stream->has_part) {
        page_drop_last(&stream->page);
        stream->has_part = false;
    }
}

static void take_bytes(struct stream *stream, const char *bytes, size_t len)
{
    while (len > 0) {
        const char *end = memchr(bytes, '\n', len);
        size_t part = end != NULL ? (size_t)(end - bytes) : len;
        size_t room = stream->line.len < LINE_MAX_BYTES ? LINE_MAX_BYTES - stream->line.len : 0;
        text_append_bytes(&stream->line, bytes, part < room ? part : room);
        if (end == NULL) {
            return;
        }
        end_line(stream);
        bytes += part + 1;
        len -= part + 1;
    }
}

static void close_pipe(struct stream *stream)
{
    if (stream->line.len > 0) {
        hide_part(stream);
        end_line(stream);
    }
    memory_auto_close(&stream->fd);
    stream->fd = -1;
}

bool stream_start(
    struct stream *stream, struct seat *seat, struct command *command, size_t max_lines)
{
    int ends[2] = {-1, -1};
    *stream = (struct stream){.seat = seat, .fd = -1};
    stream->page.max_lines = max_lines;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        struct error err = {0};
        error_set_errno(&err, errno, "cannot make a pipe");
        seat_say(seat, ROLE_BAD, "%s", err.text);
        command_free(command);
        return false;
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    stream->fd = ends[0];
    command_set_fd(command, COMMAND_STDOUT, ends[1]);
    stream->job = seat_submit(seat, command);
    return stream->job != 0;
}

size_t stream_read(struct stream *stream)
{
    size_t dropped = stream->page.dropped;
    auto_free char *buffer = memory_alloc(STEP_BYTES);
    for (size_t taken = 0; taken < READ_MAX && stream->fd >= 0;) {
        ssize_t got = read(stream->fd, buffer, STEP_BYTES);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            break;
        }
        if (got <= 0) {
            close_pipe(stream);
            break;
        }
        hide_part(stream);
        take_bytes(stream, buffer, (size_t)got);
        show_part(stream);
        taken += (size_t)got;
    }
    return stream->page.dropped - dropped;
}

void stream_update(struct stream *stream)
{
    const struct job_item *job =
        stream->job != 0 ? snapshot_find_job(stream->seat->snapshot, stream->job) : NULL;
    if (job == NULL || !job_state_is_final(job->state) || stream->fd >= 0) {
        return;
    }
    if (job->state == JOB_FAILED) {
        page_add(&stream->page, ROLE_BAD, NULL, job->error.text);
    } else {
        page_add(&stream->page, ROLE_DIM, NULL, "-- end --");
    }
    engine_forget(stream->seat->engine, stream->job);
    stream->job = 0;
}

void stream_divide(struct stream *stream, const char *text)
{
    hide_part(stream);
    page_add(&stream->page, ROLE_ATTENTION, NULL, text);
    show_part(stream);
}

void stream_stop(struct stream *stream)
{
    if (stream->job != 0) {
        seat_abandon(stream->seat, stream->job);
    }
    memory_auto_close(&stream->fd);
    text_done(&stream->line);
    page_done(&stream->page);
    *stream = (struct stream){.seat = stream->seat, .fd = -1};
}
