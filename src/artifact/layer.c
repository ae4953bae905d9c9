/* SPDX-License-Identifier: MIT */
#include "artifact/layer.h"

#include <string.h>
#include <sys/stat.h>

#include "artifact/ext4_writer.h"
#include "artifact/flatten.h"
#include "artifact/layer_read.h"
#include "artifact/layer_stack.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/progress.h"

/* What the inodes of ext4 can say. */
#define TIME_MIN (-INT64_C(0x80000000))
#define TIME_MAX INT64_C(0x37fffffff)
#define MAJOR_MAX 0xfff
#define MINOR_MAX 0xfffff

struct layer_stack *layer_stack_new(const struct layer_world *world)
{
    struct layer_stack *stack = memory_zero(1, sizeof *stack);
    stack->world = *world;
    return stack;
}

static void forget_followed(struct layer_stack *stack)
{
    for (size_t i = 0; i < stack->followed_count; i++) {
        free(stack->followed[i].link);
    }
    free(stack->followed);
    stack->followed = NULL;
    stack->followed_count = 0;
}

void layer_stack_free(struct layer_stack *stack)
{
    if (!stack) {
        return;
    }
    while (stack->wanted) {
        struct tree_wanted *wanted = stack->wanted;
        stack->wanted = wanted->next;
        for (size_t i = 0; i < wanted->waiting_count; i++) {
            ext4_drop_inode(stack->world.writer, wanted->waiting[i]);
        }
        ext4_drop_inode(stack->world.writer, wanted->candidate);
        free(wanted->waiting);
        free(wanted);
    }
    layer_path_done(&stack->path);
    layer_path_done(&stack->target);
    forget_followed(stack);
    free(stack);
}

void layer_stack_auto_free(struct layer_stack **stack)
{
    layer_stack_free(*stack);
}

static uint32_t mode_of(enum tar_type type)
{
    switch (type) {
    case TAR_DIRECTORY:
        return S_IFDIR;
    case TAR_SYMLINK:
        return S_IFLNK;
    case TAR_CHARACTER_DEVICE:
        return S_IFCHR;
    case TAR_BLOCK_DEVICE:
        return S_IFBLK;
    case TAR_FIFO:
        return S_IFIFO;
    default:
        return S_IFREG;
    }
}

static bool check_facts(const struct tar_member *member, struct error *err)
{
    if (member->mtime < TIME_MIN || member->mtime > TIME_MAX) {
        return error_set(err, ERROR_FORMAT, "its time is out of the range ext4 has");
    }
    bool is_device = member->type == TAR_CHARACTER_DEVICE || member->type == TAR_BLOCK_DEVICE;
    if (is_device && (member->device_major > MAJOR_MAX || member->device_minor > MINOR_MAX)) {
        return error_set(err, ERROR_FORMAT, "its device number is out of the range Linux has");
    }
    if (member->type == TAR_CHARACTER_DEVICE && member->device_major == 0 &&
        member->device_minor == 0) {
        return error_set(err, ERROR_FORMAT,
            "it is a whiteout in overlayfs's form, which has no place in a layer");
    }
    return true;
}

static void take_xattrs(
    struct layer_stack *stack, struct tar_member *member, struct tree_inode *inode)
{
    size_t kept = 0;
    for (size_t i = 0; i < member->xattr_count; i++) {
        struct tar_xattr *xattr = &member->xattrs[i];
        if (tree_xattr_is_kept(xattr->name)) {
            tree_inode_add_xattr(inode, take_ptr(xattr->name), take_ptr(xattr->value), xattr->len);
            kept++;
        }
    }
    stack->world.report->skipped_xattrs += member->xattr_total - kept;
}

struct tree_inode *layer_make_inode(
    struct layer_stack *stack, struct tar_member *member, struct error *err)
{
    if (!check_facts(member, err)) {
        return NULL;
    }
    struct tree_inode *inode = tree_inode_new(mode_of(member->type) | member->mode);
    inode->uid = (uint32_t)member->uid;
    inode->gid = (uint32_t)member->gid;
    inode->mtime = member->mtime;
    inode->mtime_nanoseconds = member->mtime_nanoseconds;
    inode->device_major = member->device_major;
    inode->device_minor = member->device_minor;
    if (member->type == TAR_SYMLINK) {
        inode->mode = S_IFLNK | 0777;
        inode->size_bytes = strlen(member->link);
        inode->symlink = take_ptr(member->link);
    }
    take_xattrs(stack, member, inode);
    return inode;
}

struct tree_node *layer_find(const struct layer_stack *stack, const struct layer_path *path)
{
    struct tree_node *node = tree_root(stack->world.tree);
    for (size_t i = 0; node && i < path->count; i++) {
        node = tree_find(node, path->names[i].bytes, path->names[i].len);
    }
    return node;
}

bool layer_copy_data(struct layer_stack *stack, struct layer_reader *reader,
    struct tree_inode *inode, struct error *err)
{
    const void *data = NULL;
    size_t len = 0;
    ext4_file_begin(stack->world.writer, inode);
    do {
        if (!layer_reader_data(reader, &data, &len, err) ||
            !ext4_file_data(stack->world.writer, data, len, err)) {
            return false;
        }
    } while (len > 0);
    return ext4_file_end(stack->world.writer, err);
}

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
    struct tree_node **parent, struct error *err)
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
            return !is_file || error_set(err, ERROR_FORMAT,
                                   "it lies below %s, which is no directory", node->name);
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

/* A newer layer has put files below the name without saying that it is a directory: unless this
 * one does, they were meant to go where the link leads. */
static void note_followed(
    struct layer_stack *stack, struct tree_node *node, const struct tar_member *member)
{
    bool is_followed = member->type == TAR_SYMLINK && node->gone <= stack->number &&
                       node->kept > stack->number && !node->inode;
    size_t kept = 0; /* whatever the layer called a symlink before, this is what it is now */
    for (size_t i = 0; i < stack->followed_count; i++) {
        if (stack->followed[i].node == node) {
            free(stack->followed[i].link);
        } else {
            stack->followed[kept++] = stack->followed[i];
        }
    }
    stack->followed_count = kept;
    if (is_followed) {
        stack->followed =
            memory_grow(stack->followed, stack->followed_count + 1, sizeof *stack->followed);
        stack->followed[stack->followed_count++] =
            (struct layer_followed){.node = node, .link = memory_strdup(member->link)};
    }
}

/* Better no image than one without its /lib. */
static bool check_followed(
    struct layer_stack *stack, const struct layer_blob *blob, struct error *err)
{
    bool is_fine = true;
    for (size_t i = 0; i < stack->followed_count && is_fine; i++) {
        const struct layer_followed *followed = &stack->followed[i];
        is_fine = followed->node->inode ||
                  error_set(err, ERROR_FORMAT,
                      "%s: member %.200s: a newer layer has files below it that would have to "
                      "follow this symlink to %.200s: the layer must name the directory itself",
                      blob->shown, followed->node->name, followed->link);
    }
    forget_followed(stack);
    return is_fine;
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
    if (!is_hidden) {
        note_followed(stack, node, member);
    }
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
        is_fine = layer_copy_data(stack, reader, inode, err);
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
    if (member->type != TAR_DIRECTORY) {
        return error_set(
            err, ERROR_FORMAT, "it is a %s in place of the root", tar_type_name(member->type));
    }
    return put_directory(stack, root, member, err);
}

static bool remove_name(struct layer_stack *stack, const struct layer_path *path,
    enum layer_kind kind, struct error *err)
{
    struct tree_node *parent = NULL;
    struct tree_node *node = NULL;
    if (!find_parent(stack, path, false, &parent, err)) {
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

static bool add_member(struct layer_stack *stack, struct layer_reader *reader,
    struct tar_member *member, bool has_whiteouts, struct error *err)
{
    struct layer_path *path = &stack->path;
    enum layer_kind kind = LAYER_PLAIN;
    struct tree_node *parent = NULL;
    if (!layer_path_split(path, member->path, stack->world.limits, err) ||
        (has_whiteouts && !layer_path_classify(path, &kind, err))) {
        return false;
    }
    if (kind == LAYER_DROPPED) {
        return true;
    }
    if (path->count == 0) {
        return add_root(stack, member, kind, err);
    }
    if (kind != LAYER_PLAIN) {
        return remove_name(stack, path, kind, err);
    }
    if (!find_parent(stack, path, true, &parent, err)) {
        return false;
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

/* How often a layer may make directories into something else and back, in names. */
#define DROPPED_MAX 100

static bool check_count(const struct layer_stack *stack, struct error *err)
{
    uint64_t limit = stack->world.limits->entries;
    if (stack->dropped / DROPPED_MAX > limit) {
        return error_set(
            err, ERROR_LIMIT, "the layers make directories into files and back too often");
    }
    return tree_count(stack->world.tree) <= limit + limit / 4 ||
           error_set(err, ERROR_LIMIT, "the layers together have more names than entries (%llu)",
               (unsigned long long)limit);
}

static bool read_layer(struct layer_stack *stack, struct layer_reader *reader,
    const struct layer_blob *blob, struct error *err)
{
    for (;;) {
        auto_done(tar_member) struct tar_member member = {0};
        int got = layer_reader_next(reader, &member, err);
        if (got <= 0) {
            return got == 0;
        }
        stack->index++;
        stack->world.report->entries++;
        progress_report(stack->world.progress, PROGRESS_EXTRACT, PROGRESS_BYTES,
            stack->done_bytes + layer_reader_in(reader), stack->world.total_bytes);
        if (cancel_check(stack->world.cancel, err)) {
            return false;
        }
        auto_free char *name = memory_strdup(member.path);
        if (!add_member(stack, reader, &member, blob->has_whiteouts, err) ||
            !check_count(stack, err)) {
            return error_wrap(err, "%s: member %.200s", blob->shown, name);
        }
    }
}

bool layer_stack_add(
    struct layer_stack *stack, const struct layer_blob *blob, uint32_t number, struct error *err)
{
    struct limits limits = *stack->world.limits;
    limits.expanded_bytes -= stack->expanded;
    stack->number = number;
    stack->index = 0;
    auto_layer_reader struct layer_reader *reader = layer_reader_new(
        blob->fd, blob->accepted, blob->diff_id, blob->shown, &limits, stack->world.cancel, err);
    if (!reader || !read_layer(stack, reader, blob, err) || !check_followed(stack, blob, err)) {
        return false;
    }
    stack->expanded += layer_reader_out(reader);
    if (!layer_settle_links(stack, blob, err)) {
        return error_wrap(err, "%s", blob->shown);
    }
    stack->done_bytes += layer_reader_in(reader);
    return true;
}
