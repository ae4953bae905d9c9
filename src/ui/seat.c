/* SPDX-License-Identifier: MIT */
#include "ui/seat.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/snapshot.h"
#include "ui/app.h"
#include "ui/format.h"
#include "ui/screen.h"

#define NAMED_MAX 8 /* of what is under way */

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

static void __attribute__((format(printf, 3, 0)))
show(struct seat *seat, enum role role, const char *format, va_list args)
{
    vsnprintf(seat->toast, sizeof(seat->toast), format, args);
    seat->toast_role = role;
}

void seat_say(struct seat *seat, enum role role, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    show(seat, role, format, args);
    va_end(args);
    engine_log(seat->engine, seat->toast);
}

/* What the engine has in its messages already is not told to them again. */
static void __attribute__((format(printf, 3, 4)))
say_again(struct seat *seat, enum role role, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    show(seat, role, format, args);
    va_end(args);
}

/* A command of this seat that failed can be mended from now on (REQUEST_EDIT). */
static void remember_failure(struct seat *seat, const char *line, const struct error *why)
{
    free(seat->failed_line);
    seat->failed_line = memory_strdup(line);
    seat->failure = *why;
}

uint64_t seat_submit(struct seat *seat, struct command *command)
{
    struct error err = {0};
    uint64_t id = 0;
    auto_done(text) struct text line = {0};
    bool is_change = (command_verb(command)->flags & VERB_READS) == 0;
    command_line(command, &line);
    if (!engine_submit(seat->engine, command, &id, &err)) {
        seat_say(seat, ROLE_BAD, "%s", err.text);
        if (is_change) {
            remember_failure(seat, text_cstr(&line), &err);
        }
        return 0;
    }
    for (size_t i = 0; i < seat->job_count; i++) {
        if (seat->jobs[i].id == id) {
            return id; /* joined one of our own */
        }
    }
    seat->jobs = memory_grow(seat->jobs, seat->job_count + 1, sizeof(*seat->jobs));
    seat->jobs[seat->job_count++] = (struct seat_job){.id = id, .act = seat->act};
    return id;
}

void seat_abandon(struct seat *seat, uint64_t id)
{
    engine_cancel(seat->engine, id);
    for (size_t i = 0; i < seat->job_count; i++) {
        if (seat->jobs[i].id == id) {
            seat->jobs[i].is_abandoned = true;
            return;
        }
    }
    engine_forget(seat->engine, id); /* unless it still has to end */
    seat->jobs = memory_grow(seat->jobs, seat->job_count + 1, sizeof(*seat->jobs));
    seat->jobs[seat->job_count++] = (struct seat_job){.id = id, .is_abandoned = true};
}

/* True: it has ended, and what was to be done about that is done. */
static bool meet_end(struct seat *seat, const struct seat_job *watched)
{
    const struct job_item *job = snapshot_find_job(seat->snapshot, watched->id);
    if (job != NULL && !job_state_is_final(job->state)) {
        return false;
    }
    if (job != NULL && (job->verb->flags & VERB_CONTROLS) != 0) {
        if (job->state == JOB_FAILED) {
            seat_say(seat, ROLE_BAD, "%s", job->error.text);
        }
        engine_forget(seat->engine, watched->id);
    } else if (watched->is_abandoned) {
        engine_forget(seat->engine, watched->id);
    } else if (job != NULL && job->state == JOB_FAILED && !job->is_quiet) {
        auto_done(text) struct text title = {0};
        format_job_title(&title, job, seat->snapshot);
        say_again(seat, ROLE_BAD, "%s: %s", text_cstr(&title), job->error.text);
        remember_failure(seat, job->line, &job->error);
    } else if (job != NULL && job->state == JOB_OK) {
        undo_remember(seat, job, watched->act);
    }
    return true;
}

void seat_meet_ends(struct seat *seat)
{
    size_t kept = 0;
    for (size_t i = 0; i < seat->job_count; i++) {
        struct seat_job watched = seat->jobs[i];
        if (!meet_end(seat, &watched)) {
            seat->jobs[kept++] = watched;
        }
    }
    seat->job_count = kept;
}

void seat_meet_news(struct seat *seat)
{
    const struct snapshot *snapshot = seat->snapshot;
    for (size_t i = 0; i < snapshot->log_count && seat->toast[0] == '\0'; i++) {
        const struct log_item *item = &snapshot->log[i];
        if (item->number > seat->news_seen) {
            seat->news_seen = item->number;
            seat->toast_role = item->level == LOG_ERROR ? ROLE_BAD : ROLE_ATTENTION;
            snprintf(seat->toast, sizeof(seat->toast), "%s", item->is_news ? item->text : "");
        }
    }
}

void seat_skip_news(struct seat *seat)
{
    const struct snapshot *snapshot = seat->snapshot;
    if (snapshot->log_count > 0) {
        seat->news_seen = snapshot->log[snapshot->log_count - 1].number;
    }
}

bool seat_may_change(const struct seat *seat)
{
    return !seat->options->is_readonly && !seat->snapshot->host.is_readonly;
}

bool seat_is_own_work(const struct job_item *job)
{
    return format_job_is_active(job) && !job->is_quiet && !job->is_foreign;
}

size_t seat_name_work(const struct seat *seat, unsigned flags, struct text *out)
{
    size_t count = 0;
    for (size_t i = 0; i < seat->snapshot->jobs_count; i++) {
        const struct job_item *job = &seat->snapshot->jobs[i];
        if (!seat_is_own_work(job) || (job->verb->flags & flags) != flags) {
            continue;
        }
        if (count < NAMED_MAX) {
            text_append(out, count > 0 ? ", " : "");
            format_job_title(out, job, seat->snapshot);
        }
        count++;
    }
    if (count > NAMED_MAX) {
        text_printf(out, " and %zu more", count - NAMED_MAX);
    }
    return count;
}

bool seat_leave_transfers(struct seat *seat, struct error *err)
{
    struct text *words = &seat->left_running;
    text_clear(words);
    if (!engine_leave_running(seat->engine, err)) {
        return false;
    }
    size_t count = seat_name_work(seat, VERB_TRANSFERS, words);
    text_append(words, count == 0 ? "" : count == 1 ? " goes" : " go");
    return true;
}

void seat_leave(struct seat *seat, int exit_status)
{
    seat->is_leaving = true;
    seat->exit_status = exit_status;
}
