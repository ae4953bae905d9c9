/* SPDX-License-Identifier: MIT */
#pragma once

/* Why a key does nothing on a row: the fact, and the key that helps. Main thread. */

#include "ui/keys.h"
#include "ui/panes.h"

#include <stdbool.h>
#include <stddef.h>

struct seat;
struct snapshot;
struct text;

/* The host keeps us from reading what the row shows: it may be looked at, and nothing is done to it.
 * out, unless NULL, gets why, and what helps. */
bool refusal_is_unread(
    const struct snapshot *snapshot, enum pane pane, size_t index, struct text *out);

/* Nothing is written when there is no better answer than that it is not possible. */
void refusal_words(
    const struct seat *seat, enum request request, enum pane pane, size_t index, struct text *out);
