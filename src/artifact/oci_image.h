/* SPDX-License-Identifier: MIT */
#pragma once

/* A registry's image as plain data: what the manifest and the config promise, every value checked
 * and bounded. Made by oci_pull (or by oci_manifest alone, in tests); whoever turns layers into a
 * disk reads it. Owns everything it points at. Any thread, one owner at a time.
 *
 * The config is foreign text: it is kept for the guest and shown escaped, and never reaches a shell
 * or a path of the host. Source: OCI image-spec, manifest.md and config.md. */

#include "base/digest.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What must come: made by the parsers of oci_manifest and by the one fetch that has only a tag to
 * go by. A zeroed one matches nothing. */
struct oci_descriptor {
    struct digest digest;
    uint64_t size_bytes;
};

enum oci_compression {
    OCI_LAYER_TAR,
    OCI_LAYER_GZIP,
    OCI_LAYER_ZSTD,
};

struct oci_layer {
    struct digest digest;  /* of the blob as it is in the cache */
    struct digest diff_id; /* of its tar stream after decompression: to be proved by who reads it */
    uint64_t size_bytes;   /* of the blob */
    enum oci_compression compression; /* agrees with the first bytes of the blob */
};

/* What the image wants to be run with. NULL and empty lists: nothing said. */
struct oci_run {
    struct strings entrypoint;
    struct strings cmd;
    struct strings env; /* NAME=value */
    char *workdir;      /* absolute */
    char *user;         /* "user", "uid", "user:group", "uid:gid" … */
    char *stop_signal;  /* "SIGTERM", "15" */
};

/* How the image was made, as its maker tells it. */
struct oci_step {
    char *created;    /* RFC 3339 as written, or NULL */
    char *created_by; /* or NULL; one line, cut where it is long */
    bool is_empty;    /* made no layer */
};

/* Zero-initialise; free with oci_image_done. */
struct oci_image {
    char *reference; /* canonical, with tag or digest: docker.io/library/debian:bookworm */
    struct digest manifest_digest; /* of the manifest for our platform */
    struct digest pinned_digest;   /* of what the reference names: the index, or the manifest */
    struct digest config_digest;
    struct oci_layer *layers; /* oldest first; the same blob may be there more than once */
    size_t layer_count;
    uint64_t layers_bytes; /* of all blobs, each counted as often as it is listed */
    char *architecture;    /* "amd64" */
    char *variant;         /* "v8" or NULL */
    char *created;         /* RFC 3339 as written, or NULL */
    struct oci_run run;
    struct oci_step *steps; /* oldest first */
    size_t step_count;
    int cache_hold; /* shared lock: the blobs stay in the cache until oci_image_done; 0: none */
};

void oci_image_done(struct oci_image *image);
