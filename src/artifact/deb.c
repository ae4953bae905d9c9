/* SPDX-License-Identifier: MIT */
#include "artifact/deb.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "artifact/bundle.h"
#include "artifact/bundle_child.h"
#include "artifact/kernel_dir.h"
#include "artifact/kernel_find.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

static bool move(int dir, const char *from, const char *to, struct error *err)
{
    return renameat(dir, from, dir, to) == 0 ||
           error_set_errno(err, errno, "cannot move %s to %s", from, to);
}

/* From the package's places to the store's; what was not chosen goes. */
static bool arrange(int dir, const struct kernel_found *found, struct error *err)
{
    return move(dir, found->kernel, "vmlinux", err) &&
           (!found->modules || move(dir, found->modules, "modules", err)) &&
           (!found->config || move(dir, found->config, "config", err)) &&
           file_remove_tree(dir, "boot", err) && file_remove_tree(dir, "lib", err);
}

bool deb_import(const int *deb_fds, const char *const *shown, size_t count, int staging_dir,
    const struct limits *limits, const char *self_path, const struct progress *progress,
    const struct cancel *cancel, struct digest *vmlinux_digest, struct kernel_facts *facts,
    struct error *err)
{
    struct extract_job job = {
        .kind = EXTRACT_DEB,
        .fds = deb_fds,
        .shown = shown,
        .count = count,
        .staging_dir = staging_dir,
        .limits = limits,
    };
    auto_done(bundle_report) struct bundle_report report = {0};
    auto_done(kernel_found) struct kernel_found found = {0};
    bool is_unpacked = self_path ? bundle_run_child(&job, self_path, progress, cancel, &report, err)
                                 : deb_unpack(&job, progress, cancel, &report, err);
    if (!is_unpacked) {
        return false;
    }
    const char *what = count == 1 ? shown[0] : "these packages";
    struct error none = {0};
    if (!kernel_find(staging_dir, what, &found, &none)) {
        return error_set(err, ERROR_FORMAT,
            "no kernel in %s: there is neither boot/vmlinux-* nor boot/vmlinuz-*", what);
    }
    for (size_t i = 0; i < report.skipped.count; i++) {
        strings_add(&found.notes, report.skipped.items[i]);
    }
    return arrange(staging_dir, &found, err) &&
           kernel_facts_take(staging_dir, &found, cancel, vmlinux_digest, facts, err);
}
