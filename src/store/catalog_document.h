/* SPDX-License-Identifier: MIT */
#pragma once

/* One catalog document, parsed into entries in its own order. Needs nothing but base/, so that the
 * build can check the built-in document with it. Private to the store. */

#include <stdbool.h>
#include <stddef.h>

struct catalog_entry;
struct error;
struct limits;

struct catalog_document {
    struct catalog_entry *entries;
    size_t count;
};

void catalog_document_done(struct catalog_document *document);
void catalog_entry_done(struct catalog_entry *entry);
/* base: what relative URLs start from, an absolute URL or "". what opens the sentences.
 * ERROR_FORMAT or ERROR_LIMIT. */
bool catalog_document_parse(const char *bytes, size_t len, const char *base, const char *what,
    const struct limits *limits, struct catalog_document *document, struct error *err);
