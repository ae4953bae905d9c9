/* SPDX-License-Identifier: MIT */
#pragma once

/* Blobs of one image into the cache, several at once. Used by oci_pull.c and oci_layers.c only; the
 * threads it starts are gone when it returns. */

#include <stdbool.h>
#include <stddef.h>

struct cancel;
struct error;
struct oci_descriptor;
struct oci_registries;
struct oci_settings;
struct progress;

struct oci_fetch {
    const struct oci_settings *settings;
    struct oci_registries *registries;
    size_t first; /* the one to ask first: it knew the manifest */
    const struct progress *progress;
    const struct cancel *cancel;
    /* NULL: none. A second wish to stop, beside cancel; asked for here too after a failure. */
    struct cancel *stop;
    /* Told of each blob once it is in the cache under its name, also of those that were there; in any
     * thread, one at a time. May be NULL. */
    void (*arrived)(void *context, const struct oci_descriptor *blob);
    void *context;
};

/* Fetches those that are not in the cache, each one once however often it is listed, in the order of
 * the list. The first failure stops the others. */
bool oci_fetch_blobs(const struct oci_fetch *fetch, const struct oci_descriptor *blobs,
    size_t count, struct error *err);
