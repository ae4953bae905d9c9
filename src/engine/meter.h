/* SPDX-License-Identifier: MIT */
#pragma once

/* How far a job is and how fast it goes: plain arithmetic over what the work reports and the time
 * it is told, no clock and no lock of its own (the state's mutex guards it).
 *
 * The share of the whole job comes from the verb's weighted steps: a report moves within the step
 * of its phase. It never goes back, whatever is retried. A part that is an operation of its own
 * (ops_call) gets three quarters of what is left; the rest of the job shares the remainder. */

#include "base/progress.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct step;
struct verb;

#define METER_DEPTH 6

/* One operation on the way: a range of the job's 0..1 and where in its own 0..1 it stands. */
struct meter_frame {
    const struct verb *verb;
    double from, to; /* its range in the whole job */
    double position; /* by its own steps */
    double origin;   /* position at which `from` holds */
    size_t step;
    bool has_moved;
};

struct meter_mean {
    uint64_t units;
    uint64_t span_ms;
};

struct meter {
    struct meter_frame frames[METER_DEPTH];
    unsigned depth; /* of the innermost frame; deeper calls count into it */
    unsigned deeper;
    double reached; /* of the whole job */

    enum progress_phase phase;
    enum progress_unit unit;
    uint64_t done, total;
    bool has_report;
    uint64_t report_ms;

    uint64_t window_ms, window_done; /* where the present measurement began */
    double rate;                     /* units a second */
    bool has_rate;

    uint64_t transferred; /* bytes of all download phases */
    struct meter_mean download, other;
};

void meter_init(struct meter *meter, const struct verb *verb);
void meter_report(struct meter *meter, enum progress_phase phase, enum progress_unit unit,
    uint64_t done, uint64_t total, uint64_t now_ms);
/* A part begins that has steps of its own. */
void meter_push(struct meter *meter, const struct verb *verb);
/* It ended; what it reached is kept. */
void meter_pop(struct meter *meter, bool is_ok);
/* 0..1000; 1000 only from meter_finish. */
uint32_t meter_permille(const struct meter *meter);
/* Units a second as of now; falls when nothing is reported any more. */
uint64_t meter_rate(const struct meter *meter, uint64_t now_ms);
/* The job ended. */
void meter_finish(struct meter *meter, bool is_ok);
/* Units a second over all the time they took: of the downloads when there were any. */
uint64_t meter_mean_rate(const struct meter *meter);
