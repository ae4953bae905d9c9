/* SPDX-License-Identifier: MIT */
#pragma once

/* Locks between processes and between threads: flock(2) on locks/<kind>/<name> and locks/store.
 * The files are never deleted (deleting one re-opens the race it closes). Each lock_take opens the
 * file anew, so two threads of one process exclude each other like two processes do; descriptors
 * are close-on-exec, so no child carries a lock on.
 *
 * Order: locks of entries first (kernel before image before VM, then by name), the store's lock
 * last and only around a rename; never a wait for the network or an unpacking under it.
 *
 * Who holds a lock is written into its file as a hint for messages ({pid, start_time, what}); the
 * lock itself is the truth. Workers only: waiting blocks, bounded and cancellable. */

#include "store/layout.h"

#include <stdbool.h>
#include <stdint.h>

struct cancel;
struct error;
struct lock;
struct progress;

/* Takes the lock of one entry, which need not exist. purpose is a short phrase for those who have
 * to wait ("pull"). Waits at most timeout_ms (0: does not wait), saying so through progress once a
 * second; then ERROR_BUSY naming the holder. ERROR_CANCELLED when asked to stop. NULL on failure;
 * the caller releases. */
struct lock *lock_take(const struct store *store, enum store_kind kind, const char *name,
    const char *purpose, uint64_t timeout_ms, const struct progress *progress,
    const struct cancel *cancel, struct error *err);
/* Keeps the same entry from being made twice at the same time: held during slow work, and nobody
 * needs it to publish or to remove, so nothing but the same work ever waits for it. Taken before
 * the entry's own lock. Same rules. */
struct lock *lock_take_work(const struct store *store, enum store_kind kind, const char *name,
    const char *purpose, uint64_t timeout_ms, const struct cancel *cancel, struct error *err);
/* The lock around renames in the whole store. Same rules. */
struct lock *lock_take_store(const struct store *store, const char *purpose, uint64_t timeout_ms,
    const struct progress *progress, const struct cancel *cancel, struct error *err);
/* The lock of what machines have of this host's network: addresses, bridge, rules. Taken after the
 * locks of entries and before the store's. Same rules. */
struct lock *lock_take_network(const struct store *store, const char *purpose, uint64_t timeout_ms,
    const struct cancel *cancel, struct error *err);
/* NULL is accepted. */
void lock_release(struct lock *lock);
void lock_auto_release(struct lock **lock);
#define auto_lock __attribute__((cleanup(lock_auto_release)))
