/* SPDX-License-Identifier: MIT */
#pragma once

/* What several operations share: waiting for an entry's lock while showing what its
 * holder does, small pieces of results. Workers only. */

#include "engine/snapshot.h"
#include "store/layout.h"

#include <stdbool.h>
#include <stdint.h>

struct error;
struct json;
struct lock;
struct ops;
struct strings;
struct text;
struct unread;

/* The exclusive lock of an entry. While another process pulls or makes the same entry its progress
 * is shown as ours and the wait goes on as long as it moves; with no movement for the lock timeout
 * it is ERROR_BUSY naming the holder. NULL on failure. */
struct lock *ops_lock(struct ops *ops, enum store_kind kind, const char *name, const char *purpose,
    struct error *err);

/* The lock of the work that makes an entry (lock_take_work), waited for in the same way. */
struct lock *ops_lock_work(struct ops *ops, enum store_kind kind, const char *name,
    const char *purpose, struct error *err);

/* Names of what needs this kernel, as "image debian", "VM web", "snapshot before of VM web": snapshots
 * of VMs that do not use it themselves. One that the host keeps us from reading may need it: that is
 * its error, error_is_blind. */
bool ops_kernel_users(
    struct ops *ops, const char *kernel, struct strings *users, struct error *err);
/* Names of the VMs made from this image, and of snapshots as above. */
bool ops_image_users(struct ops *ops, const char *image, struct strings *users, struct error *err);

/* What an entry of the store is for lists. */
enum entry_state ops_entry_state(bool is_damaged, const struct unread *unread);

/* ERROR_IN_USE naming the first users and how many there are. Always false. */
bool ops_refuse_in_use(const char *what, const char *name, const struct strings *users,
    bool can_force, struct error *err);
/* The one name that is or begins with `word`, for reading verbs: exact wins, several are
 * ERROR_INVALID with the candidates, none is ERROR_NOT_FOUND with the near ones. Borrowed from
 * names; NULL on failure. */
const char *ops_resolve_name(
    const char *what, const struct strings *names, const char *word, struct error *err);

/* {"name": N, "changed": C}; caller frees. */
struct json *ops_result(const char *name, bool is_changed);
/* time as RFC 3339 under key, nothing when it is 0. */
void ops_put_time(struct json *object, const char *key, int64_t wall_seconds);
/* One more object of a list that is written row by row, because it may be one of thousands; takes
 * the row over. Then the list as a result (base/json.h, json_new_written); rows is empty after. */
void ops_rows_add(struct text *rows, struct json *row);
struct json *ops_rows_take(struct text *rows);
/* An array of strings under key, nothing when the list is empty. */
void ops_put_strings(struct json *object, const char *key, const struct strings *list);
/* {"plan": […], "free_bytes": N} of one action; caller frees. */
struct json *ops_plan(struct ops *ops);
void ops_plan_add(struct json *plan, const char *action, const char *object, uint64_t size_bytes);

/* Login name of who runs this, or the number; caller frees. */
char *ops_login(void) __attribute__((returns_nonnull));
/* The lock timeout in force. */
uint64_t ops_lock_timeout_ms(const struct ops *ops);
/* This program, for children that do the parsing. */
const char *ops_self_path(const struct ops *ops);
