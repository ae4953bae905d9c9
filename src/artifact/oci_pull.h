/* SPDX-License-Identifier: MIT */
#pragma once

/* From a reference to verified blobs in the cache: token if challenged → index → manifest → config
 * and layers. Every fetch is by an expected digest and size, but for the first by tag, whose digest
 * is then pinned and handed out. Nothing is decompressed here.
 *
 * Straight-line calls that block a worker; the cancel token ends them within a second. Up to
 * OCI_PARALLEL_LAYERS layers come at once, the newest first, in threads that are gone with the pull;
 * progress is reported by one thread at a time. Each blob is resumable and shared with other
 * processes through http_download's part files. Plain HTTP is spoken to loopback and to hosts that
 * the settings name, and to nobody else; credentials go to the host they were configured for.
 * Sources: OCI distribution-spec "Pull", Docker's token authentication. */

#include "artifact/oci_image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cancel;
struct error;
struct limits;
struct oci_pull;
struct progress;

#define OCI_PARALLEL_LAYERS 3

/* Asked before the registry itself; one registry may have several, in order. */
struct oci_mirror {
    const char *registry; /* "docker.io" */
    const char *url;      /* "https://mirror.example", maybe with a path in front of repositories */
};

/* Zero values are the ordinary case, but for the two directories. Everything is borrowed. */
struct oci_settings {
    int blobs_dir;                 /* cache/blobs/sha256 */
    int downloads_dir;             /* cache/downloads */
    const struct limits *limits;   /* NULL: limits_default */
    const char *const *insecure;   /* hosts ("host" or "host:port"), NULL-terminated, or NULL */
    const char *const *auth_files; /* in order, NULL-terminated, or NULL; missing ones are fine */
    const struct oci_mirror *mirrors;
    size_t mirror_count;
    const char *ca_file;  /* NULL: the system's */
    const char *platform; /* "linux/arm64/v8"; NULL: this machine's */
    uint64_t backoff_ms;  /* as in http.h */
};

/* What a reference names now. */
struct oci_resolution {
    char *reference; /* canonical */
    struct digest digest;
};

void oci_resolution_done(struct oci_resolution *resolution);

/* Asks the registry, by HEAD where it can, so that it does not count as a pull; for "has the tag
 * moved". Errors as oci_pull. */
bool oci_resolve(const struct oci_settings *settings, const char *reference,
    const struct cancel *cancel, struct oci_resolution *resolution, struct error *err);

/* What a pull would do, asked of the registry and kept nowhere. */
struct oci_plan {
    char *reference;        /* canonical */
    uint64_t layers_bytes;  /* of all layers as they come, each once */
    uint64_t missing_bytes; /* of these, what is not in the cache */
};

void oci_plan_done(struct oci_plan *plan);
/* Errors as oci_pull. */
bool oci_plan(const struct oci_settings *settings, const char *reference,
    const struct cancel *cancel, struct oci_plan *plan, struct error *err);

/* Begins to bring everything of the image into the cache and describes it in a zeroed *image: its
 * manifest and config are there, the layers come while the caller does something else. What is there
 * already is not fetched again; a reference by digest that is whole in the cache needs no network.
 * NULL on failure; ends with oci_pull_end, before the image. settings, progress and cancel live until
 * then. ERROR_INVALID (the reference), ERROR_NOT_FOUND, ERROR_AUTH, ERROR_NETWORK, ERROR_DIGEST,
 * ERROR_FORMAT, ERROR_LIMIT, ERROR_UNSUPPORTED (no such platform; the sentence lists those there
 * are), ERROR_NO_SPACE, ERROR_CANCELLED, ERROR_IO. */
struct oci_pull *oci_pull_begin(const struct oci_settings *settings, const char *reference,
    const struct progress *progress, const struct cancel *cancel, struct oci_image *image,
    struct error *err);
/* Where the caller reports meanwhile in place of `progress`: shown once nothing is fetched any more. */
const struct progress *oci_pull_progress(const struct oci_pull *pull);
/* Until that layer of the image (0: the oldest) is proved and in the cache. Errors as above. */
bool oci_pull_wait(struct oci_pull *pull, size_t layer, struct error *err);
/* Until all are. */
bool oci_pull_finish(struct oci_pull *pull, struct error *err);
/* Stops what is still on its way. NULL is accepted. */
void oci_pull_end(struct oci_pull *pull);
void oci_pull_auto_end(struct oci_pull **pull);
#define auto_oci_pull __attribute__((cleanup(oci_pull_auto_end)))

/* All of it at once. */
bool oci_pull(const struct oci_settings *settings, const char *reference,
    const struct progress *progress, const struct cancel *cancel, struct oci_image *image,
    struct error *err);
