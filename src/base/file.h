/* SPDX-License-Identifier: MIT */
#pragma once

/* Files by descriptor: reading, writing, durable replacing, copying with holes, walking and
 * removing trees without ever following a link. All descriptors are close-on-exec. `dir` is a
 * directory descriptor or AT_FDCWD; `path` is relative to it. `shown` in errors is the path given.
 * Everything blocks; workers only. Sources: openat2(2), rename(2), copy_file_range(2), lseek(2). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct cancel;
struct error;
struct progress;
struct strings;
struct text;

/* O_RDONLY|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC on the last component. -1 on failure. */
int file_open_dir(int dir, const char *path, struct error *err);
/* A regular file for reading, never through a link in the last component, never blocking on a
 * fifo: anything but a regular file is ERROR_FORMAT. -1 on failure. */
int file_open_read(int dir, const char *path, struct error *err);
/* A new regular file, mode 0600, O_EXCL; existing is ERROR_EXISTS. -1 on failure. */
int file_create(int dir, const char *path, struct error *err);
/* Opens below dir only: no "..", no absolute path, no link followed anywhere on the way, no other
 * file system (openat2 RESOLVE_BENEATH|NO_SYMLINKS|NO_MAGICLINKS|NO_XDEV; component by component
 * with O_NOFOLLOW where the kernel has no openat2). flags as for open(2), mode for O_CREAT.
 * -1 with errno set. */
int file_open_beneath(int dir, const char *path, int flags, mode_t mode);
/* Makes the directory and its missing parents, 0700. */
bool file_make_dirs(int dir, const char *path, struct error *err);
bool file_exists(int dir, const char *path);
/* Known not to be there: where the host keeps us from looking, something may be. */
bool file_is_absent(int dir, const char *path);

bool file_write_all(int fd, const void *bytes, size_t len, struct error *err);
bool file_write_all_at(int fd, const void *bytes, size_t len, uint64_t offset, struct error *err);
/* Reads to the end; more than max_bytes is ERROR_LIMIT. The text may hold NULs. */
bool file_read_all(
    int dir, const char *path, size_t max_bytes, struct text *out, struct error *err);
bool file_read_fd(int fd, const char *shown, size_t max_bytes, struct text *out, struct error *err);

/* pread(2) to the end of the buffer or the file, however often that takes. Bytes, or -1. */
ssize_t file_read_at(
    int fd, const char *shown, void *bytes, size_t len, uint64_t offset, struct error *err);

/* Lets the disk begin with what was written to the file, and does not wait for it: a file_sync later
 * has less to do. Promises nothing. */
void file_start_sync(int fd);
bool file_sync(int fd, const char *shown, struct error *err);
bool file_sync_dir(int dir, const char *path, struct error *err);
/* "path.tmp-" and random digits: a name beside it for what is renamed over it later. Caller frees;
 * NULL on failure. */
char *file_temporary_name(const char *path, struct error *err);
/* Writes a temporary file beside it, syncs, renames over path, syncs the directory. */
bool file_replace(
    int dir, const char *path, const void *bytes, size_t len, mode_t mode, struct error *err);

/* The same without the syncs: never half of it by that name as long as the host runs; after a power cut
 * maybe the old bytes, or none. */
bool file_replace_soon(
    int dir, const char *path, const void *bytes, size_t len, mode_t mode, struct error *err);

/* Whether a copy from there to files below the directory can share its data with it, so that it takes
 * no room: both on one file system of a kind that clones. A guess; false when in doubt. */
bool file_copy_shares(int from, int to_dir);
/* Copies the data of one regular file into an empty one, holes kept: FICLONE, else
 * copy_file_range, else read and write; blocks of zeros are not written. Position of both
 * descriptors is undefined afterwards. */
bool file_copy_data(int from, int to, const char *shown, const struct progress *progress,
    const struct cancel *cancel, struct error *err);
/* Writes len bytes at offset, leaving every aligned 4 KiB block of zeros as a hole; the caller
 * sets the final size with ftruncate. */
bool file_write_sparse(int fd, const void *bytes, size_t len, uint64_t offset, struct error *err);

/* Removes path and, for a directory, everything below it, by descriptor, never through a link,
 * never onto another file system; unreadable directories are made readable first. Missing is
 * success. */
bool file_remove_tree(int dir, const char *path, struct error *err);
/* Names in a directory, sorted by bytes, without "." and "..". */
bool file_list(int dir, const char *path, struct strings *names, struct error *err);

/* Bytes an unprivileged process may still write there. */
bool file_free_space(int dir, const char *path, uint64_t *free_bytes, struct error *err);
/* ERROR_NO_SPACE naming the directory, need and free when fewer than need_bytes and a twentieth more,
 * for what a file system keeps beside the data, are left. */
bool file_need_space(int dir, const char *path, uint64_t need_bytes, struct error *err);
