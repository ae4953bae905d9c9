/* SPDX-License-Identifier: MIT */
/* The parent's side of extraction in a child. */
#include "artifact/bundle_child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "artifact/bundle.h"
#include "artifact/bundle_frame.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/progress.h"
#include "base/sync_ahead.h"

#define GRACE_SECONDS 300
#define END_GRACE_MS 10000

const char *extract_kind_word(enum extract_kind kind)
{
    static const char *const words[] = {
        [EXTRACT_KERNEL] = "kernel",
        [EXTRACT_IMAGE] = "image",
        [EXTRACT_DEB] = "deb",
    };
    return words[kind];
}

uint64_t extract_time_limit(const struct extract_job *job)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < job->count; i++) {
        struct stat status;
        bytes += fstat(job->fds[i], &status) == 0 ? (uint64_t)status.st_size : 0;
    }
    return GRACE_SECONDS + (bytes >> 20);
}

struct parent {
    const struct extract_job *job;
    const struct progress *progress;
    struct sync_ahead *ahead; /* of a tree of many files; the child may start no thread */
    uint64_t done;            /* said last */
    struct text input;        /* bytes of a frame not yet whole */
    struct bundle_report report;
    struct error error;
    bool has_report;
};

static void parent_done(struct parent *parent)
{
    sync_ahead_free(parent->ahead);
    text_done(&parent->input);
    bundle_report_done(&parent->report);
}

static void take_error(struct parent *parent, const char *bytes)
{
    memcpy(&parent->error, bytes, sizeof parent->error);
    parent->error.text[sizeof parent->error.text - 1] = '\0';
    if (parent->error.code <= ERROR_NONE || parent->error.code > ERROR_BUG) {
        parent->error.code = ERROR_FORMAT;
    }
}

static void take_report(struct parent *parent, const char *bytes)
{
    struct frame_report frame;
    memcpy(&frame, bytes, sizeof frame);
    struct bundle_report *report = &parent->report;
    report->entries = frame.entries;
    report->expanded_bytes = frame.expanded_bytes;
    report->skipped_hardlinks = frame.hardlinks;
    report->skipped_devices = frame.devices;
    report->skipped_fifos = frame.fifos;
    report->skipped_xattrs = frame.xattrs;
    report->has_initrd = frame.has_initrd != 0;
    report->has_modules = frame.has_modules != 0;
    parent->has_report = true;
}

/* A child that was taken over may say anything: lengths first, then the content as data. */
static bool take_frame(struct parent *parent, const struct frame_head *head, const char *bytes)
{
    struct frame_progress progress;
    switch ((enum frame_type)head->type) {
    case FRAME_PROGRESS:
        if (head->len != sizeof progress) {
            return false;
        }
        memcpy(&progress, bytes, sizeof progress);
        sync_ahead_add(
            parent->ahead, progress.done > parent->done ? progress.done - parent->done : 0);
        parent->done = progress.done;
        progress_report(
            parent->progress, PROGRESS_EXTRACT, PROGRESS_BYTES, progress.done, progress.total);
        return true;
    case FRAME_SKIPPED:
        if (parent->report.skipped.count < BUNDLE_SKIPPED_NAMED) {
            strings_add_len(&parent->report.skipped, bytes, head->len);
        }
        return true;
    case FRAME_MANIFEST:
        text_clear(&parent->report.manifest);
        return text_append_bytes(&parent->report.manifest, bytes, head->len);
    case FRAME_REPORT:
        if (head->len != sizeof(struct frame_report)) {
            return false;
        }
        take_report(parent, bytes);
        return true;
    case FRAME_ERROR:
        if (head->len != sizeof(struct error)) {
            return false;
        }
        take_error(parent, bytes);
        return true;
    }
    return false;
}

static bool take_bytes(struct parent *parent, const char *bytes, size_t len)
{
    struct frame_head head;
    text_append_bytes(&parent->input, bytes, len);
    size_t at = 0;
    while (parent->input.len - at >= sizeof head) {
        memcpy(&head, parent->input.data + at, sizeof head);
        if (head.len > parent->job->limits->json_bytes) {
            return false;
        }
        if (parent->input.len - at - sizeof head < head.len) {
            break;
        }
        if (!take_frame(parent, &head, parent->input.data + at + sizeof head)) {
            return false;
        }
        at += sizeof head + head.len;
    }
    if (at > 0) {
        memmove(parent->input.data, parent->input.data + at, parent->input.len - at);
        parent->input.len -= at;
    }
    return true;
}

/* Listens until the child closes its end. */
static bool listen_to(struct parent *parent, int fd, uint64_t deadline, const struct cancel *cancel,
    struct error *err)
{
    char chunk[16384];
    for (;;) {
        struct pollfd fds[2] = {
            {.fd = fd, .events = POLLIN}, {.fd = cancel_fd(cancel), .events = POLLIN}};
        int ready = poll(fds, 2, clock_left_ms(deadline));
        if (ready < 0 && errno != EINTR) {
            return error_set_errno(err, errno, "cannot listen to the reader of the archive");
        }
        if (cancel_check(cancel, err)) {
            return false;
        }
        if (ready == 0) {
            return error_set(err, ERROR_TIMEOUT, "reading the archive took too long");
        }
        if (ready < 0 || fds[0].revents == 0) {
            continue;
        }
        ssize_t got = read(fd, chunk, sizeof chunk);
        if (got == 0) {
            return true;
        }
        if (got > 0 && !take_bytes(parent, chunk, (size_t)got)) {
            return error_set(err, ERROR_FORMAT, "the reader of the archive went out of its mind");
        }
    }
}

/* What the child's end means. */
static bool judge(struct parent *parent, int status, struct error *err)
{
    if (parent->error.code != ERROR_NONE) {
        *err = parent->error;
        return false;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && parent->has_report) {
        return true;
    }
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU) {
        return error_set(err, ERROR_TIMEOUT, "reading the archive took too long");
    }
    if (WIFSIGNALED(status)) {
        return error_set(err, ERROR_FORMAT, "the archive is refused: it killed its reader (%s)",
            strsignal(WTERMSIG(status)));
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == error_exit_status(ERROR_BUG)) {
        return error_set(
            err, ERROR_LIMIT, "the archive is refused: reading it takes too much memory");
    }
    return error_set(err, ERROR_FORMAT, "the archive is refused: its reader gave up");
}

static void build_words(
    const struct extract_job *job, const char *self_path, int report_fd, struct strings *words)
{
    strings_add(words, self_path);
    strings_add(words, BUNDLE_CHILD_OPTION);
    strings_add(words, extract_kind_word(job->kind));
    strings_printf(words, "%d", report_fd);
    strings_printf(words, "%d", job->staging_dir);
    for (unsigned i = 0; i < limits_row_count; i++) {
        const char *field = (const char *)job->limits + limits_rows[i].offset;
        uint64_t value;
        memcpy(&value, field, sizeof value);
        strings_printf(words, "%s=%llu", limits_rows[i].key, (unsigned long long)value);
    }
    strings_add(words, "--");
    for (size_t i = 0; i < job->count; i++) {
        strings_printf(words, "%d=%s", job->fds[i], job->shown[i]);
    }
}

static bool spawn(const struct extract_job *job, const char *self_path, int report_fd, pid_t *pid,
    int *pidfd, struct error *err)
{
    static const char *const environment[] = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", NULL};
    auto_done(strings) struct strings words = {0};
    int keep[EXTRACT_FILES_MAX + 2] = {report_fd, job->staging_dir};
    memcpy(keep + 2, job->fds, job->count * sizeof *job->fds);
    build_words(job, self_path, report_fd, &words);
    struct process_spec spec = {
        .argv = (const char *const *)words.items,
        .env = environment,
        .stdin_fd = -1,
        .stdout_fd = -1,
        .stderr_fd = STDERR_FILENO, /* a sanitizer's last words */
        .cwd_fd = -1,
        .keep_fds = keep,
        .keep_count = (unsigned)job->count + 2,
        .is_new_session = true, /* the terminal's signals are the parent's business */
    };
    return process_spawn(&spec, pid, pidfd, err);
}

static void end_now(int pidfd)
{
    syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0U);
}

/* Its pipe is closed, so it has ended or is about to. */
static bool reap(pid_t pid, int pidfd, int *status, struct error *err)
{
    struct error late = {0};
    if (process_wait(pid, pidfd, END_GRACE_MS, NULL, status, &late)) {
        return true;
    }
    end_now(pidfd);
    return process_wait(pid, pidfd, 0, NULL, status, err);
}

bool bundle_run_child(const struct extract_job *job, const char *self_path,
    const struct progress *progress, const struct cancel *cancel, struct bundle_report *report,
    struct error *err)
{
    int ends[2];
    if (job->count > EXTRACT_FILES_MAX) {
        return error_set(err, ERROR_LIMIT, "more than %d packages at once", EXTRACT_FILES_MAX);
    }
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return error_set_errno(err, errno, "cannot make a pipe");
    }
    auto_close int in = ends[0];
    auto_close int out = ends[1];
    auto_close int pidfd = -1;
    pid_t pid = -1;
    if (!spawn(job, self_path, out, &pid, &pidfd, err)) {
        return false;
    }
    close(take_fd(&out));
    auto_done(parent) struct parent parent = {.job = job, .progress = progress};
    parent.ahead = job->kind == EXTRACT_IMAGE ? NULL : sync_ahead_new(job->staging_dir);
    parent.input.cap_bytes = (size_t)job->limits->json_bytes + 65536;
    uint64_t deadline = clock_deadline(extract_time_limit(job) * 1000);
    if (!listen_to(&parent, in, deadline, cancel, err)) {
        struct error ignored = {0};
        int status;
        end_now(pidfd);
        process_wait(pid, pidfd, 0, NULL, &status, &ignored);
        return false;
    }
    int status = 0;
    if (!reap(pid, pidfd, &status, err) || !judge(&parent, status, err)) {
        return false;
    }
    *report = parent.report;
    parent.report = (struct bundle_report){0};
    return true;
}
