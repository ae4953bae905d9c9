/* SPDX-License-Identifier: MIT */
#pragma once

/* The names and inodes of a file system to be written, in memory. Names are any bytes but '/' and
 * NUL; they are kept in order per directory, so a walk never depends on who came first, and no
 * crafted set of names makes it slow. Knows no tar, no ext4 and no host file system. Any thread,
 * one owner at a time. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TREE_NAME_MAX 255

/* Blocks of 4 KiB of a file that lie in a row on the disk. */
struct tree_extent {
    uint64_t physical;
    uint32_t logical;
    uint32_t count;
};

struct tree_xattr {
    char *name; /* "user.x"; owned */
    uint8_t *value;
    size_t len;
};

struct tree_inode {
    struct tree_inode *alias; /* what this one turned out to be; holds a reference */
    uint32_t references;
    uint32_t mode; /* with its type: S_IFREG and so on; 0: not known yet */
    uint32_t uid, gid;
    int64_t mtime;
    uint32_t mtime_nanoseconds;
    uint32_t xattr_count;
    uint64_t size_bytes;
    char *symlink; /* owned */
    struct tree_xattr *xattrs;
    struct tree_extent *extents; /* in ascending order */
    uint32_t extent_count;
    uint32_t device_major, device_minor;
    uint32_t number; /* on the disk, once it has one */
    uint32_t links;
    bool is_indexed; /* a directory with a hash tree */
};

struct tree_node {
    struct tree_node *parent; /* NULL: the root */
    void *children;           /* tsearch(3) */
    struct tree_inode *inode; /* NULL: a directory that nothing described, or no file at all */
    struct tree_wanted *wanted;
    /* Numbers of layers, from 1 (oldest) on; 0: none. */
    uint32_t made;   /* gave the inode */
    uint32_t kept;   /* newest that needs this to be a directory */
    uint32_t gone;   /* newest that removed what older ones have by this name */
    uint32_t opaque; /* newest that removed what older ones have below */
    uint32_t cut;    /* oldest so far, that did the same to what is looked for in older ones */
    uint32_t cleared;
    uint32_t below; /* last that put something below */
    uint16_t len;
    char name[]; /* NUL behind it, for messages */
};

struct tree;

struct tree *tree_new(void) __attribute__((returns_nonnull));
void tree_free(struct tree *tree);
struct tree_node *tree_root(const struct tree *tree);
/* The child of that name; NULL when there is none. */
struct tree_node *tree_find(const struct tree_node *parent, const char *name, size_t len);
/* Makes it where it is missing. len is at most TREE_NAME_MAX. */
struct tree_node *tree_add(struct tree *tree, struct tree_node *parent, const char *name,
    size_t len) __attribute__((returns_nonnull));
/* Names ever made. */
size_t tree_count(const struct tree *tree);
/* Whether it stands for a file at all, and for a directory. */
bool tree_exists(const struct tree_node *node);
bool tree_is_directory(const struct tree_node *node);
/* The children that exist, in the order of their bytes; *list is the caller's to free(). */
size_t tree_children(const struct tree_node *node, struct tree_node ***list);

/* One reference is the caller's. */
struct tree_inode *tree_inode_new(uint32_t mode) __attribute__((returns_nonnull));
struct tree_inode *tree_inode_share(struct tree_inode *inode) __attribute__((returns_nonnull));
/* Gives a reference back; false when others remain, true when nobody needs its blocks any more: it
 * is then the caller's to tree_inode_free. */
bool tree_inode_release(struct tree_inode *inode);
void tree_inode_free(struct tree_inode *inode);
/* Behind aliases. */
struct tree_inode *tree_inode_real(struct tree_inode *inode);
/* Whether the attribute goes onto a disk: security.capability and user.*. */
bool tree_xattr_is_kept(const char *name);
/* Takes name and value over. */
void tree_inode_add_xattr(struct tree_inode *inode, char *name, uint8_t *value, size_t len);
void tree_inode_add_block(struct tree_inode *inode, uint32_t logical, uint64_t physical);
