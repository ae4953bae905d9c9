/* SPDX-License-Identifier: MIT */
#include "store/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

struct store {
    char *path;
    char *cache_path;
    int dir;
    int cache;
    int kinds[STORE_KIND_COUNT];
    int areas[STORE_AREA_COUNT];
    int caches[STORE_CACHE_COUNT];
    bool is_readonly;
};

struct kind_row {
    const char *name;
    const char *folder;
};

static const struct kind_row kind_rows[STORE_KIND_COUNT] = {
    [STORE_KERNEL] = {"kernel", "kernels"},
    [STORE_IMAGE] = {"image", "images"},
    [STORE_VM] = {"vm", "vms"},
};

static const char *const area_rows[STORE_AREA_COUNT] = {
    [STORE_CATALOGS_D] = "catalogs.d",
    [STORE_SSH] = "ssh",
    [STORE_TRASH] = "trash",
    [STORE_JOBS] = "jobs",
    [STORE_LOG] = "log",
    [STORE_LOCKS] = "locks",
    [STORE_LOCKS_KERNEL] = "locks/kernel",
    [STORE_LOCKS_IMAGE] = "locks/image",
    [STORE_LOCKS_VM] = "locks/vm",
};

static const char *const cache_rows[STORE_CACHE_COUNT] = {
    [STORE_CACHE_BLOBS] = "blobs/sha256",
    [STORE_CACHE_DOWNLOADS] = "downloads",
    [STORE_CACHE_ELF] = "elf",
    [STORE_CACHE_INITRD] = "initrd",
    [STORE_CACHE_CATALOGS] = "catalogs",
};

static bool check_place(int fd, const char *path, struct error *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0) {
        return error_set_errno(err, errno, "cannot look at %s", path);
    }
    if (info.st_uid != geteuid()) {
        return error_set(err, ERROR_PERMISSION,
            "%s belongs to user %u, not to user %u who runs this: name a directory of your own "
            "with --state-dir",
            path, (unsigned)info.st_uid, (unsigned)geteuid());
    }
    if (info.st_mode & S_IWOTH) {
        return error_set(err, ERROR_PERMISSION,
            "%s may be written to by everybody: type chmod 0700 '%s', or name another directory "
            "with --state-dir",
            path, path);
    }
    return true;
}

/* A link is followed (somebody's images may live on another disk); what counts is the place it
 * leads to. */
static int open_checked(int parent, const char *name, const char *shown, struct error *err)
{
    auto_close int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        error_set_errno(err, errno, "cannot open the directory %s", shown);
        return -1;
    }
    if (!check_place(fd, shown, err)) {
        return -1;
    }
    return take_fd(&fd);
}

static int open_root(const char *path, char **resolved, struct error *err)
{
    struct error failure = {0};
    if (!file_make_dirs(AT_FDCWD, path, &failure)) {
        error_set_told(err, failure.sys_errno, "%s: name a directory of your own with --state-dir",
            failure.text);
        return -1;
    }
    auto_free char *real = realpath(path, NULL);
    if (real == NULL) {
        error_set_errno(err, errno, "cannot resolve %s", path);
        return -1;
    }
    int fd = open_checked(AT_FDCWD, real, real, err);
    if (fd >= 0) {
        *resolved = take_ptr(real);
    }
    return fd;
}

/* Opens "a/b" below the root, making what is missing. */
static int open_below(int root, const char *root_path, const char *name, struct error *err)
{
    auto_free char *shown = memory_printf("%s/%s", root_path, name);
    for (const char *slash = strchr(name, '/');; slash = strchr(slash + 1, '/')) {
        auto_free char *part =
            slash != NULL ? memory_strndup(name, (size_t)(slash - name)) : memory_strdup(name);
        if (mkdirat(root, part, 0700) != 0 && errno != EEXIST) {
            error_set_errno(err, errno, "cannot make the directory %s", shown);
            return -1;
        }
        if (slash == NULL) {
            break;
        }
    }
    return open_checked(root, name, shown, err);
}

static bool open_all(struct store *store, struct error *err)
{
    for (size_t i = 0; i < STORE_KIND_COUNT; i++) {
        store->kinds[i] = open_below(store->dir, store->path, kind_rows[i].folder, err);
        if (store->kinds[i] < 0) {
            return false;
        }
    }
    for (size_t i = 0; i < STORE_AREA_COUNT; i++) {
        store->areas[i] = open_below(store->dir, store->path, area_rows[i], err);
        if (store->areas[i] < 0) {
            return false;
        }
    }
    for (size_t i = 0; i < STORE_CACHE_COUNT; i++) {
        store->caches[i] = open_below(store->cache, store->cache_path, cache_rows[i], err);
        if (store->caches[i] < 0) {
            return false;
        }
    }
    return true;
}

struct store *store_open(const char *state_dir, const char *cache_dir, struct error *err)
{
    auto_store struct store *store = memory_zero(1, sizeof(*store));
    store->dir = store->cache = -1;
    memset(store->kinds, 0xff, sizeof(store->kinds));
    memset(store->areas, 0xff, sizeof(store->areas));
    memset(store->caches, 0xff, sizeof(store->caches));
    if (state_dir == NULL || state_dir[0] == '\0') {
        error_set(err, ERROR_CONFIG, "no state directory is named: give one with --state-dir");
        return NULL;
    }
    store->dir = open_root(state_dir, &store->path, err);
    if (store->dir < 0) {
        error_wrap(err, "the state directory cannot be used");
        return NULL;
    }
    auto_free char *inside = memory_printf("%s/cache", store->path);
    store->cache = open_root(cache_dir != NULL ? cache_dir : inside, &store->cache_path, err);
    if (store->cache < 0) {
        error_wrap(err, "the cache directory cannot be used");
        return NULL;
    }
    if (!open_all(store, err)) {
        return NULL;
    }
    return take_ptr(store);
}

static void close_all(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
}

void store_close(struct store *store)
{
    if (store == NULL) {
        return;
    }
    close_all(store->kinds, STORE_KIND_COUNT);
    close_all(store->areas, STORE_AREA_COUNT);
    close_all(store->caches, STORE_CACHE_COUNT);
    close_all(&store->dir, 1);
    close_all(&store->cache, 1);
    free(store->path);
    free(store->cache_path);
    free(store);
}

void store_auto_close(struct store **store)
{
    store_close(*store);
}

void store_set_readonly(struct store *store)
{
    store->is_readonly = true;
}

bool store_is_readonly(const struct store *store)
{
    return store->is_readonly;
}

const char *store_path(const struct store *store)
{
    return store->path;
}

int store_dir_fd(const struct store *store)
{
    return store->dir;
}

int store_kind_dir(const struct store *store, enum store_kind kind)
{
    return store->kinds[kind];
}

int store_area_dir(const struct store *store, enum store_area area)
{
    return store->areas[area];
}

int store_cache_dir(const struct store *store, enum store_cache cache)
{
    return store->caches[cache];
}

int store_open_lists(const struct store *store, bool is_made)
{
    struct error ignored = {0};
    if (is_made) {
        return open_below(store->cache, store->cache_path, "lists", &ignored);
    }
    return openat(store->cache, "lists", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

const char *store_kind_name(enum store_kind kind)
{
    return kind_rows[kind].name;
}

const char *store_kind_folder(enum store_kind kind)
{
    return kind_rows[kind].folder;
}

char *store_entry_path(
    const struct store *store, enum store_kind kind, const char *name, const char *file)
{
    return memory_printf("%s/%s/%s%s%s", store->path, kind_rows[kind].folder, name,
        file != NULL ? "/" : "", file != NULL ? file : "");
}

char *store_cache_file_path(const struct store *store, enum store_cache cache, const char *file)
{
    return memory_printf("%s/%s/%s", store->cache_path, cache_rows[cache], file);
}
