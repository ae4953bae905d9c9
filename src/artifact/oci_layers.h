/* SPDX-License-Identifier: MIT */
#pragma once

/* The layers of one image on their way into the cache, the newest first, while whoever makes a disk
 * of them reads those that are there. A layer is handed out once its digest was proved and it has its
 * name in the cache; never before. Used by oci_pull.c only.
 *
 * One thread of its own fetches (and has oci_fetch's below it); waiting and ending are the owner's.
 * Of the two that report progress at the same time only one is let through at once: the fetching as
 * long as it lasts, then the reading. */

#include "artifact/oci_fetch.h"

#include <stdbool.h>
#include <stddef.h>

struct error;
struct oci_image;
struct oci_layers;
struct progress;

/* Begins to fetch what is missing; nothing can fail yet. What fetch points at must live until the
 * end; image and shown are copied. */
struct oci_layers *oci_layers_begin(
    const struct oci_fetch *fetch, const struct oci_image *image, const char *shown);
/* Until that layer (0: the oldest) is in the cache and is what it was said to be. Errors are those of
 * fetching, whichever layer could not be had, or of the layer. */
bool oci_layers_wait(struct oci_layers *layers, size_t index, struct error *err);
/* Until all are. */
bool oci_layers_finish(struct oci_layers *layers, struct error *err);
/* For the reader's reports, as long as there are layers. */
const struct progress *oci_layers_progress(const struct oci_layers *layers);
/* Stops what is still on its way; what came of it stays for the next pull. NULL is accepted. */
void oci_layers_end(struct oci_layers *layers);
