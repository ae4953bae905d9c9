/* SPDX-License-Identifier: MIT */
#pragma once

/* What operations on kernels share with those on images and machines. Workers only. */

#include "engine/snapshot.h"
#include "store/catalog.h"

#include <stdbool.h>

struct digest;
struct error;
struct json;
struct kernel_entry;
struct ops;

/* How far its digest can be trusted, from where it came from. */
enum verified_state ops_kernel_verified(const struct kernel_entry *entry);
/* The fields of `kernel list`; caller frees. */
struct json *ops_kernel_json(const struct kernel_entry *entry);
/* "elf" or "bzimage" by the first bytes of vmlinux in an entry's directory; NULL for neither, the
 * caller's. Fails when it cannot be read. */
bool ops_kernel_format(int entry_dir, char **format, bool *is_bootable, struct error *err);
/* The whole name of the kernel that word is or begins, for reading verbs. Caller frees; NULL on
 * failure. */
char *ops_kernel_resolve(struct ops *ops, const char *word, struct error *err);
/* Hashes vmlinux of the entry. ERROR_DIGEST, with *found set, when it is not what was recorded. */
bool ops_kernel_hash(
    struct ops *ops, const struct kernel_entry *entry, struct digest *found, struct error *err);
/* Lists kernels and offers again for the front end, when one is watching. */
void ops_kernels_changed(struct ops *ops);
/* The rows of `list --available` for one kind, the caller's to free. When a source could not be
 * read, false with what the others offer in *result (ERROR_CONFIG). */
bool ops_offers_json(
    struct ops *ops, enum catalog_kind kind, struct json **result, struct error *err);
/* Makes sure that the kernel is here, pulling it in the same job when it is absent. Any other
 * failure to read it is that error. */
bool ops_kernel_ensure(struct ops *ops, const char *name, struct error *err);
/* What that would add to a plan. */
bool ops_kernel_plan(struct ops *ops, const char *name, struct json *plan, struct error *err);
