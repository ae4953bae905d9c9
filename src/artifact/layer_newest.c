/* SPDX-License-Identifier: MIT */
/* The quick way: layers from the newest on, nothing written that something newer hides. What would
 * have to follow a link, and what only the order of things can judge, is left to layer_order.c. */
#include <string.h>
#include <sys/stat.h>

#include "artifact/ext4_writer.h"
#include "artifact/flatten.h"
#include "artifact/layer_stack.h"
#include "artifact/tar_header.h"
#include "base/error.h"
#include "base/memory.h"

static bool is_other(const struct tree_node *node)
{
    return node->inode && !S_ISDIR(node->inode->mode);
}

/* Whether something newer hides what the layer at hand has below the directory. */
static bool is_cut(const struct layer_stack *stack, const struct tree_node *node)
{
    return node->gone > stack->number || node->opaque > stack->number ||
           (is_other(node) && node->made > stack->number);
}

static void raise(uint32_t *layer, uint32_t number)
{
    *layer = number > *layer ? number : *layer;
}

/* The directory that holds the path's last name, made where it is missing; NULL when it is hidden,
 * or in the way of something that only removes. */
static bool find_parent(struct layer_stack *stack, const struct layer_path *path, bool is_file,
    struct tree_node **parent)
{
    struct tree_node *node = tree_root(stack->world.tree);
    *parent = NULL;
    for (size_t i = 0; i + 1 < path->count; i++) {
        if (is_cut(stack, node)) {
            return true;
        }
        if (is_file) {
            node->below = stack->number;
        }
        node = tree_add(stack->world.tree, node, path->names[i].bytes, path->names[i].len);
        if (is_other(node) && node->made == stack->number) {
            return !is_file || layer_needs_order(stack);
        }
        if (is_file && node->gone <= stack->number && !is_other(node)) {
            raise(&node->kept, stack->number);
        }
    }
    if (is_file) {
        node->below = stack->number;
    }
    *parent = is_cut(stack, node) ? NULL : node;
    return true;
}

/* Takes the layer's own inode back; a directory that newer layers need stays as one. */
static void take_back(struct layer_stack *stack, struct tree_node *node)
{
    if (node->made == stack->number) {
        ext4_drop_inode(stack->world.writer, take_ptr(node->inode));
        node->made = 0;
        stack->world.report->hidden++;
    }
    if (node->kept == stack->number) {
        node->kept = 0;
    }
}

/* What the layer at hand has put below is no longer there. */
static void drop_below(struct layer_stack *stack, struct tree_node *node)
{
    if (node->below != stack->number) {
        return;
    }
    struct tree_node **list = NULL;
    size_t count = tree_children(node, &list);
    stack->dropped += count;
    node->below = 0;
    for (size_t i = 0; i < count; i++) {
        drop_below(stack, list[i]);
        take_back(stack, list[i]);
    }
    free(list);
}

static void put_inode(struct layer_stack *stack, struct tree_node *node, struct tree_inode *inode)
{
    if (node->inode) {
        stack->world.report->hidden++;
    }
    ext4_drop_inode(stack->world.writer, node->inode);
    node->inode = inode;
    node->made = stack->number;
}

/* A directory: the newest that describes it wins, and all may add to it. */
static bool put_directory(
    struct layer_stack *stack, struct tree_node *node, struct tar_member *member, struct error *err)
{
    struct tree_inode *inode = layer_make_inode(stack, member, err);
    if (!inode) {
        return false;
    }
    if (node->gone > stack->number || (node->inode && node->made > stack->number)) {
        stack->world.report->hidden++;
        tree_inode_free(inode);
        return true;
    }
    if (is_other(node)) { /* of this very layer: what older ones had by the name went with it */
        raise(&node->gone, stack->number);
    }
    put_inode(stack, node, inode);
    raise(&node->kept, stack->number);
    return true;
}

/* Anything else hides everything older by that name, even where it is hidden itself. */
static void put_other(
    struct layer_stack *stack, struct tree_node *node, struct tree_inode *inode, bool is_visible)
{
    raise(&node->gone, stack->number);
    drop_below(stack, node);
    if (!is_visible) {
        take_back(stack, node);
        return;
    }
    if (node->kept == stack->number) {
        node->kept = 0;
    }
    put_inode(stack, node, tree_inode_share(inode));
}

/* A member that is no directory. node NULL: hidden, and nobody waits for it. */
static bool add_other(struct layer_stack *stack, struct layer_reader *reader,
    struct tar_member *member, struct tree_node *node, bool is_hidden, struct error *err)
{
    struct tree_inode *inode = NULL;
    bool is_visible = !is_hidden && node->gone <= stack->number && node->kept <= stack->number &&
                      !(node->inode && node->made > stack->number);
    bool is_needed = is_visible || (node && layer_is_awaited(stack, node));
    enum tar_type type = member->type;
    if (type == TAR_HARDLINK && is_needed) {
        inode = layer_link_inode(stack, member, err);
    } else {
        inode = layer_make_inode(stack, member, err);
    }
    if (!inode) {
        return false;
    }
    bool is_fine = true;
    if (type == TAR_FILE && is_needed) {
        is_fine = layer_copy_data(stack, reader, member, inode, err);
    }
    if (is_fine && node) {
        if (!is_hidden) {
            put_other(stack, node, inode, is_visible);
        }
        layer_note_inode(stack, node, inode);
    }
    if (!is_visible) {
        stack->world.report->hidden++;
    }
    ext4_drop_inode(stack->world.writer, inode);
    return is_fine;
}

static bool add_root(
    struct layer_stack *stack, struct tar_member *member, enum layer_kind kind, struct error *err)
{
    struct tree_node *root = tree_root(stack->world.tree);
    if (kind == LAYER_OPAQUE) {
        raise(&root->opaque, stack->number);
        layer_note_cleared(stack, root);
        return true;
    }
    return put_directory(stack, root, member, err);
}

static bool remove_name(
    struct layer_stack *stack, const struct layer_path *path, enum layer_kind kind)
{
    struct tree_node *parent = NULL;
    struct tree_node *node = NULL;
    if (!find_parent(stack, path, false, &parent)) {
        return false;
    }
    const struct layer_name *last = &path->names[path->count - 1];
    if (parent) {
        node = tree_add(stack->world.tree, parent, last->bytes, last->len);
        raise(kind == LAYER_WHITEOUT ? &node->gone : &node->opaque, stack->number);
    } else if (stack->wanted) {
        node = layer_find(stack, path);
    }
    if (node && kind == LAYER_WHITEOUT) {
        layer_note_gone(stack, node);
    } else if (node) {
        layer_note_cleared(stack, node);
    }
    return true;
}

bool layer_note_walk(struct layer_stack *stack, const struct layer_path *path, size_t directories)
{
    const struct tree_node *node = tree_root(stack->world.tree);
    uint64_t hash = LAYER_HASH_START;
    for (size_t i = 0; i < directories; i++) {
        const struct layer_name *name = &path->names[i];
        hash = layer_hash(hash, name);
        if (layer_hashes_has(&stack->links, hash)) {
            return layer_needs_order(stack);
        }
        node = node ? tree_find(node, name->bytes, name->len) : NULL;
        /* What the layer itself has called a directory is one, whatever older ones have there. */
        bool is_told =
            node && node->made == stack->number && node->inode && S_ISDIR(node->inode->mode);
        if (!is_told) {
            layer_hashes_add(&stack->through, hash);
        }
    }
    return true;
}

/* A symlink, or a hard link that may be one to a symlink. */
static bool note_link(struct layer_stack *stack, const struct layer_path *path)
{
    uint64_t hash = LAYER_HASH_START;
    for (size_t i = 0; i < path->count; i++) {
        hash = layer_hash(hash, &path->names[i]);
    }
    layer_hashes_add(&stack->links, hash);
    return !layer_hashes_has(&stack->through, hash) || layer_needs_order(stack);
}

static bool note_names(
    struct layer_stack *stack, const struct tar_member *member, enum layer_kind kind)
{
    const struct layer_path *path = &stack->path;
    bool is_link =
        kind == LAYER_PLAIN && (member->type == TAR_SYMLINK || member->type == TAR_HARDLINK);
    size_t directories = path->count - (kind != LAYER_OPAQUE && path->count > 0 ? 1 : 0);
    return layer_note_walk(stack, path, directories) && (!is_link || note_link(stack, path));
}

bool layer_newest_add(struct layer_stack *stack, struct layer_reader *reader,
    struct tar_member *member, enum layer_kind kind, struct error *err)
{
    struct layer_path *path = &stack->path;
    struct tree_node *parent = NULL;
    if (!note_names(stack, member, kind)) {
        return error_set(err, ERROR_FORMAT, "it may have to follow a link");
    }
    if (path->count == 0) {
        return add_root(stack, member, kind, err);
    }
    bool is_plain = kind == LAYER_PLAIN;
    if (!(is_plain ? find_parent(stack, path, true, &parent) : remove_name(stack, path, kind))) {
        return error_set(err, ERROR_FORMAT, "it lies below what is no directory");
    }
    if (!is_plain) {
        return true;
    }
    const struct layer_name *last = &path->names[path->count - 1];
    struct tree_node *node = parent ? tree_add(stack->world.tree, parent, last->bytes, last->len)
                             : stack->wanted ? layer_find(stack, path)
                                             : NULL;
    if (member->type != TAR_DIRECTORY) {
        return add_other(stack, reader, member, node, !parent, err);
    }
    if (node && node->wanted) {
        layer_note_inode(stack, node, NULL);
    }
    if (!parent) {
        stack->world.report->hidden++;
        return true;
    }
    return put_directory(stack, node, member, err);
}
