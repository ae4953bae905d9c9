/* SPDX-License-Identifier: MIT */
#pragma once

/* Turns a container image, a tar of a root file system or a directory into a bootable ext4 file,
 * without root, without mounting and without unpacking anything on the host: no name from a layer
 * ever becomes a path of ours.
 *
 * Layers are read newest first, each blob inflated once; what a newer layer hides is not written.
 * Layers whose names lie below symlinks are read in order instead (layer.h).
 * The same manifest, options and program give the same bytes, whatever the clock and the directory;
 * so do the same tar or directory and options. Memory grows with the number of names, not with the
 * size of files. Blocking; workers only; any number at once. The caller makes the file, syncs and
 * publishes it, and removes it after a failure. Sources: OCI image-spec, layer.md; Linux's
 * Documentation/filesystems/ext4. */

#include "base/digest.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cancel;
struct error;
struct limits;
struct oci_image;
struct progress;

#define FLATTEN_SIZE_STEP (UINT64_C(128) << 20)
#define FLATTEN_SIZE_MIN (UINT64_C(1) << 30)

struct flatten_options {
    /* Of the disk; 0: FLATTEN_SIZE_MIN or four times the compressed layers, whichever is more,
     * rounded up to FLATTEN_SIZE_STEP, and what it takes where that turns out too small. A size
     * that was given and is too small is ERROR_NO_SPACE, naming the least that would do. */
    uint64_t size_bytes;
    const char *label; /* of the file system, up to 16 bytes; NULL: none */
    /* flatten_image: called before a layer (0: the oldest) is opened, until it is in the cache; once or
     * twice for each, the newest first. NULL: all are. */
    bool (*wait)(void *context, size_t layer, struct error *err);
    void *context;
};

struct flatten_report {
    uint64_t entries;         /* members of all layers, or names in the tar or directory */
    uint64_t hidden;          /* of these, what something newer replaced or removed */
    uint64_t skipped_xattrs;  /* neither security.capability nor user.*, or too large for ext4 */
    uint64_t skipped_sockets; /* flatten_directory */
    uint64_t size_bytes;      /* of the disk */
    uint64_t used_bytes;      /* of it, taken by files and the file system's own tables */
    struct digest source;     /* manifest, the tar as it is, or all that a directory holds */
};

/* The size the rule gives for that many compressed bytes. */
uint64_t flatten_size(uint64_t compressed_bytes);

/* The image's blobs come from the cache blobs_dir (see blob_cache.h; image->cache_hold keeps them
 * there). fd is an empty regular file open for reading and writing. Proves each layer's diff_id:
 * ERROR_DIGEST. ERROR_FORMAT and ERROR_LIMIT for layers that are refused, naming layer and member.
 * Reports PROGRESS_EXTRACT in compressed bytes. */
bool flatten_image(const struct oci_image *image, int blobs_dir,
    const struct flatten_options *options, int fd, const struct limits *limits,
    const struct progress *progress, const struct cancel *cancel, struct flatten_report *report,
    struct error *err);

/* The same from one tar of a root file system in the regular file tar_fd: plain, gzip or zstd, told
 * by its first bytes. It is one layer: no whiteouts, names that look like them are names. */
bool flatten_tar(int tar_fd, const char *shown, const struct flatten_options *options, int fd,
    const struct limits *limits, const struct progress *progress, const struct cancel *cancel,
    struct flatten_report *report, struct error *err);

/* The same from a directory as it is on disk: owners, modes, times, links, holes, devices and the
 * extended attributes that may be read; sockets are left out and counted. No symlink is followed
 * and no other file system entered. What cannot be read is ERROR_PERMISSION. */
bool flatten_directory(int dir, const char *shown, const struct flatten_options *options, int fd,
    const struct limits *limits, const struct progress *progress, const struct cancel *cancel,
    struct flatten_report *report, struct error *err);
