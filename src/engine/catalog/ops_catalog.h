/* SPDX-License-Identifier: MIT */
#pragma once

/* Catalogs with the engine's settings: where they are, whom to trust, and fetching the remote ones.
 * Workers only. */

#include "store/catalog.h"

#include <stdbool.h>

struct config;
struct error;
struct ops;

/* Where to look and whom to trust, as configured. Borrows from ops; ops_places_done frees the
 * lists. */
struct ops_places {
    struct catalog_places places;
    struct catalog_setting *settings;
    struct catalog_trust *trust;
};

void ops_places_init(const struct ops *ops, struct ops_places *places);
void ops_places_done(struct ops_places *places);

/* All sources as configured. With may_fetch, remote ones whose copy is missing, unproved or old are
 * fetched first; one that cannot be fetched keeps its copy, and without one it is a source with
 * that problem. The caller calls catalog_done. */
bool ops_catalog_load(struct ops *ops, bool may_fetch, struct catalog *catalog, struct error *err);
/* Fetches a remote catalog with its signature and keeps both as its copy, once they are what the
 * policy that holds for trust asks for. *is_changed may be NULL. ERROR_SIGNATURE, ERROR_FORMAT, and
 * what fetching can end with. */
bool ops_catalog_fetch(
    struct ops *ops, const char *trust, const char *url, bool *is_changed, struct error *err);
/* Completes entries that are packages by what apt says of them: version, size, and why one cannot be
 * had. With may_ask apt is run where no answer is kept (about a second for each), else those stay
 * as they are and *is_complete is false. No server is asked. False only when cancelled. */
bool ops_catalog_ask_apt(
    struct ops *ops, struct catalog *catalog, bool may_ask, bool *is_complete, struct error *err);
/* Names under [trust] and [signatures] that no source goes by: a slip there leaves one unproved. */
void ops_catalog_idle_trust(
    const struct ops *ops, const struct catalog *catalog, struct strings *names);
/* Lists the offers again for the front end, when one is watching. */
void ops_catalogs_changed(struct ops *ops);
