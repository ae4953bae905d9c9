/* SPDX-License-Identifier: MIT */
#include "store/vm_snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/name.h"
#include "base/text.h"
#include "store/entries.h"
#include "store/sync_tree.h"
#include "store/usage.h"

/* Hidden names, which no snapshot can have. */
#define MAKING ".new"     /* a snapshot that has no name yet */
#define GOING ".del"      /* what has lost its name */
#define PREPARED ".back"  /* what is to be put back, not whole yet */
#define COMMITTED ".done" /* the same, whole: it will be put back */

/* The directory of all of them; -1 when there is none, or with *err when the host keeps us from it. */
static int look_for_all(int vm_dir, struct error *err)
{
    struct error failure = {0};
    int all = file_open_dir(vm_dir, VM_SNAPSHOTS, &failure);
    if (all < 0 && error_is_blind(&failure)) {
        *err = failure;
    }
    return all;
}

/* The same for what nothing depends on. */
static int open_all(int vm_dir)
{
    struct error ignored = {0};
    return look_for_all(vm_dir, &ignored);
}

bool vm_snapshot_names(int vm_dir, struct strings *names, struct error *err)
{
    auto_done(strings) struct strings found = {0};
    if (file_is_absent(vm_dir, VM_SNAPSHOTS)) {
        return true;
    }
    if (!file_list(vm_dir, VM_SNAPSHOTS, &found, err)) {
        return false;
    }
    for (size_t i = 0; i < found.count; i++) {
        if (found.items[i][0] != '.') {
            strings_add(names, found.items[i]);
        }
    }
    return true;
}

bool vm_snapshot_exists(int vm_dir, const char *name)
{
    auto_free char *path = vm_snapshot_path(name);
    return file_exists(vm_dir, path);
}

int vm_snapshot_open(int vm_dir, const char *name, struct error *err)
{
    if (!name_check_entry(name, "snapshot name", err)) {
        return -1;
    }
    auto_close int all = look_for_all(vm_dir, err);
    if (all < 0 || file_is_absent(all, name)) {
        error_set(err, ERROR_NOT_FOUND, "there is no snapshot %s", name);
        return -1;
    }
    return file_open_dir(all, name, err);
}

struct json *vm_snapshot_read(int vm_dir, const char *name, const char *document, struct error *err)
{
    auto_close int dir = vm_snapshot_open(vm_dir, name, err);
    auto_free char *shown = memory_printf("%s of snapshot %s", document, name);
    return dir < 0 ? NULL : entries_read_json(dir, document, shown, err);
}

char *vm_snapshot_path(const char *name)
{
    return memory_printf(VM_SNAPSHOTS "/%s", name);
}

uint64_t vm_snapshot_disk_use(int vm_dir, const char *name)
{
    struct usage usage = {0};
    auto_close int all = name != NULL ? open_all(vm_dir) : -1;
    if (name != NULL && all >= 0) {
        usage_add(all, name, &usage);
    } else if (name == NULL) {
        usage_add(vm_dir, VM_SNAPSHOTS, &usage);
    }
    return usage.disk_bytes;
}

/* ---- hidden directories --------------------------------------------------------------------- */

/* An empty directory of that hidden name; -1 on failure. */
static int begin(int vm_dir, const char *hidden, struct error *err)
{
    if (mkdirat(vm_dir, VM_SNAPSHOTS, 0700) != 0 && errno != EEXIST) {
        error_set_errno(err, errno, "cannot make a directory for snapshots");
        return -1;
    }
    auto_close int all = file_open_dir(vm_dir, VM_SNAPSHOTS, err);
    if (all < 0 || !file_remove_tree(all, hidden, err)) {
        return -1;
    }
    if (mkdirat(all, hidden, 0700) != 0) {
        error_set_errno(err, errno, "cannot make a directory for a snapshot");
        return -1;
    }
    return file_open_dir(all, hidden, err);
}

/* Everything in it is on the disk before it gets its name, and the name before this returns. */
static bool settle(
    int vm_dir, const char *hidden, const char *name, const char *what, struct error *err)
{
    auto_close int all = file_open_dir(vm_dir, VM_SNAPSHOTS, err);
    auto_close int dir = all >= 0 ? file_open_dir(all, hidden, err) : -1;
    if (dir < 0 || !sync_tree(dir, what, err)) {
        return false;
    }
    if (renameat(all, hidden, all, name) != 0) {
        return error_set_errno(err, errno, "%s cannot get its name", what);
    }
    struct error why = {0};
    if (file_sync(all, VM_SNAPSHOTS, &why) && file_sync(vm_dir, ".", &why)) {
        return true;
    }
    renameat(all, name, all, hidden); /* never with a name that a power cut could take back */
    *err = why;
    return false;
}

static void remove_hidden(int vm_dir, const char *hidden)
{
    struct error ignored = {0};
    auto_close int all = open_all(vm_dir);
    if (all >= 0) {
        file_remove_tree(all, hidden, &ignored);
    }
}

/* ---- making and removing -------------------------------------------------------------------- */

int vm_snapshot_begin(int vm_dir, struct error *err)
{
    return begin(vm_dir, MAKING, err);
}

bool vm_snapshot_publish(int vm_dir, const char *name, struct error *err)
{
    if (!name_check_entry(name, "snapshot name", err)) {
        return false;
    }
    if (vm_snapshot_exists(vm_dir, name)) {
        return error_set(
            err, ERROR_EXISTS, "there is already a snapshot %s: choose another name", name);
    }
    return settle(vm_dir, MAKING, name, "the snapshot", err);
}

bool vm_snapshot_remove(int vm_dir, const char *name, struct error *err)
{
    auto_close int dir = vm_snapshot_open(vm_dir, name, err);
    auto_close int all = dir >= 0 ? open_all(vm_dir) : -1;
    if (all < 0 || !file_remove_tree(all, GOING, err)) {
        return false;
    }
    if (renameat(all, name, all, GOING) != 0) {
        return error_set_errno(err, errno, "cannot remove snapshot %s", name);
    }
    if (!file_sync(all, VM_SNAPSHOTS, err)) {
        return false;
    }
    remove_hidden(vm_dir, GOING);
    return true;
}

void vm_snapshot_abandon(int vm_dir)
{
    remove_hidden(vm_dir, MAKING);
    remove_hidden(vm_dir, PREPARED);
    remove_hidden(vm_dir, GOING);
}

/* ---- putting back --------------------------------------------------------------------------- */

int vm_restore_begin(int vm_dir, struct error *err)
{
    return begin(vm_dir, PREPARED, err);
}

bool vm_restore_commit(int vm_dir, struct error *err)
{
    return settle(vm_dir, PREPARED, COMMITTED, "what is to be restored", err);
}

static bool names_disk(const struct json *manifest, const char *file)
{
    const struct json *disks = json_get(manifest, "disks");
    for (const struct json *item = json_first(disks); item != NULL; item = json_next(item)) {
        if (strcmp(json_string(item, "file", ""), file) == 0) {
            return true;
        }
    }
    return false;
}

/* Each rename takes effect whole; what is missing in there was moved by one who was killed. */
static bool move_file(int from_dir, int vm_dir, const char *file, struct error *err)
{
    return renameat(from_dir, file, vm_dir, file) == 0 || errno == ENOENT ||
           error_set_errno(err, errno, "cannot restore %s", file);
}

static bool move_all(
    int dir, int vm_dir, const struct json *manifest, const struct strings *own, struct error *err)
{
    for (size_t i = 0; i < own->count; i++) {
        const char *file = own->items[i];
        if (names_disk(manifest, file)) {
            if (!move_file(dir, vm_dir, file, err)) {
                return false;
            }
        } else if (unlinkat(vm_dir, file, 0) != 0 && errno != ENOENT) {
            return error_set_errno(err, errno, "cannot remove %s", file);
        }
    }
    return move_file(dir, vm_dir, VM_SNAPSHOT_SPEC, err);
}

bool vm_restore_finish(int vm_dir, const struct strings *own, struct error *err)
{
    auto_close int all = look_for_all(vm_dir, err);
    if (all < 0 || file_is_absent(all, COMMITTED)) {
        return err->code == ERROR_NONE;
    }
    auto_close int dir = file_open_dir(all, COMMITTED, err);
    auto_json struct json *manifest =
        dir >= 0 ? entries_read_json(dir, VM_SNAPSHOT_MANIFEST, "what is being restored", err)
                 : NULL;
    if (manifest == NULL || !move_all(dir, vm_dir, manifest, own, err) ||
        !file_sync(vm_dir, ".", err) || !file_sync(dir, COMMITTED, err)) {
        return false;
    }
    /* Its name goes first: a manifest alone would tell that every disk has been moved. */
    if (!file_remove_tree(all, GOING, err)) {
        return false;
    }
    if (renameat(all, COMMITTED, all, GOING) != 0) {
        return error_set_errno(err, errno, "what was restored cannot be put away");
    }
    if (!file_sync(all, VM_SNAPSHOTS, err)) {
        return false;
    }
    remove_hidden(vm_dir, GOING);
    return true;
}

/* ---- what was left behind ------------------------------------------------------------------- */

bool vm_snapshot_has_leftovers(int vm_dir)
{
    static const char *const hidden[] = {MAKING, GOING, PREPARED, COMMITTED};
    struct error failure = {0};
    auto_close int all = look_for_all(vm_dir, &failure);
    for (size_t i = 0; all >= 0 && i < array_length(hidden); i++) {
        if (!file_is_absent(all, hidden[i])) {
            return true;
        }
    }
    return failure.code != ERROR_NONE;
}

bool vm_snapshot_left_paused(int vm_dir)
{
    return file_exists(vm_dir, VM_SNAPSHOT_STAGING "/" VM_SNAPSHOT_PAUSED);
}
