/* SPDX-License-Identifier: MIT */
#pragma once

/* One layer as a row of members and their data, pulled by the reader: inflated, hashed and parsed
 * in one go. Workers; one owner at a time. */

#include "artifact/tar_header.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cancel;
struct digest;
struct error;
struct limits;

struct layer_reader;

/* Reads the file fd from its start; fd stays the caller's and must outlive it, as must limits and
 * diff_id. accepted: bits of enum decompress_format. diff_id NULL: not proved. */
struct layer_reader *layer_reader_new(int fd, unsigned accepted, const struct digest *diff_id,
    const char *shown, const struct limits *limits, const struct cancel *cancel, struct error *err);
void layer_reader_free(struct layer_reader *reader);
void layer_reader_auto_free(struct layer_reader **reader);
#define auto_layer_reader __attribute__((cleanup(layer_reader_auto_free)))

/* The next member (the caller's to tar_member_done), what is left of the data of the last one passed
 * over: 1; 0 at the end, when archive and diff_id were whole; -1 on failure. */
int layer_reader_next(struct layer_reader *reader, struct tar_member *member, struct error *err);
/* A piece of that member's data, valid until the next call; *len 0 where it ends. */
bool layer_reader_data(
    struct layer_reader *reader, const void **data, size_t *len, struct error *err);
/* Bytes of the file used so far, and bytes they became. */
uint64_t layer_reader_in(const struct layer_reader *reader);
uint64_t layer_reader_out(const struct layer_reader *reader);
