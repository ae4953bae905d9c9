/* SPDX-License-Identifier: MIT */
#pragma once

/* Reads one directory of an ext4 file into a tree, data included, and changes single names of one.
 * The file may be anybody's: what libext2fs finds wrong is refused. Blocking; workers only. */

#include <stdbool.h>
#include <stdint.h>

struct cancel;
struct error;
struct ext4_writer;
struct flatten_report;
struct limits;
struct tree;

/* Puts what is below the directory `path` ("" is the root) into the tree and its data into the
 * writer; the directory becomes the tree's root. ERROR_NOT_FOUND, ERROR_FORMAT, ERROR_LIMIT. */
bool ext4_read_subtree(int fd, const char *path, struct tree *tree, struct ext4_writer *writer,
    const struct limits *limits, const struct cancel *cancel, struct flatten_report *report,
    struct error *err);
bool ext4_read_uuid(int fd, uint8_t uuid[16], struct error *err);
/* Moves what lies in the root's directory `name` into the root, and removes that directory; names
 * that are there already stay where they are. */
bool ext4_lift_directory(int fd, const char *name, bool *has_changed, struct error *err);
