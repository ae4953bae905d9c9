/* SPDX-License-Identifier: MIT */
#include "engine/workers.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/error.h"
#include "base/memory.h"

struct item {
    struct item *next;
    void *item;
};

struct worker;

struct queue {
    struct workers *workers;
    struct item *first;
    struct item **last;
    unsigned limit;   /* threads it may have */
    unsigned lent;    /* beyond the limit, while some wait */
    unsigned threads; /* that serve it now */
    unsigned idle;    /* of these, waiting for an item */
    unsigned busy;    /* of these, running one */
    unsigned queued;
    pthread_cond_t ready;
};

/* A thread: of a lane, or with one item of its own. */
struct worker {
    struct worker *next;
    struct workers *workers;
    struct queue *queue; /* NULL: its own item */
    void *item;
    pthread_t thread;
    bool is_over; /* it will not touch anything any more: can be joined without waiting */
};

struct workers {
    pthread_mutex_t mutex;
    void (*run)(void *item);
    struct queue lanes[LANE_COUNT];
    struct worker *threads;
    pthread_cond_t ended; /* one of them is over */
    bool is_stopping;
};

struct workers *workers_new(unsigned local, unsigned transfer, void (*run)(void *item))
{
    struct workers *workers = memory_zero(1, sizeof(*workers));
    pthread_mutex_init(&workers->mutex, NULL);
    pthread_cond_init(&workers->ended, NULL);
    workers->run = run;
    for (size_t i = 0; i < LANE_COUNT; i++) {
        struct queue *queue = &workers->lanes[i];
        queue->workers = workers;
        queue->last = &queue->first;
        queue->limit = i == LANE_LOCAL ? local : transfer;
        pthread_cond_init(&queue->ready, NULL);
    }
    return workers;
}

static void *take_first(struct queue *queue)
{
    struct item *first = queue->first;
    void *item = first->item;
    queue->first = first->next;
    queue->last = queue->first ? queue->last : &queue->first;
    queue->queued--;
    free(first);
    return item;
}

/* Serves the lane until the program ends or the lane has too many threads. Locked at both ends. */
static void serve(struct workers *workers, struct queue *queue)
{
    while (queue->threads <= queue->limit + queue->lent) {
        if (queue->first) {
            void *item = take_first(queue);
            queue->busy++;
            pthread_mutex_unlock(&workers->mutex);
            workers->run(item);
            pthread_mutex_lock(&workers->mutex);
            queue->busy--;
        } else if (workers->is_stopping) {
            return;
        } else {
            queue->idle++;
            pthread_cond_wait(&queue->ready, &workers->mutex);
            queue->idle--;
        }
    }
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    struct workers *workers = worker->workers;
    if (!worker->queue) {
        workers->run(worker->item);
        pthread_mutex_lock(&workers->mutex);
    } else {
        pthread_mutex_lock(&workers->mutex);
        serve(workers, worker->queue);
        worker->queue->threads--;
        /* If this one was woken for an item and leaves, another one has to come for it. */
        pthread_cond_signal(&worker->queue->ready);
    }
    worker->is_over = true;
    pthread_cond_signal(&workers->ended);
    pthread_mutex_unlock(&workers->mutex);
    return NULL;
}

/* Joins threads that are over. Locked; they need the lock no more. */
static void reap(struct workers *workers)
{
    struct worker **link = &workers->threads;
    while (*link) {
        struct worker *worker = *link;
        if (worker->is_over) {
            *link = worker->next;
            pthread_join(worker->thread, NULL);
            free(worker);
        } else {
            link = &worker->next;
        }
    }
}

/* Locked. The new thread inherits a mask with every signal blocked. */
static bool start(struct workers *workers, struct queue *queue, void *item, struct error *err)
{
    reap(workers);
    struct worker *worker = memory_zero(1, sizeof(*worker));
    worker->workers = workers;
    worker->queue = queue;
    worker->item = item;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&worker->thread, NULL, worker_main, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure) {
        free(worker);
        return error_set(err, ERROR_BUSY,
            "the system refuses another thread: raise the limit of processes (ulimit -u)");
    }
    worker->next = workers->threads;
    workers->threads = worker;
    if (queue) {
        queue->threads++;
    }
    return true;
}

/* Sees to it that somebody takes what is queued. Locked. */
static bool staff(struct workers *workers, struct queue *queue, struct error *err)
{
    if (queue->idle) {
        pthread_cond_signal(&queue->ready);
    }
    if (queue->queued <= queue->idle || queue->threads >= queue->limit + queue->lent) {
        return true;
    }
    /* With one thread there the queue moves on, even if it could move faster. */
    return start(workers, queue, NULL, err) || queue->threads > 0;
}

bool workers_submit(struct workers *workers, enum lane lane, void *item, struct error *err)
{
    struct queue *queue = &workers->lanes[lane];
    struct item *link = memory_zero(1, sizeof(*link));
    link->item = item;
    pthread_mutex_lock(&workers->mutex);
    *queue->last = link;
    queue->last = &link->next;
    queue->queued++;
    struct error failure = {0};
    bool is_staffed = staff(workers, queue, &failure);
    if (!is_staffed) {
        /* Nobody serves the lane, so it is the only one in there. */
        take_first(queue);
        *err = failure;
    }
    pthread_mutex_unlock(&workers->mutex);
    return is_staffed;
}

/* Takes the item behind `link` out. Locked. */
static struct item *unlink_item(struct queue *queue, struct item **link)
{
    struct item *item = *link;
    *link = item->next;
    queue->last = item->next ? queue->last : link;
    return item;
}

/* Puts it where `link` points. Locked. */
static void link_item(struct queue *queue, struct item **link, struct item *item)
{
    item->next = *link;
    *link = item;
    queue->last = item->next ? queue->last : &item->next;
}

/* Where the link stands that points at the item; at the end of the queue when it does not wait. */
static struct item **find_link(struct queue *queue, const void *item)
{
    struct item **link = &queue->first;
    while (*link && (*link)->item != item) {
        link = &(*link)->next;
    }
    return link;
}

/* The link of the one before that which `link` points at. */
static struct item **link_before(struct queue *queue, struct item **link)
{
    struct item **before = &queue->first;
    while (&(*before)->next != link) {
        before = &(*before)->next;
    }
    return before;
}

/* Where an item that waits is to go, as the link that shall point at it; NULL when it is there
 * already, or there is no such place. */
static struct item **place_to_go(
    struct queue *queue, struct item **link, enum engine_move move, const void *other)
{
    struct item *item = *link;
    struct item **to = NULL;
    switch (move) {
    case ENGINE_MOVE_FIRST:
        return link != &queue->first ? &queue->first : NULL;
    case ENGINE_MOVE_SOONER:
        return link != &queue->first ? link_before(queue, link) : NULL;
    case ENGINE_MOVE_LATER:
        return item->next ? &item->next->next : NULL;
    case ENGINE_MOVE_LAST:
        return item->next ? queue->last : NULL;
    case ENGINE_MOVE_BEFORE:
        to = find_link(queue, other);
        return *to && *to != item && to != &item->next ? to : NULL;
    }
    return NULL;
}

bool workers_move(struct workers *workers, enum lane lane, const void *item, enum engine_move move,
    const void *other)
{
    struct queue *queue = &workers->lanes[lane];
    pthread_mutex_lock(&workers->mutex);
    struct item **link = find_link(queue, item);
    struct item **to = *link ? place_to_go(queue, link, move, other) : NULL;
    if (to) {
        struct item *next = *to;
        struct item *found = unlink_item(queue, link);
        struct item **place = next ? find_link(queue, next->item) : queue->last;
        link_item(queue, place, found);
    }
    pthread_mutex_unlock(&workers->mutex);
    return to != NULL;
}

bool workers_are_busy(struct workers *workers, enum lane lane)
{
    struct queue *queue = &workers->lanes[lane];
    pthread_mutex_lock(&workers->mutex);
    bool are_busy = queue->queued > queue->threads - queue->busy;
    pthread_mutex_unlock(&workers->mutex);
    return are_busy;
}

bool workers_spawn(struct workers *workers, void *item, struct error *err)
{
    pthread_mutex_lock(&workers->mutex);
    bool is_started = start(workers, NULL, item, err);
    pthread_mutex_unlock(&workers->mutex);
    return is_started;
}

void workers_lend(struct workers *workers, enum lane lane)
{
    struct queue *queue = &workers->lanes[lane];
    struct error ignored = {0};
    pthread_mutex_lock(&workers->mutex);
    queue->lent++;
    staff(workers, queue, &ignored);
    pthread_mutex_unlock(&workers->mutex);
}

void workers_return(struct workers *workers, enum lane lane)
{
    struct queue *queue = &workers->lanes[lane];
    pthread_mutex_lock(&workers->mutex);
    queue->lent--;
    /* One that is idle now is one too many. */
    pthread_cond_signal(&queue->ready);
    pthread_mutex_unlock(&workers->mutex);
}

static bool are_over(const struct workers *workers)
{
    for (const struct worker *worker = workers->threads; worker; worker = worker->next) {
        if (!worker->is_over) {
            return false;
        }
    }
    return true;
}

bool workers_stop(struct workers *workers, uint64_t deadline_ms)
{
    struct timespec until = {
        .tv_sec = (time_t)(deadline_ms / 1000), .tv_nsec = (long)(deadline_ms % 1000) * 1000000};
    int failure = 0;
    pthread_mutex_lock(&workers->mutex);
    workers->is_stopping = true;
    for (size_t i = 0; i < LANE_COUNT; i++) {
        pthread_cond_broadcast(&workers->lanes[i].ready);
    }
    while (failure == 0 && !are_over(workers)) {
        failure = deadline_ms == 0 ? pthread_cond_wait(&workers->ended, &workers->mutex)
                                   : pthread_cond_clockwait(
                                         &workers->ended, &workers->mutex, CLOCK_MONOTONIC, &until);
    }
    reap(workers);
    bool is_over = workers->threads == NULL;
    pthread_mutex_unlock(&workers->mutex);
    return is_over;
}

void workers_free(struct workers *workers)
{
    if (!workers) {
        return;
    }
    for (size_t i = 0; i < LANE_COUNT; i++) {
        pthread_cond_destroy(&workers->lanes[i].ready);
    }
    pthread_cond_destroy(&workers->ended);
    pthread_mutex_destroy(&workers->mutex);
    free(workers);
}
