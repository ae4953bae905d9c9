/* SPDX-License-Identifier: MIT */
#include "vm/serial_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "vm/serial_index.h"

#define SEGMENTS 2
#define RECENT_BYTES (256u << 10)
#define SEGMENT_MIN (64u << 10)
/* An index may be an eighth of its log; many very short lines retire a segment early. */
#define INDEX_SHARE 8

/* By position: after bytes that the disk refused, a hole keeps the place of every later one. */
static bool write_at(int fd, const void *bytes, size_t len, uint64_t position)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t written = pwrite(fd, at, len, (off_t)position);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        if (written > 0) {
            at += written;
            position += (uint64_t)written;
            len -= (size_t)written;
        }
    }
    return true;
}

static int open_segment_file(int dir, const char *name, struct error *err)
{
    int fd = openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        error_set_errno(err, errno, "cannot open %s", name);
    }
    return fd;
}

/* Begins the index of the segment that starts at log->begin. */
static bool begin_index(struct serial_log *log, struct error *err)
{
    uint8_t head[SERIAL_INDEX_RECORD];
    memcpy(head, SERIAL_INDEX_MAGIC, 8);
    serial_index_put(head + 8, log->begin);
    if (ftruncate(log->index_fd, 0) != 0 || !write_at(log->index_fd, head, sizeof(head), 0)) {
        return error_set_errno(err, errno, "cannot write " SERIAL_INDEX_FILE);
    }
    log->index_bytes = sizeof(head);
    return true;
}

static bool open_segment(struct serial_log *log, struct error *err)
{
    log->index_fd = open_segment_file(log->dir, SERIAL_INDEX_FILE, err);
    log->log_fd = log->index_fd < 0 ? -1 : open_segment_file(log->dir, SERIAL_LOG_FILE, err);
    struct stat status;
    if (log->log_fd < 0) {
        return false;
    }
    if (fstat(log->log_fd, &status) != 0) {
        return error_set_errno(err, errno, "cannot read " SERIAL_LOG_FILE);
    }
    uint64_t begin = 0;
    uint64_t size = (uint64_t)status.st_size;
    if (!serial_index_begin(log->index_fd, &begin)) {
        log->begin = log->end;
        log->end = log->begin + size;
        return begin_index(log, err);
    }
    log->begin = begin;
    log->end = begin + size;
    log->index_bytes = fstat(log->index_fd, &status) == 0 ? (uint64_t)status.st_size : 0;
    /* A record cut off by a crash would shift all that follow. */
    uint64_t whole = log->index_bytes - log->index_bytes % SERIAL_INDEX_RECORD;
    if (whole != log->index_bytes && ftruncate(log->index_fd, (off_t)whole) == 0) {
        log->index_bytes = whole;
    }
    return true;
}

bool serial_log_open(struct serial_log *log, int dir, uint64_t max_bytes, struct error *err)
{
    *log = (struct serial_log){.dir = dir, .log_fd = -1, .index_fd = -1, .is_line_start = true};
    log->segment_bytes = max_bytes / SEGMENTS > SEGMENT_MIN ? max_bytes / SEGMENTS : SEGMENT_MIN;
    if (!open_segment(log, err)) {
        serial_log_done(log);
        return false;
    }
    log->recent = memory_alloc(RECENT_BYTES);
    log->recent_begin = log->end;
    return true;
}

void serial_log_done(struct serial_log *log)
{
    memory_auto_close(&log->log_fd);
    memory_auto_close(&log->index_fd);
    log->log_fd = -1;
    log->index_fd = -1;
    free(log->recent);
    log->recent = NULL;
}

static bool is_full(const struct serial_log *log, size_t more)
{
    uint64_t size = log->end - log->begin;
    return size > 0 && (size + more > log->segment_bytes ||
                           log->index_bytes > log->segment_bytes / INDEX_SHARE);
}

/* The older segment is given up. On failure the log goes on in the segment it has. */
static void retire_segment(struct serial_log *log)
{
    if (renameat(log->dir, SERIAL_LOG_FILE, log->dir, SERIAL_LOG_OLD_FILE) != 0) {
        return;
    }
    renameat(log->dir, SERIAL_INDEX_FILE, log->dir, SERIAL_INDEX_OLD_FILE);
    uint64_t end = log->end;
    memory_auto_close(&log->log_fd);
    memory_auto_close(&log->index_fd);
    struct error ignored = {0};
    open_segment(log, &ignored);
    log->begin = end;
    log->end = end;
    if (log->index_fd >= 0) {
        begin_index(log, &ignored);
    }
}

static void index_line(struct serial_log *log, uint64_t offset, int64_t wall_ms)
{
    if (log->index_bytes > SERIAL_INDEX_RECORD &&
        wall_ms < log->indexed_ms + SERIAL_INDEX_STEP_MS && wall_ms >= log->indexed_ms) {
        return;
    }
    uint8_t record[SERIAL_INDEX_RECORD];
    serial_index_put(record, offset);
    serial_index_put(record + 8, (uint64_t)wall_ms);
    if (log->index_fd >= 0 && write_at(log->index_fd, record, sizeof(record), log->index_bytes)) {
        log->index_bytes += sizeof(record);
        log->indexed_ms = wall_ms;
    }
}

/* Only the first line that begins in this piece: they all came at the same time. */
static void index_piece(struct serial_log *log, const uint8_t *bytes, size_t len, int64_t wall_ms)
{
    size_t at = 0;
    if (!log->is_line_start) {
        const uint8_t *feed = memchr(bytes, '\n', len);
        at = feed == NULL ? len : (size_t)(feed - bytes) + 1;
    }
    if (at < len) {
        index_line(log, log->end + at, wall_ms);
    }
    log->is_line_start = bytes[len - 1] == '\n';
}

void serial_log_append(struct serial_log *log, const void *bytes, size_t len, int64_t wall_ms)
{
    if (len == 0) {
        return;
    }
    if (is_full(log, len)) {
        retire_segment(log);
    }
    index_piece(log, bytes, len, wall_ms);
    const uint8_t *from = bytes;
    for (size_t i = 0; i < len; i++) {
        log->recent[(log->end + i) % RECENT_BYTES] = from[i];
    }
    if (log->log_fd < 0 || !write_at(log->log_fd, bytes, len, log->end - log->begin)) {
        log->lost_bytes += len;
    }
    log->end += len;
}

static size_t read_recent(
    const struct serial_log *log, uint64_t offset, uint8_t *bytes, size_t size)
{
    size_t len = log->end - offset < size ? (size_t)(log->end - offset) : size;
    for (size_t i = 0; i < len; i++) {
        bytes[i] = log->recent[(offset + i) % RECENT_BYTES];
    }
    return len;
}

size_t serial_log_read(const struct serial_log *log, uint64_t *offset, void *bytes, size_t size)
{
    uint64_t oldest = log->end > RECENT_BYTES ? log->end - RECENT_BYTES : 0;
    oldest = oldest > log->recent_begin ? oldest : log->recent_begin;
    if (*offset >= log->end) {
        return 0;
    }
    if (*offset >= oldest) {
        size_t len = read_recent(log, *offset, bytes, size);
        *offset += len;
        return len;
    }
    struct serial_view view;
    struct error ignored = {0};
    int64_t got = 0;
    if (serial_view_open(&view, log->dir, &ignored)) {
        got = serial_view_read(&view, offset, bytes, size);
        serial_view_done(&view);
    }
    if (got <= 0) {
        *offset = oldest; /* the file is of no help: go on with what is in memory */
        size_t len = read_recent(log, oldest, bytes, size);
        *offset += len;
        return len;
    }
    return (size_t)got;
}
