/* SPDX-License-Identifier: MIT */
#pragma once

/* A job as a sentence that stays true: what, bar, percent, bytes, rate, time left, and below it how
 * far the proof is; once it has ended, one line with what came of it. A boot shows its stages.
 * Main thread. */

#include "engine/snapshot.h"

#include <stdbool.h>

struct area;
struct frame;
struct table;

/* The rows of the table, which lists the jobs section, into the area. */
void jobs_draw(struct table *table, const struct snapshot *snapshot, struct frame *frame,
    struct area area, bool is_focused);
