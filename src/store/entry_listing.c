/* SPDX-License-Identifier: MIT */
#include "store/entry_listing.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "store/entries.h"

/* Fewer entries are read by one thread. */
#define WORTH_THREADS 1000

/* What the threads share; each writes the slot of its own index only. */
struct reading {
    struct entry_listing listing;
    const struct entry_reader *reader;
    char *entries; /* without a name: not there after all */
};

/* Names and index. */
static bool begin(struct entry_listing *listing, const struct store *store,
    const struct entry_shape *shape, struct error *err)
{
    listing->store = store;
    listing->shape = shape;
    listing->kind_dir = store_kind_dir(store, shape->kind);
    listing->started_ns = entry_index_now_ns();
    if (!entries_list_kind(store, shape->kind, &listing->names, &listing->links, err)) {
        return false;
    }
    listing->stamps = memory_zero(listing->names.count + 1, sizeof(*listing->stamps));
    if (listing->names.count >= ENTRY_INDEX_FROM) {
        listing->index = entry_index_read(store, shape);
    }
    return true;
}

static void reading_done(struct reading *reading)
{
    struct entry_listing *listing = &reading->listing;
    strings_done(&listing->names);
    strings_done(&listing->links);
    entry_index_free(listing->index);
    free(listing->stamps);
}

bool entry_listing_is_plain(const struct entry_listing *listing, size_t i)
{
    return !strings_contain(&listing->links, listing->names.items[i]);
}

/* Fills the entry of names[i] from the index; false when it is to be read. */
static bool recall(struct entry_listing *listing, size_t i, void *entry)
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

static void read_one(void *context, size_t i)
{
    struct reading *reading = context;
    struct entry_listing *listing = &reading->listing;
    char *entry = reading->entries + i * listing->shape->entry_size;
    if (!reading->reader->read(listing, i, recall(listing, i, entry), entry)) {
        reading->reader->done(entry);
    }
}

/* Closes the gaps of those that are not there. The number of entries left. */
static size_t close_gaps(struct entry_listing *listing, char *entries)
{
    size_t size = listing->shape->entry_size;
    size_t count = 0;
    for (size_t i = 0; i < listing->names.count; i++) {
        char *entry = entries + i * size;
        if (!has_name(listing, entry)) {
            continue;
        }
        if (count < i) {
            memcpy(entries + count * size, entry, size);
            listing->stamps[count] = listing->stamps[i];
        }
        count++;
    }
    return count;
}

void *entry_listing_read(const struct store *store, const struct entry_shape *shape,
    const struct entry_reader *reader, size_t *count, struct entry_index **index, struct error *err)
{
    auto_done(reading) struct reading reading = {.reader = reader};
    struct entry_listing *listing = &reading.listing;
    if (!begin(listing, store, shape, err)) {
        return NULL;
    }
    size_t names = listing->names.count;
    reading.entries = memory_zero(names + 1, shape->entry_size);
    parallel_each(names, WORTH_THREADS, read_one, &reading);
    *count = close_gaps(listing, reading.entries);
    entry_index_write(store, shape, listing->index, reading.entries, listing->stamps, *count,
        listing->started_ns);
    *index = take_ptr(listing->index);
    return reading.entries;
}
