/* SPDX-License-Identifier: MIT */
#include "artifact/oci_challenge.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "artifact/http.h"
#include "artifact/http_url.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

static const char token_chars[] = "!#$%&'*+-.^_`|~0123456789"
                                  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
static const char token68_chars[] = "-._~+/0123456789"
                                    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

void oci_challenge_done(struct oci_challenge *challenge)
{
    free(challenge->realm);
    free(challenge->service);
    *challenge = (struct oci_challenge){0};
}

/* One challenge as it is being read. */
struct reading {
    const char *at;
    struct oci_challenge challenge;
    bool is_begun;
};

static void skip_blanks(struct reading *reading)
{
    reading->at += strspn(reading->at, " \t");
}

/* token68 stands alone behind the scheme: nothing but a comma may follow. */
static bool skip_token68(struct reading *reading)
{
    const char *at = reading->at;
    size_t len = strspn(at, token68_chars);
    if (len == 0) {
        return false;
    }
    at += len;
    at += strspn(at, "=");
    at += strspn(at, " \t");
    if (*at != '\0' && *at != ',') {
        return false;
    }
    reading->at = at;
    return true;
}

/* A quoted string, escapes taken out; NULL when it is none or holds control characters. */
static char *read_quoted(struct reading *reading)
{
    auto_done(text) struct text value = {0};
    const char *at = reading->at + 1;
    for (; *at != '"'; at++) {
        if (*at == '\\') {
            at++;
        }
        if ((unsigned char)*at < 0x20 || *at == 0x7f) {
            return NULL;
        }
        text_append_char(&value, *at);
    }
    reading->at = at + 1;
    return text_take(&value);
}

static char *read_value(struct reading *reading)
{
    if (*reading->at == '"') {
        return read_quoted(reading);
    }
    size_t len = strspn(reading->at, token_chars);
    const char *value = reading->at;
    reading->at += len;
    return len > 0 ? memory_strndup(value, len) : NULL;
}

/* A parameter of the challenge under way; one that comes twice makes the value unreadable. */
static bool keep_parameter(struct oci_challenge *challenge, const char *name, char *value)
{
    char **into = strcasecmp(name, "realm") == 0     ? &challenge->realm
                  : strcasecmp(name, "service") == 0 ? &challenge->service
                                                     : NULL;
    if (into == NULL || *into != NULL) {
        free(value);
        return into == NULL;
    }
    *into = value;
    return true;
}

static bool is_better(const struct oci_challenge *found, const struct oci_challenge *best)
{
    bool is_usable = found->scheme == OCI_SCHEME_BASIC ||
                     (found->scheme == OCI_SCHEME_BEARER && found->realm != NULL);
    return is_usable && found->scheme > best->scheme;
}

static void finish(struct reading *reading, struct oci_challenge *best)
{
    if (reading->is_begun && is_better(&reading->challenge, best)) {
        oci_challenge_done(best);
        *best = reading->challenge;
        reading->challenge = (struct oci_challenge){0};
    }
    oci_challenge_done(&reading->challenge);
    reading->is_begun = false;
}

static void begin(struct reading *reading, const char *scheme)
{
    reading->is_begun = true;
    reading->challenge.scheme = strcasecmp(scheme, "bearer") == 0  ? OCI_SCHEME_BEARER
                                : strcasecmp(scheme, "basic") == 0 ? OCI_SCHEME_BASIC
                                                                   : OCI_SCHEME_NONE;
}

/* A token; NULL where there is none. */
static char *read_name(struct reading *reading)
{
    size_t len = strspn(reading->at, token_chars);
    char *name = len > 0 ? memory_strndup(reading->at, len) : NULL;
    reading->at += len;
    return name;
}

/* The rest of a parameter, from the equals sign on. */
static bool read_parameter(struct reading *reading, const char *name)
{
    if (*reading->at != '=' || !reading->is_begun) {
        return false;
    }
    reading->at++;
    skip_blanks(reading);
    char *value = read_value(reading);
    return value != NULL && keep_parameter(&reading->challenge, name, value);
}

/* One element of the list: a scheme, alone or with its first parameter, or one more parameter. */
static bool read_element(struct reading *reading, struct oci_challenge *best)
{
    auto_free char *name = read_name(reading);
    if (name == NULL) {
        return false;
    }
    const char *end = reading->at;
    skip_blanks(reading);
    if (*reading->at == '=') {
        return read_parameter(reading, name);
    }
    finish(reading, best);
    begin(reading, name);
    if (*reading->at == '\0' || *reading->at == ',') {
        return true;
    }
    if (reading->at == end) {
        return false;
    }
    if (skip_token68(reading)) {
        return true;
    }
    auto_free char *parameter = read_name(reading);
    skip_blanks(reading);
    return parameter != NULL && read_parameter(reading, parameter);
}

/* A value that is not of the grammar, wherever, offers nothing. */
static void parse_value(const char *value, struct oci_challenge *best)
{
    struct reading reading = {.at = value};
    auto_done(oci_challenge) struct oci_challenge found = {0};
    bool is_good = true;
    while (is_good) {
        reading.at += strspn(reading.at, " \t,");
        if (*reading.at == '\0') {
            break;
        }
        is_good = read_element(&reading, &found);
        skip_blanks(&reading);
        is_good = is_good && (*reading.at == '\0' || *reading.at == ',');
    }
    finish(&reading, &found);
    if (is_good && is_better(&found, best)) {
        oci_challenge_done(best);
        *best = found;
        found = (struct oci_challenge){0};
    }
}

void oci_challenge_parse(const struct strings *values, struct oci_challenge *challenge)
{
    for (size_t i = 0; i < values->count; i++) {
        parse_value(values->items[i], challenge);
    }
}

static enum oci_reach reach_of_ipv4(uint32_t address)
{
    if (address >> 24 == 127 || address >> 24 == 0) {
        return OCI_REACH_LOOPBACK;
    }
    if (address >> 16 == 0xa9fe) {
        return OCI_REACH_LINK_LOCAL;
    }
    bool is_private = address >> 24 == 10 || address >> 20 == 0xac1 || address >> 16 == 0xc0a8 ||
                      address >> 22 == 0x191;
    return is_private ? OCI_REACH_PRIVATE : OCI_REACH_PUBLIC;
}

static enum oci_reach reach_of_ipv6(const struct in6_addr *address)
{
    if (IN6_IS_ADDR_LOOPBACK(address) || IN6_IS_ADDR_UNSPECIFIED(address)) {
        return OCI_REACH_LOOPBACK;
    }
    const uint8_t *b = address->s6_addr;
    if (IN6_IS_ADDR_V4MAPPED(address) || IN6_IS_ADDR_V4COMPAT(address)) {
        return reach_of_ipv4(
            (uint32_t)b[12] << 24 | (uint32_t)b[13] << 16 | (uint32_t)b[14] << 8 | b[15]);
    }
    if (IN6_IS_ADDR_LINKLOCAL(address)) {
        return OCI_REACH_LINK_LOCAL;
    }
    return (b[0] & 0xfe) == 0xfc || IN6_IS_ADDR_SITELOCAL(address) ? OCI_REACH_PRIVATE
                                                                   : OCI_REACH_PUBLIC;
}

enum oci_reach oci_host_reach(const char *host)
{
    auto_free char *bare = memory_strdup(host[0] == '[' ? host + 1 : host);
    /* Neither a scope nor a final dot makes it another host. */
    bare[strcspn(bare, "]%")] = '\0';
    size_t len = strlen(bare);
    if (len > 0 && bare[len - 1] == '.') {
        bare[len - 1] = '\0';
    }
    if (strcasecmp(bare, "localhost") == 0 || text_has_suffix(bare, ".localhost")) {
        return OCI_REACH_LOOPBACK;
    }
    struct in_addr four;
    struct in6_addr six;
    if (inet_pton(AF_INET, bare, &four) == 1) {
        return reach_of_ipv4(ntohl(four.s_addr));
    }
    return inet_pton(AF_INET6, bare, &six) == 1 ? reach_of_ipv6(&six) : OCI_REACH_PUBLIC;
}

static bool is_reach_ok(enum oci_reach realm, enum oci_reach registry)
{
    switch (realm) {
    case OCI_REACH_PUBLIC:
        return true;
    case OCI_REACH_PRIVATE:
        return registry == OCI_REACH_PRIVATE || registry == OCI_REACH_LOOPBACK;
    case OCI_REACH_LOOPBACK:
    case OCI_REACH_LINK_LOCAL:
        return registry == realm;
    }
    return false;
}

bool oci_realm_check(const char *realm, const char *registry_url, struct error *err)
{
    struct error why = {0};
    auto_free char *shown = http_strip_userinfo(realm);
    auto_free char *host = http_url_host(realm);
    auto_free char *registry = http_url_host(registry_url);
    if (host == NULL || registry == NULL || strchr(realm, '#') != NULL ||
        !http_check_url(realm, false, &why)) {
        return error_set(err, ERROR_AUTH, "%s asks for a token from a place we do not go to (%s)",
            registry_url, shown);
    }
    if (!text_has_prefix(shown, "https:") && !text_has_prefix(registry_url, "http:")) {
        return error_set(err, ERROR_AUTH,
            "%s asks for a token over plain http (%s), which is refused", registry_url, shown);
    }
    if (!is_reach_ok(oci_host_reach(host), oci_host_reach(registry))) {
        return error_set(err, ERROR_AUTH,
            "%s asks for a token from an address inside this host or network (%s), which is "
            "refused",
            registry_url, shown);
    }
    return true;
}

bool oci_realm_is_trusted(const char *realm, const char *registry_url)
{
    auto_free char *host = http_url_host(realm);
    auto_free char *registry = http_url_host(registry_url);
    if (host == NULL || registry == NULL) {
        return false;
    }
    return strcmp(host, registry) == 0 ||
           (strcmp(registry, "registry-1.docker.io") == 0 && strcmp(host, "auth.docker.io") == 0);
}
