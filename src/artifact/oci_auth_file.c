/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "artifact/oci_credentials.h"
#include "artifact/oci_ref.h"
#include "base/base64.h"
#include "base/error.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/text.h"

#define SECRET_MAX_BYTES 65536

void oci_credentials_done(struct oci_credentials *credentials)
{
    memory_wipe(credentials->user);
    memory_wipe(credentials->password);
    memory_wipe(credentials->identity_token);
    *credentials = (struct oci_credentials){0};
}

bool oci_credentials_are_there(const struct oci_credentials *credentials)
{
    return credentials->identity_token != NULL ||
           (credentials->user != NULL && credentials->password != NULL);
}

void oci_auth_answer_done(struct oci_auth_answer *answer)
{
    free(answer->helper);
    oci_credentials_done(&answer->credentials);
    *answer = (struct oci_auth_answer){0};
}

/* "https://index.docker.io/v1/" and the like as "docker.io"; caller frees. */
static char *plain_key(const char *key)
{
    static const char *const prefixes[] = {"https://", "http://"};
    for (size_t i = 0; i < array_length(prefixes); i++) {
        if (text_has_prefix(key, prefixes[i])) {
            key += strlen(prefixes[i]);
            break;
        }
    }
    auto_free char *plain = memory_strdup(key);
    static const char *const suffixes[] = {"/", "/v1", "/v2"};
    for (size_t i = 0; i < array_length(suffixes); i++) {
        if (text_has_suffix(plain, suffixes[i])) {
            plain[strlen(plain) - strlen(suffixes[i])] = '\0';
        }
    }
    static const char *const aliases[] = {"index.docker.io", "registry-1.docker.io"};
    for (size_t i = 0; i < array_length(aliases); i++) {
        if (strcmp(plain, aliases[i]) == 0) {
            return memory_strdup(OCI_DOCKER_HOST);
        }
    }
    return take_ptr(plain);
}

/* How much of "host/repository" the key stands for; 0 when it is about something else. */
static size_t match_length(const char *key, const char *name)
{
    auto_free char *plain = plain_key(key);
    size_t len = strlen(plain);
    bool is_match = strncmp(name, plain, len) == 0 && (name[len] == '/' || name[len] == '\0');
    return is_match ? len : 0;
}

static const struct json *find_longest(const struct json *object, const char *name)
{
    const struct json *best = NULL;
    size_t best_len = 0;
    if (object == NULL || !json_is_object(object)) {
        return NULL;
    }
    for (const struct json *item = json_first(object); item != NULL; item = json_next(item)) {
        size_t len = match_length(json_key(item), name);
        if (len > best_len) {
            best = item;
            best_len = len;
        }
    }
    return best;
}

static bool is_helper_name(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return len > 0 && len <= 64 && name[len] == '\0' && name[0] != '-';
}

static bool take_helper(const struct json *root, const char *name, const char *shown,
    struct oci_auth_answer *answer, struct error *err)
{
    const struct json *own = find_longest(json_get(root, "credHelpers"), name);
    const char *helper =
        own != NULL ? json_string_value(own) : json_string(root, "credsStore", NULL);
    if (helper == NULL || helper[0] == '\0') {
        return true;
    }
    if (!is_helper_name(helper)) {
        return error_set(err, ERROR_CONFIG,
            "%s names a credential helper that cannot be a program's name: %.64s", shown, helper);
    }
    answer->helper = memory_strdup(helper);
    return true;
}

/* Header values are made of these: what would break one is no credential. */
static bool is_secret_ok(const char *secret)
{
    return strpbrk(secret, "\r\n") == NULL && strlen(secret) <= SECRET_MAX_BYTES;
}

/* "user:password" in base 64. */
static bool take_pair(const char *encoded, struct oci_credentials *credentials)
{
    struct text pair = {0};
    bool is_good = base64_decode(encoded, strlen(encoded), &pair) &&
                   strlen(text_cstr(&pair)) == pair.len && strchr(text_cstr(&pair), ':') != NULL;
    if (is_good) {
        const char *colon = strchr(pair.data, ':');
        credentials->user = memory_strndup(pair.data, (size_t)(colon - pair.data));
        credentials->password = memory_strdup(colon + 1);
    }
    text_wipe(&pair);
    return is_good;
}

static bool take_entry(const struct json *entry, const char *shown,
    struct oci_credentials *credentials, struct error *err)
{
    const char *pair = json_string(entry, "auth", "");
    const char *user = json_string(entry, "username", "");
    const char *password = json_string(entry, "password", "");
    const char *token = json_string(entry, "identitytoken", "");
    bool is_good = is_secret_ok(user) && is_secret_ok(password) && is_secret_ok(token);
    if (is_good && token[0] != '\0') {
        credentials->identity_token = memory_strdup(token);
    }
    if (is_good && pair[0] != '\0') {
        is_good = take_pair(pair, credentials) && is_secret_ok(credentials->user) &&
                  is_secret_ok(credentials->password);
    } else if (is_good && user[0] != '\0') {
        credentials->user = memory_strdup(user);
        credentials->password = memory_strdup(password);
    }
    return is_good || error_set(err, ERROR_CONFIG,
                          "%s holds an entry that is not user and password; log in again", shown);
}

bool oci_auth_parse(const char *bytes, size_t len, bool is_legacy, const char *host,
    const char *repository, const struct limits *limits, const char *shown,
    struct oci_auth_answer *answer, struct error *err)
{
    auto_free char *name = memory_printf("%s/%s", host, repository);
    auto_json struct json *root =
        json_parse(bytes, len, limits->json_bytes, limits->json_depth, shown, err);
    if (root == NULL) {
        err->code = ERROR_CONFIG;
        return false;
    }
    auto_done(oci_auth_answer) struct oci_auth_answer found = {0};
    const struct json *entry = find_longest(is_legacy ? root : json_get(root, "auths"), name);
    if ((!is_legacy && !take_helper(root, name, shown, &found, err)) ||
        (entry != NULL && !take_entry(entry, shown, &found.credentials, err))) {
        return false;
    }
    *answer = found;
    found = (struct oci_auth_answer){0};
    return true;
}
