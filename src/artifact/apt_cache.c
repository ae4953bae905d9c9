/* SPDX-License-Identifier: MIT */
#include "artifact/apt_cache.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "artifact/apt.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"

#define FORMAT 1
#define DOCUMENT_MAX ((size_t)1 << 20)
#define DEPTH_MAX 8
#define FILES_MAX 64

struct apt_place {
    char *path;
    char *changed; /* "seconds.nanoseconds", "never" when missing */
};

static char *time_of_change(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return memory_strdup("never");
    }
    return memory_printf(
        "%lld.%09ld", (long long)status.st_mtim.tv_sec, (long)status.st_mtim.tv_nsec);
}

void apt_stamp_done(struct apt_stamp *stamp)
{
    for (unsigned i = 0; i < stamp->count; i++) {
        free(stamp->places[i].path);
        free(stamp->places[i].changed);
    }
    free(stamp->places);
    *stamp = (struct apt_stamp){0};
}

void apt_stamp_add(struct apt_stamp *stamp, const char *path)
{
    stamp->places = memory_grow(stamp->places, stamp->count + 1, sizeof *stamp->places);
    stamp->places[stamp->count++] =
        (struct apt_place){.path = memory_strdup(path), .changed = time_of_change(path)};
}

/* The name of the file; '|' between alternatives is as good a character as any. */
static char *document_name(const char *package)
{
    return memory_printf("apt-%s.json", package);
}

static bool is_still_good(const struct json *places)
{
    for (size_t i = 0; i < json_count(places); i++) {
        const struct json *place = json_at(places, i);
        const char *path = json_string(place, "path", NULL);
        const char *changed = json_string(place, "changed", NULL);
        auto_free char *now = path != NULL ? time_of_change(path) : NULL;
        if (now == NULL || changed == NULL || strcmp(now, changed) != 0) {
            return false;
        }
    }
    return json_count(places) > 0;
}

static bool read_file(const struct json *json, struct apt_file *file)
{
    const char *url = json_string(json, "url", NULL);
    const char *filename = json_string(json, "filename", NULL);
    const char *package = json_string(json, "package", NULL);
    const char *version = json_string(json, "version", NULL);
    int64_t size_bytes = json_integer(json, "size_bytes", -1);
    if (url == NULL || filename == NULL || package == NULL || version == NULL || size_bytes < 0 ||
        strchr(filename, '/') != NULL ||
        !digest_parse(json_string(json, "sha256", ""), &file->digest)) {
        return false;
    }
    file->url = memory_strdup(url);
    file->filename = memory_strdup(filename);
    file->package = memory_strdup(package);
    file->version = memory_strdup(version);
    file->size_bytes = (uint64_t)size_bytes;
    return true;
}

static bool read_answer(const struct json *json, struct apt_answer *answer)
{
    const struct json *files = json_get(json, "files");
    const char *package = json_string(json, "package", NULL);
    const char *version = json_string(json, "version", NULL);
    const char *kernel_version = json_string(json, "kernel_version", NULL);
    size_t count = json_count(files);
    if (package == NULL || version == NULL || kernel_version == NULL || count == 0 ||
        count > FILES_MAX) {
        return false;
    }
    answer->files = memory_zero(count, sizeof *answer->files);
    answer->count = count;
    answer->package = memory_strdup(package);
    answer->version = memory_strdup(version);
    answer->kernel_version = memory_strdup(kernel_version);
    for (size_t i = 0; i < count; i++) {
        if (!read_file(json_at(files, i), &answer->files[i])) {
            return false;
        }
        answer->size_bytes += answer->files[i].size_bytes;
    }
    return true;
}

bool apt_cache_load(int dir, const char *package, struct apt_answer *answer)
{
    struct error ignored = {0};
    auto_free char *name = document_name(package);
    auto_done(text) struct text text = {0};
    if (!file_read_all(dir, name, DOCUMENT_MAX, &text, &ignored)) {
        return false;
    }
    auto_json struct json *json =
        json_parse(text_cstr(&text), text.len, DOCUMENT_MAX, DEPTH_MAX, name, &ignored);
    auto_done(apt_answer) struct apt_answer found = {0};
    if (json == NULL || json_integer(json, "format", 1) != FORMAT ||
        !is_still_good(json_get(json, "places")) || !read_answer(json, &found)) {
        return false;
    }
    *answer = found;
    found = (struct apt_answer){0};
    return true;
}

void apt_cache_store(
    int dir, const char *package, const struct apt_stamp *stamp, const struct apt_answer *answer)
{
    auto_json struct json *json = json_new_object();
    json_put_integer(json, "format", FORMAT);
    json_put_string(json, "package", answer->package);
    json_put_string(json, "version", answer->version);
    json_put_string(json, "kernel_version", answer->kernel_version);
    struct json *places = json_new_array();
    for (unsigned i = 0; i < stamp->count; i++) {
        struct json *place = json_new_object();
        json_put_string(place, "path", stamp->places[i].path);
        json_put_string(place, "changed", stamp->places[i].changed);
        json_append(places, place);
    }
    json_put(json, "places", places);
    struct json *files = json_new_array();
    for (size_t i = 0; i < answer->count; i++) {
        const struct apt_file *file = &answer->files[i];
        char hex[DIGEST_HEX_LEN + 1];
        struct json *item = json_new_object();
        json_put_string(item, "package", file->package);
        json_put_string(item, "version", file->version);
        json_put_string(item, "url", file->url);
        json_put_string(item, "filename", file->filename);
        json_put_integer(item, "size_bytes", (int64_t)file->size_bytes);
        json_put_string(item, "sha256", digest_format(&file->digest, hex));
        json_append(files, item);
    }
    json_put(json, "files", files);
    auto_done(text) struct text text = {0};
    json_write(json, true, &text);
    auto_free char *name = document_name(package);
    struct error ignored = {0};
    file_replace(dir, name, text_cstr(&text), text.len, 0600, &ignored);
}
