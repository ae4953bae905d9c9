/* SPDX-License-Identifier: MIT */
#include "fuzz/fuzz.h"

#include "artifact/apt_text.h"
#include "artifact/http_parse.h"
#include "artifact/oci_auth.h"
#include "artifact/oci_challenge.h"
#include "artifact/oci_config.h"
#include "artifact/oci_credentials.h"
#include "artifact/oci_image.h"
#include "artifact/oci_manifest.h"
#include "artifact/oci_ref.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define NOW 1750000000

static void run_http(const uint8_t *bytes, size_t len)
{
    auto_free char *value = fuzz_text(bytes, len);
    struct http_range range;
    uint64_t number = 0;
    if (http_parse_content_range(value, &range)) {
        fuzz_check(range.has_bytes || range.has_total);
        fuzz_check(!range.has_bytes || range.first <= range.last);
        fuzz_check(!range.has_bytes || !range.has_total || range.last < range.total);
    }
    if (http_parse_retry_after(value, NOW, &number)) {
        fuzz_check(number <= HTTP_RETRY_AFTER_MAX_MS);
    }
    if (http_parse_length(value, &number)) {
        fuzz_check(number <= INT64_MAX && strspn(value, "0123456789") == strlen(value));
    }
    if (http_etag_is_strong(value)) {
        fuzz_check(value[0] == '"' && strpbrk(value, "\r\n") == NULL);
    }
}

/* A reference says the same when it is written down and read again. */
static void run_oci_ref(const uint8_t *bytes, size_t len)
{
    struct error err = {0};
    auto_free char *text = fuzz_text(bytes, len);
    auto_done(oci_ref) struct oci_ref ref = {0};
    if (!oci_ref_parse(text, &ref, &err)) {
        fuzz_check(err.code == ERROR_INVALID);
        return;
    }
    fuzz_check(ref.host[0] != '\0' && ref.repository[0] != '\0');
    fuzz_check(ref.tag != NULL || ref.has_digest);
    fuzz_check(strstr(ref.repository, "..") == NULL && ref.repository[0] != '/');
    auto_free char *full = oci_ref_format(&ref);
    auto_free char *version = oci_ref_version(&ref);
    auto_done(oci_ref) struct oci_ref again = {0};
    fuzz_check(version[0] != '\0');
    fuzz_check(oci_ref_parse(full, &again, &err));
    auto_free char *same = oci_ref_format(&again);
    fuzz_check(strcmp(full, same) == 0 && strcmp(ref.host, again.host) == 0);
}

static void run_challenge(const uint8_t *bytes, size_t len)
{
    struct error err = {0};
    auto_free char *text = fuzz_text(bytes, len);
    auto_done(strings) struct strings values = {0};
    strings_split(&values, text, "\n");
    auto_done(oci_challenge) struct oci_challenge challenge = {0};
    oci_challenge_parse(&values, &challenge);
    fuzz_check(challenge.scheme != OCI_SCHEME_BEARER || challenge.realm != NULL);
    if (challenge.realm != NULL &&
        oci_realm_check(challenge.realm, "https://registry.example", &err)) {
        fuzz_check(strncasecmp(challenge.realm, "https://", 8) == 0);
        fuzz_check(strpbrk(challenge.realm, " \t\r\n") == NULL);
    }
    oci_host_reach(text);
    oci_realm_is_trusted(text, "https://registry.example");
}

static void run_oci_document(const uint8_t *bytes, size_t len)
{
    struct error err = {0};
    static const enum oci_media expected[] = {
        OCI_MEDIA_UNKNOWN, OCI_MEDIA_INDEX, OCI_MEDIA_MANIFEST};
    struct oci_platform platform = oci_platform_of("amd64");
    for (size_t i = 0; i < array_length(expected); i++) {
        auto_done(oci_document) struct oci_document document = {0};
        error_clear(&err);
        if (oci_document_parse((const char *)bytes, len, NULL, expected[i], &platform,
                &limits_default, "manifest", &document, &err)) {
            fuzz_check(document.media != OCI_MEDIA_UNKNOWN);
            fuzz_check(expected[i] == OCI_MEDIA_UNKNOWN || expected[i] == document.media);
            fuzz_check(document.layer_count <= limits_default.manifest_layers);
        } else {
            fuzz_check(err.code != ERROR_NONE);
        }
    }
}

static void run_oci_config(const uint8_t *bytes, size_t len)
{
    struct error err = {0};
    struct oci_platform platform = oci_platform_of("amd64");
    auto_done(oci_image) struct oci_image image = {0};
    bool is_fine =
        oci_config_parse((const char *)bytes, len, &platform, &limits_default, &image, &err);
    fuzz_check(is_fine == (err.code == ERROR_NONE));
}

static void run_oci_auth(const uint8_t *bytes, size_t len)
{
    struct error err = {0};
    for (int is_legacy = 0; is_legacy < 2; is_legacy++) {
        auto_done(oci_auth_answer) struct oci_auth_answer answer = {0};
        error_clear(&err);
        if (oci_auth_parse((const char *)bytes, len, is_legacy, "docker.io", "library/debian",
                &limits_default, "auth.json", &answer, &err)) {
            fuzz_check(answer.helper == NULL || strchr(answer.helper, '/') == NULL);
        } else {
            fuzz_check(err.code == ERROR_CONFIG);
        }
    }
}

static void run_token(const uint8_t *bytes, size_t len)
{
    struct error err = {0};
    char *token = NULL;
    uint64_t life_s = 0;
    if (oci_token_parse((const char *)bytes, len, "token", &token, &life_s, &err)) {
        fuzz_check(token != NULL && life_s >= OCI_TOKEN_LIFE_MIN_S);
        for (const char *at = token; *at; at++) {
            fuzz_check(*at > ' ' && *at < 0x7f); /* it goes into a header */
        }
    }
    free(token);
}

static void run_apt(const uint8_t *bytes, size_t len)
{
    auto_free char *text = fuzz_text(bytes, len);
    auto_done(strings) struct strings groups = {0};
    free(apt_record_field(text, "Depends"));
    free(apt_config_value(text, "DIR"));
    apt_kernel_dependencies(text, &groups);
    for (size_t i = 0; i < groups.count; i++) {
        auto_done(strings) struct strings names = {0};
        strings_split(&names, groups.items[i], "|");
        for (size_t k = 0; k < names.count; k++) {
            fuzz_check(apt_is_package_name(names.items[k]));
        }
    }
}

const struct fuzz_target fuzz_registry[] = {
    {"http", run_http},
    {"oci_ref", run_oci_ref},
    {"challenge", run_challenge},
    {"oci_document", run_oci_document},
    {"oci_config", run_oci_config},
    {"oci_auth", run_oci_auth},
    {"token", run_token},
    {"apt", run_apt},
    {NULL, NULL},
};
