/* SPDX-License-Identifier: MIT */
#pragma once

/* A stack of layers becoming one tree, in one of two ways that give the same.
 *
 * The quick way goes from the newest layer to the oldest, so that nothing is written that something
 * newer hides. Each name remembers the layer that made it, that needs it to be a directory, that
 * removed it (".wh.NAME", or anything else by its name) and that emptied it (".wh..wh..opq"); a
 * layer never hides what is its own. Hard links may point to what is hidden in their own layer (which
 * is then read once more) or to an older one (which is waited for).
 *
 * Names that lie below a symlink (bin/x above a layer where bin leads to usr/bin) mean what they
 * mean to whoever unpacks: the links in front of the last name are followed inside the tree, ".."
 * ends at its root. The specification says only that layers are applied in their order; so do umoci
 * and containerd, and docker in a chroot. Where that may come up, or where only the order can tell
 * what is wrong with a layer, the quick way fails and the caller begins again in order, from the
 * oldest layer on: exact, but what is hidden later is written first.
 *
 * Names from layers are looked up in the tree only and never on the host. Workers; one owner at a
 * time. Source: OCI image-spec, layer.md. */

#include "base/digest.h"

#include <stdbool.h>
#include <stdint.h>

struct cancel;
struct error;
struct ext4_writer;
struct flatten_report;
struct limits;
struct progress;
struct tree;

struct layer_stack;

/* One layer, open. */
struct layer_blob {
    int fd;
    unsigned accepted; /* enum decompress_format */
    bool has_whiteouts;
    const struct digest *diff_id; /* NULL: not proved */
    const char *shown;
};

/* What the stack works with; all of it outlives the stack. */
struct layer_world {
    struct tree *tree;
    struct ext4_writer *writer;
    const struct limits *limits;
    const struct progress *progress;
    const struct cancel *cancel;
    struct flatten_report *report;
    uint64_t total_bytes; /* of all blobs, for progress */
    /* Set when the quick way has failed and to begin again in order is what to do. NULL: in order. */
    bool *needs_order;
};

struct layer_stack *layer_stack_new(const struct layer_world *world);
void layer_stack_free(struct layer_stack *stack);
void layer_stack_auto_free(struct layer_stack **stack);
#define auto_layer_stack __attribute__((cleanup(layer_stack_auto_free)))

/* Adds the next older layer, the number falling from the number of layers to 1; in order the next
 * newer one, rising from 1. */
bool layer_stack_add(
    struct layer_stack *stack, const struct layer_blob *blob, uint32_t number, struct error *err);
/* Behind the oldest: whatever was waited for must have come. */
bool layer_stack_finish(struct layer_stack *stack, struct error *err);
