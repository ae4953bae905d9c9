/* SPDX-License-Identifier: MIT */
#pragma once

/* How a whole kind of entries is listed: the names, what the index knows of them, the rest read by
 * a few threads at once, the index put right afterwards. Private to the store; workers. */

#include "base/text.h"
#include "store/entry_index.h"

struct error;

struct entry_listing {
    const struct store *store;
    const struct entry_shape *shape;
    int kind_dir;
    struct strings names;       /* sorted */
    struct strings links;       /* of these: links, where directories should be */
    struct entry_index *index;  /* NULL: none that can be used */
    struct entry_stamp *stamps; /* one for each name; set by whoever reads its entry */
    int64_t started_ns;
};

/* What a kind knows of its entries. Called by several threads, for each i once. */
struct entry_reader {
    /* Completes the entry of names[i], zero but for what the index told when it is_recalled (then
     * its strings are borrowed). False: it is not there after all. */
    bool (*read)(struct entry_listing *listing, size_t i, bool is_recalled, void *entry);
    void (*done)(void *entry);
};

/* Known to be a directory. */
bool entry_listing_is_plain(const struct entry_listing *listing, size_t i);
/* All entries, in the order of their names: *count of the shape's structs, whose strings live partly
 * in *index; both the caller's, freed in that order. NULL on failure. */
void *entry_listing_read(const struct store *store, const struct entry_shape *shape,
    const struct entry_reader *reader, size_t *count, struct entry_index **index,
    struct error *err);
