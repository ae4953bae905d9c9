/* SPDX-License-Identifier: MIT */
/* The document of a published catalog: read, merged, signed, written. */
#include "engine/catalog/ops_catalog_publish.h"

#include "artifact/signature.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/memory.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "store/catalog.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define SIGNATURE_NAME PUBLISH_DOCUMENT ".sig"
#define LOCK_PAUSE_MS 100
#define TEMPORARY ".tmp-"

void publication_done(struct publication *publication)
{
    if (publication->dir > 0) {
        close(publication->dir);
    }
    json_free(publication->document);
    signature_key_free(publication->key);
    strings_done(&publication->notes);
    *publication = (struct publication){0};
}

/* One publisher at a time; the lock goes with the descriptor. */
static bool lock_dir(struct ops *ops, int dir, const char *shown, struct error *err)
{
    uint64_t give_up = clock_monotonic_ms() + ops_lock_timeout_ms(ops);
    while (flock(dir, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return error_set_errno(err, errno, "cannot lock %s", shown);
        }
        if (clock_monotonic_ms() >= give_up) {
            return error_set(err, ERROR_BUSY, "somebody else is publishing to %s", shown);
        }
        struct pollfd asked = {.fd = cancel_fd(ops->cancel), .events = POLLIN};
        poll(&asked, 1, LOCK_PAUSE_MS);
        if (cancel_check(ops->cancel, err)) {
            return false;
        }
    }
    return true;
}

/* Under the lock no other publisher lives. */
static bool sweep(int dir, struct error *err)
{
    auto_done(strings) struct strings names = {0};
    if (!file_list(dir, ".", &names, err)) {
        return false;
    }
    for (size_t i = 0; i < names.count; i++) {
        if (strstr(names.items[i], ".tar.zst" TEMPORARY) != NULL ||
            text_has_prefix(names.items[i], PUBLISH_DOCUMENT TEMPORARY) ||
            text_has_prefix(names.items[i], SIGNATURE_NAME TEMPORARY)) {
            unlinkat(dir, names.items[i], 0);
        }
    }
    return true;
}

static bool read_document(struct ops *ops, struct publication *publication, struct error *err)
{
    if (file_is_absent(publication->dir, PUBLISH_DOCUMENT)) {
        publication->document = json_new_object();
        json_put_integer(publication->document, "version", 1);
        json_put(publication->document, "kernels", json_new_array());
        json_put(publication->document, "images", json_new_array());
        return true;
    }
    auto_done(text) struct text bytes = {.cap_bytes = SIZE_MAX};
    auto_done(catalog) struct catalog checked = {0};
    auto_free char *shown = memory_printf("%s/" PUBLISH_DOCUMENT, publication->shown);
    if (!file_read_all(publication->dir, PUBLISH_DOCUMENT, ops->limits->json_bytes, &bytes, err) ||
        !catalog_add_document(
            &checked, shown, "", text_cstr(&bytes), bytes.len, ops->limits, err)) {
        return error_wrap(err, "the catalog that is there cannot be added to");
    }
    publication->document = json_parse(
        text_cstr(&bytes), bytes.len, ops->limits->json_bytes, ops->limits->json_depth, shown, err);
    return publication->document != NULL;
}

bool publication_open(
    struct ops *ops, const char *place, struct publication *publication, struct error *err)
{
    publication->shown = place;
    if (mkdir(place, 0755) != 0 && errno != EEXIST) {
        return error_set_errno(err, errno, "cannot make the directory %s", place);
    }
    publication->dir = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (publication->dir < 0) {
        return error_set_errno(err, errno, "cannot open the directory %s", place);
    }
    if (!lock_dir(ops, publication->dir, place, err) || !sweep(publication->dir, err) ||
        !read_document(ops, publication, err)) {
        return false;
    }
    if (publication->key == NULL && file_exists(publication->dir, SIGNATURE_NAME)) {
        return error_set(err, ERROR_INVALID,
            "the catalog in %s is signed: give --key FILE, or remove " SIGNATURE_NAME " first",
            place);
    }
    return true;
}

/* What the new entry does not say itself, the old one does: description, keys of others. Where to
 * find it and what it was is not inherited. */
static void inherit(struct json *entry, const struct json *old)
{
    static const char *const dropped[] = {"tarball_url", "tarball_urls", "tarball_sha256",
        "size_bytes", "disk_bytes", "apt_package", "apt_packages", "distro", "arch",
        "kernel_version", "kernel_ref"};
    for (const struct json *item = json_first(old); item != NULL; item = json_next(item)) {
        const char *key = json_key(item);
        bool is_dropped = json_get(entry, key) != NULL;
        for (size_t i = 0; i < array_length(dropped); i++) {
            is_dropped = is_dropped || strcmp(dropped[i], key) == 0;
        }
        if (!is_dropped) {
            json_put(entry, key, json_copy(item));
        }
    }
}

/* Copies the entries of one list; the new one takes the place of the first of its name. */
static void merge_list(
    struct json *merged, const struct json *list, struct json *entry, bool *is_placed)
{
    const char *name = json_string(entry, "name", "");
    for (const struct json *item = json_first(list); item != NULL; item = json_next(item)) {
        if (strcmp(json_string(item, "name", ""), name) != 0) {
            json_append(merged, json_copy(item));
        } else if (!*is_placed) {
            inherit(entry, item);
            json_append(merged, entry);
            *is_placed = true;
        }
    }
}

void publication_put(struct publication *publication, const char *list, struct json *entry)
{
    struct json *document = publication->document;
    struct json *merged = json_new_array();
    bool is_placed = false;
    merge_list(merged, json_get(document, list), entry, &is_placed);
    if (strcmp(list, "kernels") == 0) {
        /* The older form of a kernels catalog goes over into the newer one. */
        merge_list(merged, json_get(document, "entries"), entry, &is_placed);
        json_remove(document, "entries");
    }
    if (!is_placed) {
        json_append(merged, entry);
    }
    json_put(document, list, merged);
}

static bool has_content(int dir, const char *name, const struct text *content)
{
    auto_done(text) struct text found = {.cap_bytes = SIZE_MAX};
    struct error ignored = {0};
    return file_read_all(dir, name, content->len, &found, &ignored) && found.len == content->len &&
           memcmp(text_cstr(&found), text_cstr(content), found.len) == 0;
}

bool publication_write(
    struct ops *ops, struct publication *publication, bool *is_changed, struct error *err)
{
    auto_done(text) struct text document = {.cap_bytes = SIZE_MAX};
    auto_done(text) struct text signature = {0};
    json_write(publication->document, true, &document);
    if (document.len > ops->limits->json_bytes) {
        return error_set(err, ERROR_LIMIT,
            "the catalog grows beyond json_bytes, more than its readers take: publish to another "
            "directory");
    }
    if (publication->key != NULL &&
        !signature_sign(publication->key, text_cstr(&document), document.len, &signature, err)) {
        return false;
    }
    int dir = publication->dir;
    *is_changed = !has_content(dir, PUBLISH_DOCUMENT, &document) ||
                  (signature.len > 0 && !has_content(dir, SIGNATURE_NAME, &signature));
    if (!*is_changed) {
        return true;
    }
    return (signature.len == 0 || file_replace(dir, SIGNATURE_NAME, text_cstr(&signature),
                                      signature.len, 0644, err)) &&
           file_replace(dir, PUBLISH_DOCUMENT, text_cstr(&document), document.len, 0644, err);
}
