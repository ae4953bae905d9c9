/* SPDX-License-Identifier: MIT */
#include "artifact/oci_ref.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

#define NAME_MAX_BYTES 255
#define TAG_MAX_BYTES 128

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_alnum(char c)
{
    return is_digit(c) || is_lower(c) || is_upper(c);
}

/* Labels of letters, digits and inner hyphens, joined by single dots. */
static bool is_domain(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool is_edge = i == 0 || i + 1 == len || text[i - 1] == '.' || text[i + 1] == '.';
        if (!is_alnum(text[i]) && (is_edge || (text[i] != '-' && text[i] != '.'))) {
            return false;
        }
    }
    return len > 0;
}

static bool is_bracketed_ipv6(const char *text, size_t len)
{
    bool has_colon = false;
    for (size_t i = 1; i + 1 < len; i++) {
        bool is_hex = is_digit(text[i]) || (text[i] >= 'a' && text[i] <= 'f') ||
                      (text[i] >= 'A' && text[i] <= 'F');
        has_colon = has_colon || text[i] == ':';
        if (!is_hex && text[i] != ':') {
            return false;
        }
    }
    return has_colon && text[len - 1] == ']';
}

static bool is_port(const char *text)
{
    size_t len = strspn(text, "0123456789");
    return len > 0 && len <= 5 && text[len] == '\0' && strtoul(text, NULL, 10) <= 65535 &&
           strtoul(text, NULL, 10) > 0;
}

static bool is_host(const char *host)
{
    if (host[0] == '[') {
        const char *end = strchr(host, ']');
        return end != NULL && is_bracketed_ipv6(host, (size_t)(end - host) + 1) &&
               (end[1] == '\0' || (end[1] == ':' && is_port(end + 2)));
    }
    size_t len = strcspn(host, ":");
    return is_domain(host, len) && (host[len] == '\0' || is_port(host + len + 1));
}

/* The separators inside a component: one dot, one or two underscores, any number of hyphens. */
static size_t separator_length(const char *text)
{
    if (text[0] == '.') {
        return 1;
    }
    if (text[0] == '_') {
        return text[1] == '_' ? 2 : 1;
    }
    return strspn(text, "-");
}

/* Components of lower-case letters and digits, separators only between those. */
static bool is_repository(const char *path)
{
    for (;;) {
        size_t run = strspn(path, "abcdefghijklmnopqrstuvwxyz0123456789");
        if (run == 0) {
            return false;
        }
        path += run;
        if (*path == '\0') {
            return true;
        }
        size_t gap = *path == '/' ? 1 : separator_length(path);
        if (gap == 0) {
            return false;
        }
        path += gap;
    }
}

static bool is_tag(const char *tag)
{
    if (!is_alnum(tag[0]) && tag[0] != '_') {
        return false;
    }
    size_t len = 0;
    while (is_alnum(tag[len]) || (tag[len] != '\0' && strchr("_.-", tag[len]) != NULL)) {
        len++;
    }
    return tag[len] == '\0' && len <= TAG_MAX_BYTES;
}

/* Whether the part before the first slash is a host, by docker's rule. */
static bool looks_like_host(const char *first)
{
    return strpbrk(first, ".:[") != NULL || strcmp(first, "localhost") == 0;
}

/* Splits "host/path", filling in what docker leaves out. */
static void split_name(const char *name, struct oci_ref *ref)
{
    const char *slash = strchr(name, '/');
    auto_free char *first = slash != NULL ? memory_strndup(name, (size_t)(slash - name)) : NULL;
    const char *path = name;
    if (first != NULL && looks_like_host(first)) {
        ref->host = take_ptr(first);
        path = slash + 1;
    } else {
        ref->host = memory_strdup(OCI_DOCKER_HOST);
    }
    for (char *c = ref->host; *c != '\0'; c++) {
        *c = is_upper(*c) ? (char)(*c - 'A' + 'a') : *c;
    }
    static const char *const aliases[] = {"index.docker.io", "registry-1.docker.io"};
    for (size_t i = 0; i < array_length(aliases); i++) {
        if (strcmp(ref->host, aliases[i]) == 0) {
            free(ref->host);
            ref->host = memory_strdup(OCI_DOCKER_HOST);
        }
    }
    bool is_official = strcmp(ref->host, OCI_DOCKER_HOST) == 0 && strchr(path, '/') == NULL;
    ref->repository = is_official ? memory_printf("library/%s", path) : memory_strdup(path);
}

static bool take_digest(const char *text, struct oci_ref *ref)
{
    ref->has_digest = true;
    return text_has_prefix(text, "sha256:") && digest_parse(text, &ref->digest);
}

static bool parse_parts(const char *text, struct oci_ref *ref, struct error *err)
{
    const char *at = strchr(text, '@');
    auto_free char *name =
        at != NULL ? memory_strndup(text, (size_t)(at - text)) : memory_strdup(text);
    if (at != NULL && !take_digest(at + 1, ref)) {
        return error_set(err, ERROR_INVALID,
            "the digest in %s is not sha256: and 64 lower-case hex digits", text);
    }
    char *slash = strrchr(name, '/');
    char *colon = strchr(slash != NULL ? slash : name, ':');
    if (colon != NULL) {
        ref->tag = memory_strdup(colon + 1);
        *colon = '\0';
    } else if (at == NULL) {
        ref->tag = memory_strdup("latest");
    }
    if (ref->tag != NULL && !is_tag(ref->tag)) {
        return error_set(err, ERROR_INVALID,
            "the tag in %s is not 1 to %d of letters, digits, '_', '.' and '-'", text,
            TAG_MAX_BYTES);
    }
    split_name(name, ref);
    if (!is_host(ref->host)) {
        return error_set(err, ERROR_INVALID, "%s in %s is not a registry's host", ref->host, text);
    }
    struct digest mistaken;
    if (!is_repository(ref->repository) || digest_parse(name, &mistaken)) {
        return error_set(err, ERROR_INVALID,
            "%s is not an image's name in a registry (as debian, debian:12 or "
            "ghcr.io/owner/name:tag; lower case)",
            text);
    }
    if (strlen(ref->host) + 1 + strlen(ref->repository) > NAME_MAX_BYTES) {
        return error_set(
            err, ERROR_INVALID, "the name in %s is longer than %d bytes", text, NAME_MAX_BYTES);
    }
    return true;
}

void oci_ref_done(struct oci_ref *ref)
{
    free(ref->host);
    free(ref->repository);
    free(ref->tag);
    *ref = (struct oci_ref){0};
}

bool oci_ref_parse(const char *text, struct oci_ref *ref, struct error *err)
{
    auto_done(oci_ref) struct oci_ref parsed = {0};
    if (!parse_parts(text, &parsed, err)) {
        return false;
    }
    *ref = parsed;
    parsed = (struct oci_ref){0};
    return true;
}

char *oci_ref_format(const struct oci_ref *ref)
{
    char hex[DIGEST_HEX_LEN + 1];
    struct text text = {0};
    text_printf(&text, "%s/%s", ref->host, ref->repository);
    if (ref->tag != NULL) {
        text_printf(&text, ":%s", ref->tag);
    }
    if (ref->has_digest) {
        text_printf(&text, "@sha256:%s", digest_format(&ref->digest, hex));
    }
    return text_take(&text);
}

char *oci_ref_version(const struct oci_ref *ref)
{
    char hex[DIGEST_HEX_LEN + 1];
    return ref->has_digest ? memory_printf("sha256:%s", digest_format(&ref->digest, hex))
                           : memory_strdup(ref->tag);
}
