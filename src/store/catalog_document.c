/* SPDX-License-Identifier: MIT */
#include "store/catalog_document.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/name.h"
#include "store/catalog.h"
#include "store/catalog_url.h"

#define VERSION_NEWEST 1

struct parsing {
    const char *base;
    const char *what;
    struct catalog_document *document;
};

void catalog_entry_done(struct catalog_entry *entry)
{
    free(entry->name);
    free(entry->distro);
    free(entry->arch);
    free(entry->kernel_version);
    free(entry->kernel_ref);
    free(entry->description);
    strings_done(&entry->urls);
    strings_done(&entry->apt_packages);
    free(entry->why_unusable);
    *entry = (struct catalog_entry){0};
}

void catalog_document_done(struct catalog_document *document)
{
    for (size_t i = 0; i < document->count; i++) {
        catalog_entry_done(&document->entries[i]);
    }
    free(document->entries);
    *document = (struct catalog_document){0};
}

/* Fails closed: the first reason is the one that is told. */
__attribute__((format(printf, 2, 3))) static void refuse(
    struct catalog_entry *entry, const char *format, ...)
{
    if (entry->why_unusable != NULL) {
        return;
    }
    struct text why = {0};
    va_list args;
    va_start(args, format);
    text_vprintf(&why, format, args);
    va_end(args);
    entry->why_unusable = text_take(&why);
}

/* A string that may be missing; never NULL. */
static char *take_string(struct catalog_entry *entry, const struct json *object, const char *key)
{
    const struct json *item = json_get(object, key);
    const char *value = json_string_value(item);
    if (item != NULL && value == NULL) {
        refuse(entry, "its \"%s\" is not a string", key);
    }
    return memory_strdup(value != NULL ? value : "");
}

static void take_url(
    const struct parsing *parsing, struct catalog_entry *entry, const char *reference)
{
    auto_free char *url = catalog_url_resolve(parsing->base, reference);
    if (url == NULL || reference[0] == '\0') {
        refuse(entry, "its URL is relative and its catalog has no place of its own");
    } else if (!catalog_url_is_remote(url) && !catalog_url_is_file(url)) {
        refuse(entry, "its URL is neither http, https nor file");
    } else if (catalog_url_is_file(url) && catalog_url_is_remote(parsing->base)) {
        refuse(entry, "it comes from a server but names a local file");
    } else if (catalog_url_brings_userinfo(reference)) {
        /* What lies beside the catalog may well be behind the operator's own password. */
        refuse(entry, "its URL holds a user name or password, which a catalog must not");
    } else {
        strings_add(&entry->urls, url);
    }
}

/* The key holds one word, the other key a list of further ones. */
static void take_words(struct catalog_entry *entry, const struct json *object, const char *one,
    const char *many, struct strings *words)
{
    auto_free char *first = take_string(entry, object, one);
    if (json_get(object, one) != NULL) {
        strings_add(words, first);
    }
    const struct json *list = json_get(object, many);
    if (list != NULL && !json_is_array(list)) {
        refuse(entry, "its \"%s\" is not a list", many);
        return;
    }
    for (const struct json *item = json_first(list); item != NULL; item = json_next(item)) {
        const char *word = json_string_value(item);
        if (word == NULL) {
            refuse(entry, "its \"%s\" holds something other than strings", many);
        } else if (!strings_contain(words, word)) {
            strings_add(words, word);
        }
    }
}

/* Debian Policy, 5.6.7; what is allowed here ends up as an argument of apt-get. */
static bool is_package_name(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789+-.");
    return len > 1 && name[len] == '\0' && strchr("+-.", name[0]) == NULL;
}

static void take_packages(struct catalog_entry *entry, const struct json *object)
{
    take_words(entry, object, "apt_package", "apt_packages", &entry->apt_packages);
    for (size_t i = 0; i < entry->apt_packages.count; i++) {
        if (!is_package_name(entry->apt_packages.items[i])) {
            refuse(entry, "its \"apt_package\" is not the name of a package");
        }
    }
    if (entry->kind != CATALOG_KERNEL && entry->apt_packages.count > 0) {
        refuse(entry, "an image cannot be an apt package");
    }
}

static void take_digest(struct catalog_entry *entry, const struct json *object)
{
    const struct json *item = json_get(object, "tarball_sha256");
    const char *hex = json_string_value(item);
    entry->has_digest = hex != NULL && digest_parse(hex, &entry->digest);
    if (entry->apt_packages.count > 0 && item == NULL) {
        return; /* the machine's signed package lists have it */
    }
    if (item == NULL) {
        refuse(entry, "its catalog gives no digest for it");
    } else if (!entry->has_digest) {
        refuse(entry, "its \"tarball_sha256\" is not a SHA-256 digest");
    }
}

static void take_source(
    const struct parsing *parsing, struct catalog_entry *entry, const struct json *object)
{
    auto_done(strings) struct strings references = {0};
    take_words(entry, object, "tarball_url", "tarball_urls", &references);
    for (size_t i = 0; i < references.count; i++) {
        take_url(parsing, entry, references.items[i]);
    }
    take_packages(entry, object);
    if (references.count > 0 && entry->apt_packages.count > 0) {
        refuse(entry, "it names both a URL and a package");
    } else if (references.count == 0 && entry->apt_packages.count == 0) {
        refuse(entry, "its catalog does not say where it is");
    }
    take_digest(entry, object);
}

static void take_checked_names(struct catalog_entry *entry)
{
    struct error failure = {0};
    if (!name_check_entry(entry->name, "its name", &failure) ||
        (entry->kernel_ref[0] != '\0' &&
            !name_check_entry(entry->kernel_ref, "its kernel_ref", &failure))) {
        refuse(entry, "%s", failure.text);
    }
}

static void take_size(struct catalog_entry *entry, const struct json *object)
{
    struct error failure = {0};
    if (!json_read_size(object, "size_bytes", false, "it", &entry->size_bytes, &failure)) {
        refuse(entry, "its \"size_bytes\" is not a whole number");
    }
    if (!json_read_size(object, "disk_bytes", false, "it", &entry->disk_bytes, &failure)) {
        refuse(entry, "its \"disk_bytes\" is not a whole number");
    }
}

static bool take_entry(const struct parsing *parsing, enum catalog_kind kind,
    const struct json *object, const char *list, struct error *err)
{
    struct catalog_document *document = parsing->document;
    const char *name = json_string(object, "name", NULL);
    if (name == NULL) {
        return error_set(err, ERROR_FORMAT, "%s: entry %zu has no \"name\" (in \"%s\")",
            parsing->what, document->count + 1, list);
    }
    struct catalog_entry *entry = &document->entries[document->count++];
    *entry = (struct catalog_entry){.kind = kind};
    entry->name = memory_strdup(name);
    entry->distro = take_string(entry, object, "distro");
    entry->arch = take_string(entry, object, "arch");
    entry->kernel_version = take_string(entry, object, "kernel_version");
    entry->kernel_ref = take_string(entry, object, "kernel_ref");
    entry->description = take_string(entry, object, "description");
    take_checked_names(entry);
    take_size(entry, object);
    take_source(parsing, entry, object);
    entry->is_usable = entry->why_unusable == NULL;
    if (entry->is_usable) {
        entry->why_unusable = memory_strdup("");
    }
    return true;
}

static bool take_list(const struct parsing *parsing, const struct json *root, const char *key,
    enum catalog_kind kind, bool *is_any, struct error *err)
{
    const struct json *list = json_get(root, key);
    if (list == NULL) {
        return true;
    }
    if (!json_is_array(list)) {
        return error_set(err, ERROR_FORMAT, "%s: \"%s\" is not a list", parsing->what, key);
    }
    *is_any = true;
    struct catalog_document *document = parsing->document;
    document->entries = memory_grow(
        document->entries, document->count + json_count(list) + 1, sizeof(*document->entries));
    for (const struct json *item = json_first(list); item != NULL; item = json_next(item)) {
        if (!take_entry(parsing, kind, item, key, err)) {
            return false;
        }
    }
    return true;
}

static bool check_version(const struct json *root, const char *what, struct error *err)
{
    const struct json *item = json_get(root, "version");
    int64_t version = item != NULL ? json_integer_value(item, 0) : VERSION_NEWEST;
    if (version < 1) {
        return error_set(err, ERROR_FORMAT, "%s: \"version\" is not a number", what);
    }
    if (version > VERSION_NEWEST) {
        return error_set(err, ERROR_FORMAT,
            "%s is of version %lld, which only a newer version of this program reads", what,
            (long long)version);
    }
    return true;
}

bool catalog_document_parse(const char *bytes, size_t len, const char *base, const char *what,
    const struct limits *limits, struct catalog_document *document, struct error *err)
{
    auto_json struct json *root =
        json_parse(bytes, len, limits->json_bytes, limits->json_depth, what, err);
    if (root == NULL) {
        return false;
    }
    bool is_any = json_get(root, "version") != NULL;
    struct parsing parsing = {.base = base, .what = what, .document = document};
    bool is_whole = check_version(root, what, err) &&
                    take_list(&parsing, root, "kernels", CATALOG_KERNEL, &is_any, err) &&
                    take_list(&parsing, root, "entries", CATALOG_KERNEL, &is_any, err) &&
                    take_list(&parsing, root, "images", CATALOG_IMAGE, &is_any, err);
    if (is_whole && !is_any) {
        error_set(err, ERROR_FORMAT, "%s is JSON but not a catalog: it has no \"kernels\"", what);
        is_whole = false;
    }
    if (!is_whole) {
        catalog_document_done(document);
    }
    return is_whole;
}
