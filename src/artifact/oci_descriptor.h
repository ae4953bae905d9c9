/* SPDX-License-Identifier: MIT */
#pragma once

/* The one place where a struct oci_descriptor is made from text, and where bytes are held against
 * one. Used by oci_*.c only; any thread. Source: OCI image-spec descriptor.md. */

#include <stdbool.h>
#include <stddef.h>

struct error;
struct json;
struct limits;
struct oci_descriptor;

/* Reads {"digest", "size"}: sha256 only, size within limits->download_bytes; embedded "data" must
 * be what they say. `what` opens sentences. ERROR_FORMAT, ERROR_LIMIT, ERROR_DIGEST,
 * ERROR_UNSUPPORTED (another algorithm). */
bool oci_descriptor_read(const struct json *object, const struct limits *limits, const char *what,
    struct oci_descriptor *descriptor, struct error *err);
/* Size first, then digest. ERROR_DIGEST naming both. */
bool oci_descriptor_prove(const struct oci_descriptor *descriptor, const void *bytes, size_t len,
    const char *what, struct error *err);
