/* SPDX-License-Identifier: MIT */
#include "store/embedded_catalog.h"

const char embedded_catalog[] = {
#include "src/store/embedded_catalog.inc"
};
const size_t embedded_catalog_len = sizeof(embedded_catalog);
