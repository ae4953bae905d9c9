/* SPDX-License-Identifier: MIT */
/* The serial log as text: from a line or a time on, with or without times, to the end or beyond. */
#include "vm/console.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "vm/console_bell.h"
#include "vm/machine.h"
#include "vm/serial_log.h"
#include "vm/stream_fd.h"

#define CHUNK (64u << 10)

static bool read_failed(struct error *err)
{
    return error_set_errno(err, errno, "cannot read " SERIAL_LOG_FILE);
}

/* ---- where to begin ------------------------------------------------------------------------- */

/* Offset at which the last `lines` lines begin, looked for backwards. */
static bool find_tail(
    const struct serial_view *view, int64_t lines, uint64_t *offset, struct error *err)
{
    auto_free char *chunk = memory_alloc(CHUNK);
    uint64_t begin = serial_view_begin(view);
    uint64_t at = serial_view_end(view);
    bool is_first = true; /* the line feed at the very end closes the last line */
    *offset = at;
    while (at > begin && lines > 0) {
        uint64_t from = at - begin > CHUNK ? at - CHUNK : begin;
        if (from < view->begin[1] && at > view->begin[1]) {
            from = view->begin[1]; /* a read ends where a segment does */
        }
        uint64_t position = from;
        int64_t got = serial_view_read(view, &position, chunk, (size_t)(at - from));
        if (got < 0) {
            return read_failed(err);
        }
        if (position != at) {
            break; /* cut off meanwhile */
        }
        for (int64_t i = got - 1; i >= 0 && lines > 0; i--) {
            if (chunk[i] == '\n' && !is_first) {
                lines--;
            }
            is_first = false;
            if (lines > 0) {
                *offset = from + (uint64_t)i;
            }
        }
        at = from;
    }
    return true;
}

static bool find_begin(const struct serial_view *view, const struct console_log_options *options,
    uint64_t *offset, struct error *err)
{
    *offset = serial_view_begin(view);
    uint64_t tail = 0;
    if (options->tail_lines >= 0) {
        if (!find_tail(view, options->tail_lines, &tail, err)) {
            return false;
        }
        *offset = tail;
    }
    if (options->since_ms > 0) {
        uint64_t since = serial_view_find_time(view, options->since_ms);
        *offset = since > *offset ? since : *offset;
    }
    return true;
}

/* ---- writing -------------------------------------------------------------------------------- */

struct log_writer {
    int dir;
    int out_fd;
    const struct cancel *cancel;
    bool has_timestamps;
    bool is_line_start;
    bool is_closed; /* the reader went away */
    struct serial_view view;
    uint64_t offset;
};

/* "2026-07-01T12:00:00.123Z " */
static void append_stamp(int64_t wall_ms, struct text *out)
{
    char stamp[CLOCK_TEXT_LEN];
    clock_format(wall_ms / 1000, stamp);
    text_printf(out, "%.19s.%03dZ ", stamp, (int)(wall_ms % 1000));
}

static void append_with_stamps(
    struct log_writer *writer, uint64_t at, const char *bytes, size_t len, struct text *out)
{
    size_t done = 0;
    while (done < len) {
        if (writer->is_line_start) {
            append_stamp(serial_view_time_at(&writer->view, at + done), out);
        }
        const char *feed = memchr(bytes + done, '\n', len - done);
        size_t part = feed == NULL ? len - done : (size_t)(feed - bytes) + 1 - done;
        text_append_bytes(out, bytes + done, part);
        writer->is_line_start = feed != NULL;
        done += part;
    }
}

static bool write_chunk(
    struct log_writer *writer, uint64_t at, const char *bytes, size_t len, struct error *err)
{
    if (!writer->has_timestamps) {
        return stream_write_all(
            writer->out_fd, bytes, len, writer->cancel, &writer->is_closed, err);
    }
    auto_done(text) struct text out = {0};
    append_with_stamps(writer, at, bytes, len, &out);
    return stream_write_all(
        writer->out_fd, out.data, out.len, writer->cancel, &writer->is_closed, err);
}

/* Everything up to the end of the log as it is now, over a retired segment too. */
static bool write_rest(struct log_writer *writer, struct error *err)
{
    auto_free char *chunk = memory_alloc(CHUNK);
    while (!writer->is_closed) {
        if (cancel_check(writer->cancel, err)) {
            return false;
        }
        bool is_current = serial_view_refresh(&writer->view, writer->dir);
        int64_t got = serial_view_read(&writer->view, &writer->offset, chunk, CHUNK);
        if (got < 0) {
            return read_failed(err);
        }
        if (got > 0 &&
            !write_chunk(writer, writer->offset - (uint64_t)got, chunk, (size_t)got, err)) {
            return false;
        }
        if (got == 0 && is_current) {
            return true;
        }
        if (got == 0) {
            serial_view_done(&writer->view);
            if (!serial_view_open(&writer->view, writer->dir, err)) {
                return false;
            }
        }
    }
    return true;
}

static bool follow(struct log_writer *writer, struct error *err)
{
    struct console_bell bell;
    if (!console_bell_open(writer->dir, writer->cancel, &bell, err)) {
        return false;
    }
    bool is_fine;
    bool had_ended;
    do {
        had_ended = bell.has_ended; /* before the last look, so that nothing is missed */
        is_fine = write_rest(writer, err) && (writer->is_closed || had_ended ||
                                                 console_bell_wait(&bell, 0, writer->cancel, err));
    } while (is_fine && !writer->is_closed && !had_ended);
    console_bell_done(&bell);
    return is_fine;
}

bool console_log_write(int vm_dir, const struct console_log_options *options, int out_fd,
    const struct cancel *cancel, struct error *err)
{
    struct log_writer writer = {.dir = vm_dir,
        .out_fd = out_fd,
        .cancel = cancel,
        .has_timestamps = options->has_timestamps,
        .is_line_start = true};
    if (!serial_view_open(&writer.view, vm_dir, err)) {
        return false;
    }
    bool is_fine = find_begin(&writer.view, options, &writer.offset, err) &&
                   (options->is_following ? follow(&writer, err) : write_rest(&writer, err));
    serial_view_done(&writer.view);
    return is_fine;
}

/* ---- waiting for a text --------------------------------------------------------------------- */

struct search {
    const char *needle;
    size_t needle_len;
    struct text kept; /* what may be the beginning of it */
    bool is_found;
};

static void search_chunk(struct search *search, const char *bytes, size_t len)
{
    text_append_bytes(&search->kept, bytes, len);
    struct text *kept = &search->kept;
    if (memmem(kept->data, kept->len, search->needle, search->needle_len) != NULL) {
        search->is_found = true;
        return;
    }
    size_t keep = search->needle_len - 1;
    if (kept->len > keep) {
        memmove(kept->data, kept->data + kept->len - keep, keep);
        kept->len = keep;
    }
}

static bool search_rest(int vm_dir, uint64_t *offset, struct search *search, struct error *err)
{
    struct serial_view view;
    if (!serial_view_open(&view, vm_dir, err)) {
        return false;
    }
    auto_free char *chunk = memory_alloc(CHUNK);
    int64_t got = 1;
    while (!search->is_found && got > 0) {
        got = serial_view_read(&view, offset, chunk, CHUNK);
        if (got > 0) {
            search_chunk(search, chunk, (size_t)got);
        }
    }
    serial_view_done(&view);
    return got >= 0 || read_failed(err);
}

static bool wait_text(int vm_dir, struct console_bell *bell, struct search *search, uint64_t offset,
    uint64_t deadline, const struct cancel *cancel, struct error *err)
{
    for (;;) {
        bool had_ended = bell->has_ended;
        if (!search_rest(vm_dir, &offset, search, err)) {
            return false;
        }
        if (search->is_found) {
            return true;
        }
        if (had_ended) {
            return error_set(err, ERROR_VMM,
                "the machine ended and its serial line never showed \"%s\"", search->needle);
        }
        if (!console_bell_wait(bell, deadline, cancel, err)) {
            return error_wrap(err, "the serial line does not show \"%s\"", search->needle);
        }
    }
}

bool console_wait_text(int vm_dir, const char *needle, uint64_t timeout_ms,
    const struct cancel *cancel, struct error *err)
{
    struct machine_handle handle = {0};
    struct error ignored = {0};
    struct console_bell bell;
    struct search search = {.needle = needle, .needle_len = strlen(needle)};
    if (search.needle_len == 0) {
        return error_set(err, ERROR_INVALID, "there is no text to wait for");
    }
    if (!console_bell_open(vm_dir, cancel, &bell, err)) {
        return false;
    }
    bool is_shown = false;
    if (machine_handle_read(vm_dir, &handle, &ignored)) {
        is_shown = wait_text(
            vm_dir, &bell, &search, handle.log_offset, clock_deadline(timeout_ms), cancel, err);
    } else {
        error_set(err, ERROR_VMM, "the machine is not running");
    }
    text_done(&search.kept);
    console_bell_done(&bell);
    return is_shown;
}
