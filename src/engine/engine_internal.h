/* SPDX-License-Identifier: MIT */
#pragma once

/* The engine from inside: for engine.c, job.c, ops.c, housekeeping.c and tests. */

#include "base/process.h"
#include "engine/change_log.h"
#include "engine/engine.h"
#include "engine/move.h"
#include "store/config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct job;
struct json;
struct ops;
struct state;
struct store;
struct watcher;
struct workers;

/* What can be read again, as bits. */
enum subject {
    SUBJECT_OFFERS = 1 << 0,
    SUBJECT_KERNELS = 1 << 1,
    SUBJECT_IMAGES = 1 << 2,
    SUBJECT_VMS = 1 << 3,
    SUBJECT_HOST = 1 << 4,
    SUBJECT_JOBS = 1 << 5, /* of other processes */
    SUBJECT_NEWS = 1 << 6, /* of other seats */
    SUBJECT_ALL = (1 << 7) - 1,
    SUBJECT_FIGURES = 1 << 7, /* of running VMs; a part of SUBJECT_VMS */
};
#define SUBJECT_COUNT 8

/* What housekeeping calls; the real ones are in ops.h. */
struct engine_hooks {
    bool (*sweep)(struct ops *ops, struct error *err);
    bool (*refresh_offers)(struct ops *ops, struct error *err);
    bool (*complete_offers)(struct ops *ops, struct error *err); /* NULL: nothing takes its time */
    bool (*refresh_kernels)(struct ops *ops, struct error *err);
    bool (*refresh_images)(struct ops *ops, struct error *err);
    bool (*refresh_vms)(struct ops *ops, struct error *err);
    bool (*refresh_figures)(struct ops *ops, struct error *err); /* NULL: no figures */
    bool (*refresh_host)(struct ops *ops, struct error *err);
};

/* How jobs ended, for other front ends (history.c). */
struct history {
    pthread_mutex_t mutex;
    char *known;      /* lines that were read from the file, or written to it; NULL: none */
    uint64_t version; /* of the file, when it was read last */
};

struct engine {
    struct engine_config config; /* strings are owned */
    struct config settings;
    struct store *store;
    struct json *kept;    /* of the front end, by key; main thread */
    bool has_kept;        /* something was kept since the start, and may be written */
    bool is_kept_foreign; /* a newer program's: left alone */
    struct history history;
    struct state *state;
    struct workers *workers;
    struct watcher *watcher; /* NULL when not watching */
    struct engine_hooks hooks;
    atomic_uint dirty;            /* subjects to read again */
    atomic_bool is_refreshing;    /* a job does that now */
    atomic_bool has_queue;        /* others may have to be told what waits here */
    atomic_bool is_queue_changed; /* since it was told */
    atomic_bool is_telling;       /* a job does that now */
    atomic_bool is_tending;       /* a job is about to look for machines without a monitor */
    atomic_bool has_swept;        /* when not watching: the first change did it */
    atomic_bool is_apt_unasked;   /* about packages in the catalogs as they were listed last */
    struct change_mark news_mark; /* up to where other seats' changes were told; for listing jobs */
    bool has_news_mark;
    char *complaints[SUBJECT_COUNT]; /* of the last listings; for that job only */
};

/* Fills the ops of one job. */
void engine_fill_ops(struct engine *engine, struct job *job, struct ops *ops);
/* Puts a job on its way: into the list, then to its lane. Takes it over. */
bool engine_start_job(struct engine *engine, struct job *job, uint64_t *id, struct error *err);

/* Asks a job of this process to stop; false when there is none, or it has ended. Any thread. */
bool engine_cancel_own(struct engine *engine, uint64_t id);
/* Moves a job that waits among those of its queue; *is_moved: it was not there already.
 * ERROR_NOT_FOUND when it does not wait here, ERROR_INVALID when `before` waits in another queue. Any
 * thread. */
bool engine_move(struct engine *engine, uint64_t id, enum engine_move move, uint64_t before,
    bool *is_moved, struct error *err);

/* housekeeping.c. The job at start: lists everything, each subject once it is watched, sets
 * is_reconciled, then does what nobody who opens a screen waits for: asks apt, sweeps. The
 * watcher's thread, once its first watches are set. */
void housekeeping_reconcile(struct engine *engine);
/* Without a reconcile job (one-shot commands), the first job that changes something sweeps before
 * it begins. In a worker. */
void housekeeping_sweep_once(struct ops *ops);
/* A machine lost its monitor: starts a job that settles such, unless one is under way. Any thread. */
void housekeeping_tend(struct engine *engine);
/* Starts a job that reads what is dirty again, unless one is under way. The watcher's thread. */
void housekeeping_refresh(struct engine *engine);
/* What waits here, or its order, has changed: tells other processes by a job of its own, unless
 * nothing waits. is_new: something waits since now. Any thread. */
void housekeeping_tell_queue(struct engine *engine, bool is_new);
/* Asks another process to stop a job of its own: that is file work, not for the front end's
 * thread. */
void housekeeping_cancel(struct engine *engine, uint64_t id);
