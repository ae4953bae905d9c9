/* SPDX-License-Identifier: MIT */
#pragma once

/* Verified downloads of one pull, kernels and images alike, and what is left of them in the cache.
 * Workers only. */

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct digest;
struct error;
struct json;
struct ops;

/* Zero-initialise. */
struct fetched {
    struct strings parts; /* names in downloads/ */
    int *held;            /* descriptors of theirs: nobody else fetches into them meanwhile */
    uint64_t size_bytes;  /* of all blobs together */
    char *from;           /* what served the first one; NULL: nothing was fetched */
};

void fetched_done(struct fetched *fetched);
/* Downloads one blob and proves its digest. The descriptor reads from offset 0; the caller closes it.
 * The part's lock is held until fetched_done. -1 on failure. */
int ops_fetch(struct ops *ops, const char *const *urls, size_t url_count,
    const struct digest *digest, uint64_t size_bytes, struct fetched *fetched, struct error *err);
/* Once the entry is published: the parts are not needed any more. */
void ops_fetch_forget(struct ops *ops, const struct fetched *fetched);
