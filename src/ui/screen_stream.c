/* SPDX-License-Identifier: MIT */
#include "ui/screens.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"
#include "ui/actions.h"
#include "ui/line.h"
#include "ui/seat.h"
#include "ui/stream.h"
#include "ui/viewer.h"

/* Lines kept for scrolling back; older ones are on disk, and a look at them is a new reading. A verb
 * that can begin at the end is not asked for more, so that a log of any size opens at once. */
#define LINES_MAX 20000
#define LINES_MAX_WORD "20000"

struct stream_state {
    struct stream stream;
    struct text line; /* the command as a line, for another reading of it */
    bool has_times;
    bool may_have_times;
};

static int stream_wait_fd(const struct viewer *viewer)
{
    const struct stream_state *state = viewer->state;
    return state->stream.fd;
}

static void stream_ready(struct viewer *viewer, struct seat *seat)
{
    (void)seat;
    struct stream_state *state = viewer->state;
    size_t gone = stream_read(&state->stream);
    viewer->pager.top = viewer->pager.top > gone ? viewer->pager.top - gone : 0;
}

static void stream_tell(struct viewer *viewer, struct seat *seat)
{
    (void)seat;
    struct stream_state *state = viewer->state;
    stream_update(&state->stream);
}

static struct page *stream_page(struct viewer *viewer)
{
    struct stream_state *state = viewer->state;
    return &state->stream.page;
}

static bool stream_is_offered(const struct viewer *viewer, enum request request)
{
    const struct stream_state *state = viewer->state;
    return request != REQUEST_TIMES || state->may_have_times;
}

/* Starts the command, which is used up, from the first line that would be kept. */
static bool begin(struct stream_state *state, struct seat *seat, struct command *command)
{
    struct error never = {0};
    if (verb_argument(command_verb(command), "tail") != NULL && !command_has(command, "tail")) {
        command_set(command, "tail", LINES_MAX_WORD, &never);
    }
    if (verb_argument(command_verb(command), "plain") != NULL && !command_has(command, "plain")) {
        command_set(command, "plain", NULL, &never);
    }
    return stream_start(&state->stream, seat, command, LINES_MAX);
}

/* The same once more, with the times or without. */
static void read_again(struct viewer *viewer, struct seat *seat)
{
    struct stream_state *state = viewer->state;
    struct error err = {0};
    struct command *command = line_parse(text_cstr(&state->line), &err);
    bool wants_times = !state->has_times;
    if (command == NULL || (wants_times && !command_set(command, "timestamps", NULL, &err))) {
        command_free(command);
        seat_say(seat, ROLE_BAD, "%s", err.text);
        return;
    }
    uint64_t version = state->stream.page.version;
    stream_stop(&state->stream);
    state->has_times = wants_times;
    viewer->pager.is_following = true;
    if (begin(state, seat, command)) {
        state->stream.page.version = version + 1; /* rows made for the old page do not fit */
    }
}

static void stream_request(struct viewer *viewer, struct seat *seat, enum request request)
{
    struct stream_state *state = viewer->state;
    if (request == REQUEST_TIMES) {
        read_again(viewer, seat);
    } else if (request == REQUEST_DIVIDE) {
        char moment[CLOCK_TEXT_LEN];
        clock_format(clock_wall(), moment);
        auto_free char *line = memory_printf("-- %s --", moment);
        stream_divide(&state->stream, line);
    }
}

static void stream_free(struct viewer *viewer)
{
    struct stream_state *state = viewer->state;
    stream_stop(&state->stream);
    text_done(&state->line);
    free(state);
}

static const struct viewer_source stream_source = {
    .title = "Log",
    .page = stream_page,
    .is_offered = stream_is_offered,
    .request = stream_request,
    .update = stream_tell,
    .wait_fd = stream_wait_fd,
    .ready = stream_ready,
    .free = stream_free,
};

struct screen *stream_screen_new(struct seat *seat, struct command *command)
{
    struct stream_state *state = memory_zero(1, sizeof(*state));
    command_line(command, &state->line);
    state->may_have_times = verb_argument(command_verb(command), "timestamps") != NULL &&
                            !command_has(command, "timestamps");
    const struct argument *operand = action_operand(command_verb(command));
    const char *name = operand != NULL ? command_get(command, operand->name) : NULL;
    auto_free char *title = name != NULL ? memory_printf("Log of %s", name)
                                         : memory_strdup(command_verb(command)->summary);
    struct viewer *viewer = viewer_new(&stream_source, title, state);
    text_append(&viewer->line, text_cstr(&state->line));
    viewer->screen.is_closed = !begin(state, seat, command);
    return &viewer->screen;
}
