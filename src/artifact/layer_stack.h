/* SPDX-License-Identifier: MIT */
#pragma once

/* What layer.c, layer_newest.c, layer_link.c and layer_order.c share. Private to them. */

#include "artifact/layer.h"
#include "artifact/layer_path.h"
#include "artifact/layer_walked.h"
#include "artifact/tree.h"

#include <stddef.h>

struct layer_reader;
struct tar_member;

/* A name that hard links want, and that was not there when they came: hidden in their own layer, or
 * an older one's. */
struct tree_wanted {
    struct tree_wanted *next;
    struct tree_wanted *older; /* the same name, wanted by links of a newer layer */
    struct tree_node *node;
    struct tree_inode **waiting; /* to become what the name turns out to be; references held */
    size_t waiting_count;
    struct tree_inode *candidate; /* what the layer at hand has by this name so far */
    bool is_directory;            /* the same, and it is one */
    uint32_t opened;              /* layer of the links */
    uint64_t link_index;          /* first of them, in that layer */
    bool is_searched;             /* that layer was read again for it */
};

struct layer_stack {
    struct layer_world world;
    uint32_t number;   /* of the layer at hand */
    uint64_t index;    /* of the member at hand, from 1 */
    uint64_t expanded; /* bytes of all layers so far */
    uint64_t done_bytes;
    uint64_t dropped; /* names gone through to take back what a layer has put below them */
    struct tree_wanted *wanted;
    struct layer_path path, target; /* kept for their memory */
    /* layer_newest.c: directories that the names of this and newer layers went through, and the
     * layer's own links. */
    struct layer_hashes through, links;
};

/* The inode of the member: type, owner, times and attributes checked against what ext4 can hold. */
struct tree_inode *layer_make_inode(
    struct layer_stack *stack, struct tar_member *member, struct error *err);
/* The node by that path; NULL when there is none. */
struct tree_node *layer_find(const struct layer_stack *stack, const struct layer_path *path);
/* Reads the member's data into the inode. */
bool layer_copy_data(struct layer_stack *stack, struct layer_reader *reader,
    const struct tar_member *member, struct tree_inode *inode, struct error *err);

/* Adds the member whose name is in stack->path. Quick, from the newest layer on; exact, from the
 * oldest on. */
bool layer_newest_add(struct layer_stack *stack, struct layer_reader *reader,
    struct tar_member *member, enum layer_kind kind, struct error *err);
bool layer_order_add(struct layer_stack *stack, struct layer_reader *reader,
    struct tar_member *member, enum layer_kind kind, struct error *err);
/* Always false: the quick way ends here. */
bool layer_needs_order(struct layer_stack *stack);
/* Notes the directories a name goes through; false where one may be a link of this very layer. */
bool layer_note_walk(struct layer_stack *stack, const struct layer_path *path, size_t directories);

/* The inode that a hard link shares, found or still to be found; a reference is the caller's. */
struct tree_inode *layer_link_inode(
    struct layer_stack *stack, const struct tar_member *member, struct error *err);
/* Whether links of newer layers wait for that name. */
bool layer_is_awaited(const struct layer_stack *stack, const struct tree_node *node);
/* Tells those who wait what a hidden or visible member of the layer at hand means to them. */
void layer_note_gone(struct layer_stack *stack, struct tree_node *node);
void layer_note_cleared(struct layer_stack *stack, struct tree_node *node);
void layer_note_inode(struct layer_stack *stack, struct tree_node *node, struct tree_inode *inode);
/* At the end of the layer at hand. */
bool layer_settle_links(
    struct layer_stack *stack, const struct layer_blob *blob, struct error *err);
