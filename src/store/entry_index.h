/* SPDX-License-Identifier: MIT */
#pragma once

/* What the manifests of thousands of entries say, in one file: cache/lists/<kind>. A pure cache in
 * the manner of git's index. The manifests stay the truth: each is looked at (one stat) at every
 * listing, and what the index says of it counts only while inode, size and both times are those of
 * the manifest that was read, and it was at rest when it was read. So an edit in place is seen at
 * once. An index that is missing, broken or of another program or store is ignored, one that cannot
 * be written is not written, and nobody hears of either. A read-only seat writes none.
 *
 * Written aside and renamed, so any number of processes may read and write; the last one stays. One
 * that was read does not change any more: any thread. Private to the store. */

#include "store/layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct entry_index;
struct stat;

/* Stores with fewer entries are read faster than an index is worth. */
#define ENTRY_INDEX_FROM 500
/* A manifest younger than this when it was read may be written again within the same tick of the
 * file system's clock, which then shows in none of its times. */
#define ENTRY_INDEX_REST_MS 2000

/* A member of an entry's struct that the index keeps. */
enum entry_field_type {
    ENTRY_STRING, /* char *, may be NULL */
    ENTRY_NUMBER, /* 64 bits */
    ENTRY_BOOL,
};
struct entry_field {
    size_t offset;
    enum entry_field_type type;
};

/* How one kind's entries look. The first field is the name, which is never NULL. */
struct entry_shape {
    enum store_kind kind;
    size_t entry_size;
    const struct entry_field *fields;
    size_t field_count;
};

/* Frees the strings of an entry that borrows none. */
void entry_free_strings(const struct entry_shape *shape, void *entry);

/* The manifest an entry was read from. Zero: none that the index may tell of. */
struct entry_stamp {
    uint64_t device;
    uint64_t inode;
    int64_t size_bytes;
    int64_t modified_ns;
    int64_t changed_ns;
};
struct entry_stamp entry_stamp_of(const struct stat *manifest);

/* NULL when there is none that can be used. The caller frees. */
struct entry_index *entry_index_read(const struct store *store, const struct entry_shape *shape);
void entry_index_free(struct entry_index *index);
/* Fills the fields of an entry from the record of that name and is true, when there is one and the
 * manifest is still the one it tells of. Strings are borrowed from the index. likely: where the
 * record is if no name came or went. */
bool entry_index_fill(const struct entry_index *index, const char *name, size_t likely,
    const struct entry_stamp *stamp, void *entry);
/* Wall time by the system's own clock, whatever clock.h was told: files get their times from it. */
int64_t entry_index_now_ns(void);
/* Replaces the index, if this seat may write and enough of it is out of date. entries, sorted by
 * name, were read from the manifests of stamps after started_ns; stamps are used up. old may be
 * NULL. */
void entry_index_write(const struct store *store, const struct entry_shape *shape,
    const struct entry_index *old, const void *entries, struct entry_stamp *stamps, size_t count,
    int64_t started_ns);
