/* SPDX-License-Identifier: MIT */
#include "engine/job.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "engine/change_log.h"
#include "engine/command.h"
#include "engine/engine_internal.h"
#include "engine/history.h"
#include "engine/job_file.h"
#include "engine/ops.h"
#include "engine/state.h"
#include "engine/state_jobs.h"
#include "store/layout.h"
#include "vm/vmm_host.h"

/* How often other processes see how far a job is. */
#define FILE_MS 400

static enum job_lane lane_of(const struct verb *verb)
{
    if (verb->flags & (VERB_STREAMS | VERB_CONTROLS)) {
        return JOB_LANE_OWN;
    }
    return verb->flags & VERB_TRANSFERS ? JOB_LANE_TRANSFER : JOB_LANE_LOCAL;
}

/* "pull debian-cloud": the verb and what stands first behind it. */
static char *title_of(const struct command *command)
{
    const struct verb *verb = command_verb(command);
    for (size_t i = 0; i < verb->argument_count; i++) {
        const struct strings *values = command_all(command, verb->arguments[i].name);
        if (verb->arguments[i].is_positional && values->count) {
            return memory_printf("%s %s", verb->name, values->items[0]);
        }
    }
    return verb_words(verb);
}

struct job *job_new(struct command *command)
{
    const struct verb *verb = command_verb(command);
    struct job *job = memory_zero(1, sizeof(*job));
    atomic_init(&job->holders, 1);
    job->verb = verb;
    job->lane = lane_of(verb);
    job->title = title_of(command);
    struct text line = {0};
    command_line(command, &line);
    job->line = text_take(&line);
    command_words(command, &job->words);
    job->cancel = cancel_new();
    bool is_reading = (verb->flags & (VERB_READS | VERB_CONTROLS)) || command_is_dry_run(command);
    job->is_change = !is_reading && !(verb->flags & VERB_CARRIES);
    job->is_quiet = is_reading;
    job->command = command;
    job->state = JOB_QUEUED;
    job->done_fd = -1;
    meter_init(&job->meter, verb);
    return job;
}

struct job *job_new_ended(
    const struct verb *verb, const char *title, const char *line, enum job_state ended)
{
    struct job *job = memory_zero(1, sizeof(*job));
    atomic_init(&job->holders, 1);
    job->verb = verb;
    job->lane = lane_of(verb);
    job->title = memory_strdup(title);
    job->line = memory_strdup(line);
    job->cancel = cancel_new();
    job->is_change = true;
    job->state = ended;
    job->done_fd = -1;
    meter_init(&job->meter, verb);
    return job;
}

struct job *job_hold(struct job *job)
{
    atomic_fetch_add(&job->holders, 1);
    return job;
}

void job_release(struct job *job)
{
    if (!job || atomic_fetch_sub(&job->holders, 1) != 1) {
        return;
    }
    command_free(job->command);
    cancel_free(job->cancel);
    strings_done(&job->words);
    strings_done(&job->claims);
    strings_done(&job->told);
    memory_auto_close(&job->done_fd);
    free(job->object);
    free(job->title);
    free(job->line);
    free(job->result);
    free(job);
}

void job_auto_release(struct job **job)
{
    job_release(*job);
    *job = NULL;
}

/* ---- what the work reports goes to the state, and now and then to the file ---- */

/* Units a second as others see it: smoothed over a few writings. */
static uint64_t rate_for_file(struct job *job, uint64_t done, uint64_t now_ms)
{
    uint64_t span_ms = now_ms - job->file_ms;
    if (job->file_ms && span_ms >= FILE_MS && done >= job->file_done) {
        uint64_t rate = (done - job->file_done) * 1000 / span_ms;
        job->file_rate = job->file_rate ? (job->file_rate * 3 + rate) / 4 : rate;
    }
    job->file_done = done;
    return job->file_rate;
}

/* Only this thread sets job->object while the job runs, so it may read it without the lock. */
static void write_file(struct job *job, enum progress_phase phase, enum progress_unit unit,
    uint64_t done, uint64_t total)
{
    struct engine *engine = job->engine;
    uint64_t now_ms = clock_monotonic_ms();
    /* What comes next, or how large it is, is told at once: nothing else may come for long. */
    bool is_new = phase > job->file_phase || (total > 0 && !job->has_file_total);
    bool is_soon = job->file_ms && now_ms - job->file_ms < FILE_MS && !is_new;
    if (!job->is_change || is_soon) {
        return;
    }
    job->has_file_total = job->has_file_total || total > 0;
    uint64_t rate = rate_for_file(job, done, now_ms);
    job->file_ms = now_ms;
    job->file_phase = phase;
    job->file_unit = unit;
    job->file_total = total;
    struct change self = {0};
    change_set_self(&self);
    struct job_file file = {
        .id = job->id,
        .command = job->line,
        .object = job->object ? job->object : "",
        .process = self.process,
        .login = self.login,
        .terminal = self.terminal,
        .note = job->file_note,
        .phase = phase,
        .unit = unit,
        .done = done,
        .total = total,
        .rate = rate,
        .permille = job->file_permille,
        .has_expected = job->has_file_expected,
        .expected = job->file_expected,
        .started_at = job->started_at,
        .is_watched = engine->watcher != NULL,
    };
    struct error ignored = {0};
    job_file_write(store_area_dir(engine->store, STORE_JOBS), &file, &ignored);
}

static void report(void *context, enum progress_phase phase, enum progress_unit unit, uint64_t done,
    uint64_t total)
{
    struct job *job = context;
    job->file_permille = state_job_report(job->engine->state, job, phase, unit, done, total);
    write_file(job, phase, unit, done, total);
}

static void note(void *context, const char *sentence)
{
    struct job *job = context;
    state_job_note(job->engine->state, job, sentence);
    if (job->is_change && strncmp(job->file_note, sentence, sizeof(job->file_note) - 1) != 0) {
        snprintf(job->file_note, sizeof(job->file_note), "%s", sentence);
        job->file_ms = 0; /* at once: what it waits for may last */
        write_file(job, job->file_phase, job->file_unit, job->file_done, job->file_total);
    }
}

static void digest(void *context, const struct digest *expected, const struct digest *found)
{
    struct job *job = context;
    job->has_file_expected = expected != NULL;
    if (expected) {
        job->file_expected = *expected;
    }
    state_job_digest(job->engine->state, job, expected, found);
}

/* What became of a change, for everybody's reading. */
static void tell_end(const struct job *job, const struct error *failure)
{
    struct state *state = job->engine->state;
    if (failure == NULL) {
        state_log(state, LOG_INFO, "%s: done", job->line);
    } else if (failure->code == ERROR_CANCELLED) {
        state_log(state, LOG_INFO, "%s: cancelled", job->line);
    } else {
        state_log(state, LOG_ERROR, "%s: failed: %s", job->line, failure->text);
    }
}

/* Hands the end to the state; result is used up. */
static void finish(struct job *job, bool is_ok, struct json *result, struct error *err)
{
    struct text json = {0};
    if (result) {
        json_write(result, false, &json);
    }
    if (!is_ok && err->code == ERROR_NONE) {
        error_set(err, ERROR_BUG, "%s failed without saying why", job->line);
    }
    char *written = result ? text_take(&json) : NULL;
    text_done(&json);
    if (job->is_change && job->engine->config.is_watching) {
        tell_end(job, is_ok ? NULL : err);
    }
    state_job_finish(job->engine->state, job, written, is_ok ? NULL : err);
}

/* Who did it, for other seats and for later; not being able to write it down undoes nothing. */
static void record(const struct job *job, bool is_forced, const struct json *result)
{
    /* Another order of what waits is nothing to be told later; that a job was stopped is. */
    const struct json *cancelled = json_get(result, "cancelled");
    if ((!job->is_change && !cancelled) || !json_bool(result, "changed", true)) {
        return;
    }
    struct change change = {.at = clock_wall(),
        .subject = job->verb->subject,
        .verb = job->verb->name,
        .object = job->object ? job->object : "",
        .line = job->line,
        .is_forced = is_forced,
        .names = cancelled ? cancelled : json_get(result, "removed")};
    change_set_self(&change);
    struct error failure = {0};
    if (!change_log_add(store_area_dir(job->engine->store, STORE_LOG), &change, &failure)) {
        state_log(job->engine->state, LOG_WARNING, "%s", failure.text);
    }
}

static bool is_forced(const struct command *command)
{
    return verb_argument(command_verb(command), "force") && command_has(command, "force");
}

void job_run(struct job *job)
{
    struct engine *engine = job->engine;
    if (!state_job_start(engine->state, job)) {
        job_release(job);
        return;
    }
    if (job->lane != JOB_LANE_OWN) {
        housekeeping_tell_queue(engine, false);
    }
    write_file(job, PROGRESS_RESOLVE, PROGRESS_STEPS, 0, 0);
    struct progress progress = {.context = job, .report = report, .note = note, .digest = digest};
    auto_done(vmm_host) struct vmm_host host = {0};
    struct ops ops = {.progress = &progress, .host = &host};
    engine_fill_ops(engine, job, &ops);
    struct error err = {0};
    auto_json struct json *result = NULL;
    if (job->is_change) {
        housekeeping_sweep_once(&ops);
    }
    bool is_ok =
        (!job->is_late || ops_claim_first(&ops, &err)) && job->verb->run(&ops, &result, &err);
    bool was_forced = is_forced(job->command);
    bool was_dry = command_is_dry_run(job->command);
    /* Descriptors that were not taken are closed before anybody hears of the end. */
    command_free(take_ptr(job->command));
    if (job->is_change && !engine->config.is_left) {
        job_file_remove(store_area_dir(engine->store, STORE_JOBS), job->id);
    }
    if (is_ok && !was_dry) {
        record(job, was_forced, result);
    }
    finish(job, is_ok, result, &err);
    if (job->is_change && engine->config.is_left) {
        /* Whoever sees it vanish looks how it ended. */
        history_tell(engine);
        job_file_remove(store_area_dir(engine->store, STORE_JOBS), job->id);
    }
    job_release(job);
}
