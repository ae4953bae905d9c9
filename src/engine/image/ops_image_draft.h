/* SPDX-License-Identifier: MIT */
#pragma once

/* An image on its way: filled in a staging directory outside every lock, then published in a short
 * window that takes the name's lock, looks at the name again, renames. Names never wait for each
 * other; of several that want one name, one wins. Register, promote and pull share it. Workers. */

#include "base/text.h"
#include "store/image_store.h"

#include <stdbool.h>
#include <stdint.h>

struct catalog_entry;
struct error;
struct flatten_report;
struct image_steps;
struct json;
struct ops;
struct staging;

/* What is to be pulled, settled before anything slow begins. Strings are owned. */
struct image_request {
    const struct catalog_entry *offer; /* borrowed; NULL: a registry's */
    char *reference;                   /* canonical; NULL: a catalog's */
    char *source;                      /* as it will be recorded */
    char *name;                        /* here */
    char *kernel_ref;                  /* NULL: the bundle's own manifest is asked */
    uint64_t size_bytes;               /* of the disk; 0: as it comes */
    bool is_forced;
    bool was_here; /* before the verb began */
};

void image_request_done(struct image_request *request);

/* Zero-initialise; image_draft_done removes what was not published. */
struct image_draft {
    struct image_entry entry; /* what its manifest will say */
    struct staging *staging;
    struct strings notes; /* sentences for the result */
    char *fetched_from;   /* what served a bundle */
    uint64_t downloaded_bytes;
};

void image_draft_done(struct image_draft *draft);
/* An empty staging directory, and a managed entry of that name that was made now. */
bool image_draft_begin(
    struct ops *ops, const char *name, struct image_draft *draft, struct error *err);
/* Copies a kernel with its parts in as kernel/{vmlinux,initrd.img,modules/}, by clone first, of
 * modules the contents. All NULL: nothing to do. */
bool image_draft_copy_kernel(struct ops *ops, struct image_draft *draft, const char *kernel,
    const char *initrd, const char *modules, struct error *err);
/* The first two steps: a catalog's bundle, a registry's image → rootfs.ext4 in the staging and what
 * is known of it in the entry. */
bool image_draft_fetch_bundle(struct ops *ops, const struct image_request *request,
    struct image_draft *draft, struct error *err);
bool image_draft_pull_and_flatten(struct ops *ops, const struct image_request *request,
    struct image_draft *draft, struct error *err);
/* What is the same for every managed image once rootfs.ext4 is in the staging: that it is a file
 * system, its sizes and digest, its work-seed, everything on the disk. The third
 * step. */
bool image_draft_finalize(struct ops *ops, struct image_draft *draft, struct error *err);

/* The steps in force: the configured ones, else the real ones. */
struct image_steps image_steps(const struct ops *ops);

enum image_publish {
    IMAGE_PUBLISH_NEW,     /* the name must be free: ERROR_EXISTS */
    IMAGE_PUBLISH_REPLACE, /* an image of that name goes, unless VMs use it: ERROR_IN_USE */
    IMAGE_PUBLISH_PROMOTE, /* the registered image it was copied from, and only that */
};
/* The window. */
bool image_draft_publish(
    struct ops *ops, struct image_draft *draft, enum image_publish how, struct error *err);
/* The fields of `image list` with "changed": true, and the notes; caller frees. */
struct json *image_draft_result(const struct image_draft *draft);

/* What making the disk left out, as notes. */
void image_draft_tell(struct image_draft *draft, const struct flatten_report *report);

/* One more step of how it was made; digest NULL and size 0: not known. */
void image_history_add(struct json **history, const char *created_at, const char *created_by,
    uint64_t size_bytes, const char *digest);
/* The same for a step of ours that was taken now. */
void image_draft_history(struct image_draft *draft, const char *created_by);
