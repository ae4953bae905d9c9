/* SPDX-License-Identifier: MIT */
#include "artifact/layer_walked.h"

#include "artifact/layer_path.h"
#include "base/memory.h"

/* FNV-1a, and a last stir, since the table looks at the low bits. */
#define PRIME UINT64_C(0x100000001b3)

uint64_t layer_hash(uint64_t above, const struct layer_name *name)
{
    uint64_t hash = (above ^ '/') * PRIME;
    for (size_t i = 0; i < name->len; i++) {
        hash = (hash ^ (uint8_t)name->bytes[i]) * PRIME;
    }
    hash ^= hash >> 32;
    return hash != 0 ? hash : 1;
}

void layer_hashes_done(struct layer_hashes *hashes)
{
    free(hashes->slots);
    *hashes = (struct layer_hashes){0};
}

/* Where the hash is, or would be. capacity is a power of two and never full. */
static size_t find_slot(const struct layer_hashes *hashes, uint64_t hash)
{
    size_t at = (size_t)hash & (hashes->capacity - 1);
    while (hashes->slots[at] != 0 && hashes->slots[at] != hash) {
        at = (at + 1) & (hashes->capacity - 1);
    }
    return at;
}

static void grow(struct layer_hashes *hashes)
{
    struct layer_hashes larger = {.capacity = hashes->capacity ? hashes->capacity * 2 : 64};
    larger.slots = memory_zero(larger.capacity, sizeof *larger.slots);
    larger.count = hashes->count;
    for (size_t i = 0; i < hashes->capacity; i++) {
        if (hashes->slots[i] != 0) {
            larger.slots[find_slot(&larger, hashes->slots[i])] = hashes->slots[i];
        }
    }
    layer_hashes_done(hashes);
    *hashes = larger;
}

void layer_hashes_add(struct layer_hashes *hashes, uint64_t hash)
{
    if (hashes->count * 2 >= hashes->capacity) {
        grow(hashes);
    }
    size_t at = find_slot(hashes, hash);
    hashes->count += hashes->slots[at] == 0;
    hashes->slots[at] = hash;
}

bool layer_hashes_has(const struct layer_hashes *hashes, uint64_t hash)
{
    return hashes->count > 0 && hashes->slots[find_slot(hashes, hash)] != 0;
}
