/* SPDX-License-Identifier: MIT */
#pragma once

/* The one thing that threads share. Included by state.c, state_jobs.c, state_order.c and
 * state_snapshot.c only. */

#include "engine/state.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct job;
struct section;
struct snapshot_block;
struct text;

enum part {
    PART_OFFERS,
    PART_KERNELS,
    PART_IMAGES,
    PART_VMS,
    PART_JOBS,
    PART_LOG,
    PART_HOST,
    PART_COUNT,
};

/* One line of the log, until it is in a section. */
struct log_line {
    int64_t at;
    enum log_level level;
    bool is_news;
    uint64_t number;
    char *text;
};

#define STATE_LOG_KEPT 400

struct state {
    pthread_mutex_t mutex;
    int bell; /* eventfd */
    bool is_ringing;

    uint64_t revision;
    bool is_reconciled;
    struct section *parts[PART_COUNT];

    struct job **jobs; /* in order of submission; each held */
    size_t job_count;
    uint64_t next_number;
    struct section *foreign; /* of struct job_file; NULL for none */

    struct log_line log[STATE_LOG_KEPT]; /* a ring */
    size_t log_start, log_count;
    uint64_t log_number; /* of the newest line */

    bool is_jobs_stale, is_log_stale;
    uint64_t jobs_built_ms, looked_ms;
    struct snapshot_block *current; /* newest snapshot made, held; NULL before the first */
};

void state_lock(struct state *state);
void state_unlock(struct state *state);
/* Something changed: bumps the revision and rings. Locked. */
void state_changed(struct state *state);

/* state_order.c, locked: what queued jobs wait for, asked about all jobs in the order of the list. */
struct queue_lane {
    size_t count;   /* that wait in all */
    size_t running; /* that they wait for */
    size_t place;
    const struct job *before;
};
struct queue_walk {
    struct queue_lane lanes[3];
};
void state_queue_begin(const struct state *state, struct queue_walk *walk);
/* Its place, from 1; 0 for one that does not wait, or is nothing to be told. */
size_t state_queue_next(struct queue_walk *walk, const struct job *job, struct text *waits_for);

/* state_snapshot.c; both locked. A new section from the records. */
struct section *state_build_jobs(struct state *state, uint64_t now_ms);
struct section *state_build_log(const struct state *state);
