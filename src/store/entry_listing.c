/* SPDX-License-Identifier: MIT */
#include "store/entry_listing.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/memory.h"
#include "store/entries.h"

bool entry_listing_begin(struct entry_listing *listing, const struct store *store,
    const struct entry_shape *shape, struct error *err)
{
    listing->store = store;
    listing->shape = shape;
    listing->kind_dir = store_kind_dir(store, shape->kind);
    listing->started_ns = entry_index_now_ns();
    if (!entries_list(listing->kind_dir, &listing->names, &listing->links, err)) {
        return false;
    }
    listing->stamps = memory_zero(listing->names.count + 1, sizeof(*listing->stamps));
    if (listing->names.count >= ENTRY_INDEX_FROM) {
        listing->index = entry_index_read(store, shape);
    }
    return true;
}

void entry_listing_done(struct entry_listing *listing)
{
    strings_done(&listing->names);
    strings_done(&listing->links);
    entry_index_free(listing->index);
    free(listing->stamps);
    *listing = (struct entry_listing){0};
}

bool entry_listing_is_plain(const struct entry_listing *listing, size_t i)
{
    return !strings_contain(&listing->links, listing->names.items[i]);
}

bool entry_listing_recall(struct entry_listing *listing, size_t i, void *entry)
{
    struct stat info;
    char path[ENTRIES_PATH_MAX];
    const char *name = listing->names.items[i];
    if (listing->index == NULL || !entry_listing_is_plain(listing, i) ||
        fstatat(listing->kind_dir, entries_path(name, STORE_MANIFEST, path), &info,
            AT_SYMLINK_NOFOLLOW) != 0) {
        return false;
    }
    struct entry_stamp stamp = entry_stamp_of(&info);
    if (!entry_index_fill(listing->index, name, i, &stamp, entry)) {
        return false;
    }
    listing->stamps[i] = stamp;
    return true;
}

static bool has_name(const struct entry_listing *listing, const char *entry)
{
    const char *name;
    memcpy(&name, entry + listing->shape->fields[0].offset, sizeof(name));
    return name != NULL;
}

size_t entry_listing_finish(
    struct entry_listing *listing, void *entries, struct entry_index **index)
{
    size_t size = listing->shape->entry_size;
    size_t count = 0;
    for (size_t i = 0; i < listing->names.count; i++) {
        char *entry = (char *)entries + i * size;
        if (!has_name(listing, entry)) {
            continue;
        }
        if (count < i) {
            memcpy((char *)entries + count * size, entry, size);
            listing->stamps[count] = listing->stamps[i];
        }
        count++;
    }
    entry_index_write(listing->store, listing->shape, listing->index, entries, listing->stamps,
        count, listing->started_ns);
    *index = take_ptr(listing->index);
    return count;
}
