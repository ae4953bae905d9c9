/* SPDX-License-Identifier: MIT */
#pragma once

/* How a struct catalog is put together, source by source. Private to the store. */

struct catalog;
struct catalog_document;
struct catalog_source;

/* Appends a source without entries; its name gets a number where it is taken. Borrowed, valid until
 * the next one is added. */
struct catalog_source *catalog_add_source(
    struct catalog *catalog, const char *name, const char *place);
/* Moves the entries of a document into the catalog as those of the last source. */
void catalog_take_document(struct catalog *catalog, struct catalog_document *document);
