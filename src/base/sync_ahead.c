/* SPDX-License-Identifier: MIT */
#include "base/sync_ahead.h"

#include "base/memory.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

/* Less is not worth a turn of the disk. */
#define STEP_BYTES ((uint64_t)32 << 20)

struct sync_ahead {
    int dir;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock;
    pthread_cond_t change;
    uint64_t waiting_bytes;
    bool is_over;
};

static void *sync_on(void *context)
{
    struct sync_ahead *ahead = context;
    pthread_mutex_lock(&ahead->lock);
    while (!ahead->is_over) {
        if (ahead->waiting_bytes < STEP_BYTES) {
            pthread_cond_wait(&ahead->change, &ahead->lock);
            continue;
        }
        ahead->waiting_bytes = 0;
        pthread_mutex_unlock(&ahead->lock);
        syncfs(ahead->dir);
        pthread_mutex_lock(&ahead->lock);
    }
    pthread_mutex_unlock(&ahead->lock);
    return NULL;
}

struct sync_ahead *sync_ahead_new(int dir)
{
    int own = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (own < 0) {
        return NULL;
    }
    struct sync_ahead *ahead = memory_zero(1, sizeof *ahead);
    ahead->dir = own;
    pthread_mutex_init(&ahead->lock, NULL);
    pthread_cond_init(&ahead->change, NULL);
    return ahead;
}

void sync_ahead_add(struct sync_ahead *ahead, uint64_t bytes)
{
    if (ahead == NULL) {
        return;
    }
    pthread_mutex_lock(&ahead->lock);
    ahead->waiting_bytes += bytes;
    bool is_due = ahead->waiting_bytes >= STEP_BYTES;
    if (is_due && !ahead->has_thread) {
        ahead->has_thread = pthread_create(&ahead->thread, NULL, sync_on, ahead) == 0;
    } else if (is_due) {
        pthread_cond_signal(&ahead->change);
    }
    pthread_mutex_unlock(&ahead->lock);
}

void sync_ahead_free(struct sync_ahead *ahead)
{
    if (ahead == NULL) {
        return;
    }
    pthread_mutex_lock(&ahead->lock);
    ahead->is_over = true;
    pthread_cond_signal(&ahead->change);
    pthread_mutex_unlock(&ahead->lock);
    if (ahead->has_thread) {
        pthread_join(ahead->thread, NULL);
    }
    pthread_cond_destroy(&ahead->change);
    pthread_mutex_destroy(&ahead->lock);
    close(ahead->dir);
    free(ahead);
}

void sync_ahead_auto_free(struct sync_ahead **ahead)
{
    sync_ahead_free(*ahead);
}
