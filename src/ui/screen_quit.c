/* SPDX-License-Identifier: MIT */
/* Quitting with work under way. */
#include "ui/screens.h"

#include "base/error.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/snapshot.h"
#include "ui/choice.h"
#include "ui/seat.h"

static void leave_running(struct screen *screen, struct seat *seat)
{
    (void)screen;
    struct error err = {0};
    if (!seat_leave_transfers(seat, &err)) {
        seat_say(seat, ROLE_BAD, "%s", err.text);
        return; /* rather stay than lose what should have gone on */
    }
    seat_leave(seat, 0);
}

static void cancel_and_leave(struct screen *screen, struct seat *seat)
{
    (void)screen;
    for (size_t i = 0; i < seat->snapshot->jobs_count; i++) {
        const struct job_item *job = &seat->snapshot->jobs[i];
        if (seat_is_own_work(job)) {
            engine_cancel(seat->engine, job->id);
        }
    }
    seat_leave(seat, 0);
}

struct screen *quit_screen_new(struct seat *seat)
{
    struct choice_screen *choice = choice_new(seat, "Quit?", ROLE_ATTENTION);
    text_append(&choice->question, "Under way: ");
    seat_name_work(seat, 0, &choice->question);
    text_append(&choice->question, ". Pulls can go on without this screen; other work is stopped "
                                   "and leaves nothing half-made. Machines keep running.");
    choice_add(choice, 's', "Stay", NULL);
    choice_add(choice, 'l', "Leave running", leave_running);
    choice_add(choice, 'c', "Cancel and quit", cancel_and_leave);
    return &choice->screen;
}
