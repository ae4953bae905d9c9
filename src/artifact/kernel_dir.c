/* SPDX-License-Identifier: MIT */
#include "artifact/kernel_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artifact/hash.h"
#include "artifact/kernel_find.h"
#include "artifact/kernel_probe.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/progress.h"

void kernel_facts_done(struct kernel_facts *facts)
{
    free(facts->distro);
    free(facts->arch);
    free(facts->kernel_version);
    free(facts->chosen);
    strings_done(&facts->notes);
    *facts = (struct kernel_facts){0};
}

/* One bar for all that is copied: each part reports from where the one before ended. */
struct bar {
    const struct progress *inner;
    uint64_t base_bytes, total_bytes;
};

static void report_part(void *context, enum progress_phase phase, enum progress_unit unit,
    uint64_t done, uint64_t total)
{
    (void)total;
    const struct bar *bar = context;
    progress_report(bar->inner, phase, unit, bar->base_bytes + done, bar->total_bytes);
}

static uint64_t file_bytes(int dir, const char *path)
{
    auto_close int fd = path ? kernel_open_inside(dir, path, O_PATH) : -1;
    struct stat status;
    return fd >= 0 && fstat(fd, &status) == 0 ? (uint64_t)status.st_size : 0;
}

/* Copies one file; the new one stays open for hashing. -1 on failure. */
static int copy_file(int from_dir, const char *path, int staging_dir, const char *name,
    const struct progress *progress, const struct cancel *cancel, struct error *err)
{
    auto_close int from = kernel_open_inside(from_dir, path, O_RDONLY | O_NONBLOCK);
    if (from < 0) {
        error_set_errno(err, errno, "cannot open %s", path);
        return -1;
    }
    struct stat status;
    if (fstat(from, &status) != 0 || !S_ISREG(status.st_mode)) {
        error_set(err, ERROR_FORMAT, "%s is no regular file", path);
        return -1;
    }
    auto_close int to = file_create(staging_dir, name, err);
    if (to < 0 || !file_copy_data(from, to, path, progress, cancel, err)) {
        return -1;
    }
    file_start_sync(to);
    return take_fd(&to);
}

static bool facts_from(
    int vmlinux, struct kernel_found *found, struct kernel_facts *facts, struct error *err)
{
    struct stat status;
    struct kernel_probe probe;
    if (fstat(vmlinux, &status) != 0) {
        return error_set_errno(err, errno, "cannot examine vmlinux");
    }
    if (status.st_size == 0) {
        return error_set(err, ERROR_FORMAT, "the kernel %s is empty", found->kernel);
    }
    if (!kernel_probe_file(vmlinux, found->kernel, &probe, err)) {
        return false;
    }
    if (!probe.format[0]) {
        strings_printf(&found->notes, "%s is neither an ELF file nor a bzImage", found->kernel);
    }
    if (!found->kernel_version && probe.version[0]) {
        found->kernel_version = memory_strdup(probe.version);
    }
    if (!found->arch && probe.arch[0]) {
        found->arch = memory_strdup(probe.arch);
    }
    *facts = (struct kernel_facts){
        .distro = take_ptr(found->distro),
        .arch = take_ptr(found->arch),
        .kernel_version = take_ptr(found->kernel_version),
        .chosen = take_ptr(found->kernel),
        .notes = found->notes,
        .has_initrd = found->initrd != NULL,
        .has_modules = found->modules != NULL,
    };
    memcpy(facts->format, probe.format, sizeof facts->format);
    found->notes = (struct strings){0};
    return true;
}

bool kernel_facts_take(int dir, struct kernel_found *found, const struct cancel *cancel,
    struct digest *digest, struct kernel_facts *facts, struct error *err)
{
    struct digest made;
    auto_close int vmlinux = file_open_read(dir, "vmlinux", err);
    if (vmlinux < 0 || !hash_fd(vmlinux, "vmlinux", NULL, cancel, &made, err) ||
        !facts_from(vmlinux, found, facts, err)) {
        return false;
    }
    *digest = made;
    return true;
}

bool kernel_staged_facts(int staging_dir, const struct cancel *cancel,
    struct digest *vmlinux_digest, struct kernel_facts *facts, struct error *err)
{
    auto_done(kernel_found) struct kernel_found found = {0};
    return kernel_find(staging_dir, "the bundle", &found, err) &&
           kernel_facts_take(staging_dir, &found, cancel, vmlinux_digest, facts, err);
}

static bool copy_all(int from_dir, struct kernel_found *found, int staging_dir,
    const struct progress *progress, const struct cancel *cancel, struct digest *digest,
    struct error *err)
{
    uint64_t kernel_bytes = file_bytes(from_dir, found->kernel);
    uint64_t initrd_bytes = file_bytes(from_dir, found->initrd);
    uint64_t modules_bytes = found->modules ? kernel_modules_bytes(from_dir, found->modules) : 0;
    struct bar bar = {
        .inner = progress, .total_bytes = kernel_bytes + initrd_bytes + modules_bytes};
    struct progress part = {.context = &bar, .report = report_part};
    if (!file_copy_shares(from_dir, staging_dir) &&
        !file_need_space(staging_dir, "..", bar.total_bytes, err)) {
        return false;
    }
    auto_close int vmlinux =
        copy_file(from_dir, found->kernel, staging_dir, "vmlinux", &part, cancel, err);
    if (vmlinux < 0 || !hash_fd(vmlinux, "vmlinux", NULL, cancel, digest, err)) {
        return false;
    }
    bar.base_bytes += kernel_bytes;
    if (found->initrd) {
        auto_close int initrd =
            copy_file(from_dir, found->initrd, staging_dir, "initrd.img", &part, cancel, err);
        if (initrd < 0) {
            return false;
        }
    }
    bar.base_bytes += initrd_bytes;
    if (found->config) {
        auto_close int config =
            copy_file(from_dir, found->config, staging_dir, "config", NULL, cancel, err);
        if (config < 0) {
            return false;
        }
    }
    return !found->modules || kernel_modules_copy(from_dir, found->modules, staging_dir, &part,
                                  cancel, &found->notes, err);
}

static bool import(int from_dir, struct kernel_found *found, int staging_dir,
    const struct progress *progress, const struct cancel *cancel, struct digest *vmlinux_digest,
    struct kernel_facts *facts, struct error *err)
{
    struct digest digest;
    if (!copy_all(from_dir, found, staging_dir, progress, cancel, &digest, err)) {
        return false;
    }
    auto_close int vmlinux = file_open_read(staging_dir, "vmlinux", err);
    if (vmlinux < 0 || !facts_from(vmlinux, found, facts, err)) {
        return false;
    }
    *vmlinux_digest = digest;
    return true;
}

bool kernel_dir_import(int from_dir, const char *shown, int staging_dir,
    const struct progress *progress, const struct cancel *cancel, struct digest *vmlinux_digest,
    struct kernel_facts *facts, struct error *err)
{
    auto_done(kernel_found) struct kernel_found found = {0};
    if (!kernel_find(from_dir, shown, &found, err)) {
        return false;
    }
    return import(from_dir, &found, staging_dir, progress, cancel, vmlinux_digest, facts, err) ||
           error_wrap(err, "%s", shown);
}

bool kernel_host_import(int root_dir, const char *release, int staging_dir,
    const struct progress *progress, const struct cancel *cancel, struct digest *vmlinux_digest,
    struct kernel_facts *facts, struct error *err)
{
    auto_done(kernel_found) struct kernel_found found = {0};
    return kernel_find_release(root_dir, release, &found, err) &&
           import(root_dir, &found, staging_dir, progress, cancel, vmlinux_digest, facts, err);
}
