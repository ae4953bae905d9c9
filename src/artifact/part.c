/* SPDX-License-Identifier: MIT */
#include "artifact/part.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "artifact/hash.h"
#include "artifact/http.h"
#include "artifact/http_parse.h"
#include "base/cancel.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"

#define WAIT_INTERVAL_MS 200
#define SYNC_STEP ((uint64_t)4 << 20)
#define SIDECAR_MAX 16384
#define SIDECAR_DEPTH 4

static char *sidecar_name(const char *name)
{
    return memory_printf("%s.json", name);
}

static bool remove_file(int dir, const char *name, struct error *err)
{
    if (unlinkat(dir, name, 0) != 0 && errno != ENOENT) {
        return error_set_errno(err, errno, "cannot remove %s", name);
    }
    return true;
}

/* Sidecars that a killed process was just replacing (file_replace's temporary names). */
static void remove_unfinished_sidecars(int part_dir, const char *sidecar)
{
    auto_free char *prefix = memory_printf("%s.tmp-", sidecar);
    auto_done(strings) struct strings names = {0};
    struct error ignored = {0};
    file_list(part_dir, ".", &names, &ignored);
    for (size_t i = 0; i < names.count; i++) {
        if (text_has_prefix(names.items[i], prefix)) {
            unlinkat(part_dir, names.items[i], 0);
        }
    }
}

/* Whether the name stands for the file that is open. */
static bool is_name_of(int dir, const char *name, int fd)
{
    struct stat by_name, by_fd;
    return fstatat(dir, name, &by_name, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &by_fd) == 0 &&
           by_name.st_dev == by_fd.st_dev && by_name.st_ino == by_fd.st_ino;
}

bool http_part_remove(int part_dir, const char *part_name, int blob_fd, struct error *err)
{
    if (!is_name_of(part_dir, part_name, blob_fd)) {
        return true;
    }
    /* The sidecar first: a part alone is harmless, a tag without its bytes is noise. */
    auto_free char *sidecar = sidecar_name(part_name);
    remove_unfinished_sidecars(part_dir, sidecar);
    return remove_file(part_dir, sidecar, err) && remove_file(part_dir, part_name, err);
}

bool http_part_is_held(int part_dir, const char *part_name)
{
    auto_close int fd = openat(part_dir, part_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

/* Who holds the flock on this file, by /proc/locks (proc(5)); 0 when that does not tell. */
static pid_t lock_holder(int fd)
{
    struct stat status;
    FILE *locks = fopen("/proc/locks", "re");
    if (locks == NULL || fstat(fd, &status) != 0) {
        if (locks != NULL) {
            fclose(locks);
        }
        return 0;
    }
    pid_t holder = 0;
    char line[256];
    while (holder == 0 && fgets(line, sizeof line, locks) != NULL) {
        int pid = 0;
        unsigned major_number = 0, minor_number = 0;
        unsigned long long inode = 0;
        if (sscanf(line, "%*d: FLOCK %*s %*s %d %x:%x:%llu", &pid, &major_number, &minor_number,
                &inode) == 4 &&
            inode == status.st_ino && makedev(major_number, minor_number) == status.st_dev &&
            pid > 0) {
            holder = pid;
        }
    }
    fclose(locks);
    return holder;
}

static void note_holder(int fd, const struct progress *progress)
{
    pid_t holder = lock_holder(fd);
    if (holder == getpid()) {
        progress_note(progress, "being fetched by another job");
    } else if (holder > 0) {
        progress_note(progress, "being fetched by pid %d", (int)holder);
    } else {
        progress_note(progress, "being fetched by another process");
    }
}

/* Takes the lock, waiting while another has it. */
static bool lock(struct part *part, uint64_t total, const struct progress *progress,
    const struct cancel *cancel, struct error *err)
{
    bool was_noted = false;
    while (flock(part->fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return error_set_errno(err, errno, "cannot lock %s", part->name);
        }
        if (cancel_check(cancel, err)) {
            return false;
        }
        if (!was_noted) {
            note_holder(part->fd, progress);
            was_noted = true;
        }
        part->was_waited_for = true;
        struct stat status;
        if (fstat(part->fd, &status) == 0) {
            progress_report(
                progress, PROGRESS_DOWNLOAD, PROGRESS_BYTES, (uint64_t)status.st_size, total);
        }
        struct pollfd stop = {.fd = cancel_fd(cancel), .events = POLLIN};
        poll(&stop, 1, WAIT_INTERVAL_MS);
    }
    return true;
}

static bool open_file(struct part *part, uint64_t *size, struct error *err)
{
    part->fd = openat(
        part->dir, part->name, O_RDONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    struct stat status;
    if (part->fd < 0 || fstat(part->fd, &status) != 0) {
        return error_set_errno(err, errno, "cannot open %s", part->name);
    }
    if (!S_ISREG(status.st_mode) || status.st_uid != geteuid()) {
        return error_set(
            err, ERROR_PERMISSION, "%s is not a regular file of yours: remove it", part->name);
    }
    *size = (uint64_t)status.st_size;
    return true;
}

/* Reads the tag that belongs to the bytes there; NULL when there is none to rely on. */
static char *read_etag(const struct part *part)
{
    struct error ignored = {0};
    auto_free char *sidecar = sidecar_name(part->name);
    auto_done(text) struct text text = {0};
    if (!file_read_all(part->dir, sidecar, SIDECAR_MAX, &text, &ignored)) {
        return NULL;
    }
    auto_json struct json *json =
        json_parse(text_cstr(&text), text.len, SIDECAR_MAX, SIDECAR_DEPTH, sidecar, &ignored);
    if (json == NULL || json_integer(json, "format", 1) != 1) {
        return NULL;
    }
    const char *etag = json_string(json, "etag", NULL);
    return etag != NULL && http_etag_is_strong(etag) ? memory_strdup(etag) : NULL;
}

/* Hashes what is there and decides what it is good for. */
static bool look_at_content(struct part *part, uint64_t size, const struct digest *expected,
    uint64_t expected_size, const struct progress *progress, const struct cancel *cancel,
    bool *is_complete, struct error *err)
{
    part->etag = part->is_detached ? NULL : read_etag(part);
    bool may_be_complete = size > 0 && (expected_size == 0 || size == expected_size);
    bool may_go_on = part->etag != NULL && (expected_size == 0 || size < expected_size);
    if (size == 0 || (!may_be_complete && !may_go_on)) {
        return true;
    }
    if (!hash_update_fd(part->hash, part->fd, part->name, 0, size, progress, cancel, err)) {
        return false;
    }
    struct digest found;
    hash_finish(part->hash, &found);
    *is_complete = may_be_complete && digest_equal(&found, expected);
    if (*is_complete || may_go_on) {
        part->len = size;
    } else {
        hash_reset(part->hash);
    }
    return true;
}

static bool open_for_writing(struct part *part, struct error *err)
{
    part->write_fd = openat(part->dir, part->name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (part->write_fd < 0) {
        return error_set_errno(err, errno, "cannot write %s", part->name);
    }
    if (part->len == 0) {
        if (ftruncate(part->write_fd, 0) != 0) {
            return error_set_errno(err, errno, "cannot empty %s", part->name);
        }
        free(take_ptr(part->etag));
    }
    return true;
}

bool part_open(struct part *part, int dir, const char *name, const struct digest *expected,
    uint64_t expected_size, const struct progress *progress, const struct cancel *cancel,
    bool *is_complete, struct error *err)
{
    *part = (struct part){.dir = dir, .name = name, .fd = -1, .write_fd = -1, .hash = hash_new()};
    *is_complete = false;
    for (;;) {
        uint64_t size = 0;
        if (!open_file(part, &size, err) || !lock(part, expected_size, progress, cancel, err)) {
            return false;
        }
        struct stat status;
        if (fstat(part->fd, &status) != 0) {
            return error_set_errno(err, errno, "cannot examine %s", name);
        }
        part->is_detached = !is_name_of(part->dir, part->name, part->fd);
        if (!look_at_content(part, (uint64_t)status.st_size, expected, expected_size, progress,
                cancel, is_complete, err)) {
            return false;
        }
        if (*is_complete) {
            return true;
        }
        if (!part->is_detached) {
            return open_for_writing(part, err);
        }
        /* The one we waited for gave up and removed it: begin with a file of our own. */
        close(take_fd(&part->fd));
        hash_reset(part->hash);
    }
}

static bool write_sidecar(
    const struct part *part, const char *etag, const char *url, struct error *err)
{
    auto_free char *sidecar = sidecar_name(part->name);
    auto_json struct json *json = json_new_object();
    json_put_integer(json, "format", 1);
    json_put_string(json, "etag", etag);
    json_put_string(json, "url", url);
    auto_done(text) struct text text = {0};
    json_write(json, true, &text);
    /* Durable or not: what goes on from it is proved by its digest at the end. */
    return file_replace_soon(part->dir, sidecar, text_cstr(&text), text.len, 0600, err);
}

bool part_begin(struct part *part, const char *etag, const char *url, struct error *err)
{
    free(take_ptr(part->etag));
    hash_reset(part->hash);
    part->len = part->started = 0;
    auto_free char *sidecar = sidecar_name(part->name);
    if (!remove_file(part->dir, sidecar, err)) {
        return false;
    }
    if (ftruncate(part->write_fd, 0) != 0) {
        return error_set_errno(err, errno, "cannot empty %s", part->name);
    }
    if (etag == NULL || !http_etag_is_strong(etag)) {
        return true;
    }
    if (!write_sidecar(part, etag, url, err)) {
        return false;
    }
    part->etag = memory_strdup(etag);
    return true;
}

bool part_reserve(struct part *part, uint64_t size, struct error *err)
{
    if (size <= part->len) {
        return true;
    }
    uint64_t missing = size - part->len;
    if (!file_need_space(part->dir, ".", missing, err)) {
        return error_wrap(err, "no room for the download (host df shows what can go)");
    }
    /* The size stays what was written: it is the progress that others see. */
    int failure = 0;
    if (fallocate(part->write_fd, FALLOC_FL_KEEP_SIZE, (off_t)part->len, (off_t)missing) != 0) {
        failure = errno;
    }
    if (failure == ENOSPC || failure == EDQUOT || failure == EFBIG) {
        return error_set_errno(err, failure, "cannot set %llu bytes aside for %s",
            (unsigned long long)missing, part->name);
    }
    return true;
}

bool part_append(struct part *part, const void *bytes, size_t len, struct error *err)
{
    if (!file_write_all_at(part->write_fd, bytes, len, part->len, err)) {
        return error_wrap(err, "%s", part->name);
    }
    hash_update(part->hash, bytes, len);
    part->len += len;
    if (part->is_kept && part->len - part->started >= SYNC_STEP) {
        file_start_sync(part->write_fd);
        part->started = part->len;
    }
    return true;
}

int part_take_fd(struct part *part)
{
    if (!part->is_detached) {
        struct error ignored = {0};
        auto_free char *sidecar = sidecar_name(part->name);
        remove_file(part->dir, sidecar, &ignored);
    }
    return take_fd(&part->fd);
}

void part_done(struct part *part)
{
    bool is_ours = part->fd >= 0 && !part->is_detached && part->hash != NULL;
    if (is_ours && part->write_fd >= 0) {
        /* Blocks set aside and not used go back. */
        if (ftruncate(part->write_fd, (off_t)part->len) != 0 || part->etag == NULL ||
            part->len == 0) {
            struct error ignored = {0};
            http_part_remove(part->dir, part->name, part->fd, &ignored);
        }
    }
    if (part->write_fd >= 0) {
        close(take_fd(&part->write_fd));
    }
    if (part->fd >= 0) {
        close(take_fd(&part->fd));
    }
    free(take_ptr(part->etag));
    hash_free(take_ptr(part->hash));
}
