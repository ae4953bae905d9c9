/* SPDX-License-Identifier: MIT */
/* host df: what everything of ours takes, and what of it can be had back. */
#include "base/cancel.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "store/layout.h"
#include "store/usage.h"

/* What can be had back of a place. */
enum reclaim {
    RECLAIM_NOTHING,
    RECLAIM_UNUSED, /* entries that nobody refers to */
    RECLAIM_ALL,
};

/* Asks who refers to an entry; NULL for kinds that nothing refers to. */
typedef bool users_function(
    struct ops *ops, const char *name, struct strings *users, struct error *err);

struct place {
    const char *what;
    int dir; /* -1: nothing was kept there yet */
    enum reclaim reclaim;
    users_function *users;
};

static bool is_reclaimable(
    struct ops *ops, const struct place *place, const char *name, struct error *err)
{
    auto_done(strings) struct strings users = {0};
    switch (place->reclaim) {
    case RECLAIM_NOTHING:
        return false;
    case RECLAIM_ALL:
        return true;
    case RECLAIM_UNUSED:
        if (!place->users(ops, name, &users, err)) {
            if (error_is_blind(err)) {
                error_clear(err); /* somebody may */
            }
            return false;
        }
        return users.count == 0;
    }
    return false;
}

/* Entries of a store never begin with a dot; what does is half-made and goes by itself. */
static bool add_row(
    struct ops *ops, const struct place *place, struct json *rows, struct error *err)
{
    auto_done(strings) struct strings names = {0};
    struct usage total = {0};
    uint64_t reclaimable_bytes = 0;
    int64_t entries = 0;
    if (place->dir >= 0 && !file_list(place->dir, ".", &names, err)) {
        return error_wrap(err, "%s cannot be counted", place->what);
    }
    for (size_t i = 0; i < names.count; i++) {
        struct usage one = {0};
        usage_add(place->dir, names.items[i], &one);
        total.size_bytes += one.size_bytes;
        total.disk_bytes += one.disk_bytes;
        bool is_entry = names.items[i][0] != '.';
        entries += is_entry;
        if (!is_entry || is_reclaimable(ops, place, names.items[i], err)) {
            reclaimable_bytes += one.disk_bytes;
        }
        if (err->code != ERROR_NONE || cancel_check(ops->cancel, err)) {
            return false;
        }
    }
    struct json *row = json_new_object();
    json_put_string(row, "what", place->what);
    json_put_integer(row, "entries", entries);
    json_put_integer(row, "size_bytes", (int64_t)total.size_bytes);
    json_put_integer(row, "disk_bytes", (int64_t)total.disk_bytes);
    json_put_integer(row, "reclaimable_bytes", (int64_t)reclaimable_bytes);
    json_append(rows, row);
    return true;
}

bool ops_host_df(struct ops *ops, struct json **result, struct error *err)
{
    const struct store *store = ops->store;
    auto_close int lists = store_open_lists(store, false);
    const struct place places[] = {
        {"kernels", store_kind_dir(store, STORE_KERNEL), RECLAIM_UNUSED, ops_kernel_users},
        {"images", store_kind_dir(store, STORE_IMAGE), RECLAIM_UNUSED, ops_image_users},
        {"vms", store_kind_dir(store, STORE_VM), RECLAIM_NOTHING, NULL},
        {"cache/blobs", store_cache_dir(store, STORE_CACHE_BLOBS), RECLAIM_ALL, NULL},
        {"cache/downloads", store_cache_dir(store, STORE_CACHE_DOWNLOADS), RECLAIM_ALL, NULL},
        {"cache/elf", store_cache_dir(store, STORE_CACHE_ELF), RECLAIM_ALL, NULL},
        {"cache/initrd", store_cache_dir(store, STORE_CACHE_INITRD), RECLAIM_ALL, NULL},
        {"cache/catalogs", store_cache_dir(store, STORE_CACHE_CATALOGS), RECLAIM_ALL, NULL},
        {"cache/lists", lists, RECLAIM_ALL, NULL},
        {"trash", store_area_dir(store, STORE_TRASH), RECLAIM_ALL, NULL},
    };
    auto_json struct json *rows = json_new_array();
    for (size_t i = 0; i < array_length(places); i++) {
        if (!add_row(ops, &places[i], rows, err)) {
            return false;
        }
    }
    *result = take_ptr(rows);
    return true;
}
