/* SPDX-License-Identifier: MIT */
/* Where catalogs come from: the sources in their order, and the copies of remote ones. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/memory.h"
#include "store/catalog.h"
#include "store/catalog_build.h"
#include "store/catalog_document.h"
#include "store/catalog_url.h"
#include "store/embedded_catalog.h"

#define REFRESH_AFTER_SECONDS (24 * 3600)
#define BUILTIN_NAME "built-in"
/* A file name holds 255 bytes; the rest of the URL is in the hash. */
#define COPY_NAME_MOST 120

struct loading {
    const struct store *store;
    const struct limits *limits;
    struct catalog *catalog;
};

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
    return memory_printf("%.*s-%016" PRIx64 ".json", COPY_NAME_MOST, name, hash_of(url));
}

static bool read_file(int fd, const char *shown, uint64_t max_bytes, struct text *bytes,
    int64_t *as_of, struct error *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0) {
        return error_set_errno(err, errno, "cannot read %s", shown);
    }
    if (!S_ISREG(info.st_mode)) {
        return error_set(err, ERROR_FORMAT, "%s is not a file", shown);
    }
    *as_of = info.st_mtime;
    return file_read_fd(fd, shown, max_bytes, bytes, err);
}

/* Makes what went wrong the source's problem: a sentence that names it. */
static void set_problem(struct catalog_source *source, const char *sentence)
{
    auto_free char *shown = text_safe(sentence, true);
    error_set(&source->problem, ERROR_CONFIG, "catalog %s: %s", source->name, shown);
}

static void take_bytes(const struct loading *loading, struct catalog_source *source,
    const char *base_url, const char *bytes, size_t len)
{
    struct error failure = {0};
    struct catalog_document document = {0};
    auto_free char *public_place = catalog_public_url(source->place);
    const char *what = public_place[0] != '\0' ? public_place : "the built-in document";
    if (catalog_document_parse(bytes, len, base_url, what, loading->limits, &document, &failure)) {
        catalog_take_document(loading->catalog, &document);
    } else {
        set_problem(source, failure.text);
    }
}

/* A local document; source->place is its path. */
static void load_local(const struct loading *loading, struct catalog_source *source)
{
    struct error failure = {0};
    auto_done(text) struct text bytes = {0};
    auto_close int fd = open(source->place, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        error_set_errno(&failure, errno, "cannot open %s", source->place);
    } else {
        read_file(fd, source->place, loading->limits->json_bytes, &bytes, &source->as_of, &failure);
    }
    if (failure.code != ERROR_NONE) {
        set_problem(source, failure.text);
        return;
    }
    auto_free char *base_url = catalog_url_from_path(source->place);
    take_bytes(loading, source, base_url, text_cstr(&bytes), bytes.len);
}

/* The copy of a remote document; source->place is its URL. */
static void load_copy(const struct loading *loading, struct catalog_source *source)
{
    struct error failure = {0};
    auto_done(text) struct text bytes = {0};
    auto_free char *name = copy_name(source->place);
    auto_close int fd =
        file_open_read(store_cache_dir(loading->store, STORE_CACHE_CATALOGS), name, &failure);
    source->is_remote = true;
    source->wants_refresh = true;
    if (fd < 0 && failure.sys_errno == ENOENT) {
        set_problem(source, "it was never fetched: type banger-tui --batch catalog refresh");
        return;
    }
    if (fd < 0 ||
        !read_file(fd, "its copy", loading->limits->json_bytes, &bytes, &source->as_of, &failure)) {
        set_problem(source, failure.text);
        return;
    }
    source->wants_refresh = clock_wall() - source->as_of > REFRESH_AFTER_SECONDS;
    take_bytes(loading, source, source->place, text_cstr(&bytes), bytes.len);
}

/* A path made absolute; the real one where it exists, so that relative URLs start from there. */
static char *absolute_path(const char *path)
{
    auto_free char *real = realpath(path, NULL);
    if (real != NULL) {
        return memory_strdup(real);
    }
    char here[PATH_MAX];
    if (path[0] == '/' || getcwd(here, sizeof(here)) == NULL) {
        return memory_strdup(path);
    }
    return memory_printf("%s/%s", here, path);
}

/* "/a/b/mine.json" is "mine". */
static char *stem_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash != NULL ? slash + 1 : path;
    size_t len = strlen(base);
    return memory_strndup(base, text_has_suffix(base, ".json") && len > 5 ? len - 5 : len);
}

/* A path or a URL as people write it. name NULL: made from the place. */
static void load_place(
    const struct loading *loading, enum catalog_origin origin, const char *name, const char *place)
{
    if (catalog_url_is_remote(place)) {
        auto_free char *host = catalog_url_host(place);
        struct catalog_source *source =
            catalog_add_source(loading->catalog, name != NULL ? name : host, place);
        source->origin = origin;
        load_copy(loading, source);
        return;
    }
    auto_free char *decoded = catalog_url_to_path(place);
    bool is_foreign = decoded == NULL && catalog_url_has_scheme(place);
    auto_free char *path = absolute_path(decoded != NULL ? decoded : place);
    auto_free char *stem = stem_of(is_foreign ? place : path);
    struct catalog_source *source =
        catalog_add_source(loading->catalog, name != NULL ? name : stem, is_foreign ? place : path);
    source->origin = origin;
    if (is_foreign) {
        set_problem(source, "its place is neither a path nor an http, https or file URL");
        return;
    }
    load_local(loading, source);
}

static void load_environment(const struct loading *loading, const char *value)
{
    auto_done(strings) struct strings places = {0};
    strings_split(&places, value, " \t\n\r");
    for (size_t i = 0; i < places.count; i++) {
        load_place(loading, CATALOG_FROM_ENVIRONMENT, NULL, places.items[i]);
    }
}

static bool load_directory(const struct loading *loading, struct error *err)
{
    auto_done(strings) struct strings names = {0};
    if (!file_list(store_area_dir(loading->store, STORE_CATALOGS_D), ".", &names, err)) {
        return error_wrap(err, "the directory catalogs.d cannot be read");
    }
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.items[i];
        if (name[0] == '.' || !text_has_suffix(name, ".json")) {
            continue;
        }
        auto_free char *path = memory_printf("%s/catalogs.d/%s", store_path(loading->store), name);
        auto_free char *stem = stem_of(name);
        load_place(loading, CATALOG_FROM_DIRECTORY, stem, path);
    }
    return true;
}

static void load_builtin(const struct loading *loading, const char *path)
{
    if (path != NULL) {
        load_place(loading, CATALOG_FROM_PROGRAM, BUILTIN_NAME, path);
        return;
    }
    struct catalog_source *source = catalog_add_source(loading->catalog, BUILTIN_NAME, "");
    source->origin = CATALOG_FROM_PROGRAM;
    take_bytes(loading, source, "", embedded_catalog, embedded_catalog_len);
}

bool catalog_load(const struct store *store, const struct catalog_places *places,
    const struct limits *limits, struct catalog *catalog, struct error *err)
{
    struct loading loading = {.store = store, .limits = limits, .catalog = catalog};
    if (places->environment != NULL) {
        load_environment(&loading, places->environment);
    }
    for (size_t i = 0; i < places->setting_count; i++) {
        load_place(
            &loading, CATALOG_FROM_CONFIG, places->settings[i].name, places->settings[i].place);
    }
    if (!load_directory(&loading, err)) {
        catalog_done(catalog);
        return false;
    }
    load_builtin(&loading, places->builtin_path);
    return true;
}

bool catalog_cache_put(const struct store *store, const char *url, const char *bytes, size_t len,
    const struct limits *limits, struct error *err)
{
    auto_free char *shown = catalog_public_url(url);
    struct catalog_document document = {0};
    if (!catalog_document_parse(bytes, len, url, shown, limits, &document, err)) {
        return false;
    }
    catalog_document_done(&document);
    int dir = store_cache_dir(store, STORE_CACHE_CATALOGS);
    auto_free char *name = copy_name(url);
    if (!file_replace(dir, name, bytes, len, 0600, err)) {
        return false;
    }
    /* The age counts on the program's clock, which may be pinned. */
    struct timespec now = {.tv_sec = (time_t)clock_wall()};
    const struct timespec both[2] = {now, now};
    utimensat(dir, name, both, 0);
    return true;
}
