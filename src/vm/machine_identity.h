/* SPDX-License-Identifier: MIT */
#pragma once

/* Whether a process of a machine's handle still is that process: same boot of the host, same pid and
 * start time, our uuid as an argument of its command line. */

#include <stdbool.h>

struct machine_handle;
struct process_identity;

bool machine_process_is_ours(
    const struct machine_handle *handle, const struct process_identity *identity);
/* True once it is gone for sure: no such process, or another one, which says so by its command line.
 * One that is about to end has none any more, but still holds its memory and its locks. */
bool machine_process_is_gone(
    const struct machine_handle *handle, const struct process_identity *identity);
