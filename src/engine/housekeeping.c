/* SPDX-License-Identifier: MIT */
/* What the engine does on its own behalf, in jobs that nobody sees, each with a thread of its own,
 * so that no lane full of work holds it up: listing the store, one such job at a time, and asking
 * other processes to stop a job. */
#include "engine/engine_internal.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/memory.h"
#include "engine/command.h"
#include "engine/history.h"
#include "engine/job.h"
#include "engine/job_file.h"
#include "engine/job_queue.h"
#include "engine/news.h"
#include "engine/ops.h"
#include "engine/section.h"
#include "engine/state.h"
#include "engine/state_jobs.h"
#include "engine/watcher.h"
#include "store/layout.h"

/* What is shown of one subject depends on others: who uses an image, what of an offer is here,
 * how much space is left. */
static unsigned with_dependents(unsigned subjects)
{
    if (subjects & SUBJECT_VMS) {
        subjects |= SUBJECT_IMAGES;
        subjects &= ~(unsigned)SUBJECT_FIGURES;
    }
    if (subjects & (SUBJECT_KERNELS | SUBJECT_IMAGES)) {
        subjects |= SUBJECT_OFFERS | SUBJECT_HOST;
    }
    return subjects;
}

static bool refresh_jobs(struct ops *ops, struct error *err)
{
    struct section *files =
        job_file_list(store_area_dir(ops->store, STORE_JOBS), ops->config->is_readonly, err);
    if (!files) {
        return false;
    }
    const struct job_file *items = section_items(files);
    size_t count = section_count(files);
    auto_free struct process_identity *processes = memory_zero(count + 1, sizeof(*processes));
    for (size_t i = 0; i < count; i++) {
        processes[i] = items[i].process;
    }
    state_put_foreign_jobs(ops->state, files);
    history_refresh(ops->engine);
    if (ops->engine->watcher) {
        watcher_set_processes(ops->engine->watcher, WATCHER_JOBS, processes, count);
    }
    return true;
}

/* The same failure is told once, not at every listing. Takes text over; NULL: it went well. */
static void complain(struct ops *ops, size_t index, char *text)
{
    char **last = &ops->engine->complaints[index];
    if (text && (!*last || strcmp(*last, text) != 0)) {
        state_log(ops->state, LOG_WARNING, "%s", text);
    }
    free(*last);
    *last = text;
}

static void refresh(struct ops *ops, unsigned subjects)
{
    const struct engine_hooks *hooks = &ops->engine->hooks;
    const struct {
        unsigned subject;
        const char *what;
        bool (*run)(struct ops *ops, struct error *err);
    } rows[SUBJECT_COUNT] = {
        {SUBJECT_VMS, "VMs", hooks->refresh_vms},
        {SUBJECT_FIGURES, "figures of VMs", hooks->refresh_figures},
        {SUBJECT_JOBS, "jobs", refresh_jobs},
        {SUBJECT_IMAGES, "images", hooks->refresh_images},
        {SUBJECT_KERNELS, "kernels", hooks->refresh_kernels},
        {SUBJECT_OFFERS, "catalogs", hooks->refresh_offers},
        {SUBJECT_NEWS, "what others changed", news_refresh},
        {SUBJECT_HOST, "facts about this host", hooks->refresh_host},
    };
    for (size_t i = 0; i < array_length(rows); i++) {
        if ((subjects & rows[i].subject) && rows[i].run) {
            struct error err = {0};
            if (ops->engine->watcher) {
                watcher_await(ops->engine->watcher, rows[i].subject & SUBJECT_ALL);
            }
            bool is_ok = rows[i].run(ops, &err);
            char *text = is_ok ? NULL : memory_printf("cannot list %s: %s", rows[i].what, err.text);
            complain(ops, i, text);
        }
    }
}

/* The next one may start; what became dirty meanwhile waits for it. */
static void finish(struct engine *engine)
{
    atomic_store(&engine->is_refreshing, false);
    if (atomic_load(&engine->dirty) && engine->watcher) {
        watcher_wake(engine->watcher);
    }
}

static void sweep(struct ops *ops)
{
    struct error failure = {0};
    if (!ops->config->is_readonly && !ops->engine->hooks.sweep(ops, &failure)) {
        state_log(ops->state, LOG_WARNING, "cannot clean up: %s", failure.text);
    }
}

static void complete(struct ops *ops)
{
    struct error failure = {0};
    const struct engine_hooks *hooks = &ops->engine->hooks;
    if (hooks->complete_offers && !hooks->complete_offers(ops, &failure)) {
        state_log(ops->state, LOG_WARNING, "cannot list catalogs: %s", failure.text);
    }
}

void housekeeping_sweep_once(struct ops *ops)
{
    if (!ops->config->is_watching && !atomic_exchange(&ops->engine->has_swept, true)) {
        sweep(ops);
    }
}

static bool run_reconcile(struct ops *ops, struct json **result, struct error *err)
{
    (void)result;
    (void)err;
    struct engine *engine = ops->engine;
    atomic_exchange(&engine->dirty, 0);
    refresh(ops, SUBJECT_ALL);
    state_set_reconciled(ops->state);
    complete(ops);
    sweep(ops); /* what it changes is noticed */
    finish(engine);
    return true;
}

static bool run_refresh(struct ops *ops, struct json **result, struct error *err)
{
    (void)result;
    (void)err;
    refresh(ops, with_dependents(atomic_exchange(&ops->engine->dirty, 0)));
    finish(ops->engine);
    return true;
}

static const struct verb reconcile_verb = {
    .subject = "",
    .name = "reconcile",
    .flags = VERB_READS | VERB_STREAMS | VERB_HIDDEN,
    .summary = "Clean up and list everything",
    .run = run_reconcile,
};

static const struct verb refresh_verb = {
    .subject = "",
    .name = "refresh",
    .flags = VERB_READS | VERB_STREAMS | VERB_HIDDEN,
    .summary = "List again what changed",
    .run = run_refresh,
};

static bool run_cancel(struct ops *ops, struct json **result, struct error *err)
{
    (void)result;
    uint64_t id = command_number(ops->command, "id");
    if (!job_file_cancel(store_area_dir(ops->store, STORE_JOBS), id, err)) {
        state_log(ops->state, LOG_WARNING, "%s", err->text);
        return false;
    }
    return true;
}

/* Passes at most this often, so that a hundred jobs that are queued at once are told once. */
#define TELL_MS 100

/* True as long as there is more to tell. */
static bool tell_queue_once(struct ops *ops)
{
    struct engine *engine = ops->engine;
    atomic_store(&engine->is_queue_changed, false);
    auto_section struct section *queued = state_queued_jobs(ops->state);
    struct change self = {0};
    change_set_self(&self);
    struct job_file whose = {.process = self.process,
        .login = self.login,
        .terminal = self.terminal,
        .is_watched = engine->watcher != NULL};
    struct error failure = {0};
    history_tell(engine);
    if (!job_queue_write(store_area_dir(ops->store, STORE_JOBS), &whose, queued, &failure)) {
        state_log(ops->state, LOG_WARNING, "%s", failure.text);
    }
    atomic_store(&engine->has_queue, section_count(queued) > 0);
    return atomic_load(&engine->is_queue_changed);
}

/* To its end, also when it is cancelled: what does not wait any more is taken off the list. */
static bool run_tell(struct ops *ops, struct json **result, struct error *err)
{
    (void)result;
    (void)err;
    struct engine *engine = ops->engine;
    do {
        do {
            struct pollfd cancelled = {.fd = cancel_fd(ops->cancel), .events = POLLIN};
            poll(&cancelled, 1, TELL_MS);
        } while (tell_queue_once(ops));
        atomic_store(&engine->is_telling, false);
    } while (atomic_load(&engine->is_queue_changed) && !atomic_exchange(&engine->is_telling, true));
    return true;
}

static const struct verb tell_verb = {
    .subject = "",
    .name = "tell",
    .flags = VERB_READS | VERB_STREAMS | VERB_HIDDEN,
    .summary = "Tell other processes what waits here",
    .run = run_tell,
};

/* Those that lost their monitor meanwhile have started another one. */
static bool run_tend(struct ops *ops, struct json **result, struct error *err)
{
    (void)result;
    (void)err;
    atomic_store(&ops->engine->is_tending, false);
    sweep(ops);
    return true;
}

static const struct verb tend_verb = {
    .subject = "",
    .name = "tend",
    .flags = VERB_READS | VERB_STREAMS | VERB_HIDDEN,
    .summary = "Give machines that lost their monitor a new one",
    .run = run_tend,
};

static const struct argument cancel_arguments[] = {
    {.name = "id", .kind = ARGUMENT_NUMBER, .max = UINT64_MAX, .value_name = "ID", .help = "Job"},
};

static const struct verb cancel_verb = {
    .subject = "",
    .name = "cancel",
    .flags = VERB_READS | VERB_STREAMS | VERB_HIDDEN,
    .summary = "Ask another process to stop a job",
    .arguments = cancel_arguments,
    .argument_count = array_length(cancel_arguments),
    .run = run_cancel,
};

/* Takes the command over. What cannot even start is said in the log. */
static bool start(struct engine *engine, struct command *command)
{
    uint64_t id;
    struct error err = {0};
    struct job *job = job_new(command);
    job->is_internal = true;
    bool is_started = engine_start_job(engine, job, &id, &err);
    if (!is_started) {
        state_log(engine->state, LOG_WARNING, "%s", err.text);
    }
    return is_started;
}

static void start_listing(struct engine *engine, const struct verb *verb)
{
    if (!start(engine, command_new(verb))) {
        atomic_store(&engine->is_refreshing, false);
    }
}

void housekeeping_reconcile(struct engine *engine)
{
    atomic_store(&engine->is_refreshing, true);
    start_listing(engine, &reconcile_verb);
}

void housekeeping_refresh(struct engine *engine)
{
    if (!atomic_exchange(&engine->is_refreshing, true)) {
        start_listing(engine, &refresh_verb);
    }
}

void housekeeping_tend(struct engine *engine)
{
    if (!atomic_exchange(&engine->is_tending, true) && !start(engine, command_new(&tend_verb))) {
        atomic_store(&engine->is_tending, false);
    }
}

void housekeeping_tell_queue(struct engine *engine, bool is_new)
{
    if (!is_new && !atomic_load(&engine->has_queue)) {
        return;
    }
    atomic_store(&engine->is_queue_changed, true);
    if (!atomic_exchange(&engine->is_telling, true) && !start(engine, command_new(&tell_verb))) {
        atomic_store(&engine->is_telling, false);
    }
}

void housekeeping_cancel(struct engine *engine, uint64_t id)
{
    auto_free char *word = memory_printf("%" PRIu64, id);
    struct command *command = command_new(&cancel_verb);
    struct error ignored = {0};
    command_set(command, "id", word, &ignored);
    start(engine, command);
}
