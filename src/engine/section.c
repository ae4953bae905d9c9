/* SPDX-License-Identifier: MIT */
#include "engine/section.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

#define CHUNK_BYTES 4096

struct chunk {
    struct chunk *next;
    size_t used;
    size_t size;
    max_align_t bytes[];
};

struct kept {
    struct kept *next;
    void *thing;
    void (*drop)(void *thing);
};

struct section {
    atomic_uint holders;
    size_t item_size;
    size_t count;
    size_t room;
    char *items;
    struct chunk *chunks;
    struct kept *kept;
};

struct section *section_new(size_t item_size)
{
    struct section *section = memory_zero(1, sizeof(*section));
    atomic_init(&section->holders, 1);
    section->item_size = item_size;
    return section;
}

void *section_add(struct section *section)
{
    if (section->count == section->room) {
        section->room = section->room ? section->room * 2 : 8;
        section->items = memory_grow(section->items, section->room, section->item_size);
    }
    void *item = section->items + section->count * section->item_size;
    section->count++;
    memset(item, 0, section->item_size);
    return item;
}

void *section_alloc(struct section *section, size_t size_bytes)
{
    size_t align = _Alignof(max_align_t);
    size_t need = (size_bytes + align - 1) / align * align;
    struct chunk *chunk = section->chunks;
    if (!chunk || chunk->size - chunk->used < need) {
        size_t size = need > CHUNK_BYTES ? need : CHUNK_BYTES;
        chunk = memory_zero(1, sizeof(*chunk) + size);
        chunk->size = size;
        chunk->next = section->chunks;
        section->chunks = chunk;
    }
    void *bytes = (char *)chunk->bytes + chunk->used;
    chunk->used += need;
    return bytes;
}

const char *section_string(struct section *section, const char *text)
{
    if (!text || !*text) {
        return "";
    }
    size_t size = strlen(text) + 1;
    return memcpy(section_alloc(section, size), text, size);
}

const char *const *section_strings(struct section *section, const struct strings *list)
{
    if (!list->count) {
        return NULL;
    }
    const char **copy = section_alloc(section, list->count * sizeof(*copy));
    for (size_t i = 0; i < list->count; i++) {
        copy[i] = section_string(section, list->items[i]);
    }
    return copy;
}

void section_keep(struct section *section, void *thing, void (*drop)(void *thing))
{
    struct kept *kept = section_alloc(section, sizeof(*kept));
    *kept = (struct kept){.next = section->kept, .thing = thing, .drop = drop};
    section->kept = kept;
}

void *section_items(const struct section *section)
{
    return section->count ? section->items : NULL;
}

size_t section_count(const struct section *section)
{
    return section->count;
}

struct section *section_hold(struct section *section)
{
    atomic_fetch_add(&section->holders, 1);
    return section;
}

void section_release(struct section *section)
{
    if (!section || atomic_fetch_sub(&section->holders, 1) != 1) {
        return;
    }
    for (struct kept *kept = section->kept; kept; kept = kept->next) {
        kept->drop(kept->thing);
    }
    while (section->chunks) {
        struct chunk *next = section->chunks->next;
        free(section->chunks);
        section->chunks = next;
    }
    free(section->items);
    free(section);
}

void section_auto_release(struct section **section)
{
    section_release(*section);
    *section = NULL;
}
