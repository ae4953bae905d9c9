/* SPDX-License-Identifier: MIT */
#pragma once

/* The ended jobs as text and back, one line of JSON each, the oldest first. Any thread. */

#include <stdbool.h>

struct state;
struct text;

/* In a line: it ended in a process that went on with what a front end had left. */
#define HISTORY_LEFT "left"

/* The newest ended jobs that people see, bounded; nothing when there are none. */
void state_history_write(struct state *state, bool is_left, struct text *out);
/* Adds lines that are neither in `known` nor there already. As bounded as the rest: what is in front
 * goes. */
void state_history_add(const char *known, const char *more, struct text *history);
/* Puts them into the list as ended jobs. What cannot be understood is left out. */
void state_history_read(struct state *state, const char *text);
