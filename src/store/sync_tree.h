/* SPDX-License-Identifier: MIT */
#pragma once

/* Making a finished tree durable before it gets its name (RELIABILITY, 4.1): every regular file and
 * every directory below `dir`, deepest first, then `dir` itself. Beyond a hundred files one
 * syncfs(2) is cheaper than as many fsync(2) and says as much. Private to the store; workers. */

#include <stdbool.h>

struct error;

bool sync_tree(int dir, const char *shown, struct error *err);
