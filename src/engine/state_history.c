/* SPDX-License-Identifier: MIT */
#include "engine/state_history.h"

#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/job.h"
#include "engine/state_internal.h"
#include "engine/state_jobs.h"

/* Few enough to be read, small enough for the file that holds them among other things. */
#define ENTRIES_MAX 60
#define BYTES_MAX ((size_t)40 * 1024)
#define DEPTH_MAX 4

static void put_digest(
    struct json *entry, const char *key, bool is_known, const struct digest *digest)
{
    char hex[DIGEST_HEX_LEN + 1];
    json_put_string(entry, key, is_known ? digest_format(digest, hex) : NULL);
}

static struct json *entry_of(const struct job *job, bool is_left)
{
    char stamp[CLOCK_TEXT_LEN];
    struct json *entry = json_new_object();
    json_put_string(entry, "subject", job->verb->subject);
    json_put_string(entry, "verb", job->verb->name);
    json_put_string(entry, "title", job->title);
    json_put_string(entry, "line", job->line);
    json_put_string(entry, "object", job->object);
    json_put_string(entry, "state", job_state_name(job->state));
    json_put_string(entry, "finished_at", clock_format(job->finished_at, stamp));
    json_put_integer(
        entry, "took_ms", job->started_ms ? (int64_t)(job->ended_ms - job->started_ms) : 0);
    if (job->meter.transferred) {
        json_put_integer(entry, "transferred", (int64_t)job->meter.transferred);
        json_put_integer(entry, "rate", (int64_t)meter_mean_rate(&job->meter));
    }
    put_digest(entry, "expected", job->has_expected, &job->expected);
    put_digest(entry, "found", job->has_found, &job->found);
    if (job->error.code != ERROR_NONE) {
        json_put_string(entry, "code", error_code_name(job->error.code));
        json_put_string(entry, "error", job->error.text);
    }
    if (is_left) {
        json_put_bool(entry, HISTORY_LEFT, true);
    }
    return entry;
}

/* One line each, the oldest first; from the newest back, as far as there is room. */
void state_history_write(struct state *state, bool is_left, struct text *out)
{
    auto_done(strings) struct strings lines = {0};
    size_t bytes = 0;
    state_lock(state);
    for (size_t i = state->job_count; i-- > 0 && lines.count < ENTRIES_MAX && bytes < BYTES_MAX;) {
        const struct job *job = state->jobs[i];
        if (!job_state_is_final(job->state) || job->is_quiet || job->is_internal || job->is_left) {
            continue;
        }
        auto_json struct json *entry = entry_of(job, is_left);
        auto_done(text) struct text line = {0};
        json_write(entry, false, &line);
        bytes += line.len;
        strings_add(&lines, text_cstr(&line));
    }
    state_unlock(state);
    for (size_t i = lines.count; i-- > 0;) {
        text_append(out, lines.items[i]);
        text_append_char(out, '\n');
    }
}

void state_history_add(const char *known, const char *more, struct text *history)
{
    auto_done(strings) struct strings passed = {0};
    auto_done(strings) struct strings added = {0};
    auto_done(strings) struct strings lines = {0};
    strings_split(&passed, known, "\n");
    strings_split(&added, more, "\n");
    strings_split(&lines, text_cstr(history), "\n");
    for (size_t i = 0; i < added.count; i++) {
        const char *line = added.items[i];
        if (!strings_contain(&passed, line) && !strings_contain(&lines, line)) {
            strings_add(&lines, line);
        }
    }
    size_t bytes = 0;
    size_t first = lines.count;
    while (first > 0 && lines.count - first < ENTRIES_MAX && bytes < BYTES_MAX) {
        bytes += strlen(lines.items[--first]);
    }
    text_clear(history);
    for (; first < lines.count; first++) {
        text_append(history, lines.items[first]);
        text_append_char(history, '\n');
    }
}

static enum error_code code_of(const char *name)
{
    for (enum error_code code = ERROR_NONE; code < ERROR_BUG; code++) {
        if (strcmp(error_code_name(code), name) == 0) {
            return code;
        }
    }
    return ERROR_BUG;
}

static bool state_of(const char *name, enum job_state *found)
{
    static const enum job_state states[] = {JOB_OK, JOB_FAILED, JOB_CANCELLED};
    for (size_t i = 0; i < array_length(states); i++) {
        if (strcmp(job_state_name(states[i]), name) == 0) {
            *found = states[i];
            return true;
        }
    }
    return false;
}

/* NULL: not of a verb of this program. */
static struct job *job_of(const struct json *entry)
{
    enum job_state ended;
    const struct verb *verb =
        verb_find(json_string(entry, "subject", ""), json_string(entry, "verb", ""));
    if (!verb || !state_of(json_string(entry, "state", ""), &ended)) {
        return NULL;
    }
    int64_t took_ms = json_integer(entry, "took_ms", 0);
    int64_t transferred = json_integer(entry, "transferred", 0);
    int64_t rate = json_integer(entry, "rate", 0);
    struct job *job =
        job_new_ended(verb, json_string(entry, "title", ""), json_string(entry, "line", ""), ended);
    job->object = memory_strdup(json_string(entry, "object", NULL));
    clock_parse(json_string(entry, "finished_at", ""), &job->finished_at);
    job->started_ms = 1;
    job->ended_ms = 1 + (uint64_t)(took_ms > 0 ? took_ms : 0);
    job->meter.transferred = (uint64_t)(transferred > 0 ? transferred : 0);
    job->meter.download =
        (struct meter_mean){.units = (uint64_t)(rate > 0 ? rate : 0), .span_ms = 1000};
    job->has_expected = digest_parse(json_string(entry, "expected", ""), &job->expected);
    job->has_found = digest_parse(json_string(entry, "found", ""), &job->found);
    const char *code = json_string(entry, "code", NULL);
    if (code) {
        error_set(&job->error, code_of(code), "%s", json_string(entry, "error", ""));
    }
    meter_finish(&job->meter, ended == JOB_OK);
    return job;
}

void state_history_read(struct state *state, const char *text)
{
    auto_done(strings) struct strings lines = {0};
    strings_split(&lines, text, "\n");
    for (size_t i = 0; i < lines.count; i++) {
        struct error ignored = {0};
        auto_json struct json *entry = json_parse(
            lines.items[i], strlen(lines.items[i]), BYTES_MAX, DEPTH_MAX, "history", &ignored);
        struct job *job = entry ? job_of(entry) : NULL;
        if (job) {
            state_job_put_ended(state, job);
        }
    }
}
