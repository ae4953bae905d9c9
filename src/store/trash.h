/* SPDX-License-Identifier: MIT */
#pragma once

/* Entries on their way out: trash/<kind>@<name>@<milliseconds>, each an entry's directory as it
 * was. Moving in and out is one rename. The caller holds the entry's exclusive lock. Workers
 * only. */

#include "store/layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cancel;
struct error;
struct limits;

struct trash_item {
    char *id; /* the directory's name */
    enum store_kind kind;
    char *name;
    int64_t trashed_at;  /* wall seconds */
    int64_t trashed_ms;  /* the same in milliseconds: which of two went first */
    uint64_t disk_bytes; /* allocated, everything below it */
};

struct trash_list {
    struct trash_item *items; /* oldest first */
    size_t count;
};

void trash_list_done(struct trash_list *list);
/* Moves an entry there. *id, when wanted, is what it is called there; caller frees.
 * ERROR_NOT_FOUND when there is none. */
bool trash_put(const struct store *store, enum store_kind kind, const char *name, char **id,
    struct error *err);
/* What is in it. */
bool trash_read(const struct store *store, struct trash_list *list, struct error *err);
/* How many things it has; a listing of one directory. */
size_t trash_count(const struct store *store);
/* The wall second from which trash_expire removes it for its age. */
int64_t trash_kept_until(const struct trash_item *item, const struct limits *limits);
/* Gives one back under its old name, by id. ERROR_NOT_FOUND; ERROR_EXISTS when the name is taken
 * meanwhile. */
bool trash_restore(const struct store *store, const char *id, struct error *err);
/* Whether it could now: ERROR_EXISTS when something else has taken its name. */
bool trash_may_restore(const struct store *store, const struct trash_item *item, struct error *err);
/* Removes for good what is older than trash_days and then, oldest first, what is above
 * trash_bytes. *freed_bytes counts allocated bytes. */
bool trash_expire(const struct store *store, const struct limits *limits,
    const struct cancel *cancel, uint64_t *freed_bytes, struct error *err);
/* Its first half alone: what is too old. Does not look at the sizes of what stays, so it costs a
 * directory listing. */
bool trash_expire_old(const struct store *store, const struct limits *limits,
    const struct cancel *cancel, uint64_t *freed_bytes, struct error *err);
/* What trash_expire would remove now, in allocated bytes. */
bool trash_overflow(
    const struct store *store, const struct limits *limits, uint64_t *bytes, struct error *err);
/* Removes everything for good. */
bool trash_empty(const struct store *store, const struct cancel *cancel, uint64_t *freed_bytes,
    struct error *err);
