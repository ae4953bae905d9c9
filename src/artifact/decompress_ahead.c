/* SPDX-License-Identifier: MIT */
#include "artifact/decompress_ahead.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"

#define BLOCK_BYTES ((size_t)256 << 10)
#define BLOCKS 4
/* Less than that is not worth a thread. */
#define WORTH_BYTES ((uint64_t)1 << 20)

struct block {
    uint8_t *bytes;
    ssize_t len; /* as decompress_read gave it */
    uint64_t total_in, total_out;
};

struct decompress_ahead {
    struct decompress *decompress;
    struct error err; /* with the block that has no bytes for it */
    struct block blocks[BLOCKS];
    const struct block *current; /* in the owner's hands */
    uint64_t total_in, total_out;

    bool has_thread;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t change;
    uint64_t made, taken; /* of all blocks; behind taken come those that are the owner's to read */
    bool is_stopped;
};

/* False when nothing comes behind it. */
static bool fill(struct decompress_ahead *ahead, struct block *block)
{
    block->len = decompress_read(ahead->decompress, block->bytes, BLOCK_BYTES, &ahead->err);
    block->total_in = decompress_total_in(ahead->decompress);
    block->total_out = decompress_total_out(ahead->decompress);
    return block->len > 0;
}

static void *fill_all(void *context)
{
    struct decompress_ahead *ahead = context;
    bool has_more = true;
    pthread_mutex_lock(&ahead->lock);
    while (has_more && !ahead->is_stopped) {
        if (ahead->made - ahead->taken == BLOCKS) {
            pthread_cond_wait(&ahead->change, &ahead->lock);
            continue;
        }
        struct block *block = &ahead->blocks[ahead->made % BLOCKS];
        pthread_mutex_unlock(&ahead->lock);
        has_more = fill(ahead, block);
        pthread_mutex_lock(&ahead->lock);
        ahead->made++;
        pthread_cond_signal(&ahead->change);
    }
    pthread_mutex_unlock(&ahead->lock);
    return NULL;
}

struct decompress_ahead *decompress_ahead_new(struct decompress *decompress, uint64_t packed_bytes)
{
    struct decompress_ahead *ahead = memory_zero(1, sizeof *ahead);
    bool is_worth_it = packed_bytes >= WORTH_BYTES;
    ahead->decompress = decompress;
    for (size_t i = 0; i < (is_worth_it ? BLOCKS : 1); i++) {
        ahead->blocks[i].bytes = memory_alloc(BLOCK_BYTES);
    }
    pthread_mutex_init(&ahead->lock, NULL);
    pthread_cond_init(&ahead->change, NULL);
    ahead->has_thread = is_worth_it && pthread_create(&ahead->thread, NULL, fill_all, ahead) == 0;
    return ahead;
}

void decompress_ahead_free(struct decompress_ahead *ahead)
{
    if (ahead == NULL) {
        return;
    }
    if (ahead->has_thread) {
        pthread_mutex_lock(&ahead->lock);
        ahead->is_stopped = true;
        pthread_cond_signal(&ahead->change);
        pthread_mutex_unlock(&ahead->lock);
        pthread_join(ahead->thread, NULL);
    }
    pthread_cond_destroy(&ahead->change);
    pthread_mutex_destroy(&ahead->lock);
    decompress_free(ahead->decompress);
    for (size_t i = 0; i < BLOCKS; i++) {
        free(ahead->blocks[i].bytes);
    }
    free(ahead);
}

/* Gives the block back that was handed out last, and waits for the next one. */
static const struct block *wait_for_block(struct decompress_ahead *ahead)
{
    pthread_mutex_lock(&ahead->lock);
    if (ahead->current != NULL) {
        ahead->taken++;
        pthread_cond_signal(&ahead->change);
    }
    while (ahead->made == ahead->taken) {
        pthread_cond_wait(&ahead->change, &ahead->lock);
    }
    pthread_mutex_unlock(&ahead->lock);
    return &ahead->blocks[ahead->taken % BLOCKS];
}

ssize_t decompress_ahead_next(
    struct decompress_ahead *ahead, const uint8_t **bytes, struct error *err)
{
    bool is_over = ahead->current != NULL && ahead->current->len <= 0;
    if (!is_over && ahead->has_thread) {
        ahead->current = wait_for_block(ahead);
    } else if (!is_over) {
        fill(ahead, &ahead->blocks[0]);
        ahead->current = &ahead->blocks[0];
    }
    ahead->total_in = ahead->current->total_in;
    ahead->total_out = ahead->current->total_out;
    *bytes = ahead->current->bytes;
    if (ahead->current->len < 0) {
        *err = ahead->err;
    }
    return ahead->current->len;
}

uint64_t decompress_ahead_in(const struct decompress_ahead *ahead)
{
    return ahead->total_in;
}

uint64_t decompress_ahead_out(const struct decompress_ahead *ahead)
{
    return ahead->total_out;
}
