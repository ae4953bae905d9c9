/* SPDX-License-Identifier: MIT */
#pragma once

/* The engine's door. Front ends see this header, command.h and snapshot.h, nothing below.
 *
 * State comes up as snapshots, commands go down; nobody calls back. All functions are for the
 * front end's one thread (main) and none of them blocks on file, network or VMM. The engine owns
 * its threads: two worker lanes (transfers; local work), one thread per streaming verb, one
 * watcher. engine_free joins them all. */

#include "base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* First word of the process that goes on with what was left (engine_leave_running): options, "--", then
 * a batch line in each word. */
#define ENGINE_LEFT_OPTION "--internal-queue"

struct command;
struct engine;
struct engine_hooks;
struct error;
struct image_draft;
struct image_request;
struct ops;
struct snapshot;

/* The slow steps of images, which tests replace; NULL is the real one (ops_image_draft.h). */
struct image_steps {
    bool (*bundle_fetch)(struct ops *ops, const struct image_request *request,
        struct image_draft *draft, struct error *err);
    bool (*pull_and_flatten)(struct ops *ops, const struct image_request *request,
        struct image_draft *draft, struct error *err);
    bool (*finalize_rootfs)(struct ops *ops, struct image_draft *draft, struct error *err);
};

/* Everything the outside decides, read once in main.c; a zeroed one with a state directory is a
 * complete engine. Strings are copied by engine_new. Test hooks are fields here, never #ifdef. */
struct engine_config {
    const char *state_dir;       /* required */
    const char *cache_dir;       /* NULL: state_dir/cache */
    const char *config_file;     /* NULL or missing: defaults */
    const char *unit_dir;        /* of the user's systemd units; NULL: nowhere */
    const char *runtime_dir;     /* XDG_RUNTIME_DIR, else /run/user/UID; NULL: no user manager */
    const char *catalog;         /* BANGER_CATALOG; NULL: the other sources */
    const char *builtin_catalog; /* path replacing the compiled-in one; NULL */
    const char *accel;           /* "auto", "kvm", "tcg"; NULL: config, else auto */
    const char *firecracker;     /* FIRECRACKER_BIN; NULL: config, else PATH */
    const char *ca_file;         /* --cacert, SSL_CERT_FILE; NULL: the system's */
    const char *auth_files; /* docker's and podman's, in order, separated by newlines; NULL: none */
    const char *self_path;  /* this program, for monitors and extraction; NULL: /proc/self/exe */
    unsigned transfer_workers; /* 0: 4 */
    unsigned local_workers;    /* 0: 4; BANGER_JOBS=1 gives 1 and 1 */
    uint64_t lock_timeout_ms;  /* 0: 30 s */
    bool is_readonly;
    bool is_watching;  /* false: no inotify, no listing at start (one-shot batch commands) */
    bool is_answering; /* other processes may move and stop single jobs of it; is_watching does that
                          as well */
    bool is_left; /* goes on with what a front end left: how its jobs ended is told to the next */
    struct image_steps image_steps;
    const struct engine_hooks *hooks; /* NULL; tests replace housekeeping (engine_internal.h) */
};

struct engine *engine_new(const struct engine_config *config, struct error *err);
/* Cancels what still runs, waits for all threads. Transfers keep their resumable parts. */
void engine_free(struct engine *engine);
/* The same, but when some do not end in time (a call of the kernel holds them: a disk, a device that
 * does not answer) false: nothing is freed, and the process can only leave by _exit. On disk that is
 * like a kill, after which nothing is half-made. patience_ms 0: no end of it. */
bool engine_end(struct engine *engine, uint64_t patience_ms);

/* Checks the command, reserves the object it changes, queues it. Takes ownership of the command in
 * any case. A second command that does the same thing to the same object joins the first one's job
 * (*id is that job's); another change of an object that is being changed is ERROR_BUSY and names
 * the holder. */
bool engine_submit(struct engine *engine, struct command *command, uint64_t *id, struct error *err);
/* Asks a job to stop; it ends as cancelled soon after, unless it is past its point of no return. */
bool engine_cancel(struct engine *engine, uint64_t id);
/* Readable (POLLIN) once the job has ended, until it is forgotten: for who does not answer the bell at
 * once. Never read it. -1 when there is no such job. */
int engine_end_fd(struct engine *engine, uint64_t id);
/* Drops a finished job from the state. */
void engine_forget(struct engine *engine, uint64_t id);

/* Readable (POLLIN) when something changed since the last engine_snapshot. Never read it. */
int engine_wake_fd(const struct engine *engine);
/* The newest state; answers the bell. Release every one that was got. */
const struct snapshot *engine_snapshot(struct engine *engine);
void engine_release(const struct snapshot *snapshot);

/* Puts a line into the log that all seats of this process see. */
void engine_log(struct engine *engine, const char *sentence);
/* A setting of config.ini's [ui] section as text, or NULL. Valid as long as the engine. */
const char *engine_setting(const struct engine *engine, const char *key);
/* Key of the index-th setting of [ui]; NULL behind the last one. */
const char *engine_setting_key(const struct engine *engine, size_t index);
/* What a front end kept at an earlier run, or in this one, as text by key; NULL: nothing. Valid until
 * the key is kept again. */
const char *engine_kept(const struct engine *engine, const char *key);
/* Keeps a text for the next run; "" and NULL forget it. Written by engine_free; a read-only seat
 * keeps nothing beyond its end. */
void engine_keep(struct engine *engine, const char *key, const char *value);
/* Hands the transfers over, those that run and behind them those that wait, in their order, to one
 * detached process that goes on with them after this one is gone; nothing to do is no failure. */
bool engine_leave_running(struct engine *engine, struct error *err);
