/* SPDX-License-Identifier: MIT */
/* Readers of the serial log: any process, while the monitor writes and retires segments. */
#include "vm/serial_log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "vm/serial_index.h"

#define OLD 0
#define NEW 1
#define OPEN_TRIES 50
#define OPEN_PAUSE_MS 2

static int open_quietly(int dir, const char *name)
{
    return openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

static uint64_t size_of(int fd)
{
    struct stat status;
    return fd >= 0 && fstat(fd, &status) == 0 ? (uint64_t)status.st_size : 0;
}

/* Whether the name still means this file: the monitor may have retired it. */
static bool is_current(int dir, const char *name, int fd)
{
    struct stat by_name;
    struct stat by_fd;
    return fstatat(dir, name, &by_name, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &by_fd) == 0 &&
           by_name.st_ino == by_fd.st_ino && by_name.st_dev == by_fd.st_dev;
}

static void open_all(struct serial_view *view, int dir)
{
    view->log_fd[NEW] = open_quietly(dir, SERIAL_LOG_FILE);
    view->index_fd[NEW] = open_quietly(dir, SERIAL_INDEX_FILE);
    view->log_fd[OLD] = open_quietly(dir, SERIAL_LOG_OLD_FILE);
    view->index_fd[OLD] = open_quietly(dir, SERIAL_INDEX_OLD_FILE);
}

void serial_view_done(struct serial_view *view)
{
    for (int i = 0; i < 2; i++) {
        memory_auto_close(&view->log_fd[i]);
        memory_auto_close(&view->index_fd[i]);
        view->log_fd[i] = -1;
        view->index_fd[i] = -1;
    }
}

static void measure(struct serial_view *view)
{
    uint64_t old_size = size_of(view->log_fd[OLD]);
    if (!serial_index_begin(view->index_fd[NEW], &view->begin[NEW])) {
        view->begin[NEW] = old_size;
    }
    view->end[NEW] = view->begin[NEW] + size_of(view->log_fd[NEW]);
    /* By its size, not by its index, which may have been retired a moment later. */
    view->end[OLD] = view->begin[NEW];
    view->begin[OLD] = old_size < view->begin[NEW] ? view->begin[NEW] - old_size : 0;
}

bool serial_view_open(struct serial_view *view, int dir, struct error *err)
{
    for (int i = 0; i < OPEN_TRIES; i++) {
        open_all(view, dir);
        if (view->log_fd[NEW] >= 0 && is_current(dir, SERIAL_LOG_FILE, view->log_fd[NEW]) &&
            (view->index_fd[NEW] < 0 || is_current(dir, SERIAL_INDEX_FILE, view->index_fd[NEW]))) {
            measure(view);
            return true;
        }
        bool is_missing = view->log_fd[NEW] < 0 && view->log_fd[OLD] < 0;
        serial_view_done(view);
        if (is_missing) {
            break;
        }
        poll(NULL, 0, OPEN_PAUSE_MS);
    }
    return error_set(err, ERROR_NOT_FOUND, "there is no " SERIAL_LOG_FILE ": it never started");
}

bool serial_view_refresh(struct serial_view *view, int dir)
{
    /* In this order: once it is retired, its size is final. */
    bool is_same = is_current(dir, SERIAL_LOG_FILE, view->log_fd[NEW]);
    view->end[NEW] = view->begin[NEW] + size_of(view->log_fd[NEW]);
    return is_same;
}

int64_t serial_view_read(const struct serial_view *view, uint64_t *offset, void *bytes, size_t size)
{
    if (*offset < serial_view_begin(view)) {
        *offset = serial_view_begin(view);
    }
    int segment = *offset < view->begin[NEW] ? OLD : NEW;
    if (*offset >= view->end[segment]) {
        return 0;
    }
    uint64_t left = view->end[segment] - *offset;
    size_t wanted = left < size ? (size_t)left : size;
    ssize_t got;
    do {
        got = pread(view->log_fd[segment], bytes, wanted, (off_t)(*offset - view->begin[segment]));
    } while (got < 0 && errno == EINTR);
    if (got > 0) {
        *offset += (uint64_t)got;
    }
    return got;
}

uint64_t serial_view_begin(const struct serial_view *view)
{
    return view->log_fd[OLD] >= 0 ? view->begin[OLD] : view->begin[NEW];
}

uint64_t serial_view_end(const struct serial_view *view)
{
    return view->end[NEW];
}

uint64_t serial_view_find_time(const struct serial_view *view, int64_t wall_ms)
{
    for (int i = OLD; i <= NEW; i++) {
        uint64_t offset = 0;
        if (view->log_fd[i] >= 0 && serial_index_find_time(view->index_fd[i], wall_ms, &offset) &&
            offset >= view->begin[i] && offset <= view->end[i]) {
            return offset;
        }
    }
    return serial_view_end(view);
}

int64_t serial_view_time_at(const struct serial_view *view, uint64_t offset)
{
    int segment = offset < view->begin[NEW] ? OLD : NEW;
    int64_t wall_ms = 0;
    return serial_index_time_at(view->index_fd[segment], offset, &wall_ms) ? wall_ms : 0;
}
