/* SPDX-License-Identifier: MIT */
#pragma once

/* What a command would do, asked of the engine before it is done (--dry-run): the same plan that
 * scripts get. Main thread. */

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct command;
struct seat;

#define PLAN_JOBS_MAX 8

struct plan {
    uint64_t jobs[PLAN_JOBS_MAX]; /* 0: answered */
    size_t job_count;
    size_t left_out;      /* names beyond those that were asked about */
    struct strings lines; /* "remove kernel/lab, 19.0 MiB"; what would be refused, with why */
    uint64_t free_bytes;  /* now; 0: not said */
    bool is_refused;      /* for at least one of the names */
};

/* Asks; the command stays the caller's. Verbs without a plan give none. */
void plan_ask(struct plan *plan, struct seat *seat, const struct command *command);
/* With every new snapshot. True when an answer came. */
bool plan_update(struct plan *plan, struct seat *seat);
bool plan_is_pending(const struct plan *plan);
/* Stops asking and frees. */
void plan_done(struct plan *plan, struct seat *seat);
