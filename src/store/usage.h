/* SPDX-License-Identifier: MIT */
#pragma once

/* How much is below a directory. Any thread. */

#include <stdint.h>

struct usage {
    uint64_t size_bytes; /* as files say they are long, holes included; regular files only */
    uint64_t disk_bytes; /* as allocated, directories included */
};

/* Adds name in dir and everything below it, as far as it can be read; links are not followed. What
 * goes away meanwhile counts for nothing. */
void usage_add(int dir, const char *name, struct usage *usage);
