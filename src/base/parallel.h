/* SPDX-License-Identifier: MIT */
#pragma once

/* The same for many things at once, by a few threads that are all joined before it returns. For
 * work whose time goes into system calls that do not wait for one another. Any thread. */

#include <stddef.h>

/* Calls visit for every index below count, each once and in any order; in the caller's thread alone
 * when there are fewer than worth, below which a thread costs more than it saves. visit touches
 * nothing but what belongs to its index. */
void parallel_each(
    size_t count, size_t worth, void (*visit)(void *context, size_t index), void *context);
