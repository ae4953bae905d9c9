/* SPDX-License-Identifier: MIT */
#pragma once

/* Where the panes of the main screen lie, by the size of the terminal alone, so that nothing jumps
 * while it is looked at. Pure. */

#include "ui/draw.h"
#include "ui/panes.h"

#include <stdbool.h>

#define LAYOUT_MIN_WIDTH 40
#define LAYOUT_MIN_HEIGHT 10

struct layout {
    struct area panes[PANE_COUNT]; /* height 0: not shown */
    struct area details;           /* of the selected row; height 0: no room */
    struct area tail;              /* of the selected machine's serial line; height 0: no room */
};

/* The body of the screen: without the first line (host) and the last one (keys). From 120x40 on the
 * machines have the right half with a strip of details, from 200x50 on the serial line as well;
 * below 80x24 (whole screen), or zoomed, only the focused pane is there. */
void layout_main(struct layout *layout, struct area body, enum pane focus, bool is_zoomed);
/* The pane one step to the left or right of another; the same one at the edge. */
enum pane layout_beside(const struct layout *layout, enum pane from, bool is_right);
