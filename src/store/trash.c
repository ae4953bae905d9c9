/* SPDX-License-Identifier: MIT */
#include "store/trash.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/name.h"
#include "base/text.h"
#include "store/entries.h"
#include "store/lock.h"
#include "store/usage.h"

#define SECONDS_A_DAY (24 * 3600)
#define RENAME_WAIT_MS 10000

void trash_list_done(struct trash_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].id);
        free(list->items[i].name);
    }
    free(list->items);
    *list = (struct trash_list){0};
}

static bool parse_kind(const char *word, enum store_kind *kind)
{
    for (int i = 0; i < STORE_KIND_COUNT; i++) {
        if (strcmp(store_kind_name((enum store_kind)i), word) == 0) {
            *kind = (enum store_kind)i;
            return true;
        }
    }
    return false;
}

/* "<kind>@<name>@<milliseconds>"; anything else in the directory is not an item. */
static bool parse_id(const char *id, struct trash_item *item)
{
    struct error ignored = {0};
    auto_done(strings) struct strings parts = {0};
    strings_split(&parts, id, "@");
    if (parts.count != 3 || !parse_kind(parts.items[0], &item->kind) ||
        !name_check_entry(parts.items[1], "name", &ignored)) {
        return false;
    }
    int64_t milliseconds;
    int used = 0;
    if (sscanf(parts.items[2], "%" SCNd64 "%n", &milliseconds, &used) != 1 ||
        parts.items[2][used] != '\0') {
        return false;
    }
    item->trashed_ms = milliseconds;
    item->trashed_at = milliseconds / 1000;
    item->name = memory_strdup(parts.items[1]);
    item->id = memory_strdup(id);
    return true;
}

static uint64_t disk_bytes_below(int dir, const char *name)
{
    struct usage usage = {0};
    usage_add(dir, name, &usage);
    return usage.disk_bytes;
}

static int compare_items(const void *left, const void *right)
{
    const struct trash_item *a = left;
    const struct trash_item *b = right;
    if (a->trashed_ms != b->trashed_ms) {
        return a->trashed_ms < b->trashed_ms ? -1 : 1;
    }
    return strcmp(a->id, b->id);
}

static bool read_items(
    const struct store *store, bool with_sizes, struct trash_list *list, struct error *err)
{
    int trash = store_area_dir(store, STORE_TRASH);
    auto_done(strings) struct strings names = {0};
    if (!file_list(trash, ".", &names, err)) {
        return error_wrap(err, "the trash cannot be read");
    }
    list->items = memory_zero(names.count + 1, sizeof(*list->items));
    for (size_t i = 0; i < names.count; i++) {
        struct trash_item *item = &list->items[list->count];
        if (parse_id(names.items[i], item)) {
            item->disk_bytes = with_sizes ? disk_bytes_below(trash, names.items[i]) : 0;
            list->count++;
        }
    }
    qsort(list->items, list->count, sizeof(*list->items), compare_items);
    return true;
}

bool trash_read(const struct store *store, struct trash_list *list, struct error *err)
{
    return read_items(store, true, list, err);
}

size_t trash_count(const struct store *store)
{
    auto_done(trash_list) struct trash_list list = {0};
    struct error ignored = {0};
    read_items(store, false, &list, &ignored);
    return list.count;
}

int64_t trash_kept_until(const struct trash_item *item, const struct limits *limits)
{
    return item->trashed_at + (int64_t)limits->trash_days * SECONDS_A_DAY;
}

/* A directory changes its parent only when its owner may write to it. */
static bool open_up(int dir, const char *name)
{
    struct stat info;
    return fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode) &&
           fchmodat(dir, name, 0700, 0) == 0;
}

/* One rename between two directories of the store, durable on both sides. */
static bool move(const struct store *store, int from_dir, const char *from, int to_dir,
    const char *to, struct error *err)
{
    auto_lock struct lock *lock = lock_take_store(store, "trash", RENAME_WAIT_MS, NULL, NULL, err);
    if (lock == NULL) {
        return false;
    }
    int status = renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE);
    if (status != 0 && errno == EACCES && open_up(from_dir, from)) {
        status = renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE);
    }
    if (status != 0 && (errno == EINVAL || errno == ENOSYS)) {
        /* Whoever renames holds the store's lock, so looking first is enough here. */
        errno = EEXIST;
        status = file_exists(to_dir, to) ? -1 : renameat(from_dir, from, to_dir, to);
    }
    if (status != 0) {
        return error_set_errno(err, errno, "cannot move %s", from);
    }
    return file_sync(to_dir, to, err) && file_sync(from_dir, from, err);
}

bool trash_put(
    const struct store *store, enum store_kind kind, const char *name, char **id, struct error *err)
{
    if (!name_check_entry(name, store_kind_name(kind), err)) {
        return false;
    }
    struct error failure = {0};
    int trash = store_area_dir(store, STORE_TRASH);
    int64_t now = clock_wall_ms();
    /* Two of one name in one millisecond: the later one counts as a moment younger. */
    for (int attempt = 0; attempt < 100; attempt++) {
        auto_free char *made =
            memory_printf("%s@%s@%" PRId64, store_kind_name(kind), name, now + attempt);
        error_clear(&failure);
        if (move(store, store_kind_dir(store, kind), name, trash, made, &failure)) {
            if (id != NULL) {
                *id = take_ptr(made);
            }
            return true;
        }
        if (failure.code != ERROR_EXISTS) {
            break;
        }
    }
    if (failure.code == ERROR_NOT_FOUND) {
        return error_set(
            err, ERROR_NOT_FOUND, "there is no %s named %s", store_kind_name(kind), name);
    }
    return error_set(err, failure.code, "%s %s cannot go to the trash: %s", store_kind_name(kind),
        name, failure.text);
}

static void item_done(struct trash_item *item)
{
    free(item->id);
    free(item->name);
}

static bool refuse_taken(const struct trash_item *item, struct error *err)
{
    bool is_vm = item->kind == STORE_VM;
    return error_set(err, ERROR_EXISTS, "%s %s is here again: remove%s that one first",
        is_vm ? "VM" : store_kind_name(item->kind), item->name, is_vm ? " or rename" : "");
}

bool trash_may_restore(const struct store *store, const struct trash_item *item, struct error *err)
{
    return !file_exists(store_kind_dir(store, item->kind), item->name) || refuse_taken(item, err);
}

bool trash_restore(const struct store *store, const char *id, struct error *err)
{
    __attribute__((cleanup(item_done))) struct trash_item item = {0};
    int trash = store_area_dir(store, STORE_TRASH);
    if (!parse_id(id, &item) || file_is_absent(trash, id)) {
        auto_free char *shown = text_safe(id, true);
        return error_set(err, ERROR_NOT_FOUND,
            "the trash has no %.120s: host trash list shows what it has", shown);
    }
    struct error failure = {0};
    if (move(store, trash, id, store_kind_dir(store, item.kind), item.name, &failure)) {
        return true;
    }
    if (failure.code == ERROR_EXISTS) {
        return refuse_taken(&item, err);
    }
    return error_set(err, failure.code, "%s", failure.text);
}

/* Loses its name first, so that a killed removal is the sweep's and never half an item. */
static bool remove_item(
    const struct store *store, const struct trash_item *item, uint64_t *freed, struct error *err)
{
    int trash = store_area_dir(store, STORE_TRASH);
    auto_free char *doomed = entries_hidden_name(ENTRIES_DOOMED);
    if (!move(store, trash, item->id, trash, doomed, err) ||
        !file_remove_tree(trash, doomed, err)) {
        return error_wrap(err, "%s cannot be removed from the trash", item->id);
    }
    *freed += item->disk_bytes;
    return true;
}

bool trash_expire_old(const struct store *store, const struct limits *limits,
    const struct cancel *cancel, uint64_t *freed_bytes, struct error *err)
{
    auto_done(trash_list) struct trash_list list = {0};
    *freed_bytes = 0;
    if (!read_items(store, false, &list, err)) {
        return false;
    }
    for (size_t i = 0; i < list.count; i++) {
        struct trash_item *item = &list.items[i];
        if (trash_kept_until(item, limits) >= clock_wall()) {
            break; /* all others are younger */
        }
        item->disk_bytes = disk_bytes_below(store_area_dir(store, STORE_TRASH), item->id);
        if (cancel_check(cancel, err) || !remove_item(store, item, freed_bytes, err)) {
            return false;
        }
    }
    return true;
}

/* How many of the list, oldest first, have outstayed their days or the bytes the trash may hold. */
static size_t count_outstayed(const struct trash_list *list, const struct limits *limits)
{
    uint64_t kept_bytes = 0;
    for (size_t i = 0; i < list->count; i++) {
        kept_bytes += list->items[i].disk_bytes;
    }
    size_t count = 0;
    while (count < list->count && (trash_kept_until(&list->items[count], limits) < clock_wall() ||
                                      kept_bytes > limits->trash_bytes)) {
        kept_bytes -= list->items[count++].disk_bytes;
    }
    return count;
}

bool trash_expire(const struct store *store, const struct limits *limits,
    const struct cancel *cancel, uint64_t *freed_bytes, struct error *err)
{
    auto_done(trash_list) struct trash_list list = {0};
    *freed_bytes = 0;
    if (!trash_read(store, &list, err)) {
        return false;
    }
    size_t count = count_outstayed(&list, limits);
    for (size_t i = 0; i < count; i++) {
        if (cancel_check(cancel, err) || !remove_item(store, &list.items[i], freed_bytes, err)) {
            return false;
        }
    }
    return true;
}

bool trash_overflow(
    const struct store *store, const struct limits *limits, uint64_t *bytes, struct error *err)
{
    auto_done(trash_list) struct trash_list list = {0};
    *bytes = 0;
    if (!trash_read(store, &list, err)) {
        return false;
    }
    size_t count = count_outstayed(&list, limits);
    for (size_t i = 0; i < count; i++) {
        *bytes += list.items[i].disk_bytes;
    }
    return true;
}

bool trash_empty(const struct store *store, const struct cancel *cancel, uint64_t *freed_bytes,
    struct error *err)
{
    auto_done(trash_list) struct trash_list list = {0};
    *freed_bytes = 0;
    if (!trash_read(store, &list, err)) {
        return false;
    }
    for (size_t i = 0; i < list.count; i++) {
        if (cancel_check(cancel, err) || !remove_item(store, &list.items[i], freed_bytes, err)) {
            return false;
        }
    }
    return true;
}
