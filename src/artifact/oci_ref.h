/* SPDX-License-Identifier: MIT */
#pragma once

/* Names of images in registries, by docker's rule: "debian" is docker.io/library/debian:latest,
 * and the first component is a host when it has a dot or a colon or is "localhost".
 * Pure functions over text from outside; any thread. Sources: the grammar of distribution/reference,
 * OCI distribution-spec "Pulling manifests". */

#include "base/digest.h"

#include <stdbool.h>

struct error;

#define OCI_DOCKER_HOST "docker.io"

/* Zero-initialise; free with oci_ref_done. */
struct oci_ref {
    char *host;       /* "docker.io", "localhost:5000", "[::1]:5000": lower case */
    char *repository; /* "library/debian" */
    char *tag;        /* NULL when only a digest was given */
    bool has_digest;
    struct digest digest; /* wins over the tag */
};

void oci_ref_done(struct oci_ref *ref);
/* Neither tag nor digest is ":latest". ERROR_INVALID naming what is wrong. */
bool oci_ref_parse(const char *text, struct oci_ref *ref, struct error *err);
/* With host, and with the tag, the digest or both; caller frees. */
char *oci_ref_format(const struct oci_ref *ref) __attribute__((returns_nonnull));
/* What a manifest is asked for by: "sha256:…" or the tag; caller frees. */
char *oci_ref_version(const struct oci_ref *ref) __attribute__((returns_nonnull));
