/* SPDX-License-Identifier: MIT */
#pragma once

/* Nothing half-made has a final name: an entry is filled in a staging directory beside its goal,
 * synced, and renamed in one step (RELIABILITY, 4.1; rename(2), RENAME_NOREPLACE and
 * RENAME_EXCHANGE). A staging directory is locked (flock on the directory itself) as long as its
 * maker lives; store_sweep removes those nobody holds.
 *
 * The caller holds the entry's exclusive lock (lock_take) around staging_publish; slow work that
 * fills the staging may be done before that, without it. Workers only. */

#include "store/layout.h"

#include <stdbool.h>
#include <stdint.h>

struct error;
struct staging;

enum publish_mode {
    PUBLISH_NEW,     /* a name that is taken is ERROR_EXISTS */
    PUBLISH_REPLACE, /* what has the name is replaced in one exchange; a free name is fine */
};

/* Makes an empty staging directory for the entry. NULL on failure; ends with staging_publish or
 * staging_abandon. */
struct staging *staging_begin(
    const struct store *store, enum store_kind kind, const char *name, struct error *err);
/* Where to create the files; borrowed. */
int staging_dir(const struct staging *staging);
/* Absolute path of it, for child programs. Borrowed. */
const char *staging_path(const struct staging *staging);
/* Brings what is in it to the disk, so that staging_publish has little left to sync. */
bool staging_sync(const struct staging *staging, struct error *err);
/* Syncs every file and directory in it, renames, syncs the parent. A rename that cannot be made
 * durable is undone again. On success the staging is used up (free it with staging_abandon all
 * the same, which then removes nothing). On failure nothing has the final name that did not have
 * it before. */
bool staging_publish(struct staging *staging, enum publish_mode mode, struct error *err);
/* Removes what was not published and frees. NULL is accepted. */
void staging_abandon(struct staging *staging);
void staging_auto_abandon(struct staging **staging);
#define auto_staging __attribute__((cleanup(staging_auto_abandon)))

/* Takes an entry away: it loses its name in one rename, then its files go. ERROR_NOT_FOUND when
 * there is none. The caller holds its exclusive lock. */
bool store_remove_entry(
    const struct store *store, enum store_kind kind, const char *name, struct error *err);
/* Gives an entry another name; ERROR_EXISTS when that is taken. The caller holds both locks. */
bool store_rename_entry(const struct store *store, enum store_kind kind, const char *name,
    const char *new_name, struct error *err);
/* Removes what dead processes left: staging and half-removed directories nobody holds, temporary
 * files of an hour, partial downloads of more than seven days. *removed counts them. One that
 * cannot be removed does not stop the others; the first such failure is the error. Once at every
 * start, and `host gc`. */
bool store_sweep(const struct store *store, uint64_t *removed, struct error *err);
/* How many store_sweep would remove now. */
bool store_sweep_find(const struct store *store, uint64_t *found, struct error *err);
