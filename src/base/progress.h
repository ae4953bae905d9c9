/* SPDX-License-Identifier: MIT */
#pragma once

/* Where long work reports how far it is. The engine gives each job a sink; lower layers only
 * call progress_report, as often as they like (it is O(1) and never blocks). NULL is accepted
 * everywhere. Called in the thread that does the work. */

#include <stdint.h>

struct digest;

enum progress_phase {
    PROGRESS_RESOLVE,
    PROGRESS_DOWNLOAD,
    PROGRESS_VERIFY,
    PROGRESS_EXTRACT,
    PROGRESS_PUBLISH,
    PROGRESS_BOOT,
    PROGRESS_WAIT,
};

enum progress_unit { PROGRESS_BYTES, PROGRESS_ENTRIES, PROGRESS_STEPS };

struct progress {
    void *context;
    /* total 0: not known. */
    void (*report)(void *context, enum progress_phase phase, enum progress_unit unit, uint64_t done,
        uint64_t total);
    /* A sentence for the job's line, such as "waiting for pid 123". May be NULL. */
    void (*note)(void *context, const char *sentence);
    /* The digest promised and, once known, the one found (NULL before). May be NULL. */
    void (*digest)(void *context, const struct digest *expected, const struct digest *found);
};

void progress_report(const struct progress *progress, enum progress_phase phase,
    enum progress_unit unit, uint64_t done, uint64_t total);
void progress_note(const struct progress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void progress_digest(
    const struct progress *progress, const struct digest *expected, const struct digest *found);
/* "download" and so on, as in progress lines. */
const char *progress_phase_name(enum progress_phase phase);
const char *progress_unit_name(enum progress_unit unit);
