/* SPDX-License-Identifier: MIT */
/* Hard links whose target is not in the tree when they come: hidden in their own layer, or in an
 * older one. */
#include <string.h>
#include <sys/stat.h>

#include "artifact/ext4_writer.h"
#include "artifact/layer_read.h"
#include "artifact/layer_stack.h"
#include "artifact/tar_header.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/memory.h"

/* Links to links to … hidden names: a layer is read once more for each. */
#define SEARCHES_MAX 8

static struct tree_wanted *open_wanted(struct layer_stack *stack, struct tree_node *node)
{
    if (!node->wanted || node->wanted->opened != stack->number) {
        struct tree_wanted *wanted = memory_zero(1, sizeof *wanted);
        wanted->older = node->wanted;
        wanted->node = node;
        wanted->opened = stack->number;
        wanted->link_index = stack->index;
        wanted->next = stack->wanted;
        stack->wanted = wanted;
        node->wanted = wanted;
    }
    return node->wanted;
}

/* The reference is taken over. */
static void set_candidate(
    struct layer_stack *stack, struct tree_wanted *wanted, struct tree_inode *inode)
{
    ext4_drop_inode(stack->world.writer, wanted->candidate);
    wanted->candidate = inode;
    wanted->is_directory = inode == NULL;
}

static struct tree_node *add_path(struct layer_stack *stack, const struct layer_path *path)
{
    struct tree_node *node = tree_root(stack->world.tree);
    for (size_t i = 0; i < path->count; i++) {
        node = tree_add(stack->world.tree, node, path->names[i].bytes, path->names[i].len);
    }
    return node;
}

static struct tree_inode *wait_for(struct layer_stack *stack, struct tree_node *node)
{
    struct tree_wanted *wanted = open_wanted(stack, node);
    struct tree_inode *inode = tree_inode_new(0);
    size_t count = wanted->waiting_count;
    if ((count & (count - 1)) == 0) {
        wanted->waiting =
            memory_grow(wanted->waiting, count ? count * 2 : 1, sizeof(struct tree_inode *));
    }
    wanted->waiting[wanted->waiting_count++] = tree_inode_share(inode);
    return inode;
}

/* What is wrong with it, if anything, only the order of things can tell. */
static bool fail_link(struct layer_stack *stack, struct error *err)
{
    layer_needs_order(stack);
    return error_set(err, ERROR_FORMAT, "a hard link points to what is not there");
}

struct tree_inode *layer_link_inode(
    struct layer_stack *stack, const struct tar_member *member, struct error *err)
{
    struct layer_path *target = &stack->target;
    if (!layer_path_split(target, member->link, stack->world.limits, err)) {
        error_wrap(err, "the target of the hard link");
        return NULL;
    }
    if (layer_path_equal(target, &stack->path) ||
        (target->count > 0 && !layer_note_walk(stack, target, target->count - 1))) {
        fail_link(stack, err);
        return NULL;
    }
    struct tree_node *node = layer_find(stack, target);
    bool is_ours = node && node->inode && node->made == stack->number;
    if (is_ours && !S_ISDIR(node->inode->mode)) {
        return tree_inode_share(node->inode);
    }
    if (target->count == 0 || is_ours || (node && node->kept == stack->number)) {
        fail_link(stack, err);
        return NULL;
    }
    for (struct tree_wanted *wanted = node ? node->wanted : NULL; wanted; wanted = wanted->older) {
        if (wanted->candidate) {
            return tree_inode_share(wanted->candidate);
        }
    }
    return wait_for(stack, node ? node : add_path(stack, target));
}

bool layer_is_awaited(const struct layer_stack *stack, const struct tree_node *node)
{
    const struct tree_wanted *wanted = node->wanted;
    while (wanted && wanted->opened <= stack->number) {
        wanted = wanted->older;
    }
    return wanted != NULL;
}

void layer_note_gone(struct layer_stack *stack, struct tree_node *node)
{
    node->cut = stack->number;
}

void layer_note_cleared(struct layer_stack *stack, struct tree_node *node)
{
    node->cleared = stack->number;
}

void layer_note_inode(struct layer_stack *stack, struct tree_node *node, struct tree_inode *inode)
{
    if (inode) {
        node->cut = stack->number;
    }
    for (struct tree_wanted *wanted = node->wanted; wanted; wanted = wanted->older) {
        if (wanted->opened > stack->number) {
            set_candidate(stack, wanted, inode ? tree_inode_share(inode) : NULL);
        }
    }
}

/* A member of the layer that is read again, by a name that is looked for. */
static bool take_found(struct layer_stack *stack, struct layer_reader *reader,
    struct tar_member *member, struct tree_wanted *wanted, struct error *err)
{
    if (member->type == TAR_DIRECTORY) {
        set_candidate(stack, wanted, NULL);
        return true;
    }
    struct tree_inode *inode = member->type == TAR_HARDLINK ? layer_link_inode(stack, member, err)
                                                            : layer_make_inode(stack, member, err);
    if (!inode) {
        return false;
    }
    bool is_fine = member->type != TAR_FILE || layer_copy_data(stack, reader, member, inode, err);
    set_candidate(stack, wanted, inode);
    return is_fine;
}

static bool search_again(
    struct layer_stack *stack, const struct layer_blob *blob, struct error *err)
{
    auto_layer_reader struct layer_reader *reader = layer_reader_new(
        blob->fd, blob->accepted, NULL, blob->shown, stack->world.limits, stack->world.cancel, err);
    int got = reader ? 1 : -1;
    stack->index = 0;
    while (got > 0) {
        auto_done(tar_member) struct tar_member member = {0};
        got = layer_reader_next(reader, &member, err);
        if (got <= 0) {
            break;
        }
        stack->index++;
        if (!layer_path_split(&stack->path, member.path, stack->world.limits, err)) {
            return false;
        }
        struct tree_node *node = layer_find(stack, &stack->path);
        struct tree_wanted *wanted = node ? node->wanted : NULL;
        if (wanted && wanted->opened == stack->number && wanted->is_searched &&
            stack->index < wanted->link_index && !take_found(stack, reader, &member, wanted, err)) {
            return false;
        }
    }
    return got == 0;
}

/* Marks what this layer is to be searched for; false when there is nothing. */
static bool needs_search(struct layer_stack *stack)
{
    bool is_needed = false;
    for (struct tree_wanted *wanted = stack->wanted; wanted; wanted = wanted->next) {
        if (wanted->opened == stack->number && !wanted->is_searched) {
            wanted->is_searched = true;
            is_needed = true;
        }
    }
    return is_needed;
}

/* Whether the layer at hand removed the name, or a directory it is in. */
static bool is_removed(const struct layer_stack *stack, const struct tree_node *node)
{
    if (node->cut == stack->number) {
        return true;
    }
    for (node = node->parent; node; node = node->parent) {
        if (node->cut == stack->number || node->cleared == stack->number) {
            return true;
        }
    }
    return false;
}

/* False for links that only point to each other. */
static bool close_wanted(struct layer_stack *stack, struct tree_wanted *wanted)
{
    bool is_fine = true;
    for (size_t i = 0; i < wanted->waiting_count; i++) {
        if (tree_inode_real(wanted->candidate) == wanted->waiting[i]) {
            is_fine = false;
        } else {
            wanted->waiting[i]->alias = tree_inode_share(wanted->candidate);
        }
        ext4_drop_inode(stack->world.writer, wanted->waiting[i]);
    }
    ext4_drop_inode(stack->world.writer, wanted->candidate);
    struct tree_wanted **same = &wanted->node->wanted;
    while (*same != wanted) {
        same = &(*same)->older;
    }
    *same = wanted->older;
    free(wanted->waiting);
    free(wanted);
    return is_fine;
}

bool layer_settle_links(struct layer_stack *stack, const struct layer_blob *blob, struct error *err)
{
    for (unsigned searches = 0; needs_search(stack); searches++) {
        if (searches == SEARCHES_MAX) {
            return fail_link(stack, err);
        }
        if (!search_again(stack, blob, err)) {
            return false;
        }
    }
    struct tree_wanted **link = &stack->wanted;
    while (*link) {
        struct tree_wanted *wanted = *link;
        if (wanted->is_directory) {
            return fail_link(stack, err);
        }
        if (wanted->candidate) {
            *link = wanted->next;
            if (!close_wanted(stack, wanted)) {
                return fail_link(stack, err);
            }
            continue;
        }
        if (wanted->opened > stack->number && is_removed(stack, wanted->node)) {
            return fail_link(stack, err);
        }
        link = &wanted->next;
    }
    return true;
}

bool layer_stack_finish(struct layer_stack *stack, struct error *err)
{
    return !stack->wanted || fail_link(stack, err);
}
