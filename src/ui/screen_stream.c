/* SPDX-License-Identifier: MIT */
#include "ui/screens.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"
#include "ui/seat.h"
#include "ui/stream.h"
#include "ui/viewer.h"

/* Lines kept for scrolling back; older ones are on disk, and a look at them is a new reading. */
#define LINES_MAX 20000

static int stream_wait_fd(const struct viewer *viewer)
{
    const struct stream *stream = viewer->state;
    return stream->fd;
}

static void stream_ready(struct viewer *viewer, struct seat *seat)
{
    (void)seat;
    size_t gone = stream_read(viewer->state);
    viewer->pager.top = viewer->pager.top > gone ? viewer->pager.top - gone : 0;
}

static void stream_tell(struct viewer *viewer, struct seat *seat)
{
    (void)seat;
    stream_update(viewer->state);
}

static struct page *stream_page(struct viewer *viewer)
{
    struct stream *stream = viewer->state;
    return &stream->page;
}

static void stream_free(struct viewer *viewer)
{
    stream_stop(viewer->state);
    free(viewer->state);
}

static const struct viewer_source stream_source = {
    .title = "Log",
    .page = stream_page,
    .update = stream_tell,
    .wait_fd = stream_wait_fd,
    .ready = stream_ready,
    .free = stream_free,
};

struct screen *stream_screen_new(struct seat *seat, struct command *command)
{
    auto_done(text) struct text title = {0};
    command_line(command, &title);
    struct stream *stream = memory_zero(1, sizeof(*stream));
    struct viewer *viewer = viewer_new(&stream_source, text_cstr(&title), stream);
    viewer->screen.is_closed = !stream_start(stream, seat, command, LINES_MAX);
    return &viewer->screen;
}
