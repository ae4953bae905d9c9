/* SPDX-License-Identifier: MIT */
#pragma once

/* What this seat has removed and can take back from the trash, newest last. Main thread. */

#include <stddef.h>
#include <stdint.h>

struct command;
struct error;
struct job_item;
struct seat;

struct undo {
    struct undo_item *items;
    size_t count;
};

void undo_done(struct undo *undo);
/* The command that restores what has that id in the trash; NULL on failure. Caller frees. */
struct command *undo_command(const char *trash_id, struct error *err);
/* A job of this seat has ended well: if it put something into the trash, that is remembered, and
 * the operator is told how and until when it comes back. What one act removed comes back
 * together. */
void undo_remember(struct seat *seat, const struct job_item *job, uint64_t act);
/* Takes back what the newest act removed; when there is none, what the trash got last, after a
 * question. */
void undo_take_back(struct seat *seat);
