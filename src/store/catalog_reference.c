/* SPDX-License-Identifier: MIT */
/* Files of catalogs.d that hold no catalog but say where one is. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/text.h"
#include "store/catalog.h"
#include "store/catalog_build.h"

#define FORMAT_NEWEST 1

char *catalog_reference_parse(
    const char *bytes, size_t len, const struct limits *limits, struct error *err)
{
    struct error ignored = {0};
    auto_json struct json *root =
        json_parse(bytes, len, CATALOG_REFERENCE_MOST, limits->json_depth, "it", &ignored);
    const struct json *place = root != NULL ? json_get(root, "place") : NULL;
    if (place == NULL) {
        return NULL;
    }
    if (json_integer(root, "format", FORMAT_NEWEST) > FORMAT_NEWEST) {
        error_set(err, ERROR_FORMAT, "it was written by a newer version of this program");
        return NULL;
    }
    const char *value = json_string_value(place);
    if (value == NULL || value[0] == '\0') {
        error_set(err, ERROR_FORMAT, "its \"place\" is not a path or a URL");
        return NULL;
    }
    return memory_strdup(value);
}

bool catalog_reference_write(const struct store *store, const char *name, const char *place,
    bool is_replacing, struct error *err)
{
    auto_free char *file = memory_printf("%s.json", name);
    int dir = store_area_dir(store, STORE_CATALOGS_D);
    if (!is_replacing && file_exists(dir, file)) {
        return error_set(err, ERROR_EXISTS,
            "there is a catalog named %s: --force replaces it, or give another name", name);
    }
    auto_json struct json *root = json_new_object();
    json_put_integer(root, "format", FORMAT_NEWEST);
    json_put_string(root, "place", place);
    char stamp[CLOCK_TEXT_LEN];
    json_put_string(root, "added_at", clock_format(clock_wall(), stamp));
    auto_done(text) struct text bytes = {0};
    json_write(root, true, &bytes);
    return file_replace(dir, file, text_cstr(&bytes), bytes.len, 0600, err);
}

bool catalog_reference_remove(const struct store *store, const char *file, struct error *err)
{
    int dir = store_area_dir(store, STORE_CATALOGS_D);
    if (unlinkat(dir, file, 0) != 0) {
        return error_set_errno(err, errno, "cannot remove catalogs.d/%s", file);
    }
    return file_sync_dir(dir, ".", err);
}
