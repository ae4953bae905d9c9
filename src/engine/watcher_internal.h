/* SPDX-License-Identifier: MIT */
#pragma once

/* The watcher from inside: for watcher.c and watcher_tree.c. */

#include "engine/watcher.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

/* A watched directory. Sorted by wd, which only grows. */
struct watch {
    int wd;
    unsigned subject;
    int entries_dir; /* its directories are entries with watches of their own; -1: none are */
};

struct process_set {
    struct process_identity *processes;
    size_t count;
    bool is_new;
};

struct ending {
    int pidfd;
    enum watcher_set set;
};

struct watcher {
    struct engine *engine;
    uint64_t tick_ms;
    pthread_t thread;
    bool is_started;
    bool is_answering_only;
    int wake;    /* eventfd */
    int inotify; /* -1: this system gives none */
    atomic_bool is_stopping;

    pthread_mutex_t mutex;
    struct process_set sets[WATCHER_SET_COUNT];
    unsigned watched; /* subjects whose changes are noticed from now on */
    pthread_cond_t is_watched;

    /* Only for the thread. */
    struct watch *watches;
    size_t watch_count;
    struct ending *endings;
    size_t ending_count;
    struct process_set dead[WATCHER_SET_COUNT]; /* of the present sets, said once */
    uint64_t settled_ms;                        /* when to ask for what is dirty; 0: nothing is */
    uint64_t ticked_ms;                         /* when the last tick was */
    bool has_warned;
};

/* Subjects to read again, once the burst is over. Its thread only, like what follows. */
void watcher_mark(struct watcher *watcher, unsigned subjects);
/* Puts watches on everything, telling watcher_await subject by subject; calls begin as soon as the
 * first ones are there. */
void watcher_watch_all(struct watcher *watcher, void (*begin)(struct engine *engine));
/* What inotify has to say. */
void watcher_read_events(struct watcher *watcher);
