/* SPDX-License-Identifier: MIT */
#pragma once

/* Why a key does nothing on a row: the fact, and the key that helps. Main thread. */

#include "ui/keys.h"
#include "ui/panes.h"

#include <stddef.h>

struct seat;
struct text;

/* Nothing is written when there is no better answer than that it is not possible. */
void refusal_words(
    const struct seat *seat, enum request request, enum pane pane, size_t index, struct text *out);
