/* SPDX-License-Identifier: MIT */
#include "artifact/kernel_find.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "artifact/kernel_dir.h"
#include "artifact/kernel_probe.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/memory.h"

void kernel_found_done(struct kernel_found *found)
{
    free(found->kernel);
    free(found->initrd);
    free(found->modules);
    free(found->config);
    free(found->distro);
    free(found->arch);
    free(found->kernel_version);
    strings_done(&found->notes);
    *found = (struct kernel_found){0};
}

int kernel_open_inside(int dir, const char *path, int flags)
{
    struct open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    for (int attempt = 0; attempt < 128; attempt++) {
        long fd = syscall(SYS_openat2, dir, path, &how, sizeof how);
        if (fd >= 0) {
            return (int)fd;
        }
        if (errno == ENOSYS || errno == EPERM) {
            return file_open_beneath(dir, path, flags, 0);
        }
        if (errno != EAGAIN) {
            return -1;
        }
    }
    return -1;
}

static bool is_type_inside(int dir, const char *path, mode_t type)
{
    auto_close int fd = kernel_open_inside(dir, path, O_PATH);
    struct stat status;
    return fd >= 0 && fstat(fd, &status) == 0 && (status.st_mode & S_IFMT) == type;
}

static bool is_outside(int failure)
{
    return failure == EXDEV || failure == ELOOP;
}

/* Says of a link that leads out of the directory that it was not followed. */
static void note_outside(int dir, const char *path, struct kernel_found *found)
{
    auto_close int fd = kernel_open_inside(dir, path, O_PATH);
    if (fd < 0 && is_outside(errno)) {
        strings_printf(&found->notes, "left out %s: a link that leads out of the directory", path);
    }
}

static bool is_file(int dir, const char *path)
{
    return is_type_inside(dir, path, S_IFREG);
}

static bool is_directory(int dir, const char *path)
{
    return is_type_inside(dir, path, S_IFDIR);
}

/* First of two spellings of a key. Absent is success. */
static bool read_key(
    const struct json *json, const char *const *spellings, const char **value, struct error *err)
{
    for (size_t i = 0; spellings[i] && !*value; i++) {
        if (!json_read_string(json, spellings[i], false, "metadata.json", value, err)) {
            return false;
        }
    }
    return true;
}

/* A path of metadata.json must be relative, inside, there, and of its type. */
static bool take_path(
    int dir, const char *what, const char *path, mode_t type, char **taken, struct error *err)
{
    if (!path) {
        return true;
    }
    auto_close int fd = kernel_open_inside(dir, path, O_PATH);
    if (fd < 0 && is_outside(errno)) {
        return error_set(err, ERROR_FORMAT,
            "metadata.json names the %s \"%s\", which is outside of the directory", what, path);
    }
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        return error_set(
            err, ERROR_FORMAT, "metadata.json names the %s \"%s\", which is not there", what, path);
    }
    if ((status.st_mode & S_IFMT) != type) {
        return error_set(err, ERROR_FORMAT, "metadata.json names the %s \"%s\", which is no %s",
            what, path, type == S_IFDIR ? "directory" : "regular file");
    }
    *taken = memory_strdup(path);
    return true;
}

static struct json *read_metadata(int dir, struct error *err)
{
    auto_close int fd = kernel_open_inside(dir, "metadata.json", O_RDONLY | O_NONBLOCK);
    auto_done(text) struct text bytes = {0};
    struct stat status;
    if (fd < 0 && is_outside(errno)) {
        error_set(err, ERROR_FORMAT, "metadata.json is a link that leads out of the directory");
        return NULL;
    }
    if (fd < 0 || fstat(fd, &status) != 0) {
        error_set_errno(err, errno, "cannot open metadata.json");
        return NULL;
    }
    if (!S_ISREG(status.st_mode)) {
        error_set(err, ERROR_FORMAT, "metadata.json is no regular file");
        return NULL;
    }
    if (!file_read_fd(fd, "metadata.json", (size_t)limits_default.json_bytes, &bytes, err)) {
        return NULL;
    }
    return json_parse(text_cstr(&bytes), bytes.len, limits_default.json_bytes,
        limits_default.json_depth, "metadata.json", err);
}

/* "6.1.0-13-amd64" of "boot/vmlinuz-6.1.0-13-amd64"; NULL without one. */
static const char *suffix_of(const char *path)
{
    const char *name = strrchr(path, '/');
    name = name ? name + 1 : path;
    const char *dash = strchr(name, '-');
    return dash && dash[1] ? dash + 1 : NULL;
}

/* boot/config-VERSION, the .config of a build tree, or what lies beside a kernel as `config`. */
static void find_config(
    int dir, const char *suffix, const char *version, struct kernel_found *found)
{
    const char *const names[] = {suffix, version};
    for (size_t i = 0; i < array_length(names) && found->config == NULL; i++) {
        auto_free char *path = memory_printf("boot/config-%s", names[i] ? names[i] : "");
        if (names[i] && is_file(dir, path)) {
            found->config = take_ptr(path);
        }
    }
    if (found->config == NULL && is_file(dir, "config")) {
        found->config = memory_strdup("config");
    }
    if (found->config == NULL && text_has_prefix(found->kernel, "arch/") &&
        is_file(dir, ".config")) {
        found->config = memory_strdup(".config");
    }
}

static bool find_by_metadata(int dir, struct kernel_found *found, struct error *err)
{
    static const char *const kernel_keys[] = {"kernel", "kernel_path", NULL};
    static const char *const initrd_keys[] = {"initrd", "initrd_path", NULL};
    static const char *const modules_keys[] = {"modules", "modules_dir", "modules_path", NULL};
    static const char *const version_keys[] = {"kernel_version", NULL};
    static const char *const distro_keys[] = {"distro", NULL};
    static const char *const arch_keys[] = {"arch", NULL};
    const char *kernel = NULL, *initrd = NULL, *modules = NULL;
    const char *version = NULL, *distro = NULL, *arch = NULL;
    auto_json struct json *json = read_metadata(dir, err);
    if (!json) {
        return false;
    }
    if (!json_is_object(json)) {
        return error_set(err, ERROR_FORMAT, "metadata.json is no object");
    }
    if (!read_key(json, kernel_keys, &kernel, err) || !read_key(json, initrd_keys, &initrd, err) ||
        !read_key(json, modules_keys, &modules, err) ||
        !read_key(json, version_keys, &version, err) ||
        !read_key(json, distro_keys, &distro, err) || !read_key(json, arch_keys, &arch, err)) {
        return false;
    }
    if (!kernel) {
        return error_set(err, ERROR_FORMAT, "metadata.json names no kernel");
    }
    found->kernel_version = memory_strdup(version);
    found->distro = memory_strdup(distro);
    found->arch = memory_strdup(arch);
    if (!take_path(dir, "kernel", kernel, S_IFREG, &found->kernel, err) ||
        !take_path(dir, "initrd", initrd, S_IFREG, &found->initrd, err) ||
        !take_path(dir, "modules directory", modules, S_IFDIR, &found->modules, err)) {
        return false;
    }
    find_config(dir, suffix_of(kernel), version, found);
    return true;
}

static void find_own_layout(int dir, struct kernel_found *found)
{
    found->kernel = memory_strdup("vmlinux");
    if (is_file(dir, "initrd.img")) {
        found->initrd = memory_strdup("initrd.img");
    }
    if (is_directory(dir, "modules")) {
        found->modules = memory_strdup("modules");
    }
    if (is_file(dir, "config")) {
        found->config = memory_strdup("config");
    }
    note_outside(dir, "initrd.img", found);
    note_outside(dir, "modules", found);
    note_outside(dir, "config", found);
}

/* Copies that installers leave behind are no kernels to choose from. */
static bool is_leftover(const char *name)
{
    return text_has_suffix(name, ".old") || text_has_suffix(name, ".bak") ||
           text_has_suffix(name, "~");
}

static void list_inside(int dir, const char *path, struct strings *names)
{
    auto_close int fd = kernel_open_inside(dir, path, O_RDONLY | O_DIRECTORY);
    struct error ignored = {0};
    if (fd >= 0) {
        file_list(fd, ".", names, &ignored);
    }
}

/* Adds "DIRECTORY/NAME" for each regular file whose name begins with the prefix. */
static void add_matches(int dir, const char *directory, const char *prefix,
    struct kernel_found *found, struct strings *matches)
{
    auto_done(strings) struct strings names = {0};
    list_inside(dir, directory, &names);
    for (size_t i = 0; i < names.count; i++) {
        auto_free char *path = memory_printf("%s/%s", directory, names.items[i]);
        if (text_has_prefix(names.items[i], prefix) && names.items[i][strlen(prefix)] != '\0' &&
            !is_leftover(names.items[i])) {
            if (is_file(dir, path)) {
                strings_add(matches, path);
            } else {
                note_outside(dir, path, found);
            }
        }
    }
}

static void add_build_trees(int dir, struct strings *matches)
{
    auto_done(strings) struct strings names = {0};
    list_inside(dir, "arch", &names);
    for (size_t i = 0; i < names.count; i++) {
        auto_free char *path = memory_printf("arch/%s/boot/bzImage", names.items[i]);
        if (is_file(dir, path)) {
            strings_add(matches, path);
        }
    }
}

static const char *highest(const struct strings *list)
{
    const char *best = NULL;
    for (size_t i = 0; i < list->count; i++) {
        if (!best || text_compare_version(list->items[i], best) > 0) {
            best = list->items[i];
        }
    }
    return best;
}

static void note_choice(struct kernel_found *found, const char *what, const char *chosen,
    const struct strings *candidates)
{
    auto_done(strings) struct strings left = {0};
    for (size_t i = 0; i < candidates->count; i++) {
        if (strcmp(candidates->items[i], chosen) != 0) {
            strings_add(&left, candidates->items[i]);
        }
    }
    if (left.count == 0) {
        strings_printf(&found->notes, "took the %s %s", what, chosen);
        return;
    }
    auto_free char *others = strings_join(&left, ", ");
    strings_printf(&found->notes, "took the %s %s and left %s", what, chosen, others);
}

/* The globs for a kernel; the first with a match decides. */
static char *find_kernel_file(int dir, struct kernel_found *found)
{
    static const char *const on_the_way[] = {"vmlinux", "boot", "boot/vmlinux", "boot/vmlinuz",
        "arch", "lib", "lib/modules", "usr/lib/modules"};
    auto_done(strings) struct strings matches = {0};
    for (size_t i = 0; i < array_length(on_the_way); i++) {
        note_outside(dir, on_the_way[i], found);
    }
    add_matches(dir, "boot", "vmlinux-", found, &matches);
    if (matches.count == 0 && is_file(dir, "boot/vmlinux")) {
        strings_add(&matches, "boot/vmlinux");
    }
    if (matches.count == 0) {
        add_matches(dir, "boot", "vmlinuz-", found, &matches);
    }
    if (matches.count == 0 && is_file(dir, "boot/vmlinuz")) {
        strings_add(&matches, "boot/vmlinuz");
    }
    if (matches.count == 0) {
        add_build_trees(dir, &matches);
    }
    const char *best = highest(&matches);
    if (best) {
        note_choice(found, "kernel", best, &matches);
    }
    return memory_strdup(best);
}

static bool is_initrd_of(const char *path, const char *version)
{
    const char *suffix = suffix_of(path);
    if (!version || !suffix) {
        return false;
    }
    size_t len = strlen(version);
    return strncmp(suffix, version, len) == 0 &&
           (suffix[len] == '\0' || strcmp(suffix + len, ".img") == 0);
}

static void find_initrd(
    int dir, const char *suffix, const char *version, struct kernel_found *found)
{
    auto_done(strings) struct strings matches = {0};
    add_matches(dir, "boot", "initramfs-", found, &matches);
    add_matches(dir, "boot", "initrd.img-", found, &matches);
    const char *best = NULL;
    for (size_t i = 0; i < matches.count && !best; i++) {
        if (is_initrd_of(matches.items[i], suffix) || is_initrd_of(matches.items[i], version)) {
            best = matches.items[i];
        }
    }
    best = best ? best : highest(&matches);
    if (best) {
        note_choice(found, "initrd", best, &matches);
        found->initrd = memory_strdup(best);
    }
}

/* lib/modules/VERSION of the kernel, else of the highest version there. */
static void find_modules(
    int dir, const char *suffix, const char *version, struct kernel_found *found)
{
    const char *home = is_directory(dir, "lib/modules") ? "lib/modules" : "usr/lib/modules";
    auto_done(strings) struct strings names = {0};
    auto_done(strings) struct strings usable = {0};
    list_inside(dir, home, &names);
    for (size_t i = 0; i < names.count; i++) {
        auto_free char *path = memory_printf("%s/%s", home, names.items[i]);
        if (kernel_is_modules_dir(dir, path)) {
            strings_add(&usable, names.items[i]);
        }
    }
    const char *best = suffix && strings_contain(&usable, suffix)     ? suffix
                       : version && strings_contain(&usable, version) ? version
                                                                      : highest(&usable);
    if (best) {
        note_choice(found, "modules", best, &usable);
        found->modules = memory_printf("%s/%s", home, best);
    }
}

/* What cannot be opened says why when it is copied. */
static bool probe_kernel(int dir, const char *path, struct kernel_probe *probe, struct error *err)
{
    auto_close int fd = kernel_open_inside(dir, path, O_RDONLY | O_NONBLOCK);
    *probe = (struct kernel_probe){0};
    return fd < 0 || kernel_probe_file(fd, path, probe, err);
}

static bool find_by_globs(int dir, const char *shown, struct kernel_found *found, struct error *err)
{
    found->kernel = find_kernel_file(dir, found);
    if (!found->kernel) {
        auto_free char *notes = strings_join(&found->notes, "; ");
        return error_set(err, ERROR_FORMAT,
            "no kernel in %s: there is no metadata.json, vmlinux, boot/vmlinux*, boot/vmlinuz* or "
            "arch/*/boot/bzImage%s%s",
            shown, found->notes.count > 0 ? "; " : "", notes);
    }
    struct kernel_probe probe;
    if (!probe_kernel(dir, found->kernel, &probe, err)) {
        return false;
    }
    const char *suffix = suffix_of(found->kernel);
    const char *version = probe.version[0] ? probe.version : NULL;
    find_initrd(dir, suffix, version, found);
    find_modules(dir, suffix, version, found);
    find_config(dir, suffix, version, found);
    if (!version && suffix && suffix[0] >= '0' && suffix[0] <= '9') {
        found->kernel_version = memory_strdup(suffix);
    }
    return true;
}

bool kernel_find(int dir, const char *shown, struct kernel_found *found, struct error *err)
{
    auto_done(kernel_found) struct kernel_found result = {0};
    auto_close int metadata = openat(dir, "metadata.json", O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (metadata >= 0) {
        if (!find_by_metadata(dir, &result, err)) {
            return error_wrap(err, "%s", shown);
        }
    } else if (is_file(dir, "vmlinux")) {
        find_own_layout(dir, &result);
    } else if (!find_by_globs(dir, shown, &result, err)) {
        return false;
    }
    *found = result;
    result = (struct kernel_found){0};
    return true;
}

static char *first_file(int dir, const char *const *patterns, const char *release)
{
    for (size_t i = 0; patterns[i]; i++) {
        const char *star = strchr(patterns[i], '*');
        auto_free char *path =
            memory_printf("%.*s%s%s", (int)(star - patterns[i]), patterns[i], release, star + 1);
        if (is_file(dir, path)) {
            return take_ptr(path);
        }
    }
    return NULL;
}

bool kernel_find_release(
    int dir, const char *release, struct kernel_found *found, struct error *err)
{
    static const char *const kernels[] = {
        "boot/vmlinux-*", "boot/vmlinuz-*", "lib/modules/*/vmlinuz", NULL};
    static const char *const initrds[] = {
        "boot/initrd.img-*", "boot/initramfs-*.img", "boot/initramfs-*", NULL};
    static const char *const configs[] = {"boot/config-*", NULL};
    auto_free char *kernel = first_file(dir, kernels, release);
    if (!kernel || strchr(release, '/')) {
        return error_set(err, ERROR_NOT_FOUND,
            "the running kernel %s has no file in /boot: install its package, or import from a "
            "directory or a .deb",
            release);
    }
    *found = (struct kernel_found){
        .kernel = take_ptr(kernel),
        .initrd = first_file(dir, initrds, release),
        .modules = memory_printf("lib/modules/%s", release),
        .config = first_file(dir, configs, release),
        .kernel_version = memory_strdup(release),
    };
    if (!kernel_is_modules_dir(dir, found->modules)) {
        free(take_ptr(found->modules));
    }
    strings_printf(&found->notes, "took the kernel %s", found->kernel);
    return true;
}
