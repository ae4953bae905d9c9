/* SPDX-License-Identifier: MIT */
#include "store/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/name.h"
#include "base/text.h"
#include "store/entries.h"
#include "store/lock.h"
#include "store/sync_tree.h"

/* A rename window is milliseconds; whoever holds the store's lock for longer is stuck. */
#define RENAME_WAIT_MS 10000
#define BEGIN_ATTEMPTS 16

struct staging {
    const struct store *store;
    enum store_kind kind;
    char *name;
    char *temporary; /* its name in the kind's directory */
    char *path;
    int dir;           /* locked: the mark of life */
    bool is_exchanged; /* the old entry has our temporary name */
    bool is_published;
};

/* Takes the mark of life of a directory that was just opened by name. False when a sweep was
 * quicker: the lock is held, or the name is gone or another's. Where directories cannot be locked
 * (flock(2), NFS) the sweep goes by age, so there the mark may be missing. */
static bool mark_alive(int parent, const char *name, int dir)
{
    struct stat by_fd;
    struct stat by_name;
    if (flock(dir, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        return false;
    }
    return fstat(dir, &by_fd) == 0 && fstatat(parent, name, &by_name, AT_SYMLINK_NOFOLLOW) == 0 &&
           by_fd.st_ino == by_name.st_ino && by_fd.st_dev == by_name.st_dev;
}

static int make_temporary(int parent, const char *name, struct error *err)
{
    if (mkdirat(parent, name, 0700) != 0) {
        error_set_errno(err, errno, "cannot make a staging directory");
        return -1;
    }
    auto_close int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir >= 0 && mark_alive(parent, name, dir)) {
        return take_fd(&dir);
    }
    if (dir < 0 && errno != ENOENT) {
        error_set_errno(err, errno, "cannot open the staging directory %s", name);
    }
    return -1;
}

struct staging *staging_begin(
    const struct store *store, enum store_kind kind, const char *name, struct error *err)
{
    if (!name_check_entry(name, store_kind_name(kind), err)) {
        return NULL;
    }
    int parent = store_kind_dir(store, kind);
    for (int attempt = 0; attempt < BEGIN_ATTEMPTS; attempt++) {
        auto_free char *temporary = entries_hidden_name(ENTRIES_STAGING);
        int dir = make_temporary(parent, temporary, err);
        if (dir >= 0) {
            struct staging *staging = memory_zero(1, sizeof(*staging));
            staging->store = store;
            staging->kind = kind;
            staging->name = memory_strdup(name);
            staging->path = store_entry_path(store, kind, temporary, NULL);
            staging->temporary = take_ptr(temporary);
            staging->dir = dir;
            return staging;
        }
        if (err->code != ERROR_NONE && err->code != ERROR_EXISTS) {
            return NULL;
        }
        error_clear(err);
    }
    error_set(err, ERROR_BUSY,
        "another process keeps removing staging directories in %s/%s: try again", store_path(store),
        store_kind_folder(kind));
    return NULL;
}

int staging_dir(const struct staging *staging)
{
    return staging->dir;
}

const char *staging_path(const struct staging *staging)
{
    return staging->path;
}

static bool has_no_flags(int errnum)
{
    return errnum == EINVAL || errnum == ENOSYS;
}

/* rename(2) that never replaces. Where the file system has no RENAME_NOREPLACE, an empty directory
 * takes the name first and is replaced, under the store's lock that every renamer holds. */
static bool rename_new(int parent, const char *from, const char *to)
{
    if (renameat2(parent, from, parent, to, RENAME_NOREPLACE) == 0) {
        return true;
    }
    if (!has_no_flags(errno) || mkdirat(parent, to, 0700) != 0) {
        return false;
    }
    if (renameat(parent, from, parent, to) == 0) {
        return true;
    }
    int saved = errno;
    unlinkat(parent, to, AT_REMOVEDIR);
    errno = saved;
    return false;
}

/* Afterwards the old entry has the staging directory's name. */
static bool rename_exchange(int parent, const char *from, const char *to)
{
    if (renameat2(parent, from, parent, to, RENAME_EXCHANGE) == 0) {
        return true;
    }
    if (!has_no_flags(errno)) {
        return false;
    }
    auto_free char *aside = entries_hidden_name(ENTRIES_DOOMED);
    if (renameat(parent, to, parent, aside) != 0) {
        return false;
    }
    if (renameat(parent, from, parent, to) != 0) {
        int saved = errno;
        renameat(parent, aside, parent, to);
        errno = saved;
        return false;
    }
    /* Where this fails the old entry waits under the other name for the next sweep. */
    renameat(parent, aside, parent, from);
    return true;
}

static bool rename_into_place(struct staging *staging, enum publish_mode mode, struct error *err)
{
    int parent = store_kind_dir(staging->store, staging->kind);
    auto_lock struct lock *lock =
        lock_take_store(staging->store, "publish", RENAME_WAIT_MS, NULL, NULL, err);
    if (lock == NULL) {
        return false;
    }
    if (rename_new(parent, staging->temporary, staging->name)) {
        return true;
    }
    if (errno == EEXIST && mode == PUBLISH_NEW) {
        return error_set(err, ERROR_EXISTS, "%s %s is here already: add --force to replace it",
            store_kind_name(staging->kind), staging->name);
    }
    staging->is_exchanged =
        errno == EEXIST && rename_exchange(parent, staging->temporary, staging->name);
    return staging->is_exchanged || error_set_errno(err, errno, "cannot give %s %s its name",
                                        store_kind_name(staging->kind), staging->name);
}

/* A rename that a power cut could undo was none: the name goes back to what it was. False when even
 * that does not work. */
static bool undo_rename(struct staging *staging)
{
    struct error ignored = {0};
    int parent = store_kind_dir(staging->store, staging->kind);
    auto_lock struct lock *lock =
        lock_take_store(staging->store, "publish", RENAME_WAIT_MS, NULL, NULL, &ignored);
    return lock != NULL &&
           (staging->is_exchanged ? rename_exchange(parent, staging->temporary, staging->name)
                                  : rename_new(parent, staging->name, staging->temporary));
}

/* Opens and locks what is about to lose its name, so that a sweep does not remove it at the same
 * time. When there is nothing or it cannot be opened, the sweep is welcome to it. */
static void hold_doomed(int parent, const char *name, int *held)
{
    *held = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (*held >= 0) {
        flock(*held, LOCK_EX | LOCK_NB);
    }
}

/* What cannot be removed now is left for the next sweep. */
static void remove_doomed(int parent, const char *name)
{
    struct error failure = {0};
    if (!file_remove_tree(parent, name, &failure)) {
        log_write(LOG_WARNING, "%s stays until the next sweep: %s", name, failure.text);
    }
}

bool staging_sync(const struct staging *staging, struct error *err)
{
    return sync_tree(staging->dir, staging->path, err);
}

bool staging_publish(struct staging *staging, enum publish_mode mode, struct error *err)
{
    int parent = store_kind_dir(staging->store, staging->kind);
    if (!sync_tree(staging->dir, staging->path, err)) {
        return false;
    }
    auto_close int doomed = -1;
    if (mode == PUBLISH_REPLACE) {
        hold_doomed(parent, staging->name, &doomed);
    }
    if (!rename_into_place(staging, mode, err)) {
        return false;
    }
    if (!file_sync(parent, store_kind_folder(staging->kind), err)) {
        staging->is_published = !undo_rename(staging);
        return error_wrap(
            err, "%s %s was not published", store_kind_name(staging->kind), staging->name);
    }
    staging->is_published = true;
    flock(staging->dir, LOCK_UN);
    if (mode == PUBLISH_REPLACE) {
        remove_doomed(parent, staging->temporary);
    }
    return true;
}

void staging_abandon(struct staging *staging)
{
    if (staging == NULL) {
        return;
    }
    if (!staging->is_published) {
        remove_doomed(store_kind_dir(staging->store, staging->kind), staging->temporary);
    }
    close(staging->dir);
    free(staging->name);
    free(staging->temporary);
    free(staging->path);
    free(staging);
}

void staging_auto_abandon(struct staging **staging)
{
    staging_abandon(*staging);
}

bool store_remove_entry(
    const struct store *store, enum store_kind kind, const char *name, struct error *err)
{
    if (!name_check_entry(name, store_kind_name(kind), err)) {
        return false;
    }
    int parent = store_kind_dir(store, kind);
    auto_free char *aside = entries_hidden_name(ENTRIES_DOOMED);
    auto_close int doomed = -1;
    hold_doomed(parent, name, &doomed);
    auto_lock struct lock *lock = lock_take_store(store, "remove", RENAME_WAIT_MS, NULL, NULL, err);
    if (lock == NULL) {
        return false;
    }
    if (renameat(parent, name, parent, aside) != 0) {
        if (errno == ENOENT) {
            return entries_absent(store, kind, name, err);
        }
        return error_set_errno(err, errno, "cannot remove %s %s", store_kind_name(kind), name);
    }
    lock_release(take_ptr(lock));
    if (!file_sync(parent, store_kind_folder(kind), err)) {
        return false;
    }
    remove_doomed(parent, aside);
    return true;
}

bool store_rename_entry(const struct store *store, enum store_kind kind, const char *name,
    const char *new_name, struct error *err)
{
    const char *what = store_kind_name(kind);
    if (!name_check_entry(name, what, err) || !name_check_entry(new_name, what, err)) {
        return false;
    }
    int parent = store_kind_dir(store, kind);
    auto_lock struct lock *lock = lock_take_store(store, "rename", RENAME_WAIT_MS, NULL, NULL, err);
    if (lock == NULL) {
        return false;
    }
    if (file_is_absent(parent, name)) {
        return entries_absent(store, kind, name, err);
    }
    if (!rename_new(parent, name, new_name)) {
        if (errno == EEXIST) {
            return error_set(
                err, ERROR_EXISTS, "%s %s is here already: choose another name", what, new_name);
        }
        return error_set_errno(err, errno, "cannot rename %s %s", what, name);
    }
    return file_sync(parent, store_kind_folder(kind), err);
}
