/* SPDX-License-Identifier: MIT */
#include "ui/tail.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "engine/command.h"
#include "ui/draw.h"
#include "ui/seat.h"

#define LINES_MAX 200
/* The cursor has to stay so long before a line is followed: moving through a list starts nothing. */
#define REST_MS 300

static void start(struct tail *tail, struct seat *seat)
{
    const struct verb *verb = verb_find("vm", "logs");
    struct error err = {0};
    if (verb == NULL || tail->name[0] == '\0') {
        return;
    }
    struct command *command = command_new(verb);
    if (!command_set(command, "name", tail->name, &err) ||
        !command_set(command, "follow", NULL, &err) || !command_set(command, "tail", "100", &err)) {
        command_free(command);
        return;
    }
    stream_start(&tail->stream, seat, command, LINES_MAX);
}

void tail_follow(struct tail *tail, struct seat *seat, struct frame *frame, const char *name)
{
    if (strcmp(tail->wanted, name) != 0) {
        snprintf(tail->wanted, sizeof(tail->wanted), "%s", name);
        tail->wanted_ms = frame->now_ms;
    }
    if (strcmp(tail->name, tail->wanted) == 0) {
        return;
    }
    uint64_t rested_ms = frame->now_ms - tail->wanted_ms;
    if (rested_ms < REST_MS) {
        draw_again_in(frame, REST_MS - rested_ms);
        return;
    }
    stream_stop(&tail->stream);
    snprintf(tail->name, sizeof(tail->name), "%s", tail->wanted);
    start(tail, seat);
}

void tail_draw(struct tail *tail, struct frame *frame, struct area area)
{
    struct area inner = draw_inside(area);
    struct pen pen = {.y = area.y, .x = area.x + 1, .limit = area.x + area.width - 1};
    draw_border(frame, area, false);
    pen_text(frame, &pen, ROLE_STRONG, " Serial line ");
    if (tail->name[0] != '\0') {
        pen_print(frame, &pen, ROLE_TEXT, " %s ", tail->name);
    }
    inner.x++;
    inner.width -= 2;
    struct pager pager = {.is_following = true};
    pager_draw(&pager, &tail->stream.page, frame, inner);
}

void tail_done(struct tail *tail)
{
    stream_stop(&tail->stream);
    tail->name[0] = '\0';
    tail->wanted[0] = '\0';
}
