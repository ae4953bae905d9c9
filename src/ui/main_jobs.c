/* SPDX-License-Identifier: MIT */
/* What the keys of the jobs pane do to the job under the cursor. */
#include "ui/main_screen.h"

#include <inttypes.h>

#include "base/error.h"
#include "base/memory.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/snapshot.h"
#include "ui/actions.h"
#include "ui/line.h"
#include "ui/seat.h"

/* The same again, as its line says. */
static void retry(struct seat *seat, const struct job_item *job)
{
    struct error err = {0};
    struct command *command = line_parse(job->line, &err);
    if (command == NULL) {
        seat_say(seat, ROLE_BAD, "%s", err.text);
        return;
    }
    engine_forget(seat->engine, job->id);
    action_begin_command(seat, command);
}

static struct command *command_on(const char *verb, const struct job_item *job)
{
    struct error never = {0};
    auto_free char *id = memory_printf("%" PRIu64, job->id);
    struct command *command = command_new(verb_find("job", verb));
    command_set(command, "id", id, &never);
    return command;
}

/* By the same command that a script gives, also for a job of another seat. */
static void move_job(struct seat *seat, const struct job_item *job, enum request request)
{
    const char *place = request == REQUEST_HURRY    ? "first"
                        : request == REQUEST_SOONER ? "up"
                                                    : "down";
    bool is_later = request == REQUEST_LATER;
    if (job->place > 0 && job->place == (is_later ? job->places : 1)) {
        seat_say(seat, ROLE_ATTENTION, "%s is the %s of its kind already.", job->title,
            is_later ? "last one" : "next one");
        return;
    }
    struct error never = {0};
    struct command *command = command_on("move", job);
    command_set(command, place, NULL, &never);
    seat_submit(seat, command);
}

/* One of another seat by the command that a script gives, which is told there and written down. */
static void cancel_job(struct seat *seat, const struct job_item *job)
{
    if (job->is_foreign) {
        seat_submit(seat, command_on("cancel", job));
    } else {
        engine_cancel(seat->engine, job->id);
    }
}

bool main_job_request(struct seat *seat, const struct job_item *job, enum request request)
{
    switch ((int)request) {
    case REQUEST_CANCEL:
        cancel_job(seat, job);
        return true;
    case REQUEST_HURRY:
    case REQUEST_SOONER:
    case REQUEST_LATER:
        move_job(seat, job, request);
        return true;
    case REQUEST_RETRY:
        retry(seat, job);
        return true;
    case REQUEST_DISMISS:
        engine_forget(seat->engine, job->id);
        return true;
    default:
        return false;
    }
}
