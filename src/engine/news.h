/* SPDX-License-Identifier: MIT */
#pragma once

/* What other seats on this state directory destroyed or stopped, as sentences in the state's log
 * that front ends show at once. Listing jobs only, one at a time. */

#include <stdbool.h>

struct error;
struct ops;

/* Tells what came into log/changes.jsonl since the last call; at the first one nothing is news. */
bool news_refresh(struct ops *ops, struct error *err);
