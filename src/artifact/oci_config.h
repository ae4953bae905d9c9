/* SPDX-License-Identifier: MIT */
#pragma once

/* An image's config: platform, diff_ids, and what is to be run. Foreign text: strings are bounded
 * and free of NULs (names and paths of all control characters), numeric users fit 32 bits; nothing
 * of it is meant for the host. Pure; any thread. Source: OCI image-spec config.md. */

#include <stdbool.h>
#include <stddef.h>

struct error;
struct limits;
struct oci_image;
struct oci_platform;

/* Fills in platform, creation time and what is to be run, and the diff_ids of the layers that image
 * already has. ERROR_FORMAT, ERROR_LIMIT, ERROR_UNSUPPORTED (another platform). On failure the
 * image is to be thrown away. */
bool oci_config_parse(const char *bytes, size_t len, const struct oci_platform *platform,
    const struct limits *limits, struct oci_image *image, struct error *err);
