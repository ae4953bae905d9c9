/* SPDX-License-Identifier: MIT */
#pragma once

/* What a front end keeps from one run to the next (which pane, which columns, which order): texts
 * by key in state/ui.json, {"format":1,"values":{…}}. Nothing but looks depends on it: one that
 * cannot be read is as good as none, and the last writer wins. Main or a worker. */

#include "store/layout.h"

#include <stdbool.h>
#include <stdint.h>

struct error;
struct json;

/* An object of texts; never NULL. False, with an empty object and err, when the file is there but
 * cannot be understood; the caller frees the object in any case. */
bool kept_read(const struct store *store, struct json **values, struct error *err);
/* Another one after each change of the file; 0: there is none. */
uint64_t kept_version(const struct store *store);
/* Replaces the file. */
bool kept_write(const struct store *store, const struct json *values, struct error *err);
