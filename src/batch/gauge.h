/* SPDX-License-Identifier: MIT */
#pragma once

/* Progress of the jobs of one request, read from snapshots and written to a descriptor of the
 * caller's choice: nothing, a line that rewrites itself on a terminal, plain lines, or one JSON
 * object per line (FORMATS, "Batch mode"; schema 1). With jsonl each job gets at most a few lines a
 * second and then exactly one with its result. A reader that went away silences the gauge and
 * disturbs nothing else. Main thread. */

#include "batch/options.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct job_item;
struct gauge_job;

struct gauge {
    enum progress_mode mode; /* never auto */
    bool is_live;            /* plain, on a terminal: one line that rewrites itself */
    bool is_utf8;
    int fd;
    size_t shown_width; /* cells of the live line that is on screen */
    uint64_t drawn_ms;
    size_t job_count;
    struct gauge_job *jobs;
};

/* ERROR_INVALID when the descriptor is not open for writing. `term` is $TERM or NULL. */
bool gauge_init(struct gauge *gauge, const struct options *options, const char *term, bool is_utf8,
    struct error *err);
void gauge_done(struct gauge *gauge);
/* Shows what is new about one job. */
void gauge_update(struct gauge *gauge, const struct job_item *job);
/* A command that never became a job. */
void gauge_refused(struct gauge *gauge, const char *object, const struct error *error);
/* Takes the live line off the screen, before anything else is written there. */
void gauge_clear(struct gauge *gauge);
