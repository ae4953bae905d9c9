/* SPDX-License-Identifier: MIT */
#include "artifact/tree.h"

#include <search.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "base/text.h"

#define EXTENT_BLOCKS_MAX 32768

struct tree {
    struct tree_node *root;
    size_t count;
};

static struct tree_node *new_node(struct tree_node *parent, const char *name, size_t len)
{
    struct tree_node *node = memory_zero(1, sizeof *node + len + 1);
    node->parent = parent;
    node->len = (uint16_t)len;
    memcpy(node->name, name, len);
    return node;
}

struct tree *tree_new(void)
{
    struct tree *tree = memory_zero(1, sizeof *tree);
    tree->root = new_node(NULL, "", 0);
    return tree;
}

void tree_inode_free(struct tree_inode *inode)
{
    free(inode->symlink);
    for (size_t i = 0; i < inode->xattr_count; i++) {
        free(inode->xattrs[i].name);
        free(inode->xattrs[i].value);
    }
    free(inode->xattrs);
    free(inode->extents);
    free(inode);
}

bool tree_inode_release(struct tree_inode *inode)
{
    return --inode->references == 0;
}

static void drop_inode(struct tree_inode *inode)
{
    while (inode && tree_inode_release(inode)) {
        struct tree_inode *next = inode->alias;
        tree_inode_free(inode);
        inode = next;
    }
}

static void free_node(void *pointer)
{
    struct tree_node *node = pointer;
    tdestroy(node->children, free_node);
    drop_inode(node->inode);
    free(node);
}

void tree_free(struct tree *tree)
{
    if (tree) {
        free_node(tree->root);
        free(tree);
    }
}

struct tree_node *tree_root(const struct tree *tree)
{
    return tree->root;
}

struct key {
    const char *name;
    size_t len;
};

static int compare_names(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

static int compare_nodes(const void *a, const void *b)
{
    const struct tree_node *left = a;
    const struct tree_node *right = b;
    return compare_names(left->name, left->len, right->name, right->len);
}

/* tfind(3) hands the key first, as glibc and musl both do. */
static int compare_key(const void *a, const void *b)
{
    const struct key *key = a;
    const struct tree_node *node = b;
    return compare_names(key->name, key->len, node->name, node->len);
}

struct tree_node *tree_find(const struct tree_node *parent, const char *name, size_t len)
{
    const struct key key = {.name = name, .len = len};
    struct tree_node **found = tfind(&key, &parent->children, compare_key);
    return found ? *found : NULL;
}

static void insert(struct tree_node *parent, struct tree_node *node)
{
    if (tsearch(node, &parent->children, compare_nodes) == NULL) {
        abort();
    }
}

struct tree_node *tree_add(
    struct tree *tree, struct tree_node *parent, const char *name, size_t len)
{
    struct tree_node *node = tree_find(parent, name, len);
    if (!node) {
        tree->count++;
        node = new_node(parent, name, len);
        insert(parent, node);
    }
    return node;
}

size_t tree_count(const struct tree *tree)
{
    return tree->count;
}

bool tree_exists(const struct tree_node *node)
{
    return node->inode || node->kept > 0 || !node->parent;
}

bool tree_is_directory(const struct tree_node *node)
{
    return tree_exists(node) && (!node->inode || S_ISDIR(node->inode->mode));
}

struct children {
    struct tree_node **list;
    size_t count, capacity;
};

static void collect(const void *at, VISIT visit, void *context)
{
    struct children *children = context;
    struct tree_node *node = *(struct tree_node *const *)at;
    if ((visit != postorder && visit != leaf) || !tree_exists(node)) {
        return;
    }
    if (children->count == children->capacity) {
        children->capacity = children->capacity ? children->capacity * 2 : 16;
        children->list = memory_grow(children->list, children->capacity, sizeof *children->list);
    }
    children->list[children->count++] = node;
}

size_t tree_children(const struct tree_node *node, struct tree_node ***list)
{
    struct children children = {0};
    twalk_r(node->children, collect, &children);
    *list = children.list;
    return children.count;
}

struct tree_inode *tree_inode_new(uint32_t mode)
{
    struct tree_inode *inode = memory_zero(1, sizeof *inode);
    inode->mode = mode;
    inode->references = 1;
    return inode;
}

struct tree_inode *tree_inode_share(struct tree_inode *inode)
{
    inode->references++;
    return inode;
}

struct tree_inode *tree_inode_real(struct tree_inode *inode)
{
    while (inode->alias) {
        inode = inode->alias;
    }
    return inode;
}

bool tree_xattr_is_kept(const char *name)
{
    return strcmp(name, "security.capability") == 0 ||
           (text_has_prefix(name, "user.") && name[5] != '\0');
}

void tree_inode_add_xattr(struct tree_inode *inode, char *name, uint8_t *value, size_t len)
{
    inode->xattrs = memory_grow(inode->xattrs, inode->xattr_count + 1, sizeof *inode->xattrs);
    inode->xattrs[inode->xattr_count++] =
        (struct tree_xattr){.name = name, .value = value, .len = len};
}

void tree_inode_add_block(struct tree_inode *inode, uint32_t logical, uint64_t physical)
{
    uint32_t count = inode->extent_count;
    struct tree_extent *last = count > 0 ? &inode->extents[count - 1] : NULL;
    if (last && last->logical + last->count == logical &&
        last->physical + last->count == physical && last->count < EXTENT_BLOCKS_MAX) {
        last->count++;
        return;
    }
    if ((count & (count - 1)) == 0) { /* full: 0, 1, 2, 4 … */
        inode->extents =
            memory_grow(inode->extents, count ? (size_t)count * 2 : 1, sizeof *inode->extents);
    }
    inode->extents[inode->extent_count++] =
        (struct tree_extent){.physical = physical, .logical = logical, .count = 1};
}
