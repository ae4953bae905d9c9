/* SPDX-License-Identifier: MIT */
/* What operations get from the engine's machinery. */
#include "engine/ops.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/progress.h"
#include "engine/command.h"
#include "engine/engine_internal.h"
#include "engine/job.h"
#include "engine/ops_common.h"
#include "engine/state_jobs.h"
#include "engine/watcher.h"
#include "engine/workers.h"

/* A result that another job left, read back; small, and made by this program. */
static bool read_result(const char *text, struct json **result, struct error *err)
{
    if (!result || !text) {
        return true;
    }
    *result = json_parse(text, strlen(text), SIZE_MAX, limits_default.json_depth, "result", err);
    return *result != NULL;
}

/* deadline: of clock_deadline; 0 waits as long as it takes. */
static bool wait_readable(int fd, uint64_t deadline, const struct cancel *cancel, struct error *err)
{
    for (;;) {
        struct pollfd polls[] = {
            {.fd = fd, .events = POLLIN},
            {.fd = cancel_fd(cancel), .events = POLLIN},
        };
        int ready = poll(polls, array_length(polls), clock_left_ms(deadline));
        if (ready < 0 && errno != EINTR) {
            return error_set_errno(err, errno, "cannot wait for another job");
        }
        if (ready > 0 && polls[0].revents) {
            return true;
        }
        if (cancel_check(cancel, err)) {
            return false;
        }
        if (ready == 0 && clock_left_ms(deadline) == 0) {
            return error_set(err, ERROR_BUSY, "it did not end in time");
        }
    }
}

static bool lane_of_job(const struct job *job, enum lane *lane)
{
    switch (job->lane) {
    case JOB_LANE_LOCAL:
        *lane = LANE_LOCAL;
        return true;
    case JOB_LANE_TRANSFER:
        *lane = LANE_TRANSFER;
        return true;
    case JOB_LANE_OWN:
        return false;
    }
    return false;
}

static void lend(struct ops *ops)
{
    enum lane lane;
    if (lane_of_job(ops->job, &lane)) {
        workers_lend(ops->engine->workers, lane);
    }
}

static void take_back(struct ops *ops)
{
    enum lane lane;
    if (lane_of_job(ops->job, &lane)) {
        workers_return(ops->engine->workers, lane);
    }
}

/* Until `other` has ended. False when cancelled, when that would never be, or not in time. */
static bool wait_for(struct ops *ops, struct job *other, uint64_t deadline, struct error *err)
{
    int fd = state_job_wait_begin(ops->state, ops->job, other, err);
    if (fd < 0) {
        return false;
    }
    progress_note(ops->progress, "waiting for job %" PRIu64 " (%s)", other->id, other->title);
    lend(ops);
    bool is_over = wait_readable(fd, deadline, ops->cancel, err);
    take_back(ops);
    progress_note(ops->progress, "%s", "");
    state_job_wait_end(ops->state, ops->job);
    return is_over;
}

/* Reserves the object, waiting for whoever has it. When that one did the same and it went well,
 * *is_done and its result; when it was cancelled, that was not meant for us. */
static bool claim_or_join(struct ops *ops, const struct verb *verb, const char *object,
    bool *is_done, struct json **result, struct error *err)
{
    for (;;) {
        auto_job struct job *other = NULL;
        if (state_job_claim(ops->state, ops->job, object, &other)) {
            return true;
        }
        bool is_same = other->verb == verb;
        if (!wait_for(ops, other, 0, err)) {
            return false;
        }
        auto_free char *text = NULL;
        struct error failure = {0};
        bool is_ok = state_job_outcome(ops->state, other, &text, &failure);
        if (is_same && is_ok) {
            *is_done = true;
            return read_result(text, result, err);
        }
        if (is_same && failure.code != ERROR_CANCELLED) {
            *err = failure;
            return false;
        }
    }
}

static bool run_part(
    struct ops *ops, struct command *command, struct json **result, struct error *err)
{
    const struct verb *verb = command_verb(command);
    struct ops part = *ops;
    part.command = command;
    /* A transfer must not hold up the lane of local work. */
    bool is_lending = (verb->flags & VERB_TRANSFERS) && ops->job->lane == JOB_LANE_LOCAL;
    if (is_lending) {
        lend(ops);
    }
    state_job_push(ops->state, ops->job, verb);
    auto_json struct json *dropped = NULL;
    bool is_ok = verb->run(&part, result ? result : &dropped, err);
    state_job_pop(ops->state, ops->job, is_ok);
    if (is_lending) {
        take_back(ops);
    }
    return is_ok;
}

bool ops_call(struct ops *ops, struct command *command, struct json **result, struct error *err)
{
    __attribute__((cleanup(command_auto_free))) struct command *owned = command;
    const struct verb *verb = command_verb(owned);
    if (!verb->run || !command_check(owned, err)) {
        return error_set(err, ERROR_BUG, "%s %s cannot be a part of '%s'", verb->subject,
            verb->name, ops->job->line);
    }
    bool is_change = !(verb->flags & (VERB_READS | VERB_CARRIES)) && !command_is_dry_run(owned);
    auto_free char *object = is_change ? command_object(owned) : NULL;
    bool had_object = object && state_job_has_claim(ops->state, ops->job, object);
    bool is_done = false;
    if (object && !had_object && !claim_or_join(ops, verb, object, &is_done, result, err)) {
        return false;
    }
    if (is_done) {
        return true;
    }
    bool is_ok = run_part(ops, owned, result, err);
    if (object && !had_object) {
        state_job_unclaim(ops->state, ops->job, object);
    }
    return is_ok;
}

static bool refuse_busy(const char *object, const struct job *holder, struct error *err)
{
    return error_set(err, ERROR_BUSY,
        "%s is busy with '%s' (job %" PRIu64 "): wait for it, or "
        "stop it with: job cancel %" PRIu64,
        object, holder->line, holder->id, holder->id);
}

bool ops_claim(struct ops *ops, const char *object, struct error *err)
{
    auto_job struct job *other = NULL;
    return state_job_claim(ops->state, ops->job, object, &other) || refuse_busy(object, other, err);
}

bool ops_claim_first(struct ops *ops, struct error *err)
{
    const char *object = ops->job->object;
    uint64_t deadline = clock_deadline(ops_lock_timeout_ms(ops));
    for (;;) {
        auto_job struct job *other = NULL;
        struct error failure = {0};
        if (state_job_claim(ops->state, ops->job, object, &other)) {
            return true;
        }
        if (!(other->verb->flags & VERB_ENDS)) {
            return refuse_busy(object, other, err);
        }
        if (!wait_for(ops, other, deadline, &failure)) {
            if (failure.code == ERROR_BUSY) {
                return refuse_busy(object, other, err);
            }
            *err = failure;
            return false;
        }
    }
}

void ops_release(struct ops *ops, const char *object)
{
    state_job_unclaim(ops->state, ops->job, object);
}

void ops_watch_processes(struct ops *ops, const struct process_identity *processes, size_t count)
{
    if (ops->engine->watcher) {
        watcher_set_processes(ops->engine->watcher, WATCHER_VMS, processes, count);
    }
}

bool ops_cancel_job(struct ops *ops, uint64_t id)
{
    return engine_cancel_own(ops->engine, id);
}

bool ops_move_job(struct ops *ops, uint64_t id, enum engine_move move, uint64_t before,
    bool *is_moved, struct error *err)
{
    return engine_move(ops->engine, id, move, before, is_moved, err);
}
