/* SPDX-License-Identifier: MIT */
#pragma once

/* What removing means: entries go to the trash and stay there for a while. Workers only. */

struct json;
struct ops;

/* The result of a removal: what it is called in the trash and until when it can be taken back. The
 * trash has a size limit, which may claim the oldest of it now, or even this entry: then nothing is
 * promised. Caller frees. */
struct json *ops_trash_result(struct ops *ops, const char *name, const char *trash_id);
/* Removes for good what has been there too long. A failure is only told. */
void ops_trash_sweep(struct ops *ops);
