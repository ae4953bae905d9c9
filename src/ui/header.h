/* SPDX-License-Identifier: MIT */
#pragma once

/* The first line: the host at a glance. Main thread. */

#include "ui/panes.h"

#include <stdbool.h>

struct area;
struct frame;
struct snapshot;

/* With one pane on the screen, the line names the others and their keys instead of the figures. */
void header_draw(const struct snapshot *snapshot, struct frame *frame, struct area line,
    bool is_readonly, bool is_folded, enum pane focus);
