/* SPDX-License-Identifier: MIT */
#pragma once

/* Notices that this host slept (suspend, hibernation). Meanwhile its monotonic clock stood still and
 * with it the clocks of its machines; its boot clock went on, as the world's did. Owned by whoever
 * embeds it; one thread. */

#include <stdbool.h>
#include <stdint.h>

struct host_sleep {
    /* Readable some time after the host woke up or its wall clock was set, so that nobody has to look
     * in between; -1 where the kernel offers none: whoever is awake for another reason looks. */
    int fd;
    uint64_t apart_ms; /* how far the boot clock is ahead, as of the last look */
};

void host_sleep_begin(struct host_sleep *sleep);
void host_sleep_end(struct host_sleep *sleep);
/* True when the host slept since the last look. Empties the descriptor. */
bool host_sleep_look(struct host_sleep *sleep);
/* The same from readings of the two clocks. */
bool host_sleep_compare(struct host_sleep *sleep, uint64_t boottime_ms, uint64_t monotonic_ms);
