/* SPDX-License-Identifier: MIT */
/* Where catalogs come from: the sources in their order, and the copies of remote ones. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

struct loading {
    const struct store *store;
    const struct catalog_places *places;
    const struct limits *limits;
    struct catalog *catalog;
};

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

void catalog_set_problem(struct catalog_source *source, const struct error *cause)
{
    auto_free char *shown = text_safe(cause->text, true);
    bool is_signature = cause->code == ERROR_SIGNATURE;
    error_clear(&source->problem);
    error_set(&source->problem, is_signature ? ERROR_SIGNATURE : ERROR_CONFIG, "catalog %s: %s",
        source->name, shown);
    source->cause = cause->code;
}

/* signature NULL: there is none. */
static bool is_trusted(const struct loading *loading, struct catalog_source *source,
    const char *bytes, size_t len, const char *signature)
{
    struct error failure = {0};
    bool is_good = catalog_judge(loading->places, source->trust, bytes, len, signature,
        &source->policy, &source->signature, &failure);
    if (!is_good) {
        catalog_set_problem(source, &failure);
    }
    return is_good;
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
        catalog_set_problem(source, &failure);
    }
}

/* The signature beside a local document; "" and false when there is none. */
static bool read_signature(const char *path, struct text *signature, struct error *err)
{
    auto_free char *beside = catalog_signature_place(path);
    int64_t ignored;
    auto_close int fd = open(beside, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return errno == ENOENT ? false : error_set_errno(err, errno, "cannot open %s", beside);
    }
    return read_file(fd, beside, CATALOG_SIGNATURE_MOST, signature, &ignored, err);
}

/* Document and signature as they are now; false when they cannot be read or do not fit. */
static bool read_local(
    const struct loading *loading, struct catalog_source *source, struct text *bytes)
{
    struct error failure = {0};
    auto_done(text) struct text signature = {0};
    auto_close int fd = open(source->place, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    error_clear(&source->problem);
    text_clear(bytes);
    if (fd < 0) {
        error_set_errno(&failure, errno, "cannot open %s", source->place);
    } else {
        read_file(fd, source->place, loading->limits->json_bytes, bytes, &source->as_of, &failure);
    }
    bool is_signed =
        failure.code == ERROR_NONE && read_signature(source->place, &signature, &failure);
    if (failure.code != ERROR_NONE) {
        catalog_set_problem(source, &failure);
        return false;
    }
    return is_trusted(
        loading, source, text_cstr(bytes), bytes->len, is_signed ? text_cstr(&signature) : NULL);
}

/* A local document; source->place is its path. */
static void load_local(const struct loading *loading, struct catalog_source *source)
{
    auto_done(text) struct text bytes = {.cap_bytes = SIZE_MAX};
    bool is_good = read_local(loading, source, &bytes);
    /* A publisher may be between the two renames. */
    if (!is_good && source->signature == CATALOG_SIGNATURE_BAD) {
        is_good = read_local(loading, source, &bytes);
    }
    if (is_good) {
        auto_free char *base_url = catalog_url_from_path(source->place);
        take_bytes(loading, source, base_url, text_cstr(&bytes), bytes.len);
    }
}

/* The copy of a remote document; source->place is its URL. */
static void load_copy(const struct loading *loading, struct catalog_source *source)
{
    struct error failure = {0};
    auto_done(text) struct text bytes = {.cap_bytes = SIZE_MAX};
    auto_done(text) struct text signature = {0};
    source->is_remote = true;
    source->wants_refresh = true;
    if (!catalog_copy_read(loading->store, source->place, loading->limits->json_bytes, &bytes,
            &signature, &source->as_of, &failure)) {
        if (failure.sys_errno == ENOENT) {
            error_clear(&failure);
            error_set(&failure, ERROR_CONFIG,
                "it was never fetched: type banger-tui --batch catalog refresh");
        }
        catalog_set_problem(source, &failure);
        return;
    }
    if (!is_trusted(loading, source, text_cstr(&bytes), bytes.len,
            signature.len > 0 ? text_cstr(&signature) : NULL)) {
        return; /* perhaps it was fetched before its key was known: fetched anew at the next pull */
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

/* A path or a URL as people write it. name NULL: made from the place. The source is borrowed. */
static struct catalog_source *load_place(
    const struct loading *loading, enum catalog_origin origin, const char *name, const char *place)
{
    if (catalog_url_is_remote(place)) {
        auto_free char *host = catalog_url_host(place);
        struct catalog_source *source =
            catalog_add_source(loading->catalog, name != NULL ? name : host, place);
        source->origin = origin;
        load_copy(loading, source);
        return source;
    }
    auto_free char *decoded = catalog_url_to_path(place);
    bool is_foreign = decoded == NULL && catalog_url_has_scheme(place);
    auto_free char *path = absolute_path(decoded != NULL ? decoded : place);
    auto_free char *stem = stem_of(is_foreign ? place : path);
    struct catalog_source *source =
        catalog_add_source(loading->catalog, name != NULL ? name : stem, is_foreign ? place : path);
    source->origin = origin;
    if (is_foreign) {
        struct error failure = {0};
        error_set(
            &failure, ERROR_CONFIG, "its place is neither a path nor an http, https or file URL");
        catalog_set_problem(source, &failure);
        return source;
    }
    load_local(loading, source);
    return source;
}

static void load_environment(const struct loading *loading, const char *value)
{
    auto_done(strings) struct strings places = {0};
    strings_split(&places, value, " \t\n\r");
    for (size_t i = 0; i < places.count; i++) {
        load_place(loading, CATALOG_FROM_ENVIRONMENT, NULL, places.items[i]);
    }
}

/* One file of catalogs.d: a catalog, or where one is. */
static void load_file(const struct loading *loading, const char *name)
{
    struct error failure = {0};
    auto_done(text) struct text bytes = {0};
    auto_free char *path = memory_printf("%s/catalogs.d/%s", store_path(loading->store), name);
    auto_free char *stem = stem_of(name);
    /* What cannot be read is told when it is loaded as a catalog. */
    struct error ignored = {0};
    auto_free char *place =
        file_read_all(AT_FDCWD, path, CATALOG_REFERENCE_MOST, &bytes, &ignored)
            ? catalog_reference_parse(text_cstr(&bytes), bytes.len, loading->limits, &failure)
            : NULL;
    if (place != NULL && place[0] != '/' && !catalog_url_has_scheme(place)) {
        error_set(&failure, ERROR_FORMAT, "its \"place\" is neither an absolute path nor a URL");
    }
    struct catalog_source *source;
    if (failure.code != ERROR_NONE) {
        source = catalog_add_source(loading->catalog, stem, path);
        source->origin = CATALOG_FROM_DIRECTORY;
        catalog_set_problem(source, &failure);
    } else {
        source = load_place(loading, CATALOG_FROM_DIRECTORY, stem, place != NULL ? place : path);
    }
    source->file = memory_strdup(name);
}

static bool load_directory(const struct loading *loading, struct error *err)
{
    auto_done(strings) struct strings names = {0};
    if (!file_list(store_area_dir(loading->store, STORE_CATALOGS_D), ".", &names, err)) {
        return error_wrap(err, "the directory catalogs.d cannot be read");
    }
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.items[i];
        if (name[0] != '.' && text_has_suffix(name, ".json")) {
            load_file(loading, name);
        }
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
    if (is_trusted(loading, source, embedded_catalog, embedded_catalog_len, NULL)) {
        take_bytes(loading, source, "", embedded_catalog, embedded_catalog_len);
    }
}

bool catalog_load(const struct store *store, const struct catalog_places *places,
    const struct limits *limits, struct catalog *catalog, struct error *err)
{
    struct loading loading = {
        .store = store, .places = places, .limits = limits, .catalog = catalog};
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
