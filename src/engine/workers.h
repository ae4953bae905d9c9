/* SPDX-License-Identifier: MIT */
#pragma once

/* The engine's threads for work: two lanes with a queue each, transfers and local work, so that
 * transfers that hang never delay a stop or a boot; and a thread of its own for what streams or
 * waits. Threads start when they are needed, have all signals blocked, and are joined by
 * workers_stop. Every item that was handed in is passed to `run` exactly once. The lock in here
 * guards the queues only and is never held while anything runs. */

#include "engine/move.h"

#include <stdbool.h>
#include <stdint.h>

struct error;
struct workers;

enum lane { LANE_LOCAL, LANE_TRANSFER, LANE_COUNT };

struct workers *workers_new(unsigned local, unsigned transfer, void (*run)(void *item));
/* Waits for everything that was handed in; nobody may hand in more. False once the deadline (base/
 * clock.h) has passed and some still run: then there is no way to free what they use. */
bool workers_stop(struct workers *workers, uint64_t deadline_ms);
/* After workers_stop. NULL is accepted. */
void workers_free(struct workers *workers);

/* Hands an item to a lane. ERROR_LIMIT when the lane has no thread and can start none. */
bool workers_submit(struct workers *workers, enum lane lane, void *item, struct error *err);
/* Moves an item among those that wait in its lane; other is the one that ENGINE_MOVE_BEFORE means.
 * False when it, or that one, does not wait there any more, or when it is there already. */
bool workers_move(struct workers *workers, enum lane lane, const void *item, enum engine_move move,
    const void *other);
/* Some of what waits in the lane has no thread that is free to take it. */
bool workers_are_busy(struct workers *workers, enum lane lane);
/* Runs an item in a thread of its own. ERROR_LIMIT when there can be none. */
bool workers_spawn(struct workers *workers, void *item, struct error *err);

/* The calling worker of that lane is about to wait for another one's work, or to do work of the
 * other lane: until workers_return the lane may have one thread more. */
void workers_lend(struct workers *workers, enum lane lane);
void workers_return(struct workers *workers, enum lane lane);
