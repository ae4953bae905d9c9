/* SPDX-License-Identifier: MIT */
/* The sources of catalogs: catalog list, add, rm, refresh and verify. */
#include "artifact/hash.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/name.h"
#include "base/text.h"
#include "engine/catalog/ops_catalog.h"
#include "engine/command.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "store/catalog_url.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DOCUMENT_NAME "catalog.json"

static const char *origin_name(enum catalog_origin origin)
{
    switch (origin) {
    case CATALOG_FROM_ENVIRONMENT:
        return "environment";
    case CATALOG_FROM_CONFIG:
        return "config";
    case CATALOG_FROM_DIRECTORY:
        return "added";
    case CATALOG_FROM_PROGRAM:
        return "built-in";
    }
    return "";
}

static const char *state_name(const struct catalog_source *source)
{
    if (source->problem.code != ERROR_NONE) {
        return "failed";
    }
    return source->wants_refresh ? "stale" : "ok";
}

/* The fields of `catalog list`; caller frees. */
static struct json *source_json(const struct catalog_source *source)
{
    struct json *row = json_new_object();
    auto_free char *place = catalog_public_url(source->place);
    json_put_string(row, "name", source->name);
    json_put_string(row, "origin", origin_name(source->origin));
    json_put_known(row, "place", place);
    if (source->is_loaded) {
        json_put_integer(row, "kernel_count", (int64_t)source->kernel_count);
        json_put_integer(row, "image_count", (int64_t)source->image_count);
    }
    ops_put_time(row, "as_of", source->as_of);
    json_put_string(row, "policy", catalog_policy_name(source->policy));
    json_put_string(row, "signature", catalog_signature_name(source->signature));
    json_put_string(row, "state", state_name(source));
    json_put_string(
        row, "problem", source->problem.code != ERROR_NONE ? source->problem.text : NULL);
    return row;
}

static void put_error(struct json *row, const struct error *failure)
{
    struct json *error = json_new_object();
    json_put_string(error, "code", error_code_name(failure->code));
    json_put_string(error, "message", failure->text);
    json_put(row, "error", error);
}

bool ops_catalog_list(struct ops *ops, struct json **result, struct error *err)
{
    auto_done(catalog) struct catalog catalog = {0};
    if (!ops_catalog_load(ops, false, &catalog, err)) {
        return false;
    }
    *result = json_new_array();
    for (size_t i = 0; i < catalog.source_count; i++) {
        json_append(*result, source_json(&catalog.sources[i]));
    }
    return true;
}

static const struct catalog_source *find_source(
    struct ops *ops, const struct catalog *catalog, const char *word, struct error *err)
{
    auto_done(strings) struct strings names = {0};
    for (size_t i = 0; i < catalog->source_count; i++) {
        strings_add(&names, catalog->sources[i].name);
    }
    bool is_reading = (command_verb(ops->command)->flags & VERB_READS) != 0;
    const char *name = strings_contain(&names, word) || is_reading
                           ? ops_resolve_name("catalog", &names, word, err)
                           : NULL;
    for (size_t i = 0; name != NULL && i < catalog->source_count; i++) {
        if (strcmp(catalog->sources[i].name, name) == 0) {
            return &catalog->sources[i];
        }
    }
    auto_free char *all = strings_join(&names, ", ");
    error_set(err, ERROR_NOT_FOUND, "there is no catalog %s: there are %s", word, all);
    return NULL;
}

/* ---- add ---- */

/* A URL as it is, or an absolute path; of a directory, or a URL that ends like one, the document in
 * it. Caller frees; NULL on failure. */
static char *full_place(const char *word, struct error *err)
{
    if (catalog_url_is_remote(word)) {
        return memory_printf("%s%s", word, text_has_suffix(word, "/") ? DOCUMENT_NAME : "");
    }
    auto_free char *decoded = catalog_url_to_path(word);
    if (decoded == NULL && catalog_url_has_scheme(word)) {
        error_set(err, ERROR_INVALID, "%s is neither a path nor an http, https or file URL", word);
        return NULL;
    }
    auto_free char *real = realpath(decoded != NULL ? decoded : word, NULL);
    struct stat status;
    if (real == NULL || stat(real, &status) != 0) {
        error_set_errno(err, errno, "cannot find %s", word);
        return NULL;
    }
    return memory_printf("%s%s", real, S_ISDIR(status.st_mode) ? "/" DOCUMENT_NAME : "");
}

/* Reads what is at the place as the source it is going to be. */
static bool probe(struct ops *ops, const char *name, const char *place, struct catalog *catalog,
    struct error *err)
{
    struct ops_places places;
    ops_places_init(ops, &places);
    const struct catalog_setting setting = {.name = name, .place = place};
    places.places.environment = NULL;
    places.places.settings = &setting;
    places.places.setting_count = 1;
    bool is_loaded = catalog_load(ops->store, &places.places, ops->limits, catalog, err);
    ops_places_done(&places);
    const struct catalog_source *source = &catalog->sources[0];
    return is_loaded && (source->problem.code == ERROR_NONE ||
                            error_set(err, source->cause, "%s", source->problem.text));
}

/* That the name may be taken: sources of the configuration cannot be replaced from here. */
static bool check_name(struct ops *ops, const char *name, bool is_forced, struct error *err)
{
    auto_done(catalog) struct catalog catalog = {0};
    if (!name_check_entry(name, "catalog name", err) ||
        !ops_catalog_load(ops, false, &catalog, err)) {
        return false;
    }
    for (size_t i = 0; i < catalog.source_count; i++) {
        const struct catalog_source *source = &catalog.sources[i];
        if (strcmp(source->name, name) != 0) {
            continue;
        }
        if (source->origin != CATALOG_FROM_DIRECTORY) {
            return error_set(err, ERROR_EXISTS,
                "the catalog %s comes from elsewhere (%s): choose another name", name,
                origin_name(source->origin));
        }
        return is_forced ||
               error_set(err, ERROR_EXISTS,
                   "there is a catalog named %s: --force replaces it, or give another name", name);
    }
    return true;
}

bool ops_catalog_add(struct ops *ops, struct json **result, struct error *err)
{
    const char *name = command_get(ops->command, "name");
    bool is_forced = command_has(ops->command, "force");
    auto_free char *place = full_place(command_get(ops->command, "place"), err);
    if (place == NULL || !check_name(ops, name, is_forced, err)) {
        return false;
    }
    bool is_remote = catalog_url_is_remote(place);
    if (command_is_dry_run(ops->command)) {
        auto_free char *object = memory_printf("catalog/%s", name);
        *result = ops_plan(ops);
        if (is_remote) {
            ops_plan_add(*result, "download", object, 0);
        }
        ops_plan_add(*result, "publish", object, 0);
        return true;
    }
    auto_done(catalog) struct catalog catalog = {0};
    if ((is_remote && !ops_catalog_fetch(ops, name, place, NULL, err)) ||
        !probe(ops, name, place, &catalog, err)) {
        return error_wrap(err, "catalog %s", name);
    }
    if (!catalog_reference_write(ops->store, name, place, is_forced, err)) {
        return false;
    }
    ops_catalogs_changed(ops);
    catalog.sources[0].origin = CATALOG_FROM_DIRECTORY;
    *result = source_json(&catalog.sources[0]);
    json_put_bool(*result, "changed", true);
    return true;
}

/* ---- rm ---- */

bool ops_catalog_rm(struct ops *ops, struct json **result, struct error *err)
{
    const char *name = command_get(ops->command, "name");
    auto_done(catalog) struct catalog catalog = {0};
    if (!ops_catalog_load(ops, false, &catalog, err)) {
        return false;
    }
    const struct catalog_source *source = find_source(ops, &catalog, name, err);
    if (source == NULL) {
        return false;
    }
    if (source->file == NULL) {
        return error_set(err, ERROR_INVALID,
            "the catalog %s was not added here (%s): take it out where it is named", name,
            origin_name(source->origin));
    }
    if (command_is_dry_run(ops->command)) {
        auto_free char *object = memory_printf("catalog/%s", name);
        *result = ops_plan(ops);
        ops_plan_add(*result, "remove", object, 0);
        return true;
    }
    if (!catalog_reference_remove(ops->store, source->file, err) ||
        (source->is_remote && !catalog_cache_remove(ops->store, source->place, err))) {
        return false;
    }
    ops_catalogs_changed(ops);
    *result = ops_result(name, true);
    return true;
}

/* ---- refresh ---- */

/* The source as it is after fetching it; the failure is in the row as well. */
static struct json *refresh_one(
    struct ops *ops, const struct catalog_source *before, struct error *err)
{
    bool is_changed = false;
    struct error failure = {0};
    bool is_fetched = !before->is_remote ||
                      ops_catalog_fetch(ops, before->trust, before->place, &is_changed, &failure);
    auto_done(catalog) struct catalog catalog = {0};
    const struct catalog_source *after = before;
    struct error ignored = {0};
    if (is_fetched && ops_catalog_load(ops, false, &catalog, &ignored)) {
        for (size_t i = 0; i < catalog.source_count; i++) {
            after =
                strcmp(catalog.sources[i].name, before->name) == 0 ? &catalog.sources[i] : after;
        }
    }
    if (is_fetched && after->problem.code != ERROR_NONE) {
        error_set(&failure, after->cause, "%s", after->problem.text);
    }
    struct json *row = source_json(after);
    json_put_bool(row, "changed", is_fetched && is_changed);
    if (failure.code != ERROR_NONE) {
        if (!is_fetched) {
            error_wrap(&failure, "catalog %s", before->name);
        }
        put_error(row, &failure);
        error_set(err, failure.code, "%s", failure.text);
    }
    return row;
}

/* All catalogs, and the one that the command names; *only stays NULL when it names none. */
static bool load_named(
    struct ops *ops, struct catalog *catalog, const struct catalog_source **only, struct error *err)
{
    const char *name = command_get(ops->command, "name");
    if (!ops_catalog_load(ops, false, catalog, err)) {
        return false;
    }
    *only = name != NULL ? find_source(ops, catalog, name, err) : NULL;
    return name == NULL || *only != NULL;
}

static bool plan_refresh(struct ops *ops, const struct catalog *catalog,
    const struct catalog_source *only, struct json **result)
{
    *result = ops_plan(ops);
    for (size_t i = 0; i < catalog->source_count; i++) {
        const struct catalog_source *source = &catalog->sources[i];
        if (source->is_remote && (only == NULL || only == source)) {
            auto_free char *object = memory_printf("catalog/%s", source->name);
            ops_plan_add(*result, "download", object, 0);
        }
    }
    return true;
}

bool ops_catalog_refresh(struct ops *ops, struct json **result, struct error *err)
{
    auto_done(catalog) struct catalog catalog = {0};
    const struct catalog_source *only = NULL;
    if (!load_named(ops, &catalog, &only, err)) {
        return false;
    }
    if (command_is_dry_run(ops->command)) {
        return plan_refresh(ops, &catalog, only, result);
    }
    struct error failure = {0};
    if (only != NULL) {
        auto_json struct json *row = refresh_one(ops, only, &failure);
        if (failure.code == ERROR_NONE) {
            *result = take_ptr(row);
        }
    } else {
        *result = json_new_array();
        for (size_t i = 0; i < catalog.source_count && failure.code != ERROR_CANCELLED; i++) {
            if (catalog.sources[i].is_remote) {
                json_append(*result, refresh_one(ops, &catalog.sources[i], &failure));
            }
        }
    }
    ops_catalogs_changed(ops);
    return failure.code == ERROR_NONE || error_set(err, failure.code, "%s", failure.text);
}

/* ---- verify ---- */

/* The file behind an entry, where it is on this host, is what the entry promises. */
static bool check_file(struct ops *ops, const struct catalog_entry *entry, struct error *err)
{
    auto_free char *path = entry->urls.count > 0 ? catalog_url_to_path(entry->urls.items[0]) : NULL;
    if (path == NULL) {
        return true;
    }
    auto_close int fd = file_open_read(AT_FDCWD, path, err);
    struct stat status;
    struct digest found;
    if (fd < 0) {
        return false;
    }
    if (fstat(fd, &status) == 0 && entry->size_bytes > 0 &&
        (uint64_t)status.st_size != entry->size_bytes) {
        return error_set(err, ERROR_DIGEST, "%s is of another size than its catalog says", path);
    }
    return hash_fd(fd, path, ops->progress, ops->cancel, &found, err) &&
           (digest_equal(&found, &entry->digest) ||
               error_set(
                   err, ERROR_DIGEST, "%s is not what its catalog says: it has changed", path));
}

/* Every entry of the source in turn: well formed, and its file as promised. */
static void check_entries(struct ops *ops, const struct catalog *catalog, size_t source,
    struct json *row, struct error *err)
{
    struct json *bad = json_new_array();
    for (size_t i = 0; i < catalog->entry_count; i++) {
        const struct catalog_entry *entry = &catalog->entries[i];
        struct error failure = {0};
        if (entry->source != source) {
            continue;
        }
        if (!entry->is_usable) {
            error_set(&failure, ERROR_FORMAT, "%s", entry->why_unusable);
        } else {
            check_file(ops, entry, &failure);
        }
        if (failure.code == ERROR_NONE) {
            continue;
        }
        struct json *item = json_new_object();
        json_put_string(item, "name", entry->name);
        put_error(item, &failure);
        json_append(bad, item);
        enum error_code code = failure.code == ERROR_CANCELLED ? failure.code : ERROR_DIGEST;
        error_set(err, failure.code == ERROR_FORMAT ? ERROR_FORMAT : code,
            "the entry %s of the catalog %s is bad: %s", entry->name, catalog->sources[source].name,
            failure.text);
    }
    json_put(row, "bad_entries", bad);
}

static struct json *verify_one(
    struct ops *ops, const struct catalog *catalog, size_t index, struct error *err)
{
    const struct catalog_source *source = &catalog->sources[index];
    struct json *row = source_json(source);
    struct error failure = {0};
    if (source->problem.code != ERROR_NONE) {
        error_set(&failure, source->cause, "%s", source->problem.text);
    } else if (command_has(ops->command, "entries")) {
        check_entries(ops, catalog, index, row, &failure);
    }
    if (failure.code != ERROR_NONE) {
        json_put_string(row, "state", "failed");
        json_put_string(row, "problem", failure.text);
        error_set(err, failure.code, "%s", failure.text);
    }
    return row;
}

bool ops_catalog_verify(struct ops *ops, struct json **result, struct error *err)
{
    auto_done(catalog) struct catalog catalog = {0};
    const struct catalog_source *only = NULL;
    if (!load_named(ops, &catalog, &only, err)) {
        return false;
    }
    struct error failure = {0};
    if (only != NULL) {
        *result = verify_one(ops, &catalog, (size_t)(only - catalog.sources), &failure);
    } else {
        *result = json_new_array();
        for (size_t i = 0; i < catalog.source_count && failure.code != ERROR_CANCELLED; i++) {
            json_append(*result, verify_one(ops, &catalog, i, &failure));
        }
    }
    return failure.code == ERROR_NONE || error_set(err, failure.code, "%s", failure.text);
}
