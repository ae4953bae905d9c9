/* SPDX-License-Identifier: MIT */
#pragma once

/* How a whole kind of entries is listed: the names, what the index knows of them, the rest read by
 * a few threads at once, the index put right afterwards. Private to the store; workers. */

#include "base/text.h"
#include "store/entry_index.h"

struct error;

/* Fewer entries are read by one thread. */
#define ENTRY_LISTING_WORTH 1000

struct entry_listing {
    const struct store *store;
    const struct entry_shape *shape;
    int kind_dir;
    struct strings names; /* sorted */
    struct strings links;
    struct entry_index *index;  /* NULL: none that can be used */
    struct entry_stamp *stamps; /* one for each name; set by whoever reads its entry */
    int64_t started_ns;
};

/* Names and index. */
bool entry_listing_begin(struct entry_listing *listing, const struct store *store,
    const struct entry_shape *shape, struct error *err);
void entry_listing_done(struct entry_listing *listing);
/* Fills the entry of names[i] from the index, strings borrowed from it; false when it is to be
 * read. Any thread, each i once. */
bool entry_listing_recall(struct entry_listing *listing, size_t i, void *entry);
/* Known to be a directory. */
bool entry_listing_is_plain(const struct entry_listing *listing, size_t i);
/* Closes the gaps in entries (one for each name; without a name: not there after all), writes the
 * index if it is time, and hands the one that was read to the caller, whose entries live in it.
 * The number of entries left. */
size_t entry_listing_finish(
    struct entry_listing *listing, void *entries, struct entry_index **index);
