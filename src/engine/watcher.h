/* SPDX-License-Identifier: MIT */
#pragma once

/* One thread that notices what others do: inotify(7) on the store's directories of kernels,
 * images, VMs, catalogs and jobs, and on each entry, so that a change made by another process or
 * by hand appears by itself; pidfds of running VMs and of processes with jobs, so that an end
 * does. It reads nothing itself: it collects subjects for a moment and asks housekeeping to read
 * them again. Where the system has no more watches, what lies deeper is not noticed, and the log
 * says so once. */

#include "base/process.h"

#include <stdbool.h>
#include <stddef.h>

struct engine;
struct error;
struct watcher;

enum watcher_set { WATCHER_VMS, WATCHER_JOBS, WATCHER_SET_COUNT };

/* NULL on failure. Its thread does not run yet: engine->watcher has to be set before. */
struct watcher *watcher_new(struct engine *engine, struct error *err);
/* Before its start: it shall only see to what others ask of this process's jobs. False where the
 * system has no watch for that. */
bool watcher_answer_only(struct watcher *watcher);
bool watcher_start(struct watcher *watcher, struct error *err);
/* Joins the thread: no housekeeping is asked for any more. */
void watcher_stop(struct watcher *watcher);
/* After the last worker has gone. NULL is accepted. */
void watcher_free(struct watcher *watcher);
/* Waits until every change of these subjects will be noticed, which is soon after its start. */
void watcher_await(struct watcher *watcher, unsigned subjects);
/* Makes it look at the engine's dirty subjects. Any thread. */
void watcher_wake(struct watcher *watcher);
/* Replaces the processes of a set; the end of one makes its subject dirty. Any thread. */
void watcher_set_processes(struct watcher *watcher, enum watcher_set set,
    const struct process_identity *processes, size_t count);
