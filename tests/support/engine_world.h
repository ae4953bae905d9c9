/* SPDX-License-Identifier: MIT */
#pragma once

/* An engine on a directory of its own, verbs that do what the test tells them, and waiting on what
 * its snapshots show. Header only; include cmocka's headers first. */

#include "base/cancel.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/progress.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/engine_internal.h"
#include "engine/ops.h"
#include "engine/snapshot.h"
#include "support/scratch.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

/* Nothing in these tests takes this long; what does is a failure. */
#define WORLD_PATIENCE_MS 60000

/* ---- verbs ---- */

/* What a fake verb does with the name it was given: it tells that it began and then waits until
 * it may go on or is cancelled. */
struct gate {
    const char *name;
    sem_t begun;
    int go[2]; /* a pipe: one byte per leave to go on */
    atomic_int runs;
    bool fails;
    bool is_deaf; /* to cancellation */
};

#define WORLD_GATES 16
static struct gate world_gates[WORLD_GATES];

/* A worker may ask for its gate while the test puts up another one. */
static pthread_mutex_t world_gates_lock = PTHREAD_MUTEX_INITIALIZER;

static inline struct gate *gate_of(const char *name)
{
    struct gate *found = NULL;
    pthread_mutex_lock(&world_gates_lock);
    for (size_t i = 0; i < WORLD_GATES && found == NULL; i++) {
        if (world_gates[i].name != NULL && strcmp(world_gates[i].name, name) == 0) {
            found = &world_gates[i];
        }
    }
    pthread_mutex_unlock(&world_gates_lock);
    return found;
}

static inline struct gate *gate_add(const char *name)
{
    int go[2];
    assert_int_equal(pipe2(go, O_CLOEXEC), 0);
    pthread_mutex_lock(&world_gates_lock);
    size_t i = 0;
    while (i < WORLD_GATES && world_gates[i].name != NULL) {
        i++;
    }
    assert_in_range(i, 0, WORLD_GATES - 1);
    struct gate *gate = &world_gates[i];
    *gate = (struct gate){.name = name, .go = {go[0], go[1]}};
    sem_init(&gate->begun, 0, 0);
    pthread_mutex_unlock(&world_gates_lock);
    return gate;
}

static inline void gates_clear(void)
{
    for (size_t i = 0; i < WORLD_GATES; i++) {
        if (world_gates[i].name != NULL) {
            sem_destroy(&world_gates[i].begun);
            close(world_gates[i].go[0]);
            close(world_gates[i].go[1]);
        }
        world_gates[i] = (struct gate){0};
    }
}

static inline void gate_open(struct gate *gate)
{
    assert_int_equal(write(gate->go[1], "g", 1), 1);
}

static inline void gate_wait(struct gate *gate)
{
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += WORLD_PATIENCE_MS / 1000;
    assert_int_equal(sem_timedwait(&gate->begun, &limit), 0);
}

/* A name without a gate is done at once. */
static inline bool gate_pass(struct ops *ops, const char *name, struct error *err)
{
    struct gate *gate = gate_of(name);
    if (gate == NULL) {
        return true;
    }
    atomic_fetch_add(&gate->runs, 1);
    sem_post(&gate->begun);
    struct pollfd polls[] = {
        {.fd = gate->go[0], .events = POLLIN},
        {.fd = gate->is_deaf ? -1 : cancel_fd(ops->cancel), .events = POLLIN},
    };
    while (poll(polls, 2, -1) < 0) {
    }
    if (polls[1].revents != 0) {
        cancel_check(ops->cancel, err);
        return false;
    }
    char leave;
    ssize_t got = read(gate->go[0], &leave, 1);
    (void)got;
    return !gate->fails || error_set(err, ERROR_IO, "%s failed as it was told", name);
}

static inline bool fake_run(struct ops *ops, struct json **result, struct error *err)
{
    const char *name = command_get(ops->command, "name");
    if (!gate_pass(ops, name, err)) {
        return false;
    }
    *result = json_new_object();
    json_put_string(*result, "name", name);
    json_put_string(*result, "done_by", command_verb(ops->command)->name);
    return true;
}

static const struct argument fake_arguments[] = {
    {.name = "name",
        .kind = ARGUMENT_NAME,
        .is_positional = true,
        .is_required = true,
        .value_name = "NAME",
        .help = "Name"},
    {.name = "word", .kind = ARGUMENT_WORD, .value_name = "WORD", .help = "Word"},
};

#define FAKE_VERB(the_subject, the_name, the_flags, the_run)                                       \
    {                                                                                              \
        .subject = (the_subject), .name = (the_name), .flags = (the_flags), .summary = "Fake",     \
        .arguments = fake_arguments, .argument_count = array_length(fake_arguments),               \
        .run = (the_run)                                                                           \
    }

static const struct verb fake_pull = FAKE_VERB("kernel", "pull", VERB_TRANSFERS, fake_run);
static const struct verb fake_change = FAKE_VERB("kernel", "change", 0, fake_run);
static const struct verb fake_read = FAKE_VERB("kernel", "read", VERB_READS, fake_run);
static const struct verb fake_stream =
    FAKE_VERB("vm", "exec", VERB_STREAMS | VERB_CARRIES, fake_run);

/* ---- housekeeping that only counts ---- */

struct refresh_counts {
    atomic_int sweep, offers, kernels, images, vms, figures, host;
    atomic_int under_way, together;
};
static struct refresh_counts world_counts;

static inline bool world_count(atomic_int *counter)
{
    if (atomic_fetch_add(&world_counts.under_way, 1) > 0) {
        atomic_fetch_add(&world_counts.together, 1);
    }
    atomic_fetch_add(counter, 1);
    atomic_fetch_sub(&world_counts.under_way, 1);
    return true;
}

#define WORLD_HOOK(field)                                                                          \
    static inline bool world_##field(struct ops *ops, struct error *err)                           \
    {                                                                                              \
        (void)ops;                                                                                 \
        (void)err;                                                                                 \
        return world_count(&world_counts.field);                                                   \
    }
WORLD_HOOK(sweep)
WORLD_HOOK(offers)
WORLD_HOOK(kernels)
WORLD_HOOK(images)
WORLD_HOOK(vms)
WORLD_HOOK(figures)
WORLD_HOOK(host)

/* Waits at the gate "apt", if there is one. */
static inline bool world_complete(struct ops *ops, struct error *err)
{
    return gate_pass(ops, "apt", err);
}

static const struct engine_hooks world_hooks = {
    .sweep = world_sweep,
    .refresh_offers = world_offers,
    .complete_offers = world_complete,
    .refresh_kernels = world_kernels,
    .refresh_images = world_images,
    .refresh_vms = world_vms,
    .refresh_figures = world_figures,
    .refresh_host = world_host,
};

/* ---- the world ---- */

struct world {
    char *dir;
    struct engine_config config;
    struct engine *engine;
};

/* Fields of config may be set between world_init and world_start. */
static inline void world_init(struct world *world)
{
    *world = (struct world){.dir = scratch_make()};
    memset(&world_counts, 0, sizeof world_counts);
    gates_clear();
    world->config = (struct engine_config){.state_dir = world->dir, .hooks = &world_hooks};
}

static inline void world_start(struct world *world)
{
    struct error err = {0};
    world->engine = engine_new(&world->config, &err);
    assert_fine(err);
    assert_non_null(world->engine);
}

static inline void world_done(struct world *world)
{
    engine_free(world->engine);
    gates_clear();
    scratch_remove(world->dir);
}

static inline struct command *world_command(
    const struct verb *verb, const char *name, const char *word)
{
    struct error err = {0};
    struct command *command = command_new(verb);
    assert_true(command_set(command, "name", name, &err));
    if (word != NULL) {
        assert_true(command_set(command, "word", word, &err));
    }
    return command;
}

static inline uint64_t world_submit(
    struct world *world, const struct verb *verb, const char *name, const char *word)
{
    struct error err = {0};
    uint64_t id = 0;
    bool is_submitted = engine_submit(world->engine, world_command(verb, name, word), &id, &err);
    assert_fine(err);
    assert_true(is_submitted);
    assert_int_not_equal(id, 0);
    return id;
}

static inline const struct job_item *snapshot_job(const struct snapshot *snapshot, uint64_t id)
{
    for (size_t i = 0; i < snapshot->jobs_count; i++) {
        if (snapshot->jobs[i].id == id) {
            return &snapshot->jobs[i];
        }
    }
    return NULL;
}

/* Waits until the engine shows what is asked for; the caller releases the snapshot. */
static inline const struct snapshot *world_await(struct world *world,
    bool (*is_there)(const struct snapshot *snapshot, const void *context), const void *context)
{
    uint64_t deadline_ms = clock_deadline(WORLD_PATIENCE_MS);
    for (;;) {
        const struct snapshot *snapshot = engine_snapshot(world->engine);
        if (is_there(snapshot, context)) {
            return snapshot;
        }
        engine_release(snapshot);
        struct pollfd bell = {.fd = engine_wake_fd(world->engine), .events = POLLIN};
        assert_int_not_equal(clock_left_ms(deadline_ms), 0);
        poll(&bell, 1, clock_left_ms(deadline_ms));
    }
}

static inline bool is_job_over(const struct snapshot *snapshot, const void *context)
{
    const struct job_item *job = snapshot_job(snapshot, *(const uint64_t *)context);
    return job != NULL && job_state_is_final(job->state);
}

static inline bool is_job_running(const struct snapshot *snapshot, const void *context)
{
    const struct job_item *job = snapshot_job(snapshot, *(const uint64_t *)context);
    return job != NULL && job->state == JOB_RUNNING;
}

static inline bool is_job_gone(const struct snapshot *snapshot, const void *context)
{
    return snapshot_job(snapshot, *(const uint64_t *)context) == NULL;
}

static inline bool is_store_listed(const struct snapshot *snapshot, const void *context)
{
    (void)context;
    return snapshot->is_reconciled;
}

/* Waits for the end and tells how it was. */
static inline enum job_state world_end(struct world *world, uint64_t id)
{
    const struct snapshot *snapshot = world_await(world, is_job_over, &id);
    enum job_state state = snapshot_job(snapshot, id)->state;
    engine_release(snapshot);
    return state;
}

static inline void world_await_once(struct world *world,
    bool (*is_there)(const struct snapshot *snapshot, const void *context), const void *context)
{
    engine_release(world_await(world, is_there, context));
}

/* For cmocka. */
static inline int watching_set_up(void **state)
{
    struct world *world = memory_zero(1, sizeof(*world));
    world_init(world);
    world->config.is_watching = true;
    *state = world;
    return 0;
}

static inline int world_tear_down(void **state)
{
    world_done(*state);
    free(*state);
    return 0;
}
