/* SPDX-License-Identifier: MIT */
#pragma once

/* Everything the outside decides has a limit, and the limit has a name: the [limits] section of
 * config.ini. One value, filled from limits_default and then from the file, handed down as
 * const. */

#include <stdint.h>

struct limits {
    uint64_t download_bytes;    /* compressed bytes of one transfer */
    uint64_t expanded_bytes;    /* bytes after decompression */
    uint64_t entries;           /* members of one archive */
    uint64_t bundle_depth;      /* path components in a bundle */
    uint64_t layer_depth;       /* path components in a layer */
    uint64_t path_bytes;        /* one path or link text */
    uint64_t pax_bytes;         /* one pax extended header */
    uint64_t xattr_bytes;       /* one extended attribute's value */
    uint64_t zstd_window_log;   /* log2 of the largest window */
    uint64_t json_bytes;        /* one JSON document */
    uint64_t json_depth;        /* nesting of one */
    uint64_t manifest_layers;   /* layers of one image */
    uint64_t console_log_bytes; /* serial log of one VM */
    uint64_t trash_days;        /* retention */
    uint64_t trash_bytes;       /* ceiling */
    uint64_t retries;           /* attempts per URL after the first */
    uint64_t low_speed_bytes;   /* per second, below which a transfer counts as stuck */
    uint64_t low_speed_seconds; /* for how long */
    uint64_t connect_seconds;   /* TCP and TLS together */
};

extern const struct limits limits_default;

/* A row per field, for the config reader and `host doctor`. */
struct limits_row {
    const char *key;
    uint64_t offset; /* of the uint64_t in struct limits */
    uint64_t max;
};
extern const struct limits_row limits_rows[];
extern const unsigned limits_row_count;
