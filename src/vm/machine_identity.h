/* SPDX-License-Identifier: MIT */
#pragma once

/* Whether a process of a machine's handle still is that process: same boot of the host, same pid and
 * start time, our uuid as an argument of its command line. */

#include <stdbool.h>

struct machine_handle;
struct process_identity;

bool machine_process_is_ours(
    const struct machine_handle *handle, const struct process_identity *identity);
