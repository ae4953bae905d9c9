/* SPDX-License-Identifier: MIT */
#pragma once

/* The template of a VM's work disk: the image's /root as a file system of its own, to be mounted
 * there. Read and written by libext2fs in this process, nothing is mounted. Blocking; workers only;
 * any number at once. */

#include <stdbool.h>
#include <stdint.h>

struct cancel;
struct error;
struct flatten_report;
struct limits;

#define WORK_SEED_SIZE_MIN (UINT64_C(256) << 20)

/* What a work disk has to be given. */
struct work_seed_options {
    uint64_t size_bytes; /* 0: WORK_SEED_SIZE_MIN, or what it takes */
    const char *label;   /* up to 16 bytes; NULL: none */
    uint8_t uuid[16];    /* zeros: the image's, changed in a fixed way */
};

/* Copies the directory `path` ("root"; "" is the whole) of the ext4 file image_fd into the empty
 * regular file fd: owners, modes, times, xattrs, holes and hard links inside of it are kept, and it
 * becomes the root directory. image_fd may belong to somebody else and is only read.
 * ERROR_NOT_FOUND when there is no such directory, ERROR_FORMAT when it is no file system that can
 * be read. The same input gives the same bytes. */
bool work_seed_copy(int image_fd, const char *path, const struct work_seed_options *options, int fd,
    const struct limits *limits, const struct cancel *cancel, struct flatten_report *report,
    struct error *err);

/* work_seed_copy of /root, with a nested home put right as work_seed_unnest does. */
bool work_seed_make(int image_fd, const struct work_seed_options *options, int fd,
    const struct limits *limits, const struct cancel *cancel, struct flatten_report *report,
    struct error *err);

/* Puts a nested home right in the ext4 file fd (open for writing, mounted nowhere): where its root
 * directory holds a directory "root", what is in that moves one up and the directory goes; a name
 * that is there already stays as it is, and then the nested one stays too. The one place that does;
 * for seeds, work disks and before keys are written. Nothing nested is success. */
bool work_seed_unnest(int fd, bool *has_changed, struct error *err);
