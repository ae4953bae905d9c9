/* SPDX-License-Identifier: MIT */
#include "artifact/deb.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "artifact/bundle.h"
#include "artifact/bundle_child.h"
#include "artifact/decompress.h"
#include "artifact/kernel_dir.h"
#include "artifact/kernel_find.h"
#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/text.h"

#define AR_MAGIC_LEN 8
#define AR_HEAD_LEN 60
#define AR_SIZE_AT 48
#define AR_MEMBERS_LOOKED_AT 8

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

/* What the data member of a package says it unpacks to, else what it is long packed; 0 for what is no
 * package, which the reader refuses. Source: deb(5), ar(5). */
static uint64_t data_bytes(int fd)
{
    uint64_t at = AR_MAGIC_LEN;
    for (int member = 0; member < AR_MEMBERS_LOOKED_AT; member++) {
        char head[AR_HEAD_LEN + 1] = "";
        if (pread(fd, head, AR_HEAD_LEN, (off_t)at) != AR_HEAD_LEN) {
            return 0;
        }
        uint64_t len = strtoull(head + AR_SIZE_AT, NULL, 10);
        at += AR_HEAD_LEN;
        if (len > INT32_MAX) {
            return 0;
        }
        if (text_has_prefix(head, "data.tar")) {
            uint64_t declared = decompress_declared(fd, at, len);
            return declared > 0 ? declared : len;
        }
        at += len + len % 2;
    }
    return 0;
}

/* Asked before anything is written. */
static bool check_room(const struct extract_job *job, struct error *err)
{
    uint64_t need_bytes = 0;
    for (size_t i = 0; i < job->count; i++) {
        uint64_t bytes = data_bytes(job->fds[i]);
        if (bytes > job->limits->expanded_bytes) {
            return true; /* for the reader to refuse */
        }
        need_bytes += bytes;
    }
    return file_need_space(job->staging_dir, "..", need_bytes, err);
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
    if (!check_room(&job, err)) {
        return false;
    }
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
