/* SPDX-License-Identifier: MIT */
#pragma once

/* Where everything is: the state directory and the cache, opened once, checked once, and from then
 * on reached by descriptor. This file is the only one that knows directory names (FORMATS,
 * "Places"). struct store does not change between store_open and store_close, so any thread may use
 * it without a lock. Descriptors got from it are borrowed.
 *
 * What is promised about the two roots and every directory below them that this module opens: they
 * are directories, the resolved place belongs to this user and is not writable by others. What it
 * makes is 0700 under any umask. */

#include <stdbool.h>

struct error;

struct store;

/* A kind of entry: one directory per entry below the kind's directory. */
enum store_kind { STORE_KERNEL, STORE_IMAGE, STORE_VM };
#define STORE_KIND_COUNT 3
/* What describes a kernel or an image in its directory. */
#define STORE_MANIFEST "manifest.json"

/* Directories of the state that hold no entries. */
enum store_area {
    STORE_CATALOGS_D,
    STORE_SSH,
    STORE_TRASH,
    STORE_JOBS,
    STORE_LOG,
    STORE_LOCKS,
    STORE_LOCKS_KERNEL,
    STORE_LOCKS_IMAGE,
    STORE_LOCKS_VM,
};
#define STORE_AREA_COUNT 9

/* Directories of the cache: everything in them can be fetched or made again. */
enum store_cache {
    STORE_CACHE_BLOBS, /* blobs/sha256 */
    STORE_CACHE_DOWNLOADS,
    STORE_CACHE_ELF,
    STORE_CACHE_INITRD,
    STORE_CACHE_CATALOGS,
};
#define STORE_CACHE_COUNT 5

/* Opens both roots and makes what is missing. cache_dir NULL: state_dir/cache. A root that belongs
 * to somebody else or that others may write to is ERROR_PERMISSION with the line to type. NULL on
 * failure; the caller closes. */
struct store *store_open(const char *state_dir, const char *cache_dir, struct error *err);
void store_close(struct store *store);
/* Whoever opened it only looks: before anybody else has it. Nothing but caches asks for this;
 * commands that change something are refused before they come here. */
void store_set_readonly(struct store *store);
bool store_is_readonly(const struct store *store);
void store_auto_close(struct store **store);
#define auto_store __attribute__((cleanup(store_auto_close)))

/* Absolute, resolved path of the state directory; for messages and for programs that need a path. */
const char *store_path(const struct store *store);

int store_dir_fd(const struct store *store);
int store_kind_dir(const struct store *store, enum store_kind kind);
int store_area_dir(const struct store *store, enum store_area area);
int store_cache_dir(const struct store *store, enum store_cache cache);

/* A descriptor of the cache's directory of lists, which is only there once a long list was kept; the
 * caller closes. is_made: makes it when missing. -1 on failure, which is nobody's trouble. */
int store_open_lists(const struct store *store, bool is_made);

/* "kernel", "image", "vm": as in messages and in locks/. */
const char *store_kind_name(enum store_kind kind);
/* "kernels", "images", "vms": the directory. */
const char *store_kind_folder(enum store_kind kind);
/* Absolute path of an entry's directory, or of `file` in it when that is not NULL. Computed, never
 * stored. Caller frees. */
char *store_entry_path(const struct store *store, enum store_kind kind, const char *name,
    const char *file) __attribute__((returns_nonnull));

/* Absolute path of a file in the cache, for programs that need one. Caller frees. */
char *store_cache_file_path(const struct store *store, enum store_cache cache, const char *file)
    __attribute__((returns_nonnull));
