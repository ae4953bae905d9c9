/* SPDX-License-Identifier: MIT */
#pragma once

/* How a struct catalog is put together, source by source. Private to the store. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct catalog;
struct catalog_document;
struct catalog_source;
struct error;
struct limits;
struct store;
struct text;

/* Appends a source without entries; its name gets a number where it is taken. Borrowed, valid until
 * the next one is added. */
struct catalog_source *catalog_add_source(
    struct catalog *catalog, const char *name, const char *place);
/* Moves the entries of a document into the catalog as those of the last source. */
void catalog_take_document(struct catalog *catalog, struct catalog_document *document);

/* Reads the copy of a URL: the document, its signature ("" when there is none) and its age.
 * ERROR_NOT_FOUND when it was never fetched. */
bool catalog_copy_read(const struct store *store, const char *url, uint64_t max_bytes,
    struct text *bytes, struct text *signature, int64_t *as_of, struct error *err);
/* Larger files of catalogs.d are catalogs, and not worth reading twice. */
#define CATALOG_REFERENCE_MOST 16384
/* The place that a file of catalogs.d refers to, caller frees; NULL when these bytes are none of
 * ours (*err stays clear) or are broken (ERROR_FORMAT). */
char *catalog_reference_parse(
    const char *bytes, size_t len, const struct limits *limits, struct error *err);
