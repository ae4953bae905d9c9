/* SPDX-License-Identifier: MIT */
#include "artifact/module_set.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artifact/decompress.h"
#include "artifact/modinfo.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/memory.h"

#define DEPTH_MAX 16u
#define MODULE_BYTES_MAX ((size_t)64 << 20)
#define BUILTIN_BYTES_MAX ((size_t)4 << 20)

struct module {
    char *name;
    char *path;
    bool is_visited;
};

struct module_set {
    int dir;
    const struct limits *limits;
    struct module *modules; /* sorted by name once read */
    size_t count;
    uint64_t entries;
    struct strings builtin;
};

struct visit {
    module_visit *call;
    void *context;
    struct strings *missing;
    const struct cancel *cancel;
};

/* "kernel/fs/ext4/ext4.ko.xz" is "ext4"; NULL when it is no module's file. Caller frees. */
static char *module_name(const char *path)
{
    static const char *const suffixes[] = {".ko", ".ko.xz", ".ko.zst", ".ko.gz"};
    const char *slash = strrchr(path, '/');
    const char *base = slash == NULL ? path : slash + 1;
    for (size_t i = 0; i < array_length(suffixes); i++) {
        if (text_has_suffix(base, suffixes[i])) {
            char *name = memory_strndup(base, strlen(base) - strlen(suffixes[i]));
            for (char *c = name; *c != '\0'; c++) {
                *c = *c == '-' ? '_' : *c;
            }
            return name;
        }
    }
    return NULL;
}

static void add_module(struct module_set *set, char *name, const char *path)
{
    if ((set->count & (set->count + 1)) == 0) {
        set->modules = memory_grow(set->modules, 2 * set->count + 2, sizeof *set->modules);
    }
    set->modules[set->count++] = (struct module){.name = name, .path = memory_strdup(path)};
}

static bool read_tree(struct module_set *set, const char *path, unsigned depth, struct error *err)
{
    auto_done(strings) struct strings names = {0};
    if (!file_list(set->dir, path, &names, err)) {
        return false;
    }
    for (size_t i = 0; i < names.count; i++) {
        if (++set->entries > set->limits->entries || depth > DEPTH_MAX) {
            return error_set(err, ERROR_LIMIT, "the kernel's modules are too many or too deep");
        }
        auto_free char *below = strcmp(path, ".") == 0
                                    ? memory_strdup(names.items[i])
                                    : memory_printf("%s/%s", path, names.items[i]);
        char *name = module_name(below);
        if (name != NULL) {
            add_module(set, name, below);
            continue;
        }
        struct stat status;
        if (fstatat(set->dir, below, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISDIR(status.st_mode) && !read_tree(set, below, depth + 1, err)) {
            return false;
        }
    }
    return true;
}

static bool read_builtin(struct module_set *set, struct error *err)
{
    if (!file_exists(set->dir, "modules.builtin")) {
        return true;
    }
    auto_done(text) struct text list = {0};
    auto_done(strings) struct strings lines = {0};
    if (!file_read_all(set->dir, "modules.builtin", BUILTIN_BYTES_MAX, &list, err)) {
        return false;
    }
    strings_split(&lines, text_cstr(&list), "\n");
    for (size_t i = 0; i < lines.count; i++) {
        auto_free char *name = module_name(lines.items[i]);
        if (name != NULL) {
            strings_add(&set->builtin, name);
        }
    }
    return true;
}

/* What depmod prefers: updates/ before everything else; then the first in byte order. */
static int compare_modules(const void *a, const void *b)
{
    const struct module *left = a, *right = b;
    int order = strcmp(left->name, right->name);
    if (order != 0) {
        return order;
    }
    bool is_left_update = text_has_prefix(left->path, "updates/");
    bool is_right_update = text_has_prefix(right->path, "updates/");
    if (is_left_update != is_right_update) {
        return is_left_update ? -1 : 1;
    }
    return strcmp(left->path, right->path);
}

struct module_set *module_set_open(int dir, const struct limits *limits, struct error *err)
{
    struct module_set *set = memory_zero(1, sizeof *set);
    set->dir = dir;
    set->limits = limits;
    if (!read_tree(set, ".", 0, err) || !read_builtin(set, err)) {
        module_set_close(set);
        return NULL;
    }
    if (set->count > 0) {
        qsort(set->modules, set->count, sizeof *set->modules, compare_modules);
    }
    return set;
}

void module_set_close(struct module_set *set)
{
    if (set == NULL) {
        return;
    }
    for (size_t i = 0; i < set->count; i++) {
        free(set->modules[i].name);
        free(set->modules[i].path);
    }
    free(set->modules);
    strings_done(&set->builtin);
    free(set);
}

/* The first of that name: the one to prefer. */
static struct module *find(const struct module_set *set, const char *name)
{
    size_t low = 0, high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(set->modules[middle].name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < set->count && strcmp(set->modules[low].name, name) == 0 ? &set->modules[low]
                                                                         : NULL;
}

bool module_set_has(const struct module_set *set, const char *name)
{
    return find(set, name) != NULL;
}

bool module_set_is_builtin(const struct module_set *set, const char *name)
{
    return strings_contain(&set->builtin, name);
}

static bool read_module(const struct module_set *set, const struct module *module,
    const struct cancel *cancel, struct text *bytes, struct error *err)
{
    auto_close int fd = file_open_beneath(set->dir, module->path, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0) {
        return error_set_errno(err, errno, "cannot open the module %s", module->path);
    }
    auto_decompress struct decompress *stream = decompress_new_fd(fd, 0, UINT64_MAX,
        DECOMPRESS_NONE | DECOMPRESS_GZIP | DECOMPRESS_ZSTD | DECOMPRESS_XZ, set->limits,
        module->path, cancel, err);
    if (stream == NULL) {
        return false;
    }
    bytes->cap_bytes = MODULE_BYTES_MAX;
    auto_free char *buffer = memory_alloc(64 << 10);
    ssize_t len;
    while ((len = decompress_read(stream, buffer, 64 << 10, err)) > 0) {
        if (!text_append_bytes(bytes, buffer, (size_t)len)) {
            return error_set(err, ERROR_LIMIT, "the module %s is over %zu MiB", module->path,
                MODULE_BYTES_MAX >> 20);
        }
    }
    return len == 0;
}

static bool visit_name(
    struct module_set *set, const char *name, const struct visit *visit, struct error *err);

/* Wishes are softer: what is neither here nor built in is an alias or does not matter. */
static bool visit_depends(struct module_set *set, const struct strings *depends,
    const struct strings *wishes, const struct visit *visit, struct error *err)
{
    for (size_t i = 0; i < wishes->count; i++) {
        if (module_set_has(set, wishes->items[i]) &&
            !visit_name(set, wishes->items[i], visit, err)) {
            return false;
        }
    }
    for (size_t i = 0; i < depends->count; i++) {
        if (!visit_name(set, depends->items[i], visit, err)) {
            return false;
        }
    }
    return true;
}

static bool visit_name(
    struct module_set *set, const char *name, const struct visit *visit, struct error *err)
{
    struct module *module = find(set, name);
    if (module == NULL) {
        if (!module_set_is_builtin(set, name) && !strings_contain(visit->missing, name)) {
            strings_add(visit->missing, name);
        }
        return true;
    }
    if (module->is_visited) {
        return true; /* also ends a circle, which only a damaged set has */
    }
    module->is_visited = true;
    if (cancel_check(visit->cancel, err)) {
        return false;
    }
    auto_done(text) struct text bytes = {0};
    auto_done(strings) struct strings depends = {0};
    auto_done(strings) struct strings wishes = {0};
    if (!read_module(set, module, visit->cancel, &bytes, err) ||
        !modinfo_depends(bytes.data, bytes.len, module->path, &depends, &wishes, err) ||
        !visit_depends(set, &depends, &wishes, visit, err)) {
        return false;
    }
    return visit->call(visit->context, module->name, bytes.data, bytes.len, err);
}

bool module_set_visit(struct module_set *set, const char *name, module_visit *visit, void *context,
    struct strings *missing, const struct cancel *cancel, struct error *err)
{
    struct visit order = {.call = visit, .context = context, .missing = missing, .cancel = cancel};
    return visit_name(set, name, &order, err);
}
