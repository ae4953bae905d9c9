/* SPDX-License-Identifier: MIT */
#pragma once

/* The job records, behind the state's one mutex. Each function takes it for a short time. Workers,
 * the watcher and the front end's thread. */

#include "base/progress.h"
#include "engine/move.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct digest;
struct error;
struct job;
struct section;
struct state;
struct verb;

/* Ended jobs that are kept; beyond that the oldest goes, quiet ones first. */
#define STATE_JOBS_KEPT 500
/* Identities are pid * STATE_JOB_STRIDE + n, so that those of all live processes differ. */
#define STATE_JOB_STRIDE 10000

/* Puts a job into the list, holding it, and reserves its object. *id is the job's, or that of the
 * job it joins, which already does the same; then *is_joined is true and the job is not in the
 * list. When its object is reserved by another one whose end is to be waited for (VERB_ENDS) the job
 * is put into the list without it (is_late); else that is ERROR_BUSY. */
bool state_job_add(struct state *state, struct job *job, const char *object, uint64_t *id,
    bool *is_joined, struct error *err);
/* False when it was cancelled before. */
bool state_job_start(struct state *state, struct job *job);
/* How much of the whole job is done by now, in thousandths. */
uint32_t state_job_report(struct state *state, struct job *job, enum progress_phase phase,
    enum progress_unit unit, uint64_t done, uint64_t total);
void state_job_note(struct state *state, struct job *job, const char *sentence);
void state_job_digest(struct state *state, struct job *job, const struct digest *expected,
    const struct digest *found);
/* A part with steps of its own begins and ends. */
void state_job_push(struct state *state, struct job *job, const struct verb *verb);
void state_job_pop(struct state *state, struct job *job, bool is_ok);
/* The end: takes result over (NULL for none). err NULL: it went well. Lets go of what it reserved
 * and wakes those who wait. */
void state_job_finish(struct state *state, struct job *job, char *result, const struct error *err);

/* Reserves one more object for a job. When another job has it, false; *holder is then that job,
 * held for the caller, unless holder is NULL. */
bool state_job_claim(struct state *state, struct job *job, const char *object, struct job **holder);
bool state_job_has_claim(struct state *state, const struct job *job, const char *object);
/* Objects it did not reserve are ignored. */
void state_job_unclaim(struct state *state, struct job *job, const char *object);
/* Descriptor that is readable once `other` has ended; borrowed from it. Records that job waits for
 * it; -1 with err when that would be a circle. */
int state_job_wait_begin(
    struct state *state, struct job *job, struct job *other, struct error *err);
void state_job_wait_end(struct state *state, struct job *job);
/* How an ended job ended: true when well. *result is a copy, NULL for none; caller frees. */
bool state_job_outcome(
    struct state *state, const struct job *job, char **result, struct error *err);

/* Readable once the job has ended, until it is forgotten; borrowed from it. -1 when there is none. */
int state_job_end_fd(struct state *state, uint64_t id);
bool state_job_is_live(struct state *state, const struct job *job);
/* Asks to stop: a queued one ends at once. False when there is no such job or it has ended. */
bool state_job_cancel(struct state *state, uint64_t id);
void state_job_cancel_all(struct state *state);
/* Takes over one of an earlier run. */
void state_job_put_ended(struct state *state, struct job *job);
/* Another process goes on with it. */
void state_job_leave(struct state *state, struct job *job);
/* Moves a queued one among the others of its lane; before is the one of ENGINE_MOVE_BEFORE. */
void state_job_move(
    struct state *state, struct job *job, enum engine_move move, const struct job *before);
/* The transfers that change something, those that run before those that wait, which are in the order
 * they will begin; each is held for the caller, who frees the array too. */
struct job **state_live_transfers(struct state *state, size_t *count);
bool state_job_is_queued(struct state *state, const struct job *job);
/* The changes that wait, in the order they will begin, as a section of struct job_file, without what
 * is the same for all of this process. */
struct section *state_queued_jobs(struct state *state);
/* Drops an ended one. */
void state_job_forget(struct state *state, uint64_t id);
/* The job, held for the caller; NULL when there is none. */
struct job *state_job_find(struct state *state, uint64_t id);
/* Jobs of other processes, as a section of struct job_file; takes it over. */
void state_put_foreign_jobs(struct state *state, struct section *files);
bool state_job_is_foreign(struct state *state, uint64_t id);
