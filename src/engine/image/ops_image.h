/* SPDX-License-Identifier: MIT */
#pragma once

/* What operations on images share with those on machines. Workers only. */

#include <stdbool.h>

struct error;
struct image_entry;
struct json;
struct ops;
struct strings;

/* The images that the command names, by unique prefix, each once; all of them when it names none.
 * ERROR_NOT_FOUND, ERROR_INVALID. */
bool ops_image_each(struct ops *ops, struct strings *names, struct error *err);
/* The fields of `image list`, without used_by; caller frees. */
struct json *ops_image_json(const struct image_entry *entry);
/* Lists images and offers again for the front end, when one is watching. */
void ops_images_changed(struct ops *ops);
/* The registry's reference that the image was pulled from, canonical; NULL for any other. Borrowed
 * from the entry. */
const char *ops_image_reference(const struct image_entry *entry);
/* The one look-up behind every verb that needs an image, by its name here or by a registry's
 * reference: reads it, and when it is absent pulls it in the same job, with that kernel unless
 * kernel_ref is NULL. Any other failure to read is that failure; a damaged one is ERROR_FORMAT.
 * entry is zeroed before; the caller calls image_entry_done. */
bool ops_image_find(struct ops *ops, const char *word, const char *kernel_ref,
    struct image_entry *entry, struct error *err);
/* That the name may be taken: ERROR_EXISTS when it is and is_forced is not set, ERROR_IN_USE when
 * VMs stand on the image that would be replaced. */
bool ops_image_check_free(struct ops *ops, const char *name, bool is_forced, struct error *err);
/* Kernel from the flag, else what is offered (NULL: nothing), else the configured default; none is
 * ERROR_INVALID naming one to type. Caller frees *kernel. */
bool ops_image_choose_kernel(
    struct ops *ops, const char *image, const char *offered, char **kernel, struct error *err);
/* Refuses what is not an ext2/3/4 file system, by its superblock (ERROR_FORMAT). */
bool ops_image_check_rootfs(int fd, const char *shown, struct error *err);
