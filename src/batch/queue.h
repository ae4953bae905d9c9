/* SPDX-License-Identifier: MIT */
#pragma once

/* The process that goes on with the transfers a console left running: its words are options of the
 * engine, "--", and one batch line each. All of them are handed in at once, so that they begin in
 * their order, as many at a time as the lane takes; it ends when the last one has. Other processes
 * list, move and stop them one by one. Main thread. */

#include <stddef.h>

struct batch_setup;

int queue_main(const struct batch_setup *setup, char *const *words, size_t count);
