/* SPDX-License-Identifier: MIT */
#pragma once

/* What tree_pack.c and tree_take.c share: one header of the stream as data, to and from its bytes;
 * the file a stream gets its bytes from (tree_source.c); and what tree_take.c reads a stream for:
 * files that come into being below a directory (tree_place.c), through no link, whatever names the
 * stream has. Private to tree_stream. */

#include "base/tree_stream.h"

#include <sys/stat.h>

#define TREE_BLOCK 512u
#define TREE_META_MAX ((size_t)1 << 20) /* of one extended header */
#define TREE_HOLES_MAX 65536u           /* pieces of one file; one with more is sent whole */
#define TREE_XATTR_PREFIX "user."
#define TREE_SPARSE_PLACE "GNUSparseFile.0"

struct tree_bytes {
    unsigned char *bytes;
    size_t len, capacity;
};
void tree_bytes_add(struct tree_bytes *to, const void *bytes, size_t len);
/* Zeros up to the next whole block. */
void tree_bytes_pad(struct tree_bytes *to);

struct tree_xattr {
    char *name;
    unsigned char *value;
    size_t len;
};

/* One member. Strings are its own. */
struct tree_entry {
    char type; /* typeflag: '0' file, '1' hard link, '2' link, '3' '4' device, '5' directory, '6' */
    char *path;
    char *link;
    uint64_t stored_bytes; /* of data in the stream, map of the holes included */
    uint64_t real_bytes;   /* of the file */
    bool is_sparse;
    uint32_t mode, uid, gid;
    struct timespec mtime;
    uint32_t device_major, device_minor;
    struct tree_xattr *xattrs;
    size_t xattr_count;
};
void tree_entry_done(struct tree_entry *entry);
void tree_entry_add_xattr(
    struct tree_entry *entry, const char *name, size_t name_len, const void *value, size_t len);

/* Appends its header, extended one first where it needs one. */
void tree_entry_write(const struct tree_entry *entry, struct tree_bytes *to);

/* Fills *entry from a header block; what extended headers said before stays. False: malformed. */
bool tree_entry_read(struct tree_entry *entry, const unsigned char block[TREE_BLOCK]);
/* Fills it from the records of an extended header. */
bool tree_entry_read_pax(struct tree_entry *entry, const char *body, size_t len);
/* Size and type of a header block, whatever it is of; false when its checksum or a number is
 * wrong. */
bool tree_block_check(const unsigned char block[TREE_BLOCK], char *type, uint64_t *size_bytes);

bool tree_fail(struct tree_failure *failure, enum tree_fault fault, int error, const char *format,
    ...) __attribute__((format(printf, 4, 5)));
/* "SENTENCE: reason" from errno. Always false. */
bool tree_fail_errno(struct tree_failure *failure, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void *tree_grow(void *old, size_t size) __attribute__((returns_nonnull));
char *tree_text(const char *text, size_t len) __attribute__((returns_nonnull));

/* A file whose bytes are read, without its holes. */
struct tree_piece {
    off_t at, len;
};
struct tree_source {
    int fd;     /* -1: none is open */
    char *path; /* in the stream */
    struct tree_piece *pieces;
    size_t piece_count, piece_at;
    off_t piece_done;
    uint64_t stored_bytes;  /* in all pieces */
    struct tree_bytes told; /* all of them, of a file without a size */
};
/* Of a file system that holds the kernel's view and no files: its mount point is packed, not what it
 * shows. */
bool tree_is_kernel_view(int fd);
/* Opens the file that *expected is of, and says in *entry how much will come; the map of its holes,
 * whose bytes come before the data, is added to *map. On failure as well, tree_source_close. */
bool tree_source_open(struct tree_source *source, int dir, const char *name,
    const struct stat *expected, struct tree_entry *entry, struct tree_bytes *map,
    struct tree_failure *failure);
/* The next bytes, at most size; 0 where they end, which is where the entry said they would: a file
 * that becomes shorter is a failure, one that grows is cut there. */
ssize_t tree_source_read(
    struct tree_source *source, void *bytes, size_t size, struct tree_failure *failure);
void tree_source_close(struct tree_source *source);

/* Where entries go, and the file that is being made there. */
struct tree_place {
    struct tree_rules rules;
    uint64_t skipped; /* what may not be made here */
    int dir;
    char *from, *to; /* the first component `from` is called `to` here; NULL: any name */
    bool is_directory_wanted;
    const struct tree_entry *entry; /* that is being made; the caller's */
    char *shown;                    /* its name, for sentences */
    int file;                       /* it is a file, whose bytes go here; -1: none is open */
    char *file_name;                /* that it gets when it is whole, in parent_fd */
    char draft[32];                 /* and has until then */
    char *parent;                   /* path of the directory that parent_fd is */
    int parent_fd;
    struct made *made; /* directories, whose modes come last */
    size_t made_count;
};
/* As tree_take_open says. On failure as well, tree_place_done. */
bool tree_place_open(struct tree_place *place, const char *path, const char *top,
    const struct tree_rules *rules, struct tree_failure *failure);
/* A regular file stays open in place->file until tree_place_end_file, and the entry has to stay. */
bool tree_place_make(struct tree_place *place, const struct tree_entry *entry, bool is_first,
    struct tree_failure *failure);
bool tree_place_end_file(struct tree_place *place, struct tree_failure *failure);
/* Modes and times of the directories. */
bool tree_place_finish(struct tree_place *place, struct tree_failure *failure);
void tree_place_done(struct tree_place *place);
