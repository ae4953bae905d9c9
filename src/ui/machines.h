/* SPDX-License-Identifier: MIT */
#pragma once

/* Questions about machines that several screens ask of a snapshot. Main thread. */

#include <stdbool.h>

struct snapshot;
struct vm_item;

/* NULL when there is none of that name. */
const struct vm_item *machine_find(const struct snapshot *snapshot, const char *name);
/* There is a VMM, and with it a serial line. */
bool machine_is_up(const struct vm_item *vm);
/* On its way to an agent that answers: started, or about to be by a job under way. */
bool machine_is_booting(const struct snapshot *snapshot, const struct vm_item *vm);
