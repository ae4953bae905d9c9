/* SPDX-License-Identifier: MIT */
#pragma once

/* Keeps answers of apt.c in "apt-<package>.json", each with the places it depends on and when they
 * were last changed; it is good as long as those have not. Used by apt.c only; workers. */

#include <stdbool.h>

struct apt_answer;
struct strings;

/* Places and their times: look before apt is asked, store with the answer. Zero-initialise; free
 * with apt_stamp_done. */
struct apt_stamp {
    struct apt_place *places;
    unsigned count;
};

void apt_stamp_done(struct apt_stamp *stamp);
/* Adds a file or directory; one that is missing has a time as well: never. */
void apt_stamp_add(struct apt_stamp *stamp, const char *path);

/* False when there is no answer or it is not good any more. */
bool apt_cache_load(int dir, const char *package, struct apt_answer *answer);
/* Best effort: without it the next call asks again. */
void apt_cache_store(
    int dir, const char *package, const struct apt_stamp *stamp, const struct apt_answer *answer);
