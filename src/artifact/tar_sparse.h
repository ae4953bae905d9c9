/* SPDX-License-Identifier: MIT */
#pragma once

/* Where the data of a sparse member lies in its file: GNU tar's old form (type 'S') and the pax forms
 * 0.0, 0.1 and 1.0. Strict like the rest of tar_header, to which it is private: pieces in ascending
 * order, inside the file, as many bytes as are stored, and no piece but the last that other readers
 * would have to pad. Pure. Source: GNU tar manual, "Storing Sparse Files". */

#include "artifact/tar_header.h"

struct error;

/* GNU tar's own files have far fewer. */
#define TAR_PIECES_MAX 100000

struct tar_sparse {
    struct tar_piece *pieces; /* owned */
    size_t count, capacity;
    uint64_t pairs;      /* given so far, those of no length included */
    uint64_t size_bytes; /* of the file */
    bool has_size;
    /* 0.0: an offset waits for its length. */
    bool is_offset_given;
    uint64_t offset;
    /* 1.0: what the text in front of the data has said so far. */
    uint64_t number, numbers_left;
    bool is_begun, has_digit;
};

void tar_sparse_done(struct tar_sparse *sparse);
/* Pieces of no length only mark an end, and are not kept. */
bool tar_sparse_add(struct tar_sparse *sparse, uint64_t offset, uint64_t len, struct error *err);
/* 0.1: "OFFSET,LENGTH,OFFSET,LENGTH…" */
bool tar_sparse_list(struct tar_sparse *sparse, const char *text, size_t len, struct error *err);
/* The old form: the map in the header, and in the blocks behind it while *goes_on. */
bool tar_sparse_header(
    struct tar_sparse *sparse, const uint8_t block[TAR_BLOCK], bool *goes_on, struct error *err);
bool tar_sparse_more(
    struct tar_sparse *sparse, const uint8_t block[TAR_BLOCK], bool *goes_on, struct error *err);
/* 1.0: the next block of the text in front of the data. */
bool tar_sparse_text(
    struct tar_sparse *sparse, const uint8_t block[TAR_BLOCK], bool *goes_on, struct error *err);
/* The whole of it, against the bytes that are stored. */
bool tar_sparse_check(const struct tar_sparse *sparse, uint64_t stored_bytes, struct error *err);
/* Whether the name a sparse member has for readers that know nothing of it is of its real one. */
bool tar_sparse_is_alias(const char *alias, const char *name);
