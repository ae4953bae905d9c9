/* SPDX-License-Identifier: MIT */
#include "artifact/apt.h"

#include <fcntl.h>
#include <string.h>

#include "artifact/apt_cache.h"
#include "artifact/apt_search.h"
#include "artifact/apt_text.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#define MIRRORS_MAX ((size_t)1 << 20)
#define ALTERNATIVES_MAX 8

static void file_done(struct apt_file *file)
{
    free(file->package);
    free(file->version);
    free(file->url);
    free(file->filename);
}

void apt_answer_done(struct apt_answer *answer)
{
    for (size_t i = 0; i < answer->count; i++) {
        file_done(&answer->files[i]);
    }
    free(answer->files);
    free(answer->package);
    free(answer->version);
    free(answer->kernel_version);
    *answer = (struct apt_answer){0};
}

static const struct apt_package *package_of_file(
    const struct apt_search *search, const char *filename)
{
    for (size_t i = 0; i < search->count; i++) {
        size_t len = strlen(search->packages[i].name);
        if (!search->packages[i].is_meta && strncmp(filename, search->packages[i].name, len) == 0 &&
            filename[len] == '_') {
            return &search->packages[i];
        }
    }
    return NULL;
}

/* The first server that a list of mirrors names (apt-transport-mirror(1)): first word of a line;
 * NULL when there is none. Caller frees. */
static char *first_mirror(const char *path)
{
    struct error ignored = {0};
    auto_done(text) struct text list = {0};
    auto_done(strings) struct strings lines = {0};
    if (!file_read_all(AT_FDCWD, path, MIRRORS_MAX, &list, &ignored)) {
        return NULL;
    }
    strings_split(&lines, text_cstr(&list), "\n");
    for (size_t i = 0; i < lines.count; i++) {
        char *line = lines.items[i] + strspn(lines.items[i], " \t");
        if (text_has_prefix(line, "http") || text_has_prefix(line, "file:")) {
            return memory_strndup(line, strcspn(line, " \t\r"));
        }
    }
    return NULL;
}

/* "mirror+file:/etc/apt/mirrors/debian.list/pool/x.deb" is that path on a server which the file
 * names: the file is what of the path is one. NULL when there is none. Caller frees. */
static char *resolve_mirror(const char *path_in_mirror)
{
    auto_free char *path = memory_strdup(path_in_mirror);
    for (char *slash = strrchr(path, '/'); slash != NULL && slash != path;
         slash = strrchr(path, '/')) {
        *slash = '\0';
        auto_free char *mirror = first_mirror(path);
        if (mirror != NULL) {
            const char *gap = text_has_suffix(mirror, "/") ? "" : "/";
            return memory_printf("%s%s%s", mirror, gap, path_in_mirror + strlen(path) + 1);
        }
    }
    return NULL;
}

/* Turns apt's ways to get at a file into a URL that we fetch. */
static bool make_fetchable(struct apt_file *file, struct error *err)
{
    static const char mirror[] = "mirror+file:";
    static const char copy[] = "copy:";
    char *url = NULL;
    if (text_has_prefix(file->url, "http:") || text_has_prefix(file->url, "https:") ||
        text_has_prefix(file->url, "file:")) {
        return true;
    }
    if (text_has_prefix(file->url, copy)) {
        url = memory_printf("file:%s", file->url + strlen(copy));
    } else if (text_has_prefix(file->url, mirror)) {
        url = resolve_mirror(file->url + strlen(mirror));
    }
    if (url == NULL) {
        return error_set(err, ERROR_UNSUPPORTED,
            "%s comes from %s, which only apt can read: apt-get download it, then kernel import",
            file->filename, file->url);
    }
    free(file->url);
    file->url = url;
    return true;
}

static bool is_kernel_file(const struct apt_file *file)
{
    return text_has_prefix(file->package, "linux-image-") ||
           text_has_prefix(file->package, "linux-binary-");
}

/* Takes one line of --print-uris over; the packages with the kernel come first. */
static bool add_line(
    const struct apt_search *search, const char *line, struct apt_answer *answer, struct error *err)
{
    struct apt_file file = {0};
    if (!apt_parse_uri_line(line, &file)) {
        return error_set(err, ERROR_DIGEST, "apt knows no SHA-256 for this file: %s", line);
    }
    const struct apt_package *package = package_of_file(search, file.filename);
    if (package == NULL) {
        error_set(err, ERROR_FORMAT, "apt answers with a file nobody asked for: %s", file.filename);
        file_done(&file);
        return false;
    }
    file.package = memory_strdup(package->name);
    file.version = memory_strdup(package->version);
    if (!make_fetchable(&file, err)) {
        file_done(&file);
        return false;
    }
    size_t at = answer->count++;
    answer->files = memory_grow(answer->files, answer->count, sizeof *answer->files);
    if (is_kernel_file(&file)) {
        memmove(answer->files + 1, answer->files, at * sizeof *answer->files);
        at = 0;
    }
    answer->files[at] = file;
    answer->size_bytes += file.size_bytes;
    return true;
}

/* Asks for URL, size and digest of everything that was found. */
static bool find_files(
    const struct apt_search *search, struct apt_answer *answer, struct error *err)
{
    auto_done(strings) struct strings words = {0};
    strings_add(&words, "-oAcquire::ForceHash=SHA256");
    strings_add(&words, "download");
    strings_add(&words, "--print-uris");
    size_t wanted = 0;
    for (size_t i = 0; i < search->count; i++) {
        if (!search->packages[i].is_meta) {
            strings_printf(&words, "%s=%s", search->packages[i].name, search->packages[i].version);
            wanted++;
        }
    }
    auto_done(text) struct text out = {0};
    int status = 0;
    if (wanted == 0 || !apt_search_get(search, &words, &out, &status, err)) {
        return wanted != 0 ? false
                           : error_set(err, ERROR_FORMAT, "%s leads to no package with a kernel",
                                 search->packages[0].name);
    }
    auto_done(strings) struct strings lines = {0};
    strings_split(&lines, text_cstr(&out), "\n");
    for (size_t i = 0; i < lines.count; i++) {
        if (lines.items[i][0] == '\'' && !add_line(search, lines.items[i], answer, err)) {
            return false;
        }
    }
    if (status != 0 || answer->count != wanted) {
        return error_set(err, ERROR_NOT_FOUND,
            "apt knows %s but not where to get it: run apt-get update", search->packages[0].name);
    }
    return true;
}

/* "6.1.0-37-cloud-amd64" of "linux-image-6.1.0-37-cloud-amd64". */
static char *kernel_version_of(const char *package)
{
    static const char *const prefixes[] = {
        "linux-image-unsigned-", "linux-image-", "linux-binary-"};
    for (size_t i = 0; i < array_length(prefixes); i++) {
        if (text_has_prefix(package, prefixes[i])) {
            const char *version = package + strlen(prefixes[i]);
            size_t len = strlen(version);
            static const char tail[] = "-unsigned";
            return memory_strndup(
                version, text_has_suffix(version, tail) ? len - strlen(tail) : len);
        }
    }
    return memory_strdup(package);
}

static bool ask_apt(struct apt_search *search, const char *wanted, const struct strings *names,
    struct apt_answer *answer, struct error *err)
{
    if (!apt_search_run(search, wanted, names, err)) {
        return false;
    }
    if (!find_files(search, answer, err)) {
        return false;
    }
    if (answer->count == 0 || !is_kernel_file(&answer->files[0])) {
        return error_set(
            err, ERROR_FORMAT, "%s leads to no package with a kernel", search->packages[0].name);
    }
    answer->package = memory_strdup(search->packages[0].name);
    answer->version = memory_strdup(answer->files[0].version);
    answer->kernel_version = kernel_version_of(answer->files[0].package);
    return true;
}

static bool check_names(const char *wanted, struct strings *names, struct error *err)
{
    strings_split(names, wanted, "|");
    bool is_good = names->count > 0 && names->count <= ALTERNATIVES_MAX;
    for (size_t i = 0; i < names->count; i++) {
        is_good = is_good && apt_is_package_name(names->items[i]);
    }
    return is_good ||
           error_set(err, ERROR_INVALID, "\"%s\" is not the name of a Debian package", wanted);
}

bool apt_resolve(const char *package, int cache_dir, const struct cancel *cancel,
    struct apt_answer *answer, struct error *err)
{
    auto_done(strings) struct strings names = {0};
    if (!check_names(package, &names, err)) {
        return false;
    }
    if (apt_peek(package, cache_dir, answer)) {
        return true;
    }
    auto_done(apt_search) struct apt_search search = {.cancel = cancel};
    auto_done(apt_answer) struct apt_answer found = {0};
    if (!ask_apt(&search, package, &names, &found, err)) {
        return false;
    }
    if (cache_dir >= 0) {
        apt_cache_store(cache_dir, package, &search.stamp, &found);
    }
    *answer = found;
    found = (struct apt_answer){0};
    return true;
}

bool apt_peek(const char *package, int cache_dir, struct apt_answer *answer)
{
    auto_done(strings) struct strings names = {0};
    struct error ignored = {0};
    return cache_dir >= 0 && check_names(package, &names, &ignored) &&
           apt_cache_load(cache_dir, package, answer);
}
