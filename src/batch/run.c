/* SPDX-License-Identifier: MIT */
#include "batch/run.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/units.h"
#include "batch/rawtty.h"
#include "batch/report.h"
#include "batch/request.h"
#include "batch/runner.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/snapshot.h"

/* For the first moments every change is looked at, so that short commands end at once; then not
 * more often than a screen would, but for the end of one that is alone. */
static const uint64_t eager_ms = 100;
static const int look_gap_ms = 30;

static void collect(const struct run *run, struct outcome *outcome, const struct job_item *job)
{
    outcome->is_ok = job->state == JOB_OK;
    outcome->error = job->error;
    outcome->has_expected = job->has_expected;
    outcome->has_found = job->has_found;
    outcome->expected = job->expected;
    outcome->found = job->found;
    if (!outcome->is_ok && outcome->error.code == ERROR_NONE) {
        error_set(&outcome->error, job->state == JOB_CANCELLED ? ERROR_CANCELLED : ERROR_BUG,
            "%s: %s", job->title, job_state_name(job->state));
    }
    if (outcome->error.code == ERROR_CANCELLED && run->is_timed_out) {
        char buffer[UNITS_MAX];
        outcome->error = (struct error){0};
        error_set(&outcome->error, ERROR_TIMEOUT,
            "%s: not done within %s; what was downloaded is kept", job->title,
            units_format_duration(run->request->options.timeout_ms, buffer));
    }
    if (job->result != NULL && job->result[0] == '[') {
        outcome->rows = memory_strdup(job->result);
    } else if (job->result != NULL) {
        struct error ignored = {0};
        outcome->value =
            json_parse(job->result, strlen(job->result), UINT64_MAX, 1000, "the result", &ignored);
    }
    if (job->result != NULL && outcome->rows == NULL && outcome->value == NULL) {
        outcome->is_ok = false;
        error_set(&outcome->error, ERROR_BUG, "%s: the result is not JSON", job->title);
    }
}

/* Reads the newest state; true when every job has ended, and their ends are then collected. */
static bool look(struct run *run)
{
    struct engine *engine = run->runner->engine;
    const struct snapshot *snapshot = engine_snapshot(engine);
    size_t ended = 0;
    for (size_t i = 0; i < run->request->count; ++i) {
        struct pending *pending = &run->pending[i];
        const struct job_item *job =
            pending->is_submitted ? snapshot_find_job(snapshot, pending->id) : NULL;
        if (job != NULL) {
            gauge_update(&run->gauge, job);
        }
        ended += job == NULL || job_state_is_final(job->state);
    }
    bool is_over = ended == run->request->count;
    for (size_t i = 0; is_over && i < run->request->count; ++i) {
        const struct job_item *job =
            run->pending[i].is_submitted ? snapshot_find_job(snapshot, run->pending[i].id) : NULL;
        if (job != NULL) {
            collect(run, &run->outcomes[i], job);
        } else if (run->pending[i].is_submitted) {
            error_set(&run->outcomes[i].error, ERROR_BUG, "a job vanished before it ended");
        }
    }
    engine_release(snapshot);
    return is_over;
}

static void cancel_all(struct run *run)
{
    for (size_t i = 0; !run->is_cancel_sent && i < run->request->count; ++i) {
        if (run->pending[i].is_submitted) {
            engine_cancel(run->runner->engine, run->pending[i].id);
        }
    }
    run->is_cancel_sent = true;
}

static void answer_signals(struct run *run)
{
    struct signals *signals = &run->runner->signals;
    signals_read(signals);
    if (signals->is_resized) {
        signals->is_resized = false;
        if (run->window_fd >= 0 && !rawtty_send_size(STDIN_FILENO, run->window_fd)) {
            memory_auto_close(&run->window_fd);
            run->window_fd = -1;
        }
    }
    if (signals->asked != 0) {
        cancel_all(run);
    }
}

static void answer_clock(struct run *run)
{
    if (run->deadline_ms != 0 && clock_left_ms(run->deadline_ms) == 0 && !run->is_cancel_sent) {
        run->is_timed_out = true;
        cancel_all(run);
    }
}

/* Leaves the bell ringing for a moment: signals, and the end of a job, are still answered at once. */
static void pause_looking(struct run *run)
{
    struct runner *runner = run->runner;
    bool is_alone = run->request->count == 1 && run->pending[0].is_submitted;
    struct pollfd fds[] = {
        {.fd = runner->signals.fd, .events = POLLIN},
        {.fd = is_alone ? engine_end_fd(runner->engine, run->pending[0].id) : -1, .events = POLLIN},
    };
    poll(fds, array_length(fds), look_gap_ms);
    answer_signals(run);
}

void run_wait(struct run *run)
{
    struct runner *runner = run->runner;
    uint64_t start_ms = clock_monotonic_ms();
    unsigned flags = run->request->verb->flags;
    bool has_own_timeout =
        (flags & VERB_STREAMS) != 0 && (flags & (VERB_CARRIES | VERB_PIPES)) == 0;
    run->deadline_ms = has_own_timeout ? 0 : clock_deadline(run->request->options.timeout_ms);
    while (!look(run)) {
        bool is_eager = clock_monotonic_ms() - start_ms < eager_ms;
        struct pollfd fds[] = {
            {.fd = runner->signals.fd, .events = POLLIN},
            {.fd = engine_wake_fd(runner->engine), .events = POLLIN},
        };
        if (!is_eager) {
            pause_looking(run);
        }
        poll(fds, array_length(fds), run->is_cancel_sent ? -1 : clock_left_ms(run->deadline_ms));
        answer_signals(run);
        answer_clock(run);
    }
}

void run_done(struct run *run)
{
    gauge_done(&run->gauge);
    for (size_t i = 0; i < run->request->count; ++i) {
        outcome_done(&run->outcomes[i]);
    }
    free(run->outcomes);
    free(run->pending);
    memory_auto_close(&run->window_fd);
}
