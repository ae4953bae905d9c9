/* SPDX-License-Identifier: MIT */
#include "engine/state_jobs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/memory.h"
#include "engine/command.h"
#include "engine/job.h"
#include "engine/job_file.h"
#include "engine/section.h"
#include "engine/state_internal.h"

/* Sentences about a job that are kept for whoever asks how it went. */
#define TOLD_MAX 16

static void jobs_changed(struct state *state)
{
    state->is_jobs_stale = true;
    state_changed(state);
}

/* A change of an internal job is nothing anybody can see. */
static void job_changed(struct state *state, const struct job *job)
{
    if (!job->is_internal) {
        jobs_changed(state);
    }
}

static struct job *find_id(const struct state *state, uint64_t id)
{
    for (size_t i = 0; i < state->job_count; i++) {
        if (state->jobs[i]->id == id) {
            return state->jobs[i];
        }
    }
    return NULL;
}

/* The live job that changes the object. */
static struct job *find_holder(const struct state *state, const char *object)
{
    for (size_t i = 0; i < state->job_count; i++) {
        struct job *job = state->jobs[i];
        if (!job_state_is_final(job->state) && strings_contain(&job->claims, object)) {
            return job;
        }
    }
    return NULL;
}

static uint64_t new_id(struct state *state)
{
    uint64_t base = (uint64_t)getpid() * STATE_JOB_STRIDE;
    uint64_t id;
    do {
        id = base + state->next_number;
        state->next_number = state->next_number % (STATE_JOB_STRIDE - 1) + 1;
    } while (find_id(state, id));
    return id;
}

/* One that does the same: the holder, or one that waits for the holder as this one would. */
static struct job *find_same(const struct state *state, struct job *holder, const struct job *job)
{
    if (strcmp(holder->line, job->line) == 0) {
        return holder;
    }
    for (size_t i = 0; i < state->job_count; i++) {
        struct job *other = state->jobs[i];
        if (other->is_late && !job_state_is_final(other->state) &&
            strcmp(other->line, job->line) == 0) {
            return other;
        }
    }
    return NULL;
}

static bool waits_for_end(const struct job *holder, const struct job *job)
{
    return (holder->verb->flags & VERB_ENDS) && !(job->verb->flags & VERB_ENDS);
}

bool state_job_add(struct state *state, struct job *job, const char *object, uint64_t *id,
    bool *is_joined, struct error *err)
{
    state_lock(state);
    struct job *holder = object && job->is_change ? find_holder(state, object) : NULL;
    struct job *same = holder ? find_same(state, holder, job) : NULL;
    job->is_late = holder && !same && waits_for_end(holder, job);
    if (holder && !job->is_late) {
        if (same) {
            *id = same->id;
            *is_joined = true;
        } else {
            error_set(err, ERROR_BUSY,
                "%s is busy with '%s' (job %" PRIu64 "): wait for it, or "
                "stop it with: job cancel %" PRIu64,
                object, holder->line, holder->id, holder->id);
        }
        state_unlock(state);
        return same;
    }
    job->id = new_id(state);
    job->object = memory_strdup(object);
    if (object && job->is_change && !job->is_late) {
        strings_add(&job->claims, object);
    }
    state->jobs = memory_grow(state->jobs, state->job_count + 1, sizeof(struct job *));
    state->jobs[state->job_count++] = job_hold(job);
    *id = job->id;
    *is_joined = false;
    job_changed(state, job);
    state_unlock(state);
    return true;
}

void state_job_put_ended(struct state *state, struct job *job)
{
    state_lock(state);
    job->id = new_id(state);
    state->jobs = memory_grow(state->jobs, state->job_count + 1, sizeof(struct job *));
    state->jobs[state->job_count++] = job;
    job_changed(state, job);
    state_unlock(state);
}

bool state_job_start(struct state *state, struct job *job)
{
    state_lock(state);
    bool is_queued = job->state == JOB_QUEUED;
    if (is_queued) {
        job->state = JOB_RUNNING;
        job->started_ms = clock_monotonic_ms();
        job->started_at = clock_wall();
        job_changed(state, job);
    }
    state_unlock(state);
    return is_queued;
}

uint32_t state_job_report(struct state *state, struct job *job, enum progress_phase phase,
    enum progress_unit unit, uint64_t done, uint64_t total)
{
    uint64_t now_ms = clock_monotonic_ms();
    state_lock(state);
    meter_report(&job->meter, phase, unit, done, total, now_ms);
    uint32_t permille = meter_permille(&job->meter);
    job_changed(state, job);
    state_unlock(state);
    return permille;
}

void state_job_note(struct state *state, struct job *job, const char *sentence)
{
    state_lock(state);
    snprintf(job->note, sizeof(job->note), "%s", sentence);
    if (sentence[0] != '\0' && !strings_contain(&job->told, sentence)) {
        if (job->told.count == TOLD_MAX) {
            free(job->told.items[0]);
            memmove(job->told.items, job->told.items + 1, TOLD_MAX * sizeof(char *));
            job->told.count--;
        }
        strings_add(&job->told, sentence);
    }
    job_changed(state, job);
    state_unlock(state);
}

void state_job_digest(
    struct state *state, struct job *job, const struct digest *expected, const struct digest *found)
{
    state_lock(state);
    job->has_expected = expected != NULL;
    job->has_found = found != NULL;
    if (expected) {
        job->expected = *expected;
    }
    if (found) {
        job->found = *found;
    }
    job_changed(state, job);
    state_unlock(state);
}

void state_job_push(struct state *state, struct job *job, const struct verb *verb)
{
    state_lock(state);
    meter_push(&job->meter, verb);
    state_unlock(state);
}

void state_job_pop(struct state *state, struct job *job, bool is_ok)
{
    state_lock(state);
    meter_pop(&job->meter, is_ok);
    job_changed(state, job);
    state_unlock(state);
}

/* Takes one out of the list; the list's hold on it goes to the caller. */
static struct job *remove_at(struct state *state, size_t index)
{
    struct job *job = state->jobs[index];
    state->job_count--;
    memmove(&state->jobs[index], &state->jobs[index + 1],
        (state->job_count - index) * sizeof(struct job *));
    return job;
}

static struct job *remove_job(struct state *state, const struct job *job)
{
    for (size_t i = 0; i < state->job_count; i++) {
        if (state->jobs[i] == job) {
            return remove_at(state, i);
        }
    }
    return NULL;
}

/* Keeps the number of ended jobs bounded. The job taken out, or NULL. */
static struct job *remove_surplus(struct state *state)
{
    size_t ended = 0, oldest = SIZE_MAX, oldest_quiet = SIZE_MAX;
    for (size_t i = 0; i < state->job_count; i++) {
        const struct job *job = state->jobs[i];
        if (!job_state_is_final(job->state)) {
            continue;
        }
        ended++;
        oldest = oldest == SIZE_MAX ? i : oldest;
        oldest_quiet = oldest_quiet == SIZE_MAX && job->is_quiet ? i : oldest_quiet;
    }
    if (ended <= STATE_JOBS_KEPT) {
        return NULL;
    }
    return remove_at(state, oldest_quiet != SIZE_MAX ? oldest_quiet : oldest);
}

/* What every end has in common. Locked. The job that leaves the list for it, or NULL. */
static struct job *end_job(struct state *state, struct job *job, enum job_state final)
{
    job->state = final;
    job->ended_ms = clock_monotonic_ms();
    job->finished_at = clock_wall();
    job->note[0] = '\0';
    meter_finish(&job->meter, final == JOB_OK);
    if (job->done_fd >= 0) {
        uint64_t one = 1;
        ssize_t ignored = write(job->done_fd, &one, sizeof(one));
        (void)ignored;
    }
    job_changed(state, job);
    return job->is_internal ? remove_job(state, job) : remove_surplus(state);
}

void state_job_finish(struct state *state, struct job *job, char *result, const struct error *err)
{
    enum job_state final = JOB_OK;
    if (err) {
        final = err->code == ERROR_CANCELLED ? JOB_CANCELLED : JOB_FAILED;
    }
    state_lock(state);
    job->result = result;
    if (err) {
        job->error = *err;
    }
    struct job *removed = end_job(state, job, final);
    state_unlock(state);
    job_release(removed);
}

bool state_job_claim(struct state *state, struct job *job, const char *object, struct job **holder)
{
    state_lock(state);
    struct job *other = find_holder(state, object);
    bool is_free = !other || other == job;
    if (!other) {
        strings_add(&job->claims, object);
        job->object = job->object ? job->object : memory_strdup(object);
        job_changed(state, job);
    } else if (!is_free && holder) {
        *holder = job_hold(other);
    }
    state_unlock(state);
    return is_free;
}

bool state_job_has_claim(struct state *state, const struct job *job, const char *object)
{
    state_lock(state);
    bool has_claim = strings_contain(&job->claims, object);
    state_unlock(state);
    return has_claim;
}

void state_job_unclaim(struct state *state, struct job *job, const char *object)
{
    state_lock(state);
    struct strings kept = {0};
    for (size_t i = 0; i < job->claims.count; i++) {
        if (strcmp(job->claims.items[i], object) != 0) {
            strings_add(&kept, job->claims.items[i]);
        }
    }
    strings_done(&job->claims);
    job->claims = kept;
    state_unlock(state);
}

/* Locked. */
static int end_fd(struct job *job)
{
    if (job->done_fd < 0) {
        job->done_fd = eventfd(job_state_is_final(job->state), EFD_CLOEXEC | EFD_NONBLOCK);
    }
    return job->done_fd;
}

int state_job_end_fd(struct state *state, uint64_t id)
{
    state_lock(state);
    struct job *job = find_id(state, id);
    int fd = job ? end_fd(job) : -1;
    state_unlock(state);
    return fd;
}

int state_job_wait_begin(struct state *state, struct job *job, struct job *other, struct error *err)
{
    int fd = -1;
    state_lock(state);
    const struct job *chain = other;
    while (chain && chain != job) {
        chain = chain->waits_for;
    }
    if (chain) {
        error_set(err, ERROR_BUSY, "'%s' and '%s' wait for each other", job->line, other->line);
    } else {
        fd = end_fd(other);
        if (fd < 0) {
            error_set_errno(err, errno, "cannot wait for job %" PRIu64, other->id);
        } else {
            job->waits_for = other;
        }
    }
    state_unlock(state);
    return fd;
}

void state_job_wait_end(struct state *state, struct job *job)
{
    state_lock(state);
    job->waits_for = NULL;
    state_unlock(state);
}

bool state_job_outcome(struct state *state, const struct job *job, char **result, struct error *err)
{
    state_lock(state);
    bool is_ok = job->state == JOB_OK;
    *result = is_ok ? memory_strdup(job->result) : NULL;
    if (!is_ok) {
        *err = job->error;
    }
    state_unlock(state);
    return is_ok;
}

bool state_job_is_live(struct state *state, const struct job *job)
{
    state_lock(state);
    bool is_live = !job_state_is_final(job->state);
    state_unlock(state);
    return is_live;
}

static struct job *cancel_job(struct state *state, struct job *job)
{
    cancel_request(job->cancel);
    if (job->state != JOB_QUEUED) {
        return NULL;
    }
    error_set(&job->error, ERROR_CANCELLED, "%s was cancelled before it began", job->title);
    return end_job(state, job, JOB_CANCELLED);
}

bool state_job_cancel(struct state *state, uint64_t id)
{
    struct job *removed = NULL;
    state_lock(state);
    struct job *job = find_id(state, id);
    bool is_live = job && !job_state_is_final(job->state);
    if (is_live) {
        removed = cancel_job(state, job);
    }
    state_unlock(state);
    job_release(removed);
    return is_live;
}

void state_job_cancel_all(struct state *state)
{
    bool is_more = true;
    while (is_more) {
        struct job *removed = NULL;
        is_more = false;
        state_lock(state);
        for (size_t i = 0; i < state->job_count && !removed; i++) {
            struct job *job = state->jobs[i];
            if (!job_state_is_final(job->state) && !cancel_is_requested(job->cancel)) {
                removed = cancel_job(state, job);
                is_more = true;
            }
        }
        state_unlock(state);
        job_release(removed);
    }
}

void state_job_leave(struct state *state, struct job *job)
{
    state_lock(state);
    job->is_left = true;
    state_unlock(state);
}

void state_job_forget(struct state *state, uint64_t id)
{
    struct job *removed = NULL;
    state_lock(state);
    struct job *job = find_id(state, id);
    if (job && job_state_is_final(job->state)) {
        removed = remove_job(state, job);
        job_changed(state, job);
    }
    state_unlock(state);
    job_release(removed);
}

struct job *state_job_find(struct state *state, uint64_t id)
{
    state_lock(state);
    struct job *job = find_id(state, id);
    if (job) {
        job_hold(job);
    }
    state_unlock(state);
    return job;
}

void state_put_foreign_jobs(struct state *state, struct section *files)
{
    state_lock(state);
    struct section *old = state->foreign;
    bool had_some = old && section_count(old);
    state->foreign = files;
    if (had_some || section_count(files)) {
        jobs_changed(state);
    }
    state_unlock(state);
    section_release(old);
}

bool state_job_is_foreign(struct state *state, uint64_t id)
{
    state_lock(state);
    const struct job_file *files = state->foreign ? section_items(state->foreign) : NULL;
    size_t count = state->foreign ? section_count(state->foreign) : 0;
    bool is_foreign = false;
    for (size_t i = 0; i < count; i++) {
        is_foreign |= files[i].id == id && files[i].process.pid != getpid();
    }
    state_unlock(state);
    return is_foreign;
}
