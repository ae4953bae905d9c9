/* SPDX-License-Identifier: MIT */
#include "base/tree_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define NAME_BYTES_MAX 4095u

/* A directory that was made: what is set last, because it may forbid writing. */
struct made {
    char *path;
    mode_t mode;
    struct timespec mtime;
};

/* ---- names ---------------------------------------------------------------------------------- */

char *tree_top_name(const char *path)
{
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/') {
        len--;
    }
    size_t begin = len;
    while (begin > 0 && path[begin - 1] != '/') {
        begin--;
    }
    const char *name = path + begin;
    size_t name_len = len - begin;
    bool is_inside = name_len == 0 || (name_len == 1 && name[0] == '.') ||
                     (name_len == 2 && memcmp(name, "..", 2) == 0);
    return is_inside ? tree_text(".", 1) : tree_text(name, name_len);
}

/* The name as it will be beneath the directory: no empty components, no ".", `from` replaced. ""
 * means the directory itself. NULL: refused. */
static char *place_name(
    const struct tree_place *place, const char *name, struct tree_failure *failure)
{
    char *placed = tree_grow(NULL, strlen(name) + (place->to != NULL ? strlen(place->to) : 0) + 2);
    size_t len = 0;
    bool is_first = true;
    bool is_fine = name[0] != '/' && strlen(name) <= NAME_BYTES_MAX;
    for (const char *at = name; is_fine && *at != '\0';) {
        size_t part = strcspn(at, "/");
        const char *word = at;
        at += part + (at[part] == '/');
        if (part == 0 || (part == 1 && word[0] == '.')) {
            continue;
        }
        if (is_first && place->from != NULL) {
            is_fine = strlen(place->from) == part && memcmp(word, place->from, part) == 0;
            word = place->to;
            part = strlen(word);
        }
        is_fine = is_fine && part <= NAME_MAX && !(part == 2 && memcmp(word, "..", 2) == 0);
        if (!is_first) {
            placed[len++] = '/';
        }
        memcpy(placed + len, word, part);
        len += part;
        is_first = false;
    }
    if (is_fine && !(is_first && place->from != NULL)) {
        placed[len] = '\0';
        return placed;
    }
    free(placed);
    tree_fail(failure, TREE_FAULT_FORMAT, 0,
        "the stream holds the name \"%s\", which leads out of what is copied", name);
    return NULL;
}

/* The directory beneath dir, walked through no link; made where it is missing. -1 on failure. */
static int walk(
    const struct tree_place *place, const char *path, bool is_made, struct tree_failure *failure)
{
    int at = fcntl(place->dir, F_DUPFD_CLOEXEC, 0);
    for (const char *rest = path; at >= 0 && *rest != '\0';) {
        size_t len = strcspn(rest, "/");
        char *name = tree_text(rest, len);
        rest += len + (rest[len] == '/');
        int next = openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0 && errno == ENOENT && is_made &&
            (mkdirat(at, name, 0755) == 0 || errno == EEXIST)) {
            next = openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        }
        free(name);
        int error = errno;
        close(at);
        errno = error;
        at = next;
    }
    if (at < 0 && (errno == ENOTDIR || errno == ELOOP)) {
        tree_fail(failure, TREE_FAULT_FORMAT, 0,
            "%s lies behind a link or a file: nothing is written through those", place->shown);
    } else if (at < 0) {
        tree_fail_errno(failure, "cannot open the directory of %s", place->shown);
    }
    return at;
}

/* The directory that holds path, and in *name the last component. The descriptor is kept. */
static int parent_of(
    struct tree_place *place, const char *path, const char **name, struct tree_failure *failure)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - path);
    *name = slash == NULL ? path : slash + 1;
    if (place->parent != NULL && strlen(place->parent) == len &&
        memcmp(place->parent, path, len) == 0) {
        return place->parent_fd;
    }
    char *parent = tree_text(path, len);
    int fd = walk(place, parent, true, failure);
    if (fd < 0) {
        free(parent);
        return -1;
    }
    if (place->parent != NULL) {
        close(place->parent_fd);
        free(place->parent);
    }
    place->parent = parent;
    place->parent_fd = fd;
    return fd;
}

/* ---- making --------------------------------------------------------------------------------- */

/* What stands there may go, unless it is a directory. */
static bool check_room(const struct tree_place *place, int dir, const char *name, bool *is_taken,
    struct tree_failure *failure)
{
    struct stat status;
    *is_taken = fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
    if (!*is_taken) {
        return errno == ENOENT || tree_fail_errno(failure, "cannot make %s", place->shown);
    }
    return !S_ISDIR(status.st_mode) ||
           tree_fail(failure, TREE_FAULT_IO, EISDIR, "cannot put a file where the directory %s is",
               place->shown);
}

static bool make_room(
    const struct tree_place *place, int dir, const char *name, struct tree_failure *failure)
{
    bool is_taken = false;
    return check_room(place, dir, name, &is_taken, failure) &&
           (!is_taken || unlinkat(dir, name, 0) == 0 ||
               tree_fail_errno(failure, "cannot replace %s", place->shown));
}

static mode_t mode_of(const struct tree_place *place)
{
    return place->entry->mode & (place->rules.keeps_owners ? 07777 : 0777);
}

static void set_file_times(int fd, const struct timespec *mtime)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, *mtime};
    futimens(fd, times);
}

static void set_times(int dir, const char *name, const struct timespec *mtime)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, *mtime};
    utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW);
}

static void set_xattrs(const struct tree_entry *entry, int fd)
{
    for (size_t i = 0; i < entry->xattr_count; i++) {
        const struct tree_xattr *xattr = &entry->xattrs[i];
        if (strncmp(xattr->name, TREE_XATTR_PREFIX, strlen(TREE_XATTR_PREFIX)) == 0) {
            fsetxattr(fd, xattr->name, xattr->value, xattr->len, 0); /* where there is room */
        }
    }
}

static bool own(
    const struct tree_place *place, int dir, const char *name, struct tree_failure *failure)
{
    return !place->rules.keeps_owners ||
           fchownat(dir, name, place->entry->uid, place->entry->gid, AT_SYMLINK_NOFOLLOW) == 0 ||
           tree_fail_errno(failure, "cannot set the owner of %s", place->shown);
}

static bool make_directory(struct tree_place *place, const char *path, struct tree_failure *failure)
{
    const char *name = NULL;
    int parent = *path == '\0' ? place->dir : parent_of(place, path, &name, failure);
    if (*path == '\0' || parent < 0) {
        return parent >= 0; /* the directory itself is there, and stays as it is */
    }
    if (mkdirat(parent, name, 0700) != 0) {
        struct stat status;
        bool is_there = errno == EEXIST &&
                        fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                        S_ISDIR(status.st_mode);
        errno = EEXIST;
        return is_there || tree_fail_errno(failure, "cannot make the directory %s", place->shown);
    }
    place->made = tree_grow(place->made, (place->made_count + 1) * sizeof *place->made);
    place->made[place->made_count++] = (struct made){.path = tree_text(path, strlen(path)),
        .mode = mode_of(place),
        .mtime = place->entry->mtime};
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0) {
        set_xattrs(place->entry, fd);
        close(fd);
    }
    return own(place, parent, name, failure);
}

static bool make_link(
    struct tree_place *place, int parent, const char *name, struct tree_failure *failure)
{
    if (!make_room(place, parent, name, failure)) {
        return false;
    }
    if (symlinkat(place->entry->link, parent, name) != 0) {
        return tree_fail_errno(failure, "cannot make the link %s", place->shown);
    }
    set_times(parent, name, &place->entry->mtime);
    return own(place, parent, name, failure);
}

static bool make_hard_link(struct tree_place *place, const char *path, int parent, const char *name,
    struct tree_failure *failure)
{
    char *target = place_name(place, place->entry->link, failure);
    if (target == NULL || strcmp(target, path) == 0) {
        bool is_itself = target != NULL;
        free(target);
        return is_itself;
    }
    char *slash = strrchr(target, '/');
    char *directory = tree_text(target, slash == NULL ? 0 : (size_t)(slash - target));
    int from = walk(place, directory, false, failure);
    bool is_made = from >= 0 && make_room(place, parent, name, failure);
    if (is_made && linkat(from, slash == NULL ? target : slash + 1, parent, name, 0) != 0) {
        is_made = tree_fail_errno(failure, "cannot link %s", place->shown);
    }
    if (from >= 0) {
        close(from);
    }
    free(directory);
    free(target);
    return is_made;
}

static bool make_node(
    struct tree_place *place, int parent, const char *name, struct tree_failure *failure)
{
    static const mode_t types[] = {
        ['3' - '3'] = S_IFCHR, ['4' - '3'] = S_IFBLK, ['6' - '3'] = S_IFIFO};
    if (!place->rules.keeps_nodes) {
        place->skipped++;
        return true;
    }
    mode_t mode = types[place->entry->type - '3'] | mode_of(place);
    dev_t device = makedev(place->entry->device_major, place->entry->device_minor);
    if (!make_room(place, parent, name, failure)) {
        return false;
    }
    if (mknodat(parent, name, mode, device) != 0 ||
        fchmodat(parent, name, mode_of(place), 0) != 0) {
        return tree_fail_errno(failure, "cannot make %s", place->shown);
    }
    set_times(parent, name, &place->entry->mtime);
    return own(place, parent, name, failure);
}

/* Modes last: they may take away what was needed until here. */
bool tree_place_end_file(struct tree_place *place, struct tree_failure *failure)
{
    int fd = place->file;
    const struct tree_entry *entry = place->entry;
    bool is_fine = ftruncate(fd, (off_t)entry->real_bytes) == 0 ||
                   tree_fail_errno(failure, "cannot set the size of %s", place->shown);
    if (is_fine && place->rules.keeps_owners && fchown(fd, entry->uid, entry->gid) != 0) {
        is_fine = tree_fail_errno(failure, "cannot set the owner of %s", place->shown);
    }
    set_xattrs(entry, fd);
    if (is_fine && fchmod(fd, mode_of(place)) != 0) {
        is_fine = tree_fail_errno(failure, "cannot set the mode of %s", place->shown);
    }
    set_file_times(fd, &entry->mtime);
    place->file = -1;
    if (close(fd) != 0 && is_fine) {
        is_fine = tree_fail_errno(failure, "cannot write %s", place->shown);
    }
    if (is_fine &&
        renameat(place->parent_fd, place->draft, place->parent_fd, place->file_name) != 0) {
        is_fine = tree_fail_errno(failure, "cannot give %s its name", place->shown);
    }
    if (!is_fine) {
        unlinkat(place->parent_fd, place->draft, 0);
    }
    return is_fine;
}

/* Under another name until it is whole: what was there before stays until then. */
static bool begin_file(
    struct tree_place *place, int parent, const char *name, struct tree_failure *failure)
{
    uint64_t number = 0;
    bool is_taken = false;
    if (!check_room(place, parent, name, &is_taken, failure)) {
        return false;
    }
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number) {
        return tree_fail_errno(failure, "cannot make %s", place->shown);
    }
    snprintf(place->draft, sizeof place->draft, ".copy-%016" PRIx64, number);
    free(place->file_name);
    place->file_name = tree_text(name, strlen(name));
    place->file =
        openat(parent, place->draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return place->file >= 0 || tree_fail_errno(failure, "cannot make %s", place->shown);
}

bool tree_place_make(struct tree_place *place, const struct tree_entry *entry, bool is_first,
    struct tree_failure *failure)
{
    place->entry = entry;
    char *path = place_name(place, entry->path, failure);
    if (path == NULL) {
        return false;
    }
    free(place->shown);
    place->shown = tree_text(path, strlen(path));
    bool is_made = false;
    const char *name = NULL;
    int parent = -1;
    if (place->is_directory_wanted && is_first && entry->type != '5') {
        tree_fail(
            failure, TREE_FAULT_IO, ENOTDIR, "%s is no directory, as its slash says", place->to);
    } else if (entry->type == '5') {
        is_made = make_directory(place, path, failure);
    } else if (*path == '\0') {
        tree_fail(failure, TREE_FAULT_FORMAT, 0, "the stream has a member without a name");
    } else if ((parent = parent_of(place, path, &name, failure)) >= 0) {
        is_made = entry->type == '0'   ? begin_file(place, parent, name, failure)
                  : entry->type == '1' ? make_hard_link(place, path, parent, name, failure)
                  : entry->type == '2' ? make_link(place, parent, name, failure)
                                       : make_node(place, parent, name, failure);
    }
    free(path);
    return is_made;
}

/* ---- the end --------------------------------------------------------------------------------- */

bool tree_place_finish(struct tree_place *place, struct tree_failure *failure)
{
    while (place->made_count > 0) {
        struct made *made = &place->made[--place->made_count];
        free(place->shown);
        place->shown = made->path;
        int path_fd = walk(place, made->path, false, failure);
        int fd = path_fd < 0 ? -1 : openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        bool is_set = fd >= 0 && fchmod(fd, made->mode) == 0;
        if (fd >= 0) {
            set_file_times(fd, &made->mtime);
            close(fd);
        }
        if (path_fd >= 0) {
            close(path_fd);
        }
        if (path_fd < 0 || !is_set) {
            return path_fd < 0
                       ? false
                       : tree_fail_errno(failure, "cannot set the mode of %s", place->shown);
        }
    }
    return true;
}

/* ---- where to ------------------------------------------------------------------------------- */

static int open_directory(const char *path)
{
    return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* The path does not lead to a directory: it is the name that top gets, or to be made. */
static bool open_beside(
    struct tree_place *place, const char *path, const char *top, struct tree_failure *failure)
{
    char *name = tree_top_name(path);
    size_t len = strlen(path);
    while (len > 0 && path[len - 1] == '/') {
        len--;
    }
    place->is_directory_wanted = path[len] == '/';
    while (len > 0 && path[len - 1] != '/') {
        len--;
    }
    char *parent = len == 0 ? tree_text(".", 1) : tree_text(path, len);
    if (strcmp(top, ".") == 0) {
        bool is_made = mkdir(path, 0755) == 0;
        place->dir = is_made ? open_directory(path) : -1;
    } else if (strcmp(name, ".") != 0) {
        place->dir = open_directory(parent);
        place->from = tree_text(top, strlen(top));
        place->to = tree_text(name, strlen(name));
    }
    free(name);
    free(parent);
    return place->dir >= 0 || tree_fail_errno(failure, "cannot open %s", path);
}

bool tree_place_open(struct tree_place *place, const char *path, const char *top,
    const struct tree_rules *rules, struct tree_failure *failure)
{
    *place = (struct tree_place){.rules = *rules, .file = -1, .parent_fd = -1};
    place->dir = *path == '\0' ? -1 : open_directory(path);
    if (place->dir < 0 && (top == NULL || (errno != ENOENT && errno != ENOTDIR))) {
        return tree_fail_errno(failure, "cannot open the directory %s", path);
    }
    if (place->dir < 0) {
        return open_beside(place, path, top, failure);
    }
    if (top != NULL && strcmp(top, ".") != 0) {
        place->from = tree_text(top, strlen(top));
        place->to = tree_text(top, strlen(top));
    }
    return true;
}

void tree_place_done(struct tree_place *place)
{
    if (place->file >= 0) {
        close(place->file);
        unlinkat(place->parent_fd, place->draft, 0);
    }
    if (place->parent != NULL) {
        close(place->parent_fd);
    }
    if (place->dir >= 0) {
        close(place->dir);
    }
    for (size_t i = 0; i < place->made_count; i++) {
        free(place->made[i].path);
    }
    free(place->made);
    free(place->parent);
    free(place->shown);
    free(place->file_name);
    free(place->from);
    free(place->to);
}
