/* SPDX-License-Identifier: MIT */
#pragma once

/* What the extracting child and its parent say to each other: the words of the command line, and
 * frames on a pipe, each a head with len bytes behind it. Both ends are the same program, so the
 * structs go as they are. Private to bundle_child and bundle_run. */

#include <stdint.h>

#define EXTRACT_FILES_MAX 64

enum frame_type { FRAME_PROGRESS, FRAME_SKIPPED, FRAME_MANIFEST, FRAME_REPORT, FRAME_ERROR };

struct frame_head {
    uint32_t type;
    uint32_t len;
};

struct frame_progress {
    uint64_t done, total;
};

struct frame_report {
    uint64_t entries, expanded_bytes, hardlinks, devices, fifos, xattrs;
    uint32_t has_initrd, has_modules;
};
