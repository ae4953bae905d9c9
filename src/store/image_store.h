/* SPDX-License-Identifier: MIT */
#pragma once

/* Images kept here: images/<name>/{manifest.json,rootfs.ext4,work-seed.ext4,kernel/} (FORMATS,
 * "Places"). A managed image owns its files; a registered one stores absolute paths of files
 * elsewhere (the only stored paths there are). The rules of kernel_store hold: directories are the
 * truth, damaged ones are listed, reading takes no lock. Directories that are named by an id and
 * have no manifest are the older Go program's and are left alone unseen. Workers only. */

#include "base/unread.h"
#include "store/layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct json;

#define IMAGE_ROOTFS "rootfs.ext4"
#define IMAGE_WORK_SEED "work-seed.ext4"
#define IMAGE_KERNEL "kernel"

/* Strings are owned unless is_borrowed; NULL means not known. */
struct image_entry {
    char *name;
    char *source;
    char *digest;
    char *kernel_ref; /* name of a kernel here; NULL when the image brings its own */
    bool is_managed;
    int64_t created_at;      /* wall seconds; 0: not known */
    uint64_t size_bytes;     /* apparent, of the rootfs */
    uint64_t recorded_bytes; /* as the manifest has it; 0: it does not */
    uint64_t disk_bytes;     /* allocated, of the rootfs */
    /* Absolute paths, for registered images only. */
    char *rootfs_path;
    char *kernel_path;
    char *initrd_path;
    char *modules_path;
    struct json *config; /* {entrypoint,cmd,env,workdir,user}; NULL when there is none */
    /* Of managed images, recorded when they were published. */
    char *content_sha256;  /* of rootfs.ext4, as hash_content computes it */
    char *kernel_sha256;   /* of kernel/vmlinux */
    char *manifest_digest; /* of the one manifest that a registry's image was made from */
    struct json *history;  /* [{created_at,created_by,size_bytes,digest}], oldest first, or NULL */
    bool has_rootfs;       /* the rootfs is there as a regular file, wherever it is */
    bool has_work_seed;
    bool has_kernel; /* kernel/ in the entry */
    bool is_damaged; /* what is there is wrong, as damage says */
    char *damage;
    struct unread unread; /* what kept us from looking: then nobody knows, is_damaged is false */
    bool is_newer;
    struct json *document; /* the manifest as read; may be NULL */
    bool is_borrowed;      /* the strings but damage live in the list that the entry is in */
};

struct image_list {
    struct image_entry *items; /* by name */
    size_t count;
    struct entry_index *index; /* holds borrowed strings */
};

void image_entry_done(struct image_entry *entry);
void image_list_done(struct image_list *list);

/* As kernel_store_read. */
bool image_store_read(
    const struct store *store, const char *name, struct image_entry *entry, struct error *err);
/* All of them, sorted by name, damaged ones included, without document, config and history. */
bool image_store_list(const struct store *store, struct image_list *list, struct error *err);
bool image_store_write_manifest(
    int staging_dir, const struct image_entry *entry, struct error *err);
bool image_store_trash(
    const struct store *store, const char *name, char **trash_id, struct error *err);
int image_store_open(const struct store *store, const char *name, struct error *err);
/* Where the image's rootfs is: in the entry, or elsewhere for a registered one. Caller frees. */
char *image_store_rootfs(const struct store *store, const struct image_entry *entry)
    __attribute__((returns_nonnull));
