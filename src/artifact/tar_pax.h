/* SPDX-License-Identifier: MIT */
#pragma once

/* The records of one pax extended header, read strictly. Private to tar_header. Source:
 * POSIX.1-2017, pax, "pax Header Block" and "pax Extended Header". */

#include "artifact/tar_header.h"
#include "artifact/tar_sparse.h"

struct error;
struct limits;

/* What a header says about the member behind it. Zero-initialise; owned. */
struct tar_pax {
    char *path; /* NULL: not said */
    char *link;
    bool has_size, has_uid, has_gid, has_mtime;
    uint64_t size_bytes;
    uint64_t uid, gid;
    int64_t mtime;
    uint32_t mtime_nanoseconds;
    struct tar_xattr *xattrs;
    size_t xattr_count, xattr_capacity;
    size_t second_spellings; /* LIBARCHIVE.xattr.*: the same attributes once more */
    bool is_sparse;
    bool is_map_in_data; /* form 1.0 */
    char *sparse_name;   /* the file's; path is an alias then */
    struct tar_sparse sparse;
    bool has_pairs;
    uint64_t pairs; /* as it says itself */
    unsigned seen;  /* one bit per key that may come once */
};

void tar_pax_done(struct tar_pax *pax);
/* A global header may hold comments only. */
bool tar_pax_parse(struct tar_pax *pax, const char *body, size_t len, enum tar_profile profile,
    bool is_global, const struct limits *limits, struct error *err);
