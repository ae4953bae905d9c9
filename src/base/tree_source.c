/* SPDX-License-Identifier: MIT */
#include "base/tree_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#define TOLD_MAX ((size_t)16 << 20)

bool tree_is_kernel_view(int fd)
{
    static const unsigned long magics[] = {0x9fa0 /* proc */, 0x62656572 /* sysfs */,
        0x63677270 /* cgroup2 */, 0x27e0eb /* cgroup */, 0x1cd1 /* devpts */,
        0x64626720 /* debug */, 0x74726163 /* trace */, 0x73636673 /* security */,
        0xcafe4a11 /* bpf */};
    struct statfs status;
    for (size_t i = 0; fstatfs(fd, &status) == 0 && i < sizeof magics / sizeof *magics; i++) {
        if ((unsigned long)status.f_type == magics[i]) {
            return true;
        }
    }
    return false;
}

static void add_piece(struct tree_source *source, off_t at, off_t len)
{
    source->pieces = tree_grow(source->pieces, (source->piece_count + 1) * sizeof *source->pieces);
    source->pieces[source->piece_count++] = (struct tree_piece){.at = at, .len = len};
}

/* Where the data is. False: it has no holes worth a map, or the file system does not say. */
static bool find_pieces(struct tree_source *source, off_t size)
{
    off_t at = 0;
    source->piece_count = 0;
    while (at < size && source->piece_count < TREE_HOLES_MAX) {
        off_t data = lseek(source->fd, at, SEEK_DATA);
        if (data < 0 && errno == ENXIO) {
            break;
        }
        off_t hole = data < 0 ? -1 : lseek(source->fd, data, SEEK_HOLE);
        if (data < at || hole <= data) {
            return false;
        }
        hole = hole < size ? hole : size;
        if (data >= size) {
            break;
        }
        add_piece(source, data, hole - data);
        at = hole;
    }
    return source->piece_count < TREE_HOLES_MAX;
}

/* The map of GNU tar's format 1.0 stands in front of the data: how many, then offset and length of
 * each, a number a line. A hole at the end shows as a piece of nothing there. */
static void add_map(const struct tree_source *source, off_t size, struct tree_bytes *map)
{
    char line[64];
    size_t count = source->piece_count + 1;
    tree_bytes_add(map, line, (size_t)snprintf(line, sizeof line, "%zu\n", count));
    for (size_t i = 0; i < source->piece_count; i++) {
        int len = snprintf(line, sizeof line, "%jd\n%jd\n", (intmax_t)source->pieces[i].at,
            (intmax_t)source->pieces[i].len);
        tree_bytes_add(map, line, (size_t)len);
    }
    tree_bytes_add(map, line, (size_t)snprintf(line, sizeof line, "%jd\n0\n", (intmax_t)size));
    tree_bytes_pad(map);
}

/* What has no size before it is read, as the kernel tells of itself in files. */
static bool read_told(struct tree_source *source, const char *path, struct tree_failure *failure)
{
    char chunk[4096];
    ssize_t got;
    do {
        got = read(source->fd, chunk, sizeof chunk);
        if (got > 0) {
            tree_bytes_add(&source->told, chunk, (size_t)got);
        }
        if (source->told.len > TOLD_MAX) {
            return tree_fail(failure, TREE_FAULT_LIMIT, 0,
                "%s tells no size and goes on for more than %zu MiB", path, TOLD_MAX >> 20);
        }
    } while (got > 0 || (got < 0 && errno == EINTR));
    return got == 0 || tree_fail_errno(failure, "cannot read %s", path);
}

bool tree_source_open(struct tree_source *source, int dir, const char *name,
    const struct stat *expected, struct tree_entry *entry, struct tree_bytes *map,
    struct tree_failure *failure)
{
    struct stat status;
    source->fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (source->fd < 0) {
        return tree_fail_errno(failure, "cannot read %s", entry->path);
    }
    if (fstat(source->fd, &status) != 0 || status.st_ino != expected->st_ino ||
        !S_ISREG(status.st_mode)) {
        return tree_fail(failure, TREE_FAULT_IO, ESTALE,
            "%s was replaced while it was copied; copy again", entry->path);
    }
    bool is_told =
        status.st_blocks == 0 && (status.st_size == 0 || tree_is_kernel_view(source->fd));
    if (is_told && !read_told(source, entry->path, failure)) {
        return false;
    }
    off_t size = is_told ? (off_t)source->told.len : status.st_size;
    bool has_holes = !is_told && (off_t)status.st_blocks * 512 < size && find_pieces(source, size);
    bool is_whole = source->piece_count == 1 && source->pieces[0].len == size;
    if (has_holes && !is_whole) {
        entry->is_sparse = true;
        add_map(source, size, map);
    } else {
        source->piece_count = 0;
        add_piece(source, 0, size);
    }
    source->stored_bytes = 0;
    for (size_t i = 0; i < source->piece_count; i++) {
        source->stored_bytes += (uint64_t)source->pieces[i].len;
    }
    entry->real_bytes = (uint64_t)size;
    entry->stored_bytes = source->stored_bytes + map->len;
    source->path = tree_text(entry->path, strlen(entry->path));
    return true;
}

void tree_source_close(struct tree_source *source)
{
    if (source->fd >= 0) {
        close(source->fd);
    }
    free(source->path);
    free(source->pieces);
    free(source->told.bytes);
    *source = (struct tree_source){.fd = -1};
}

ssize_t tree_source_read(
    struct tree_source *source, void *bytes, size_t size, struct tree_failure *failure)
{
    while (source->piece_at < source->piece_count &&
           source->piece_done == source->pieces[source->piece_at].len) {
        source->piece_at++;
        source->piece_done = 0;
    }
    if (source->piece_at == source->piece_count) {
        return 0;
    }
    const struct tree_piece *piece = &source->pieces[source->piece_at];
    off_t left = piece->len - source->piece_done;
    size = (off_t)size < left ? size : (size_t)left;
    if (source->told.len > 0) {
        memcpy(bytes, source->told.bytes + source->piece_done, size);
        source->piece_done += (off_t)size;
        return (ssize_t)size;
    }
    ssize_t got = pread(source->fd, bytes, size, piece->at + source->piece_done);
    if (got < 0 && errno == EINTR) {
        return tree_source_read(source, bytes, size, failure);
    }
    if (got < 0) {
        tree_fail_errno(failure, "cannot read %s", source->path);
        return -1;
    }
    if (got == 0) { /* the header has promised more */
        tree_fail(failure, TREE_FAULT_IO, ESTALE,
            "%s became shorter while it was copied; copy again", source->path);
        return -1;
    }
    source->piece_done += got;
    return got;
}
