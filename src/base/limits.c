/* SPDX-License-Identifier: MIT */
#include "base/limits.h"

#include <stddef.h>

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)
#define GIB (MIB * KIB)

const struct limits limits_default = {
    .download_bytes = 8 * GIB,
    .expanded_bytes = 64 * GIB,
    .entries = 1000000,
    .bundle_depth = 32,
    .layer_depth = 128,
    .path_bytes = 4095,
    .pax_bytes = MIB,
    .xattr_bytes = 64 * KIB,
    .zstd_window_log = 27,
    .json_bytes = 4 * MIB,
    .json_depth = 64,
    .manifest_layers = 4096,
    .console_log_bytes = 64 * MIB,
    .trash_days = 7,
    .trash_bytes = 10 * GIB,
    .retries = 5,
    .low_speed_bytes = 1000,
    .low_speed_seconds = 30,
    .connect_seconds = 15,
};

#define ROW(field, largest)                                                                        \
    {                                                                                              \
        .key = #field, .offset = offsetof(struct limits, field), .max = (largest)                  \
    }

const struct limits_row limits_rows[] = {
    ROW(download_bytes, INT64_MAX),
    ROW(expanded_bytes, INT64_MAX),
    ROW(entries, 100000000),
    ROW(bundle_depth, 1024),
    ROW(layer_depth, 1024),
    ROW(path_bytes, 65535),
    ROW(pax_bytes, 64 * MIB),
    ROW(xattr_bytes, 64 * KIB),
    ROW(zstd_window_log, 31),
    ROW(json_bytes, GIB),
    ROW(json_depth, 512),
    ROW(manifest_layers, 65536),
    ROW(console_log_bytes, INT64_MAX),
    ROW(trash_days, 36500),
    ROW(trash_bytes, INT64_MAX),
    ROW(retries, 1000),
    ROW(low_speed_bytes, INT64_MAX),
    ROW(low_speed_seconds, 86400),
    ROW(connect_seconds, 86400),
};
const unsigned limits_row_count = sizeof limits_rows / sizeof limits_rows[0];
