/* SPDX-License-Identifier: MIT */
#pragma once

/* jobs/<id>.json: what other processes see of a change that runs here (FORMATS, "Places"). Written
 * when the job starts, a few times a second while it moves, removed when it ends. Not durable: a
 * file whose process is gone is debris that the next reader removes. `jobs` is a descriptor of the
 * directory. Workers and the watcher. */

#include "base/digest.h"
#include "base/process.h"
#include "base/progress.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct json;
struct section;

struct job_file {
    uint64_t id;
    const char *command; /* as a batch line */
    const char *object;  /* "kernel/debian"; "" for none */
    struct process_identity process;
    enum progress_phase phase;
    enum progress_unit unit;
    uint64_t done;
    uint64_t total;    /* 0: not known */
    uint64_t rate;     /* units a second; 0: not known */
    uint32_t permille; /* of the whole job */
    bool has_expected; /* content is proved against this digest */
    struct digest expected;
    int64_t started_at; /* wall; 0: it waits */
    const char *note;   /* what it says of itself, "waiting for kernel pull lab (pid 12)"; "" */
    /* One that waits for its turn is not in a file of its own, but in its process's (job_queue.h). */
    size_t place;          /* among those of its queue, from 1; 0: it runs */
    size_t places;         /* how many there are in it */
    const char *queue;     /* "transfer" or "local" */
    const char *waits_for; /* the command before it, or those that run; "" */
    const char *login;     /* whose process it is, and from which terminal; "" for not known */
    const char *terminal;
    /* The process watches this directory: a file <id>.cancel stops just this job. Otherwise it has
     * only this one, and SIGINT stops it, or SIGTERM where that is ignored. */
    bool is_watched;
};

bool job_file_write(int jobs, const struct job_file *file, struct error *err);
void job_file_remove(int jobs, uint64_t id);
/* All live jobs, those of this process too, as a section of struct job_file: what runs by id, then
 * what waits in the order it will begin; files of dead processes are removed unless is_readonly.
 * NULL on failure. */
struct section *job_file_list(int jobs, bool is_readonly, struct error *err);
/* Removes what processes that are gone left there: also what they were writing when they were
 * killed, and requests to stop that nobody will read. */
void job_file_sweep(int jobs);
/* Asks the process that runs the job, or holds it in its queue, to stop it, after the identity check.
 * ERROR_NOT_FOUND. */
bool job_file_cancel(int jobs, uint64_t id, struct error *err);

/* For job_queue.c: whose a file is, into and out of its JSON. */
void job_file_put_owner(struct json *json, const struct job_file *file);
void job_file_read_owner(
    const struct json *json, struct section *strings, struct job_file *file, bool *is_alive);
