/* SPDX-License-Identifier: MIT */
#include "base/progress.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

void progress_report(const struct progress *progress, enum progress_phase phase,
    enum progress_unit unit, uint64_t done, uint64_t total)
{
    if (progress != NULL && progress->report != NULL) {
        progress->report(progress->context, phase, unit, done, total);
    }
}

void progress_note(const struct progress *progress, const char *format, ...)
{
    if (progress == NULL || progress->note == NULL) {
        return;
    }
    char sentence[512];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    progress->note(progress->context, sentence);
}

void progress_digest(
    const struct progress *progress, const struct digest *expected, const struct digest *found)
{
    if (progress != NULL && progress->digest != NULL) {
        progress->digest(progress->context, expected, found);
    }
}

const char *progress_phase_name(enum progress_phase phase)
{
    static const char *const names[] = {
        [PROGRESS_RESOLVE] = "resolve",
        [PROGRESS_DOWNLOAD] = "download",
        [PROGRESS_VERIFY] = "verify",
        [PROGRESS_EXTRACT] = "extract",
        [PROGRESS_PUBLISH] = "publish",
        [PROGRESS_BOOT] = "boot",
        [PROGRESS_WAIT] = "wait",
    };
    return names[phase];
}

const char *progress_unit_name(enum progress_unit unit)
{
    static const char *const names[] = {
        [PROGRESS_BYTES] = "bytes",
        [PROGRESS_ENTRIES] = "entries",
        [PROGRESS_STEPS] = "steps",
    };
    return names[unit];
}
