/* SPDX-License-Identifier: MIT */
#include "store/entries.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
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

/* Below this many a thread costs more than it saves. */
#define SHARED_FROM 1000
#define THREADS_MOST 8

/* A name somebody chose is hardly ever this long and all hexadecimal. */
#define FOREIGN_ID_MIN 12

char *entries_hidden_name(const char *prefix)
{
    uint64_t random = 0;
    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        /* Only uniqueness is asked for, and whoever makes the name notices a taken one. */
        random = (uint64_t)getpid() << 32 ^ (uint64_t)clock_wall_ms() ^ (uintptr_t)&random;
    }
    return memory_printf("%s%016" PRIx64, prefix, random);
}

/* The type of a directory's member as DT_*, also where the file system does not tell at once. */
static unsigned char type_of(int kind_dir, const struct dirent *item)
{
    struct stat info;
    if (item->d_type != DT_UNKNOWN) {
        return item->d_type;
    }
    if (fstatat(kind_dir, item->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
        return DT_UNKNOWN;
    }
    return IFTODT(info.st_mode);
}

static void close_stream(DIR **stream)
{
    if (*stream != NULL) {
        closedir(*stream);
    }
}

bool entries_list(int kind_dir, struct strings *names, struct strings *links, struct error *err)
{
    auto_close int fd = file_open_dir(kind_dir, ".", err);
    if (fd < 0) {
        return false;
    }
    __attribute__((cleanup(close_stream))) DIR *stream = fdopendir(fd);
    if (stream == NULL) {
        return error_set_errno(err, errno, "cannot list the store");
    }
    take_fd(&fd);
    errno = 0;
    for (const struct dirent *item; (item = readdir(stream)) != NULL; errno = 0) {
        if (item->d_name[0] == '.') {
            continue;
        }
        unsigned char type = type_of(kind_dir, item);
        if (type == DT_DIR || type == DT_LNK) {
            strings_add(names, item->d_name);
        }
        if (type == DT_LNK) {
            strings_add(links, item->d_name);
        }
    }
    if (errno != 0) {
        return error_set_errno(err, errno, "cannot list the store");
    }
    strings_sort(names);
    return true;
}

/* One thread's part: every step-th index. */
struct share {
    size_t first, step, count;
    void (*visit)(void *context, size_t index);
    void *context;
};

static void *work_off(void *argument)
{
    const struct share *share = argument;
    for (size_t i = share->first; i < share->count; i += share->step) {
        share->visit(share->context, i);
    }
    return NULL;
}

void entries_each(size_t count, void (*visit)(void *context, size_t index), void *context)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t step = cores > 1 && count >= SHARED_FROM ? (size_t)cores : 1;
    step = step > THREADS_MOST ? THREADS_MOST : step;
    struct share shares[THREADS_MOST];
    pthread_t threads[THREADS_MOST];
    bool is_started[THREADS_MOST] = {false};
    for (size_t i = 0; i < step; i++) {
        shares[i] = (struct share){
            .first = i, .step = step, .count = count, .visit = visit, .context = context};
        is_started[i] = i > 0 && pthread_create(&threads[i], NULL, work_off, &shares[i]) == 0;
    }
    for (size_t i = 0; i < step; i++) {
        if (is_started[i]) {
            pthread_join(threads[i], NULL);
        } else {
            work_off(&shares[i]);
        }
    }
}

bool entries_is_foreign_id(const char *name)
{
    size_t len = strlen(name);
    return len >= FOREIGN_ID_MIN && strspn(name, "0123456789abcdef-") == len;
}

bool entries_look(int kind_dir, const char *name, char **damage)
{
    struct stat info;
    if (fstatat(kind_dir, name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
        return false;
    }
    if (!S_ISDIR(info.st_mode)) {
        *damage = memory_strdup(
            S_ISLNK(info.st_mode) ? "it is a link, not a directory" : "it is not a directory");
    }
    return true;
}

const char *entries_path(const char *name, const char *file, char buffer[ENTRIES_PATH_MAX])
{
    int len = snprintf(buffer, ENTRIES_PATH_MAX, "%s/%s", name, file);
    if (len < 0 || len >= ENTRIES_PATH_MAX) {
        buffer[0] = '\0'; /* no such file */
    }
    return buffer;
}

int entries_open(
    const struct store *store, enum store_kind kind, const char *name, struct error *err)
{
    const char *what = store_kind_name(kind);
    if (!name_check_entry(name, what, err)) {
        return -1;
    }
    int dir =
        openat(store_kind_dir(store, kind), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0 && errno == ENOENT) {
        error_set(err, ERROR_NOT_FOUND, "there is no %s named %s", what, name);
    } else if (dir < 0) {
        error_set_errno(err, errno, "cannot open %s %s", what, name);
    }
    return dir;
}

void entries_document_done(struct entries_document *document)
{
    json_free(document->json);
    free(document->damage);
    *document = (struct entries_document){0};
}

/* The first thing that is wrong is what is said. */
static void set_damage(struct entries_document *document, char *damage)
{
    if (document->damage == NULL) {
        document->damage = damage;
    } else {
        free(damage);
    }
}

static void check_format(struct entries_document *document, const char *file)
{
    const struct json *format = json_get(document->json, "format");
    if (format == NULL) {
        return;
    }
    int64_t number = json_integer_value(format, 0);
    if (number < 1) {
        set_damage(document, memory_printf("\"format\" in its %s is not a number", file));
    }
    document->is_newer = number > ENTRIES_FORMAT;
}

static void check_name(struct entries_document *document, const char *file, const char *name)
{
    const struct json *item = json_get(document->json, "name");
    const char *said = json_string_value(item);
    if (item != NULL && said == NULL) {
        set_damage(document, memory_printf("\"name\" in its %s is not a string", file));
    } else if (said != NULL && strcmp(said, name) != 0) {
        auto_free char *shown = text_safe(said, true);
        set_damage(document, memory_printf("its %s names another entry, %.80s", file, shown));
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

struct json *entries_read_json(int dir, const char *path, const char *shown, struct error *err)
{
    auto_done(text) struct text bytes = {0};
    auto_close int fd = file_open_read(dir, path, err);
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

void entries_read_document(
    int kind_dir, const char *name, const char *file, struct entries_document *document)
{
    char path[ENTRIES_PATH_MAX];
    struct error failure = {0};
    document->json = entries_read_json(kind_dir, entries_path(name, file, path), file, &failure);
    if (document->json != NULL) {
        check_format(document, file);
        check_name(document, file, name);
    } else if (failure.sys_errno != ENOENT) {
        auto_free char *said = text_safe(failure.text, true);
        set_damage(document, take_ptr(said));
    }
}

char *entries_take_string(struct entries_document *document, const char *key)
{
    const struct json *item = json_get(document->json, key);
    const char *value = json_string_value(item);
    if (item != NULL && value == NULL) {
        set_damage(document, memory_printf("\"%s\" in its manifest is not a string", key));
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
        set_damage(document, memory_printf("\"%s\" in its manifest is not a SHA-256 digest", key));
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
        set_damage(document, memory_printf("\"%s\" in its manifest is not a whole number", key));
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
    if (name_check_entry(name, store_kind_name(kind), err)) {
        entries_read_document(store_kind_dir(store, kind), name, file, &document);
    }
    return err->code == ERROR_NONE && (!document.is_newer || entries_newer_error(kind, name, err));
}
