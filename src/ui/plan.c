/* SPDX-License-Identifier: MIT */
#include "ui/plan.h"

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/snapshot.h"
#include "ui/result.h"
#include "ui/seat.h"

/* One name of it, as a question. Nobody is told when even that is refused: the plan says so. */
static void ask_one(struct plan *plan, struct seat *seat, struct command *command)
{
    struct error err = {0};
    uint64_t id = 0;
    command_set_dry_run(command, true);
    if (engine_submit(seat->engine, command, &id, &err)) {
        plan->jobs[plan->job_count++] = id;
    } else {
        strings_add(&plan->lines, err.text);
        plan->is_refused = true;
    }
}

void plan_ask(struct plan *plan, struct seat *seat, const struct command *command)
{
    size_t count = command_each_count(command);
    for (size_t i = 0; i < count && i < PLAN_JOBS_MAX; i++) {
        ask_one(plan, seat, command_each(command, i));
    }
    plan->left_out = count > PLAN_JOBS_MAX ? count - PLAN_JOBS_MAX : 0;
}

static void take_answer(struct plan *plan, const struct job_item *job)
{
    if (job->state == JOB_FAILED) {
        strings_add(&plan->lines, job->error.text);
        plan->is_refused = true;
        return;
    }
    auto_json struct json *answer = result_parse(job);
    const struct json *actions = json_get(answer, "plan");
    for (const struct json *row = json_first(actions); row != NULL; row = json_next(row)) {
        auto_done(text) struct text step = {0};
        result_step(row, &step);
        strings_add(&plan->lines, text_cstr(&step));
    }
    const struct json *verdict = json_get(answer, "preflight");
    for (const struct json *note = json_first(json_get(verdict, "notes")); note != NULL;
         note = json_next(note)) {
        strings_printf(
            &plan->lines, "%s: %s", json_string(verdict, "vmm", ""), json_string_value(note));
    }
    plan->free_bytes = (uint64_t)json_integer(answer, "free_bytes", 0);
}

bool plan_update(struct plan *plan, struct seat *seat)
{
    bool has_news = false;
    for (size_t i = 0; i < plan->job_count; i++) {
        for (size_t k = 0; plan->jobs[i] != 0 && k < seat->snapshot->jobs_count; k++) {
            const struct job_item *job = &seat->snapshot->jobs[k];
            if (job->id == plan->jobs[i] && job_state_is_final(job->state)) {
                take_answer(plan, job);
                engine_forget(seat->engine, job->id);
                plan->jobs[i] = 0;
                has_news = true;
            }
        }
    }
    return has_news;
}

bool plan_is_pending(const struct plan *plan)
{
    for (size_t i = 0; i < plan->job_count; i++) {
        if (plan->jobs[i] != 0) {
            return true;
        }
    }
    return false;
}

void plan_done(struct plan *plan, struct seat *seat)
{
    for (size_t i = 0; i < plan->job_count; i++) {
        if (plan->jobs[i] != 0) {
            seat_abandon(seat, plan->jobs[i]);
        }
    }
    strings_done(&plan->lines);
    *plan = (struct plan){0};
}
