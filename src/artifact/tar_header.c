/* SPDX-License-Identifier: MIT */
#include "artifact/tar_header.h"

#include <string.h>

#include "artifact/tar_block.h"
#include "artifact/tar_pax.h"
#include "artifact/tar_sparse.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/text.h"

/* Zeros behind the end mark: the padding of a tape record, never a place to hide something. */
#define TAIL_MAX (1024 * 1024)

enum state {
    AT_HEADER,
    IN_EXTENSION,     /* the body of an x, g, L or K header */
    IN_SPARSE_BLOCKS, /* the old form's map goes on behind the header */
    IN_SPARSE_TEXT,   /* the map of form 1.0 lies in front of the data */
    IN_DATA,
    AT_SECOND_ZERO,
    BEHIND_END,
    DEAD,
};

struct tar_scan {
    enum tar_profile profile;
    struct limits limits;
    enum state state;

    uint8_t block[TAR_BLOCK];
    size_t block_len;
    uint64_t skip;      /* IN_DATA: bytes left, padding included */
    uint64_t data_left; /* the same without padding; only kept by tar_scan_walk */
    uint64_t tail;      /* BEHIND_END: zeros seen */

    char extension;           /* IN_EXTENSION: its typeflag */
    uint64_t extension_bytes; /* without padding */
    uint64_t extension_left;  /* with padding */
    struct text body;

    /* What the headers so far say about the next member. */
    struct tar_pax pax;
    bool has_pax;
    char *long_path, *long_link;

    struct tar_member pending; /* IN_SPARSE_*: waits for its map; data_bytes is what is left */
    struct tar_sparse sparse;

    bool has_format;
    enum tar_format format;
    uint64_t headers; /* of any kind, for messages */
    uint64_t entries; /* members and global headers, against limits.entries */
    uint64_t data_bytes;

    struct tar_member *queue;
    size_t queue_first, queue_count, queue_capacity;
};

struct tar_scan *tar_scan_new(enum tar_profile profile, const struct limits *limits)
{
    struct tar_scan *scan = memory_zero(1, sizeof *scan);
    scan->profile = profile;
    scan->limits = *limits;
    return scan;
}

static void forget_extensions(struct tar_scan *scan)
{
    tar_pax_done(&scan->pax);
    scan->has_pax = false;
    free(take_ptr(scan->long_path));
    free(take_ptr(scan->long_link));
}

void tar_scan_free(struct tar_scan *scan)
{
    if (!scan) {
        return;
    }
    forget_extensions(scan);
    text_done(&scan->body);
    tar_member_done(&scan->pending);
    tar_sparse_done(&scan->sparse);
    for (size_t i = 0; i < scan->queue_count; i++) {
        tar_member_done(&scan->queue[scan->queue_first + i]);
    }
    free(scan->queue);
    free(scan);
}

static bool has_extension(const struct tar_scan *scan)
{
    return scan->has_pax || scan->long_path || scan->long_link;
}

/* One format per bundle; pax headers belong to the one, long names to the other. */
static bool check_format(struct tar_scan *scan, const struct tar_block *block, struct error *err)
{
    if (scan->profile != TAR_BUNDLE) {
        return true;
    }
    if (scan->has_format && scan->format != block->format) {
        return error_set(err, ERROR_FORMAT, "the header's format is not that of the first one");
    }
    scan->has_format = true;
    scan->format = block->format;
    bool is_pax = block->typeflag == 'x' || block->typeflag == 'g';
    bool is_gnu = block->typeflag == 'L' || block->typeflag == 'K';
    if (is_pax ? block->format != TAR_FORMAT_POSIX : is_gnu && block->format != TAR_FORMAT_GNU) {
        return error_set(err, ERROR_FORMAT, "a header extension of another format");
    }
    return true;
}

static bool begin_extension(struct tar_scan *scan, const struct tar_block *block, struct error *err)
{
    bool is_pax = block->typeflag == 'x' || block->typeflag == 'g';
    uint64_t max = is_pax ? scan->limits.pax_bytes : scan->limits.path_bytes + 1;
    if (block->size_bytes > max) {
        return error_set(err, ERROR_LIMIT,
            "a header extension of %llu bytes is over the limit of %s",
            (unsigned long long)block->size_bytes, is_pax ? "pax_bytes" : "path_bytes");
    }
    bool is_welcome = true;
    switch (block->typeflag) {
    case 'x':
    case 'g':
        is_welcome = !has_extension(scan);
        break;
    case 'L':
        is_welcome = !scan->has_pax && !scan->long_path;
        break;
    case 'K':
        is_welcome = !scan->has_pax && !scan->long_link;
        break;
    }
    if (!is_welcome) {
        return error_set(err, ERROR_FORMAT, "two header extensions speak about one member");
    }
    if (block->size_bytes == 0 && block->typeflag != 'g') {
        return error_set(err, ERROR_FORMAT, "an empty header extension");
    }
    scan->extension = block->typeflag;
    scan->extension_bytes = block->size_bytes;
    scan->extension_left = (block->size_bytes + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
    text_clear(&scan->body);
    scan->body.cap_bytes = (size_t)block->size_bytes + 1;
    scan->state = scan->extension_left > 0 ? IN_EXTENSION : AT_HEADER;
    return true;
}

/* A GNU long name: the name, one NUL, nothing behind. */
static bool take_long_name(struct tar_scan *scan, char **name, struct error *err)
{
    const char *bytes = text_cstr(&scan->body);
    size_t len = scan->body.len;
    if (len < 2 || bytes[len - 1] != '\0' || strlen(bytes) != len - 1) {
        return error_set(err, ERROR_FORMAT, "a long name does not end where it should");
    }
    *name = memory_strndup(bytes, len - 1);
    return true;
}

static bool end_extension(struct tar_scan *scan, struct error *err)
{
    scan->state = AT_HEADER;
    struct tar_pax global = {0};
    switch (scan->extension) {
    case 'x':
        scan->has_pax = true;
        return tar_pax_parse(&scan->pax, text_cstr(&scan->body), scan->body.len, scan->profile,
            false, &scan->limits, err);
    case 'g': {
        bool is_fine = tar_pax_parse(&global, text_cstr(&scan->body), scan->body.len, scan->profile,
            true, &scan->limits, err);
        tar_pax_done(&global);
        return is_fine;
    }
    case 'L':
        return take_long_name(scan, &scan->long_path, err);
    default:
        return take_long_name(scan, &scan->long_link, err);
    }
}

/* The size is said once, or twice alike, or too large for the header and then by pax alone. */
static bool find_size(const struct tar_scan *scan, const struct tar_block *block,
    enum tar_type type, uint64_t *size_bytes, struct error *err)
{
    uint64_t size = block->size_bytes;
    if (scan->pax.has_size && scan->pax.size_bytes != size) {
        if (!block->is_size_saturated || scan->pax.size_bytes <= 077777777777ULL) {
            return error_set(err, ERROR_FORMAT, "two headers give two sizes for one member");
        }
        size = scan->pax.size_bytes;
    }
    if (size > 0 && type != TAR_FILE) {
        return error_set(err, ERROR_FORMAT, "a %s with data", tar_type_name(type));
    }
    *size_bytes = size;
    return true;
}

static bool find_names(struct tar_scan *scan, const struct tar_block *block,
    struct tar_member *member, struct error *err)
{
    const char *path = scan->pax.path    ? scan->pax.path
                       : scan->long_path ? scan->long_path
                                         : block->path;
    const char *link = scan->pax.link    ? scan->pax.link
                       : scan->long_link ? scan->long_link
                                         : block->link;
    if (scan->pax.sparse_name && !tar_sparse_is_alias(path, scan->pax.sparse_name)) {
        return error_set(err, ERROR_FORMAT, "two headers give two names for one member");
    }
    path = scan->pax.sparse_name ? scan->pax.sparse_name : path;
    size_t len = strlen(path);
    bool is_link = member->type == TAR_SYMLINK || member->type == TAR_HARDLINK;
    if (len == 0 || (is_link && link[0] == '\0')) {
        return error_set(err, ERROR_FORMAT, "a %s without a name", len == 0 ? "member" : "link");
    }
    if (len > scan->limits.path_bytes || strlen(link) > scan->limits.path_bytes) {
        return error_set(err, ERROR_LIMIT, "a name is longer than path_bytes (%llu)",
            (unsigned long long)scan->limits.path_bytes);
    }
    if (path[len - 1] == '/' && member->type != TAR_DIRECTORY) {
        return error_set(
            err, ERROR_FORMAT, "a %s whose name ends in a slash", tar_type_name(member->type));
    }
    if (!is_link && link[0] != '\0' && scan->profile == TAR_BUNDLE) {
        return error_set(err, ERROR_FORMAT, "a %s with a link target", tar_type_name(member->type));
    }
    member->path = memory_strdup(path);
    member->link = is_link ? memory_strdup(link) : NULL;
    return true;
}

static void enqueue(struct tar_scan *scan, struct tar_member *member)
{
    if (scan->queue_count == 0) {
        scan->queue_first = 0;
    }
    if (scan->queue_first + scan->queue_count == scan->queue_capacity) {
        scan->queue_capacity = scan->queue_capacity ? scan->queue_capacity * 2 : 16;
        scan->queue = memory_grow(scan->queue, scan->queue_capacity, sizeof *scan->queue);
    }
    scan->queue[scan->queue_first + scan->queue_count++] = *member;
    *member = (struct tar_member){0};
}

static bool begin_data(struct tar_scan *scan, struct tar_member *member, struct error *err)
{
    if (member->data_bytes > scan->limits.expanded_bytes - scan->data_bytes) {
        return error_set(err, ERROR_LIMIT, "the members hold more than expanded_bytes (%llu)",
            (unsigned long long)scan->limits.expanded_bytes);
    }
    scan->data_bytes += member->data_bytes;
    scan->data_left = member->data_bytes;
    scan->skip = (member->data_bytes + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
    scan->state = scan->skip > 0 ? IN_DATA : AT_HEADER;
    enqueue(scan, member);
    return true;
}

static bool end_sparse(struct tar_scan *scan, struct error *err)
{
    struct tar_member *member = &scan->pending;
    if (!tar_sparse_check(&scan->sparse, member->data_bytes, err)) {
        return false;
    }
    member->is_sparse = true;
    member->size_bytes = scan->sparse.size_bytes;
    member->piece_count = scan->sparse.count;
    member->pieces = take_ptr(scan->sparse.pieces);
    tar_sparse_done(&scan->sparse);
    return begin_data(scan, member, err);
}

/* Which form it is decides where the map lies. */
static bool begin_sparse(struct tar_scan *scan, const struct tar_block *block,
    struct tar_member *member, struct error *err)
{
    bool is_old = block->typeflag == 'S';
    bool goes_on = false;
    if (member->type != TAR_FILE ||
        (is_old && (scan->pax.is_sparse || block->format != TAR_FORMAT_GNU))) {
        return error_set(err, ERROR_FORMAT, "a sparse member of no known form");
    }
    scan->sparse = scan->pax.sparse;
    scan->pax.sparse = (struct tar_sparse){0};
    if (is_old && !tar_sparse_header(&scan->sparse, scan->block, &goes_on, err)) {
        return false;
    }
    scan->state = scan->pax.is_map_in_data ? IN_SPARSE_TEXT : IN_SPARSE_BLOCKS;
    goes_on |= scan->pax.is_map_in_data;
    scan->pending = *member;
    *member = (struct tar_member){0};
    return goes_on || end_sparse(scan, err);
}

/* One block of a map that does not fit in the headers. */
static bool take_map(struct tar_scan *scan, struct error *err)
{
    bool goes_on = false;
    if (scan->state == IN_SPARSE_BLOCKS) {
        return tar_sparse_more(&scan->sparse, scan->block, &goes_on, err) &&
               (goes_on || end_sparse(scan, err));
    }
    if (scan->pending.data_bytes < TAR_BLOCK) {
        return error_set(err, ERROR_FORMAT, "the map of a sparse member is cut off");
    }
    scan->pending.data_bytes -= TAR_BLOCK;
    return tar_sparse_text(&scan->sparse, scan->block, &goes_on, err) &&
           (goes_on || end_sparse(scan, err));
}

static bool take_member(struct tar_scan *scan, const struct tar_block *block, struct error *err)
{
    auto_done(tar_member) struct tar_member member = {
        .mode = block->mode,
        .uid = scan->pax.has_uid ? scan->pax.uid : block->uid,
        .gid = scan->pax.has_gid ? scan->pax.gid : block->gid,
        .mtime = scan->pax.has_mtime ? scan->pax.mtime : block->mtime,
        .mtime_nanoseconds = scan->pax.mtime_nanoseconds,
        .device_major = block->device_major,
        .device_minor = block->device_minor,
    };
    if (!tar_member_type(scan->profile, block->typeflag, &member.type, err) ||
        !find_size(scan, block, member.type, &member.size_bytes, err) ||
        !find_names(scan, block, &member, err)) {
        return false;
    }
    member.data_bytes = member.size_bytes;
    member.xattr_total = scan->pax.xattr_count > scan->pax.second_spellings
                             ? scan->pax.xattr_count
                             : scan->pax.second_spellings;
    member.xattr_count = scan->pax.xattr_count;
    member.xattrs = take_ptr(scan->pax.xattrs);
    scan->pax.xattr_count = 0;
    bool is_fine = scan->pax.is_sparse || block->typeflag == 'S'
                       ? begin_sparse(scan, block, &member, err)
                       : begin_data(scan, &member, err);
    forget_extensions(scan);
    return is_fine;
}

static bool take_header(struct tar_scan *scan, struct error *err)
{
    if (tar_block_is_zero(scan->block)) {
        if (has_extension(scan)) {
            return error_set(err, ERROR_FORMAT, "the archive ends behind a header extension");
        }
        scan->state = AT_SECOND_ZERO;
        return true;
    }
    scan->headers++;
    struct tar_block block;
    if (!tar_block_decode(scan->block, scan->profile, &block, err) ||
        !check_format(scan, &block, err)) {
        return false;
    }
    bool is_extension = block.typeflag != '\0' && strchr("xgLK", block.typeflag);
    scan->entries += !is_extension || block.typeflag == 'g';
    if (scan->entries > scan->limits.entries) {
        return error_set(err, ERROR_LIMIT, "more members than entries (%llu)",
            (unsigned long long)scan->limits.entries);
    }
    return is_extension ? begin_extension(scan, &block, err) : take_member(scan, &block, err);
}

/* Consumes some of the bytes: their number, or 0 with *err set. */
static size_t step(struct tar_scan *scan, const uint8_t *bytes, size_t len, struct error *err)
{
    size_t used = len;
    switch (scan->state) {
    case AT_HEADER:
    case AT_SECOND_ZERO:
    case IN_SPARSE_BLOCKS:
    case IN_SPARSE_TEXT:
        used = len < TAR_BLOCK - scan->block_len ? len : TAR_BLOCK - scan->block_len;
        memcpy(scan->block + scan->block_len, bytes, used);
        scan->block_len += used;
        if (scan->block_len < TAR_BLOCK) {
            return used;
        }
        scan->block_len = 0;
        if (scan->state == AT_HEADER) {
            return take_header(scan, err) ? used : 0;
        }
        if (scan->state != AT_SECOND_ZERO) {
            return take_map(scan, err) ? used : 0;
        }
        if (!tar_block_is_zero(scan->block)) {
            error_set(err, ERROR_FORMAT, "something follows the archive's end mark");
            return 0;
        }
        scan->state = BEHIND_END;
        return used;
    case IN_EXTENSION: {
        used = len < scan->extension_left ? len : (size_t)scan->extension_left;
        uint64_t wanted = scan->extension_bytes - scan->body.len;
        text_append_bytes(&scan->body, bytes, used < wanted ? used : (size_t)wanted);
        scan->extension_left -= used;
        return scan->extension_left > 0 || end_extension(scan, err) ? used : 0;
    }
    case IN_DATA:
        used = len < scan->skip ? len : (size_t)scan->skip;
        scan->skip -= used;
        scan->state = scan->skip > 0 ? IN_DATA : AT_HEADER;
        return used;
    case BEHIND_END:
        scan->tail += len;
        if (bytes[0] != 0 || memcmp(bytes, bytes + 1, len - 1) != 0) {
            error_set(err, ERROR_FORMAT, "something follows the archive's end mark");
            return 0;
        }
        if (scan->tail > TAIL_MAX) {
            error_set(err, ERROR_LIMIT, "the archive goes on with zeros behind its end mark");
            return 0;
        }
        return used;
    case DEAD:
        break;
    }
    error_set(err, ERROR_BUG, "the archive was refused before");
    return 0;
}

bool tar_scan_feed(struct tar_scan *scan, const void *bytes, size_t len, struct error *err)
{
    const uint8_t *at = bytes;
    while (len > 0) {
        size_t used = step(scan, at, len, err);
        if (used == 0) {
            scan->state = DEAD;
            return error_wrap(err, "tar header %llu", (unsigned long long)scan->headers);
        }
        at += used;
        len -= used;
    }
    return true;
}

bool tar_scan_walk(struct tar_scan *scan, const void *bytes, size_t len, size_t *used,
    const void **data, size_t *data_len, struct error *err)
{
    const uint8_t *at = bytes;
    *used = 0;
    *data_len = 0;
    while (*used < len && scan->queue_count == 0 && *data_len == 0) {
        bool is_data = scan->state == IN_DATA && scan->data_left > 0;
        size_t wanted = len - *used;
        wanted = is_data && scan->data_left < wanted ? (size_t)scan->data_left : wanted;
        size_t done = step(scan, at + *used, wanted, err);
        if (done == 0) {
            scan->state = DEAD;
            return error_wrap(err, "tar header %llu", (unsigned long long)scan->headers);
        }
        if (is_data) {
            scan->data_left -= done;
            *data = at + *used;
            *data_len = done;
        }
        *used += done;
    }
    return true;
}

bool tar_scan_take(struct tar_scan *scan, struct tar_member *member)
{
    if (scan->queue_count == 0) {
        return false;
    }
    *member = scan->queue[scan->queue_first++];
    scan->queue_count--;
    return true;
}

bool tar_scan_finish(struct tar_scan *scan, struct error *err)
{
    if (scan->state == BEHIND_END && scan->tail % TAR_BLOCK == 0) {
        return true;
    }
    return error_set(err, ERROR_FORMAT, "the archive is cut off: its end mark is missing");
}

bool tar_scan_could_end(const struct tar_scan *scan)
{
    bool is_extended = scan->has_pax || scan->long_path != NULL || scan->long_link != NULL;
    bool is_between = scan->state == AT_HEADER && scan->block_len == 0 && !is_extended;
    bool is_unpadded = scan->state == IN_DATA && scan->data_left == 0 && scan->skip < TAR_BLOCK;
    return is_between || is_unpadded || (scan->state == BEHIND_END && scan->tail % TAR_BLOCK == 0);
}
