/* SPDX-License-Identifier: MIT */
#pragma once

/* The writer for members of archives nobody vouches for: names are checked first, then everything
 * happens by descriptor beneath one directory, exclusively, through no link. Files become 0600,
 * directories 0700; nothing else about a member is kept. Used by bundle and deb. Workers; any
 * thread, one owner at a time. Source: openat2(2). */

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

struct archive_reader;
struct error;
struct limits;

/* Names in kernels and bundles are short; what is longer has another purpose. */
#define UNPACK_PATH_MAX 1024

/* Zero-initialise, then set dir and limits. */
struct unpack {
    int dir; /* the caller's */
    const struct limits *limits;
    void *names;          /* every member's name but directories', a tree of tsearch(3) */
    struct strings links; /* symlinks made */
    char *parent;         /* path of the directory that parent_fd is, kept for the next member */
    int parent_fd;        /* valid while parent is not NULL */
};

void unpack_done(struct unpack *unpack);

/* A member's name as it will be used: one leading "./" and, for a directory, one trailing slash
 * taken off; the root itself is "". Refused (ERROR_FORMAT): absolute, "." or ".." or empty or
 * overlong components, more than limits.bundle_depth of them, anything that could mean something to
 * a terminal, a shell, another system's paths or an option parser. Caller frees; NULL on failure.
 */
char *unpack_clean_name(
    const char *name, bool is_directory, const struct limits *limits, struct error *err);

/* Notes that the archive names this; a second time is ERROR_FORMAT. For members that are skipped;
 * the functions below do it by themselves. */
bool unpack_claim(struct unpack *unpack, const char *path, struct error *err);
/* A directory named twice is one directory. */
bool unpack_directory(struct unpack *unpack, const char *path, struct error *err);
/* Writes the reader's current member, holes kept. Stopping is the business of the reader's source.
 */
bool unpack_file(
    struct unpack *unpack, const char *path, struct archive_reader *reader, struct error *err);
/* True when the target is relative, with ".." only at its front, and stays in the directory that
 * path is relative to. */
bool unpack_link_stays(const char *path, const char *target);
/* A target that does not stay below dir is ERROR_FORMAT; whether links together do is seen in
 * unpack_finish. */
bool unpack_symlink(struct unpack *unpack, const char *path, const char *target, struct error *err);
/* Follows every link made: one that leaves dir or never ends refuses the archive. */
bool unpack_finish(struct unpack *unpack, struct error *err);
