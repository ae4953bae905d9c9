/* SPDX-License-Identifier: MIT */
#include "batch/gauge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "batch/output.h"
#include "engine/snapshot.h"

#define SCHEMA 1

/* Between two lines about the same job. */
static const uint64_t jsonl_gap_ms = 250;
static const uint64_t plain_gap_ms = 3000;
static const uint64_t live_gap_ms = 100;
/* A change of phase is news, but not a flood of it. */
static const uint64_t phase_gap_ms = 40;

struct gauge_job {
    uint64_t id;
    bool has_line;
    bool is_over;
    enum progress_phase phase;
    uint64_t done;
    uint64_t line_ms;
};

bool gauge_init(struct gauge *gauge, const struct options *options, const char *term, bool is_utf8,
    struct error *err)
{
    *gauge =
        (struct gauge){.mode = options->progress, .fd = options->progress_fd, .is_utf8 = is_utf8};
    if (gauge->mode == PROGRESS_MODE_AUTO) {
        bool is_dumb = term == NULL || term[0] == '\0' || strcmp(term, "dumb") == 0;
        gauge->is_live = !options->is_quiet && !is_dumb && isatty(gauge->fd);
        gauge->mode = gauge->is_live ? PROGRESS_MODE_PLAIN : PROGRESS_MODE_NONE;
    }
    if (options->progress_fd == STDERR_FILENO || gauge->mode == PROGRESS_MODE_NONE) {
        return true;
    }
    int flags = fcntl(gauge->fd, F_GETFL);
    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY) {
        return error_set(err, ERROR_INVALID,
            "--progress-fd %d is not open for writing: add %d>FILE", gauge->fd, gauge->fd);
    }
    return true;
}

void gauge_done(struct gauge *gauge)
{
    gauge_clear(gauge);
    free(gauge->jobs);
    *gauge = (struct gauge){.mode = PROGRESS_MODE_NONE, .fd = -1};
}

static struct gauge_job *find_job(struct gauge *gauge, uint64_t id)
{
    for (size_t i = 0; i < gauge->job_count; ++i) {
        if (gauge->jobs[i].id == id) {
            return &gauge->jobs[i];
        }
    }
    gauge->jobs = memory_grow(gauge->jobs, gauge->job_count + 1, sizeof(gauge->jobs[0]));
    gauge->jobs[gauge->job_count] = (struct gauge_job){.id = id};
    return &gauge->jobs[gauge->job_count++];
}

/* Progress is a courtesy: when nobody takes it, the work goes on in silence. */
static void write_line(struct gauge *gauge, const struct text *line)
{
    ssize_t written = write(gauge->fd, text_cstr(line), line->len);
    if (written < 0 && errno != EAGAIN && errno != EINTR) {
        gauge->mode = PROGRESS_MODE_NONE;
    }
}

/* ---- jsonl ---- */

static struct json *line_object(const char *object)
{
    char time[CLOCK_TEXT_LEN];
    struct json *line = json_new_object();
    json_put_integer(line, "schema", SCHEMA);
    json_put_string(line, "time", clock_format(clock_wall(), time));
    json_put_known(line, "object", object);
    return line;
}

static void put_result(struct json *line, enum job_state state, const struct error *error)
{
    json_put_string(line, "result", job_state_name(state));
    json_put_string(line, "code", state == JOB_OK ? "OK" : error_code_name(error->code));
    json_put_integer(line, "exit_status", state == JOB_OK ? 0 : error_exit_status(error->code));
    json_put_string(line, "message", state == JOB_OK ? NULL : error->text);
}

static void write_json(struct gauge *gauge, const struct json *line)
{
    auto_done(text) struct text text = {0};
    json_write(line, false, &text);
    text_append_char(&text, '\n');
    write_line(gauge, &text);
}

static void write_jsonl(struct gauge *gauge, const struct job_item *job)
{
    auto_json struct json *line = line_object(job->object);
    json_put_integer(line, "job", (int64_t)job->id);
    json_put_string(line, "phase", progress_phase_name(job->phase));
    json_put_integer(line, "done", (int64_t)job->done);
    if (job->total != 0) {
        json_put_integer(line, "total", (int64_t)job->total);
    }
    json_put_string(line, "unit", progress_unit_name(job->unit));
    if (job_state_is_final(job->state)) {
        put_result(line, job->state, &job->error);
    }
    write_json(gauge, line);
}

/* ---- lines for people ---- */

static void append_amount(struct text *out, const struct job_item *job)
{
    char buffer[UNITS_MAX];
    switch (job->unit) {
    case PROGRESS_BYTES:
        text_append(out, units_format_size(job->done, buffer));
        if (job->total != 0) {
            text_printf(out, " of %s", units_format_size(job->total, buffer));
        }
        break;
    case PROGRESS_ENTRIES:
    case PROGRESS_STEPS:
        text_printf(out, "%llu", (unsigned long long)job->done);
        if (job->total != 0) {
            text_printf(out, " of %llu", (unsigned long long)job->total);
        }
        text_append(out, job->unit == PROGRESS_ENTRIES ? " entries" : " steps");
        break;
    }
}

/* "pull debian-cloud: download 6.1 MiB of 14.2 MiB (43%), 3.2 MiB/s, 0:02 left". */
static void append_sentence(struct text *out, const struct job_item *job, bool is_utf8)
{
    char buffer[UNITS_MAX];
    text_append_safe(out, job->title, strlen(job->title), is_utf8);
    text_printf(out, ": %s", progress_phase_name(job->phase));
    if (job->done != 0 || job->total != 0) {
        text_append_char(out, ' ');
        append_amount(out, job);
    }
    if (job->total != 0) {
        text_printf(out, " (%u%%)", (unsigned)(job->done * 100 / job->total));
    }
    if (job->unit == PROGRESS_BYTES && job->rate != 0) {
        text_printf(out, ", %s/s", units_format_size(job->rate, buffer));
        if (job->total > job->done) {
            uint64_t left = (job->total - job->done) / job->rate;
            text_printf(out, ", %s left", units_format_clock(left, buffer));
        }
    }
    if (job->note[0] != '\0') {
        text_append(out, ", ");
        text_append_safe(out, job->note, strlen(job->note), is_utf8);
    }
}

static void append_end(struct text *out, const struct job_item *job, bool is_utf8)
{
    char buffer[UNITS_MAX];
    char hex[DIGEST_HEX_LEN + 1];
    text_append_safe(out, job->title, strlen(job->title), is_utf8);
    text_printf(out, ": %s after %s", job_state_name(job->state),
        units_format_duration(job->elapsed_ms, buffer));
    if (job->transferred != 0) {
        text_printf(out, ", %s downloaded", units_format_size(job->transferred, buffer));
    }
    if (job->has_expected && job->has_found && digest_equal(&job->expected, &job->found)) {
        text_printf(out, ", sha256 verified %.8s", digest_format(&job->found, hex));
    }
}

/* Returns to the first column and overwrites what was there; no escape sequence is needed. */
static void draw_live(struct gauge *gauge, const struct job_item *job)
{
    auto_done(text) struct text sentence = {0};
    auto_done(text) struct text line = {0};
    append_sentence(&sentence, job, false);
    size_t width = output_columns(gauge->fd) - 1;
    size_t len = sentence.len < width ? sentence.len : width;
    text_printf(&line, "\r%.*s", (int)len, text_cstr(&sentence));
    for (size_t i = len; i < gauge->shown_width && i < width; ++i) {
        text_append_char(&line, ' ');
    }
    gauge->shown_width = len;
    write_line(gauge, &line);
}

void gauge_clear(struct gauge *gauge)
{
    if (gauge->shown_width == 0) {
        return;
    }
    auto_done(text) struct text line = {0};
    text_printf(&line, "\r%*s\r", (int)gauge->shown_width, "");
    gauge->shown_width = 0;
    write_line(gauge, &line);
}

static void write_plain(struct gauge *gauge, const struct job_item *job, bool is_final)
{
    auto_done(text) struct text line = {0};
    if (is_final) {
        append_end(&line, job, gauge->is_utf8);
    } else {
        append_sentence(&line, job, gauge->is_utf8);
    }
    text_append_char(&line, '\n');
    write_line(gauge, &line);
}

/* ---- what is worth a line ---- */

static bool is_due(
    struct gauge *gauge, const struct gauge_job *known, const struct job_item *job, uint64_t now_ms)
{
    if (!known->has_line) {
        return true;
    }
    if (gauge->is_live) {
        return now_ms - gauge->drawn_ms >= live_gap_ms;
    }
    if (known->phase != job->phase) {
        return now_ms - known->line_ms >= phase_gap_ms;
    }
    uint64_t gap_ms = gauge->mode == PROGRESS_MODE_JSONL ? jsonl_gap_ms : plain_gap_ms;
    return known->done != job->done && now_ms - known->line_ms >= gap_ms;
}

void gauge_update(struct gauge *gauge, const struct job_item *job)
{
    if (gauge->mode == PROGRESS_MODE_NONE) {
        return;
    }
    struct gauge_job *known = find_job(gauge, job->id);
    bool is_final = job_state_is_final(job->state);
    uint64_t now_ms = clock_monotonic_ms();
    if (known->is_over || job->state == JOB_QUEUED ||
        (!is_final && !is_due(gauge, known, job, now_ms))) {
        return;
    }
    /* A listing that is over at once has no progress to show to people. */
    bool is_silent = is_final && gauge->mode == PROGRESS_MODE_PLAIN && job->is_quiet;
    if (gauge->is_live) {
        if (is_final) {
            gauge_clear(gauge);
        } else {
            draw_live(gauge, job);
        }
        gauge->drawn_ms = now_ms;
    } else if (gauge->mode == PROGRESS_MODE_JSONL) {
        write_jsonl(gauge, job);
    } else if (!is_silent) {
        write_plain(gauge, job, is_final);
    }
    known->has_line = true;
    known->is_over = is_final;
    known->phase = job->phase;
    known->done = job->done;
    known->line_ms = now_ms;
}

void gauge_refused(struct gauge *gauge, const char *object, const struct error *error)
{
    if (gauge->mode == PROGRESS_MODE_JSONL) {
        auto_json struct json *line = line_object(object != NULL ? object : "");
        put_result(line, JOB_FAILED, error);
        write_json(gauge, line);
    }
}
