/* SPDX-License-Identifier: MIT */
#pragma once

/* Finds a kernel, its initrd and its modules in a directory and copies them into a staging
 * directory in the store's layout: vmlinux (as delivered, also a bzImage), initrd.img, modules/
 * (FORMATS, "kernel import" and "Places"), and config, what the kernel was built with, where that
 * lies beside it.
 *
 * The order is fixed: metadata.json (broken or naming a missing file is an error, never a
 * fall-back), the store's own layout, then the globs. Links on the way are followed only as long as
 * they stay inside the directory. Files become 0600, directories 0700; holes are kept; nothing is
 * synced: publishing does that. Workers; blocks. */

#include "base/text.h"

#include <stdbool.h>

struct cancel;
struct digest;
struct error;
struct progress;

/* Zero-initialise. Strings are owned; NULL means not known. */
struct kernel_facts {
    char *distro;
    char *arch;
    char *kernel_version;
    char *chosen;         /* path of the kernel picked, relative to the directory */
    struct strings notes; /* sentences: what was chosen, what was left, links dropped */
    char format[8];       /* "elf", "bzimage", or "" for neither */
    bool has_initrd;
    bool has_modules;
};

void kernel_facts_done(struct kernel_facts *facts);

/* shown names the directory in messages. staging_dir is an empty directory. No kernel, broken
 * metadata.json: ERROR_FORMAT. On failure *vmlinux_digest and *facts are untouched. */
bool kernel_dir_import(int from_dir, const char *shown, int staging_dir,
    const struct progress *progress, const struct cancel *cancel, struct digest *vmlinux_digest,
    struct kernel_facts *facts, struct error *err);
/* The kernel of that release under root_dir ("/"): boot/vmlinuz-RELEASE or vmlinux-RELEASE, its
 * initrd and lib/modules/RELEASE. ERROR_NOT_FOUND when the kernel is not there. */
bool kernel_host_import(int root_dir, const char *release, int staging_dir,
    const struct progress *progress, const struct cancel *cancel, struct digest *vmlinux_digest,
    struct kernel_facts *facts, struct error *err);

/* What there is to know of a directory that is in the store's layout already: a bundle's. */
bool kernel_staged_facts(int staging_dir, const struct cancel *cancel,
    struct digest *vmlinux_digest, struct kernel_facts *facts, struct error *err);

/* Copies the contents of a modules directory to staging_dir/modules. `path` is lib/modules/VERSION
 * itself (kernel/, modules.order or modules.dep in it) or a directory of such ones; it is taken as
 * it is. Links that stay inside are kept; others (build, source) and special files are left out,
 * with a sentence each in notes (NULL: not wanted), and so is said when it does not look like
 * modules. With a directory descriptor path stays inside it; with AT_FDCWD it may be any. Used by
 * import, `image register --modules` and promote. An empty one is ERROR_FORMAT. */
bool kernel_modules_copy(int from_dir, const char *path, int staging_dir,
    const struct progress *progress, const struct cancel *cancel, struct strings *notes,
    struct error *err);
/* Opens the directory that holds kernel/, modules.order or modules.dep: path itself, or the one of
 * the highest version directly below it. *version, when wanted, is that directory's own name or
 * NULL when it was path itself; caller frees. -1 on failure; ERROR_NOT_FOUND when there is none. */
int kernel_modules_open(int dir, const char *path, char **version, struct error *err);
