/* SPDX-License-Identifier: MIT */
#include "engine/workers.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/memory.h"

/* A piece of work that waits until the test lets it go on. */
struct work {
    void (*action)(struct work *work);
    struct workers *workers;
    struct work *next;
    sem_t begun, go, done;
    atomic_int runs;
    int order;
};

static atomic_int clock_hand;

static void work_init(struct work *work, struct workers *workers)
{
    *work = (struct work){.workers = workers};
    sem_init(&work->begun, 0, 0);
    sem_init(&work->go, 0, 0);
    sem_init(&work->done, 0, 0);
}

static void run(void *item)
{
    struct work *work = item;
    atomic_fetch_add(&work->runs, 1);
    work->order = atomic_fetch_add(&clock_hand, 1);
    sem_post(&work->begun);
    if (work->action) {
        work->action(work);
    } else {
        sem_wait(&work->go);
    }
    sem_post(&work->done);
}

static void submit(struct work *work, enum lane lane)
{
    struct error err = {0};
    assert_true(workers_submit(work->workers, lane, work, &err));
}

static void finish(struct work *work)
{
    sem_post(&work->go);
    sem_wait(&work->done);
}

static void lanes_do_not_hold_each_other_up(void **state)
{
    (void)state;
    struct workers *workers = workers_new(1, 4, run);
    struct work hung[4], queued, local;
    for (size_t i = 0; i < array_length(hung); i++) {
        work_init(&hung[i], workers);
        submit(&hung[i], LANE_TRANSFER);
        sem_wait(&hung[i].begun);
    }
    work_init(&queued, workers);
    submit(&queued, LANE_TRANSFER);
    work_init(&local, workers);
    submit(&local, LANE_LOCAL);
    sem_wait(&local.begun);
    finish(&local);
    assert_int_equal(queued.runs, 0);
    for (size_t i = 0; i < array_length(hung); i++) {
        sem_post(&hung[i].go);
    }
    sem_post(&queued.go);
    assert_true(workers_stop(workers, 0));
    assert_int_equal(queued.runs, 1);
    workers_free(workers);
}

static void a_lane_of_one_keeps_the_order(void **state)
{
    (void)state;
    struct workers *workers = workers_new(1, 1, run);
    struct work works[20];
    for (size_t i = 0; i < array_length(works); i++) {
        work_init(&works[i], workers);
        sem_post(&works[i].go);
        submit(&works[i], LANE_LOCAL);
    }
    assert_true(workers_stop(workers, 0));
    for (size_t i = 1; i < array_length(works); i++) {
        assert_int_equal(works[i].runs, 1);
        assert_true(works[i].order > works[i - 1].order);
    }
    workers_free(workers);
}

static void own_threads_are_never_queued(void **state)
{
    (void)state;
    struct workers *workers = workers_new(1, 1, run);
    struct work works[12];
    struct error err = {0};
    for (size_t i = 0; i < array_length(works); i++) {
        work_init(&works[i], workers);
        assert_true(workers_spawn(workers, &works[i], &err));
    }
    for (size_t i = 0; i < array_length(works); i++) {
        sem_wait(&works[i].begun);
    }
    for (size_t i = 0; i < array_length(works); i++) {
        finish(&works[i]);
    }
    assert_true(workers_stop(workers, 0));
    workers_free(workers);
}

/* Waits for work that stands behind it in the same lane of one thread. */
static void wait_for_next(struct work *work)
{
    struct error err = {0};
    workers_submit(work->workers, LANE_LOCAL, work->next, &err);
    workers_lend(work->workers, LANE_LOCAL);
    sem_wait(&work->next->done);
    workers_return(work->workers, LANE_LOCAL);
}

static void a_worker_that_waits_lends_its_place(void **state)
{
    (void)state;
    struct workers *workers = workers_new(1, 1, run);
    struct work chain[5];
    for (size_t i = 0; i < array_length(chain); i++) {
        work_init(&chain[i], workers);
        bool is_last = i + 1 == array_length(chain);
        chain[i].action = is_last ? NULL : wait_for_next;
        chain[i].next = is_last ? NULL : &chain[i + 1];
    }
    sem_post(&chain[array_length(chain) - 1].go);
    submit(&chain[0], LANE_LOCAL);
    sem_wait(&chain[0].done);
    /* All are back: one thread again, so two pieces of work do not run at once. */
    struct work first, second;
    work_init(&first, workers);
    work_init(&second, workers);
    submit(&first, LANE_LOCAL);
    sem_wait(&first.begun);
    submit(&second, LANE_LOCAL);
    sem_post(&second.go);
    assert_int_equal(sem_trywait(&second.begun), -1);
    finish(&first);
    sem_wait(&second.done);
    assert_true(workers_stop(workers, 0));
    workers_free(workers);
}

static void note_mask(struct work *work)
{
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    bool is_blocked = sigismember(&mask, SIGINT) && sigismember(&mask, SIGTERM) &&
                      sigismember(&mask, SIGWINCH) && sigismember(&mask, SIGCHLD);
    work->order = is_blocked;
}

static void signals_are_blocked_in_all_threads(void **state)
{
    (void)state;
    struct workers *workers = workers_new(1, 1, run);
    struct work local, own;
    struct error err = {0};
    work_init(&local, workers);
    work_init(&own, workers);
    local.action = own.action = note_mask;
    submit(&local, LANE_LOCAL);
    assert_true(workers_spawn(workers, &own, &err));
    assert_true(workers_stop(workers, 0));
    assert_true(local.order == 1 && own.order == 1);
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_false(sigismember(&mask, SIGINT));
    workers_free(workers);
}

static void stopping_runs_what_is_queued(void **state)
{
    (void)state;
    struct workers *workers = workers_new(2, 2, run);
    struct work works[100];
    for (size_t i = 0; i < array_length(works); i++) {
        work_init(&works[i], workers);
        sem_post(&works[i].go);
        submit(&works[i], i % 2 ? LANE_LOCAL : LANE_TRANSFER);
    }
    assert_true(workers_stop(workers, 0));
    for (size_t i = 0; i < array_length(works); i++) {
        assert_int_equal(works[i].runs, 1);
    }
    workers_free(workers);
    workers_free(NULL);
}

/* The place of a piece of work in the model, moved as asked for; false when it is there already. */
static bool move_in_model(
    struct work **model, size_t count, size_t at, enum engine_move move, size_t other)
{
    size_t to = at;
    switch (move) {
    case ENGINE_MOVE_FIRST:
        to = 0;
        break;
    case ENGINE_MOVE_LAST:
        to = count - 1;
        break;
    case ENGINE_MOVE_SOONER:
        to = at - 1;
        break;
    case ENGINE_MOVE_LATER:
        to = at + 1;
        break;
    case ENGINE_MOVE_BEFORE:
        to = other > at ? other - 1 : other;
        break;
    }
    if (at == to || to >= count) {
        return false;
    }
    struct work *moved = model[at];
    for (; at > to; at--) {
        model[at] = model[at - 1];
    }
    for (; at < to; at++) {
        model[at] = model[at + 1];
    }
    model[to] = moved;
    return true;
}

static void what_waits_is_moved(void **state)
{
    (void)state;
    struct workers *workers = workers_new(1, 1, run);
    struct work first, works[7], late;
    struct work *model[array_length(works)];
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    work_init(&first, workers);
    submit(&first, LANE_LOCAL);
    sem_wait(&first.begun);
    for (size_t i = 0; i < array_length(works); i++) {
        work_init(&works[i], workers);
        submit(&works[i], LANE_LOCAL);
        model[i] = &works[i];
    }
    for (int i = 0; i < 500; i++) {
        enum engine_move move = (enum engine_move)(rand_r(&seed) % ENGINE_MOVE_COUNT);
        size_t at = (size_t)rand_r(&seed) % array_length(works);
        size_t other = (size_t)rand_r(&seed) % array_length(works);
        struct work *moved = model[at];
        struct work *before = model[other];
        assert_false(workers_move(workers, LANE_TRANSFER, moved, move, before));
        bool is_moved = move_in_model(model, array_length(works), at, move, other);
        assert_int_equal(workers_move(workers, LANE_LOCAL, moved, move, before), is_moved);
    }
    work_init(&late, workers);
    submit(&late, LANE_LOCAL); /* the end of the queue is where it was */
    assert_true(workers_are_busy(workers, LANE_LOCAL) && !workers_are_busy(workers, LANE_TRANSFER));
    assert_false(workers_move(workers, LANE_LOCAL, &first, ENGINE_MOVE_FIRST, NULL));
    assert_false(workers_move(workers, LANE_LOCAL, &late, ENGINE_MOVE_BEFORE, &first));
    finish(&first);
    for (size_t i = 0; i < array_length(works); i++) {
        finish(model[i]);
    }
    finish(&late);
    assert_true(workers_stop(workers, 0));
    workers_free(workers);
    for (size_t i = 1; i < array_length(works); i++) {
        assert_true(model[i - 1]->order < model[i]->order);
    }
    assert_true(model[array_length(works) - 1]->order < late.order);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lanes_do_not_hold_each_other_up),
        cmocka_unit_test(what_waits_is_moved),
        cmocka_unit_test(a_lane_of_one_keeps_the_order),
        cmocka_unit_test(own_threads_are_never_queued),
        cmocka_unit_test(a_worker_that_waits_lends_its_place),
        cmocka_unit_test(signals_are_blocked_in_all_threads),
        cmocka_unit_test(stopping_runs_what_is_queued),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
