/* SPDX-License-Identifier: MIT */
#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/name.h"
#include "base/process.h"
#include "base/progress.h"
#include "base/text.h"

#define HINT_MAX_BYTES 1024
#define WAIT_FIRST_MS 1
#define WAIT_MOST_MS 50
#define NOTE_EVERY_MS 1000

struct lock {
    int fd;
};

struct holder {
    struct process_identity who; /* pid 0: not known */
    char what[64];
};

/* What has to be waited for and how. */
struct waiting {
    const char *shown; /* "kernel debian" */
    uint64_t timeout_ms;
    const struct progress *progress;
    const struct cancel *cancel;
};

static void read_holder(int fd, struct holder *holder)
{
    *holder = (struct holder){0};
    char bytes[HINT_MAX_BYTES];
    ssize_t len = pread(fd, bytes, sizeof(bytes), 0);
    if (len <= 0) {
        return;
    }
    struct error ignored = {0};
    auto_json struct json *hint =
        json_parse(bytes, (size_t)len, sizeof(bytes), 2, "lock hint", &ignored);
    if (hint == NULL) {
        return;
    }
    struct process_identity who = {
        .pid = (pid_t)json_integer(hint, "pid", 0),
        .start_time = (uint64_t)json_integer(hint, "start_time", 0),
    };
    /* A hint outlives a killed holder; only a live one is named. */
    if (who.pid <= 0 || !process_is_alive(&who)) {
        return;
    }
    holder->who = who;
    const char *what = json_string(hint, "what", "");
    size_t what_len = strnlen(what, sizeof(holder->what) - 1);
    memcpy(holder->what, what, what_len);
}

static void write_holder(int fd, const char *purpose)
{
    struct process_identity self = process_self();
    auto_json struct json *hint = json_new_object();
    json_put_integer(hint, "pid", self.pid);
    json_put_integer(hint, "start_time", (int64_t)self.start_time);
    json_put_string(hint, "what", purpose);
    auto_done(text) struct text line = {0};
    json_write(hint, false, &line);
    text_append_char(&line, '\n');
    /* A hint: when the disk is full the lock is held all the same. */
    if (ftruncate(fd, 0) == 0) {
        ssize_t written = pwrite(fd, text_cstr(&line), line.len, 0);
        (void)written;
    }
}

/* "pid 123 (pull)" */
static char *describe(const struct holder *holder)
{
    if (holder->who.pid == 0) {
        return memory_strdup("another process");
    }
    auto_free char *what = text_safe(holder->what, true);
    if (what[0] == '\0') {
        return memory_printf("pid %ld", (long)holder->who.pid);
    }
    return memory_printf("pid %ld (%s)", (long)holder->who.pid, what);
}

static bool try_lock(int fd, struct error *err)
{
    int status;
    do {
        status = flock(fd, LOCK_EX | LOCK_NB);
    } while (status != 0 && errno == EINTR);
    if (status != 0 && errno != EWOULDBLOCK) {
        error_set_errno(err, errno, "the file system cannot lock");
    }
    return status == 0;
}

/* Sleeps for the pause or until a stop is asked for. */
static void rest(int pause_ms, const struct cancel *cancel)
{
    struct pollfd stop = {.fd = cancel_fd(cancel), .events = POLLIN};
    poll(&stop, 1, pause_ms);
}

static bool wait_for(int fd, const struct waiting *waiting, struct error *err)
{
    uint64_t started = clock_monotonic_ms();
    uint64_t next_note = started;
    int pause_ms = WAIT_FIRST_MS;
    for (;;) {
        if (try_lock(fd, err)) {
            return true;
        }
        if (err->code != ERROR_NONE || cancel_check(waiting->cancel, err)) {
            return false;
        }
        uint64_t now = clock_monotonic_ms();
        uint64_t waited = now - started;
        if (waited >= waiting->timeout_ms) {
            struct holder holder;
            read_holder(fd, &holder);
            auto_free char *who = describe(&holder);
            return error_set(err, ERROR_BUSY, "%s is held by %s: try again when it is done",
                waiting->shown, who);
        }
        if (waiting->progress != NULL && now >= next_note) {
            struct holder holder;
            read_holder(fd, &holder);
            auto_free char *who = describe(&holder);
            progress_note(waiting->progress, "waiting for %s, %" PRIu64 " s", who, waited / 1000);
            next_note = now + NOTE_EVERY_MS;
        }
        uint64_t left = waiting->timeout_ms - waited;
        rest(left < (uint64_t)pause_ms ? (int)left : pause_ms, waiting->cancel);
        pause_ms = pause_ms * 2 > WAIT_MOST_MS ? WAIT_MOST_MS : pause_ms * 2;
    }
}

static struct lock *take_file(int dir, const char *file, const char *purpose,
    const struct waiting *waiting, struct error *err)
{
    const int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    auto_close int fd = openat(dir, file, O_RDWR | O_CREAT | flags, 0600);
    if (fd < 0 && errno == EROFS) {
        /* A disk that failed is mounted read-only: its machines can still be ended. */
        fd = openat(dir, file, O_RDONLY | flags);
        errno = fd < 0 ? EROFS : 0;
    }
    if (fd < 0) {
        error_set_errno(err, errno, "cannot open the lock of %s", waiting->shown);
        return NULL;
    }
    if (!wait_for(fd, waiting, err)) {
        return NULL;
    }
    write_holder(fd, purpose);
    struct lock *lock = memory_zero(1, sizeof(*lock));
    lock->fd = take_fd(&fd);
    return lock;
}

static enum store_area area_of(enum store_kind kind)
{
    switch (kind) {
    case STORE_KERNEL:
        return STORE_LOCKS_KERNEL;
    case STORE_IMAGE:
        return STORE_LOCKS_IMAGE;
    case STORE_VM:
        return STORE_LOCKS_VM;
    }
    return STORE_LOCKS;
}

struct lock *lock_take(const struct store *store, enum store_kind kind, const char *name,
    const char *purpose, uint64_t timeout_ms, const struct progress *progress,
    const struct cancel *cancel, struct error *err)
{
    if (!name_check_entry(name, store_kind_name(kind), err)) {
        return NULL;
    }
    auto_free char *shown = memory_printf("%s %s", store_kind_name(kind), name);
    struct waiting waiting = {
        .shown = shown, .timeout_ms = timeout_ms, .progress = progress, .cancel = cancel};
    return take_file(store_area_dir(store, area_of(kind)), name, purpose, &waiting, err);
}

struct lock *lock_take_work(const struct store *store, enum store_kind kind, const char *name,
    const char *purpose, uint64_t timeout_ms, const struct cancel *cancel, struct error *err)
{
    if (!name_check_entry(name, store_kind_name(kind), err)) {
        return NULL;
    }
    auto_free char *shown = memory_printf("%s %s", store_kind_name(kind), name);
    auto_free char *file = memory_printf("%s~work", name); /* no entry has such a name */
    struct waiting waiting = {.shown = shown, .timeout_ms = timeout_ms, .cancel = cancel};
    return take_file(store_area_dir(store, area_of(kind)), file, purpose, &waiting, err);
}

struct lock *lock_take_store(const struct store *store, const char *purpose, uint64_t timeout_ms,
    const struct progress *progress, const struct cancel *cancel, struct error *err)
{
    struct waiting waiting = {
        .shown = "the store", .timeout_ms = timeout_ms, .progress = progress, .cancel = cancel};
    return take_file(store_area_dir(store, STORE_LOCKS), "store", purpose, &waiting, err);
}

struct lock *lock_take_network(const struct store *store, const char *purpose, uint64_t timeout_ms,
    const struct cancel *cancel, struct error *err)
{
    struct waiting waiting = {.shown = "the network", .timeout_ms = timeout_ms, .cancel = cancel};
    return take_file(store_area_dir(store, STORE_LOCKS), "network", purpose, &waiting, err);
}

void lock_release(struct lock *lock)
{
    if (lock == NULL) {
        return;
    }
    if (ftruncate(lock->fd, 0) != 0) {
        /* A stale hint is checked for life before it is shown. */
    }
    close(lock->fd);
    free(lock);
}

void lock_auto_release(struct lock **lock)
{
    lock_release(*lock);
}
