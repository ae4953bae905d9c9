/* SPDX-License-Identifier: MIT */
#pragma once

/* Who we are at a registry: docker's and podman's auth files and the credential helpers they name.
 * Secrets live in a struct oci_credentials, are wiped when it is done, and are in no message, no
 * log and on no command line (a helper gets the host on stdin). Workers. Sources:
 * containers-auth.json(5), docker's config.json, the docker-credential-helpers protocol. */

#include <stdbool.h>
#include <stddef.h>

struct cancel;
struct error;
struct limits;

/* Zero-initialise; free with oci_credentials_done. All NULL: anonymous. */
struct oci_credentials {
    char *user;
    char *password;
    char *identity_token; /* to be changed into a token instead of a password */
};

void oci_credentials_done(struct oci_credentials *credentials);
bool oci_credentials_are_there(const struct oci_credentials *credentials);

/* What one auth file says; pure. */
struct oci_auth_answer {
    char *helper; /* program behind "docker-credential-", to be asked first */
    struct oci_credentials credentials;
};

void oci_auth_answer_done(struct oci_auth_answer *answer);
/* Looks a repository up: in credHelpers, else credsStore; and in auths, where the longest key wins
 * ("host/namespace" before "host") and docker.io also goes by "https://index.docker.io/v1/".
 * is_legacy: the file is a .dockercfg, all auths. `shown` is the file in errors. Nothing there is
 * success. ERROR_CONFIG. */
bool oci_auth_parse(const char *bytes, size_t len, bool is_legacy, const char *host,
    const char *repository, const struct limits *limits, const char *shown,
    struct oci_auth_answer *answer, struct error *err);

/* Goes through the files in order until one knows the registry. None does: success and anonymous.
 * ERROR_CONFIG (a file or a helper that cannot be used), ERROR_CANCELLED. */
bool oci_credentials_find(const char *const *files, const char *host, const char *repository,
    const struct limits *limits, const struct cancel *cancel, struct oci_credentials *credentials,
    struct error *err);
