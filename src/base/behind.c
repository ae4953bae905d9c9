/* SPDX-License-Identifier: MIT */
#include "base/behind.h"

#include "base/error.h"
#include "base/memory.h"

#include <pthread.h>
#include <stdlib.h>

#define PIECES 4
/* Less is not worth a thread. */
#define WORTH_BYTES ((uint64_t)4 << 20)

struct piece {
    uint8_t *bytes;
    size_t len;
    uint64_t mark;
};

struct behind {
    behind_work *work;
    void *context;
    struct piece pieces[PIECES];
    uint64_t bytes; /* of those that the owner did itself */

    bool has_thread;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t change;
    uint64_t put, done; /* of all pieces; those from `done` on are the thread's */
    bool is_stopped;
    struct error err; /* the first failure */
};

struct behind *behind_new(size_t piece_bytes, behind_work *work, void *context)
{
    struct behind *behind = memory_zero(1, sizeof *behind);
    behind->work = work;
    behind->context = context;
    for (size_t i = 0; i < PIECES; i++) {
        behind->pieces[i].bytes = memory_alloc(piece_bytes);
    }
    pthread_mutex_init(&behind->lock, NULL);
    pthread_cond_init(&behind->change, NULL);
    return behind;
}

void behind_free(struct behind *behind)
{
    if (behind == NULL) {
        return;
    }
    pthread_mutex_lock(&behind->lock);
    behind->is_stopped = true;
    pthread_cond_broadcast(&behind->change);
    pthread_mutex_unlock(&behind->lock);
    if (behind->has_thread) {
        pthread_join(behind->thread, NULL);
    }
    pthread_cond_destroy(&behind->change);
    pthread_mutex_destroy(&behind->lock);
    for (size_t i = 0; i < PIECES; i++) {
        free(behind->pieces[i].bytes);
    }
    free(behind);
}

void behind_auto_free(struct behind **behind)
{
    behind_free(*behind);
}

static void *work_off(void *context)
{
    struct behind *behind = context;
    struct error err = {0};
    pthread_mutex_lock(&behind->lock);
    while (!behind->is_stopped) {
        if (behind->done == behind->put) {
            pthread_cond_wait(&behind->change, &behind->lock);
            continue;
        }
        const struct piece *piece = &behind->pieces[behind->done % PIECES];
        const bool is_wanted = behind->err.code == ERROR_NONE;
        pthread_mutex_unlock(&behind->lock);
        const bool has_failed = is_wanted && !behind->work(behind->context, piece->bytes,
                                                 piece->len, piece->mark, &err);
        pthread_mutex_lock(&behind->lock);
        if (has_failed) {
            behind->err = err;
        }
        behind->done++;
        pthread_cond_broadcast(&behind->change);
    }
    pthread_mutex_unlock(&behind->lock);
    return NULL;
}

/* Waits until no more than that many pieces are the thread's. */
static bool wait_for_room(struct behind *behind, uint64_t pieces, struct error *err)
{
    pthread_mutex_lock(&behind->lock);
    while (behind->put - behind->done > pieces) {
        pthread_cond_wait(&behind->change, &behind->lock);
    }
    const bool is_fine = behind->err.code == ERROR_NONE;
    if (!is_fine) {
        *err = behind->err;
    }
    pthread_mutex_unlock(&behind->lock);
    return is_fine;
}

/* There is no thread yet. */
static void do_here(struct behind *behind, const struct piece *piece)
{
    if (behind->err.code == ERROR_NONE) {
        behind->work(behind->context, piece->bytes, piece->len, piece->mark, &behind->err);
    }
    behind->bytes += piece->len;
    behind->has_thread = behind->bytes >= WORTH_BYTES &&
                         pthread_create(&behind->thread, NULL, work_off, behind) == 0;
}

uint8_t *behind_piece(struct behind *behind)
{
    return behind->pieces[behind->put % PIECES].bytes;
}

bool behind_put(struct behind *behind, size_t len, uint64_t mark, struct error *err)
{
    struct piece *piece = &behind->pieces[behind->put % PIECES];
    piece->len = len;
    piece->mark = mark;
    if (behind->has_thread) {
        pthread_mutex_lock(&behind->lock);
        behind->put++;
        pthread_cond_broadcast(&behind->change);
        pthread_mutex_unlock(&behind->lock);
    } else {
        do_here(behind, piece);
    }
    return wait_for_room(behind, PIECES - 1, err);
}

bool behind_wait(struct behind *behind, struct error *err)
{
    return wait_for_room(behind, 0, err);
}
