/* SPDX-License-Identifier: MIT */
#include "artifact/http_url.h"

#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "artifact/http.h"
#include "artifact/http_file.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

static void url_cleanup(CURLU **url)
{
    curl_url_cleanup(*url);
}

static void curl_text_cleanup(char **text)
{
    curl_free(*text);
}

#define auto_url __attribute__((cleanup(url_cleanup)))
#define auto_curl_text __attribute__((cleanup(curl_text_cleanup)))

static bool has_part(CURLU *url, CURLUPart part)
{
    auto_curl_text char *text = NULL;
    return curl_url_get(url, part, &text, 0) == CURLUE_OK;
}

/* curl takes "https:/x", "https:///x" and "x:80" for a URL too; two readers need not. */
static bool has_two_slashes(const char *text)
{
    const char *colon = strchr(text, ':');
    return colon != NULL && strncmp(colon, "://", 3) == 0 && colon[3] != '/';
}

/* Parses an http or https URL; NULL when it is anything else. */
static CURLU *url_parse(const char *text)
{
    if (!has_two_slashes(text)) {
        return NULL;
    }
    CURLU *url = curl_url();
    auto_curl_text char *scheme = NULL;
    if (url == NULL || curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)) {
        curl_url_cleanup(url);
        return NULL;
    }
    return url;
}

static bool is_part_equal(CURLU *a, CURLU *b, CURLUPart part)
{
    auto_curl_text char *left = NULL;
    auto_curl_text char *right = NULL;
    return curl_url_get(a, part, &left, CURLU_DEFAULT_PORT) == CURLUE_OK &&
           curl_url_get(b, part, &right, CURLU_DEFAULT_PORT) == CURLUE_OK &&
           strcasecmp(left, right) == 0;
}

static bool has_userinfo(CURLU *url)
{
    return has_part(url, CURLUPART_USER) || has_part(url, CURLUPART_PASSWORD);
}

/* The same without userinfo and fragment. Caller frees. */
static char *plain_text(CURLU *url)
{
    auto_curl_text char *text = NULL;
    if (curl_url_set(url, CURLUPART_USER, NULL, 0) != CURLUE_OK ||
        curl_url_set(url, CURLUPART_PASSWORD, NULL, 0) != CURLUE_OK ||
        curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_URL, &text, 0) != CURLUE_OK) {
        abort();
    }
    return memory_strdup(text);
}

char *http_url_plain(const char *url)
{
    auto_url CURLU *parsed = url_parse(url);
    return parsed != NULL ? plain_text(parsed) : NULL;
}

char *http_url_without_query(const char *url)
{
    return memory_strndup(url, strcspn(url, "?"));
}

char *http_strip_userinfo(const char *url)
{
    char *plain = http_url_plain(url);
    if (plain != NULL) {
        return plain;
    }
    auto_free char *path = http_file_path(url);
    /* Whatever else it is might hold a password anywhere. */
    return memory_strdup(path != NULL ? url : "(not a URL)");
}

bool http_check_url(const char *url, bool is_userinfo_ok, struct error *err)
{
    auto_free char *path = http_file_path(url);
    if (path != NULL) {
        return true;
    }
    auto_url CURLU *parsed = url_parse(url);
    if (parsed == NULL) {
        return error_set(
            err, ERROR_INVALID, "%s is not an http, https or file URL with a full path", url);
    }
    if (!is_userinfo_ok && has_userinfo(parsed)) {
        auto_free char *plain = plain_text(parsed);
        return error_set(err, ERROR_INVALID,
            "the URL of %s holds a user name or password, which a catalog must not", plain);
    }
    return true;
}

bool http_url_is_same_origin(const char *a, const char *b)
{
    static const CURLUPart parts[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
    auto_url CURLU *left = url_parse(a);
    auto_url CURLU *right = url_parse(b);
    bool is_same = left != NULL && right != NULL;
    for (size_t i = 0; i < array_length(parts) && is_same; i++) {
        is_same = is_part_equal(left, right, parts[i]);
    }
    return is_same;
}

void http_url_userinfo(const char *url, char **user, char **password)
{
    auto_url CURLU *parsed = url_parse(url);
    auto_curl_text char *found_user = NULL;
    auto_curl_text char *found_password = NULL;
    if (parsed != NULL) {
        curl_url_get(parsed, CURLUPART_USER, &found_user, CURLU_URLDECODE);
        curl_url_get(parsed, CURLUPART_PASSWORD, &found_password, CURLU_URLDECODE);
    }
    *user = memory_strdup(found_user);
    *password = memory_strdup(found_password);
}

char *http_url_redirect(const char *url, const char *location, struct error *err)
{
    auto_free char *from = http_url_plain(url);
    auto_url CURLU *parsed = from != NULL ? url_parse(from) : NULL;
    auto_curl_text char *text = NULL;
    auto_url CURLU *next = NULL;
    if (parsed != NULL && curl_url_set(parsed, CURLUPART_URL, location, 0) == CURLUE_OK &&
        curl_url_get(parsed, CURLUPART_URL, &text, 0) == CURLUE_OK) {
        next = url_parse(text);
    }
    auto_free char *shown = http_url_without_query(url);
    if (next == NULL || has_userinfo(next)) {
        error_set(err, ERROR_NETWORK, "%s: the server redirects to a place we do not go to", shown);
        return NULL;
    }
    if (text_has_prefix(from, "https:") && !text_has_prefix(text, "https:")) {
        error_set(err, ERROR_NETWORK,
            "%s: the server redirects from https to plain http, which is refused", shown);
        return NULL;
    }
    return plain_text(next);
}

char *http_url_host(const char *url)
{
    auto_url CURLU *parsed = url_parse(url);
    auto_curl_text char *host = NULL;
    if (parsed == NULL || curl_url_get(parsed, CURLUPART_HOST, &host, 0) != CURLUE_OK) {
        return NULL;
    }
    char *copy = memory_strdup(host);
    for (char *c = copy; *c != '\0'; c++) {
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
    }
    return copy;
}
