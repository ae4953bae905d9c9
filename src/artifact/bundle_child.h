/* SPDX-License-Identifier: MIT */
#pragma once

/* Extraction as a job that a re-executed child of ours can do: untrusted bytes are parsed there, by
 * a process that may write below the staging directory and nothing else. Private to bundle and deb.
 * Workers; blocks. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bundle_report;
struct cancel;
struct error;
struct limits;
struct progress;

enum extract_kind { EXTRACT_KERNEL, EXTRACT_IMAGE, EXTRACT_DEB };
#define EXTRACT_KIND_COUNT 3

struct extract_job {
    enum extract_kind kind;
    const int *fds;           /* blob or packages */
    const char *const *shown; /* their names in messages */
    size_t count;
    int staging_dir;
    const struct limits *limits;
};

/* Adds "WHAT PATH" to the names of what was skipped, while there is room. */
void bundle_note_skipped(struct bundle_report *report, const char *what, const char *path);

/* In this process. */
bool bundle_unpack(const struct extract_job *job, const struct progress *progress,
    const struct cancel *cancel, struct bundle_report *report, struct error *err);
bool deb_unpack(const struct extract_job *job, const struct progress *progress,
    const struct cancel *cancel, struct bundle_report *report, struct error *err);
/* In a child running self_path. A child that dies refuses the archive. */
bool bundle_run_child(const struct extract_job *job, const char *self_path,
    const struct progress *progress, const struct cancel *cancel, struct bundle_report *report,
    struct error *err);

/* The word for it on the child's command line. */
const char *extract_kind_word(enum extract_kind kind);
/* Seconds of wall clock and of processor that the job may take. */
uint64_t extract_time_limit(const struct extract_job *job);
