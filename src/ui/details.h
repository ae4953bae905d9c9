/* SPDX-License-Identifier: MIT */
#pragma once

/* Everything the engine knows about one row, as lines to read: for the strip beside the machines
 * and for the page behind Enter. Pure but for the page it fills. Main thread. */

#include "ui/panes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct page;
struct snapshot;

/* Row `index` of the pane's section, at most `width` cells wide; `now` for ages. is_brief: for the
 * strip, where lines are few. */
void details_fill(struct page *page, const struct snapshot *snapshot, enum pane pane, size_t index,
    int64_t now, int width, bool is_brief);
/* What only a look at its files can say, of the result of `kernel show` or `vm show`: on which VMMs
 * a kernel can boot and who uses it; a machine's network, ports, disks and earlier boots. */
void details_add_answer(struct page *page, enum pane pane, const char *result, int width);
/* Index of the object with that key (table.h); false when it is gone. */
bool details_find(const struct snapshot *snapshot, enum pane pane, const char *key, size_t *index);
