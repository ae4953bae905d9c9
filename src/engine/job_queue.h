/* SPDX-License-Identifier: MIT */
#pragma once

/* jobs/<n>.queue: what waits for its turn in one process, in the order it will begin; n is the
 * process's number times STATE_JOB_STRIDE. One file, written at once when something was queued,
 * begun or moved, never while something merely goes on; not durable, and gone with what waited.
 * Another process asks for another order by an empty file jobs/<id>.move-WORD.<pid>, which the owner
 * takes away. `jobs` is a descriptor of the directory. Workers and the watcher. */

#include "engine/move.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cancel;
struct error;
struct job_file;
struct section;

#define JOB_QUEUE_ENDING ".queue"
#define JOB_QUEUE_MOVE ".move-"

/* Writes what waits in this process, a section of struct job_file; whose says whose they are. An
 * empty one takes the file away. */
bool job_queue_write(
    int jobs, const struct job_file *whose, const struct section *queued, struct error *err);
/* Adds what one file holds to the list, but for those of its first `running` entries, which have
 * begun meanwhile. Names of other files are passed over; one of a dead process is removed unless
 * is_readonly. */
void job_queue_list(
    int jobs, const char *name, bool is_readonly, size_t running, struct section *list);
/* One that waits, in whichever process; strings hold what it points to. */
bool job_queue_find(
    int jobs, uint64_t id, struct section *strings, struct job_file *file, bool *is_alive);
/* For one whose process takes no requests: ERROR_UNSUPPORTED, always false. */
bool job_queue_refuse(const struct job_file *file, struct error *err);

/* Asks the process that holds the job to move it, and waits until it did. *is_moved: it was not there
 * already. ERROR_NOT_FOUND when it does not wait, ERROR_BUSY when its process does not answer in
 * time. */
bool job_queue_move(int jobs, uint64_t id, enum engine_move move, uint64_t before, bool *is_moved,
    uint64_t timeout_ms, const struct cancel *cancel, struct error *err);
/* What the name of a request asks for: the rest of it behind the job's number. */
bool job_queue_read_move(const char *rest, enum engine_move *move, uint64_t *before);
