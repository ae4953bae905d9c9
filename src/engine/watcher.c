/* SPDX-License-Identifier: MIT */
#include "engine/watcher_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "engine/engine_internal.h"
#include "engine/state.h"
#include "engine/state_jobs.h"
#include "store/layout.h"

/* Changes come in bursts: what comes within this time is read again once. */
#define SETTLE_MS 50
/* Figures of running VMs are read again this often while somebody looks. */
#define TICK_MS 2000
#define TICK_MIN_MS 10

static const unsigned subject_of_set[WATCHER_SET_COUNT] = {
    [WATCHER_VMS] = SUBJECT_VMS,
    [WATCHER_JOBS] = SUBJECT_JOBS,
};

void watcher_mark(struct watcher *watcher, unsigned subjects)
{
    atomic_fetch_or(&watcher->engine->dirty, subjects);
    if (!watcher->settled_ms) {
        watcher->settled_ms = clock_monotonic_ms() + SETTLE_MS;
    }
}

/* ---- processes ---- */

static void close_endings(struct watcher *watcher, enum watcher_set set)
{
    size_t kept = 0;
    for (size_t i = 0; i < watcher->ending_count; i++) {
        if (watcher->endings[i].set == set) {
            close(watcher->endings[i].pidfd);
        } else {
            watcher->endings[kept++] = watcher->endings[i];
        }
    }
    watcher->ending_count = kept;
}

static bool is_in(const struct process_set *set, const struct process_identity *process)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->processes[i].pid == process->pid &&
            set->processes[i].start_time == process->start_time) {
            return true;
        }
    }
    return false;
}

/* One that has ended already makes its subject dirty right away, but only once: whoever goes on
 * naming it has his reasons. */
static void watch_process(struct watcher *watcher, enum watcher_set set,
    const struct process_set *dead_before, const struct process_identity *process)
{
    struct process_set *dead = &watcher->dead[set];
    int pidfd = process_open(process);
    if (pidfd < 0 && process_is_gone(process)) {
        dead->processes = memory_grow(dead->processes, dead->count + 1, sizeof(*dead->processes));
        dead->processes[dead->count++] = *process;
        if (!is_in(dead_before, process)) {
            watcher_mark(watcher, subject_of_set[set]);
        }
    }
    if (pidfd < 0) {
        return;
    }
    watcher->endings =
        memory_grow(watcher->endings, watcher->ending_count + 1, sizeof(*watcher->endings));
    watcher->endings[watcher->ending_count++] = (struct ending){.pidfd = pidfd, .set = set};
}

static void take_new_sets(struct watcher *watcher)
{
    for (enum watcher_set set = 0; set < WATCHER_SET_COUNT; set++) {
        pthread_mutex_lock(&watcher->mutex);
        struct process_set taken = watcher->sets[set];
        if (taken.is_new) {
            watcher->sets[set] = (struct process_set){0};
        }
        pthread_mutex_unlock(&watcher->mutex);
        if (!taken.is_new) {
            continue;
        }
        close_endings(watcher, set);
        struct process_set dead_before = watcher->dead[set];
        watcher->dead[set] = (struct process_set){0};
        for (size_t i = 0; i < taken.count; i++) {
            watch_process(watcher, set, &dead_before, &taken.processes[i]);
        }
        free(dead_before.processes);
        free(taken.processes);
    }
}

/* Those whose descriptor is readable have ended: polls[i] belongs to endings[i]. */
static void see_endings(struct watcher *watcher, const struct pollfd *polls)
{
    size_t kept = 0;
    for (size_t i = 0; i < watcher->ending_count; i++) {
        struct ending ending = watcher->endings[i];
        if (polls[i].revents) {
            close(ending.pidfd);
            watcher_mark(watcher, subject_of_set[ending.set]);
        } else {
            watcher->endings[kept++] = ending;
        }
    }
    watcher->ending_count = kept;
}

static bool has_running_vms(const struct watcher *watcher)
{
    for (size_t i = 0; i < watcher->ending_count; i++) {
        if (watcher->endings[i].set == WATCHER_VMS) {
            return true;
        }
    }
    return false;
}

/* ---- the thread ---- */

static int timeout_ms(const struct watcher *watcher)
{
    if (watcher->settled_ms) {
        return clock_left_ms(watcher->settled_ms);
    }
    return has_running_vms(watcher) ? (int)watcher->tick_ms : -1;
}

static void do_what_is_due(struct watcher *watcher)
{
    uint64_t now_ms = clock_monotonic_ms();
    if (has_running_vms(watcher) && now_ms - watcher->ticked_ms >= watcher->tick_ms) {
        watcher->ticked_ms = now_ms;
        if (now_ms - state_looked_ms(watcher->engine->state) <= 2 * watcher->tick_ms) {
            /* Where not every change is noticed, everything about machines is looked at. */
            watcher_mark(watcher, watcher->has_warned ? SUBJECT_VMS : SUBJECT_FIGURES);
        }
    }
    if (watcher->settled_ms && now_ms >= watcher->settled_ms) {
        watcher->settled_ms = 0;
        housekeeping_refresh(watcher->engine);
    }
}

static void wait_once(struct watcher *watcher)
{
    size_t count = watcher->ending_count;
    auto_free struct pollfd *polls = memory_zero(count + 2, sizeof(*polls));
    for (size_t i = 0; i < count; i++) {
        polls[i] = (struct pollfd){.fd = watcher->endings[i].pidfd, .events = POLLIN};
    }
    polls[count] = (struct pollfd){.fd = watcher->wake, .events = POLLIN};
    polls[count + 1] = (struct pollfd){.fd = watcher->inotify, .events = POLLIN};
    if (poll(polls, count + 2, timeout_ms(watcher)) < 0) {
        return;
    }
    see_endings(watcher, polls);
    if (polls[count].revents) {
        uint64_t rings;
        ssize_t ignored = read(watcher->wake, &rings, sizeof(rings));
        (void)ignored;
        take_new_sets(watcher);
        if (atomic_load(&watcher->engine->dirty)) {
            watcher_mark(watcher, 0);
        }
    }
    if (polls[count + 1].revents) {
        watcher_read_events(watcher);
    }
}

static void *watcher_main(void *argument)
{
    struct watcher *watcher = argument;
    /* Each subject is listed once its watches are set: what changes from there on is noticed, what
     * changed before is listed. */
    if (!watcher->is_answering_only) {
        watcher_watch_all(watcher, housekeeping_reconcile);
    }
    while (!atomic_load(&watcher->is_stopping)) {
        wait_once(watcher);
        do_what_is_due(watcher);
    }
    return NULL;
}

void watcher_free(struct watcher *watcher)
{
    if (!watcher) {
        return;
    }
    for (enum watcher_set set = 0; set < WATCHER_SET_COUNT; set++) {
        close_endings(watcher, set);
        free(watcher->sets[set].processes);
        free(watcher->dead[set].processes);
    }
    memory_auto_close(&watcher->inotify);
    memory_auto_close(&watcher->wake);
    pthread_cond_destroy(&watcher->is_watched);
    pthread_mutex_destroy(&watcher->mutex);
    free(watcher->watches);
    free(watcher->endings);
    free(watcher);
}

/* `tick` of [ui]: how often running machines are looked at. */
static uint64_t tick_of(const struct engine *engine)
{
    const char *setting = config_pairs_get(&engine->settings.ui, "tick");
    struct error ignored = {0};
    uint64_t wanted_ms = TICK_MS;
    if (setting != NULL && units_parse_duration(setting, "tick", &wanted_ms, &ignored)) {
        return wanted_ms < TICK_MIN_MS ? TICK_MIN_MS : wanted_ms;
    }
    return TICK_MS;
}

struct watcher *watcher_new(struct engine *engine, struct error *err)
{
    struct watcher *watcher = memory_zero(1, sizeof(*watcher));
    watcher->engine = engine;
    watcher->tick_ms = tick_of(engine);
    pthread_mutex_init(&watcher->mutex, NULL);
    pthread_cond_init(&watcher->is_watched, NULL);
    watcher->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    watcher->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (watcher->wake < 0) {
        error_set_errno(err, errno, "cannot watch the store for changes");
        watcher_free(watcher);
        return NULL;
    }
    return watcher;
}

bool watcher_start(struct watcher *watcher, struct error *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&watcher->thread, NULL, watcher_main, watcher);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    watcher->is_started = !failure;
    return !failure || error_set_errno(err, failure, "cannot watch the store for changes");
}

void watcher_await(struct watcher *watcher, unsigned subjects)
{
    pthread_mutex_lock(&watcher->mutex);
    while (subjects & ~watcher->watched) {
        pthread_cond_wait(&watcher->is_watched, &watcher->mutex);
    }
    pthread_mutex_unlock(&watcher->mutex);
}

void watcher_wake(struct watcher *watcher)
{
    uint64_t one = 1;
    ssize_t ignored = write(watcher->wake, &one, sizeof(one));
    (void)ignored;
}

void watcher_stop(struct watcher *watcher)
{
    if (watcher->is_started) {
        atomic_store(&watcher->is_stopping, true);
        watcher_wake(watcher);
        pthread_join(watcher->thread, NULL);
        watcher->is_started = false;
    }
}

void watcher_set_processes(struct watcher *watcher, enum watcher_set set,
    const struct process_identity *processes, size_t count)
{
    struct process_identity *copy =
        count ? memory_dup(processes, count * sizeof(*processes)) : NULL;
    pthread_mutex_lock(&watcher->mutex);
    struct process_identity *old = watcher->sets[set].processes;
    watcher->sets[set] = (struct process_set){.processes = copy, .count = count, .is_new = true};
    pthread_mutex_unlock(&watcher->mutex);
    free(old);
    watcher_wake(watcher);
}
