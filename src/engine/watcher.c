/* SPDX-License-Identifier: MIT */
#include "engine/watcher.h"

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
#define TICK_MIN_MS 500

#define CHANGES (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE)
#define SAFELY (IN_ONLYDIR | IN_EXCL_UNLINK)

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
    int wake;    /* eventfd */
    int inotify; /* -1: this system gives none */
    atomic_bool is_stopping;

    pthread_mutex_t mutex;
    struct process_set sets[WATCHER_SET_COUNT];

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

static const unsigned subject_of_set[WATCHER_SET_COUNT] = {
    [WATCHER_VMS] = SUBJECT_VMS,
    [WATCHER_JOBS] = SUBJECT_JOBS,
};

static void mark(struct watcher *watcher, unsigned subjects)
{
    atomic_fetch_or(&watcher->engine->dirty, subjects);
    if (!watcher->settled_ms) {
        watcher->settled_ms = clock_monotonic_ms() + SETTLE_MS;
    }
}

/* ---- directories ---- */

static void warn_once(struct watcher *watcher, int errnum)
{
    if (!watcher->has_warned) {
        watcher->has_warned = true;
        state_log(watcher->engine->state, LOG_WARNING,
            "changes made by others do not all appear by themselves (%s): raise "
            "fs.inotify.max_user_watches",
            strerrordesc_np(errnum));
    }
}

static struct watch *find_watch(struct watcher *watcher, int wd)
{
    size_t from = 0, to = watcher->watch_count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (watcher->watches[middle].wd < wd) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    bool is_found = from < watcher->watch_count && watcher->watches[from].wd == wd;
    return is_found ? &watcher->watches[from] : NULL;
}

/* name NULL: the directory itself. */
static void add_watch(struct watcher *watcher, int dir, const char *name, uint32_t mask,
    unsigned subject, bool has_entries)
{
    char path[320];
    snprintf(path, sizeof(path), "/proc/self/fd/%d%s%s", dir, name ? "/" : "", name ? name : "");
    int wd = inotify_add_watch(
        watcher->inotify, path, mask | SAFELY | (name ? (uint32_t)IN_DONT_FOLLOW : 0));
    if (wd < 0) {
        /* One that vanished meanwhile, or is no directory, is no loss. */
        if (errno != ENOENT && errno != ENOTDIR) {
            warn_once(watcher, errno);
        }
        return;
    }
    if (find_watch(watcher, wd)) {
        return;
    }
    watcher->watches =
        memory_grow(watcher->watches, watcher->watch_count + 1, sizeof(*watcher->watches));
    watcher->watches[watcher->watch_count++] =
        (struct watch){.wd = wd, .subject = subject, .entries_dir = has_entries ? dir : -1};
}

/* Names with a dot in front are the store's own unfinished business. */
static bool is_entry(const char *name)
{
    return *name && *name != '.' && strlen(name) < 256;
}

static void watch_entry(struct watcher *watcher, int dir, const char *name, unsigned subject)
{
    if (is_entry(name)) {
        add_watch(watcher, dir, name, CHANGES, subject, false);
    }
}

/* The directory first, then what is in it: nothing can slip in between unseen. */
static void watch_entries(struct watcher *watcher, int dir, unsigned subject)
{
    add_watch(watcher, dir, NULL, CHANGES | IN_CREATE, subject, true);
    auto_done(strings) struct strings names = {0};
    struct error ignored = {0};
    file_list(dir, ".", &names, &ignored);
    for (size_t i = 0; i < names.count; i++) {
        watch_entry(watcher, dir, names.items[i], subject);
    }
}

static void watch_all(struct watcher *watcher)
{
    const struct store *store = watcher->engine->store;
    if (watcher->inotify < 0) {
        warn_once(watcher, EMFILE);
        return;
    }
    watch_entries(watcher, store_kind_dir(store, STORE_KERNEL), SUBJECT_KERNELS);
    watch_entries(watcher, store_kind_dir(store, STORE_IMAGE), SUBJECT_IMAGES);
    watch_entries(watcher, store_kind_dir(store, STORE_VM), SUBJECT_VMS);
    add_watch(
        watcher, store_area_dir(store, STORE_CATALOGS_D), NULL, CHANGES, SUBJECT_OFFERS, false);
    add_watch(watcher, store_cache_dir(store, STORE_CACHE_CATALOGS), NULL, CHANGES, SUBJECT_OFFERS,
        false);
    add_watch(watcher, store_area_dir(store, STORE_JOBS), NULL, CHANGES, SUBJECT_JOBS, false);
}

static void forget_watch(struct watcher *watcher, int wd)
{
    struct watch *watch = find_watch(watcher, wd);
    if (watch) {
        size_t behind = watcher->watch_count - (size_t)(watch - watcher->watches) - 1;
        memmove(watch, watch + 1, behind * sizeof(*watch));
        watcher->watch_count--;
    }
}

/* <id>.json of another process, or <id>.cancel for one of ours. */
static void see_job_file(struct watcher *watcher, const char *name)
{
    uint64_t id = 0;
    int len = 0;
    if (sscanf(name, "%" SCNu64 "%n", &id, &len) != 1) {
        return;
    }
    bool is_ours = id / STATE_JOB_STRIDE == (uint64_t)getpid();
    if (is_ours && strcmp(name + len, ".cancel") == 0) {
        state_job_cancel(watcher->engine->state, id);
        unlinkat(store_area_dir(watcher->engine->store, STORE_JOBS), name, 0);
    } else if (!is_ours && strcmp(name + len, ".json") == 0) {
        mark(watcher, SUBJECT_JOBS);
    }
}

static void see_event(struct watcher *watcher, const struct inotify_event *event)
{
    if (event->mask & IN_Q_OVERFLOW) {
        watch_all(watcher);
        mark(watcher, SUBJECT_ALL);
        return;
    }
    if (event->mask & IN_IGNORED) {
        forget_watch(watcher, event->wd);
        return;
    }
    const struct watch *found = find_watch(watcher, event->wd);
    const char *name = event->len ? event->name : "";
    if (!found) {
        return;
    }
    struct watch watch = *found; /* adding another one moves them */
    if (watch.subject == SUBJECT_JOBS) {
        see_job_file(watcher, name);
        return;
    }
    if (!is_entry(name)) {
        return;
    }
    if (watch.entries_dir >= 0 && (event->mask & (IN_CREATE | IN_MOVED_TO))) {
        watch_entry(watcher, watch.entries_dir, name, watch.subject);
    }
    mark(watcher, watch.subject);
}

static void read_events(struct watcher *watcher)
{
    _Alignas(struct inotify_event) char buffer[16384];
    ssize_t len = read(watcher->inotify, buffer, sizeof(buffer));
    for (ssize_t at = 0; at < len;) {
        const struct inotify_event *event = (const struct inotify_event *)(buffer + at);
        see_event(watcher, event);
        at += (ssize_t)(sizeof(*event) + event->len);
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
    if (pidfd < 0 && !process_is_alive(process)) {
        dead->processes = memory_grow(dead->processes, dead->count + 1, sizeof(*dead->processes));
        dead->processes[dead->count++] = *process;
        if (!is_in(dead_before, process)) {
            mark(watcher, subject_of_set[set]);
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
            mark(watcher, subject_of_set[ending.set]);
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
            mark(watcher, SUBJECT_VMS);
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
            mark(watcher, 0);
        }
    }
    if (polls[count + 1].revents) {
        read_events(watcher);
    }
}

static void *watcher_main(void *argument)
{
    struct watcher *watcher = argument;
    watch_all(watcher);
    /* Only now: what changes from here on is noticed, what changed before is listed. */
    housekeeping_reconcile(watcher->engine);
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
