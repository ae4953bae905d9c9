/* SPDX-License-Identifier: MIT */
/* The watcher's directories: which are watched, and what their events mean. */
#include "engine/watcher_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/engine_internal.h"
#include "engine/job_queue.h"
#include "engine/state.h"
#include "engine/state_jobs.h"
#include "store/layout.h"

#define CHANGES (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE)
#define SAFELY (IN_ONLYDIR | IN_EXCL_UNLINK)

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

/* Whoever waits for the subject may go on. */
static void set_watched(struct watcher *watcher, unsigned subjects)
{
    pthread_mutex_lock(&watcher->mutex);
    watcher->watched |= subjects;
    pthread_cond_broadcast(&watcher->is_watched);
    pthread_mutex_unlock(&watcher->mutex);
}

static void watch_others(struct watcher *watcher)
{
    const struct store *store = watcher->engine->store;
    add_watch(
        watcher, store_area_dir(store, STORE_CATALOGS_D), NULL, CHANGES, SUBJECT_OFFERS, false);
    add_watch(watcher, store_cache_dir(store, STORE_CACHE_CATALOGS), NULL, CHANGES, SUBJECT_OFFERS,
        false);
    add_watch(watcher, store_area_dir(store, STORE_JOBS), NULL, CHANGES, SUBJECT_JOBS, false);
    add_watch(watcher, store_area_dir(store, STORE_TRASH), NULL, CHANGES, SUBJECT_HOST, false);
    add_watch(watcher, store_area_dir(store, STORE_LOG), NULL, CHANGES, SUBJECT_NEWS, false);
}

void watcher_watch_all(struct watcher *watcher, void (*begin)(struct engine *engine))
{
    const struct store *store = watcher->engine->store;
    bool is_able = watcher->inotify >= 0;
    if (!is_able) {
        warn_once(watcher, EMFILE);
    } else {
        watch_others(watcher);
        watch_entries(watcher, store_kind_dir(store, STORE_VM), SUBJECT_VMS);
        watch_entries(watcher, store_kind_dir(store, STORE_IMAGE), SUBJECT_IMAGES);
    }
    set_watched(watcher, SUBJECT_ALL & ~(unsigned)SUBJECT_KERNELS);
    begin(watcher->engine);
    if (is_able) {
        watch_entries(watcher, store_kind_dir(store, STORE_KERNEL), SUBJECT_KERNELS);
    }
    set_watched(watcher, SUBJECT_KERNELS);
}

bool watcher_answer_only(struct watcher *watcher)
{
    int jobs = store_area_dir(watcher->engine->store, STORE_JOBS);
    watcher->is_answering_only = true;
    if (watcher->inotify >= 0) {
        add_watch(watcher, jobs, NULL, CHANGES, SUBJECT_JOBS, false);
    }
    return watcher->watch_count > 0;
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
    enum engine_move move;
    uint64_t before = 0;
    bool is_moved = false;
    struct error ignored = {0};
    bool is_ours = id / STATE_JOB_STRIDE == (uint64_t)getpid();
    if (is_ours && strcmp(name + len, ".cancel") == 0) {
        engine_cancel_own(watcher->engine, id);
        unlinkat(store_area_dir(watcher->engine->store, STORE_JOBS), name, 0);
    } else if (is_ours && job_queue_read_move(name + len, &move, &before)) {
        /* One that was taken back is not obeyed. The asker waits for the list that comes of it. */
        if (unlinkat(store_area_dir(watcher->engine->store, STORE_JOBS), name, 0) == 0) {
            engine_move(watcher->engine, id, move, before, &is_moved, &ignored);
            housekeeping_tell_queue(watcher->engine, true);
        }
    } else if (!is_ours && !watcher->is_answering_only &&
               (strcmp(name + len, ".json") == 0 || strcmp(name + len, JOB_QUEUE_ENDING) == 0)) {
        watcher_mark(watcher, SUBJECT_JOBS);
    }
}

static void mark_all(struct engine *engine)
{
    watcher_mark(engine->watcher, SUBJECT_ALL);
}

static void see_event(struct watcher *watcher, const struct inotify_event *event)
{
    if (event->mask & IN_Q_OVERFLOW) {
        if (!watcher->is_answering_only) {
            watcher_watch_all(watcher, mark_all);
        }
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
    bool is_other_log = watch.subject == SUBJECT_NEWS && strcmp(name, CHANGE_LOG_NAME) != 0;
    if (!is_entry(name) || is_other_log) {
        return;
    }
    if (watch.entries_dir >= 0 && (event->mask & (IN_CREATE | IN_MOVED_TO))) {
        watch_entry(watcher, watch.entries_dir, name, watch.subject);
    }
    watcher_mark(watcher, watch.subject);
}

void watcher_read_events(struct watcher *watcher)
{
    _Alignas(struct inotify_event) char buffer[16384];
    ssize_t len = read(watcher->inotify, buffer, sizeof(buffer));
    for (ssize_t at = 0; at < len;) {
        const struct inotify_event *event = (const struct inotify_event *)(buffer + at);
        see_event(watcher, event);
        at += (ssize_t)(sizeof(*event) + event->len);
    }
}
