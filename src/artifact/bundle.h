/* SPDX-License-Identifier: MIT */
#pragma once

/* Takes a verified bundle apart into a staging directory (FORMATS, "Kernel bundle" and "Image
 * bundle").
 *
 * Regular files, directories and symlinks that stay inside are created by descriptor, beneath the
 * directory, exclusively, as 0600 and 0700, holes kept; owners, times and modes in the archive are
 * ignored. Hard links, devices, fifos and xattrs are skipped, counted and named. Everything else
 * refuses the whole archive; what was written until then is left for the caller to remove with the
 * staging directory. Nothing is synced: publishing does that. Workers; blocks. */

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

struct cancel;
struct error;
struct limits;
struct progress;

enum bundle_kind { BUNDLE_KERNEL, BUNDLE_IMAGE };

/* Zero-initialise. */
struct bundle_report {
    uint64_t entries;
    uint64_t expanded_bytes; /* of the tar stream */
    uint64_t skipped_hardlinks;
    uint64_t skipped_devices;
    uint64_t skipped_fifos;
    uint64_t skipped_xattrs;
    struct strings skipped; /* "hard link modules/a" and so on, the first BUNDLE_SKIPPED_NAMED */
    struct text manifest;   /* an image bundle's own manifest.json, an object; never put on disk */
    bool has_initrd;
    bool has_modules;
};

#define BUNDLE_SKIPPED_NAMED 16

void bundle_report_done(struct bundle_report *report);

/* The blob's digest was compared before this call. zstd only. A kernel leaves vmlinux, initrd.img
 * and modules/ in staging_dir, an image rootfs.ext4. staging_dir is an empty directory nobody else
 * knows of; its file system must have room for what is known of the
 * content. With self_path the work is done by that program re-executed as
 * `--internal-extract` (no new privileges, resource limits, Landlock where the kernel has it, wall
 * clock limit); with NULL in this process. ERROR_FORMAT, ERROR_LIMIT, ERROR_NO_SPACE, ERROR_IO,
 * ERROR_CANCELLED, ERROR_TIMEOUT. On failure *report is untouched. */
bool bundle_extract(int blob_fd, int staging_dir, enum bundle_kind kind,
    const struct limits *limits, const char *self_path, const struct progress *progress,
    const struct cancel *cancel, struct bundle_report *report, struct error *err);

#define BUNDLE_CHILD_OPTION "--internal-extract"
/* Entry point of the child: main dispatches that first word here, before anything else runs.
 * Returns the exit status. */
int bundle_child_main(int argc, char **argv);
