/* SPDX-License-Identifier: MIT */
#include "artifact/oci_auth.h"

#include <string.h>

#include "artifact/http.h"
#include "artifact/oci_challenge.h"
#include "artifact/oci_credentials.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"

#define REPLY_MAX_BYTES ((uint64_t)1 << 20)
#define TOKEN_MAX_BYTES 65536
#define TOKEN_LIFE_MAX_S 86400
#define JSON_DEPTH 16
/* Renewed so long before it ends. */
#define MARGIN_S 10

void oci_authorization_done(struct oci_authorization *authorization)
{
    memory_wipe(authorization->value);
    *authorization = (struct oci_authorization){0};
}

/* Appends it so that it stands for itself in a query or a form (RFC 3986, 2.3). */
static void append_escaped(struct text *out, const char *value)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    for (; *value != '\0'; value++) {
        if (strchr(plain, *value) != NULL) {
            text_append_char(out, *value);
        } else {
            text_printf(out, "%%%02X", (unsigned)(unsigned char)*value);
        }
    }
}

static char *basic_value(const struct oci_credentials *credentials)
{
    struct text pair = {0};
    struct text value = {0};
    text_printf(&pair, "%s:%s", credentials->user, credentials->password);
    text_append(&value, "Basic ");
    base64_encode(text_cstr(&pair), pair.len, &value);
    text_wipe(&pair);
    return text_take(&value);
}

bool oci_token_parse(const char *bytes, unsigned long len, const char *what, char **token,
    uint64_t *life_s, struct error *err)
{
    auto_json struct json *root = json_parse(bytes, len, REPLY_MAX_BYTES, JSON_DEPTH, what, err);
    if (root == NULL) {
        return false;
    }
    const char *found = json_string(root, "token", "");
    if (found[0] == '\0') {
        found = json_string(root, "access_token", "");
    }
    size_t size = strlen(found);
    if (size == 0) {
        return error_set(err, ERROR_AUTH, "%s gives no token", what);
    }
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)found[i] <= 0x20 || (unsigned char)found[i] >= 0x7f) {
            return error_set(err, ERROR_FORMAT, "%s gives a token that cannot be sent", what);
        }
    }
    if (size > TOKEN_MAX_BYTES) {
        return error_set(
            err, ERROR_LIMIT, "%s gives a token longer than %d bytes", what, TOKEN_MAX_BYTES);
    }
    int64_t life = json_integer(root, "expires_in", 0);
    *life_s = life < OCI_TOKEN_LIFE_MIN_S ? OCI_TOKEN_LIFE_MIN_S
              : life > TOKEN_LIFE_MAX_S   ? TOKEN_LIFE_MAX_S
                                          : (uint64_t)life;
    *token = memory_strdup(found);
    return true;
}

static void append_parameters(
    struct text *out, const struct oci_token_request *request, const char *service)
{
    if (service != NULL) {
        text_append(out, "service=");
        append_escaped(out, service);
        text_append_char(out, '&');
    }
    text_append(out, "scope=repository%3A");
    append_escaped(out, request->repository);
    text_append(out, "%3Apull");
}

/* GET, with the password where there is one and it may go there. */
static bool ask_by_get(const struct oci_token_request *request,
    const struct oci_challenge *challenge, bool is_trusted, const struct cancel *cancel,
    struct text *body, struct error *err)
{
    const struct oci_credentials *credentials = request->credentials;
    auto_done(text) struct text url = {0};
    text_append(&url, challenge->realm);
    text_append_char(&url, strchr(challenge->realm, '?') != NULL ? '&' : '?');
    append_parameters(&url, request, challenge->service);
    char *basic = NULL;
    if (is_trusted && credentials->user != NULL && credentials->password != NULL) {
        basic = basic_value(credentials);
    }
    struct http_small small = {
        .url = text_cstr(&url),
        .max_bytes = REPLY_MAX_BYTES,
        .settings = *request->http,
        .is_redirect_an_end = true,
    };
    small.settings.authorization = basic;
    bool is_done = http_get_small(&small, cancel, body, NULL, err);
    memory_wipe(basic);
    return is_done;
}

/* POST: an identity token is changed into an access token. */
static bool ask_by_post(const struct oci_token_request *request,
    const struct oci_challenge *challenge, const struct cancel *cancel, struct text *body,
    struct error *err)
{
    struct text form = {0};
    text_append(&form, "grant_type=refresh_token&client_id=banger-tui&");
    append_parameters(&form, request, challenge->service);
    text_append(&form, "&refresh_token=");
    append_escaped(&form, request->credentials->identity_token);
    struct http_small small = {
        .url = challenge->realm,
        .max_bytes = REPLY_MAX_BYTES,
        .form = text_cstr(&form),
        .settings = *request->http,
        .is_redirect_an_end = true,
    };
    bool is_done = http_get_small(&small, cancel, body, NULL, err);
    text_wipe(&form);
    return is_done;
}

static bool fetch_token(const struct oci_token_request *request,
    const struct oci_challenge *challenge, const struct cancel *cancel,
    struct oci_authorization *authorization, struct error *err)
{
    if (!oci_realm_check(challenge->realm, request->registry_url, err)) {
        return false;
    }
    bool is_trusted = oci_realm_is_trusted(challenge->realm, request->registry_url);
    struct text body = {0};
    char *token = NULL;
    uint64_t life_s = 0;
    bool is_done = is_trusted && request->credentials->identity_token != NULL
                       ? ask_by_post(request, challenge, cancel, &body, err)
                       : ask_by_get(request, challenge, is_trusted, cancel, &body, err);
    is_done = is_done && oci_token_parse(text_cstr(&body), body.len, "the registry's token service",
                             &token, &life_s, err);
    text_wipe(&body);
    if (!is_done) {
        return error_wrap(err, "no access to %s at %s", request->repository, request->registry_url);
    }
    authorization->value = memory_printf("Bearer %s", token);
    authorization->expires_ms = clock_monotonic_ms() + (life_s - MARGIN_S) * 1000;
    memory_wipe(token);
    return true;
}

bool oci_authorize(const struct oci_token_request *request, const struct oci_challenge *challenge,
    const struct cancel *cancel, struct oci_authorization *authorization, struct error *err)
{
    switch (challenge->scheme) {
    case OCI_SCHEME_NONE:
        break;
    case OCI_SCHEME_BEARER:
        return fetch_token(request, challenge, cancel, authorization, err);
    case OCI_SCHEME_BASIC:
        if (request->credentials->user == NULL || request->credentials->password == NULL) {
            return error_set(err, ERROR_AUTH,
                "%s wants a user and a password for %s: log in with docker or podman first",
                request->registry_url, request->repository);
        }
        authorization->value = basic_value(request->credentials);
        authorization->expires_ms = 0;
        return true;
    }
    return error_set(err, ERROR_AUTH,
        "%s refuses %s and asks for credentials of a kind we do not speak", request->registry_url,
        request->repository);
}
