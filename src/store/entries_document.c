/* SPDX-License-Identifier: MIT */
/* The JSON documents that describe entries: reading them whatever they hold, writing them whole. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/name.h"
#include "base/text.h"
#include "store/entries.h"

void entries_document_done(struct entries_document *document)
{
    json_free(document->json);
    free(document->damage);
    unread_done(&document->unread);
    *document = (struct entries_document){0};
}

static void check_format(struct entries_document *document, const char *file)
{
    const struct json *format = json_get(document->json, "format");
    if (format == NULL) {
        return;
    }
    int64_t number = json_integer_value(format, 0);
    if (number < 1) {
        entries_damage(
            &document->damage, memory_printf("\"format\" in its %s is not a number", file));
    }
    document->is_newer = number > ENTRIES_FORMAT;
}

static void check_name(struct entries_document *document, const char *file, const char *name)
{
    const struct json *item = json_get(document->json, "name");
    const char *said = json_string_value(item);
    if (item != NULL && said == NULL) {
        entries_damage(
            &document->damage, memory_printf("\"name\" in its %s is not a string", file));
    } else if (said != NULL && strcmp(said, name) != 0) {
        auto_free char *shown = text_safe(said, true);
        entries_damage(
            &document->damage, memory_printf("its %s names another entry, %.80s", file, shown));
    }
}

/* A regular file gives a short read only at its end, so most documents take one read. */
static bool read_bytes(int fd, const char *shown, struct text *bytes, struct error *err)
{
    char first[4096];
    ssize_t got = read(fd, first, sizeof(first));
    if (got < 0) {
        return error_set_errno(err, errno, "cannot read %s", shown);
    }
    text_append_bytes(bytes, first, (size_t)got);
    return (size_t)got < sizeof(first) ||
           file_read_fd(fd, shown, limits_default.json_bytes, bytes, err);
}

/* stamp may be NULL. */
static struct json *read_json(
    int dir, const char *path, const char *shown, struct entry_stamp *stamp, struct error *err)
{
    struct stat info;
    auto_done(text) struct text bytes = {0};
    auto_close int fd = file_open_read(dir, path, err);
    if (fd >= 0 && stamp != NULL && fstat(fd, &info) == 0) {
        *stamp = entry_stamp_of(&info);
    }
    if (fd < 0 || !read_bytes(fd, shown, &bytes, err)) {
        return NULL;
    }
    auto_json struct json *json = json_parse(text_cstr(&bytes), bytes.len,
        limits_default.json_bytes, limits_default.json_depth, shown, err);
    if (json != NULL && !json_is_object(json)) {
        error_set(err, ERROR_FORMAT, "%s is not a JSON object", shown);
        return NULL;
    }
    return take_ptr(json);
}

struct json *entries_read_json(int dir, const char *path, const char *shown, struct error *err)
{
    return read_json(dir, path, shown, NULL, err);
}

void entries_read_document(
    const struct entry_place *place, const char *file, struct entries_document *document)
{
    char path[ENTRIES_PATH_MAX];
    struct error failure = {0};
    document->json = read_json(store_kind_dir(place->store, place->kind),
        entries_path(place->name, file, path), file, &document->stamp, &failure);
    if (document->json != NULL) {
        check_format(document, file);
        check_name(document, file, place->name);
    } else if (!entries_note(place, &failure, &document->unread) && failure.sys_errno != ENOENT) {
        auto_free char *said = text_safe(failure.text, true);
        entries_damage(&document->damage, take_ptr(said));
    }
}

void entries_take_unread(struct entries_document *document, struct unread *unread)
{
    if (unread->errnum == 0) {
        *unread = document->unread;
        document->unread = (struct unread){0};
    }
}

struct entry_stamp entries_document_stamp(const struct entries_document *document)
{
    bool is_well = document->json != NULL && document->damage == NULL && !document->is_newer;
    return is_well ? document->stamp : (struct entry_stamp){0};
}

char *entries_take_string(struct entries_document *document, const char *key)
{
    const struct json *item = json_get(document->json, key);
    const char *value = json_string_value(item);
    if (item != NULL && value == NULL) {
        entries_damage(
            &document->damage, memory_printf("\"%s\" in its manifest is not a string", key));
    }
    return memory_strdup(value);
}

char *entries_take_digest(struct entries_document *document, const char *key)
{
    struct digest digest;
    auto_free char *value = entries_take_string(document, key);
    if (value == NULL) {
        return NULL;
    }
    if (!digest_parse(value, &digest)) {
        entries_damage(&document->damage,
            memory_printf("\"%s\" in its manifest is not a SHA-256 digest", key));
        return NULL;
    }
    char hex[DIGEST_HEX_LEN + 1];
    return memory_strdup(digest_format(&digest, hex));
}

int64_t entries_take_time(const struct entries_document *document, const char *key)
{
    int64_t seconds = 0;
    const char *value = json_string(document->json, key, NULL);
    return value != NULL && clock_parse(value, &seconds) ? seconds : 0;
}

bool entries_take_size(struct entries_document *document, const char *key, uint64_t *number)
{
    const struct json *item = json_get(document->json, key);
    if (item == NULL) {
        return false;
    }
    int64_t value = json_integer_value(item, -1);
    if (value < 0) {
        entries_damage(
            &document->damage, memory_printf("\"%s\" in its manifest is not a whole number", key));
        return false;
    }
    *number = (uint64_t)value;
    return true;
}

void entries_put_time(struct json *json, const char *key, int64_t wall_seconds)
{
    char text[CLOCK_TEXT_LEN];
    if (wall_seconds != 0) {
        json_put_string(json, key, clock_format(wall_seconds, text));
    }
}

bool entries_write_document(int dir, const char *file, struct json *json, struct error *err)
{
    json_put_integer(json, "format", ENTRIES_FORMAT);
    auto_done(text) struct text bytes = {0};
    json_write(json, true, &bytes);
    auto_close int fd = file_create(dir, file, err);
    return fd >= 0 && file_write_all(fd, text_cstr(&bytes), bytes.len, err) &&
           file_sync(fd, file, err);
}

bool entries_newer_error(enum store_kind kind, const char *name, struct error *err)
{
    return error_set(err, ERROR_UNSUPPORTED,
        "%s %s was written by a newer version of this program and can only be read: use that "
        "version to change it",
        store_kind_name(kind), name);
}

bool entries_refuse_newer(const struct store *store, enum store_kind kind, const char *name,
    const char *file, struct error *err)
{
    auto_done(entries_document) struct entries_document document = {0};
    if (!name_check_entry(name, store_kind_name(kind), err)) {
        return false;
    }
    const struct entry_place place = {store, kind, name};
    entries_read_document(&place, file, &document);
    if (document.unread.errnum != 0) {
        return unread_error(&document.unread, store_kind_name(kind), name, err);
    }
    return !document.is_newer || entries_newer_error(kind, name, err);
}
