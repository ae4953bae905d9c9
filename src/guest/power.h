/* SPDX-License-Identifier: MIT */
#pragma once

/* Telling whatever is PID 1 to end the machine. */

#include <stdbool.h>

/* The file a path leads to in the end, links followed. Caller frees. */
char *power_resolve(const char *path);

/* init: the path of what is PID 1, as resolved, or POWER_OWN_INIT. When neither a signal nor a
 * program can ask it, flushes the disks and ends the machine at once. */
void power_end(const char *init, bool is_reboot);

#define POWER_OWN_INIT "banger-guest"
