/* SPDX-License-Identifier: MIT */
#pragma once

/* What an operator of an empty host sees in place of empty tables: the three things to do next,
 * each with the key that does it. Main thread. */

#include <stdbool.h>

struct area;
struct frame;
struct offer_item;
struct seat;

/* Nothing was ever pulled, imported or made here, and the store has been read. */
bool welcome_is_due(const struct seat *seat);
/* offer: the catalog's selected entry, NULL for none. */
void welcome_draw(
    const struct seat *seat, struct frame *frame, struct area area, const struct offer_item *offer);
