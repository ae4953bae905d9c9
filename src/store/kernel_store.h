/* SPDX-License-Identifier: MIT */
#pragma once

/* Kernels kept here: kernels/<name>/{manifest.json,vmlinux,initrd.img,modules/,config} (FORMATS,
 * "Places"). The directories are the truth; there is no registry beside them, so an entry made by
 * hand counts. One that cannot be read is listed as damaged with the reason and stands in nobody's
 * way. Reading takes no lock: entries change by rename only. Workers only; values have one owner at
 * a time. */

#include "base/unread.h"
#include "store/layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct json;

#define KERNEL_FILE "vmlinux"
#define KERNEL_INITRD "initrd.img"
#define KERNEL_MODULES "modules"
#define KERNEL_CONFIG "config" /* what it was built with, where that came along */

/* Strings are owned unless is_borrowed; NULL means not known. */
struct kernel_entry {
    char *name;
    char *distro;
    char *arch;
    char *kernel_version;
    char *sha256;            /* of vmlinux, 64 lower-case hex digits */
    char *source;            /* "pull:<url>", "import:<path>", "apt:<package>=<version>" */
    char *source_sha256;     /* of what was downloaded */
    char *fetched_from;      /* what really served it */
    char *format_of_kernel;  /* "elf", "bzimage" */
    char *imported_by;       /* login name of who made the entry */
    char *found_sha256;      /* what `kernel verify` found instead of sha256; NULL: no rot known */
    int64_t imported_at;     /* wall seconds; 0: not known */
    uint64_t size_bytes;     /* as recorded, else of vmlinux */
    uint64_t recorded_bytes; /* as the manifest has it; 0: it does not */
    bool has_kernel;         /* vmlinux is there as a regular file */
    bool has_initrd;
    bool has_modules;
    bool has_manifest;
    bool is_damaged;
    char *damage;          /* one sentence about what is wrong */
    struct unread unread;  /* what kept us from looking: then nobody knows, is_damaged is false */
    bool is_newer;         /* written by a newer version: to be read only */
    struct json *document; /* the manifest as read, so that unknown keys survive; may be NULL */
    bool is_borrowed;      /* the strings above but damage live in the list that the entry is in */
};

struct kernel_list {
    struct kernel_entry *items; /* by name */
    size_t count;
    struct entry_index *index; /* holds borrowed strings */
};

void kernel_entry_done(struct kernel_entry *entry);
void kernel_list_done(struct kernel_list *list);

/* One entry; a damaged one is a success with is_damaged set, one that the host keeps us from reading is
 * that error (error_is_blind). ERROR_NOT_FOUND when there is no such
 * directory. entry is to be zeroed before; the caller calls kernel_entry_done. */
bool kernel_store_read(
    const struct store *store, const char *name, struct kernel_entry *entry, struct error *err);
/* All of them, sorted by name, damaged ones included, without their documents. */
bool kernel_store_list(const struct store *store, struct kernel_list *list, struct error *err);
/* The same without looking for what stands beside vmlinux, a third of the work: has_initrd and
 * has_modules are not set. */
bool kernel_store_list_brief(
    const struct store *store, struct kernel_list *list, struct error *err);
/* Writes manifest.json, which must not exist yet, into a staging directory: the last file before
 * staging_publish. Keys of entry->document that are not ours are kept. */
bool kernel_store_write_manifest(
    int staging_dir, const struct kernel_entry *entry, struct error *err);
/* Notes in the manifest what was found instead of sha256, NULL for nothing any more. The one change
 * of a manifest in place; the caller holds the exclusive lock and has just read entry. */
bool kernel_store_record_found(const struct store *store, const struct kernel_entry *entry,
    const char *found_sha256, struct error *err);
/* Moves it to the trash, where it is *trash_id (NULL: not wanted). The caller holds the exclusive
 * lock and has asked who needs it. ERROR_NOT_FOUND; ERROR_UNSUPPORTED for an entry of a newer
 * version. */
bool kernel_store_trash(
    const struct store *store, const char *name, char **trash_id, struct error *err);
/* A descriptor of the entry's directory, the caller's to close. ERROR_NOT_FOUND. */
int kernel_store_open(const struct store *store, const char *name, struct error *err);
