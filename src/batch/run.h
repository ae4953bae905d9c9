/* SPDX-License-Identifier: MIT */
#pragma once

/* One request on its way through the engine: its jobs from submission to the end, watched beside the
 * signals, the clock and the size of the terminal. Filled and freed by runner.c. Main thread. */

#include "batch/gauge.h"

#include <stdbool.h>
#include <stdint.h>

struct outcome;
struct request;
struct runner;

/* One command on its way. */
struct pending {
    uint64_t id;
    bool is_submitted;
};

struct run {
    struct runner *runner;
    struct request *request;
    struct pending *pending;
    struct outcome *outcomes; /* request->count of each */
    struct gauge gauge;
    int window_fd;        /* write end; -1 without a terminal */
    uint64_t deadline_ms; /* --timeout of verbs that have no use of their own for it; 0: none */
    bool is_cancel_sent;
    bool is_timed_out; /* and that is why */
};

/* Waits until every submitted job has ended, shows progress meanwhile, asks the jobs to stop when a
 * signal or the time limit says so, and puts their ends into run->outcomes. */
void run_wait(struct run *run);
void run_done(struct run *run);
