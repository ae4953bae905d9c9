/* SPDX-License-Identifier: MIT */
#include "store/kept.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"

#define KEPT_FILE "ui.json"
#define KEPT_FORMAT 1
#define BYTES_MAX ((size_t)64 * 1024)
#define DEPTH_MAX 4

static bool read_values(const struct store *store, struct json *values, struct error *err)
{
    auto_done(text) struct text bytes = {0};
    if (file_is_absent(store_dir_fd(store), KEPT_FILE)) {
        return true;
    }
    if (!file_read_all(store_dir_fd(store), KEPT_FILE, BYTES_MAX, &bytes, err)) {
        return false;
    }
    auto_json struct json *document =
        json_parse(text_cstr(&bytes), bytes.len, BYTES_MAX, DEPTH_MAX, KEPT_FILE, err);
    if (document == NULL) {
        return false;
    }
    if (json_integer(document, "format", KEPT_FORMAT) > KEPT_FORMAT) {
        return error_set(err, ERROR_UNSUPPORTED,
            KEPT_FILE " is of a newer version of this program; it is left as it is");
    }
    const struct json *kept = json_get(document, "values");
    for (const struct json *value = json_first(kept); value != NULL; value = json_next(value)) {
        json_put_string(values, json_key(value), json_string_value(value));
    }
    return true;
}

bool kept_read(const struct store *store, struct json **values, struct error *err)
{
    *values = json_new_object();
    return read_values(store, *values, err);
}

uint64_t kept_version(const struct store *store)
{
    struct stat status;
    if (fstatat(store_dir_fd(store), KEPT_FILE, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return 0;
    }
    /* A file that is replaced is another one, which may have the number of an older one. */
    return (uint64_t)status.st_ino * 1000000007U + (uint64_t)status.st_mtim.tv_sec * 1000000000U +
           (uint64_t)status.st_mtim.tv_nsec;
}

bool kept_write(const struct store *store, const struct json *values, struct error *err)
{
    auto_json struct json *document = json_new_object();
    auto_done(text) struct text bytes = {0};
    json_put_integer(document, "format", KEPT_FORMAT);
    json_put(document, "values", json_copy(values));
    json_write(document, true, &bytes);
    return file_replace(store_dir_fd(store), KEPT_FILE, text_cstr(&bytes), bytes.len, 0600, err);
}
