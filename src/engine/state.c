/* SPDX-License-Identifier: MIT */
#include "engine/state.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/job.h"
#include "engine/section.h"
#include "engine/snapshot.h"
#include "engine/state_internal.h"

/* Running jobs are drawn with their time: it is brought up to date this often, when looked at. */
#define ELAPSED_STALE_MS 100

/* A snapshot with what keeps it alive: one reference to each section. */
struct snapshot_block {
    struct snapshot data; /* first: what the front end has is a pointer to it */
    atomic_uint holders;
    struct section *parts[PART_COUNT];
};

static const size_t item_sizes[PART_COUNT] = {
    [PART_OFFERS] = sizeof(struct offer_item),
    [PART_KERNELS] = sizeof(struct kernel_item),
    [PART_IMAGES] = sizeof(struct image_item),
    [PART_VMS] = sizeof(struct vm_item),
    [PART_JOBS] = sizeof(struct job_item),
    [PART_LOG] = sizeof(struct log_item),
    [PART_HOST] = sizeof(struct host_facts),
};

void state_lock(struct state *state)
{
    pthread_mutex_lock(&state->mutex);
}

void state_unlock(struct state *state)
{
    pthread_mutex_unlock(&state->mutex);
}

void state_changed(struct state *state)
{
    state->revision++;
    if (!state->is_ringing) {
        uint64_t one = 1;
        state->is_ringing = write(state->bell, &one, sizeof(one)) == sizeof(one);
    }
}

static void copy_facts(struct section *section, const struct host_facts *from)
{
    struct host_facts *to = section_add(section);
    *to = *from;
    to->version = section_string(section, from->version);
    to->host_name = section_string(section, from->host_name);
    to->state_dir = section_string(section, from->state_dir);
    to->accel = section_string(section, from->accel);
    to->accel_why = section_string(section, from->accel_why);
    to->qemu = section_string(section, from->qemu);
    to->firecracker = section_string(section, from->firecracker);
}

struct state *state_new(void)
{
    struct state *state = memory_zero(1, sizeof(*state));
    pthread_mutex_init(&state->mutex, NULL);
    state->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    state->next_number = 1;
    for (size_t i = 0; i < PART_COUNT; i++) {
        state->parts[i] = section_new(item_sizes[i]);
    }
    copy_facts(state->parts[PART_HOST], &(struct host_facts){0});
    return state;
}

void state_free(struct state *state)
{
    if (!state) {
        return;
    }
    if (state->current) {
        state_release(&state->current->data);
    }
    for (size_t i = 0; i < PART_COUNT; i++) {
        section_release(state->parts[i]);
    }
    for (size_t i = 0; i < state->job_count; i++) {
        job_release(state->jobs[i]);
    }
    for (size_t i = 0; i < STATE_LOG_KEPT; i++) {
        free(state->log[i].text);
    }
    section_release(state->foreign);
    free(state->jobs);
    memory_auto_close(&state->bell);
    pthread_mutex_destroy(&state->mutex);
    free(state);
}

static void put_part(struct state *state, enum part part, struct section *fresh)
{
    state_lock(state);
    struct section *old = state->parts[part];
    state->parts[part] = fresh;
    state_changed(state);
    state_unlock(state);
    section_release(old);
}

void state_put_offers(struct state *state, struct section *offers)
{
    put_part(state, PART_OFFERS, offers);
}

void state_put_kernels(struct state *state, struct section *kernels)
{
    put_part(state, PART_KERNELS, kernels);
}

void state_put_images(struct state *state, struct section *images)
{
    put_part(state, PART_IMAGES, images);
}

void state_put_vms(struct state *state, struct section *vms)
{
    put_part(state, PART_VMS, vms);
}

struct section *state_hold_vms(struct state *state)
{
    state_lock(state);
    struct section *vms = state->parts[PART_VMS];
    struct section *held = vms != NULL ? section_hold(vms) : NULL;
    state_unlock(state);
    return held;
}

void state_replace_vms(struct state *state, const struct section *before, struct section *vms)
{
    state_lock(state);
    bool is_same = state->parts[PART_VMS] == before;
    struct section *old = is_same ? state->parts[PART_VMS] : vms;
    if (is_same) {
        state->parts[PART_VMS] = vms;
        state_changed(state);
    }
    state_unlock(state);
    section_release(old);
}

void state_put_host(struct state *state, const struct host_facts *facts)
{
    struct section *fresh = section_new(sizeof(struct host_facts));
    copy_facts(fresh, facts);
    put_part(state, PART_HOST, fresh);
}

void state_set_reconciled(struct state *state)
{
    state_lock(state);
    state->is_reconciled = true;
    state_changed(state);
    state_unlock(state);
}

/* Takes the line over. */
static void add_line(struct state *state, enum log_level level, bool is_news, char *line)
{
    log_write(level, "%s", line);
    state_lock(state);
    size_t index = (state->log_start + state->log_count) % STATE_LOG_KEPT;
    char *oldest = state->log[index].text;
    state->log[index] = (struct log_line){.at = clock_wall(),
        .level = level,
        .is_news = is_news,
        .number = ++state->log_number,
        .text = line};
    if (state->log_count < STATE_LOG_KEPT) {
        state->log_count++;
    } else {
        state->log_start = (state->log_start + 1) % STATE_LOG_KEPT;
    }
    state->is_log_stale = true;
    state_changed(state);
    state_unlock(state);
    free(oldest);
}

void state_log(struct state *state, enum log_level level, const char *format, ...)
{
    struct text text = {0};
    va_list args;
    va_start(args, format);
    text_vprintf(&text, format, args);
    va_end(args);
    add_line(state, level, false, text_take(&text));
}

void state_log_news(struct state *state, enum log_level level, const char *format, ...)
{
    struct text text = {0};
    va_list args;
    va_start(args, format);
    text_vprintf(&text, format, args);
    va_end(args);
    add_line(state, level, true, text_take(&text));
}

uint64_t state_looked_ms(struct state *state)
{
    state_lock(state);
    uint64_t looked_ms = state->looked_ms;
    state_unlock(state);
    return looked_ms;
}

int state_wake_fd(const struct state *state)
{
    return state->bell;
}

static bool has_running(const struct state *state)
{
    for (size_t i = 0; i < state->job_count; i++) {
        if (state->jobs[i]->state == JOB_RUNNING && !state->jobs[i]->is_internal) {
            return true;
        }
    }
    return false;
}

/* Brings the sections that are made from records up to date; what they replace goes to old. */
static void build_parts(struct state *state, uint64_t now_ms, struct section *old[PART_COUNT])
{
    bool is_aged = now_ms - state->jobs_built_ms >= ELAPSED_STALE_MS && has_running(state);
    if (state->is_jobs_stale || is_aged) {
        old[PART_JOBS] = state->parts[PART_JOBS];
        state->parts[PART_JOBS] = state_build_jobs(state, now_ms);
        state->is_jobs_stale = false;
        state->jobs_built_ms = now_ms;
    }
    if (state->is_log_stale) {
        old[PART_LOG] = state->parts[PART_LOG];
        state->parts[PART_LOG] = state_build_log(state);
        state->is_log_stale = false;
    }
}

static struct snapshot_block *block_new(const struct state *state)
{
    struct snapshot_block *block = memory_zero(1, sizeof(*block));
    atomic_init(&block->holders, 1);
    for (size_t i = 0; i < PART_COUNT; i++) {
        block->parts[i] = section_hold(state->parts[i]);
    }
    struct section **parts = block->parts;
    const struct host_facts *host = section_items(parts[PART_HOST]);
    block->data = (struct snapshot){
        .revision = state->revision,
        .is_reconciled = state->is_reconciled,
        .offers = section_items(parts[PART_OFFERS]),
        .offers_count = section_count(parts[PART_OFFERS]),
        .kernels = section_items(parts[PART_KERNELS]),
        .kernels_count = section_count(parts[PART_KERNELS]),
        .images = section_items(parts[PART_IMAGES]),
        .images_count = section_count(parts[PART_IMAGES]),
        .vms = section_items(parts[PART_VMS]),
        .vms_count = section_count(parts[PART_VMS]),
        .jobs = section_items(parts[PART_JOBS]),
        .jobs_count = section_count(parts[PART_JOBS]),
        .log = section_items(parts[PART_LOG]),
        .log_count = section_count(parts[PART_LOG]),
        .host = *host,
    };
    return block;
}

static bool is_current(const struct state *state)
{
    const struct snapshot_block *current = state->current;
    return current && current->data.revision == state->revision &&
           current->parts[PART_JOBS] == state->parts[PART_JOBS];
}

const struct snapshot *state_snapshot(struct state *state)
{
    struct section *old[PART_COUNT] = {NULL};
    struct snapshot_block *replaced = NULL;
    uint64_t now_ms = clock_monotonic_ms();
    state_lock(state);
    if (state->is_ringing) {
        /* Inside the lock: a change after this rings again, one before is in this snapshot. */
        uint64_t rings;
        ssize_t ignored = read(state->bell, &rings, sizeof(rings));
        (void)ignored;
        state->is_ringing = false;
    }
    state->looked_ms = now_ms;
    build_parts(state, now_ms, old);
    if (!is_current(state)) {
        replaced = state->current;
        state->current = block_new(state);
    }
    struct snapshot_block *block = state->current;
    atomic_fetch_add(&block->holders, 1);
    state_unlock(state);
    for (size_t i = 0; i < PART_COUNT; i++) {
        section_release(old[i]);
    }
    if (replaced) {
        state_release(&replaced->data);
    }
    return &block->data;
}

void state_release(const struct snapshot *snapshot)
{
    struct snapshot_block *block = (struct snapshot_block *)snapshot;
    if (!block || atomic_fetch_sub(&block->holders, 1) != 1) {
        return;
    }
    for (size_t i = 0; i < PART_COUNT; i++) {
        section_release(block->parts[i]);
    }
    free(block);
}
