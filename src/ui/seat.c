/* SPDX-License-Identifier: MIT */
#include "ui/seat.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/error.h"
#include "base/memory.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/snapshot.h"
#include "ui/app.h"
#include "ui/screen.h"

void seat_open(struct seat *seat, struct screen *screen)
{
    screen->below = seat->top;
    seat->top = screen;
    if (screen->ops->update != NULL) {
        screen->ops->update(screen, seat);
    }
}

void seat_close(struct seat *seat, struct screen *screen)
{
    (void)seat;
    screen->is_closed = true;
}

void seat_say(struct seat *seat, enum role role, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(seat->toast, sizeof(seat->toast), format, args);
    va_end(args);
    seat->toast_role = role;
    engine_log(seat->engine, seat->toast);
}

uint64_t seat_submit(struct seat *seat, struct command *command)
{
    struct error err = {0};
    uint64_t id = 0;
    if (!engine_submit(seat->engine, command, &id, &err)) {
        seat_say(seat, ROLE_BAD, "%s", err.text);
        return 0;
    }
    return id;
}

void seat_abandon(struct seat *seat, uint64_t id)
{
    engine_cancel(seat->engine, id);
    seat->abandoned =
        memory_grow(seat->abandoned, seat->abandoned_count + 1, sizeof(*seat->abandoned));
    seat->abandoned[seat->abandoned_count++] = id;
}

static bool is_under_way(const struct snapshot *snapshot, uint64_t id)
{
    for (size_t i = 0; i < snapshot->jobs_count; i++) {
        if (snapshot->jobs[i].id == id) {
            return !job_state_is_final(snapshot->jobs[i].state);
        }
    }
    return false;
}

void seat_forget_abandoned(struct seat *seat)
{
    size_t kept = 0;
    for (size_t i = 0; i < seat->abandoned_count; i++) {
        uint64_t id = seat->abandoned[i];
        if (is_under_way(seat->snapshot, id)) {
            seat->abandoned[kept++] = id;
        } else {
            engine_forget(seat->engine, id);
        }
    }
    seat->abandoned_count = kept;
}

bool seat_may_change(const struct seat *seat)
{
    return !seat->options->is_readonly && !seat->snapshot->host.is_readonly;
}

void seat_leave(struct seat *seat, int exit_status)
{
    seat->is_leaving = true;
    seat->exit_status = exit_status;
}
