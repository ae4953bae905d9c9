/* SPDX-License-Identifier: MIT */
#include "engine/meter.h"

#include <string.h>

#include "engine/command.h"

/* A window shorter than this says little about the speed. */
#define WINDOW_MS 250
/* How much past counts: half of the weight is younger than about this. */
#define SMOOTH_MS 2000
/* Of what is left of the job, for a part with steps of its own. */
#define PART_SHARE 0.75
/* What is not over is never shown as complete. */
#define NEARLY 0.999
/* What differs by less is the same place. */
#define EQUAL 1e-9

void meter_init(struct meter *meter, const struct verb *verb)
{
    *meter = (struct meter){.frames[0] = {.verb = verb, .to = 1}};
}

static struct meter_frame *innermost(struct meter *meter)
{
    return &meter->frames[meter->depth];
}

/* The step of that phase, at or behind the present one; false when the verb has none there. */
static bool find_step(const struct meter_frame *frame, enum progress_phase phase, size_t *index)
{
    const struct verb *verb = frame->verb;
    for (size_t i = frame->step; i < verb->step_count; i++) {
        if (strcmp(verb->steps[i].phase, progress_phase_name(phase)) == 0) {
            *index = i;
            return true;
        }
    }
    return false;
}

/* Where a part of `within` (0..1) of the phase stands in the frame's own steps; -1 for nowhere. */
static double position_of(struct meter_frame *frame, enum progress_phase phase, double within)
{
    const struct verb *verb = frame->verb;
    if (!verb->step_count) {
        return within;
    }
    size_t index;
    if (!find_step(frame, phase, &index)) {
        return -1;
    }
    frame->step = index;
    double before = 0, all = 0;
    for (size_t i = 0; i < verb->step_count; i++) {
        all += verb->steps[i].weight;
        before += i < index ? verb->steps[i].weight : 0;
    }
    return all > 0 ? (before + verb->steps[index].weight * within) / all : 0;
}

/* A part that is resumed is proved up to where it ends before more of it is fetched: that is not the
 * proof behind the download, and says nothing about how much of the job is done. */
static bool is_early(const struct meter_frame *frame, enum progress_phase phase)
{
    const struct verb *verb = frame->verb;
    double fetched = -1, all = 0;
    for (size_t i = 0; i < verb->step_count; i++) {
        all += verb->steps[i].weight;
        if (strcmp(verb->steps[i].phase, progress_phase_name(PROGRESS_DOWNLOAD)) == 0) {
            fetched = all;
        }
    }
    return phase == PROGRESS_VERIFY && fetched > 0 && frame->position < fetched / all - EQUAL;
}

static void advance(struct meter *meter, enum progress_phase phase, uint64_t done, uint64_t total)
{
    struct meter_frame *frame = innermost(meter);
    if (is_early(frame, phase)) {
        return;
    }
    double within = total ? (double)done / (double)total : 0;
    double position = position_of(frame, phase, within > 1 ? 1 : within);
    if (position <= frame->position) {
        return;
    }
    frame->position = position;
    frame->has_moved = true;
    double left = 1 - frame->origin;
    double share = left > 0 ? (position - frame->origin) / left : 1;
    double reached = frame->from + (frame->to - frame->from) * share;
    reached = reached > NEARLY ? NEARLY : reached;
    meter->reached = reached > meter->reached ? reached : meter->reached;
}

static void begin_window(struct meter *meter, uint64_t done, uint64_t now_ms)
{
    meter->window_ms = now_ms;
    meter->window_done = done;
}

/* The smoothed rate with the window up to now taken in. */
static double blend(const struct meter *meter, uint64_t now_ms)
{
    double span_ms = (double)(now_ms - meter->window_ms);
    double rate = (double)(meter->done - meter->window_done) * 1000 / span_ms;
    if (!meter->has_rate) {
        return rate;
    }
    return meter->rate + (rate - meter->rate) * span_ms / (span_ms + SMOOTH_MS);
}

static void count_units(struct meter *meter, uint64_t done, uint64_t now_ms)
{
    uint64_t more = done > meter->done ? done - meter->done : 0;
    bool is_download = meter->phase == PROGRESS_DOWNLOAD && meter->unit == PROGRESS_BYTES;
    struct meter_mean *mean = is_download ? &meter->download : &meter->other;
    mean->units += more;
    mean->span_ms += now_ms - meter->report_ms;
    meter->transferred += is_download ? more : 0;
}

void meter_report(struct meter *meter, enum progress_phase phase, enum progress_unit unit,
    uint64_t done, uint64_t total, uint64_t now_ms)
{
    bool is_same = meter->has_report && phase == meter->phase && unit == meter->unit;
    if (is_same) {
        count_units(meter, done, now_ms);
    }
    bool is_back = done < meter->done;
    if (!is_same) {
        /* What is there at the first report was there before: a resumed part does not count. */
        meter->has_rate = false;
        meter->other = (struct meter_mean){0};
    }
    meter->has_report = true;
    meter->phase = phase;
    meter->unit = unit;
    meter->done = done;
    meter->total = total;
    meter->report_ms = now_ms;
    if (!is_same || is_back) {
        begin_window(meter, done, now_ms);
    } else if (now_ms - meter->window_ms >= WINDOW_MS) {
        meter->rate = blend(meter, now_ms);
        meter->has_rate = true;
        begin_window(meter, done, now_ms);
    }
    advance(meter, phase, done, total);
}

void meter_push(struct meter *meter, const struct verb *verb)
{
    if (meter->depth + 1 == METER_DEPTH) {
        meter->deeper++;
        return;
    }
    double to = innermost(meter)->to;
    meter->depth++;
    *innermost(meter) = (struct meter_frame){
        .verb = verb,
        .from = meter->reached,
        .to = meter->reached + (to - meter->reached) * PART_SHARE,
    };
}

void meter_pop(struct meter *meter, bool is_ok)
{
    if (meter->deeper) {
        meter->deeper--;
        return;
    }
    struct meter_frame *part = innermost(meter);
    if (is_ok && part->has_moved && part->to > meter->reached) {
        meter->reached = part->to;
    }
    meter->depth--;
    struct meter_frame *frame = innermost(meter);
    frame->from = meter->reached;
    frame->origin = frame->position;
    frame->has_moved |= part->has_moved;
}

uint32_t meter_permille(const struct meter *meter)
{
    return (uint32_t)(meter->reached * 1000);
}

uint64_t meter_rate(const struct meter *meter, uint64_t now_ms)
{
    uint64_t silent_ms = now_ms > meter->window_ms ? now_ms - meter->window_ms : 0;
    if (!meter->has_report || (!meter->has_rate && silent_ms < WINDOW_MS)) {
        return 0;
    }
    return (uint64_t)(silent_ms >= WINDOW_MS ? blend(meter, now_ms) : meter->rate);
}

void meter_finish(struct meter *meter, bool is_ok)
{
    if (is_ok) {
        meter->reached = 1;
    }
}

uint64_t meter_mean_rate(const struct meter *meter)
{
    const struct meter_mean *mean = meter->transferred ? &meter->download : &meter->other;
    return mean->span_ms ? mean->units * 1000 / mean->span_ms : 0;
}
