/* SPDX-License-Identifier: MIT */
#include "artifact/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artifact/archive.h"
#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/memory.h"

#define COMPONENT_MAX 255
#define SYNC_STEP ((uint64_t)16 << 20)
#define LINK_HOPS_MAX 40 /* what the kernel follows */

void unpack_done(struct unpack *unpack)
{
    tdestroy(unpack->names, free);
    strings_done(&unpack->links);
    if (unpack->parent) {
        close(unpack->parent_fd);
        free(unpack->parent);
    }
    *unpack = (struct unpack){0};
}

/* Characters that make a letter of the one before: the same name could be written in two ways. */
static bool is_combining(unsigned c)
{
    return (c >= 0x300 && c <= 0x36f) || (c >= 0x483 && c <= 0x489) || (c >= 0x591 && c <= 0x5bd) ||
           (c >= 0x1ab0 && c <= 0x1aff) || (c >= 0x1dc0 && c <= 0x1dff) ||
           (c >= 0x20d0 && c <= 0x20ff) || (c >= 0x3099 && c <= 0x309a) ||
           (c >= 0xfe20 && c <= 0xfe2f);
}

static bool is_plain_component(const char *component, size_t len)
{
    if (len == 0 || len > COMPONENT_MAX || component[0] == '-' || component[0] == '~' ||
        component[0] == ' ' || component[len - 1] == ' ' || (len == 1 && component[0] == '.') ||
        (len == 2 && memcmp(component, "..", 2) == 0)) {
        return false;
    }
    for (size_t at = 0; at < len;) {
        unsigned c = 0;
        int used = text_decode_utf8(component + at, len - at, &c);
        if (used <= 0 || is_combining(c) ||
            (c < 0x80 && strchr("\\:*?\"'`<>|$&;%!(){}[]", (int)c))) {
            return false;
        }
        at += (size_t)used;
    }
    auto_done(text) struct text shown = {0};
    text_append_safe(&shown, component, len, true);
    return shown.len == len && memcmp(text_cstr(&shown), component, len) == 0;
}

char *unpack_clean_name(
    const char *name, bool is_directory, const struct limits *limits, struct error *err)
{
    const char *at = strncmp(name, "./", 2) == 0 ? name + 2 : name;
    size_t len = strlen(at);
    if (is_directory && (len == 0 || strcmp(name, ".") == 0)) {
        return memory_strdup("");
    }
    if (is_directory && at[len - 1] == '/') {
        len--;
    }
    if (len > UNPACK_PATH_MAX) {
        error_set(
            err, ERROR_LIMIT, "the archive holds a name of more than %d bytes", UNPACK_PATH_MAX);
        return NULL;
    }
    uint64_t depth = 1;
    size_t begin = 0;
    for (size_t i = 0; i <= len; i++) {
        if (i < len && at[i] != '/') {
            continue;
        }
        if (!is_plain_component(at + begin, i - begin)) {
            error_set(err, ERROR_FORMAT, "the archive holds the unsafe name \"%s\"", name);
            return NULL;
        }
        depth += i < len;
        begin = i + 1;
    }
    if (depth > limits->bundle_depth) {
        error_set(err, ERROR_LIMIT, "the archive nests directories deeper than bundle_depth (%llu)",
            (unsigned long long)limits->bundle_depth);
        return NULL;
    }
    return memory_strndup(at, len);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

bool unpack_claim(struct unpack *unpack, const char *path, struct error *err)
{
    char *name = memory_strdup(path);
    void *const *slot = tsearch(name, &unpack->names, compare_names);
    if (slot && *slot == name) {
        return true;
    }
    free(name);
    return slot ? error_set(err, ERROR_FORMAT, "the archive names %s twice", path)
                : error_set(err, ERROR_BUG, "out of memory");
}

static bool fail_below(const char *path, int errnum, struct error *err)
{
    if (errnum == ENOTDIR || errnum == ELOOP || errnum == EXDEV) {
        return error_set(
            err, ERROR_FORMAT, "the archive puts %s below something that is no directory", path);
    }
    return error_set_errno(err, errnum, "cannot create %s", path);
}

/* Opens the directory `path`, made with its missing parents; "" is the top. -1 on failure. */
static int open_directory(const struct unpack *unpack, const char *path, struct error *err)
{
    const char *top = path[0] == '\0' ? "." : path;
    int fd = file_open_beneath(unpack->dir, top, O_PATH | O_DIRECTORY, 0);
    if (fd >= 0 || errno != ENOENT) {
        if (fd < 0) {
            fail_below(path, errno, err);
        }
        return fd;
    }
    auto_close int at = fcntl(unpack->dir, F_DUPFD_CLOEXEC, 0);
    for (const char *rest = path; at >= 0 && *rest;) {
        size_t len = strcspn(rest, "/");
        auto_free char *component = memory_strndup(rest, len);
        rest += len + (rest[len] == '/');
        if (mkdirat(at, component, 0700) != 0 && errno != EEXIST) {
            break;
        }
        int next = openat(at, component, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0) {
            break;
        }
        close(at);
        at = next;
        if (!*rest) {
            return take_fd(&at);
        }
    }
    fail_below(path, errno, err);
    return -1;
}

/* The directory that will hold `path`, and in *name its last component. Borrowed. */
static int open_parent(
    struct unpack *unpack, const char *path, const char **name, struct error *err)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    *name = slash ? slash + 1 : path;
    if (unpack->parent && strlen(unpack->parent) == len && memcmp(unpack->parent, path, len) == 0) {
        return unpack->parent_fd;
    }
    auto_free char *parent = memory_strndup(path, len);
    int fd = open_directory(unpack, parent, err);
    if (fd < 0) {
        return -1;
    }
    if (unpack->parent) {
        close(unpack->parent_fd);
        free(unpack->parent);
    }
    unpack->parent = take_ptr(parent);
    unpack->parent_fd = fd;
    return fd;
}

bool unpack_directory(struct unpack *unpack, const char *path, struct error *err)
{
    if (tfind(path, &unpack->names, compare_names)) {
        return error_set(err, ERROR_FORMAT, "the archive names %s twice", path);
    }
    auto_close int fd = open_directory(unpack, path, err);
    return fd >= 0;
}

static bool fail_create(const char *path, struct error *err)
{
    if (errno == EEXIST) {
        return error_set(err, ERROR_FORMAT, "the archive names %s twice", path);
    }
    return fail_below(path, errno, err);
}

static bool write_data(int fd, const char *path, struct archive_reader *reader, struct error *err)
{
    uint64_t offset = 0;
    uint64_t started = 0; /* so much the disk was told to begin with */
    for (;;) {
        const void *bytes = NULL;
        ssize_t len = archive_reader_block(reader, &bytes, err);
        if (len < 0) {
            return false;
        }
        if (len == 0) {
            break;
        }
        if (!file_write_sparse(fd, bytes, (size_t)len, offset, err)) {
            return error_wrap(err, "writing %s", path);
        }
        offset += (uint64_t)len;
        if (offset - started >= SYNC_STEP) {
            file_start_sync(fd);
            started = offset;
        }
    }
    struct stat made;
    bool is_sized = fstat(fd, &made) == 0 && made.st_size == (off_t)offset;
    if (!is_sized && ftruncate(fd, (off_t)offset) != 0) {
        return error_set_errno(err, errno, "cannot set the size of %s", path);
    }
    return true;
}

bool unpack_file(
    struct unpack *unpack, const char *path, struct archive_reader *reader, struct error *err)
{
    const char *name = NULL;
    int parent = open_parent(unpack, path, &name, err);
    if (parent < 0 || !unpack_claim(unpack, path, err)) {
        return false;
    }
    auto_close int fd = file_open_beneath(parent, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd < 0) {
        return fail_create(path, err);
    }
    return write_data(fd, path, reader, err);
}

/* How many ".." a target begins with, or -1 when it does anything else unusual. */
static int count_ups(const char *target)
{
    int ups = 0;
    bool has_name = false;
    for (const char *at = target;;) {
        size_t len = strcspn(at, "/");
        bool is_up = len == 2 && memcmp(at, "..", 2) == 0;
        bool is_here = len == 1 && at[0] == '.';
        if (is_up ? has_name : !is_here && !is_plain_component(at, len)) {
            return -1;
        }
        ups += is_up;
        has_name |= !is_up && !is_here;
        if (at[len] == '\0') {
            return ups;
        }
        at += len + 1;
    }
}

bool unpack_link_stays(const char *path, const char *target)
{
    int depth = 0;
    for (const char *c = path; *c; c++) {
        depth += *c == '/';
    }
    int ups = strlen(target) > UNPACK_PATH_MAX ? -1 : count_ups(target);
    return ups >= 0 && ups <= depth;
}

bool unpack_symlink(struct unpack *unpack, const char *path, const char *target, struct error *err)
{
    if (!unpack_link_stays(path, target)) {
        return error_set(err, ERROR_FORMAT,
            "the symlink %s leaves the archive: it points to \"%s\"", path, target);
    }
    const char *name = NULL;
    int parent = open_parent(unpack, path, &name, err);
    if (parent < 0 || !unpack_claim(unpack, path, err)) {
        return false;
    }
    if (symlinkat(target, parent, name) != 0) {
        return fail_create(path, err);
    }
    strings_add(&unpack->links, path);
    return true;
}

/* One step of a walk: `at` is a real directory (or the last component), `rest` what comes. */
struct walk {
    struct text at, rest;
    int hops;
};

static void walk_done(struct walk *walk)
{
    text_done(&walk->at);
    text_done(&walk->rest);
}

static void put_in_front(struct text *rest, const char *target)
{
    auto_free char *old = text_take(rest);
    text_append(rest, target);
    if (old[0] != '\0') {
        text_append_char(rest, '/');
        text_append(rest, old);
    }
}

static bool walk_up(struct walk *walk)
{
    if (walk->at.len == 0) {
        return false;
    }
    char *slash = strrchr(walk->at.data, '/');
    walk->at.len = slash ? (size_t)(slash - walk->at.data) : 0;
    walk->at.data[walk->at.len] = '\0';
    return true;
}

/* Follows one link in the finished, quiet tree. A link to nothing stays inside as well. */
static bool stays_inside(int dir, const char *link)
{
    auto_done(walk) struct walk walk = {0};
    text_append(&walk.rest, link);
    while (walk.rest.len > 0) {
        auto_free char *rest = text_take(&walk.rest);
        size_t len = strcspn(rest, "/");
        text_append(&walk.rest, rest[len] ? rest + len + 1 : "");
        rest[len] = '\0';
        if (strcmp(rest, ".") == 0) {
            continue;
        }
        if (strcmp(rest, "..") == 0) {
            if (!walk_up(&walk)) {
                return false;
            }
            continue;
        }
        text_printf(&walk.at, "%s%s", walk.at.len ? "/" : "", rest);
        char target[UNPACK_PATH_MAX + 1];
        ssize_t got = readlinkat(dir, text_cstr(&walk.at), target, sizeof target);
        if (got < 0) {
            if (errno != EINVAL) {
                return true;
            }
            continue; /* no link */
        }
        if (++walk.hops > LINK_HOPS_MAX || got >= (ssize_t)sizeof target || target[0] == '/') {
            return false;
        }
        target[got] = '\0';
        walk_up(&walk);
        put_in_front(&walk.rest, target);
    }
    return true;
}

bool unpack_finish(struct unpack *unpack, struct error *err)
{
    for (size_t i = 0; i < unpack->links.count; i++) {
        if (!stays_inside(unpack->dir, unpack->links.items[i])) {
            return error_set(err, ERROR_FORMAT, "the symlink %s leaves the archive or never ends",
                unpack->links.items[i]);
        }
    }
    return true;
}
