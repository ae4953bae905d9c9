/* SPDX-License-Identifier: MIT */
#pragma once

/* A strict walk over JSON text (RFC 8259) before any tree is built: it allocates only the keys of
 * open objects and refuses what lenient parsers accept in different ways. Pure; any thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

/* One UTF-8 document without byte order mark, duplicate keys, \u0000, lone surrogates or integers
 * beyond ±2^53, nested at most max_depth deep. ERROR_FORMAT naming `what`, line and column;
 * ERROR_LIMIT for the depth. */
bool json_scan(
    const char *bytes, size_t len, uint64_t max_depth, const char *what, struct error *err);
