/* SPDX-License-Identifier: MIT */
/* What becomes of layers and trees: a disk that reads back as the tree it was made from. e2fsck has
 * its say too, of every FUZZ_FSCK-th disk when that variable is set. */
#include "fuzz/fuzz.h"

#include "artifact/decompress.h"
#include "artifact/ext4.h"
#include "artifact/ext4_read.h"
#include "artifact/ext4_writer.h"
#include "artifact/flatten.h"
#include "artifact/layer.h"
#include "artifact/tree.h"
#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 512
#define DEPTH_MAX 12
#define INODES_KEPT 32
#define STEPS_MAX 200
#define LAYERS_MAX 4
#define NAMES_MAX 600
#define INODES 1024

/* The input as a row of small decisions; 0 once it is used up. */
struct cursor {
    const uint8_t *at, *end;
};

static uint8_t take(struct cursor *cursor)
{
    return cursor->at < cursor->end ? *cursor->at++ : 0;
}

static unsigned take_two(struct cursor *cursor)
{
    unsigned high = take(cursor);
    return high << 8 | take(cursor);
}

static int new_disk(void)
{
    int fd = memfd_create("disk", MFD_CLOEXEC);
    fuzz_check(fd >= 0);
    return fd;
}

/* ---- a disk and the tree it was made from ---- */

static void check_fsck(int fd)
{
    static unsigned disks;
    const char *every = getenv("FUZZ_FSCK");
    unsigned step = every != NULL ? (unsigned)atoi(every) : 0;
    if (step == 0 || disks++ % step != 0) {
        return;
    }
    struct error err = {0};
    auto_done(text) struct text out = {0};
    auto_free char *program = process_find("e2fsck");
    auto_free char *path = memory_printf("/proc/%d/fd/%d", (int)getpid(), fd);
    const char *const argv[] = {program != NULL ? program : "/sbin/e2fsck", "-fn", path, NULL};
    int status = -1;
    fuzz_check(process_run(argv, 60000, 1 << 20, NULL, &out, NULL, &status, &err));
    if (status != 0) {
        fputs(text_cstr(&out), stderr);
    }
    fuzz_check(status == 0);
}

static void check_xattrs(const struct tree_inode *a, const struct tree_inode *b)
{
    fuzz_check(a->xattr_count == b->xattr_count);
    for (uint32_t i = 0; i < a->xattr_count; i++) {
        bool is_found = false;
        for (uint32_t k = 0; k < b->xattr_count; k++) {
            is_found |= strcmp(a->xattrs[i].name, b->xattrs[k].name) == 0 &&
                        a->xattrs[i].len == b->xattrs[k].len &&
                        (a->xattrs[i].len == 0 ||
                            memcmp(a->xattrs[i].value, b->xattrs[k].value, a->xattrs[i].len) == 0);
        }
        fuzz_check(is_found);
    }
}

static void check_inode(const struct tree_inode *a, const struct tree_inode *b)
{
    fuzz_check(a->mode == b->mode && a->uid == b->uid && a->gid == b->gid);
    fuzz_check(a->mtime == b->mtime && a->mtime_nanoseconds == b->mtime_nanoseconds);
    fuzz_check(a->links == b->links || S_ISDIR(a->mode));
    if (S_ISREG(a->mode)) {
        fuzz_check(a->size_bytes == b->size_bytes);
    }
    if (S_ISLNK(a->mode)) {
        fuzz_check(strcmp(a->symlink, b->symlink) == 0);
    }
    if (S_ISCHR(a->mode) || S_ISBLK(a->mode)) {
        fuzz_check(a->device_major == b->device_major && a->device_minor == b->device_minor);
    }
    check_xattrs(a, b);
}

/* The directory that every ext4 has; what is in it stays behind when another disk is made. */
static bool is_lost(const struct tree_node *node)
{
    return node->parent != NULL && node->parent->parent == NULL &&
           strcmp(node->name, "lost+found") == 0;
}

static void check_same(struct tree_node *a, struct tree_node *b)
{
    struct tree_node **left = NULL;
    struct tree_node **right = NULL;
    size_t count = tree_children(a, &left);
    size_t other = tree_children(b, &right);
    fuzz_check(count == other);
    check_inode(tree_inode_real(a->inode), tree_inode_real(b->inode));
    for (size_t i = 0; i < count; i++) {
        fuzz_check(left[i]->len == right[i]->len &&
                   memcmp(left[i]->name, right[i]->name, left[i]->len) == 0);
        if (!is_lost(left[i])) {
            check_same(left[i], right[i]);
        }
    }
    free(left);
    free(right);
}

static struct ext4_writer *new_writer(int fd)
{
    struct error err = {0};
    const struct ext4_plan plan = {.size_bytes = EXT4_SIZE_MIN, .inodes = INODES, .label = "fuzz"};
    struct ext4_writer *writer = ext4_writer_new(fd, &plan, &err);
    fuzz_check(writer != NULL);
    return writer;
}

/* Reads the disk back, writes that, and compares; a second disk has the same files. */
static void check_disk(int fd, struct tree *tree)
{
    struct error err = {0};
    struct ext4_tally tally = {0};
    struct flatten_report report = {0};
    struct limits limits = limits_default;
    limits.layer_depth = limits_default.layer_depth + 1; /* the root counts here */
    auto_close int second = new_disk();
    auto_ext4_writer struct ext4_writer *writer = new_writer(second);
    struct tree *again = tree_new();
    check_fsck(fd);
    fuzz_check(ext4_read_subtree(fd, "", again, writer, &limits, NULL, &report, &err));
    fuzz_check(report.skipped_xattrs == 0 && report.skipped_sockets == 0);
    fuzz_check(ext4_writer_finish(writer, again, &tally, &err) || err.code == ERROR_NO_SPACE);
    if (err.code == ERROR_NONE) {
        check_same(tree_root(tree), tree_root(again));
        check_fsck(second);
    }
    tree_free(again);
}

/* What did not fit says how much would do: false. */
static bool finish(struct ext4_writer *writer, int fd, struct tree *tree)
{
    struct error err = {0};
    struct ext4_tally tally = {0};
    if (ext4_writer_finish(writer, tree, &tally, &err)) {
        fuzz_check(tally.used_bytes <= tally.size_bytes);
        check_disk(fd, tree);
        return true;
    }
    fuzz_check(err.code == ERROR_NO_SPACE || err.code == ERROR_FORMAT);
    fuzz_check(err.code != ERROR_NO_SPACE || tally.need_bytes > 0);
    return false;
}

/* ---- any tree ---- */

struct growing {
    struct cursor cursor;
    struct tree *tree;
    struct ext4_writer *writer;
    struct tree_node *at;
    unsigned depth, names;
    struct tree_inode *files[INODES_KEPT]; /* for more names; references held */
    unsigned count;
    struct tree_inode *last; /* borrowed */
};

/* A short name that will come again, or a long one of any byte. */
static struct tree_node *add_name(struct growing *growing)
{
    char name[TREE_NAME_MAX];
    uint8_t word = take(&growing->cursor);
    size_t len = word < 200 ? 1 : 1 + take(&growing->cursor) % TREE_NAME_MAX;
    uint8_t fill = word < 200 ? (uint8_t)('a' + word % 16) : take(&growing->cursor);
    memset(name, fill == '\0' || fill == '/' ? 'x' : fill, len);
    return tree_add(growing->tree, growing->at, name, len);
}

/* Gives the name a new inode, unless it is a directory already. */
static bool put(struct growing *growing, struct tree_node *node, struct tree_inode *inode)
{
    if (tree_is_directory(node)) {
        ext4_drop_inode(growing->writer, inode);
        return false;
    }
    ext4_drop_inode(growing->writer, node->inode);
    node->inode = inode;
    growing->last = inode;
    return true;
}

static void enter(struct growing *growing)
{
    struct tree_node *node = add_name(growing);
    if (growing->depth == DEPTH_MAX || (tree_exists(node) && !tree_is_directory(node))) {
        return;
    }
    if (!tree_exists(node) && take(&growing->cursor) % 4 > 0) {
        node->inode = tree_inode_new(S_IFDIR | 0755);
        growing->last = node->inode;
    }
    node->kept = 1;
    growing->at = node;
    growing->depth++;
}

static void leave(struct growing *growing)
{
    if (growing->at->parent != NULL) {
        growing->at = growing->at->parent;
        growing->depth--;
    }
}

static bool add_file(struct growing *growing, struct error *err)
{
    struct tree_inode *inode = tree_inode_new(S_IFREG | 0644);
    static const uint8_t zeros[8192];
    uint8_t bytes[8192];
    bool is_fine = true;
    ext4_file_begin(growing->writer, inode);
    for (unsigned pieces = take(&growing->cursor) % 8; is_fine && pieces > 0; pieces--) {
        uint8_t how = take(&growing->cursor);
        unsigned len = take_two(&growing->cursor) % (sizeof bytes + 1);
        memset(bytes, how, sizeof bytes);
        is_fine = how % 3 == 0   ? ext4_file_data(growing->writer, zeros, len, err)
                  : how % 3 == 1 ? ext4_file_data(growing->writer, bytes, len, err)
                                 : ext4_file_hole(growing->writer, (uint64_t)len * 61, err);
    }
    is_fine = is_fine && ext4_file_end(growing->writer, err);
    if (growing->count < INODES_KEPT) {
        growing->files[growing->count++] = tree_inode_share(inode);
    }
    put(growing, add_name(growing), inode);
    return is_fine;
}

static void add_symlink(struct growing *growing)
{
    struct tree_inode *inode = tree_inode_new(S_IFLNK | 0777);
    size_t len = 1 + take_two(&growing->cursor) % 4095;
    inode->symlink = memory_alloc(len + 1);
    memset(inode->symlink, 's', len);
    inode->symlink[len] = '\0';
    inode->size_bytes = len;
    put(growing, add_name(growing), inode);
}

static void add_special(struct growing *growing)
{
    static const uint32_t types[] = {S_IFCHR, S_IFBLK, S_IFIFO};
    struct tree_inode *inode = tree_inode_new(types[take(&growing->cursor) % 3] | 0600);
    inode->device_major = take_two(&growing->cursor) % 0x1000;
    inode->device_minor = take_two(&growing->cursor) * 16U % 0x100000;
    if (S_ISFIFO(inode->mode) || (inode->device_major == 0 && inode->device_minor == 0)) {
        inode->device_major = inode->device_minor = S_ISFIFO(inode->mode) ? 0 : 1;
    }
    put(growing, add_name(growing), inode);
}

static void add_many(struct growing *growing)
{
    unsigned count = take_two(&growing->cursor) % NAMES_MAX;
    size_t pad = take(&growing->cursor) % 240;
    for (unsigned i = 0; i < count && growing->names < NAMES_MAX; i++, growing->names++) {
        char name[TREE_NAME_MAX + 1];
        int len = snprintf(name, sizeof name, "%u%0*d", i, (int)pad, 0);
        struct tree_node *node = tree_add(growing->tree, growing->at, name, (size_t)len);
        put(growing, node, tree_inode_new(S_IFREG | 0600));
    }
}

static void add_xattr(struct growing *growing)
{
    size_t name_len = 1 + take(&growing->cursor) % 120;
    size_t len = take_two(&growing->cursor) % 4000;
    if (growing->last == NULL) {
        return;
    }
    auto_free char *name = memory_printf("user.%0*d", (int)name_len, 7);
    uint8_t *value = len > 0 ? memory_alloc(len) : NULL;
    if (len > 0) {
        memset(value, take(&growing->cursor), len);
    }
    tree_inode_add_xattr(growing->last, take_ptr(name), value, len);
}

static void set_facts(struct growing *growing)
{
    struct tree_inode *inode = growing->last;
    if (inode != NULL) {
        inode->mode = (inode->mode & S_IFMT) | take_two(&growing->cursor) % 010000;
        inode->uid = take_two(&growing->cursor) * 65537U;
        inode->gid = take_two(&growing->cursor);
        inode->mtime = (int64_t)take_two(&growing->cursor) * 200000 - 2000000000;
        inode->mtime_nanoseconds = take_two(&growing->cursor) * 15000U;
    }
}

static bool grow(struct growing *growing, struct error *err)
{
    switch (take(&growing->cursor) % 10) {
    case 0:
        enter(growing);
        return true;
    case 1:
        leave(growing);
        return true;
    case 2:
        add_symlink(growing);
        return true;
    case 3:
        add_special(growing);
        return true;
    case 4:
        add_many(growing);
        return true;
    case 5:
        add_xattr(growing);
        return true;
    case 6:
        set_facts(growing);
        return true;
    case 7:
        if (growing->count > 0) {
            unsigned which = take(&growing->cursor) % growing->count;
            put(growing, add_name(growing), tree_inode_share(growing->files[which]));
        }
        return true;
    default:
        return add_file(growing, err);
    }
}

static void run_ext4(const uint8_t *bytes, size_t len)
{
    struct error err = {0};
    auto_close int fd = new_disk();
    auto_ext4_writer struct ext4_writer *writer = new_writer(fd);
    struct growing growing = {.cursor = {bytes, bytes + len}, .tree = tree_new(), .writer = writer};
    growing.at = tree_root(growing.tree);
    bool is_fine = true;
    for (unsigned i = 0; is_fine && i < STEPS_MAX && growing.cursor.at < growing.cursor.end; i++) {
        is_fine = grow(&growing, &err);
    }
    for (unsigned i = 0; i < growing.count; i++) {
        ext4_drop_inode(writer, growing.files[i]);
    }
    fuzz_check(is_fine);
    finish(writer, fd, growing.tree);
    tree_free(growing.tree);
}

/* ---- layers ---- */

static void put_octal(uint8_t *field, size_t width, uint64_t number)
{
    for (size_t i = width - 1; i > 0; i--, number /= 8) {
        field[i - 1] = (uint8_t)('0' + number % 8);
    }
}

/* A path of a few names out of a few, so that layers meet; whiteouts among them. */
static void write_path(struct cursor *cursor, char *path, size_t room)
{
    static const char *const parts[] = {"a", "b", "c", "d", "e", "lib", "usr", ".", "..", "",
        ".wh.a", ".wh.b", ".wh.lib", ".wh..wh..opq", ".wh..wh.plnk", ".wh.", "lost+found", "x y"};
    auto_done(text) struct text out = {0};
    unsigned count = 1 + take(cursor) % 4;
    for (unsigned i = 0; i < count; i++) {
        unsigned which = take(cursor);
        which = which < 200 ? which % 6 : which % (unsigned)array_length(parts);
        text_printf(&out, "%s%s", i > 0 ? "/" : "", parts[which]);
    }
    snprintf(path, room, "%s", text_cstr(&out));
}

/* One member with a right checksum: only what it says may be wrong. */
static void write_member(struct cursor *cursor, struct text *tar)
{
    static const char types[] = "0000555512123460";
    uint8_t block[BLOCK] = {0};
    uint8_t data[BLOCK] = {0};
    char type = types[take(cursor) % (sizeof types - 1)];
    uint8_t facts = take(cursor);
    unsigned size = type == '0' ? take(cursor) : 0;
    write_path(cursor, (char *)block, 100);
    if (type == '1' || type == '2') {
        write_path(cursor, (char *)block + 157, 100);
    }
    put_octal(block + 100, 8, facts % 2 ? 0644 : 04755);
    put_octal(block + 108, 8, facts % 3 ? 0 : 1000);
    put_octal(block + 116, 8, facts % 5);
    put_octal(block + 124, 12, size);
    put_octal(block + 136, 12, 1700000000 + facts);
    put_octal(block + 329, 8, facts % 8);
    put_octal(block + 337, 8, facts % 16);
    memset(block + 148, ' ', 8);
    block[156] = (uint8_t)type;
    memcpy(block + 257,
        "ustar\0"
        "00",
        8);
    unsigned sum = 0;
    for (size_t i = 0; i < BLOCK; i++) {
        sum += block[i];
    }
    put_octal(block + 148, 7, sum);
    block[154] = '\0';
    text_append_bytes(tar, (const char *)block, BLOCK);
    if (size > 0) {
        memset(data, (int)(facts | 1), size);
        text_append_bytes(tar, (const char *)data, BLOCK);
    }
}

/* From the oldest on; each an open file. */
struct stack {
    int fds[LAYERS_MAX];
    uint32_t count;
};

static void stack_done(struct stack *stack)
{
    for (uint32_t i = 0; i < stack->count; i++) {
        close(stack->fds[i]);
    }
}

static void write_layers(struct cursor *cursor, struct stack *stack)
{
    static const char end[2 * BLOCK];
    stack->count = 1 + take(cursor) % LAYERS_MAX;
    for (uint32_t i = 0; i < stack->count; i++) {
        auto_done(text) struct text tar = {0};
        for (unsigned members = take(cursor) % 16; members > 0; members--) {
            write_member(cursor, &tar);
        }
        text_append_bytes(&tar, end, sizeof end);
        stack->fds[i] = fuzz_fd((const uint8_t *)text_cstr(&tar), tar.len);
    }
}

/* One way or the other: newest first where needs_order is given, which then says whether that way
 * could not tell. */
static bool apply(
    const struct stack *stack, struct tree *tree, struct ext4_writer *writer, bool *needs_order)
{
    struct error err = {0};
    struct flatten_report report = {0};
    const struct layer_world world = {.tree = tree,
        .writer = writer,
        .limits = &limits_default,
        .report = &report,
        .needs_order = needs_order};
    struct layer_stack *layers = layer_stack_new(&world);
    bool is_fine = true;
    for (uint32_t i = 0; is_fine && i < stack->count; i++) {
        uint32_t number = needs_order != NULL ? stack->count - i : i + 1;
        const struct layer_blob blob = {.fd = stack->fds[number - 1],
            .accepted = DECOMPRESS_NONE,
            .has_whiteouts = true,
            .shown = "a layer"};
        is_fine = layer_stack_add(layers, &blob, number, &err);
    }
    is_fine = is_fine && layer_stack_finish(layers, &err);
    fuzz_check(is_fine == (err.code == ERROR_NONE));
    fuzz_check(is_fine || err.code == ERROR_FORMAT || err.code == ERROR_LIMIT);
    layer_stack_free(layers);
    return is_fine;
}

/* The quick way makes what applying layer after layer makes. It never sees what is wrong with a member
 * that something newer hides, so it may accept where the other does not, but never the other way. */
static void run_layers(const uint8_t *bytes, size_t len)
{
    struct cursor cursor = {bytes, bytes + len};
    auto_done(stack) struct stack stack = {0};
    auto_close int quick_fd = new_disk();
    auto_close int fd = new_disk();
    auto_ext4_writer struct ext4_writer *quick_writer = new_writer(quick_fd);
    auto_ext4_writer struct ext4_writer *writer = new_writer(fd);
    struct tree *quick_tree = tree_new();
    struct tree *tree = tree_new();
    bool needs_order = false;
    write_layers(&cursor, &stack);
    bool is_quick = apply(&stack, quick_tree, quick_writer, &needs_order);
    bool is_fine = apply(&stack, tree, writer, NULL);
    fuzz_check(is_quick ? !needs_order : !is_fine || needs_order);
    bool is_made = is_fine && finish(writer, fd, tree);
    if (is_quick && finish(quick_writer, quick_fd, quick_tree) && is_made) {
        check_same(tree_root(quick_tree), tree_root(tree));
    }
    tree_free(quick_tree);
    tree_free(tree);
}

/* ---- a disk that somebody else made ---- */

/* One with a bit of everything in it. */
static void make_disk(int fd)
{
    static const uint8_t recipe[] = {8, 2, 1, 16, 0, 4, 16, 0, 1,   /* a file, */
        5, 10, 0, 20, 7,                                            /* its attribute, */
        0, 2, 1,                                                    /* a directory: */
        2, 0, 200, 3,                                               /* a long link, */
        3, 0, 0, 5, 0, 6, 4,                                        /* a device, */
        7, 0, 5,                                                    /* a second name, */
        4, 2, 0, 30,                                                /* many names */
        1, 8, 5, 2, 3, 0, 1, 16, 0, 2, 9, 0, 1, 16, 0, 2, 8, 0, 7}; /* a file with holes */
    struct error err = {0};
    struct ext4_tally tally = {0};
    struct growing growing = {.cursor = {recipe, recipe + sizeof recipe}, .tree = tree_new()};
    growing.writer = new_writer(fd);
    growing.at = tree_root(growing.tree);
    while (growing.cursor.at < growing.cursor.end) {
        fuzz_check(grow(&growing, &err));
    }
    for (unsigned i = 0; i < growing.count; i++) {
        ext4_drop_inode(growing.writer, growing.files[i]);
    }
    fuzz_check(ext4_writer_finish(growing.writer, growing.tree, &tally, &err));
    ext4_writer_free(growing.writer);
    tree_free(growing.tree);
}

/* The input changes bytes of a disk: three for the place, one for the value. */
static void run_ext4_read(const uint8_t *bytes, size_t len)
{
    struct error err = {0};
    struct limits limits = limits_default;
    struct flatten_report report = {0};
    auto_close int fd = new_disk();
    auto_close int copy = new_disk();
    make_disk(fd);
    for (size_t i = 0; i + 4 <= len; i += 4) {
        off_t at = (off_t)(bytes[i] << 16 | bytes[i + 1] << 8 | bytes[i + 2]);
        fuzz_check(pwrite(fd, bytes + i + 3, 1, at % (off_t)EXT4_SIZE_MIN) == 1);
    }
    limits.entries = 2000;
    auto_ext4_writer struct ext4_writer *writer = new_writer(copy);
    struct tree *tree = tree_new();
    bool is_fine = ext4_read_subtree(fd, "", tree, writer, &limits, NULL, &report, &err);
    fuzz_check(is_fine == (err.code == ERROR_NONE));
    if (is_fine) {
        finish(writer, copy, tree);
    }
    tree_free(tree);
}

const struct fuzz_target fuzz_disk[] = {
    {"ext4", run_ext4},
    {"ext4_read", run_ext4_read},
    {"layers", run_layers},
    {NULL, NULL},
};
