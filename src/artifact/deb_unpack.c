/* SPDX-License-Identifier: MIT */
/* The half of deb that reads packages: runs in the child. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artifact/archive.h"
#include "artifact/bundle.h"
#include "artifact/bundle_child.h"
#include "artifact/decompress.h"
#include "artifact/tar_header.h"
#include "artifact/unpack.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/progress.h"

#define MODULES "lib/modules/"
#define MERGED_MODULES "usr/lib/modules/"

/* All packages of one import. */
struct packages {
    struct unpack unpack;
    struct bundle_report report;
    const struct limits *limits;
    const struct progress *progress;
    const struct cancel *cancel;
    uint64_t done_bytes, total_bytes;
};

/* One package: the file, its ar members, the data member's tar. */
struct package {
    struct packages *all;
    const char *shown;
    int fd;
    uint64_t offset;
    struct archive_reader *ar;
    const uint8_t *block; /* what is left of the ar member's current block */
    size_t block_len;
    struct decompress *data;
    struct archive_reader *tar;
};

static void packages_done(struct packages *packages)
{
    unpack_done(&packages->unpack);
    bundle_report_done(&packages->report);
}

static void package_done(struct package *package)
{
    archive_reader_free(package->tar);
    decompress_free(package->data);
    archive_reader_free(package->ar);
}

static ssize_t read_file(void *context, void *buffer, size_t len, struct error *err)
{
    struct package *package = context;
    struct packages *all = package->all;
    if (cancel_check(all->cancel, err)) {
        return -1;
    }
    ssize_t got = pread(package->fd, buffer, len, (off_t)package->offset);
    if (got < 0) {
        error_set_errno(err, errno, "cannot read %s", package->shown);
        return -1;
    }
    package->offset += (uint64_t)got;
    all->done_bytes += (uint64_t)got;
    progress_report(
        all->progress, PROGRESS_EXTRACT, PROGRESS_BYTES, all->done_bytes, all->total_bytes);
    return got;
}

static ssize_t read_member(void *context, void *buffer, size_t len, struct error *err)
{
    struct package *package = context;
    if (package->block_len == 0) {
        const void *block = NULL;
        ssize_t got = archive_reader_block(package->ar, &block, err);
        if (got <= 0) {
            return got;
        }
        package->block = block;
        package->block_len = (size_t)got;
    }
    size_t now = len < package->block_len ? len : package->block_len;
    memcpy(buffer, package->block, now);
    package->block += now;
    package->block_len -= now;
    return (ssize_t)now;
}

static ssize_t read_data(void *context, void *buffer, size_t len, struct error *err)
{
    struct package *package = context;
    return decompress_read(package->data, buffer, len, err);
}

/* The part of a member's name that counts when we want it, as the entry will know it; else NULL. */
static const char *wanted_part(const char *path)
{
    static const char *const files[] = {"boot/vmlinux-", "boot/vmlinuz-", "boot/config-"};
    path += strncmp(path, "./", 2) == 0 ? 2 : 0;
    for (size_t i = 0; i < array_length(files); i++) {
        if (text_has_prefix(path, files[i])) {
            return path;
        }
    }
    if (text_has_prefix(path, MERGED_MODULES)) {
        path += strlen("usr/");
    }
    return text_has_prefix(path, MODULES) && path[strlen(MODULES)] != '\0' ? path : NULL;
}

/* Below lib/modules/VERSION, which becomes a directory of its own. */
static const char *below_modules(const char *path)
{
    const char *slash = strchr(path + strlen(MODULES), '/');
    return slash ? slash + 1 : NULL;
}

static bool take_symlink(
    struct packages *all, const char *path, const char *target, struct error *err)
{
    const char *inner = text_has_prefix(path, MODULES) ? below_modules(path) : NULL;
    if (!inner || !unpack_link_stays(inner, target)) {
        auto_free char *arrow = memory_printf("%s, a link to %s", path, target);
        bundle_note_skipped(&all->report, "left out", arrow);
        return unpack_claim(&all->unpack, path, err);
    }
    return unpack_symlink(&all->unpack, path, target, err);
}

static bool take_member(struct package *package, const struct tar_member *member, struct error *err)
{
    struct packages *all = package->all;
    const char *part = wanted_part(member->path);
    if (!part) {
        return true;
    }
    bool is_directory = member->type == TAR_DIRECTORY;
    auto_free char *path = unpack_clean_name(part, is_directory, all->limits, err);
    if (!path) {
        return false;
    }
    all->report.entries++;
    switch (member->type) {
    case TAR_FILE:
        return unpack_file(&all->unpack, path, package->tar, err);
    case TAR_DIRECTORY:
        return unpack_directory(&all->unpack, path, err);
    case TAR_SYMLINK:
        return take_symlink(all, path, member->link, err);
    case TAR_HARDLINK:
    case TAR_CHARACTER_DEVICE:
    case TAR_BLOCK_DEVICE:
    case TAR_FIFO: {
        auto_free char *what = memory_printf("left out the %s", tar_type_name(member->type));
        bundle_note_skipped(&all->report, what, path);
        return unpack_claim(&all->unpack, path, err);
    }
    }
    return error_set(err, ERROR_BUG, "no such member type");
}

static bool take_data(struct package *package, struct error *err)
{
    const struct packages *all = package->all;
    package->data = decompress_new(read_member, package,
        DECOMPRESS_NONE | DECOMPRESS_GZIP | DECOMPRESS_ZSTD | DECOMPRESS_XZ, all->limits,
        package->shown, err);
    if (!package->data) {
        return false;
    }
    package->tar = archive_reader_new(ARCHIVE_TAR_FOREIGN, read_data, package, all->limits, err);
    if (!package->tar) {
        return false;
    }
    for (;;) {
        const struct tar_member *member = NULL;
        int got = archive_reader_next(package->tar, &member, err);
        if (got <= 0) {
            return got == 0;
        }
        if (!take_member(package, member, err)) {
            return false;
        }
    }
}

/* deb(5): debian-binary with "2.", control.tar, data.tar, in this order. */
static bool check_version(
    struct package *package, const struct tar_member *member, struct error *err)
{
    char text[2] = "";
    ssize_t got = read_member(package, text, sizeof text, err);
    package->block_len = 0;
    if (got < 0) {
        return false;
    }
    if (strcmp(member->path, "debian-binary") != 0 || got != 2 || memcmp(text, "2.", 2) != 0) {
        return error_set(err, ERROR_FORMAT, "it is no Debian package of format 2");
    }
    return true;
}

static bool take_package(struct package *package, struct error *err)
{
    package->ar = archive_reader_new(ARCHIVE_AR, read_file, package, package->all->limits, err);
    if (!package->ar) {
        return false;
    }
    for (unsigned index = 0;; index++) {
        const struct tar_member *member = NULL;
        int got = archive_reader_next(package->ar, &member, err);
        if (got < 0) {
            return false;
        }
        if (got == 0) {
            return package->tar || error_set(err, ERROR_FORMAT, "the package holds no data.tar");
        }
        if (index == 0 && !check_version(package, member, err)) {
            return false;
        }
        if (!text_has_prefix(member->path, "data.tar")) {
            continue;
        }
        if (package->tar) {
            return error_set(err, ERROR_FORMAT, "the package holds two data.tar");
        }
        if (!take_data(package, err)) {
            return false;
        }
    }
}

bool deb_unpack(const struct extract_job *job, const struct progress *progress,
    const struct cancel *cancel, struct bundle_report *report, struct error *err)
{
    auto_done(packages) struct packages all = {
        .unpack = {.dir = job->staging_dir, .limits = job->limits},
        .limits = job->limits,
        .progress = progress,
        .cancel = cancel,
    };
    for (size_t i = 0; i < job->count; i++) {
        struct stat status;
        if (fstat(job->fds[i], &status) != 0 || !S_ISREG(status.st_mode)) {
            return error_set(err, ERROR_FORMAT, "%s is no regular file", job->shown[i]);
        }
        all.total_bytes += (uint64_t)status.st_size;
    }
    for (size_t i = 0; i < job->count; i++) {
        auto_done(package) struct package package = {
            .all = &all, .shown = job->shown[i], .fd = job->fds[i]};
        if (!take_package(&package, err)) {
            return error_wrap(err, "%s", job->shown[i]);
        }
        all.report.expanded_bytes += archive_reader_bytes(package.tar);
    }
    if (!unpack_finish(&all.unpack, err)) {
        return false;
    }
    *report = all.report;
    all.report = (struct bundle_report){0};
    return true;
}
