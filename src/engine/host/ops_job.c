/* SPDX-License-Identifier: MIT */
/* Jobs of this and of other processes on the same state directory. */
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/job_file.h"
#include "engine/job_queue.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "engine/section.h"
#include "engine/snapshot.h"
#include "engine/state_jobs.h"
#include "store/layout.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

static void put_bytes(struct json *row, const struct job_file *file)
{
    if (file->unit != PROGRESS_BYTES) {
        return;
    }
    json_put_integer(row, "done_bytes", (int64_t)file->done);
    if (file->total > 0) {
        json_put_integer(row, "total_bytes", (int64_t)file->total);
    }
    if (file->rate > 0 && file->total > file->done) {
        json_put_integer(row, "left_seconds", (int64_t)((file->total - file->done) / file->rate));
    }
}

static void put_progress(struct json *row, const struct job_file *file)
{
    static const char waiting[] = "waiting for ";
    json_put_string(row, "phase", progress_phase_name(file->phase));
    json_put_integer(row, "percent", file->permille / 10);
    json_put_string(row, "unit", progress_unit_name(file->unit));
    json_put_integer(row, "done", (int64_t)file->done);
    if (file->total > 0) {
        json_put_integer(row, "total", (int64_t)file->total);
    }
    if (file->rate > 0) {
        json_put_integer(row, "rate", (int64_t)file->rate);
    }
    put_bytes(row, file);
    ops_put_time(row, "started_at", file->started_at);
    json_put_known(row, "note", file->note);
    if (text_has_prefix(file->note, waiting)) {
        json_put_known(row, "waits_for", file->note + strlen(waiting));
    }
}

static void put_place(struct json *row, const struct job_file *file)
{
    json_put_string(row, "queue", file->queue);
    json_put_integer(row, "place", (int64_t)file->place);
    json_put_integer(row, "places", (int64_t)file->places);
    json_put_known(row, "waits_for", file->waits_for);
}

static void put_seat(struct json *row, const struct job_file *file)
{
    auto_free char *by = file->terminal[0] != '\0'
                             ? memory_printf("%s on %s", file->login, file->terminal)
                             : memory_strdup(file->login);
    json_put_known(row, "login", file->login);
    json_put_known(row, "terminal", file->terminal);
    json_put_known(row, "by", by);
}

static struct json *row_of(const struct job_file *file)
{
    bool is_queued = file->place > 0;
    struct json *row = json_new_object();
    json_put_integer(row, "id", (int64_t)file->id);
    json_put_string(row, "command", file->command);
    json_put_known(row, "object", file->object);
    json_put_integer(row, "pid", file->process.pid);
    put_seat(row, file);
    json_put_string(row, "state", job_state_name(is_queued ? JOB_QUEUED : JOB_RUNNING));
    if (is_queued) {
        put_place(row, file);
    } else {
        put_progress(row, file);
    }
    return row;
}

bool ops_job_list(struct ops *ops, struct json **result, struct error *err)
{
    auto_section struct section *section =
        job_file_list(store_area_dir(ops->store, STORE_JOBS), ops->config->is_readonly, err);
    if (section == NULL) {
        return false;
    }
    const struct job_file *files = section_items(section);
    struct json *array = json_new_array();
    for (size_t i = 0; i < section_count(section); i++) {
        json_append(array, row_of(&files[i]));
    }
    *result = array;
    return true;
}

/* ---- acting on one ---- */

static struct json *plan_of(struct ops *ops, const char *action, uint64_t id)
{
    auto_free char *object = memory_printf("job/%" PRIu64, id);
    struct json *plan = ops_plan(ops);
    ops_plan_add(plan, action, object, 0);
    return plan;
}

static struct json *outcome_of(uint64_t id, bool is_changed)
{
    struct json *json = json_new_object();
    json_put_integer(json, "id", (int64_t)id);
    json_put_bool(json, "changed", is_changed);
    return json;
}

/* What a job does, as far as its process has told; caller frees, NULL for not known. */
static char *command_of(struct ops *ops, uint64_t id)
{
    struct error ignored = {0};
    auto_section struct section *section =
        job_file_list(store_area_dir(ops->store, STORE_JOBS), true, &ignored);
    const struct job_file *files = section != NULL ? section_items(section) : NULL;
    for (size_t i = 0; section != NULL && i < section_count(section); i++) {
        if (files[i].id == id) {
            return memory_strdup(files[i].command);
        }
    }
    return NULL;
}

bool ops_job_cancel(struct ops *ops, struct json **result, struct error *err)
{
    uint64_t id = command_number(ops->command, "id");
    if (command_is_dry_run(ops->command)) {
        *result = plan_of(ops, "cancel", id);
        return true;
    }
    auto_free char *what = command_of(ops, id);
    if (!ops_cancel_job(ops, id) &&
        !job_file_cancel(store_area_dir(ops->store, STORE_JOBS), id, err)) {
        return false;
    }
    *result = outcome_of(id, true);
    if (what != NULL) {
        struct json *cancelled = json_new_array();
        json_append(cancelled, json_new_string(what));
        json_put(*result, "cancelled", cancelled);
    }
    return true;
}

static enum engine_move move_of(const struct command *command)
{
    return command_has(command, "first")  ? ENGINE_MOVE_FIRST
           : command_has(command, "last") ? ENGINE_MOVE_LAST
           : command_has(command, "up")   ? ENGINE_MOVE_SOONER
           : command_has(command, "down") ? ENGINE_MOVE_LATER
                                          : ENGINE_MOVE_BEFORE;
}

/* One of this process, else by a request to the one that holds it. */
bool ops_job_move(struct ops *ops, struct json **result, struct error *err)
{
    uint64_t id = command_number(ops->command, "id");
    uint64_t before = command_number(ops->command, "before");
    enum engine_move move = move_of(ops->command);
    bool is_moved = false;
    struct error failure = {0};
    if (command_is_dry_run(ops->command)) {
        *result = plan_of(ops, "move", id);
        return true;
    }
    if (!ops_move_job(ops, id, move, before, &is_moved, &failure)) {
        bool is_foreign =
            failure.code == ERROR_NOT_FOUND && id / STATE_JOB_STRIDE != (uint64_t)getpid();
        if (!is_foreign) {
            *err = failure;
            return false;
        }
        if (!job_queue_move(store_area_dir(ops->store, STORE_JOBS), id, move, before, &is_moved,
                ops_lock_timeout_ms(ops), ops->cancel, err)) {
            return false;
        }
    }
    *result = outcome_of(id, is_moved);
    return true;
}
