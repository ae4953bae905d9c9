/* SPDX-License-Identifier: MIT */
#include "artifact/apt_search.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "artifact/apt_text.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"

#define TIMEOUT_MS 60000
#define OUTPUT_MAX ((size_t)4 << 20)

void apt_search_done(struct apt_search *search)
{
    for (size_t i = 0; i < search->count; i++) {
        free(search->packages[i].name);
        free(search->packages[i].version);
    }
    if (search->pkgcache != NULL) {
        struct error ignored = {0};
        file_remove_tree(AT_FDCWD, search->pkgcache, &ignored);
        free(search->pkgcache);
    }
    apt_stamp_done(&search->stamp);
}

/* Runs a program of apt with these words behind its own; false also when it could not be run. */
static bool run(const struct apt_search *search, const char *program, const struct strings *words,
    struct text *out, int *status, struct error *err)
{
    auto_done(strings) struct strings argv = {0};
    strings_add(&argv, "env");
    strings_add(&argv, "LC_ALL=C");
    strings_add(&argv, program);
    if (search->pkgcache != NULL) {
        strings_printf(&argv, "-oDir::Cache::pkgcache=%s/pkgcache.bin", search->pkgcache);
        strings_add(&argv, "-oDir::Cache::srcpkgcache=");
    }
    for (size_t i = 0; i < words->count; i++) {
        strings_add(&argv, words->items[i]);
    }
    text_clear(out);
    return process_run((const char *const *)argv.items, TIMEOUT_MS, OUTPUT_MAX, search->cancel, out,
        NULL, status, err);
}

static bool has_lists(const char *directory)
{
    auto_done(strings) struct strings names = {0};
    struct error ignored = {0};
    if (!file_list(AT_FDCWD, directory, &names, &ignored)) {
        return false;
    }
    for (size_t i = 0; i < names.count; i++) {
        if (strstr(names.items[i], "_Packages") != NULL) {
            return true;
        }
    }
    return false;
}

/* Where apt keeps no binary cache of its lists (containers), a private one saves two of three
 * expensive starts. Without it things merely take longer. */
static void provide_pkgcache(struct apt_search *search, const char *configuration)
{
    auto_free char *own = apt_config_value(configuration, "PKGCACHE");
    if (own != NULL && access(own, R_OK) == 0) {
        return;
    }
    auto_free char *path = memory_strdup("/tmp/banger-apt-XXXXXX");
    if (mkdtemp(path) != NULL) {
        search->pkgcache = take_ptr(path);
    }
}

/* Asks where apt keeps things, and stamps what an answer depends on. */
static bool look_around(struct apt_search *search, const char *wanted, struct error *err)
{
    static const char *const keys[] = {"LISTS", "Dir::State::lists/d", "SOURCES",
        "Dir::Etc::sourcelist/f", "PARTS", "Dir::Etc::sourceparts/d", "PREFERENCES",
        "Dir::Etc::preferences/f", "PINS", "Dir::Etc::preferencesparts/d", "PKGCACHE",
        "Dir::Cache::pkgcache/f"};
    static const char *const stamped[] = {"LISTS", "SOURCES", "PARTS", "PREFERENCES", "PINS"};
    auto_free char *program = process_find("apt-cache");
    if (program == NULL) {
        return error_set(err, ERROR_UNSUPPORTED,
            "%s comes as a Debian package, but this machine has no apt", wanted);
    }
    auto_done(strings) struct strings words = {0};
    strings_add(&words, "shell");
    for (size_t i = 0; i < array_length(keys); i++) {
        strings_add(&words, keys[i]);
    }
    auto_done(text) struct text out = {0};
    int status = 0;
    if (!run(search, "apt-config", &words, &out, &status, err)) {
        return false;
    }
    for (size_t i = 0; i < array_length(stamped); i++) {
        auto_free char *path = apt_config_value(text_cstr(&out), stamped[i]);
        if (path != NULL) {
            apt_stamp_add(&search->stamp, path);
        }
    }
    auto_free char *lists = apt_config_value(text_cstr(&out), "LISTS");
    if (lists == NULL || !has_lists(lists)) {
        return error_set(err, ERROR_UNSUPPORTED,
            "%s is unavailable: this machine has no package lists yet, run apt-get update", wanted);
    }
    provide_pkgcache(search, text_cstr(&out));
    return true;
}

static bool is_known(const struct apt_search *search, const char *name)
{
    for (size_t i = 0; i < search->count; i++) {
        if (strcmp(search->packages[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether a package of the linux-image family only points to where the kernel is. */
static bool is_pointer(const char *name, const struct strings *dependencies)
{
    if (!text_has_prefix(name, "linux-image-")) {
        return false;
    }
    for (size_t i = 0; i < dependencies->count; i++) {
        if (text_has_prefix(dependencies->items[i], "linux-image-") ||
            text_has_prefix(dependencies->items[i], "linux-binary-")) {
            return true;
        }
    }
    return false;
}

static bool add_group(
    struct apt_search *search, const char *alternatives, bool *is_found, struct error *err);

/* Looks a package up; if apt knows it, adds it and what it depends on. */
static bool add_package(
    struct apt_search *search, const char *name, bool *is_found, struct error *err)
{
    auto_done(strings) struct strings words = {0};
    strings_add(&words, "show");
    strings_add(&words, "--no-all-versions");
    strings_add(&words, name);
    auto_done(text) struct text out = {0};
    int status = 0;
    if (!run(search, "apt-cache", &words, &out, &status, err)) {
        return false;
    }
    auto_free char *found = apt_record_field(text_cstr(&out), "Package");
    auto_free char *version = apt_record_field(text_cstr(&out), "Version");
    *is_found = status == 0 && found != NULL && version != NULL && strcmp(found, name) == 0;
    if (!*is_found) {
        return true;
    }
    if (search->count == APT_PACKAGES_MAX) {
        return error_set(err, ERROR_LIMIT, "%s depends on more than %d kernel packages",
            search->packages[0].name, APT_PACKAGES_MAX);
    }
    auto_done(strings) struct strings groups = {0};
    static const char *const fields[] = {"Depends", "Pre-Depends"};
    for (size_t i = 0; i < array_length(fields); i++) {
        auto_free char *depends = apt_record_field(text_cstr(&out), fields[i]);
        if (depends != NULL) {
            apt_kernel_dependencies(depends, &groups);
        }
    }
    search->packages[search->count++] = (struct apt_package){.name = take_ptr(found),
        .version = take_ptr(version),
        .is_meta = is_pointer(name, &groups)};
    for (size_t i = 0; i < groups.count; i++) {
        bool is_group_found = false;
        if (!add_group(search, groups.items[i], &is_group_found, err)) {
            return false;
        }
        if (!is_group_found) {
            return error_set(err, ERROR_NOT_FOUND,
                "%s depends on %s, which apt does not know: run apt-get update", name,
                groups.items[i]);
        }
    }
    return true;
}

/* Adds the first of the alternatives that apt knows; one that is there already is enough. */
static bool add_group(
    struct apt_search *search, const char *alternatives, bool *is_found, struct error *err)
{
    auto_done(strings) struct strings names = {0};
    strings_split(&names, alternatives, "|");
    for (size_t i = 0; i < names.count; i++) {
        if (is_known(search, names.items[i])) {
            *is_found = true;
            return true;
        }
    }
    for (size_t i = 0; i < names.count && !*is_found; i++) {
        if (!add_package(search, names.items[i], is_found, err)) {
            return false;
        }
    }
    return true;
}

bool apt_search_run(
    struct apt_search *search, const char *wanted, const struct strings *names, struct error *err)
{
    if (!look_around(search, wanted, err)) {
        return false;
    }
    bool is_found = false;
    for (size_t i = 0; i < names->count && !is_found; i++) {
        if (!add_package(search, names->items[i], &is_found, err)) {
            return false;
        }
    }
    return is_found ||
           error_set(err, ERROR_NOT_FOUND, "apt on this machine knows no package %s", wanted);
}

bool apt_search_get(const struct apt_search *search, const struct strings *words, struct text *out,
    int *status, struct error *err)
{
    return run(search, "apt-get", words, out, status, err);
}
