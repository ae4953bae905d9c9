/* SPDX-License-Identifier: MIT */
#pragma once

/* A directory as rows to choose from. The engine reads it, in a thread of its own: a file system
 * that hangs costs the rows, not the keys. Paths are absolute, without "." and "..". Main thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct seat;

enum file_kind { FILE_DIRECTORY, FILE_REGULAR, FILE_OTHER };

struct file_row {
    char *name;
    enum file_kind kind;
    uint64_t size_bytes;
    bool is_plain; /* can be shown as it is, so can be taken, too */
};

struct files {
    char *directory;
    uint64_t job;          /* that lists it; 0: done */
    struct file_row *rows; /* directories first, by name */
    size_t count;
    bool has_more; /* the directory holds more than are told of */
    char *why;     /* it could not be read; NULL */
};

/* An absolute path without "." and "..", from the current directory on; caller frees. "~/" is home,
 * which may be NULL. */
char *files_absolute(const char *path, const char *home);
/* The directory above; caller frees. */
char *files_parent(const char *directory);
/* The path of a name in it; caller frees. */
char *files_inside(const char *directory, const char *name);

/* Asks for a directory's content, or only for names that begin so (NULL: all). Takes directory. */
void files_ask(struct files *files, struct seat *seat, char *directory, const char *begins);
/* With every new snapshot. True when the answer came. */
bool files_update(struct files *files, struct seat *seat);
void files_done(struct files *files, struct seat *seat);
