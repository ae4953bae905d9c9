/* SPDX-License-Identifier: MIT */
#include "ui/jobs.h"

#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "engine/command.h"
#include "ui/cells.h"
#include "ui/draw.h"
#include "ui/format.h"
#include "ui/machines.h"
#include "ui/result.h"
#include "ui/table.h"

#define GAP 2
#define TITLE_MIN 18
#define TITLE_MAX 32
#define PERCENT_CELLS 4
#define AMOUNT_CELLS 14
#define RATE_CELLS 12
#define LEFT_CELLS 6
#define SPEED_CELLS (RATE_CELLS + LEFT_CELLS)
#define STEP_CELLS (AMOUNT_CELLS + SPEED_CELLS)
#define AGE_CELLS 4
#define SHORT_DIGEST 8
#define STALLED_MS 5000

/* Verbs that start a machine, from the moment on when there is one. */
static bool is_boot(const struct job_item *job)
{
    static const char *const names[] = {"run", "start", "restart"};
    bool is_starting = false;
    for (size_t i = 0; i < array_length(names); i++) {
        is_starting |= strcmp(job->verb->name, names[i]) == 0;
    }
    return is_starting && text_has_prefix(job->object, "vm/") &&
           (job->phase == PROGRESS_BOOT || job->phase == PROGRESS_WAIT || job->state == JOB_OK);
}

/* Lines one job takes: a second one tells how far the proof is, while there is one to tell about. */
static int job_lines(const struct job_item *job)
{
    return job->state == JOB_RUNNING && job->has_expected && !is_boot(job) ? 2 : 1;
}

/* A quarter of the line where a bar and figures follow; what only ends in a word has more. */
static int title_cells(const struct job_item *job, struct area line, int need)
{
    int cells = line.width / 4;
    cells = cells < TITLE_MIN ? TITLE_MIN : cells > TITLE_MAX ? TITLE_MAX : cells;
    bool has_room = job->state == JOB_OK && job->transferred == 0 && !job->has_found;
    return has_room && need > cells ? (need < line.width / 2 ? need : line.width / 2) : cells;
}

/* Right-aligned in its own column, which is always there, so that nothing moves as figures grow. */
static void put_figure(
    struct frame *frame, int y, int *right, int cells, enum role role, const char *text)
{
    *right -= cells;
    draw_right(frame, y, *right, cells, role, text);
}

/* Nothing came for a while: a rate from before would be a lie by now. */
static bool is_stalled(const struct job_item *job, struct frame *frame)
{
    if (frame->snapshot_age_ms < STALLED_MS) {
        draw_again_in(frame, STALLED_MS - frame->snapshot_age_ms);
    }
    return frame->snapshot_age_ms >= STALLED_MS ||
           (job->rate == 0 && job->elapsed_ms >= STALLED_MS);
}

/* How fast and how long still, in the columns left of *right. */
static void put_speed(const struct job_item *job, struct frame *frame, int y, int *right)
{
    auto_done(text) struct text rate = {0};
    auto_done(text) struct text left = {0};
    format_rate(&rate, job->unit, job->rate);
    format_left(&left, job->done, job->total, job->rate);
    if (is_stalled(job, frame)) {
        put_figure(frame, y, right, SPEED_CELLS, ROLE_ATTENTION, "stalled");
    } else {
        put_figure(frame, y, right, LEFT_CELLS, ROLE_TEXT, text_cstr(&left));
        put_figure(frame, y, right, RATE_CELLS, ROLE_TEXT, text_cstr(&rate));
    }
}

static bool is_download(const struct job_item *job)
{
    return job->unit == PROGRESS_BYTES && job->phase == PROGRESS_DOWNLOAD;
}

/* What is done besides downloading, and how far: the percent beside it are of the whole job. Of the
 * two the word is what stays. */
static void put_step(const struct job_item *job, struct frame *frame, int y, int *right, int room)
{
    auto_done(text) struct text amount = {0};
    format_amount(&amount, job->unit, job->done, job->total);
    const char *phase = progress_phase_name(job->phase);
    auto_free char *step = memory_printf("%s  %s", phase, text_cstr(&amount));
    bool has_both = room >= STEP_CELLS && (int)strlen(step) <= STEP_CELLS;
    int cells = room >= STEP_CELLS ? STEP_CELLS : room >= SPEED_CELLS ? SPEED_CELLS : 0;
    if (cells > 0) {
        put_figure(frame, y, right, cells, ROLE_TEXT, has_both ? step : phase);
    }
}

/* The title is never drawn over: where all figures have no room, the percentage is the last. */
static void draw_running(const struct job_item *job, struct frame *frame, struct area line, int x)
{
    auto_done(text) struct text percent = {0};
    auto_done(text) struct text amount = {0};
    format_percent(&percent, job->permille);
    format_amount(&amount, job->unit, job->done, job->total);
    int right = line.x + line.width;
    int room = right - x - (PERCENT_CELLS + GAP);
    if (!is_download(job)) {
        put_step(job, frame, line.y, &right, room);
    } else {
        if (room >= STEP_CELLS) {
            put_speed(job, frame, line.y, &right);
        }
        if (room >= AMOUNT_CELLS) {
            put_figure(frame, line.y, &right, AMOUNT_CELLS, ROLE_TEXT, text_cstr(&amount));
        }
    }
    put_figure(frame, line.y, &right, PERCENT_CELLS + GAP, ROLE_STRONG, text_cstr(&percent));
    if (right - x >= 4) {
        draw_bar(frame, line.y, x, right - x, job->permille, ROLE_GOOD);
    }
}

static void draw_proof(const struct job_item *job, struct frame *frame, struct area line, int x)
{
    struct pen pen = {.y = line.y, .x = x, .limit = line.x + line.width};
    auto_done(text) struct text proof = {0};
    auto_done(text) struct text expected = {0};
    format_proof(&proof, job);
    format_digest(&expected, &job->expected, DIGEST_HEX_LEN);
    bool is_proved = job->has_found;
    pen_text(frame, &pen, ROLE_DIM, "sha256 ");
    pen_text(frame, &pen, is_proved ? ROLE_GOOD : ROLE_ATTENTION, text_cstr(&proof));
    if (is_proved) {
        pen_skip(&pen, 1);
        pen_glyph(frame, &pen, ROLE_GOOD, GLYPH_DONE);
    }
    pen_text(frame, &pen, ROLE_DIM, is_proved ? "  " : "  expected ");
    pen_text(frame, &pen, ROLE_DIM, text_cstr(&expected));
}

static const struct vm_item *machine_of(const struct job_item *job, const struct snapshot *snapshot)
{
    return machine_find(snapshot, job->object + strlen("vm/"));
}

/* Whole, or not at all. */
static void draw_stage(struct frame *frame, struct pen *pen, const char *name, uint64_t at_ms)
{
    char took[UNITS_MAX];
    units_format_duration(at_ms, took);
    int need = cells_width(name, true) + 1 + (int)strlen(took) + 2;
    if (pen->x + need <= pen->limit) {
        pen_text(frame, pen, ROLE_TEXT, name);
        pen_skip(pen, 1);
        pen_text(frame, pen, ROLE_DIM, took);
        pen_skip(pen, 1);
        pen_glyph(frame, pen, ROLE_GOOD, GLYPH_DONE);
        pen_skip(pen, GAP);
    } else {
        pen->x = pen->limit; /* nor those behind it */
    }
}

static void draw_stages(const struct vm_item *vm, struct frame *frame, struct pen *pen)
{
    for (size_t i = 0; vm != NULL && i < vm->stage_count; i++) {
        draw_stage(frame, pen, vm->stages[i].name, vm->stages[i].at_ms);
    }
}

/* Of the boot that the job was: the machine may have booted again since. */
static void draw_own_stages(const struct job_item *job, struct frame *frame, struct pen *pen)
{
    auto_json struct json *result = result_parse(job);
    const struct json *stages = json_get(result, "timeline");
    for (size_t i = 0; i < json_count(stages); i++) {
        const struct json *stage = json_at(stages, i);
        int64_t at_ms = json_integer(stage, "ms", 0);
        draw_stage(frame, pen, json_string(stage, "stage", ""), at_ms > 0 ? (uint64_t)at_ms : 0);
    }
}

static void draw_boot(const struct job_item *job, const struct snapshot *snapshot,
    struct frame *frame, struct area line, int x)
{
    char took[UNITS_MAX];
    int right = line.x + line.width;
    uint64_t elapsed_ms = job->elapsed_ms + frame->snapshot_age_ms / 1000 * 1000;
    put_figure(frame, line.y, &right, 9, ROLE_TEXT, units_format_duration(elapsed_ms, took));
    draw_again_in(frame, 1000);
    struct pen pen = {.y = line.y, .x = x, .limit = right - 1};
    draw_stages(machine_of(job, snapshot), frame, &pen);
    pen_text(frame, &pen, ROLE_ATTENTION, job->phase == PROGRESS_WAIT ? "agent" : "boot");
    pen_glyph(frame, &pen, ROLE_ATTENTION, GLYPH_ELLIPSIS);
}

static void draw_age(const struct job_item *job, struct frame *frame, struct area line, int *right)
{
    auto_done(text) struct text age = {0};
    uint64_t changes_in_s = 0;
    format_age(&age, frame->now, job->finished_at, &changes_in_s);
    put_figure(frame, line.y, right, AGE_CELLS, ROLE_DIM, text_cstr(&age));
    *right -= GAP;
    if (changes_in_s > 0) {
        draw_again_in(frame, changes_in_s * 1000);
    }
}

static void draw_done(const struct job_item *job, struct frame *frame, struct area line, int x)
{
    int right = line.x + line.width;
    draw_age(job, frame, line, &right);
    struct pen pen = {.y = line.y, .x = x, .limit = right};
    char buffer[UNITS_MAX];
    pen_glyph(frame, &pen, ROLE_GOOD, GLYPH_DONE);
    pen_skip(&pen, 1);
    if (job->transferred > 0) {
        auto_done(text) struct text rate = {0};
        format_rate(&rate, PROGRESS_BYTES, job->rate);
        pen_print(frame, &pen, ROLE_TEXT, "%s", units_format_size(job->transferred, buffer));
        if (rate.len > 0) {
            pen_print(frame, &pen, ROLE_DIM, " at %s", text_cstr(&rate));
        }
        pen_skip(&pen, GAP);
    }
    if (job->has_found) {
        auto_done(text) struct text digest = {0};
        format_digest(&digest, &job->found, line.width >= 150 ? DIGEST_HEX_LEN : SHORT_DIGEST);
        bool is_promised = job->has_expected;
        pen_text(frame, &pen, is_promised ? ROLE_GOOD : ROLE_TEXT,
            is_promised ? "verified " : "sha256 ");
        pen_text(frame, &pen, is_promised ? ROLE_GOOD : ROLE_TEXT, text_cstr(&digest));
        pen_skip(&pen, GAP);
    }
    if (job->transferred == 0 && !job->has_found) {
        pen_print(frame, &pen, ROLE_TEXT, "%s in %s", is_boot(job) ? "ready" : "done",
            units_format_duration(job->elapsed_ms, buffer));
        pen_skip(&pen, GAP);
    }
    if (is_boot(job)) {
        draw_own_stages(job, frame, &pen);
    }
}

static void draw_mismatch(const struct job_item *job, struct frame *frame, struct pen *pen)
{
    auto_done(text) struct text expected = {0};
    auto_done(text) struct text found = {0};
    int room = (pen->limit - pen->x - (int)strlen("MISMATCH x expected   found ")) / 2;
    int digits = room >= DIGEST_HEX_LEN ? DIGEST_HEX_LEN : room > 12 ? 12 : SHORT_DIGEST;
    format_digest(&expected, &job->expected, digits);
    format_digest(&found, &job->found, digits);
    pen_text(frame, pen, ROLE_BAD, "MISMATCH ");
    pen_glyph(frame, pen, ROLE_BAD, GLYPH_FAILED);
    pen_text(frame, pen, ROLE_DIM, " expected ");
    pen_text(frame, pen, ROLE_TEXT, text_cstr(&expected));
    pen_text(frame, pen, ROLE_DIM, "  found ");
    pen_text(frame, pen, ROLE_BAD, text_cstr(&found));
}

static void draw_failed(const struct job_item *job, struct frame *frame, struct area line, int x)
{
    int right = line.x + line.width;
    draw_age(job, frame, line, &right);
    struct pen pen = {.y = line.y, .x = x, .limit = right};
    if (job->state == JOB_FAILED && job->error.code == ERROR_DIGEST && job->has_expected &&
        job->has_found) {
        draw_mismatch(job, frame, &pen);
        return;
    }
    enum role role = format_job_role(job->state);
    pen_text(frame, &pen, role, job_state_name(job->state));
    pen_skip(&pen, 1);
    pen_glyph(frame, &pen, role, GLYPH_FAILED);
    pen_skip(&pen, 1);
    if (job->state == JOB_CANCELLED && job->transferred > 0) {
        char buffer[UNITS_MAX];
        pen_print(frame, &pen, ROLE_TEXT, "%s kept for the next try",
            units_format_size(job->transferred, buffer));
    } else if (strcmp(job->error.text, job_state_name(job->state)) != 0) {
        pen_text(frame, &pen, ROLE_TEXT, job->error.text);
    }
}

/* "queued  2 of 3, after kernel pull debian" */
static void draw_queued(const struct job_item *job, struct frame *frame, struct area line, int x)
{
    struct pen pen = {.y = line.y, .x = x, .limit = line.x + line.width};
    if (job->note[0] != '\0') {
        pen_text(frame, &pen, ROLE_ATTENTION, job->note);
        return;
    }
    pen_text(frame, &pen, ROLE_ATTENTION, "queued");
    if (job->places > 1) {
        pen_print(frame, &pen, ROLE_TEXT, "  %zu of %zu", job->place, job->places);
    }
    if (job->waits_for[0] != '\0') {
        pen_text(frame, &pen, ROLE_DIM, job->places > 1 ? ", after " : "  after ");
        pen_text(frame, &pen, ROLE_DIM, job->waits_for);
    }
    if (job->seat[0] != '\0') {
        pen_skip(&pen, GAP);
        pen_text(frame, &pen, ROLE_DIM, job->seat);
    }
}

static void draw_job(const struct job_item *job, const struct snapshot *snapshot,
    struct frame *frame, struct area line)
{
    auto_done(text) struct text words = {0};
    format_job_title(&words, job, snapshot);
    int title = title_cells(job, line, cells_width(text_cstr(&words), frame->theme->is_utf8));
    int x = line.x + title + GAP;
    draw_text(frame, line.y, line.x, title, ROLE_TEXT, text_cstr(&words));
    switch (job->state) {
    case JOB_QUEUED:
        draw_queued(job, frame, line, x);
        return;
    case JOB_RUNNING:
        if (is_boot(job)) {
            draw_boot(job, snapshot, frame, line, x);
        } else if (job->note[0] != '\0' && job->total == 0) {
            draw_text(frame, line.y, x, line.x + line.width - x, ROLE_ATTENTION, job->note);
        } else {
            draw_running(job, frame, line, x);
        }
        if (job_lines(job) > 1 && line.height > 1) {
            struct area below = line;
            below.y++;
            draw_proof(job, frame, below, x);
        }
        return;
    case JOB_OK:
        draw_done(job, frame, line, x);
        return;
    case JOB_FAILED:
    case JOB_CANCELLED:
        draw_failed(job, frame, line, x);
        return;
    }
}

static const struct job_item *job_at(
    const struct table *table, const struct snapshot *snapshot, size_t row)
{
    return &snapshot->jobs[table->rows[row]];
}

/* Jobs are of one or two lines: the top one is moved until the selected one is seen whole. Without
 * the focus nobody looks for the selected one: what is under way is at the top. */
static void scroll_to_cursor(
    struct table *table, const struct snapshot *snapshot, int height, bool is_focused)
{
    table->page = height > 2 ? (size_t)height / 2 : 1;
    if (!is_focused) {
        table->top = 0;
        return;
    }
    if (table->top > table->cursor) {
        table->top = table->cursor;
    }
    int used = 0;
    for (size_t row = table->top; row <= table->cursor && row < table->shown_count; row++) {
        used += job_lines(job_at(table, snapshot, row));
    }
    while (used > height && table->top < table->cursor) {
        used -= job_lines(job_at(table, snapshot, table->top));
        table->top++;
    }
}

void jobs_draw(struct table *table, const struct snapshot *snapshot, struct frame *frame,
    struct area area, bool is_focused)
{
    scroll_to_cursor(table, snapshot, area.height, is_focused);
    int y = area.y;
    for (size_t row = table->top; row < table->shown_count && y < area.y + area.height; row++) {
        const struct job_item *job = job_at(table, snapshot, row);
        int left = area.y + area.height - y;
        int lines = job_lines(job) < left ? job_lines(job) : left;
        struct area whole = {.y = y, .x = area.x, .height = lines, .width = area.width};
        struct area inner = {.y = y, .x = area.x + 1, .height = lines, .width = area.width - 2};
        frame->is_selected = is_focused && row == table->cursor;
        if (frame->is_selected) {
            draw_clear(frame, whole);
            draw_text(frame, y, area.x, 1, ROLE_TEXT, theme_glyph(frame->theme, GLYPH_MARK));
        }
        draw_job(job, snapshot, frame, inner);
        frame->is_selected = false;
        y += lines;
    }
}
