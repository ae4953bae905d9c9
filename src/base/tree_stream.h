/* SPDX-License-Identifier: MIT */
#pragma once

/* Files and trees as a stream, for copying into and out of a machine: pax tar, holes as GNU tar 1.0
 * writes them, attributes as SCHILY.xattr. Both ends use this code: the engine on the host, the
 * agent in the guest; so it needs nothing but the C library. Memory comes from malloc, failure to
 * allocate aborts. Any thread, one owner at a time.
 *
 * What is kept: types, names of any bytes, modes, times, links hard and soft, holes, attributes of
 * the user's; owners and the set-id bits only where both ends are root's.
 *
 * Nobody trusts what comes: every name is walked beneath one directory descriptor, component by
 * component, through no link; a file that is there already is unlinked first, never written
 * through; ".." and absolute names end the copy. Sources: POSIX.1-2017 pax "ustar Interchange
 * Format"; GNU tar manual, "PAX Format, Version 1.0". */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TREE_FORMAT 1u /* of the stream, as WIRE_TAG_FORMAT tells it */
#define TREE_TEXT_MAX 400

enum tree_fault {
    TREE_FAULT_IO,     /* error is an errno */
    TREE_FAULT_FORMAT, /* the stream breaks the rules */
    TREE_FAULT_LIMIT,
};

struct tree_failure {
    enum tree_fault fault;
    int error;
    char text[TREE_TEXT_MAX]; /* a finished sentence; may hold foreign bytes */
};

struct tree_count {
    uint64_t entries;
    uint64_t data_bytes; /* of files, without their holes */
    uint64_t skipped;    /* sockets; devices and pipes where they are not welcome */
};

/* How a path is called in the stream: its last component, or "." when its contents alone are meant
 * ("/", ".", "x/.", "x/.."). Caller frees. */
char *tree_top_name(const char *path);

/* ---- a tree becomes a stream ---------------------------------------------------------------- */

struct tree_pack;

/* The path itself is not followed when it is a link, unless a slash stands behind it. NULL with
 * *failure. keeps_owners false: everything is said to be root's. */
struct tree_pack *tree_pack_open(const char *path, bool keeps_owners, struct tree_failure *failure);
void tree_pack_free(struct tree_pack *pack);
/* The next bytes of the stream, at most size; 0 at its end, -1 with *failure. A file that is
 * replaced or becomes shorter meanwhile is a failure. */
ssize_t tree_pack_read(
    struct tree_pack *pack, void *bytes, size_t size, struct tree_failure *failure);
const struct tree_count *tree_pack_count(const struct tree_pack *pack);

/* ---- a stream becomes a tree ---------------------------------------------------------------- */

struct tree_rules {
    bool keeps_owners; /* and set-id bits: only for root */
    bool keeps_nodes;  /* devices and pipes are made; else skipped and counted */
    uint64_t entries_max;
    uint64_t bytes_max; /* of data */
};

struct tree_take;

/* As cp does: top into the directory path when that is one, else under the name path; "." means the
 * contents, into a directory that is made when it is missing. top NULL: an archive of any names,
 * into a directory that must be there. Names outside of top are refused. NULL with *failure. */
struct tree_take *tree_take_open(const char *path, const char *top, const struct tree_rules *rules,
    struct tree_failure *failure);
void tree_take_free(struct tree_take *take);
/* Bytes of the stream, in pieces of any length. */
bool tree_take_feed(
    struct tree_take *take, const void *bytes, size_t len, struct tree_failure *failure);
/* To be called where the stream ends: it must be whole. Modes and times of directories are set. */
bool tree_take_finish(struct tree_take *take, struct tree_failure *failure);
const struct tree_count *tree_take_count(const struct tree_take *take);
