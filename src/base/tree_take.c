/* SPDX-License-Identifier: MIT */
#include "base/tree_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define NAME_BYTES_MAX 4095u
#define MAP_MAX ((size_t)4 << 20)
#define METAS_MAX 8u                 /* extended headers in front of one member */
#define TAIL_MAX ((uint64_t)1 << 20) /* zeros behind the end: writers fill up their last record */

enum state {
    STATE_BLOCK, /* a header */
    STATE_META,  /* the body of an extended one */
    STATE_MAP,   /* where the holes of a file are */
    STATE_DATA,
    STATE_PADDING,
    STATE_END,
};

/* A directory that was made: what is set last, because it may forbid writing. */
struct made {
    char *path;
    mode_t mode;
    struct timespec mtime;
};

struct piece {
    uint64_t at, len;
};

struct tree_take {
    struct tree_rules rules;
    struct tree_count count;
    int dir;
    char *from, *to; /* the first component `from` is called `to` here; NULL: any name */
    bool is_directory_wanted;
    char *shown; /* of what is being made, for sentences */

    enum state state;
    unsigned char block[TREE_BLOCK];
    size_t block_len;
    unsigned zero_blocks;
    unsigned metas;
    uint64_t tail;
    char meta_type;
    struct tree_bytes meta; /* or the map of the holes */
    uint64_t left;          /* bytes of the part at hand */
    uint64_t padding;
    struct tree_entry entry; /* grows over its extended headers */

    int file; /* -1: none */
    struct piece *pieces;
    size_t piece_count, piece_at;
    uint64_t piece_done;

    char *parent; /* path of the directory that parent_fd is */
    int parent_fd;
    struct made *made;
    size_t made_count;
};

static bool malformed(const struct tree_take *take, struct tree_failure *failure)
{
    return tree_fail(failure, TREE_FAULT_FORMAT, 0, "the stream is no tar archive, or damaged%s%s",
        take->count.entries > 0 ? ", behind " : "",
        take->count.entries > 0 && take->shown != NULL ? take->shown : "");
}

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
    const struct tree_take *take, const char *name, struct tree_failure *failure)
{
    char *placed = tree_grow(NULL, strlen(name) + (take->to != NULL ? strlen(take->to) : 0) + 2);
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
        if (is_first && take->from != NULL) {
            is_fine = strlen(take->from) == part && memcmp(word, take->from, part) == 0;
            word = take->to;
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
    if (is_fine && !(is_first && take->from != NULL)) {
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
    const struct tree_take *take, const char *path, bool is_made, struct tree_failure *failure)
{
    int at = fcntl(take->dir, F_DUPFD_CLOEXEC, 0);
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
            "%s lies behind a link or a file: nothing is written through those", take->shown);
    } else if (at < 0) {
        tree_fail_errno(failure, "cannot open the directory of %s", take->shown);
    }
    return at;
}

/* The directory that holds path, and in *name the last component. The descriptor is kept. */
static int parent_of(
    struct tree_take *take, const char *path, const char **name, struct tree_failure *failure)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - path);
    *name = slash == NULL ? path : slash + 1;
    if (take->parent != NULL && strlen(take->parent) == len &&
        memcmp(take->parent, path, len) == 0) {
        return take->parent_fd;
    }
    char *parent = tree_text(path, len);
    int fd = walk(take, parent, true, failure);
    if (fd < 0) {
        free(parent);
        return -1;
    }
    if (take->parent != NULL) {
        close(take->parent_fd);
        free(take->parent);
    }
    take->parent = parent;
    take->parent_fd = fd;
    return fd;
}

/* ---- making --------------------------------------------------------------------------------- */

/* What stands there goes away, unless it is a directory. */
static bool make_room(
    const struct tree_take *take, int dir, const char *name, struct tree_failure *failure)
{
    struct stat status;
    if (fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return errno == ENOENT || tree_fail_errno(failure, "cannot make %s", take->shown);
    }
    if (S_ISDIR(status.st_mode)) {
        return tree_fail(failure, TREE_FAULT_IO, EISDIR,
            "cannot put a file where the directory %s is", take->shown);
    }
    return unlinkat(dir, name, 0) == 0 ||
           tree_fail_errno(failure, "cannot replace %s", take->shown);
}

static mode_t mode_of(const struct tree_take *take)
{
    return take->entry.mode & (take->rules.keeps_owners ? 07777 : 0777);
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
    const struct tree_take *take, int dir, const char *name, struct tree_failure *failure)
{
    return !take->rules.keeps_owners ||
           fchownat(dir, name, take->entry.uid, take->entry.gid, AT_SYMLINK_NOFOLLOW) == 0 ||
           tree_fail_errno(failure, "cannot set the owner of %s", take->shown);
}

static bool make_directory(struct tree_take *take, const char *path, struct tree_failure *failure)
{
    const char *name = NULL;
    int parent = *path == '\0' ? take->dir : parent_of(take, path, &name, failure);
    if (*path == '\0' || parent < 0) {
        return parent >= 0; /* the directory itself is there, and stays as it is */
    }
    if (mkdirat(parent, name, 0700) != 0) {
        struct stat status;
        bool is_there = errno == EEXIST &&
                        fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                        S_ISDIR(status.st_mode);
        errno = EEXIST;
        return is_there || tree_fail_errno(failure, "cannot make the directory %s", take->shown);
    }
    take->made = tree_grow(take->made, (take->made_count + 1) * sizeof *take->made);
    take->made[take->made_count++] = (struct made){
        .path = tree_text(path, strlen(path)), .mode = mode_of(take), .mtime = take->entry.mtime};
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0) {
        set_xattrs(&take->entry, fd);
        close(fd);
    }
    return own(take, parent, name, failure);
}

static bool make_link(
    struct tree_take *take, int parent, const char *name, struct tree_failure *failure)
{
    if (!make_room(take, parent, name, failure)) {
        return false;
    }
    if (symlinkat(take->entry.link, parent, name) != 0) {
        return tree_fail_errno(failure, "cannot make the link %s", take->shown);
    }
    set_times(parent, name, &take->entry.mtime);
    return own(take, parent, name, failure);
}

static bool make_hard_link(struct tree_take *take, const char *path, int parent, const char *name,
    struct tree_failure *failure)
{
    char *target = place_name(take, take->entry.link, failure);
    if (target == NULL || strcmp(target, path) == 0) {
        bool is_itself = target != NULL;
        free(target);
        return is_itself;
    }
    char *slash = strrchr(target, '/');
    char *directory = tree_text(target, slash == NULL ? 0 : (size_t)(slash - target));
    int from = walk(take, directory, false, failure);
    bool is_made = from >= 0 && make_room(take, parent, name, failure);
    if (is_made && linkat(from, slash == NULL ? target : slash + 1, parent, name, 0) != 0) {
        is_made = tree_fail_errno(failure, "cannot link %s", take->shown);
    }
    if (from >= 0) {
        close(from);
    }
    free(directory);
    free(target);
    return is_made;
}

static bool make_node(
    struct tree_take *take, int parent, const char *name, struct tree_failure *failure)
{
    static const mode_t types[] = {
        ['3' - '3'] = S_IFCHR, ['4' - '3'] = S_IFBLK, ['6' - '3'] = S_IFIFO};
    if (!take->rules.keeps_nodes) {
        take->count.skipped++;
        return true;
    }
    mode_t mode = types[take->entry.type - '3'] | mode_of(take);
    dev_t device = makedev(take->entry.device_major, take->entry.device_minor);
    if (!make_room(take, parent, name, failure)) {
        return false;
    }
    if (mknodat(parent, name, mode, device) != 0 || fchmodat(parent, name, mode_of(take), 0) != 0) {
        return tree_fail_errno(failure, "cannot make %s", take->shown);
    }
    set_times(parent, name, &take->entry.mtime);
    return own(take, parent, name, failure);
}

/* Modes last: they may take away what was needed until here. */
static bool end_file(struct tree_take *take, struct tree_failure *failure)
{
    int fd = take->file;
    const struct tree_entry *entry = &take->entry;
    bool is_fine = ftruncate(fd, (off_t)entry->real_bytes) == 0 ||
                   tree_fail_errno(failure, "cannot set the size of %s", take->shown);
    if (is_fine && take->rules.keeps_owners && fchown(fd, entry->uid, entry->gid) != 0) {
        is_fine = tree_fail_errno(failure, "cannot set the owner of %s", take->shown);
    }
    set_xattrs(entry, fd);
    if (is_fine && fchmod(fd, mode_of(take)) != 0) {
        is_fine = tree_fail_errno(failure, "cannot set the mode of %s", take->shown);
    }
    set_file_times(fd, &entry->mtime);
    take->file = -1;
    if (close(fd) != 0 && is_fine) {
        is_fine = tree_fail_errno(failure, "cannot write %s", take->shown);
    }
    return is_fine;
}

static bool begin_file(
    struct tree_take *take, int parent, const char *name, struct tree_failure *failure)
{
    if (!make_room(take, parent, name, failure)) {
        return false;
    }
    take->file = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (take->file < 0) {
        return tree_fail_errno(failure, "cannot make %s", take->shown);
    }
    take->left = take->entry.stored_bytes;
    take->padding = (TREE_BLOCK - take->left % TREE_BLOCK) % TREE_BLOCK;
    take->piece_at = 0;
    take->piece_done = 0;
    take->pieces = tree_grow(take->pieces, sizeof *take->pieces);
    take->pieces[0] = (struct piece){.at = 0, .len = take->left};
    take->piece_count = 1;
    take->meta.len = 0;
    take->state = take->entry.is_sparse ? STATE_MAP : STATE_DATA;
    return true;
}

static bool make(struct tree_take *take, struct tree_failure *failure)
{
    const struct tree_entry *entry = &take->entry;
    char *path = place_name(take, entry->path, failure);
    if (path == NULL) {
        return false;
    }
    free(take->shown);
    take->shown = tree_text(path, strlen(path));
    bool is_made = false;
    const char *name = NULL;
    int parent = -1;
    if (take->is_directory_wanted && take->count.entries == 1 && entry->type != '5') {
        tree_fail(
            failure, TREE_FAULT_IO, ENOTDIR, "%s is no directory, as its slash says", take->to);
    } else if (entry->type == '5') {
        is_made = make_directory(take, path, failure);
    } else if (*path == '\0') {
        malformed(take, failure);
    } else if ((parent = parent_of(take, path, &name, failure)) >= 0) {
        is_made = entry->type == '0'   ? begin_file(take, parent, name, failure)
                  : entry->type == '1' ? make_hard_link(take, path, parent, name, failure)
                  : entry->type == '2' ? make_link(take, parent, name, failure)
                                       : make_node(take, parent, name, failure);
    }
    free(path);
    return is_made;
}

/* ---- reading -------------------------------------------------------------------------------- */

static bool is_zero(const unsigned char *block)
{
    return block[0] == 0 && memcmp(block, block + 1, TREE_BLOCK - 1) == 0;
}

static bool begin_meta(struct tree_take *take, uint64_t size, struct tree_failure *failure)
{
    if (size > TREE_META_MAX || ++take->metas > METAS_MAX) {
        return tree_fail(failure, TREE_FAULT_LIMIT, 0, "a header in the stream is too long");
    }
    take->meta.len = 0;
    take->left = size;
    take->padding = (TREE_BLOCK - size % TREE_BLOCK) % TREE_BLOCK;
    take->state = STATE_META;
    return true;
}

static bool begin_entry(struct tree_take *take, struct tree_failure *failure)
{
    if (!tree_entry_read(&take->entry, take->block) || take->entry.path[0] == '\0' ||
        strchr("0123456", take->entry.type) == NULL ||
        (strchr("12", take->entry.type) != NULL && take->entry.link[0] == '\0')) {
        return malformed(take, failure);
    }
    take->metas = 0;
    take->count.entries++;
    if (take->count.entries > take->rules.entries_max ||
        take->entry.stored_bytes > take->rules.bytes_max - take->count.data_bytes) {
        return tree_fail(failure, TREE_FAULT_LIMIT, 0,
            "the copy holds more files or bytes than the limits allow");
    }
    take->count.data_bytes += take->entry.stored_bytes;
    take->state = STATE_BLOCK;
    if (!make(take, failure)) {
        return false;
    }
    if (take->file < 0) {
        tree_entry_done(&take->entry);
    }
    return true;
}

static bool take_block(struct tree_take *take, struct tree_failure *failure)
{
    char type = 0;
    uint64_t size = 0;
    take->block_len = 0;
    if (is_zero(take->block)) {
        take->state = ++take->zero_blocks == 2 ? STATE_END : STATE_BLOCK;
        return take->entry.path == NULL || malformed(take, failure);
    }
    if (take->zero_blocks > 0 || !tree_block_check(take->block, &type, &size)) {
        return malformed(take, failure);
    }
    if (strchr("xgLK", type) != NULL) {
        take->meta_type = type;
        return begin_meta(take, size, failure);
    }
    return begin_entry(take, failure);
}

static bool end_meta(struct tree_take *take, struct tree_failure *failure)
{
    tree_bytes_add(&take->meta, "", 1);
    const char *body = (const char *)take->meta.bytes;
    size_t len = take->meta.len - 1;
    take->state = STATE_PADDING;
    if (take->meta_type == 'x' && !tree_entry_read_pax(&take->entry, body, len)) {
        return malformed(take, failure);
    }
    if (take->meta_type == 'L' || take->meta_type == 'K') {
        char **to = take->meta_type == 'L' ? &take->entry.path : &take->entry.link;
        free(*to);
        *to = tree_text(body, strlen(body));
    }
    return true;
}

/* A number and its line feed. */
static bool map_number(const char **at, uint64_t *number)
{
    char *end = NULL;
    errno = 0;
    *number = strtoull(*at, &end, 10);
    bool is_fine = **at >= '0' && **at <= '9' && *end == '\n' && errno == 0 && *number <= INT64_MAX;
    *at = end + is_fine;
    return is_fine;
}

/* The map is whole once as many lines came as its first line says. *map_len: with its padding. */
static bool read_map(struct tree_take *take, bool *is_whole)
{
    const char *at = (const char *)take->meta.bytes;
    const char *end = at + take->meta.len;
    uint64_t count = 0;
    size_t lines = 0;
    for (const char *c = at; c < end; c++) {
        lines += *c == '\n';
    }
    *is_whole = false;
    if (lines == 0) {
        return take->meta.len < 24;
    }
    if (!map_number(&at, &count) || count > TREE_HOLES_MAX + 1) {
        return false;
    }
    if (lines < 1 + 2 * count) {
        return true;
    }
    take->pieces = tree_grow(take->pieces, (size_t)(count + 1) * sizeof *take->pieces);
    take->piece_count = 0;
    uint64_t behind = 0;
    for (uint64_t i = 0; i < count; i++) {
        struct piece piece;
        if (!map_number(&at, &piece.at) || !map_number(&at, &piece.len) || piece.at < behind ||
            piece.at > take->entry.real_bytes || piece.len > take->entry.real_bytes - piece.at) {
            return false;
        }
        behind = piece.at + piece.len;
        take->pieces[take->piece_count++] = piece;
    }
    *is_whole = true;
    return true;
}

static bool take_map_block(struct tree_take *take, struct tree_failure *failure)
{
    bool is_whole = false;
    tree_bytes_add(&take->meta, "", 1);
    take->meta.len--;
    if (take->meta.len > MAP_MAX || !read_map(take, &is_whole)) {
        return malformed(take, failure);
    }
    if (is_whole) {
        uint64_t promised = 0;
        for (size_t i = 0; i < take->piece_count; i++) {
            promised += take->pieces[i].len;
        }
        take->state = STATE_DATA;
        return promised == take->left || malformed(take, failure);
    }
    return take->left > 0 || malformed(take, failure);
}

static bool write_data(
    struct tree_take *take, const unsigned char *bytes, size_t len, struct tree_failure *failure)
{
    while (len > 0) {
        const struct piece *piece = &take->pieces[take->piece_at];
        uint64_t room = piece->len - take->piece_done;
        if (room == 0) {
            take->piece_at++;
            take->piece_done = 0;
            continue;
        }
        size_t part = len < room ? len : (size_t)room;
        ssize_t done = pwrite(take->file, bytes, part, (off_t)(piece->at + take->piece_done));
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return tree_fail_errno(failure, "cannot write %s", take->shown);
        }
        take->piece_done += (uint64_t)done;
        bytes += done;
        len -= (size_t)done;
    }
    return true;
}

/* Takes what belongs to the state at hand; returns how much, or -1. */
static ssize_t take_part(
    struct tree_take *take, const unsigned char *bytes, size_t len, struct tree_failure *failure)
{
    size_t part = len;
    switch (take->state) {
    case STATE_BLOCK:
        part = len < TREE_BLOCK - take->block_len ? len : TREE_BLOCK - take->block_len;
        memcpy(take->block + take->block_len, bytes, part);
        take->block_len += part;
        return take->block_len < TREE_BLOCK || take_block(take, failure) ? (ssize_t)part : -1;
    case STATE_META:
        part = len < take->left ? len : (size_t)take->left;
        tree_bytes_add(&take->meta, bytes, part);
        take->left -= part;
        return (ssize_t)part;
    case STATE_MAP: {
        size_t block = TREE_BLOCK - take->meta.len % TREE_BLOCK;
        part = len < block ? len : block;
        part = part < take->left ? part : (size_t)take->left;
        tree_bytes_add(&take->meta, bytes, part);
        take->left -= part;
        bool is_due = part == block || take->left == 0;
        return !is_due || take_map_block(take, failure) ? (ssize_t)part : -1;
    }
    case STATE_DATA:
        part = len < take->left ? len : (size_t)take->left;
        take->left -= part;
        return write_data(take, bytes, part, failure) ? (ssize_t)part : -1;
    case STATE_PADDING:
        part = len < take->padding ? len : (size_t)take->padding;
        take->padding -= part;
        return (ssize_t)part;
    case STATE_END:
        break;
    }
    take->tail += part;
    if (take->tail > TAIL_MAX) {
        malformed(take, failure);
        return -1;
    }
    return (ssize_t)part;
}

/* Moves on from states that have everything they wait for, which may be nothing at all. */
static bool settle(struct tree_take *take, struct tree_failure *failure)
{
    if (take->state == STATE_META && take->left == 0 && !end_meta(take, failure)) {
        return false;
    }
    if (take->state == STATE_MAP && take->left == 0) {
        return malformed(take, failure);
    }
    if (take->state == STATE_DATA && take->left == 0) {
        bool is_fine = end_file(take, failure);
        tree_entry_done(&take->entry);
        take->state = STATE_PADDING;
        if (!is_fine) {
            return false;
        }
    }
    if (take->state == STATE_PADDING && take->padding == 0) {
        take->state = STATE_BLOCK;
    }
    return true;
}

bool tree_take_feed(
    struct tree_take *take, const void *bytes, size_t len, struct tree_failure *failure)
{
    const unsigned char *at = bytes;
    while (len > 0) {
        ssize_t taken = take_part(take, at, len, failure);
        if (taken < 0 || !settle(take, failure)) {
            return false;
        }
        at += taken;
        len -= (size_t)taken;
    }
    return true;
}

bool tree_take_finish(struct tree_take *take, struct tree_failure *failure)
{
    if (take->state != STATE_END) {
        return tree_fail(failure, TREE_FAULT_FORMAT, 0, "the stream ends in the middle");
    }
    while (take->made_count > 0) {
        struct made *made = &take->made[--take->made_count];
        free(take->shown);
        take->shown = made->path;
        int path_fd = walk(take, made->path, false, failure);
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
            return path_fd < 0 ? false
                               : tree_fail_errno(failure, "cannot set the mode of %s", take->shown);
        }
    }
    return true;
}

const struct tree_count *tree_take_count(const struct tree_take *take)
{
    return &take->count;
}

void tree_take_free(struct tree_take *take)
{
    if (take == NULL) {
        return;
    }
    if (take->file >= 0) {
        close(take->file);
    }
    if (take->parent != NULL) {
        close(take->parent_fd);
    }
    if (take->dir >= 0) {
        close(take->dir);
    }
    for (size_t i = 0; i < take->made_count; i++) {
        free(take->made[i].path);
    }
    tree_entry_done(&take->entry);
    free(take->made);
    free(take->parent);
    free(take->shown);
    free(take->pieces);
    free(take->meta.bytes);
    free(take->from);
    free(take->to);
    free(take);
}

/* ---- where to ------------------------------------------------------------------------------- */

static int open_directory(const char *path)
{
    return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* The path does not lead to a directory: it is the name that top gets, or to be made. */
static bool open_beside(
    struct tree_take *take, const char *path, const char *top, struct tree_failure *failure)
{
    char *name = tree_top_name(path);
    size_t len = strlen(path);
    while (len > 0 && path[len - 1] == '/') {
        len--;
    }
    take->is_directory_wanted = path[len] == '/';
    while (len > 0 && path[len - 1] != '/') {
        len--;
    }
    char *parent = len == 0 ? tree_text(".", 1) : tree_text(path, len);
    if (strcmp(top, ".") == 0) {
        bool is_made = mkdir(path, 0755) == 0;
        take->dir = is_made ? open_directory(path) : -1;
    } else if (strcmp(name, ".") != 0) {
        take->dir = open_directory(parent);
        take->from = tree_text(top, strlen(top));
        take->to = tree_text(name, strlen(name));
    }
    free(name);
    free(parent);
    return take->dir >= 0 || tree_fail_errno(failure, "cannot open %s", path);
}

struct tree_take *tree_take_open(
    const char *path, const char *top, const struct tree_rules *rules, struct tree_failure *failure)
{
    struct tree_take *take = tree_grow(NULL, sizeof *take);
    *take = (struct tree_take){.rules = *rules, .file = -1, .parent_fd = -1};
    take->dir = *path == '\0' ? -1 : open_directory(path);
    bool is_open = take->dir >= 0;
    if (!is_open && (top == NULL || (errno != ENOENT && errno != ENOTDIR))) {
        tree_fail_errno(failure, "cannot open the directory %s", path);
    } else if (!is_open) {
        is_open = open_beside(take, path, top, failure);
    } else if (top != NULL && strcmp(top, ".") != 0) {
        take->from = tree_text(top, strlen(top));
        take->to = tree_text(top, strlen(top));
    }
    if (!is_open) {
        tree_take_free(take);
        return NULL;
    }
    return take;
}
