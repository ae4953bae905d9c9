/* SPDX-License-Identifier: MIT */
#pragma once

/* Indexes and manifests, OCI's and Docker's, checked before anything in them is believed: one kind
 * of document at a time (what both `manifests` and `layers` or `config` are in is refused,
 * CVE-2021-41190), media type of the answer, of the document and of the descriptor agreeing,
 * digests and sizes of exactly their grammar, sums within limits, unknown types an error. Pure
 * functions over (bytes, length); any thread. Sources: OCI image-spec image-index.md, manifest.md,
 * descriptor.md; Docker Image Manifest V2 schema 2. */

#include "artifact/oci_image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct limits;

enum oci_media {
    OCI_MEDIA_UNKNOWN,
    OCI_MEDIA_INDEX, /* OCI index, Docker manifest list */
    OCI_MEDIA_MANIFEST,
};

/* The value of an Accept header that asks for all we read. */
extern const char oci_media_accept[];

/* What is wanted; variant "" accepts any. os is always linux. */
struct oci_platform {
    const char *architecture; /* "amd64" */
    const char *variant;      /* "v8"; entries that name none fit as well */
};

/* This machine's, in the words of images. */
struct oci_platform oci_platform_host(void);
/* The variant that an architecture has when nothing else is said: "v8" for arm64. */
struct oci_platform oci_platform_of(const char *architecture);
/* "linux/arm64", "linux/arm/v7": cut in place, so the text must outlive the platform.
 * ERROR_INVALID. */
bool oci_platform_parse(char *text, struct oci_platform *platform, struct error *err);

struct oci_document {
    enum oci_media media;
    /* OCI_MEDIA_INDEX: the entry that fits the platform. */
    struct oci_descriptor chosen;
    enum oci_media chosen_media;
    /* OCI_MEDIA_MANIFEST. */
    struct oci_descriptor config;
    struct oci_layer *layers; /* diff_id not known yet */
    size_t layer_count;
    uint64_t layers_bytes;
};

void oci_document_done(struct oci_document *document);

/* Reads an index or manifest into a zeroed document. content_type: of the HTTP answer, NULL when
 * there was none; expected: of the descriptor that named it, OCI_MEDIA_UNKNOWN when nothing did.
 * `what` opens sentences. ERROR_FORMAT, ERROR_LIMIT, ERROR_DIGEST (embedded data that is not what
 * its descriptor says), ERROR_UNSUPPORTED (schema 1; no entry for the platform: those there are are
 * listed). */
bool oci_document_parse(const char *bytes, size_t len, const char *content_type,
    enum oci_media expected, const struct oci_platform *platform, const struct limits *limits,
    const char *what, struct oci_document *document, struct error *err);
