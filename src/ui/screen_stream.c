/* SPDX-License-Identifier: MIT */
#include "ui/screens.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/snapshot.h"
#include "ui/seat.h"
#include "ui/viewer.h"

/* Lines kept for scrolling back; older ones are on disk, and a look at them is a new reading. */
#define LINES_MAX 20000
/* Bytes taken in between two frames: a guest that prints without end must not stop the keys. */
#define READ_MAX (256 * 1024)
#define LINE_MAX_BYTES 4000

struct stream_state {
    struct engine *engine;
    uint64_t job; /* 0 once its end was told */
    int fd;
    struct text line; /* the beginning of a line whose end has not come */
};

/* A serial line's text without what only a terminal understands: escape sequences go, a carriage
 * return alone begins the line again, what is left is made visible by the drawing. */
static void clean_line(const struct text *raw, struct text *out)
{
    const char *bytes = text_cstr(raw);
    for (size_t i = 0; i < raw->len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c == 0x1b && i + 1 < raw->len && bytes[i + 1] == '[') {
            i += 2;
            while (i < raw->len && (bytes[i] < 0x40 || bytes[i] > 0x7e)) {
                i++;
            }
        } else if (c == 0x1b && i + 1 < raw->len) {
            i++;
        } else if (c == '\r') {
            if (i + 1 < raw->len && bytes[i + 1] != '\r') {
                text_clear(out);
            }
        } else if (c == '\t') {
            do {
                text_append_char(out, ' ');
            } while (out->len % 8 != 0);
        } else if (c == '\b') {
            if (out->len > 0) {
                out->len--;
                out->data[out->len] = '\0';
            }
        } else if (c != 0 && c != 7) {
            text_append_char(out, (char)c);
        }
    }
}

static void end_line(struct viewer *viewer)
{
    struct stream_state *state = viewer->state;
    auto_done(text) struct text shown = {0};
    clean_line(&state->line, &shown);
    size_t dropped = viewer->page.dropped;
    page_add(&viewer->page, ROLE_TEXT, NULL, text_cstr(&shown));
    size_t gone = viewer->page.dropped - dropped;
    viewer->pager.top = viewer->pager.top > gone ? viewer->pager.top - gone : 0;
    text_clear(&state->line);
}

static void take_bytes(struct viewer *viewer, const char *bytes, size_t len)
{
    struct stream_state *state = viewer->state;
    while (len > 0) {
        const char *end = memchr(bytes, '\n', len);
        size_t part = end != NULL ? (size_t)(end - bytes) : len;
        size_t room = state->line.len < LINE_MAX_BYTES ? LINE_MAX_BYTES - state->line.len : 0;
        text_append_bytes(&state->line, bytes, part < room ? part : room);
        if (end == NULL) {
            return;
        }
        end_line(viewer);
        bytes += part + 1;
        len -= part + 1;
    }
}

static void stream_end(struct viewer *viewer)
{
    struct stream_state *state = viewer->state;
    if (state->line.len > 0) {
        end_line(viewer);
    }
    memory_auto_close(&state->fd);
    state->fd = -1;
    viewer->is_ended = true;
}

static int stream_wait_fd(const struct viewer *viewer)
{
    const struct stream_state *state = viewer->state;
    return state->fd;
}

static void stream_ready(struct viewer *viewer, struct seat *seat)
{
    (void)seat;
    struct stream_state *state = viewer->state;
    static const size_t step = 16 * 1024;
    auto_free char *buffer = memory_alloc(step);
    for (size_t taken = 0; taken < READ_MAX;) {
        ssize_t got = read(state->fd, buffer, step);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        if (got <= 0) {
            stream_end(viewer);
            return;
        }
        take_bytes(viewer, buffer, (size_t)got);
        taken += (size_t)got;
    }
}

/* Tells why a stream ended, once. */
static void stream_update(struct viewer *viewer, struct seat *seat)
{
    struct stream_state *state = viewer->state;
    for (size_t i = 0; i < seat->snapshot->jobs_count; i++) {
        const struct job_item *job = &seat->snapshot->jobs[i];
        if (job->id == state->job && job_state_is_final(job->state) && viewer->is_ended) {
            if (job->state == JOB_FAILED) {
                page_add(&viewer->page, ROLE_BAD, NULL, job->error.text);
            } else {
                page_add(&viewer->page, ROLE_DIM, NULL, "-- end --");
            }
            engine_forget(seat->engine, state->job);
            state->job = 0;
            return;
        }
    }
}

static void stream_free(struct viewer *viewer)
{
    struct stream_state *state = viewer->state;
    if (state->job != 0) {
        engine_cancel(state->engine, state->job);
    }
    memory_auto_close(&state->fd);
    text_done(&state->line);
    free(state);
}

static const struct viewer_source stream_source = {
    .title = "Log",
    .is_growing = true,
    .update = stream_update,
    .wait_fd = stream_wait_fd,
    .ready = stream_ready,
    .free = stream_free,
};

struct screen *stream_screen_new(struct seat *seat, struct command *command)
{
    int ends[2] = {-1, -1};
    auto_done(text) struct text title = {0};
    command_line(command, &title);
    struct stream_state *state = memory_zero(1, sizeof(*state));
    state->engine = seat->engine;
    state->fd = -1;
    struct viewer *viewer = viewer_new(&stream_source, text_cstr(&title), state);
    viewer->page.max_lines = LINES_MAX;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        struct error err = {0};
        error_set_errno(&err, errno, "cannot make a pipe");
        seat_say(seat, ROLE_BAD, "%s", err.text);
        command_free(command);
        viewer->screen.is_closed = true;
        return &viewer->screen;
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    state->fd = ends[0];
    command_set_fd(command, COMMAND_STDOUT, ends[1]);
    state->job = seat_submit(seat, command);
    viewer->screen.is_closed = state->job == 0;
    return &viewer->screen;
}
