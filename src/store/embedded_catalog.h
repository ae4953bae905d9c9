/* SPDX-License-Identifier: MIT */
#pragma once

/* data/catalog.json as it was when this program was built. The build makes the array with
 * embed_catalog, which refuses a document the program could not read. Private to the store. */

#include <stddef.h>

extern const char embedded_catalog[];
extern const size_t embedded_catalog_len;
