/* SPDX-License-Identifier: MIT */
#pragma once

/* What operations on images share with those on machines. Workers only. */

#include <stdbool.h>

struct error;
struct image_entry;
struct json;
struct ops;

/* The fields of `image list`, without used_by; caller frees. */
struct json *ops_image_json(const struct image_entry *entry);
/* Lists images and offers again for the front end, when one is watching. */
void ops_images_changed(struct ops *ops);
/* The one look-up behind every verb that needs an image: reads it, and when it is absent pulls it
 * in the same job if a catalog offers it. A damaged one is ERROR_FORMAT. entry is zeroed before;
 * the caller calls image_entry_done. */
bool ops_image_find(
    struct ops *ops, const char *word, struct image_entry *entry, struct error *err);
/* That the name may be taken: ERROR_EXISTS when it is and is_forced is not set, ERROR_IN_USE when
 * VMs stand on the image that would be replaced. */
bool ops_image_check_free(struct ops *ops, const char *name, bool is_forced, struct error *err);
/* Refuses what is not an ext2/3/4 file system, by its superblock (ERROR_FORMAT). */
bool ops_image_check_rootfs(int fd, const char *shown, struct error *err);
