/* SPDX-License-Identifier: MIT */
/* The sections that are made from records when somebody looks: jobs, log. */
#include "engine/snapshot.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/job.h"
#include "engine/job_file.h"
#include "engine/section.h"
#include "engine/state_internal.h"

static void drop_job(void *job)
{
    job_release(job);
}

static uint64_t elapsed_ms(const struct job *job, uint64_t now_ms)
{
    if (!job->started_ms) {
        return 0;
    }
    uint64_t end_ms = job->ended_ms ? job->ended_ms : now_ms;
    return end_ms > job->started_ms ? end_ms - job->started_ms : 0;
}

/* Strings of a job that never change are shared: the section holds the job. */
static void add_job(
    struct section *section, struct queue_walk *walk, struct job *job, uint64_t now_ms, int64_t pid)
{
    auto_done(text) struct text waits_for = {0};
    size_t place = state_queue_next(walk, job, &waits_for);
    bool is_final = job_state_is_final(job->state);
    struct job_item *item = section_add(section);
    section_keep(section, job_hold(job), drop_job);
    *item = (struct job_item){
        .id = job->id,
        .verb = job->verb,
        .title = job->title,
        .object = job->object ? job->object : "",
        .line = job->line,
        .state = job->state,
        .phase = job->meter.phase,
        .unit = job->meter.unit,
        .done = job->meter.done,
        .total = job->meter.total,
        .permille = meter_permille(&job->meter),
        .rate = is_final ? meter_mean_rate(&job->meter) : meter_rate(&job->meter, now_ms),
        .elapsed_ms = elapsed_ms(job, now_ms),
        .transferred = job->meter.transferred,
        .note = section_string(section, job->note),
        .place = place,
        .places = place > 0 ? walk->lanes[job->lane].count : 0,
        .waits_for = section_string(section, text_cstr(&waits_for)),
        .seat = "",
        .told_count = job->told.count,
        .told = section_strings(section, &job->told),
        .has_expected = job->has_expected,
        .has_found = job->has_found,
        .expected = job->expected,
        .found = job->found,
        .is_quiet = job->is_quiet,
        .result = job->result,
        .error = job->error,
        .finished_at = job->finished_at,
        .pid = pid,
    };
}

/* "kernel pull debian" is the verb "kernel pull" and the title "pull debian". */
static const struct verb *read_line(struct section *section, const char *line, const char **title)
{
    struct strings words = {0};
    strings_split(&words, line, " ");
    const struct verb *verb = NULL;
    if (words.count >= 3) {
        auto_free char *two = memory_printf("%s %s", words.items[1], words.items[2]);
        verb = verb_find(words.items[0], two);
    }
    if (!verb && words.count >= 2) {
        verb = verb_find(words.items[0], words.items[1]);
    }
    const char *behind = strchr(line, ' ');
    *title = section_string(section, verb && behind ? behind + 1 : line);
    strings_done(&words);
    return verb;
}

static const char *seat_of(struct section *section, const struct job_file *file)
{
    if (file->terminal[0] == '\0') {
        return section_string(section, file->login);
    }
    auto_free char *seat = memory_printf("%s on %s", file->login, file->terminal);
    return section_string(section, seat);
}

static void add_foreign(struct section *section, const struct job_file *file)
{
    const char *title;
    const char *line = section_string(section, file->command);
    const struct verb *verb = read_line(section, line, &title);
    if (!verb || file->process.pid == getpid()) {
        return;
    }
    int64_t ago_s = file->place == 0 ? clock_wall() - file->started_at : 0;
    struct job_item *item = section_add(section);
    *item = (struct job_item){
        .id = file->id,
        .verb = verb,
        .title = title,
        .object = section_string(section, file->object),
        .line = line,
        .state = file->place > 0 ? JOB_QUEUED : JOB_RUNNING,
        .phase = file->phase,
        .unit = file->unit,
        .done = file->done,
        .total = file->total,
        .permille = file->permille,
        .rate = file->rate,
        .has_expected = file->has_expected,
        .expected = file->expected,
        .elapsed_ms = ago_s > 0 ? (uint64_t)ago_s * 1000 : 0,
        .note = section_string(section, file->note),
        .place = file->place,
        .places = file->places,
        .waits_for = section_string(section, file->waits_for),
        .seat = seat_of(section, file),
        .is_foreign = true,
        .pid = file->process.pid,
    };
}

struct section *state_build_jobs(struct state *state, uint64_t now_ms)
{
    struct section *section = section_new(sizeof(struct job_item));
    if (state->foreign) {
        const struct job_file *files = section_items(state->foreign);
        for (size_t i = 0; i < section_count(state->foreign); i++) {
            add_foreign(section, &files[i]);
        }
    }
    int64_t pid = getpid();
    struct queue_walk walk;
    state_queue_begin(state, &walk);
    for (size_t i = 0; i < state->job_count; i++) {
        if (!state->jobs[i]->is_internal) {
            add_job(section, &walk, state->jobs[i], now_ms, pid);
        }
    }
    return section;
}

struct section *state_build_log(const struct state *state)
{
    struct section *section = section_new(sizeof(struct log_item));
    for (size_t i = 0; i < state->log_count; i++) {
        const struct log_line *line = &state->log[(state->log_start + i) % STATE_LOG_KEPT];
        struct log_item *item = section_add(section);
        item->number = line->number;
        item->is_news = line->is_news;
        item->at = line->at;
        item->level = line->level;
        item->text = section_string(section, line->text);
    }
    return section;
}

static const struct vm_snapshot_item *copy_snapshots(
    struct section *section, const struct vm_item *from)
{
    struct vm_snapshot_item *to = section_alloc(section, (from->snapshot_count + 1) * sizeof(*to));
    for (size_t i = 0; i < from->snapshot_count; i++) {
        to[i] = from->snapshots[i];
        to[i].name = section_string(section, from->snapshots[i].name);
        to[i].kernel_ref = section_string(section, from->snapshots[i].kernel_ref);
    }
    return to;
}

struct vm_item *state_copy_vm(struct section *section, const struct vm_item *from)
{
    const struct vm_snapshot_item *snapshots = copy_snapshots(section, from);
    struct stage_item *stages = NULL;
    if (from->stage_count) {
        stages = section_alloc(section, from->stage_count * sizeof(*stages));
        for (size_t i = 0; i < from->stage_count; i++) {
            stages[i].name = section_string(section, from->stages[i].name);
            stages[i].at_ms = from->stages[i].at_ms;
        }
    }
    struct vm_item *to = section_add(section);
    *to = *from;
    to->name = section_string(section, from->name);
    to->image = section_string(section, from->image);
    to->kernel_ref = section_string(section, from->kernel_ref);
    to->vmm = section_string(section, from->vmm);
    to->accel = section_string(section, from->accel);
    to->reason = section_string(section, from->reason);
    to->hint = section_string(section, from->hint);
    to->exit_text = section_string(section, from->exit_text);
    to->stages = stages;
    to->snapshots = snapshots;
    return to;
}
