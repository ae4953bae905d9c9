/* SPDX-License-Identifier: MIT */
#include "store/catalog.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "store/catalog_build.h"
#include "store/catalog_document.h"
#include "store/catalog_url.h"

#define NEAR_MOST 3
#define NEAR_DISTANCE 3

static void source_done(struct catalog_source *source)
{
    free(source->name);
    free(source->place);
    free(source->file);
    free(source->trust);
}

void catalog_done(struct catalog *catalog)
{
    for (size_t i = 0; i < catalog->source_count; i++) {
        source_done(&catalog->sources[i]);
    }
    for (size_t i = 0; i < catalog->entry_count; i++) {
        catalog_entry_done(&catalog->entries[i]);
    }
    free(catalog->sources);
    free(catalog->entries);
    *catalog = (struct catalog){0};
}

static int compare(const struct catalog_entry *entry, enum catalog_kind kind, const char *name)
{
    if (entry->kind != kind) {
        return entry->kind < kind ? -1 : 1;
    }
    return strcmp(entry->name, name);
}

/* By kind and name; of equal ones the earlier source, then the earlier line, comes first. */
static int compare_entries(const void *left, const void *right)
{
    const struct catalog_entry *a = left;
    const struct catalog_entry *b = right;
    int order = compare(a, b->kind, b->name);
    if (order == 0 && a->source != b->source) {
        order = a->source < b->source ? -1 : 1;
    }
    if (order == 0 && a->position != b->position) {
        order = a->position < b->position ? -1 : 1;
    }
    return order;
}

static void sort_and_drop_shadowed(struct catalog *catalog)
{
    if (catalog->entry_count == 0) {
        return;
    }
    qsort(catalog->entries, catalog->entry_count, sizeof(*catalog->entries), compare_entries);
    size_t kept = 1;
    for (size_t i = 1; i < catalog->entry_count; i++) {
        struct catalog_entry *last = &catalog->entries[kept - 1];
        struct catalog_entry *entry = &catalog->entries[i];
        if (compare(entry, last->kind, last->name) == 0) {
            catalog_entry_done(entry);
        } else {
            catalog->entries[kept++] = *entry;
        }
    }
    catalog->entry_count = kept;
}

static bool is_name_taken(const struct catalog *catalog, const char *name)
{
    for (size_t i = 0; i < catalog->source_count; i++) {
        if (strcmp(catalog->sources[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* The wanted name, or with "-2" and so on behind it where another source has that. */
static char *free_name(const struct catalog *catalog, const char *wanted)
{
    char *name = memory_strdup(wanted);
    for (unsigned number = 2; is_name_taken(catalog, name); number++) {
        free(name);
        name = memory_printf("%s-%u", wanted, number);
    }
    return name;
}

struct catalog_source *catalog_add_source(
    struct catalog *catalog, const char *name, const char *place)
{
    char *unique = free_name(catalog, name);
    catalog->sources =
        memory_grow(catalog->sources, catalog->source_count + 1, sizeof(*catalog->sources));
    struct catalog_source *source = &catalog->sources[catalog->source_count++];
    *source = (struct catalog_source){
        .name = unique, .place = memory_strdup(place), .trust = memory_strdup(name)};
    return source;
}

void catalog_take_document(struct catalog *catalog, struct catalog_document *document)
{
    size_t index = catalog->source_count - 1;
    struct catalog_source *source = &catalog->sources[index];
    source->is_loaded = true;
    catalog->entries = memory_grow(
        catalog->entries, catalog->entry_count + document->count + 1, sizeof(*catalog->entries));
    for (size_t i = 0; i < document->count; i++) {
        struct catalog_entry *entry = &document->entries[i];
        entry->source = index;
        entry->position = i;
        if (entry->kind == CATALOG_KERNEL) {
            source->kernel_count++;
        } else {
            source->image_count++;
        }
        catalog->entries[catalog->entry_count++] = *entry;
    }
    free(document->entries);
    *document = (struct catalog_document){0};
    sort_and_drop_shadowed(catalog);
}

bool catalog_add_document(struct catalog *catalog, const char *name, const char *base,
    const char *bytes, size_t len, const struct limits *limits, struct error *err)
{
    auto_free char *base_url = base[0] == '/' ? catalog_url_from_path(base) : memory_strdup(base);
    struct catalog_document document = {0};
    if (!catalog_document_parse(bytes, len, base_url, name, limits, &document, err)) {
        return false;
    }
    catalog_add_source(catalog, name, base);
    catalog_take_document(catalog, &document);
    return true;
}

const struct catalog_entry *catalog_find(
    const struct catalog *catalog, enum catalog_kind kind, const char *name)
{
    size_t low = 0;
    size_t high = catalog->entry_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(&catalog->entries[middle], kind, name);
        if (order == 0) {
            return &catalog->entries[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

static bool is_near(const char *name, const char *word)
{
    return text_has_prefix(name, word) || text_distance(name, word) < NEAR_DISTANCE;
}

/* Up to three names somebody may have meant. */
static char *near_names(const struct catalog *catalog, enum catalog_kind kind, const char *word)
{
    auto_done(strings) struct strings found = {0};
    for (size_t i = 0; i < catalog->entry_count && found.count < NEAR_MOST; i++) {
        const struct catalog_entry *entry = &catalog->entries[i];
        if (entry->kind == kind && word[0] != '\0' && is_near(entry->name, word)) {
            strings_add(&found, entry->name);
        }
    }
    return strings_join(&found, ", ");
}

const struct catalog_entry *catalog_require(
    const struct catalog *catalog, enum catalog_kind kind, const char *name, struct error *err)
{
    const struct catalog_entry *entry = catalog_find(catalog, kind, name);
    if (entry != NULL) {
        return entry;
    }
    const char *what = kind == CATALOG_KERNEL ? "kernel" : "image";
    auto_free char *shown = text_safe(name, true);
    const struct catalog_source *broken = catalog_first_problem(catalog);
    if (broken != NULL) {
        error_set(err, broken->problem.code,
            "no %s named %.80s in the catalogs that could be read; %s", what, shown,
            broken->problem.text);
        return NULL;
    }
    auto_free char *near = near_names(catalog, kind, name);
    if (near[0] != '\0') {
        error_set(err, ERROR_NOT_FOUND, "no catalog has the %s %.80s: did you mean %s?", what,
            shown, near);
    } else {
        error_set(err, ERROR_NOT_FOUND,
            "no catalog has the %s %.80s: %s list --available shows what there is", what, shown,
            what);
    }
    return NULL;
}

const struct catalog_source *catalog_first_problem(const struct catalog *catalog)
{
    for (size_t i = 0; i < catalog->source_count; i++) {
        if (catalog->sources[i].problem.code != ERROR_NONE) {
            return &catalog->sources[i];
        }
    }
    return NULL;
}

const char *catalog_source_name(const struct catalog *catalog, const struct catalog_entry *entry)
{
    return catalog->sources[entry->source].name;
}

static int compare_pointers(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names of a list in order, borrowed; the caller frees the array. */
static const char **sorted(const struct strings *names)
{
    const char **items = memory_zero(names->count + 1, sizeof(*items));
    for (size_t i = 0; i < names->count; i++) {
        items[i] = names->items[i];
    }
    qsort(items, names->count, sizeof(*items), compare_pointers);
    return items;
}

void catalog_reconcile(const struct catalog *catalog, const struct strings *local_kernels,
    const struct strings *local_images, enum catalog_state *states)
{
    auto_free const char **kernels = sorted(local_kernels);
    auto_free const char **images = sorted(local_images);
    for (size_t i = 0; i < catalog->entry_count; i++) {
        const struct catalog_entry *entry = &catalog->entries[i];
        bool is_kernel = entry->kind == CATALOG_KERNEL;
        const char *name = entry->name;
        const void *found = bsearch(&name, is_kernel ? kernels : images,
            is_kernel ? local_kernels->count : local_images->count, sizeof(name), compare_pointers);
        if (found != NULL) {
            states[i] = CATALOG_PULLED;
        } else {
            states[i] = entry->is_usable ? CATALOG_AVAILABLE : CATALOG_UNUSABLE;
        }
    }
}
