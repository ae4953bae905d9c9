/* SPDX-License-Identifier: MIT */
#include "base/parallel.h"

#include <pthread.h>
#include <stdbool.h>
#include <unistd.h>

#define THREADS_MOST 8

/* One thread's part: every step-th index. */
struct share {
    size_t first, step, count;
    void (*visit)(void *context, size_t index);
    void *context;
};

static void *work_off(void *argument)
{
    const struct share *share = argument;
    for (size_t i = share->first; i < share->count; i += share->step) {
        share->visit(share->context, i);
    }
    return NULL;
}

void parallel_each(
    size_t count, size_t worth, void (*visit)(void *context, size_t index), void *context)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t step = cores > 1 && count >= worth ? (size_t)cores : 1;
    step = step > THREADS_MOST ? THREADS_MOST : step;
    struct share shares[THREADS_MOST];
    pthread_t threads[THREADS_MOST];
    bool is_started[THREADS_MOST] = {false};
    for (size_t i = 0; i < step; i++) {
        shares[i] = (struct share){
            .first = i, .step = step, .count = count, .visit = visit, .context = context};
        is_started[i] = i > 0 && pthread_create(&threads[i], NULL, work_off, &shares[i]) == 0;
    }
    for (size_t i = 0; i < step; i++) {
        if (is_started[i]) {
            pthread_join(threads[i], NULL);
        } else {
            work_off(&shares[i]);
        }
    }
}
