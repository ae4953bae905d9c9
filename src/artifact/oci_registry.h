/* SPDX-License-Identifier: MIT */
#pragma once

/* One registry or mirror as the place of one repository: its URL, who we are there, and the token
 * of the moment. Used by oci_pull.c and oci_fetch.c only. Made by one worker; after that its
 * threads may use it at the same time. */

#include "artifact/oci_auth.h"
#include "artifact/oci_challenge.h"
#include "artifact/oci_credentials.h"
#include "base/limits.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct cancel;
struct error;
struct http_reply;
struct oci_ref;
struct oci_settings;
struct text;

struct oci_registry {
    const struct oci_settings *settings; /* borrowed */
    struct limits limits;                /* a mirror is given fewer tries */
    char *host;                          /* what credentials are kept for */
    char *url;                           /* "https://registry-1.docker.io"; NULL: not known yet */
    char *repository;
    bool is_mirror;
    pthread_mutex_t lock; /* over everything below, and over settling url */
    bool is_asked;        /* credentials were looked for */
    struct oci_credentials credentials;
    struct oci_challenge challenge;
    struct oci_authorization authorization;
};

/* All places to ask for the reference, mirrors first; none of them has been talked to. */
struct oci_registries {
    struct oci_registry *items;
    size_t count;
};

void oci_registries_done(struct oci_registries *registries);
/* ERROR_CONFIG for a mirror that cannot be used. */
bool oci_registries_make(const struct oci_settings *settings, const struct oci_ref *ref,
    struct oci_registries *registries, struct error *err);

/* Settles url: https, or http where that is allowed and https is not spoken. */
bool oci_registry_connect(
    struct oci_registry *registry, const struct cancel *cancel, struct error *err);
/* Fetches path below /v2/<repository>/, answering a challenge on the way. An answer other than 2xx
 * is an error that names the repository. */
bool oci_registry_get(struct oci_registry *registry, const char *path, bool is_head,
    uint64_t max_bytes, const struct cancel *cancel, struct text *body, struct http_reply *reply,
    struct error *err);
/* The URL of path below /v2/<repository>/; caller frees. */
char *oci_registry_url(const struct oci_registry *registry, const char *path)
    __attribute__((returns_nonnull));
/* What to send with a request now, NULL where nothing is needed; caller frees and wipes. `refused`
 * is a value that did not do (NULL: none was sent or none refused yet): then a new one is got, by
 * asking `path` for a challenge where none was seen. False when that fails. */
bool oci_registry_authorize(struct oci_registry *registry, const char *path, bool was_refused,
    const char *refused, const struct cancel *cancel, char **value, struct error *err);
