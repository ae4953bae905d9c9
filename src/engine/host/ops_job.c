/* SPDX-License-Identifier: MIT */
/* Jobs of this and of other processes on the same state directory. */
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/job_file.h"
#include "engine/ops.h"
#include "engine/ops_common.h"
#include "engine/section.h"
#include "engine/snapshot.h"
#include "store/layout.h"

#include <inttypes.h>

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
        const struct job_file *file = &files[i];
        struct json *row = json_new_object();
        json_put_integer(row, "id", (int64_t)file->id);
        json_put_string(row, "command", file->command);
        json_put_string(row, "object", file->object[0] != '\0' ? file->object : NULL);
        json_put_integer(row, "pid", file->process.pid);
        json_put_string(row, "state", job_state_name(JOB_RUNNING));
        json_put_string(row, "phase", progress_phase_name(file->phase));
        json_put_string(row, "unit", progress_unit_name(file->unit));
        json_put_integer(row, "done", (int64_t)file->done);
        if (file->total > 0) {
            json_put_integer(row, "total", (int64_t)file->total);
        }
        ops_put_time(row, "started_at", file->started_at);
        json_append(array, row);
    }
    *result = array;
    return true;
}

bool ops_job_cancel(struct ops *ops, struct json **result, struct error *err)
{
    const char *word = command_get(ops->command, "id");
    uint64_t id = 0;
    if (!units_parse_number(word, "job id", INT64_MAX, &id, err)) {
        return false;
    }
    if (!ops_cancel_job(ops, id) &&
        !job_file_cancel(store_area_dir(ops->store, STORE_JOBS), id, err)) {
        return false;
    }
    struct json *json = json_new_object();
    json_put_integer(json, "id", (int64_t)id);
    json_put_bool(json, "changed", true);
    *result = json;
    return true;
}
