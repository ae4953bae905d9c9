/* SPDX-License-Identifier: MIT */
#pragma once

/* What was done, from one run of a front end to the next: the ended jobs as text and back. Main
 * thread, before the workers start and after they ended. */

struct state;
struct text;

/* The newest ended jobs that people see, bounded; nothing when there are none. */
void state_history_write(struct state *state, struct text *out);
/* Puts those in front that another process wrote meanwhile: the lines of `now` that are not in
 * `before`. As bounded as the rest; what is oldest goes. */
void state_history_merge(const char *before, const char *now, struct text *history);
/* Puts them into the list as ended jobs. What cannot be understood is left out. */
void state_history_read(struct state *state, const char *text);
