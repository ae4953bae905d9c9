/* SPDX-License-Identifier: MIT */
#pragma once

/* A strict walk over the headers of a tar stream: ustar, pax and GNU long names, nothing else.
 *
 * Pure: bytes in, members out; no file, no global, no locale. Whatever two lenient readers could
 * understand differently is refused: checksums, number fields, pax records, names
 * with a NUL inside, sizes said twice, an end that is not two blocks of zeros. It looks at form
 * only; which names and types are welcome is the caller's business. Any thread, one owner at a
 * time. Sources: POSIX.1-2017 pax "ustar Interchange Format" and "pax Header Block"; GNU tar
 * manual, "Basic Tar Format". */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct limits;

#define TAR_BLOCK 512

enum tar_type {
    TAR_FILE,
    TAR_HARDLINK,
    TAR_SYMLINK,
    TAR_CHARACTER_DEVICE,
    TAR_BLOCK_DEVICE,
    TAR_DIRECTORY,
    TAR_FIFO,
};

/* How much of what real archives hold beside the standard is tolerated. */
enum tar_profile {
    /* Kernel and image bundles: one header format per archive, only pax keys we know, no sparse. */
    TAR_BUNDLE,
    /* Layers, packages, root file systems of others: formats may change from member to member,
     * unknown pax keys are passed over. */
    TAR_FOREIGN,
    /* The same, and sparse members. For tar_scan_walk. */
    TAR_SPARSE,
};

struct tar_xattr {
    char *name;     /* "user.x"; owned */
    uint8_t *value; /* owned */
    size_t len;
};

/* Of a sparse member's data. */
struct tar_piece {
    uint64_t offset; /* in the file */
    uint64_t len;
};

struct tar_member {
    char *path; /* as in the archive, never empty, no NUL inside, any other byte; owned */
    char *link; /* target of a link, NULL for other types; owned */
    enum tar_type type;
    uint64_t size_bytes; /* of the file; 0 unless a regular one */
    uint64_t data_bytes; /* of the data that follows: the same, or less for a sparse file */
    bool is_sparse;
    struct tar_piece *pieces; /* where its data belongs, in ascending order; owned */
    size_t piece_count;
    uint32_t mode; /* 07777 */
    uint64_t uid, gid;
    int64_t mtime;
    uint32_t mtime_nanoseconds;
    uint32_t device_major, device_minor;
    struct tar_xattr *xattrs; /* owned; ACLs and labels under vendor keys are among them */
    size_t xattr_count;
    size_t xattr_total; /* those given only in libarchive's own spelling included */
};

void tar_member_done(struct tar_member *member);
/* "file", "hard link" and so on. */
const char *tar_type_name(enum tar_type type);

struct tar_scan;

/* limits is copied: entries, path_bytes, pax_bytes, xattr_bytes, expanded_bytes hold. */
struct tar_scan *tar_scan_new(enum tar_profile profile, const struct limits *limits);
void tar_scan_free(struct tar_scan *scan);
/* Walks the next bytes of the stream, in pieces of any length. Members whose headers are complete
 * wait in a queue. ERROR_FORMAT or ERROR_LIMIT; after that the scan is dead. */
bool tar_scan_feed(struct tar_scan *scan, const void *bytes, size_t len, struct error *err);
/* Moves the oldest waiting member into *member (the caller's to tar_member_done); false when none
 * waits. */
bool tar_scan_take(struct tar_scan *scan, struct tar_member *member);
/* The same for readers that want the data as well: stops where a member's header is complete or
 * where a piece of its data lies. *used of the bytes are done with; *data and *data_len (0: none)
 * are a piece of the data of the member taken last. Once a member waits it has to be taken. */
bool tar_scan_walk(struct tar_scan *scan, const void *bytes, size_t len, size_t *used,
    const void **data, size_t *data_len, struct error *err);
/* To be called where the stream ends: the archive must be whole. */
bool tar_scan_finish(struct tar_scan *scan, struct error *err);
/* Whether the last member is complete, so that an end mark (and the padding in front of it) is all
 * that could be missing. For tar_scan_walk. */
bool tar_scan_could_end(const struct tar_scan *scan);
