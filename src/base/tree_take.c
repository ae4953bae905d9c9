/* SPDX-License-Identifier: MIT */
#include "base/tree_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

struct piece {
    uint64_t at, len;
};

struct tree_take {
    struct tree_place place;
    struct tree_count count;

    enum state state;
    unsigned char block[TREE_BLOCK];
    size_t block_len;
    unsigned zero_blocks;
    unsigned metas;
    uint64_t tail;
    char meta_type;
    struct tree_bytes meta; /* or the map of the holes */
    size_t map_lines;       /* of it, in the blocks that came */
    uint64_t left;          /* bytes of the part at hand */
    uint64_t padding;
    struct tree_entry entry; /* grows over its extended headers */

    struct piece *pieces; /* of the file at hand */
    size_t piece_count, piece_at;
    uint64_t piece_done;
};

static bool malformed(const struct tree_take *take, struct tree_failure *failure)
{
    return tree_fail(failure, TREE_FAULT_FORMAT, 0, "the stream is no tar archive, or damaged%s%s",
        take->count.entries > 0 ? ", behind " : "",
        take->count.entries > 0 && take->place.shown != NULL ? take->place.shown : "");
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

/* Its bytes come next. */
static void begin_file(struct tree_take *take)
{
    take->left = take->entry.stored_bytes;
    take->padding = (TREE_BLOCK - take->left % TREE_BLOCK) % TREE_BLOCK;
    take->piece_at = 0;
    take->piece_done = 0;
    take->pieces = tree_grow(take->pieces, sizeof *take->pieces);
    take->pieces[0] = (struct piece){.at = 0, .len = take->left};
    take->piece_count = 1;
    take->meta.len = 0;
    take->map_lines = 0;
    take->state = take->entry.is_sparse ? STATE_MAP : STATE_DATA;
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
    if (take->count.entries > take->place.rules.entries_max ||
        take->entry.stored_bytes > take->place.rules.bytes_max - take->count.data_bytes) {
        return tree_fail(failure, TREE_FAULT_LIMIT, 0,
            "the copy holds more files or bytes than the limits allow");
    }
    take->count.data_bytes += take->entry.stored_bytes;
    take->state = STATE_BLOCK;
    if (!tree_place_make(&take->place, &take->entry, take->count.entries == 1, failure)) {
        return false;
    }
    take->count.skipped = take->place.skipped;
    if (take->place.file >= 0) {
        begin_file(take);
    } else {
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
    size_t last = take->meta.len == 0 ? 0 : (take->meta.len - 1) / TREE_BLOCK * TREE_BLOCK;
    for (const char *c = at + last; c < end; c++) {
        take->map_lines += *c == '\n';
    }
    *is_whole = false;
    if (take->map_lines == 0) {
        return take->meta.len < 24;
    }
    if (!map_number(&at, &count) || count > TREE_HOLES_MAX + 1) {
        return false;
    }
    if (take->map_lines < 1 + 2 * count) {
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
        ssize_t done = pwrite(take->place.file, bytes, part, (off_t)(piece->at + take->piece_done));
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return tree_fail_errno(failure, "cannot write %s", take->place.shown);
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
        bool is_fine = tree_place_end_file(&take->place, failure);
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
    return tree_place_finish(&take->place, failure);
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
    tree_place_done(&take->place);
    tree_entry_done(&take->entry);
    free(take->pieces);
    free(take->meta.bytes);
    free(take);
}

struct tree_take *tree_take_open(
    const char *path, const char *top, const struct tree_rules *rules, struct tree_failure *failure)
{
    struct tree_take *take = tree_grow(NULL, sizeof *take);
    *take = (struct tree_take){0};
    if (!tree_place_open(&take->place, path, top, rules, failure)) {
        tree_take_free(take);
        return NULL;
    }
    return take;
}
