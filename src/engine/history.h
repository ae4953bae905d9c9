/* SPDX-License-Identifier: MIT */
#pragma once

/* How jobs ended, from one front end to the next, and from the process that went on with what one of
 * them left: lines in what front ends keep (store/kept.h). Several may be there at once; each adds to
 * what the others have written. */

struct engine;

/* What is kept becomes part of the list of jobs. Main thread, before the workers start. */
void history_start(struct engine *engine);
/* Of a process that went on: writes the ends there are since it did so last; nothing anywhere else.
 * Before others see the job vanish. Any thread. */
void history_tell(struct engine *engine);
/* Of a front end: what such a process has told meanwhile appears in its list, and what failed among
 * its messages. In a worker. */
void history_refresh(struct engine *engine);
/* At the end, after the workers. Main thread. */
void history_keep(struct engine *engine);
void history_done(struct engine *engine);
