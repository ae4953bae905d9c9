/* SPDX-License-Identifier: MIT */
#pragma once

/* One list of a snapshot under construction and afterwards: an array of items and the memory their
 * strings live in, as one reference-counted block. Whoever builds it is its only owner; handing it
 * to a state_put_* function makes it immutable, and from then on snapshots share it. Building: one
 * thread. section_hold and section_release: any thread. */

#include <stddef.h>

struct section;
struct strings;

struct section *section_new(size_t item_size);
/* A zeroed item at the end. The pointer is good until the next section_add. */
void *section_add(struct section *section);
/* Copies text into the block; "" for NULL. The pointer is good as long as the block. */
const char *section_string(struct section *section, const char *text);
/* Copies a list of strings; NULL when it is empty. */
const char *const *section_strings(struct section *section, const struct strings *list);
/* Zeroed memory of the block. */
void *section_alloc(struct section *section, size_t size_bytes);

/* Calls drop(thing) when the block goes: for items that point into something else. */
void section_keep(struct section *section, void *thing, void (*drop)(void *thing));

/* The items; NULL when there are none. */
void *section_items(const struct section *section);
size_t section_count(const struct section *section);

struct section *section_hold(struct section *section);
/* NULL is accepted. */
void section_release(struct section *section);
void section_auto_release(struct section **section);
#define auto_section __attribute__((cleanup(section_auto_release)))
