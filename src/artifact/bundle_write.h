/* SPDX-License-Identifier: MIT */
#pragma once

/* Makes a bundle (FORMATS, "Kernel bundle" and "Image bundle") of an entry's directory: members in
 * one order, no times, no owners, so that the same content is the same file, and its name can be
 * its digest. The other half of bundle.h, whose reader accepts everything written here. Workers;
 * blocks. */

#include "artifact/bundle.h"
#include "base/digest.h"

#include <stdbool.h>
#include <stdint.h>

struct cancel;
struct error;
struct limits;
struct progress;

/* Zero-initialise. */
struct bundle_written {
    struct digest digest;    /* of the packed file */
    uint64_t size_bytes;     /* of it */
    uint64_t expanded_bytes; /* of the tar inside */
    uint64_t disk_bytes;     /* what its files take here, holes left out */
    uint64_t entries;
    struct strings notes; /* sentences: links and special files that were left out */
};

void bundle_written_done(struct bundle_written *written);

/* Writes to out, a new file at its beginning. dir holds, for a kernel, vmlinux and perhaps
 * initrd.img and modules/; for an image rootfs.ext4, and manifest is the text of its manifest.json
 * (NULL for a kernel). Nothing is read through a link; in modules/ links that stay inside are kept.
 * Reports PROGRESS_PUBLISH of what is read. Nothing is synced. ERROR_NOT_FOUND when the main file
 * is missing, ERROR_FORMAT for a name no bundle may hold. On failure *written is untouched. */
bool bundle_write(int out, int dir, enum bundle_kind kind, const char *manifest,
    const struct limits *limits, const struct progress *progress, const struct cancel *cancel,
    struct bundle_written *written, struct error *err);
