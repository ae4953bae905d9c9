/* SPDX-License-Identifier: MIT */
/* The order in which queued jobs are shown, which is the one in which they will begin, and what each
 * of them waits for. */
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "engine/job.h"
#include "engine/job_file.h"
#include "engine/section.h"
#include "engine/snapshot.h"
#include "engine/state_internal.h"
#include "engine/state_jobs.h"

/* ---- moving ---- */

static bool is_beside(const struct job *job, const struct job *other)
{
    return other != job && other->state == JOB_QUEUED && other->lane == job->lane;
}

static size_t index_of(const struct state *state, const struct job *job)
{
    size_t index = 0;
    while (index < state->job_count && state->jobs[index] != job) {
        index++;
    }
    return index;
}

/* Where in the list it belongs: the place of a queued one of its lane that it moves past. `from`
 * when there is none. Locked. */
static size_t place_to_go(const struct state *state, const struct job *job, size_t from,
    enum engine_move move, const struct job *before)
{
    size_t first = from, last = from, sooner = from, later = from;
    for (size_t i = 0; i < state->job_count; i++) {
        if (!is_beside(job, state->jobs[i])) {
            continue;
        }
        first = i < from && first == from ? i : first;
        sooner = i < from ? i : sooner;
        later = i > from && later == from ? i : later;
        last = i > from ? i : last;
    }
    switch (move) {
    case ENGINE_MOVE_FIRST:
        return first;
    case ENGINE_MOVE_SOONER:
        return sooner;
    case ENGINE_MOVE_LATER:
        return later;
    case ENGINE_MOVE_LAST:
        return last;
    case ENGINE_MOVE_BEFORE:
        break;
    }
    size_t other = index_of(state, before);
    return other > from ? other - 1 : other;
}

void state_job_move(
    struct state *state, struct job *job, enum engine_move move, const struct job *before)
{
    state_lock(state);
    size_t from = index_of(state, job);
    bool is_there = from < state->job_count &&
                    (move != ENGINE_MOVE_BEFORE || index_of(state, before) < state->job_count);
    size_t to = is_there ? place_to_go(state, job, from, move, before) : from;
    if (to < from) {
        memmove(&state->jobs[to + 1], &state->jobs[to], (from - to) * sizeof(struct job *));
    } else if (to > from) {
        memmove(&state->jobs[from], &state->jobs[from + 1], (to - from) * sizeof(struct job *));
    }
    if (to != from) {
        state->jobs[to] = job;
        state->is_jobs_stale = true;
        state_changed(state);
    }
    state_unlock(state);
}

bool state_job_is_queued(struct state *state, const struct job *job)
{
    state_lock(state);
    bool is_queued = job->state == JOB_QUEUED;
    state_unlock(state);
    return is_queued;
}

struct job **state_live_transfers(struct state *state, size_t *count)
{
    static const enum job_state states[] = {JOB_RUNNING, JOB_QUEUED};
    state_lock(state);
    struct job **jobs = memory_zero(state->job_count + 1, sizeof(*jobs));
    *count = 0;
    for (size_t i = 0; i < array_length(states); i++) {
        for (size_t j = 0; j < state->job_count; j++) {
            struct job *job = state->jobs[j];
            bool is_transfer = job->lane == JOB_LANE_TRANSFER && job->is_change;
            if (is_transfer && job->state == states[i]) {
                jobs[(*count)++] = job_hold(job);
            }
        }
    }
    state_unlock(state);
    return jobs;
}

/* ---- telling ---- */

static bool is_in_queue(const struct job *job)
{
    return job->state == JOB_QUEUED && job->lane != JOB_LANE_OWN && job->is_change;
}

void state_queue_begin(const struct state *state, struct queue_walk *walk)
{
    *walk = (struct queue_walk){0};
    for (size_t i = 0; i < state->job_count; i++) {
        const struct job *job = state->jobs[i];
        struct queue_lane *lane = &walk->lanes[job->lane];
        lane->count += is_in_queue(job);
        if (job->state == JOB_RUNNING && !job->is_internal) {
            lane->running++;
            lane->before = lane->before != NULL ? lane->before : job;
        }
    }
}

size_t state_queue_next(struct queue_walk *walk, const struct job *job, struct text *waits_for)
{
    struct queue_lane *lane = &walk->lanes[job->lane];
    if (!is_in_queue(job)) {
        return 0;
    }
    if (lane->before != NULL) {
        text_append(waits_for, lane->before->line);
    }
    if (lane->place == 0 && lane->running > 1) {
        text_printf(waits_for, ", or %zu other%s", lane->running - 1, lane->running > 2 ? "s" : "");
    }
    lane->before = job;
    return ++lane->place;
}

/* "transfer" or "local". */
static const char *queue_name(const struct job *job)
{
    return job->lane == JOB_LANE_TRANSFER ? "transfer" : "local";
}

struct section *state_queued_jobs(struct state *state)
{
    struct section *section = section_new(sizeof(struct job_file));
    struct queue_walk walk;
    state_lock(state);
    state_queue_begin(state, &walk);
    for (size_t i = 0; i < state->job_count; i++) {
        const struct job *job = state->jobs[i];
        auto_done(text) struct text waits_for = {0};
        size_t place = state_queue_next(&walk, job, &waits_for);
        if (place > 0) {
            *(struct job_file *)section_add(section) = (struct job_file){
                .id = job->id,
                .command = section_string(section, job->line),
                .object = section_string(section, job->object),
                .place = place,
                .places = walk.lanes[job->lane].count,
                .queue = queue_name(job),
                .waits_for = section_string(section, text_cstr(&waits_for)),
            };
        }
    }
    state_unlock(state);
    return section;
}
