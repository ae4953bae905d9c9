/* SPDX-License-Identifier: MIT */
#pragma once

/* The main screen as the operator left it: pane, zoom, and of each list its order, its columns and
 * its filter, through engine_keep. Where nothing was kept, `columns` in config.ini's [ui] section
 * says which columns a list has: "vms:NAME,STATE,CPU kernels:NAME,SIZE". Main thread. */

struct main_screen;
struct seat;

void kept_restore(struct main_screen *main, struct seat *seat);
void kept_remember(const struct main_screen *main, struct seat *seat);
