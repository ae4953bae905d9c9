/* SPDX-License-Identifier: MIT */
#include "artifact/bundle_child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "artifact/bundle.h"
#include "artifact/bundle_frame.h"
#include "artifact/confine.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/progress.h"
#include "base/units.h"

#define PROGRESS_STEP ((uint64_t)1 << 20)

struct child {
    int report_fd;
    struct extract_job job;
    struct limits limits;
    int fds[EXTRACT_FILES_MAX];
    const char *shown[EXTRACT_FILES_MAX];
    uint64_t reported; /* progress said last */
};

static bool send_frame(int fd, enum frame_type type, const void *bytes, size_t len)
{
    struct frame_head head = {.type = type, .len = (uint32_t)len};
    struct error ignored = {0};
    return file_write_all(fd, &head, sizeof head, &ignored) &&
           file_write_all(fd, bytes, len, &ignored);
}

static void send_progress(void *context, enum progress_phase phase, enum progress_unit unit,
    uint64_t done, uint64_t total)
{
    (void)phase;
    (void)unit;
    struct child *child = context;
    if (done == child->reported || (done < total && done - child->reported < PROGRESS_STEP)) {
        return;
    }
    child->reported = done;
    struct frame_progress frame = {.done = done, .total = total};
    send_frame(child->report_fd, FRAME_PROGRESS, &frame, sizeof frame);
}

static bool send_report(int fd, const struct bundle_report *report)
{
    struct frame_report frame = {
        .entries = report->entries,
        .expanded_bytes = report->expanded_bytes,
        .hardlinks = report->skipped_hardlinks,
        .devices = report->skipped_devices,
        .fifos = report->skipped_fifos,
        .xattrs = report->skipped_xattrs,
        .has_initrd = report->has_initrd,
        .has_modules = report->has_modules,
    };
    for (size_t i = 0; i < report->skipped.count; i++) {
        const char *name = report->skipped.items[i];
        if (!send_frame(fd, FRAME_SKIPPED, name, strlen(name))) {
            return false;
        }
    }
    return send_frame(fd, FRAME_MANIFEST, text_cstr(&report->manifest), report->manifest.len) &&
           send_frame(fd, FRAME_REPORT, &frame, sizeof frame);
}

static bool parse_fd(const char *word, int *fd, struct error *err)
{
    uint64_t number = 0;
    if (!units_parse_number(word, "a descriptor", 1 << 20, &number, err)) {
        return false;
    }
    *fd = (int)number;
    return true;
}

static bool parse_limit(struct child *child, const char *word, struct error *err)
{
    for (unsigned i = 0; i < limits_row_count; i++) {
        size_t len = strlen(limits_rows[i].key);
        if (strncmp(word, limits_rows[i].key, len) == 0 && word[len] == '=') {
            uint64_t *field = (uint64_t *)((char *)&child->limits + limits_rows[i].offset);
            return units_parse_number(word + len + 1, limits_rows[i].key, UINT64_MAX, field, err);
        }
    }
    return error_set(err, ERROR_BUG, "unknown word %s", word);
}

/* --internal-extract KIND REPORT-FD STAGING-FD LIMIT=N ... -- FD=NAME ... */
static bool parse(struct child *child, int argc, char **argv, struct error *err)
{
    int at = 5;
    size_t kind = 0;
    if (argc < 7) {
        return error_set(
            err, ERROR_INVALID, "%s is for this program's own use", BUNDLE_CHILD_OPTION);
    }
    while (kind < EXTRACT_KIND_COUNT &&
           strcmp(argv[2], extract_kind_word((enum extract_kind)kind)) != 0) {
        kind++;
    }
    if (kind == EXTRACT_KIND_COUNT || !parse_fd(argv[3], &child->report_fd, err) ||
        !parse_fd(argv[4], &child->job.staging_dir, err)) {
        return error_set(
            err, ERROR_INVALID, "%s is for this program's own use", BUNDLE_CHILD_OPTION);
    }
    child->limits = limits_default;
    while (at < argc && strcmp(argv[at], "--") != 0) {
        if (!parse_limit(child, argv[at++], err)) {
            return false;
        }
    }
    for (at++; at < argc && child->job.count < EXTRACT_FILES_MAX; at++) {
        char *equals = strchr(argv[at], '=');
        auto_free char *number = memory_strndup(argv[at], equals ? equals - argv[at] : 0);
        if (!equals || !parse_fd(number, &child->fds[child->job.count], err)) {
            return error_set(
                err, ERROR_INVALID, "%s is for this program's own use", BUNDLE_CHILD_OPTION);
        }
        child->shown[child->job.count++] = equals + 1;
    }
    child->job.kind = (enum extract_kind)kind;
    child->job.fds = child->fds;
    child->job.shown = child->shown;
    child->job.limits = &child->limits;
    return true;
}

static bool work(struct child *child, struct bundle_report *report, struct error *err)
{
    struct confine_result ignored;
    struct confine confine = {
        .writable_dir = child->job.staging_dir,
        .memory_bytes = ((uint64_t)512 << 20) + ((uint64_t)1 << child->limits.zstd_window_log),
        .file_bytes = child->limits.expanded_bytes,
        .cpu_seconds = extract_time_limit(&child->job),
        .descriptors = 32 + child->job.count,
    };
    struct progress progress = {.context = child, .report = send_progress};
    if (!confine_self(&confine, &ignored, err)) {
        return false;
    }
    return child->job.kind == EXTRACT_DEB
               ? deb_unpack(&child->job, &progress, NULL, report, err)
               : bundle_unpack(&child->job, &progress, NULL, report, err);
}

int bundle_child_main(int argc, char **argv)
{
    struct child child = {0};
    struct error err = {0};
    auto_done(bundle_report) struct bundle_report report = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!parse(&child, argc, argv, &err)) {
        return error_exit_status(err.code);
    }
    if (!work(&child, &report, &err)) {
        send_frame(child.report_fd, FRAME_ERROR, &err, sizeof err);
        return error_exit_status(err.code);
    }
    return send_report(child.report_fd, &report) ? 0 : error_exit_status(ERROR_IO);
}
