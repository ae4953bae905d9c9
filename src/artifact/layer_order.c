/* SPDX-License-Identifier: MIT */
/* The exact way: layers from the oldest on and their members in the order of the archive, each put
 * into the tree as unpacking would put it on a disk whose root is the tree's. Links on the way to a
 * name are followed in the tree, the last name never is. */
#include <string.h>
#include <sys/stat.h>

#include "artifact/ext4_writer.h"
#include "artifact/flatten.h"
#include "artifact/layer_stack.h"
#include "artifact/tar_header.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/memory.h"

/* As Linux counts them on the way to one name. */
#define LINKS_MAX 40

/* Where a name leads: the last thing that is there, and the names that are missing below it. */
struct found {
    struct tree_node *node;
    struct layer_path missing; /* into the member's name and the texts of symlinks */
    unsigned links;
};

static void found_done(struct found *found)
{
    layer_path_done(&found->missing);
}

static bool is_symlink(const struct tree_node *node)
{
    return node->inode && S_ISLNK(tree_inode_real(node->inode)->mode);
}

static struct tree_node *find_child(const struct tree_node *node, const struct layer_name *name)
{
    struct tree_node *child = tree_find(node, name->bytes, name->len);
    return child && tree_exists(child) ? child : NULL;
}

static bool follow(
    struct layer_stack *stack, struct found *found, const char *text, struct error *err);

static void go_up(struct found *found)
{
    if (found->missing.count > 0) {
        found->missing.count--;
    } else if (found->node->parent) {
        found->node = found->node->parent;
    }
}

static bool fail_below(const struct tree_node *node, struct error *err)
{
    return error_set(err, ERROR_FORMAT, "it lies below %.255s, which is no directory", node->name);
}

/* One name further down. What is no directory is stepped into where an older layer has it by its
 * own name: the newer layer is about to put a directory in its place. */
static bool go_down(struct layer_stack *stack, struct found *found, const struct layer_name *name,
    struct error *err)
{
    if (found->missing.count == 0) {
        struct tree_node *child = find_child(found->node, name);
        if (child && is_symlink(child)) {
            return follow(stack, found, child->inode->symlink, err);
        }
        if (child && !tree_is_directory(child) &&
            (child->made == stack->number || found->links > 0)) {
            return fail_below(child, err);
        }
        if (child) {
            found->node = child;
            return true;
        }
    }
    layer_path_push(&found->missing, name);
    return true;
}

static bool follow(
    struct layer_stack *stack, struct found *found, const char *text, struct error *err)
{
    if (found->links++ == LINKS_MAX) {
        return error_set(err, ERROR_FORMAT, "more than %d links lie on the way to it", LINKS_MAX);
    }
    if (text[0] == '/') {
        found->node = tree_root(stack->world.tree);
        found->missing.count = 0;
    }
    while (*text != '\0') {
        const struct layer_name name = {.bytes = text, .len = strcspn(text, "/")};
        text += name.len + (text[name.len] == '/' ? 1 : 0);
        if (name.len == 2 && memcmp(name.bytes, "..", 2) == 0) {
            go_up(found);
        } else if (name.len > TREE_NAME_MAX) {
            return error_set(err, ERROR_LIMIT,
                "a link on the way to it has a name longer than %d "
                "bytes",
                TREE_NAME_MAX);
        } else if (name.len > 0 && !(name.len == 1 && name.bytes[0] == '.') &&
                   !go_down(stack, found, &name, err)) {
            return false;
        }
    }
    return true;
}

static bool walk(struct layer_stack *stack, const struct layer_path *path, size_t directories,
    struct found *found, struct error *err)
{
    found->node = tree_root(stack->world.tree);
    for (size_t i = 0; i < directories; i++) {
        if (!go_down(stack, found, &path->names[i], err)) {
            return false;
        }
    }
    return true;
}

/* The directory a name leads to, for what only looks or removes; NULL when there is none. */
static struct tree_node *find_directory(
    struct layer_stack *stack, const struct layer_path *path, size_t directories)
{
    auto_done(found) struct found found = {0};
    struct error no_matter = {0};
    bool is_there = walk(stack, path, directories, &found, &no_matter) &&
                    found.missing.count == 0 && tree_is_directory(found.node);
    return is_there ? found.node : NULL;
}

static void drop_inode(struct layer_stack *stack, struct tree_node *node)
{
    if (node->inode) {
        stack->world.report->hidden++;
    }
    ext4_drop_inode(stack->world.writer, take_ptr(node->inode));
    node->made = 0;
}

/* The name and all below it go. */
static void drop(struct layer_stack *stack, struct tree_node *node)
{
    struct tree_node **list = NULL;
    size_t count = tree_is_directory(node) ? tree_children(node, &list) : 0;
    stack->dropped += count;
    for (size_t i = 0; i < count; i++) {
        drop(stack, list[i]);
    }
    free(list);
    drop_inode(stack, node);
    node->kept = 0;
}

/* What older layers have there goes; whether anything stays. A directory that stays for what the
 * layer at hand has below it is no longer the one that an older layer described. */
static bool remove_older(struct layer_stack *stack, struct tree_node *node, bool is_itself_left)
{
    struct tree_node **list = NULL;
    size_t count = tree_is_directory(node) ? tree_children(node, &list) : 0;
    size_t left = 0;
    stack->dropped += count;
    for (size_t i = 0; i < count; i++) {
        left += remove_older(stack, list[i], false);
    }
    free(list);
    if (is_itself_left) {
        return true;
    }
    if (left == 0 && node->kept != stack->number) {
        drop_inode(stack, node);
        node->kept = 0;
        return false;
    }
    if (node->made != stack->number) {
        drop_inode(stack, node);
    }
    return true;
}

static void remove_name(
    struct layer_stack *stack, const struct layer_path *path, enum layer_kind kind)
{
    if (kind == LAYER_OPAQUE) {
        struct tree_node *node = find_directory(stack, path, path->count);
        if (node) {
            remove_older(stack, node, true);
        }
        return;
    }
    struct tree_node *parent = find_directory(stack, path, path->count - 1);
    struct tree_node *node = parent ? find_child(parent, &path->names[path->count - 1]) : NULL;
    if (node) {
        remove_older(stack, node, false);
    }
}

/* The directory for the last name of the path, made with all that is missing above it. */
static struct tree_node *make_parent(
    struct layer_stack *stack, const struct layer_path *path, struct error *err)
{
    auto_done(found) struct found found = {0};
    if (!walk(stack, path, path->count - 1, &found, err)) {
        return NULL;
    }
    struct tree_node *node = found.node;
    if (!tree_is_directory(node)) {
        drop(stack, node);
    }
    for (size_t i = 0; i < found.missing.count; i++) {
        const struct layer_name *name = &found.missing.names[i];
        node = tree_add(stack->world.tree, node, name->bytes, name->len);
    }
    uint64_t depth = 1;
    for (struct tree_node *above = node; above->parent; above = above->parent) {
        above->kept = stack->number;
        depth++;
    }
    if (depth > stack->world.limits->layer_depth) {
        error_set(err, ERROR_LIMIT, "behind links its name is deeper than layer_depth (%llu)",
            (unsigned long long)stack->world.limits->layer_depth);
        return NULL;
    }
    return node;
}

static void put(struct layer_stack *stack, struct tree_node *node, struct tree_inode *inode)
{
    drop_inode(stack, node);
    node->inode = inode;
    node->made = node->kept = stack->number;
}

static bool put_directory(
    struct layer_stack *stack, struct tree_node *node, struct tar_member *member, struct error *err)
{
    struct tree_inode *inode = layer_make_inode(stack, member, err);
    if (!inode) {
        return false;
    }
    if (tree_exists(node) && !tree_is_directory(node)) {
        drop(stack, node);
    }
    put(stack, node, inode);
    return true;
}

static bool is_inside(const struct tree_node *node, const struct tree_node *directory)
{
    while (node && node != directory) {
        node = node->parent;
    }
    return node != NULL;
}

/* What is at the new name goes before the link is made, so it cannot be the target. */
static struct tree_inode *link_inode(struct layer_stack *stack, const struct tree_node *node,
    const struct tar_member *member, struct error *err)
{
    struct layer_path *target = &stack->target;
    if (!layer_path_split(target, member->link, stack->world.limits, err)) {
        error_wrap(err, "the target of the hard link");
        return NULL;
    }
    struct tree_node *parent =
        target->count > 0 ? find_directory(stack, target, target->count - 1) : NULL;
    struct tree_node *found = parent ? find_child(parent, &target->names[target->count - 1]) : NULL;
    const char *what = target->count == 0         ? "a directory"
                       : !found                   ? "missing"
                       : is_inside(found, node)   ? "what it replaces"
                       : tree_is_directory(found) ? "a directory"
                                                  : NULL;
    if (what) {
        error_set(
            err, ERROR_FORMAT, "it is a hard link to %.255s, which is %s", member->link, what);
        return NULL;
    }
    return tree_inode_share(found->inode);
}

static bool put_other(struct layer_stack *stack, struct layer_reader *reader,
    struct tree_node *node, struct tar_member *member, struct error *err)
{
    bool is_file = member->type == TAR_FILE;
    struct tree_inode *inode = member->type == TAR_HARDLINK ? link_inode(stack, node, member, err)
                                                            : layer_make_inode(stack, member, err);
    if (!inode) {
        return false;
    }
    if (is_file && !layer_copy_data(stack, reader, member, inode, err)) {
        ext4_drop_inode(stack->world.writer, inode);
        return false;
    }
    drop(stack, node);
    put(stack, node, inode);
    return true;
}

bool layer_order_add(struct layer_stack *stack, struct layer_reader *reader,
    struct tar_member *member, enum layer_kind kind, struct error *err)
{
    const struct layer_path *path = &stack->path;
    if (kind != LAYER_PLAIN) {
        remove_name(stack, path, kind);
        return true;
    }
    if (path->count == 0) {
        return put_directory(stack, tree_root(stack->world.tree), member, err);
    }
    struct tree_node *parent = make_parent(stack, path, err);
    if (!parent) {
        return false;
    }
    const struct layer_name *last = &path->names[path->count - 1];
    struct tree_node *node = tree_add(stack->world.tree, parent, last->bytes, last->len);
    return member->type == TAR_DIRECTORY ? put_directory(stack, node, member, err)
                                         : put_other(stack, reader, node, member, err);
}
