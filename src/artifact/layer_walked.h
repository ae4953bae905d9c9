/* SPDX-License-Identifier: MIT */
#pragma once

/* Whether a name of some layer may have to follow a symlink: which directories the names of the
 * newer layers went through, and which links the layer at hand has made. Kept as hashes, so that it
 * may say yes where it is no, which only costs time, and never the other way round. Private to
 * layer*.c; one owner at a time. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct layer_name;

#define LAYER_HASH_START UINT64_C(0xcbf29ce484222325)

struct layer_hashes {
    uint64_t *slots; /* 0: empty */
    size_t capacity, count;
};

/* Of a name below what `above` stands for. */
uint64_t layer_hash(uint64_t above, const struct layer_name *name);

void layer_hashes_done(struct layer_hashes *hashes);
void layer_hashes_add(struct layer_hashes *hashes, uint64_t hash);
bool layer_hashes_has(const struct layer_hashes *hashes, uint64_t hash);
