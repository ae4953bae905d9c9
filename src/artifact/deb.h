/* SPDX-License-Identifier: MIT */
#pragma once

/* Takes boot/vmlinux-*, boot/vmlinuz-* and everything below lib/modules out of one or several
 * .deb packages and makes a kernel entry of them by kernel_dir's rules. Nothing else of a package
 * is created and no script of it ever runs. Source: deb(5). Workers; blocks. */

#include <stdbool.h>
#include <stddef.h>

struct cancel;
struct digest;
struct error;
struct kernel_facts;
struct limits;
struct progress;

/* shown[i] names deb_fds[i] in messages. staging_dir is an empty directory; afterwards it holds the
 * store's layout. self_path as for bundle_extract. A package without a kernel in all of them is
 * ERROR_FORMAT. On failure *vmlinux_digest and *facts are untouched. */
bool deb_import(const int *deb_fds, const char *const *shown, size_t count, int staging_dir,
    const struct limits *limits, const char *self_path, const struct progress *progress,
    const struct cancel *cancel, struct digest *vmlinux_digest, struct kernel_facts *facts,
    struct error *err);
