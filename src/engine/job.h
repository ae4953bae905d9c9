/* SPDX-License-Identifier: MIT */
#pragma once

/* One command on its way: from engine_submit until the front end forgets it. What is named as
 * fixed never changes after job_new; everything else is guarded by the state's mutex and is touched
 * by state_jobs.c and state_snapshot.c alone. Reference-counted: the state's list, the worker that
 * runs it, whoever waits for it and snapshots each hold it. */

#include "base/digest.h"
#include "base/error.h"
#include "base/progress.h"
#include "base/text.h"
#include "engine/meter.h"
#include "engine/snapshot.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cancel;
struct command;
struct engine;
struct verb;

enum job_lane { JOB_LANE_LOCAL, JOB_LANE_TRANSFER, JOB_LANE_OWN };

struct job {
    atomic_uint holders;

    /* Fixed. */
    struct engine *engine; /* only while it runs */
    const struct verb *verb;
    enum job_lane lane;
    char *title;
    char *line;
    struct strings words; /* the same, not quoted */
    struct cancel *cancel;
    bool is_late;     /* has its object still to reserve: VERB_ENDS; fixed by state_job_add */
    bool is_change;   /* reserves objects, has a file in jobs/, joins its like */
    bool is_quiet;    /* not for the jobs pane */
    bool is_internal; /* housekeeping: in no snapshot, forgotten at its end */

    /* Only for the thread that runs it. */
    struct command *command;
    uint64_t file_ms;   /* when its file was written last */
    uint64_t file_done; /* and how far it was then */
    uint64_t file_rate; /* units a second since, smoothed */
    enum progress_phase file_phase;
    enum progress_unit file_unit;
    uint64_t file_total;
    char file_note[256];
    uint32_t file_permille;
    bool has_file_total; /* some writing had one */
    bool has_file_expected;
    struct digest file_expected;

    /* Guarded. */
    uint64_t id; /* fixed from state_job_add on */
    enum job_state state;
    char *object;          /* what it is shown with; set once; NULL before */
    struct strings claims; /* objects it has reserved; only its own thread changes them */
    struct job *waits_for; /* in ops_call and ops_claim_first */
    struct meter meter;
    uint64_t started_ms, ended_ms; /* monotonic */
    int64_t started_at, finished_at;
    char note[256];
    struct strings told; /* what was noted so far, each once, the newest last; bounded */
    bool is_left;        /* another process goes on with it */
    bool has_expected, has_found;
    struct digest expected, found;
    char *result; /* JSON; set once */
    struct error error;
    int done_fd; /* eventfd for those who wait; -1 until somebody does */
};

/* Takes the command over. */
struct job *job_new(struct command *command);
/* One of an earlier run, that has ended: it is only there to be looked at. */
struct job *job_new_ended(
    const struct verb *verb, const char *title, const char *line, enum job_state ended);
struct job *job_hold(struct job *job);
/* NULL is accepted. */
void job_release(struct job *job);
void job_auto_release(struct job **job);
#define auto_job __attribute__((cleanup(job_auto_release)))

/* Carries it out from start to finish in the calling thread, then lets go of it. A job that was
 * cancelled before is let go of at once. */
void job_run(struct job *job);
