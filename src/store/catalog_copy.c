/* SPDX-License-Identifier: MIT */
/* Copies of remote catalogs in the cache. A copy is one file, so that a document and its signature
 * can only change together: a first line that says what it is, a second one with the signature or
 * nothing, then the document as it was fetched. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/memory.h"
#include "store/catalog.h"
#include "store/catalog_build.h"
#include "store/catalog_document.h"

#define COPY_MAGIC "banger catalog copy 1\n"
/* A file name holds 255 bytes; the rest of the URL is in the hash. */
#define COPY_NAME_MOST 120

/* FNV-1a: tells the copies of different URLs apart, nothing more. */
static uint64_t hash_of(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/* Name of the copy in cache/catalogs: readable, without user and password, and unique. */
static char *copy_name(const char *url)
{
    auto_free char *name = catalog_public_url(url);
    for (char *c = name; *c != '\0'; c++) {
        bool is_plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                        (*c >= '0' && *c <= '9') || *c == '-' || (*c == '.' && c != name);
        *c = is_plain ? *c : '_';
    }
    return memory_printf("%.*s-%016" PRIx64 ".copy", COPY_NAME_MOST, name, hash_of(url));
}

/* Whether the copy is there and holds just that. */
static bool is_same(int dir, const char *name, const struct text *copy)
{
    auto_done(text) struct text old = {.cap_bytes = SIZE_MAX};
    struct error ignored = {0};
    return file_read_all(dir, name, copy->len, &old, &ignored) && old.len == copy->len &&
           memcmp(text_cstr(&old), text_cstr(copy), copy->len) == 0;
}

/* The signature as it goes into one line; what would need more than one is cut, and then good for
 * nothing. */
static size_t line_len(const char *signature)
{
    return signature != NULL ? strcspn(signature, "\r\n") : 0;
}

bool catalog_cache_put(const struct store *store, const char *url, const char *bytes, size_t len,
    const char *signature, const struct limits *limits, bool *is_changed, struct error *err)
{
    auto_free char *shown = catalog_public_url(url);
    struct catalog_document document = {0};
    if (!catalog_document_parse(bytes, len, url, shown, limits, &document, err)) {
        return false;
    }
    catalog_document_done(&document);
    auto_done(text) struct text copy = {.cap_bytes = SIZE_MAX};
    text_append(&copy, COPY_MAGIC);
    text_append_bytes(&copy, signature, line_len(signature));
    text_append_char(&copy, '\n');
    text_append_bytes(&copy, bytes, len);
    int dir = store_cache_dir(store, STORE_CACHE_CATALOGS);
    auto_free char *name = copy_name(url);
    if (is_changed != NULL) {
        *is_changed = !is_same(dir, name, &copy);
    }
    if (!file_replace(dir, name, text_cstr(&copy), copy.len, 0600, err)) {
        return false;
    }
    /* The age counts on the program's clock, which may be pinned. */
    struct timespec now = {.tv_sec = (time_t)clock_wall()};
    const struct timespec both[2] = {now, now};
    utimensat(dir, name, both, 0);
    return true;
}

/* Takes the copy's own two lines off its front. */
static bool split(const char *copy, size_t len, struct text *bytes, struct text *signature)
{
    size_t magic = strlen(COPY_MAGIC);
    const char *line = copy + magic;
    const char *end = len > magic && memcmp(copy, COPY_MAGIC, magic) == 0
                          ? memchr(line, '\n', len - magic)
                          : NULL;
    if (end == NULL) {
        return false;
    }
    text_append_bytes(signature, line, (size_t)(end - line));
    text_append_bytes(bytes, end + 1, (size_t)(copy + len - end - 1));
    return true;
}

bool catalog_copy_read(const struct store *store, const char *url, uint64_t max_bytes,
    struct text *bytes, struct text *signature, int64_t *as_of, struct error *err)
{
    auto_free char *name = copy_name(url);
    auto_close int fd = file_open_read(store_cache_dir(store, STORE_CACHE_CATALOGS), name, err);
    struct stat info;
    auto_done(text) struct text copy = {.cap_bytes = SIZE_MAX};
    if (fd < 0) {
        return false;
    }
    if (fstat(fd, &info) != 0) {
        return error_set_errno(err, errno, "cannot read its copy");
    }
    *as_of = info.st_mtime;
    uint64_t most = max_bytes + sizeof COPY_MAGIC + CATALOG_SIGNATURE_MOST;
    return file_read_fd(fd, "its copy", most, &copy, err) &&
           (split(text_cstr(&copy), copy.len, bytes, signature) ||
               error_set(err, ERROR_FORMAT,
                   "its copy in the cache is damaged: type banger-tui --batch catalog refresh"));
}

bool catalog_cache_remove(const struct store *store, const char *url, struct error *err)
{
    auto_free char *name = copy_name(url);
    return file_remove_tree(store_cache_dir(store, STORE_CACHE_CATALOGS), name, err);
}
