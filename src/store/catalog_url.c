/* SPDX-License-Identifier: MIT */
#include "store/catalog_url.h"

#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/text.h"
#include "store/catalog.h"

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Length of the scheme in front of the colon (RFC 3986, 3.1), 0 when there is none. */
static size_t scheme_len(const char *text)
{
    if (!is_letter(text[0])) {
        return 0;
    }
    size_t len = 1;
    while (is_letter(text[len]) || is_digit(text[len]) ||
           (text[len] != '\0' && strchr("+-.", text[len]) != NULL)) {
        len++;
    }
    return text[len] == ':' ? len : 0;
}

static bool has_scheme(const char *url, const char *scheme)
{
    size_t len = scheme_len(url);
    return len == strlen(scheme) && strncasecmp(url, scheme, len) == 0;
}

bool catalog_url_has_scheme(const char *text)
{
    return scheme_len(text) > 0;
}

bool catalog_url_is_remote(const char *url)
{
    return has_scheme(url, "http") || has_scheme(url, "https");
}

bool catalog_url_is_file(const char *url)
{
    return has_scheme(url, "file");
}

char *catalog_url_to_path(const char *url)
{
    if (!catalog_url_is_file(url)) {
        return NULL;
    }
    const char *at = strchr(url, ':') + 1;
    if (text_has_prefix(at, "//localhost/")) {
        at += strlen("//localhost");
    } else if (text_has_prefix(at, "///")) {
        at += strlen("//");
    }
    if (at[0] != '/' || at[1] == '/') {
        return NULL;
    }
    auto_done(text) struct text path = {0};
    return text_append_unescaped(&path, at) ? text_take(&path) : NULL;
}

/* What may stand in a URL as it is (RFC 3986, 2.2 and 2.3), and the '%' of an escape. */
static void append_escaped(struct text *out, const char *bytes, const char *and_these)
{
    for (; *bytes != '\0'; bytes++) {
        unsigned char c = (unsigned char)*bytes;
        bool is_plain = is_letter(*bytes) || is_digit(*bytes) ||
                        strchr("-._~!$&'()*+,;=:@/", c) != NULL || strchr(and_these, c) != NULL;
        if (is_plain) {
            text_append_char(out, *bytes);
        } else {
            text_printf(out, "%%%02X", c);
        }
    }
}

char *catalog_url_from_path(const char *path)
{
    struct text url = {0};
    text_append(&url, "file://");
    append_escaped(&url, path, "");
    return text_take(&url);
}

/* Where the path begins: behind "scheme://authority", or behind "scheme:". */
static size_t path_start(const char *url)
{
    size_t start = scheme_len(url) + 1;
    if (text_has_prefix(url + start, "//")) {
        start += 2;
        start += strcspn(url + start, "/?#");
    }
    return start;
}

/* RFC 3986, 5.2.4, by segments; never goes above the root. */
static void append_without_dots(struct text *out, const char *path, size_t len)
{
    auto_done(strings) struct strings kept = {0};
    size_t at = 0;
    bool is_open = false; /* ends with a slash */
    while (at < len) {
        at++; /* the slash */
        size_t part = 0;
        while (at + part < len && path[at + part] != '/') {
            part++;
        }
        bool is_up = part == 2 && memcmp(path + at, "..", 2) == 0;
        bool is_here = part == 1 && path[at] == '.';
        if (is_up && kept.count > 0) {
            free(kept.items[--kept.count]);
            kept.items[kept.count] = NULL;
        } else if (!is_up && !is_here && part > 0) {
            strings_add_len(&kept, path + at, part);
        }
        is_open = part == 0 || is_up || is_here;
        at += part;
    }
    for (size_t i = 0; i < kept.count; i++) {
        text_printf(out, "/%s", kept.items[i]);
    }
    if (is_open || kept.count == 0) {
        text_append_char(out, '/');
    }
}

/* Path and query of one URL: dots only mean something in the path. */
static void append_path(struct text *out, const char *path)
{
    size_t len = strcspn(path, "?#");
    append_without_dots(out, path, len);
    text_append(out, path + len);
}

char *catalog_url_resolve(const char *base, const char *reference)
{
    auto_done(text) struct text escaped = {0};
    append_escaped(&escaped, reference, "%?#[]");
    const char *ref = text_cstr(&escaped);
    if (catalog_url_has_scheme(ref)) {
        return memory_strdup(ref);
    }
    if (base[0] == '\0') {
        return NULL;
    }
    struct text url = {0};
    size_t start = path_start(base);
    if (text_has_prefix(ref, "//")) {
        text_append_bytes(&url, base, scheme_len(base) + 1);
        text_append(&url, ref);
        return text_take(&url);
    }
    text_append_bytes(&url, base, start);
    if (ref[0] == '/') {
        append_path(&url, ref);
        return text_take(&url);
    }
    /* Beside the document: its path up to the last slash. */
    size_t base_len = strcspn(base + start, "?#");
    while (base_len > 0 && base[start + base_len - 1] != '/') {
        base_len--;
    }
    auto_done(text) struct text path = {0};
    if (base_len > 0) {
        text_append_bytes(&path, base + start, base_len);
    } else {
        text_append_char(&path, '/');
    }
    text_append(&path, ref);
    append_path(&url, text_cstr(&path));
    return text_take(&url);
}

/* The authority of a URL with one: from *start on, its length. */
static size_t authority(const char *url, size_t *start)
{
    size_t scheme = scheme_len(url);
    if (scheme == 0 || !text_has_prefix(url + scheme, "://")) {
        return 0;
    }
    *start = scheme + 3;
    return strcspn(url + *start, "/?#");
}

/* Length of "user:password@" at the start of an authority. */
static size_t userinfo_len(const char *at, size_t len)
{
    while (len > 0 && at[len - 1] != '@') {
        len--;
    }
    return len;
}

bool catalog_url_brings_userinfo(const char *reference)
{
    size_t start = text_has_prefix(reference, "//") ? 2 : 0;
    size_t len = start > 0 ? strcspn(reference + start, "/?#") : authority(reference, &start);
    return userinfo_len(reference + start, len) > 0;
}

char *catalog_url_host(const char *url)
{
    size_t start = 0;
    size_t len = authority(url, &start);
    size_t skip = userinfo_len(url + start, len);
    const char *host = url + start + skip;
    len -= skip;
    size_t host_len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
    return memory_strndup(host, host_len < len ? host_len : len);
}

char *catalog_public_url(const char *url)
{
    size_t start = 0;
    size_t len = authority(url, &start);
    size_t skip = userinfo_len(url + start, len);
    return memory_printf("%.*s%s", (int)start, url, url + start + skip);
}

char *catalog_signature_place(const char *place)
{
    size_t path = catalog_url_is_remote(place) ? strcspn(place, "?#") : strlen(place);
    return memory_printf("%.*s.sig%s", (int)path, place, place + path);
}
