/* SPDX-License-Identifier: MIT */
#include "artifact/oci_registry.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "artifact/http.h"
#include "artifact/http_url.h"
#include "artifact/oci_manifest.h"
#include "artifact/oci_pull.h"
#include "artifact/oci_ref.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

#define DOCKER_URL "https://registry-1.docker.io"
#define MIRROR_RETRIES 1
#define PING_MAX_BYTES 65536

static const char *const accept_lines[] = {oci_media_accept, NULL};

static void registry_done(struct oci_registry *registry)
{
    free(registry->host);
    free(registry->url);
    free(registry->repository);
    oci_credentials_done(&registry->credentials);
    oci_challenge_done(&registry->challenge);
    oci_authorization_done(&registry->authorization);
    pthread_mutex_destroy(&registry->lock);
}

void oci_registries_done(struct oci_registries *registries)
{
    for (size_t i = 0; i < registries->count; i++) {
        registry_done(&registries->items[i]);
    }
    free(registries->items);
    *registries = (struct oci_registries){0};
}

/* Host without port of "host:port"; caller frees. */
static char *bare_host(const char *host)
{
    const char *end = host[0] == '[' ? strchr(host, ']') : NULL;
    size_t len = end != NULL ? (size_t)(end - host) + 1 : strcspn(host, ":");
    return memory_strndup(host, len);
}

static bool is_plain_allowed(const struct oci_settings *settings, const char *host)
{
    auto_free char *bare = bare_host(host);
    if (oci_host_reach(bare) == OCI_REACH_LOOPBACK) {
        return true;
    }
    for (size_t i = 0; settings->insecure != NULL && settings->insecure[i] != NULL; i++) {
        if (strcasecmp(settings->insecure[i], host) == 0 ||
            strcasecmp(settings->insecure[i], bare) == 0) {
            return true;
        }
    }
    return false;
}

static struct oci_registry *add_registry(
    struct oci_registries *registries, const struct oci_settings *settings)
{
    registries->items =
        memory_grow(registries->items, registries->count + 1, sizeof *registries->items);
    struct oci_registry *registry = &registries->items[registries->count++];
    *registry = (struct oci_registry){
        .settings = settings,
        .limits = settings->limits != NULL ? *settings->limits : limits_default,
    };
    pthread_mutex_init(&registry->lock, NULL);
    return registry;
}

/* "https://host[:port][/path]" in front of the repository. */
static bool add_mirror(struct oci_registries *registries, const struct oci_settings *settings,
    const struct oci_ref *ref, const char *url, struct error *err)
{
    auto_free char *plain = http_url_plain(url);
    const char *host = plain != NULL ? strstr(plain, "://") + 3 : "";
    const size_t host_len = strcspn(host, "/?");
    auto_free char *name = memory_strndup(host, host_len);
    const char *path = host + host_len;
    if (plain == NULL || path[strcspn(path, "?")] != '\0' || !http_check_url(url, false, err)) {
        return error_set(err, ERROR_CONFIG,
            "the mirror of %s is not a URL like https://mirror.example/path without a password",
            ref->host);
    }
    if (text_has_prefix(plain, "http:") && !is_plain_allowed(settings, name)) {
        return error_set(err, ERROR_CONFIG,
            "the mirror %s of %s speaks plain http: name its host under [registries] insecure, or "
            "use https",
            plain, ref->host);
    }
    path += strspn(path, "/");
    size_t path_len = strlen(path);
    while (path_len > 0 && path[path_len - 1] == '/') {
        path_len--;
    }
    struct oci_registry *mirror = add_registry(registries, settings);
    mirror->is_mirror = true;
    mirror->limits.retries =
        mirror->limits.retries < MIRROR_RETRIES ? mirror->limits.retries : MIRROR_RETRIES;
    mirror->host = take_ptr(name);
    mirror->url = memory_strndup(plain, (size_t)(host - plain) + host_len);
    mirror->repository =
        memory_printf("%.*s%s%s", (int)path_len, path, path_len > 0 ? "/" : "", ref->repository);
    return true;
}

bool oci_registries_make(const struct oci_settings *settings, const struct oci_ref *ref,
    struct oci_registries *registries, struct error *err)
{
    for (size_t i = 0; i < settings->mirror_count; i++) {
        if (strcasecmp(settings->mirrors[i].registry, ref->host) == 0 &&
            !add_mirror(registries, settings, ref, settings->mirrors[i].url, err)) {
            return false;
        }
    }
    struct oci_registry *registry = add_registry(registries, settings);
    registry->host = memory_strdup(ref->host);
    registry->repository = memory_strdup(ref->repository);
    return true;
}

static struct http_settings http_settings_of(const struct oci_registry *registry)
{
    return (struct http_settings){
        .limits = &registry->limits,
        .ca_file = registry->settings->ca_file,
        .backoff_ms = registry->settings->backoff_ms,
    };
}

/* Whether somebody speaks https there; anything but a failed connection says yes. Whose certificate it
 * is comes later, when something is asked for. */
static bool speaks_https(struct oci_registry *registry, const char *url,
    const struct cancel *cancel, bool *is_spoken, struct error *err)
{
    auto_free char *ping = memory_printf("%s/v2/", url);
    struct limits once = registry->limits;
    once.retries = 0;
    struct http_small small = {
        .url = ping,
        .max_bytes = PING_MAX_BYTES,
        .settings = http_settings_of(registry),
        .is_any_status_ok = true,
        .is_redirect_an_end = true,
    };
    small.settings.limits = &once;
    small.settings.trusts_nobody = true;
    auto_done(text) struct text body = {0};
    struct error failure = {0};
    *is_spoken = http_get_small(&small, cancel, &body, NULL, &failure);
    if (!*is_spoken && failure.code == ERROR_CANCELLED) {
        *err = failure;
        return false;
    }
    *is_spoken = *is_spoken || failure.code != ERROR_NETWORK;
    return true;
}

static bool connect_locked(
    struct oci_registry *registry, const struct cancel *cancel, struct error *err)
{
    if (registry->url != NULL) {
        return true;
    }
    if (strcmp(registry->host, OCI_DOCKER_HOST) == 0) {
        registry->url = memory_strdup(DOCKER_URL);
        return true;
    }
    auto_free char *url = memory_printf("https://%s", registry->host);
    if (is_plain_allowed(registry->settings, registry->host)) {
        bool is_spoken = false;
        if (!speaks_https(registry, url, cancel, &is_spoken, err)) {
            return false;
        }
        if (!is_spoken) {
            registry->url = memory_printf("http://%s", registry->host);
            return true;
        }
    }
    registry->url = take_ptr(url);
    return true;
}

bool oci_registry_connect(
    struct oci_registry *registry, const struct cancel *cancel, struct error *err)
{
    pthread_mutex_lock(&registry->lock);
    bool is_done = connect_locked(registry, cancel, err);
    pthread_mutex_unlock(&registry->lock);
    return is_done;
}

char *oci_registry_url(const struct oci_registry *registry, const char *path)
{
    return memory_printf("%s/v2/%s/%s", registry->url, registry->repository, path);
}

/* Takes the challenge out of a 401's headers. Lock held. */
static void keep_challenge(struct oci_registry *registry, const struct http_reply *reply)
{
    static const char name[] = "www-authenticate: ";
    auto_done(strings) struct strings values = {0};
    for (size_t i = 0; i < reply->headers.count; i++) {
        if (text_has_prefix(reply->headers.items[i], name)) {
            strings_add(&values, reply->headers.items[i] + sizeof name - 1);
        }
    }
    oci_challenge_done(&registry->challenge);
    oci_challenge_parse(&values, &registry->challenge);
}

/* Gets a new authorization for the challenge there is. Lock held. */
static bool renew(struct oci_registry *registry, const struct cancel *cancel, struct error *err)
{
    if (!registry->is_asked) {
        if (!oci_credentials_find(registry->settings->auth_files, registry->host,
                registry->repository, &registry->limits, cancel, &registry->credentials, err)) {
            return false;
        }
        registry->is_asked = true;
    }
    const struct http_settings http = http_settings_of(registry);
    struct oci_token_request request = {
        .registry_url = registry->url,
        .repository = registry->repository,
        .credentials = &registry->credentials,
        .http = &http,
    };
    oci_authorization_done(&registry->authorization);
    return oci_authorize(&request, &registry->challenge, cancel, &registry->authorization, err);
}

/* Asks path without anything, only to be told what is wanted. Lock held. */
static bool provoke_challenge(
    struct oci_registry *registry, const char *path, const struct cancel *cancel, struct error *err)
{
    auto_free char *url = oci_registry_url(registry, path);
    struct http_small small = {
        .url = url,
        .settings = http_settings_of(registry),
        .is_head = true,
        .is_challenge_ok = true,
        .is_redirect_an_end = true,
    };
    auto_done(text) struct text body = {0};
    auto_done(http_reply) struct http_reply reply = {0};
    if (!http_get_small(&small, cancel, &body, &reply, err)) {
        return false;
    }
    keep_challenge(registry, &reply);
    return true;
}

static bool is_current(const struct oci_authorization *authorization)
{
    return authorization->value != NULL &&
           (authorization->expires_ms == 0 || clock_monotonic_ms() < authorization->expires_ms);
}

static bool authorize_locked(struct oci_registry *registry, const char *path, bool was_refused,
    const char *refused, const struct cancel *cancel, struct error *err)
{
    const char *have = registry->authorization.value;
    bool is_new = was_refused && have != NULL && (refused == NULL || strcmp(have, refused) != 0);
    if (is_current(&registry->authorization) && (is_new || !was_refused)) {
        return true;
    }
    if (!was_refused && registry->challenge.scheme == OCI_SCHEME_NONE) {
        return true;
    }
    if (registry->challenge.scheme == OCI_SCHEME_NONE &&
        !provoke_challenge(registry, path, cancel, err)) {
        return false;
    }
    return renew(registry, cancel, err);
}

bool oci_registry_authorize(struct oci_registry *registry, const char *path, bool was_refused,
    const char *refused, const struct cancel *cancel, char **value, struct error *err)
{
    pthread_mutex_lock(&registry->lock);
    bool is_done = authorize_locked(registry, path, was_refused, refused, cancel, err);
    if (is_done) {
        *value = memory_strdup(registry->authorization.value);
    }
    pthread_mutex_unlock(&registry->lock);
    return is_done;
}

static bool ask_once(struct oci_registry *registry, struct http_small *small,
    const char *authorization, const struct cancel *cancel, struct text *body,
    struct http_reply *reply, struct error *err)
{
    small->settings.authorization = authorization;
    return http_get_small(small, cancel, body, reply, err) ||
           error_wrap(err, "%s/%s", registry->host, registry->repository);
}

bool oci_registry_get(struct oci_registry *registry, const char *path, bool is_head,
    uint64_t max_bytes, const struct cancel *cancel, struct text *body, struct http_reply *reply,
    struct error *err)
{
    if (!oci_registry_connect(registry, cancel, err)) {
        return false;
    }
    auto_free char *url = oci_registry_url(registry, path);
    struct http_small small = {
        .url = url,
        .max_bytes = max_bytes,
        .settings = http_settings_of(registry),
        .is_head = is_head,
        .is_challenge_ok = true,
    };
    small.settings.headers = accept_lines;
    char *value = NULL;
    if (!oci_registry_authorize(registry, path, false, NULL, cancel, &value, err)) {
        return false;
    }
    bool is_done = ask_once(registry, &small, value, cancel, body, reply, err);
    if (is_done && reply->status == 401) {
        pthread_mutex_lock(&registry->lock);
        keep_challenge(registry, reply);
        pthread_mutex_unlock(&registry->lock);
        http_reply_done(reply);
        char *refused = value;
        value = NULL;
        is_done = oci_registry_authorize(registry, path, true, refused, cancel, &value, err) &&
                  ask_once(registry, &small, value, cancel, body, reply, err);
        memory_wipe(refused);
    }
    memory_wipe(value);
    if (is_done && reply->status == 401) {
        return error_set(err, ERROR_AUTH,
            "%s does not let us see %s: there is no such image, or it needs a login (docker login, "
            "podman login)",
            registry->host, registry->repository);
    }
    return is_done;
}
