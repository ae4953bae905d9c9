/* SPDX-License-Identifier: MIT */
#pragma once

/* The kernel that a boot takes: an entry of the store, or one that an image brings. Workers only;
 * one owner at a time. */

#include <stdbool.h>

struct error;
struct image_entry;
struct kernel_entry;
struct ops;

/* What boots: computed for every start from the record and the store. */
struct boot_kernel {
    char *name;        /* as sentences call it */
    char *path;        /* of the kernel */
    char *version;     /* as recorded; NULL: not known */
    char *config_path; /* what it was built with; NULL: not kept */
    int modules_dir;   /* -1: it has none */
    char *identity;    /* changes whenever kernel or modules do */
};
#define BOOT_KERNEL_INIT                                                                           \
    {                                                                                              \
        .modules_dir = -1                                                                          \
    }

void boot_kernel_done(struct boot_kernel *kernel);

bool ops_boot_kernel_of_entry(struct ops *ops, const struct kernel_entry *entry,
    struct boot_kernel *kernel, struct error *err);
/* The one of that name, else (NULL) the image's own. Nothing is fetched: ERROR_NOT_FOUND for a name
 * that is not here, ERROR_FORMAT for a damaged one, ERROR_INVALID when there is neither. */
bool ops_boot_kernel_find(struct ops *ops, const char *kernel_ref, const struct image_entry *image,
    struct boot_kernel *kernel, struct error *err);
