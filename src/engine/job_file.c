/* SPDX-License-Identifier: MIT */
#include "engine/job_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "engine/job_queue.h"
#include "engine/section.h"
#include "engine/state_jobs.h"

#define FILE_NAME_MAX 40
#define FILE_BYTES_MAX (256 * 1024)
#define FILE_DEPTH_MAX 4

/* What a file is called: of the job, of the request to stop. */
static const char *name_of(uint64_t id, const char *ending, char name[FILE_NAME_MAX])
{
    snprintf(name, FILE_NAME_MAX, "%" PRIu64 "%s", id, ending);
    return name;
}

void job_file_put_owner(struct json *json, const struct job_file *file)
{
    json_put_integer(json, "pid", file->process.pid);
    json_put_integer(json, "start_time", (int64_t)file->process.start_time);
    json_put_string(json, "boot_id", process_boot_id());
    json_put_known(json, "login", file->login);
    json_put_known(json, "terminal", file->terminal);
    json_put_bool(json, "watched", file->is_watched);
}

static void file_to_text(const struct job_file *file, struct text *out)
{
    auto_json struct json *json = json_new_object();
    json_put_integer(json, "format", 1);
    json_put_integer(json, "id", (int64_t)file->id);
    json_put_string(json, "command", file->command);
    json_put_string(json, "object", *file->object ? file->object : NULL);
    job_file_put_owner(json, file);
    json_put_known(json, "note", file->note);
    json_put_string(json, "phase", progress_phase_name(file->phase));
    json_put_integer(json, "done", (int64_t)file->done);
    if (file->total) {
        json_put_integer(json, "total", (int64_t)file->total);
    }
    json_put_integer(json, "permille", file->permille);
    if (file->rate) {
        json_put_integer(json, "rate", (int64_t)file->rate);
    }
    char hex[DIGEST_HEX_LEN + 1];
    json_put_string(
        json, "expected_sha256", file->has_expected ? digest_format(&file->expected, hex) : NULL);
    json_put_string(json, "unit", progress_unit_name(file->unit));
    char stamp[CLOCK_TEXT_LEN];
    json_put_string(json, "started_at", clock_format(file->started_at, stamp));
    json_write(json, false, out);
    text_append_char(out, '\n');
}

/* Whole or not at all, but not durable: after a crash of the machine it means nothing. */
bool job_file_write(int jobs, const struct job_file *file, struct error *err)
{
    auto_done(text) struct text text = {0};
    file_to_text(file, &text);
    char name[FILE_NAME_MAX];
    return file_replace_soon(
               jobs, name_of(file->id, ".json", name), text.data, text.len, 0600, err) ||
           error_wrap(err, "jobs");
}

void job_file_remove(int jobs, uint64_t id)
{
    char name[FILE_NAME_MAX];
    unlinkat(jobs, name_of(id, ".json", name), 0);
    unlinkat(jobs, name_of(id, ".cancel", name), 0);
}

static enum progress_phase phase_of(const char *word)
{
    for (enum progress_phase phase = PROGRESS_RESOLVE; phase < PROGRESS_WAIT; phase++) {
        if (strcmp(progress_phase_name(phase), word) == 0) {
            return phase;
        }
    }
    return PROGRESS_WAIT;
}

static enum progress_unit unit_of(const char *word)
{
    for (enum progress_unit unit = PROGRESS_BYTES; unit < PROGRESS_STEPS; unit++) {
        if (strcmp(progress_unit_name(unit), word) == 0) {
            return unit;
        }
    }
    return PROGRESS_STEPS;
}

static uint64_t natural(const struct json *json, const char *key)
{
    int64_t number = json_integer(json, key, 0);
    return number > 0 ? (uint64_t)number : 0;
}

/* Of an older program: as far as its present step is. */
static uint32_t permille_of(const struct json *json)
{
    uint64_t done = natural(json, "done");
    uint64_t total = natural(json, "total");
    int64_t fallback = total > 0 ? (int64_t)((double)done / (double)total * 999) : 0;
    int64_t permille = json_integer(json, "permille", fallback);
    return permille < 0 ? 0 : permille > 999 ? 999 : (uint32_t)permille;
}

void job_file_read_owner(
    const struct json *json, struct section *strings, struct job_file *file, bool *is_alive)
{
    const char *boot_id = json_string(json, "boot_id", "");
    file->process = (struct process_identity){
        .pid = (pid_t)json_integer(json, "pid", 0), .start_time = natural(json, "start_time")};
    file->login = section_string(strings, json_string(json, "login", ""));
    file->terminal = section_string(strings, json_string(json, "terminal", ""));
    file->is_watched = json_bool(json, "watched", false);
    *is_alive = !process_is_boot_other(boot_id) && !process_is_gone(&file->process);
}

/* Reads one file; its strings go into the section. *is_alive: its process runs. */
static bool read_file(int jobs, const char *name, struct section *strings, struct job_file *file,
    bool *is_alive, struct error *err)
{
    auto_done(text) struct text text = {0};
    if (!file_read_all(jobs, name, FILE_BYTES_MAX, &text, err)) {
        return false;
    }
    auto_json struct json *json =
        json_parse(text_cstr(&text), text.len, FILE_BYTES_MAX, FILE_DEPTH_MAX, name, err);
    if (!json) {
        return false;
    }
    char expected[FILE_NAME_MAX];
    if (strcmp(name_of(natural(json, "id"), ".json", expected), name) != 0) {
        return error_set(err, ERROR_FORMAT, "jobs/%s belongs to another job", name);
    }
    *file = (struct job_file){
        .id = natural(json, "id"),
        .command = section_string(strings, json_string(json, "command", "")),
        .object = section_string(strings, json_string(json, "object", "")),
        .note = section_string(strings, json_string(json, "note", "")),
        .queue = "",
        .waits_for = "",
        .phase = phase_of(json_string(json, "phase", "")),
        .unit = unit_of(json_string(json, "unit", "")),
        .done = natural(json, "done"),
        .total = natural(json, "total"),
        .rate = natural(json, "rate"),
        .permille = permille_of(json),
    };
    file->has_expected = digest_parse(json_string(json, "expected_sha256", ""), &file->expected);
    clock_parse(json_string(json, "started_at", ""), &file->started_at);
    job_file_read_owner(json, strings, file, is_alive);
    return true;
}

/* A file that cannot be read is somebody's, half-made or of a newer program: left alone. */
static void list_one(int jobs, const char *name, bool is_readonly, struct section *list)
{
    struct job_file file;
    bool is_alive;
    struct error ignored = {0};
    if (!text_has_suffix(name, ".json") ||
        !read_file(jobs, name, list, &file, &is_alive, &ignored)) {
        return;
    }
    if (!is_alive) {
        if (!is_readonly) {
            job_file_remove(jobs, file.id);
        }
    } else {
        *(struct job_file *)section_add(list) = file;
    }
}

struct section *job_file_list(int jobs, bool is_readonly, struct error *err)
{
    auto_done(strings) struct strings names = {0};
    if (!file_list(jobs, ".", &names, err)) {
        return NULL;
    }
    struct section *list = section_new(sizeof(struct job_file));
    for (size_t i = 0; i < names.count; i++) {
        list_one(jobs, names.items[i], is_readonly, list);
    }
    size_t running = section_count(list);
    for (size_t i = 0; i < names.count; i++) {
        job_queue_list(jobs, names.items[i], is_readonly, running, list);
    }
    return list;
}

/* The process that a file name belongs to, by the number of its job; 0 for names of others. */
static pid_t owner_of(const char *name)
{
    /* ".new" is an older program's. */
    static const char *const endings[] = {".json", ".new", ".cancel", JOB_QUEUE_ENDING};
    uint64_t id = 0;
    const char *dot = strchr(name, '.');
    for (size_t i = 0; dot && i < array_length(endings); i++) {
        struct error ignored = {0};
        auto_free char *digits = memory_strndup(name, (size_t)(dot - name));
        auto_free char *unfinished = memory_printf("%s.tmp-", endings[i]); /* file_temporary_name */
        bool is_ours = strcmp(dot, endings[i]) == 0 || text_has_prefix(dot, unfinished) ||
                       text_has_prefix(dot, JOB_QUEUE_MOVE);
        if (is_ours && units_parse_number(digits, "a job", UINT64_MAX, &id, &ignored)) {
            return (pid_t)(id / STATE_JOB_STRIDE);
        }
    }
    return 0;
}

void job_file_sweep(int jobs)
{
    auto_done(strings) struct strings names = {0};
    struct error ignored = {0};
    if (!file_list(jobs, ".", &names, &ignored)) {
        return;
    }
    for (size_t i = 0; i < names.count; i++) {
        struct process_identity identity;
        pid_t owner = owner_of(names.items[i]);
        if (owner > 0 && !process_identify(owner, &identity) && errno == ESRCH) {
            unlinkat(jobs, names.items[i], 0);
        }
    }
}

/* A program that a script starts behind '&' ignores SIGINT, as its shell arranged: SIGTERM means
 * the same to ours. Field SigIgn of /proc/PID/status, proc(5): a mask with bit n - 1 for signal n. */
static int signal_for(pid_t pid)
{
    char path[32];
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    auto_done(text) struct text status = {0};
    struct error ignored = {0};
    if (!file_read_all(AT_FDCWD, path, FILE_BYTES_MAX, &status, &ignored)) {
        return SIGINT;
    }
    const char *field = strstr(text_cstr(&status), "\nSigIgn:");
    uint64_t mask = 0;
    bool is_known = field && sscanf(field, "\nSigIgn: %" SCNx64, &mask) == 1;
    return is_known && (mask & UINT64_C(1) << (SIGINT - 1)) ? SIGTERM : SIGINT;
}

bool job_file_cancel(int jobs, uint64_t id, struct error *err)
{
    char name[FILE_NAME_MAX];
    auto_section struct section *strings = section_new(sizeof(struct job_file));
    struct job_file file;
    bool is_alive = false;
    struct error failure = {0};
    bool is_read =
        read_file(jobs, name_of(id, ".json", name), strings, &file, &is_alive, &failure) ||
        job_queue_find(jobs, id, strings, &file, &is_alive);
    if (!is_read && failure.code != ERROR_NOT_FOUND) {
        *err = failure;
        return false;
    }
    if (!is_alive) {
        return error_set(
            err, ERROR_NOT_FOUND, "there is no job %" PRIu64 " under way: see job list", id);
    }
    if (!file.is_watched && file.place > 0) {
        return job_queue_refuse(&file, err);
    }
    if (!file.is_watched) {
        return process_signal(&file.process, signal_for(file.process.pid), err);
    }
    auto_close int fd = openat(
        jobs, name_of(id, ".cancel", name), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd >= 0 || error_set_errno(err, errno, "cannot write jobs/%s", name);
}
