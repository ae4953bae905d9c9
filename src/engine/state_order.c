/* SPDX-License-Identifier: MIT */
/* The order in which queued jobs are shown, which is the one in which they will begin. */
#include <string.h>

#include "engine/job.h"
#include "engine/snapshot.h"
#include "engine/state_internal.h"
#include "engine/state_jobs.h"

/* Where in the list it belongs: the place of a queued one of its lane that it moves past. `from`
 * when there is none. Locked. */
static size_t place_to_go(
    const struct state *state, const struct job *job, size_t from, enum engine_move move)
{
    size_t place = from;
    for (size_t i = 0; i < state->job_count; i++) {
        const struct job *other = state->jobs[i];
        if (other == job || other->state != JOB_QUEUED || other->lane != job->lane) {
            continue;
        }
        bool is_first = place == from;
        if ((move == ENGINE_MOVE_FIRST && i < from && is_first) ||
            (move == ENGINE_MOVE_SOONER && i < from) ||
            (move == ENGINE_MOVE_LATER && i > from && is_first)) {
            place = i;
        }
    }
    return place;
}

void state_job_move(struct state *state, struct job *job, enum engine_move move)
{
    state_lock(state);
    size_t from = 0;
    while (from < state->job_count && state->jobs[from] != job) {
        from++;
    }
    size_t to = from < state->job_count ? place_to_go(state, job, from, move) : from;
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
