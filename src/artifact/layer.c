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
    layer_hashes_done(&stack->through);
    layer_hashes_done(&stack->links);
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

bool layer_needs_order(struct layer_stack *stack)
{
    *stack->world.needs_order = true;
    return false;
}

/* Data that comes in a row, put where the pieces say. */
struct spread {
    const struct tar_member *member;
    size_t piece;
    uint64_t done; /* of that piece */
    uint64_t at;   /* in the file */
};

static bool put_hole(
    struct layer_stack *stack, struct spread *spread, uint64_t to, struct error *err)
{
    uint64_t len = to - spread->at;
    spread->at = to;
    return ext4_file_hole(stack->world.writer, len, err);
}

static bool put_spread(struct layer_stack *stack, struct spread *spread, const uint8_t *data,
    size_t len, struct error *err)
{
    while (len > 0) {
        const struct tar_piece *piece = &spread->member->pieces[spread->piece];
        uint64_t left = piece->len - spread->done;
        size_t used = len < left ? len : (size_t)left;
        if (!put_hole(stack, spread, piece->offset + spread->done, err) ||
            !ext4_file_data(stack->world.writer, data, used, err)) {
            return false;
        }
        spread->at += used;
        spread->done += used;
        if (spread->done == piece->len) {
            spread->piece++;
            spread->done = 0;
        }
        data += used;
        len -= used;
    }
    return true;
}

bool layer_copy_data(struct layer_stack *stack, struct layer_reader *reader,
    const struct tar_member *member, struct tree_inode *inode, struct error *err)
{
    const void *data = NULL;
    size_t len = 0;
    struct spread spread = {.member = member};
    ext4_file_begin(stack->world.writer, inode);
    do {
        if (!layer_reader_data(reader, &data, &len, err) ||
            !(member->is_sparse ? put_spread(stack, &spread, data, len, err)
                                : ext4_file_data(stack->world.writer, data, len, err))) {
            return false;
        }
    } while (len > 0);
    return (!member->is_sparse || put_hole(stack, &spread, member->size_bytes, err)) &&
           ext4_file_end(stack->world.writer, err);
}

static bool add_member(struct layer_stack *stack, struct layer_reader *reader,
    struct tar_member *member, bool has_whiteouts, struct error *err)
{
    struct layer_path *path = &stack->path;
    enum layer_kind kind = LAYER_PLAIN;
    if (!layer_path_split(path, member->path, stack->world.limits, err) ||
        (has_whiteouts && !layer_path_classify(path, &kind, err))) {
        return false;
    }
    if (kind == LAYER_DROPPED) {
        return true;
    }
    if (path->count == 0 && kind == LAYER_PLAIN && member->type != TAR_DIRECTORY) {
        return error_set(
            err, ERROR_FORMAT, "it is a %s in place of the root", tar_type_name(member->type));
    }
    return stack->world.needs_order ? layer_newest_add(stack, reader, member, kind, err)
                                    : layer_order_add(stack, reader, member, kind, err);
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
    layer_hashes_done(&stack->links);
    if (!reader || !read_layer(stack, reader, blob, err)) {
        return false;
    }
    stack->expanded += layer_reader_out(reader);
    if (stack->world.needs_order && !layer_settle_links(stack, blob, err)) {
        return error_wrap(err, "%s", blob->shown);
    }
    stack->done_bytes += layer_reader_in(reader);
    return true;
}
