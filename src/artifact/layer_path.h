/* SPDX-License-Identifier: MIT */
#pragma once

/* The name of a member, taken apart: what every layer's names have to go through. Private to
 * layer*.c. Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct limits;

struct layer_name {
    const char *bytes;
    size_t len;
};

/* What a name says beside itself. */
enum layer_kind {
    LAYER_PLAIN,
    LAYER_WHITEOUT, /* the last name is that of what is removed */
    LAYER_OPAQUE,   /* the last name is cut off: the directory that is emptied is left */
    LAYER_DROPPED,  /* AUFS's own book-keeping */
};

struct layer_path {
    struct layer_name *names; /* into the text it was taken from; owned */
    size_t count, capacity;   /* 0 names: the root */
};

void layer_path_done(struct layer_path *path);
/* One name more at the end. */
void layer_path_push(struct layer_path *path, const struct layer_name *name);
/* "." and empty parts, leading slashes included, mean nothing; ".." is refused, as are names over
 * 255 bytes and more names than limits->layer_depth. The text must outlive the path. */
bool layer_path_split(
    struct layer_path *path, const char *text, const struct limits *limits, struct error *err);
/* Learns what a split path stands for in a layer and cuts it accordingly. */
bool layer_path_classify(struct layer_path *path, enum layer_kind *kind, struct error *err);
bool layer_path_equal(const struct layer_path *a, const struct layer_path *b);
