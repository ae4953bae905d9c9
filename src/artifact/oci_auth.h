/* SPDX-License-Identifier: MIT */
#pragma once

/* From a challenge to the value of an Authorization header. A token is asked for without redirects,
 * only where oci_realm_check lets us, with the one scope we need whatever the registry proposes; a
 * password goes to the host it was configured for and nowhere else. Workers; nothing is kept
 * here. Sources: Docker's token authentication and OAuth2 token specifications. */

#include <stdbool.h>
#include <stdint.h>

struct cancel;
struct error;
struct http_settings;
struct oci_challenge;
struct oci_credentials;

#define OCI_TOKEN_LIFE_MIN_S 60

/* Zero-initialise; free with oci_authorization_done, which wipes it. */
struct oci_authorization {
    char *value;         /* NULL: none */
    uint64_t expires_ms; /* monotonic; 0: never */
};

void oci_authorization_done(struct oci_authorization *authorization);

struct oci_token_request {
    const char *registry_url;
    const char *repository;
    const struct oci_credentials *credentials;
    const struct http_settings *http; /* without authorization */
};

/* Answers the challenge. ERROR_AUTH (nothing we speak, a realm we do not go to, credentials missing
 * or refused), ERROR_NETWORK, ERROR_FORMAT, ERROR_LIMIT, ERROR_CANCELLED. */
bool oci_authorize(const struct oci_token_request *request, const struct oci_challenge *challenge,
    const struct cancel *cancel, struct oci_authorization *authorization, struct error *err);

/* Reads a token service's answer; pure. `what` opens sentences. *life_s is at least
 * OCI_TOKEN_LIFE_MIN_S. */
bool oci_token_parse(const char *bytes, unsigned long len, const char *what, char **token,
    uint64_t *life_s, struct error *err);
