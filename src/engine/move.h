/* SPDX-License-Identifier: MIT */
#pragma once

/* Where a job that waits goes among those of its queue. */

enum engine_move {
    ENGINE_MOVE_FIRST, /* the next one to begin */
    ENGINE_MOVE_LAST,
    ENGINE_MOVE_SOONER, /* past the one before it */
    ENGINE_MOVE_LATER,
    ENGINE_MOVE_BEFORE, /* in front of another one */
};
#define ENGINE_MOVE_COUNT 5
