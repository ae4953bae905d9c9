/* SPDX-License-Identifier: MIT */
#include "engine/engine.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/unread.h"
#include "engine/command.h"
#include "engine/engine_internal.h"
#include "engine/history.h"
#include "engine/job.h"
#include "engine/ops.h"
#include "engine/snapshot.h"
#include "engine/state.h"
#include "engine/state_jobs.h"
#include "engine/watcher.h"
#include "engine/workers.h"
#include "store/kept.h"
#include "store/layout.h"

#include "config.h"

#define TRANSFER_WORKERS 4
#define LOCAL_WORKERS 4
#define LOCK_TIMEOUT_MS 30000

static const struct engine_hooks real_hooks = {
    .sweep = ops_sweep,
    .refresh_offers = ops_refresh_offers,
    .complete_offers = ops_complete_offers,
    .refresh_kernels = ops_refresh_kernels,
    .refresh_images = ops_refresh_images,
    .refresh_vms = ops_refresh_vms,
    .refresh_figures = ops_refresh_figures,
    .refresh_host = ops_refresh_host,
};

static const size_t config_strings[] = {
    offsetof(struct engine_config, state_dir),
    offsetof(struct engine_config, cache_dir),
    offsetof(struct engine_config, config_file),
    offsetof(struct engine_config, unit_dir),
    offsetof(struct engine_config, runtime_dir),
    offsetof(struct engine_config, catalog),
    offsetof(struct engine_config, builtin_catalog),
    offsetof(struct engine_config, accel),
    offsetof(struct engine_config, firecracker),
    offsetof(struct engine_config, ca_file),
    offsetof(struct engine_config, auth_files),
    offsetof(struct engine_config, self_path),
};

static const char **config_string(struct engine_config *config, size_t index)
{
    return (const char **)((char *)config + config_strings[index]);
}

static void copy_config(struct engine_config *to, const struct engine_config *from)
{
    *to = *from;
    for (size_t i = 0; i < array_length(config_strings); i++) {
        const char **field = config_string(to, i);
        *field = memory_strdup(*field);
    }
    to->transfer_workers = from->transfer_workers ? from->transfer_workers : TRANSFER_WORKERS;
    to->local_workers = from->local_workers ? from->local_workers : LOCAL_WORKERS;
    to->lock_timeout_ms = from->lock_timeout_ms ? from->lock_timeout_ms : LOCK_TIMEOUT_MS;
}

static void free_config(struct engine_config *config)
{
    for (size_t i = 0; i < array_length(config_strings); i++) {
        free((char *)*config_string(config, i));
    }
}

static void run_item(void *item)
{
    job_run(item);
}

/* What engine_new made so far. */
static void free_parts(struct engine *engine)
{
    for (size_t i = 0; i < array_length(engine->complaints); i++) {
        free(engine->complaints[i]);
    }
    watcher_free(engine->watcher);
    workers_free(engine->workers);
    state_free(engine->state);
    json_free(engine->kept);
    history_done(engine);
    store_close(engine->store);
    config_done(&engine->settings);
    free_config(&engine->config);
    free(engine);
}

static bool start_watching(struct engine *engine, struct error *err)
{
    engine->watcher = watcher_new(engine, err);
    return engine->watcher && watcher_start(engine->watcher, err);
}

/* Where the system has no watches, nobody can ask for anything: the job's files say so. */
static void start_answering(struct engine *engine)
{
    struct error ignored = {0};
    engine->watcher = watcher_new(engine, &ignored);
    if (engine->watcher &&
        !(watcher_answer_only(engine->watcher) && watcher_start(engine->watcher, &ignored))) {
        watcher_free(take_ptr(engine->watcher));
    }
}

static bool open_parts(struct engine *engine, struct error *err)
{
    const struct engine_config *config = &engine->config;
    if (!config->state_dir) {
        return error_set(err, ERROR_CONFIG,
            "there is no state directory: set HOME or BANGER_STATE_DIR, or give --state-dir DIR");
    }
    if (!config_load(config->config_file, &engine->settings, err)) {
        return false;
    }
    engine->store = store_open(config->state_dir, config->cache_dir, err);
    if (!engine->store) {
        return false;
    }
    if (config->is_readonly) {
        store_set_readonly(engine->store);
    }
    engine->state = state_new();
    if (state_wake_fd(engine->state) < 0) { /* nobody would hear of the end of anything */
        auto_free char *hint = unread_hint(EMFILE, "");
        return error_set_told(err, EMFILE, "too many files are open: %s", hint);
    }
    /* What needs no look at the host is known from the first snapshot on. */
    state_put_host(engine->state, &(struct host_facts){.version = PACKAGE_VERSION,
                                      .state_dir = store_path(engine->store),
                                      .is_readonly = config->is_readonly});
    engine->workers = workers_new(config->local_workers, config->transfer_workers, run_item);
    for (size_t i = 0; i < engine->settings.warnings.count; i++) {
        state_log(engine->state, LOG_WARNING, "%s", engine->settings.warnings.items[i]);
    }
    struct error unread = {0};
    if (config->is_watching && !kept_read(engine->store, &engine->kept, &unread)) {
        state_log(engine->state, LOG_WARNING, "%s", unread.text);
        /* What is not known is not written over. */
        engine->is_kept_foreign = unread.code == ERROR_UNSUPPORTED || error_is_blind(&unread);
    }
    history_start(engine);
    return true;
}

struct engine *engine_new(const struct engine_config *config, struct error *err)
{
    struct engine *engine = memory_zero(1, sizeof(*engine));
    pthread_mutex_init(&engine->history.mutex, NULL);
    copy_config(&engine->config, config);
    engine->hooks = config->hooks ? *config->hooks : real_hooks;
    if (!open_parts(engine, err)) {
        free_parts(engine);
        return NULL;
    }
    if (config->is_watching && !start_watching(engine, err)) {
        engine_free(engine);
        return NULL;
    }
    if (config->is_answering && !config->is_watching && !config->is_readonly) {
        start_answering(engine);
    }
    return engine;
}

bool engine_end(struct engine *engine, uint64_t patience_ms)
{
    if (!engine) {
        return true;
    }
    if (engine->watcher) {
        watcher_stop(engine->watcher);
    }
    state_job_cancel_all(engine->state);
    housekeeping_tell_queue(engine, false);
    bool is_over = workers_stop(engine->workers, clock_deadline(patience_ms));
    history_keep(engine);
    if (is_over) {
        free_parts(engine);
    }
    return is_over;
}

void engine_free(struct engine *engine)
{
    engine_end(engine, 0);
}

void engine_fill_ops(struct engine *engine, struct job *job, struct ops *ops)
{
    ops->engine = engine;
    ops->job = job;
    ops->command = job->command;
    ops->store = engine->store;
    ops->config = &engine->config;
    ops->limits = &engine->settings.limits;
    ops->settings = &engine->settings;
    ops->state = engine->state;
    ops->cancel = job->cancel;
}

static bool to_lane(struct engine *engine, struct job *job, struct error *err)
{
    switch (job->lane) {
    case JOB_LANE_LOCAL:
        return workers_submit(engine->workers, LANE_LOCAL, job, err);
    case JOB_LANE_TRANSFER:
        return workers_submit(engine->workers, LANE_TRANSFER, job, err);
    case JOB_LANE_OWN:
        return workers_spawn(engine->workers, job, err);
    }
    return false;
}

static bool find_lane(enum job_lane of_job, enum lane *lane)
{
    *lane = of_job == JOB_LANE_TRANSFER ? LANE_TRANSFER : LANE_LOCAL;
    return of_job != JOB_LANE_OWN;
}

static bool is_lane_busy(struct engine *engine, enum job_lane of_job)
{
    enum lane lane;
    return find_lane(of_job, &lane) && workers_are_busy(engine->workers, lane);
}

bool engine_start_job(struct engine *engine, struct job *job, uint64_t *id, struct error *err)
{
    auto_free char *object = command_object(job->command);
    bool is_joined = false;
    job->engine = engine;
    if (!state_job_add(engine->state, job, object, id, &is_joined, err)) {
        job_release(job);
        return false;
    }
    if (is_joined) {
        job_release(job);
        return true;
    }
    struct error failure = {0};
    bool may_wait = job->is_change;
    enum job_lane lane = job->lane;
    if (to_lane(engine, job, &failure)) {
        if (may_wait && is_lane_busy(engine, lane)) {
            housekeeping_tell_queue(engine, true);
        }
        return true;
    }
    /* It is in the list: the failure is the job's, unless nobody can see it there. */
    bool is_seen = !job->is_internal;
    if (!is_seen) {
        *err = failure;
    }
    state_job_finish(engine->state, job, NULL, &failure);
    job_release(job);
    return is_seen;
}

static bool check_submission(
    const struct engine *engine, const struct command *command, struct error *err)
{
    const struct verb *verb = command_verb(command);
    if (!verb->run) {
        return error_set(err, ERROR_INVALID, "%s is answered without the engine", verb->name);
    }
    if (command_each_count(command) > 1) {
        return error_set(
            err, ERROR_INVALID, "%s %s takes one name at a time here", verb->subject, verb->name);
    }
    bool is_reading = (verb->flags & VERB_READS) || command_is_dry_run(command);
    if (engine->config.is_readonly && !is_reading) {
        return error_set(err, ERROR_PERMISSION,
            "%s %s changes something and this seat is read-only: start again without --readonly",
            verb->subject, verb->name);
    }
    return command_check(command, err);
}

bool engine_submit(struct engine *engine, struct command *command, uint64_t *id, struct error *err)
{
    if (!check_submission(engine, command, err)) {
        command_free(command);
        return false;
    }
    return engine_start_job(engine, job_new(command), id, err);
}

bool engine_cancel_own(struct engine *engine, uint64_t id)
{
    bool is_asked = state_job_cancel(engine->state, id);
    housekeeping_tell_queue(engine, false);
    return is_asked;
}

bool engine_cancel(struct engine *engine, uint64_t id)
{
    if (engine_cancel_own(engine, id)) {
        return true;
    }
    bool is_foreign = !engine->config.is_readonly && state_job_is_foreign(engine->state, id);
    if (is_foreign) {
        housekeeping_cancel(engine, id);
    }
    return is_foreign;
}

int engine_end_fd(struct engine *engine, uint64_t id)
{
    return state_job_end_fd(engine->state, id);
}

/* Held for the caller; NULL when it does not wait in this process. */
static struct job *find_queued(
    struct engine *engine, uint64_t id, enum lane *lane, struct error *err)
{
    auto_job struct job *job = state_job_find(engine->state, id);
    if (!job || !find_lane(job->lane, lane) || !state_job_is_queued(engine->state, job)) {
        error_set(err, ERROR_NOT_FOUND, "no job %llu waits for its turn: see job list",
            (unsigned long long)id);
        return NULL;
    }
    return job_hold(job);
}

bool engine_move(struct engine *engine, uint64_t id, enum engine_move move, uint64_t before,
    bool *is_moved, struct error *err)
{
    enum lane lane = LANE_LOCAL;
    enum lane other_lane = LANE_LOCAL;
    auto_job struct job *job = find_queued(engine, id, &lane, err);
    auto_job struct job *other = NULL;
    if (job && move == ENGINE_MOVE_BEFORE) {
        other = find_queued(engine, before, &other_lane, err);
    }
    if (!job || (move == ENGINE_MOVE_BEFORE && !other)) {
        return false;
    }
    if (other && lane != other_lane) {
        return error_set(err, ERROR_INVALID,
            "transfers and other jobs do not wait for each other: '%s' and '%s' are in queues of "
            "their own",
            job->line, other->line);
    }
    *is_moved = workers_move(engine->workers, lane, job, move, other);
    if (*is_moved) {
        state_job_move(engine->state, job, move, other);
        housekeeping_tell_queue(engine, false);
    }
    return true;
}

void engine_forget(struct engine *engine, uint64_t id)
{
    state_job_forget(engine->state, id);
}

int engine_wake_fd(const struct engine *engine)
{
    return state_wake_fd(engine->state);
}

const struct snapshot *engine_snapshot(struct engine *engine)
{
    return state_snapshot(engine->state);
}

void engine_release(const struct snapshot *snapshot)
{
    state_release(snapshot);
}

void engine_log(struct engine *engine, const char *sentence)
{
    state_log(engine->state, LOG_INFO, "%s", sentence);
}

const char *engine_setting(const struct engine *engine, const char *key)
{
    return config_pairs_get(&engine->settings.ui, key);
}

const char *engine_setting_key(const struct engine *engine, size_t index)
{
    const struct config_pairs *ui = &engine->settings.ui;
    return index < ui->count ? ui->items[index].key : NULL;
}

const char *engine_kept(const struct engine *engine, const char *key)
{
    return json_string(engine->kept, key, NULL);
}

void engine_keep(struct engine *engine, const char *key, const char *value)
{
    const char *now = json_string(engine->kept, key, "");
    if (engine->kept == NULL || strcmp(now, value != NULL ? value : "") == 0) {
        return;
    }
    if (value != NULL && value[0] != '\0') {
        json_put_string(engine->kept, key, value);
    } else {
        json_remove(engine->kept, key);
    }
    engine->has_kept = !engine->config.is_readonly && !engine->is_kept_foreign;
}
