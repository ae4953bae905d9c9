/* SPDX-License-Identifier: MIT */
#include "ui/panes.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/text.h"
#include "engine/snapshot.h"
#include "ui/cell.h"
#include "ui/format.h"
#include "ui/table.h"

enum { JOB_TITLE, JOB_STATE_WORD, JOB_OBJECT, JOB_ERROR };
/* Drawn by jobs.c; the columns are what a filter looks at. */
static const struct table_column job_columns[] = {
    [JOB_TITLE] = {"JOB", 0, 12, 40, .is_right = false},
    [JOB_STATE_WORD] = {"STATE", 1, 9, 9, .is_right = false},
    [JOB_OBJECT] = {"OBJECT", 2, 8, 30, .is_right = false},
    [JOB_ERROR] = {"RESULT", 3, 12, 60, .is_right = false},
};

static const void *job_section(const struct snapshot *snapshot, size_t *count)
{
    *count = snapshot->jobs_count;
    return snapshot->jobs;
}

static void job_key(const struct snapshot *snapshot, size_t index, char key[TABLE_KEY_MAX])
{
    snprintf(key, TABLE_KEY_MAX, "%" PRIu64, snapshot->jobs[index].id);
}

static void job_cell(
    const struct snapshot *snapshot, size_t index, size_t column, int64_t now, struct cell *cell)
{
    (void)now;
    const struct job_item *job = &snapshot->jobs[index];
    auto_done(text) struct text title = {0};
    switch (column) {
    case JOB_TITLE:
        format_job_title(&title, job, snapshot);
        cell_text(cell, ROLE_TEXT, &title);
        return;
    case JOB_STATE_WORD:
        cell_print(cell, format_job_role(job->state), "%s", job_state_name(job->state));
        return;
    case JOB_OBJECT:
        cell_print(cell, ROLE_TEXT, "%s", job->object);
        return;
    case JOB_ERROR:
        cell_print(cell, ROLE_TEXT, "%s", job->error.text);
        return;
    }
}

/* What is under way first, in the order it began or will begin; then what ended, the latest first. */
static int64_t job_order(const struct snapshot *snapshot, size_t index)
{
    int64_t place = (int64_t)index;
    return format_job_is_active(&snapshot->jobs[index]) ? place - INT64_MAX : -place;
}

bool pane_job_is_listed(const struct snapshot *snapshot, size_t index)
{
    return !snapshot->jobs[index].is_quiet;
}

const struct table_source pane_jobs_source = {.columns = job_columns,
    .column_count = array_length(job_columns),
    .section = job_section,
    .key = job_key,
    .cell = job_cell,
    .is_listed = pane_job_is_listed,
    .order = job_order};
