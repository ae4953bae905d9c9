/* SPDX-License-Identifier: MIT */
#pragma once

/* Watches one boot go by on the serial line: the first sign of the kernel, of our init, of a panic,
 * and of a halt. Bounded; no memory of its own; bytes are the guest's, so nothing found here is more
 * than something to show. One owner. */

#include <stdbool.h>
#include <stddef.h>

#define BOOT_WATCH_LINE 400
#define BOOT_WATCH_MARK "banger-guest" /* what our init's lines carry */

struct boot_watch {
    char line[BOOT_WATCH_LINE]; /* the one under way, cut when longer */
    size_t line_len;
    char panic[BOOT_WATCH_LINE]; /* "" while there was none; without the time stamp */
    char last[BOOT_WATCH_LINE];  /* the newest line that says something */
    char guest[BOOT_WATCH_LINE]; /* the newest line of our init, without its mark */
    bool has_kernel;
    bool has_init;
    unsigned init_lines; /* how many our init said */
};

void boot_watch_feed(struct boot_watch *watch, const char *bytes, size_t len);
/* The newest words are those of a kernel that has halted or powered off, after which there are none. */
bool boot_watch_has_halted(const struct boot_watch *watch);
