/* SPDX-License-Identifier: MIT */
/* The other half of publish.h: what dead processes left behind. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "store/entries.h"
#include "store/publish.h"

#define PARTIAL_KEPT_SECONDS (7 * 24 * 3600)
#define TEMPORARY_KEPT_SECONDS 3600
/* What file_temporary_name puts in the names of JSON documents. */
#define DOCUMENT_MARK ".json.tmp-"
#define UNLOCKED_KEPT_SECONDS (24 * 3600)

static bool is_leftover(const char *name)
{
    return text_has_prefix(name, ENTRIES_STAGING) || text_has_prefix(name, ENTRIES_DOOMED);
}

/* Nobody holds it: its maker is dead. Held by us from now on until the descriptor is closed. */
static bool hold_dead(int parent, const char *name, int *held)
{
    *held = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (*held < 0) {
        /* A directory without permission bits was never a live one: those are made 0700. */
        return errno == EACCES;
    }
    if (flock(*held, LOCK_EX | LOCK_NB) == 0) {
        return true;
    }
    /* Where directories cannot be locked, one that nobody added to for a day is a dead one's. */
    struct stat info;
    return errno != EWOULDBLOCK && fstat(*held, &info) == 0 &&
           clock_wall() - info.st_mtime > UNLOCKED_KEPT_SECONDS;
}

static void sweep_dir(int parent, bool is_dry, uint64_t *removed, struct error *err)
{
    auto_done(strings) struct strings names = {0};
    struct error failure = {0};
    if (!file_list(parent, ".", &names, &failure)) {
        error_set(err, failure.code, "%s", failure.text);
        return;
    }
    for (size_t i = 0; i < names.count; i++) {
        auto_close int held = -1;
        if (!is_leftover(names.items[i]) || !hold_dead(parent, names.items[i], &held)) {
            continue;
        }
        if (is_dry || file_remove_tree(parent, names.items[i], &failure)) {
            (*removed)++;
        } else {
            error_set(err, failure.code, "%s", failure.text);
            error_clear(&failure);
        }
    }
}

/* A partial download nobody has touched for days; one in use is locked or fresh. */
static bool is_stale_partial(int dir, const char *name, int *held)
{
    struct stat info;
    *held = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    return *held >= 0 && fstat(*held, &info) == 0 && S_ISREG(info.st_mode) &&
           clock_wall() - info.st_mtime > PARTIAL_KEPT_SECONDS &&
           flock(*held, LOCK_EX | LOCK_NB) == 0;
}

static void sweep_downloads(int dir, bool is_dry, uint64_t *removed, struct error *err)
{
    auto_done(strings) struct strings names = {0};
    struct error failure = {0};
    if (!file_list(dir, ".", &names, &failure)) {
        error_set(err, failure.code, "%s", failure.text);
        return;
    }
    for (size_t i = 0; i < names.count; i++) {
        auto_close int held = -1;
        if (!is_stale_partial(dir, names.items[i], &held)) {
            continue;
        }
        if (is_dry || unlinkat(dir, names.items[i], 0) == 0) {
            (*removed)++;
        } else {
            error_set_errno(err, errno, "cannot remove the partial download %s", names.items[i]);
        }
    }
}

/* What file_replace leaves when it is killed between writing and renaming. A live one is there for
 * milliseconds. */
static void sweep_temporaries(int dir, const char *mark, bool is_dry, uint64_t *removed)
{
    auto_done(strings) struct strings names = {0};
    struct error ignored = {0};
    if (!file_list(dir, ".", &names, &ignored)) {
        return;
    }
    for (size_t i = 0; i < names.count; i++) {
        struct stat info;
        if (strstr(names.items[i], mark) != NULL &&
            fstatat(dir, names.items[i], &info, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(info.st_mode) && clock_wall() - info.st_mtime > TEMPORARY_KEPT_SECONDS &&
            (is_dry || unlinkat(dir, names.items[i], 0) == 0)) {
            (*removed)++;
        }
    }
}

static void sweep_vms(int vms, bool is_dry, uint64_t *removed)
{
    auto_done(strings) struct strings names = {0};
    auto_done(strings) struct strings links = {0};
    struct error ignored = {0};
    if (!entries_list(vms, &names, &links, &ignored)) {
        return;
    }
    for (size_t i = 0; i < names.count; i++) {
        auto_close int dir = file_open_dir(vms, names.items[i], &ignored);
        if (dir >= 0) {
            sweep_temporaries(dir, DOCUMENT_MARK, is_dry, removed);
        }
        error_clear(&ignored);
    }
}

static bool sweep(const struct store *store, bool is_dry, uint64_t *removed, struct error *err)
{
    *removed = 0;
    for (int kind = 0; kind < STORE_KIND_COUNT; kind++) {
        sweep_dir(store_kind_dir(store, (enum store_kind)kind), is_dry, removed, err);
    }
    sweep_dir(store_area_dir(store, STORE_TRASH), is_dry, removed, err);
    sweep_vms(store_kind_dir(store, STORE_VM), is_dry, removed);
    sweep_temporaries(store_area_dir(store, STORE_JOBS), DOCUMENT_MARK, is_dry, removed);
    sweep_temporaries(store_cache_dir(store, STORE_CACHE_CATALOGS), DOCUMENT_MARK, is_dry, removed);
    auto_close int lists = store_open_lists(store, false);
    if (lists >= 0) {
        sweep_temporaries(lists, ".tmp-", is_dry, removed);
    }
    sweep_downloads(store_cache_dir(store, STORE_CACHE_DOWNLOADS), is_dry, removed, err);
    return err->code == ERROR_NONE;
}

bool store_sweep(const struct store *store, uint64_t *removed, struct error *err)
{
    return sweep(store, false, removed, err);
}

bool store_sweep_find(const struct store *store, uint64_t *found, struct error *err)
{
    return sweep(store, true, found, err);
}
