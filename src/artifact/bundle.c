/* SPDX-License-Identifier: MIT */
#include "artifact/bundle.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "artifact/archive.h"
#include "artifact/bundle_child.h"
#include "artifact/decompress.h"
#include "artifact/decompress_ahead.h"
#include "artifact/tar_header.h"
#include "artifact/unpack.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/progress.h"

/* One extraction under way. */
struct extraction {
    bool is_kernel;
    struct decompress_ahead *stream;
    const uint8_t *bytes; /* of the stream, not yet handed on */
    size_t left;
    struct archive_reader *reader;
    struct unpack unpack;
    struct bundle_report *report;
    const struct limits *limits;
    const struct progress *progress;
    const struct cancel *cancel;
    uint64_t blob_bytes;
    bool has_main; /* vmlinux or rootfs.ext4 */
    bool has_manifest;
};

void bundle_report_done(struct bundle_report *report)
{
    strings_done(&report->skipped);
    text_done(&report->manifest);
    *report = (struct bundle_report){0};
}

static ssize_t read_stream(void *context, void *buffer, size_t len, struct error *err)
{
    struct extraction *work = context;
    if (cancel_check(work->cancel, err)) {
        return -1;
    }
    if (work->left == 0) {
        ssize_t got = decompress_ahead_next(work->stream, &work->bytes, err);
        if (got <= 0) {
            return got;
        }
        work->left = (size_t)got;
        progress_report(work->progress, PROGRESS_EXTRACT, PROGRESS_BYTES,
            decompress_ahead_in(work->stream), work->blob_bytes);
    }
    size_t used = len < work->left ? len : work->left;
    memcpy(buffer, work->bytes, used);
    work->bytes += used;
    work->left -= used;
    return (ssize_t)used;
}

void bundle_note_skipped(struct bundle_report *report, const char *what, const char *path)
{
    if (report->skipped.count < BUNDLE_SKIPPED_NAMED) {
        strings_printf(&report->skipped, "%s %s", what, path);
    }
}

static void count_skipped(
    struct bundle_report *report, const struct tar_member *member, const char *path)
{
    switch (member->type) {
    case TAR_HARDLINK:
        report->skipped_hardlinks++;
        break;
    case TAR_CHARACTER_DEVICE:
    case TAR_BLOCK_DEVICE:
        report->skipped_devices++;
        break;
    case TAR_FIFO:
        report->skipped_fifos++;
        break;
    case TAR_FILE:
    case TAR_SYMLINK:
    case TAR_DIRECTORY:
        return;
    }
    bundle_note_skipped(report, tar_type_name(member->type), path);
}

static void count_xattrs(
    struct bundle_report *report, const struct tar_member *member, const char *path)
{
    if (member->xattr_total > 0) {
        report->skipped_xattrs += member->xattr_total;
        bundle_note_skipped(report, "extended attributes of", path);
    }
}

/* The allow-list of the top level. *is_file: the member has to be a regular file. */
static bool check_place(
    struct extraction *work, const char *path, enum tar_type type, struct error *err)
{
    bool is_welcome = false;
    bool must_be_file = true;
    if (path[0] == '\0') {
        return true;
    }
    if (!work->is_kernel) {
        is_welcome = strcmp(path, "rootfs.ext4") == 0 || strcmp(path, "manifest.json") == 0;
    } else if (strcmp(path, "modules") == 0 || strncmp(path, "modules/", 8) == 0) {
        must_be_file = false;
        is_welcome = path[7] == '/' || type == TAR_DIRECTORY;
    } else {
        is_welcome = strcmp(path, "vmlinux") == 0 || strcmp(path, "initrd.img") == 0;
    }
    if (!is_welcome || (must_be_file && type != TAR_FILE)) {
        return error_set(err, ERROR_FORMAT,
            "the bundle holds the %s \"%s\", which does not belong there", tar_type_name(type),
            path);
    }
    return true;
}

static bool take_manifest(struct extraction *work, struct error *err)
{
    struct text *manifest = &work->report->manifest;
    manifest->cap_bytes = (size_t)work->limits->json_bytes;
    for (;;) {
        const void *bytes = NULL;
        ssize_t len = archive_reader_block(work->reader, &bytes, err);
        if (len <= 0) {
            return len == 0;
        }
        if (!text_append_bytes(manifest, bytes, (size_t)len)) {
            return error_set(
                err, ERROR_LIMIT, "the bundle's manifest.json is larger than json_bytes");
        }
    }
}

static bool take_file(
    struct extraction *work, const struct tar_member *member, const char *path, struct error *err)
{
    bool is_main = strcmp(path, work->is_kernel ? "vmlinux" : "rootfs.ext4") == 0;
    if (is_main && member->size_bytes == 0) {
        return error_set(err, ERROR_FORMAT, "the bundle's %s is empty", path);
    }
    work->has_main |= is_main;
    work->report->has_initrd |= strcmp(path, "initrd.img") == 0;
    if (!work->is_kernel && !is_main) {
        work->has_manifest = true;
        return unpack_claim(&work->unpack, path, err) && take_manifest(work, err);
    }
    return unpack_file(&work->unpack, path, work->reader, err);
}

static bool take_member(struct extraction *work, const struct tar_member *member, struct error *err)
{
    bool is_directory = member->type == TAR_DIRECTORY;
    auto_free char *path = unpack_clean_name(member->path, is_directory, work->limits, err);
    if (!path || !check_place(work, path, member->type, err)) {
        return false;
    }
    work->report->entries++;
    work->report->has_modules |= strncmp(path, "modules", 7) == 0;
    count_skipped(work->report, member, path);
    count_xattrs(work->report, member, path);
    switch (member->type) {
    case TAR_FILE:
        return take_file(work, member, path, err);
    case TAR_DIRECTORY:
        return path[0] == '\0' || unpack_directory(&work->unpack, path, err);
    case TAR_SYMLINK:
        return unpack_symlink(&work->unpack, path, member->link, err);
    case TAR_HARDLINK:
    case TAR_CHARACTER_DEVICE:
    case TAR_BLOCK_DEVICE:
    case TAR_FIFO:
        return unpack_claim(&work->unpack, path, err);
    }
    return error_set(err, ERROR_BUG, "no such member type");
}

static bool take_members(struct extraction *work, struct error *err)
{
    for (;;) {
        const struct tar_member *member = NULL;
        int got = archive_reader_next(work->reader, &member, err);
        if (got <= 0) {
            return got == 0;
        }
        if (!take_member(work, member, err)) {
            return false;
        }
    }
}

static bool check_whole(struct extraction *work, struct error *err)
{
    if (!work->has_main) {
        return error_set(err, ERROR_FORMAT, "the bundle holds no %s",
            work->is_kernel ? "vmlinux" : "rootfs.ext4");
    }
    if (!work->is_kernel && !work->has_manifest) {
        return error_set(err, ERROR_FORMAT, "the bundle holds no manifest.json");
    }
    work->report->expanded_bytes = archive_reader_bytes(work->reader);
    return unpack_finish(&work->unpack, err);
}

static void extraction_done(struct extraction *work)
{
    archive_reader_free(work->reader);
    decompress_ahead_free(work->stream);
    unpack_done(&work->unpack);
}

bool bundle_unpack(const struct extract_job *job, const struct progress *progress,
    const struct cancel *cancel, struct bundle_report *report, struct error *err)
{
    struct stat status;
    if (fstat(job->fds[0], &status) != 0) {
        return error_set_errno(err, errno, "cannot examine %s", job->shown[0]);
    }
    auto_done(bundle_report) struct bundle_report found = {0};
    auto_done(extraction) struct extraction work = {
        .is_kernel = job->kind == EXTRACT_KERNEL,
        .unpack = {.dir = job->staging_dir, .limits = job->limits},
        .report = &found,
        .limits = job->limits,
        .progress = progress,
        .cancel = cancel,
        .blob_bytes = (uint64_t)status.st_size,
    };
    struct decompress *stream = decompress_new_fd(
        job->fds[0], 0, UINT64_MAX, DECOMPRESS_ZSTD, job->limits, job->shown[0], cancel, err);
    if (!stream) {
        return false;
    }
    work.stream = decompress_ahead_new(stream, work.blob_bytes);
    work.reader = archive_reader_new(ARCHIVE_TAR_BUNDLE, read_stream, &work, job->limits, err);
    if (!work.reader || !take_members(&work, err) || !check_whole(&work, err)) {
        return false;
    }
    *report = found;
    found = (struct bundle_report){0};
    return true;
}

/* Parsed here again although a child may have written it: nothing from below is taken on trust. */
static bool check_manifest(
    const struct bundle_report *report, const struct limits *limits, struct error *err)
{
    auto_json struct json *json = json_parse(text_cstr(&report->manifest), report->manifest.len,
        limits->json_bytes, limits->json_depth, "the bundle's manifest.json", err);
    if (!json) {
        return false;
    }
    return json_is_object(json) ||
           error_set(err, ERROR_FORMAT, "the bundle's manifest.json is no object");
}

/* Asked before anything is written. An image is mostly holes, of which nothing is known: it takes at
 * least what it takes packed. What is beyond the limit is for the reader to refuse. */
static bool check_room(int blob_fd, int staging_dir, enum bundle_kind kind,
    const struct limits *limits, struct error *err)
{
    struct stat status;
    if (fstat(blob_fd, &status) != 0) {
        return error_set_errno(err, errno, "cannot examine the bundle");
    }
    uint64_t packed = (uint64_t)status.st_size;
    uint64_t declared = kind == BUNDLE_KERNEL ? decompress_declared(blob_fd, 0, UINT64_MAX) : 0;
    return declared > limits->expanded_bytes ||
           file_need_space(staging_dir, "..", declared > packed ? declared : packed, err);
}

bool bundle_extract(int blob_fd, int staging_dir, enum bundle_kind kind,
    const struct limits *limits, const char *self_path, const struct progress *progress,
    const struct cancel *cancel, struct bundle_report *report, struct error *err)
{
    static const char *const shown[] = {"the bundle"};
    struct extract_job job = {
        .kind = kind == BUNDLE_KERNEL ? EXTRACT_KERNEL : EXTRACT_IMAGE,
        .fds = &blob_fd,
        .shown = shown,
        .count = 1,
        .staging_dir = staging_dir,
        .limits = limits,
    };
    if (!check_room(blob_fd, staging_dir, kind, limits, err)) {
        return false;
    }
    auto_done(bundle_report) struct bundle_report found = {0};
    bool is_fine = self_path ? bundle_run_child(&job, self_path, progress, cancel, &found, err)
                             : bundle_unpack(&job, progress, cancel, &found, err);
    if (!is_fine || (kind == BUNDLE_IMAGE && !check_manifest(&found, limits, err))) {
        return false;
    }
    *report = found;
    found = (struct bundle_report){0};
    return true;
}
