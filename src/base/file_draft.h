/* SPDX-License-Identifier: MIT */
#pragma once

/* A file for somebody else's directory that comes into being whole: it has no name until it is
 * finished, so that a writer that is killed leaves nothing (open(2), O_TMPFILE; linkat(2)). Where the
 * file system has no such files, a temporary name beside it is used until then. Workers. */

#include <stdbool.h>

struct error;

/* Zero-initialise, with fd -1. */
struct file_draft {
    int fd; /* for writing, mode 0600 */
    char *folder;
    char *temporary; /* path; NULL: it has no name */
};

/* to: the path it will have, or the directory it will be in; that is draft->folder then. */
bool file_draft_begin(struct file_draft *draft, const char *to, struct error *err);
/* Syncs it, gives it its name (a path in that directory) and syncs the directory. A name that is taken
 * is ERROR_EXISTS, or is replaced at once. */
bool file_draft_finish(
    struct file_draft *draft, const char *path, bool is_replacing, struct error *err);
/* What has no name of its own is gone. */
void file_draft_done(struct file_draft *draft);
