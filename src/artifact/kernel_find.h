/* SPDX-License-Identifier: MIT */
#pragma once

/* Where a directory keeps its kernel: the rules of "kernel import" in FORMATS, which only look and
 * copy nothing. Private to kernel_dir and deb. Workers. */

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

struct cancel;
struct digest;
struct error;

/* Zero-initialise. Paths are relative to the directory; owned; NULL: none or not known. */
struct kernel_found {
    char *kernel, *initrd, *modules;
    char *config; /* what it was built with */
    char *distro, *arch, *kernel_version;
    struct strings notes;
};

void kernel_found_done(struct kernel_found *found);

/* Opens below dir, links followed as long as they stay inside, other file systems entered. Where
 * the kernel has no openat2 no link is followed at all. -1 with errno set. Source: openat2(2). */
int kernel_open_inside(int dir, const char *path, int flags);

/* A directory with kernel/, modules.order or modules.dep directly in it. */
bool kernel_is_modules_dir(int dir, const char *path);

/* Bytes in the files of a modules directory, as far as it can be read. */
uint64_t kernel_modules_bytes(int dir, const char *path);

/* No kernel and broken metadata: ERROR_FORMAT. */
bool kernel_find(int dir, const char *shown, struct kernel_found *found, struct error *err);
/* By the release's name alone. ERROR_NOT_FOUND. */
bool kernel_find_release(
    int dir, const char *release, struct kernel_found *found, struct error *err);
struct kernel_facts;
/* Turns what was found, with what dir/vmlinux says itself, into facts, and hashes that; empties *found.
 * An empty kernel is ERROR_FORMAT. On failure *digest and *facts are untouched. */
bool kernel_facts_take(int dir, struct kernel_found *found, const struct cancel *cancel,
    struct digest *digest, struct kernel_facts *facts, struct error *err);
