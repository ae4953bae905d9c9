/* SPDX-License-Identifier: MIT */
#pragma once

/* The bounded log of a serial line and its time index, on disk: console.log and console.idx, and
 * the segment before them, console.log.1 and console.idx.1. Every byte of the line has an offset
 * that counts on over segments and boots. Written by the machine's monitor alone; read by anybody
 * at any time, also while it is written.
 *
 * An index file is SERIAL_INDEX_MAGIC, the stream offset at which its log segment begins, and
 * records of {stream offset, wall milliseconds}, all u64 little-endian: one for the first byte of a
 * line, but not more than one in SERIAL_INDEX_STEP_MS. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

#define SERIAL_LOG_FILE "console.log"
#define SERIAL_INDEX_FILE "console.idx"
#define SERIAL_LOG_OLD_FILE "console.log.1"
#define SERIAL_INDEX_OLD_FILE "console.idx.1"
#define SERIAL_INDEX_MAGIC "BTIDX001"
#define SERIAL_INDEX_STEP_MS 10
#define SERIAL_INDEX_RECORD 16 /* bytes; also the length of the head */

/* ---- writing -------------------------------------------------------------------------------- */

struct serial_log {
    int dir; /* borrowed */
    int log_fd;
    int index_fd;
    uint64_t segment_bytes; /* a segment that is longer is retired */
    uint64_t index_bytes;   /* in the index so far */
    uint64_t begin;         /* stream offset of the segment's first byte */
    uint64_t end;           /* stream offset of the next byte to come */
    uint64_t lost_bytes;    /* that could not be written, such as on a full disk */
    int64_t indexed_ms;     /* time of the latest record */
    bool is_line_start;     /* the next byte begins a line */
    uint8_t *recent;        /* the newest bytes of the stream, a ring */
    uint64_t recent_begin;  /* stream offset of the first byte that went into it */
};

/* Opens or begins the log in dir; it goes on where it ended. max_bytes holds both segments. */
bool serial_log_open(struct serial_log *log, int dir, uint64_t max_bytes, struct error *err);
void serial_log_done(struct serial_log *log);
/* Never fails towards the guest: what the disk refuses is counted in lost_bytes, and is still there
 * for watchers as long as it is recent. */
void serial_log_append(struct serial_log *log, const void *bytes, size_t len, int64_t wall_ms);
/* For a watcher: copies bytes from *offset on and moves *offset behind them. An offset that is no
 * longer kept is moved to the oldest byte that is. 0 when the watcher has seen everything. */
size_t serial_log_read(const struct serial_log *log, uint64_t *offset, void *bytes, size_t size);

/* ---- reading -------------------------------------------------------------------------------- */

/* The two segments as one stream. */
struct serial_view {
    int log_fd[2]; /* older, newer; -1: missing */
    int index_fd[2];
    uint64_t begin[2]; /* stream offsets */
    uint64_t end[2];
};

/* ERROR_NOT_FOUND when there is no log. */
bool serial_view_open(struct serial_view *view, int dir, struct error *err);
void serial_view_done(struct serial_view *view);
/* Looks again how far the newer segment goes. False when it was retired meanwhile: open again. */
bool serial_view_refresh(struct serial_view *view, int dir);
/* Like serial_log_read. -1 with errno on failure. */
int64_t serial_view_read(
    const struct serial_view *view, uint64_t *offset, void *bytes, size_t size);
/* First and one past the last byte that is kept. */
uint64_t serial_view_begin(const struct serial_view *view);
uint64_t serial_view_end(const struct serial_view *view);
/* Offset of the first line that came at this time or later, or of one that came less than
 * SERIAL_INDEX_STEP_MS before; the end when there is none. */
uint64_t serial_view_find_time(const struct serial_view *view, int64_t wall_ms);
/* When the byte at offset came, to the index's precision; 0 when not known. */
int64_t serial_view_time_at(const struct serial_view *view, uint64_t offset);
