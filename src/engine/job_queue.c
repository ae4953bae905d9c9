/* SPDX-License-Identifier: MIT */
#include "engine/job_queue.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/job_file.h"
#include "engine/section.h"
#include "engine/state_jobs.h"

#define FILE_NAME_MAX 96
#define FILE_BYTES_MAX (1024 * 1024)
#define FILE_DEPTH_MAX 4
/* Others see as many of a longer queue, and how many there are. */
#define BYTES_TOLD (FILE_BYTES_MAX - 64 * 1024)
#define LOOK_MS 10

static const char *const move_words[ENGINE_MOVE_COUNT] = {
    [ENGINE_MOVE_FIRST] = "first",
    [ENGINE_MOVE_LAST] = "last",
    [ENGINE_MOVE_SOONER] = "up",
    [ENGINE_MOVE_LATER] = "down",
    [ENGINE_MOVE_BEFORE] = "before",
};

static const char *name_of(pid_t pid, const char *ending, char name[FILE_NAME_MAX])
{
    snprintf(name, FILE_NAME_MAX, "%" PRIu64 "%s", (uint64_t)pid * STATE_JOB_STRIDE, ending);
    return name;
}

/* ---- writing ---- */

/* About as many bytes as its JSON takes. */
static size_t size_of(const struct job_file *file)
{
    return 128 + strlen(file->command) * 2 + strlen(file->object) + strlen(file->waits_for) * 2;
}

static struct json *jobs_of(const struct section *queued)
{
    const struct job_file *files = section_items(queued);
    struct json *array = json_new_array();
    size_t bytes = 0;
    for (size_t i = 0; i < section_count(queued) && bytes < BYTES_TOLD; i++) {
        struct json *row = json_new_object();
        json_put_integer(row, "id", (int64_t)files[i].id);
        json_put_string(row, "queue", files[i].queue);
        json_put_integer(row, "place", (int64_t)files[i].place);
        json_put_integer(row, "places", (int64_t)files[i].places);
        json_put_string(row, "command", files[i].command);
        json_put_known(row, "object", files[i].object);
        json_put_string(row, "waits_for", files[i].waits_for);
        json_append(array, row);
        bytes += size_of(&files[i]);
    }
    return array;
}

bool job_queue_write(
    int jobs, const struct job_file *whose, const struct section *queued, struct error *err)
{
    char name[FILE_NAME_MAX];
    name_of(whose->process.pid, JOB_QUEUE_ENDING, name);
    if (section_count(queued) == 0) {
        return unlinkat(jobs, name, 0) == 0 || errno == ENOENT ||
               error_set_errno(err, errno, "cannot remove jobs/%s", name);
    }
    auto_json struct json *json = json_new_object();
    json_put_integer(json, "format", 1);
    job_file_put_owner(json, whose);
    json_put_integer(json, "count", (int64_t)section_count(queued));
    json_put(json, "jobs", jobs_of(queued));
    auto_done(text) struct text text = {0};
    json_write(json, false, &text);
    text_append_char(&text, '\n');
    return file_replace_soon(jobs, name, text.data, text.len, 0600, err) || error_wrap(err, "jobs");
}

/* ---- reading ---- */

static struct json *read_queue(int jobs, const char *name)
{
    auto_done(text) struct text text = {0};
    struct error ignored = {0};
    if (!file_read_all(jobs, name, FILE_BYTES_MAX, &text, &ignored)) {
        return NULL;
    }
    return json_parse(text_cstr(&text), text.len, FILE_BYTES_MAX, FILE_DEPTH_MAX, name, &ignored);
}

/* False for a row that is none of this process's. */
static bool read_row(const struct json *row, const struct job_file *whose, struct section *strings,
    struct job_file *file)
{
    int64_t id = json_integer(row, "id", 0);
    int64_t place = json_integer(row, "place", 0);
    int64_t places = json_integer(row, "places", place);
    bool is_transfer = strcmp(json_string(row, "queue", ""), "transfer") == 0;
    *file = *whose;
    file->id = id > 0 ? (uint64_t)id : 0;
    file->place = place > 0 ? (size_t)place : 0;
    file->places = places > place ? (size_t)places : file->place;
    file->queue = is_transfer ? "transfer" : "local";
    file->command = section_string(strings, json_string(row, "command", ""));
    file->object = section_string(strings, json_string(row, "object", ""));
    file->waits_for = section_string(strings, json_string(row, "waits_for", ""));
    return file->place > 0 && file->id / STATE_JOB_STRIDE == (uint64_t)whose->process.pid;
}

static bool has_begun(const struct section *list, size_t running, uint64_t id)
{
    const struct job_file *files = section_items(list);
    for (size_t i = 0; i < running; i++) {
        if (files[i].id == id) {
            return true;
        }
    }
    return false;
}

void job_queue_list(
    int jobs, const char *name, bool is_readonly, size_t running, struct section *list)
{
    auto_json struct json *json =
        text_has_suffix(name, JOB_QUEUE_ENDING) ? read_queue(jobs, name) : NULL;
    char expected[FILE_NAME_MAX];
    struct job_file whose = {.note = ""};
    bool is_alive = false;
    if (json == NULL) {
        return;
    }
    job_file_read_owner(json, list, &whose, &is_alive);
    if (strcmp(name_of(whose.process.pid, JOB_QUEUE_ENDING, expected), name) != 0) {
        return;
    }
    if (!is_alive && !is_readonly) {
        unlinkat(jobs, name, 0);
    }
    const struct json *rows = json_get(json, "jobs");
    for (size_t i = 0; is_alive && i < json_count(rows); i++) {
        struct job_file file;
        if (read_row(json_at(rows, i), &whose, list, &file) && !has_begun(list, running, file.id)) {
            *(struct job_file *)section_add(list) = file;
        }
    }
}

bool job_queue_find(
    int jobs, uint64_t id, struct section *strings, struct job_file *file, bool *is_alive)
{
    char name[FILE_NAME_MAX];
    auto_json struct json *json =
        read_queue(jobs, name_of((pid_t)(id / STATE_JOB_STRIDE), JOB_QUEUE_ENDING, name));
    if (json == NULL) {
        return false;
    }
    struct job_file whose = {.note = ""};
    job_file_read_owner(json, strings, &whose, is_alive);
    const struct json *rows = json_get(json, "jobs");
    for (size_t i = 0; i < json_count(rows); i++) {
        if (read_row(json_at(rows, i), &whose, strings, file) && file->id == id) {
            return true;
        }
    }
    return false;
}

bool job_queue_refuse(const struct job_file *file, struct error *err)
{
    return error_set(err, ERROR_UNSUPPORTED,
        "job %" PRIu64 " waits in a batch command, which takes no requests for one of its jobs: "
        "kill -INT %d stops all of it",
        file->id, (int)file->process.pid);
}

/* ---- another order ---- */

bool job_queue_read_move(const char *rest, enum engine_move *move, uint64_t *before)
{
    char word[16] = "";
    int len = 0;
    *before = 0;
    if (!text_has_prefix(rest, JOB_QUEUE_MOVE)) {
        return false;
    }
    rest += strlen(JOB_QUEUE_MOVE);
    bool is_read = sscanf(rest, "%15[a-z]%n", word, &len) == 1;
    for (int i = 0; is_read && i < ENGINE_MOVE_COUNT; i++) {
        if (strcmp(move_words[i], word) == 0) {
            *move = (enum engine_move)i;
            return i != ENGINE_MOVE_BEFORE || sscanf(rest + len, "-%" SCNu64, before) == 1;
        }
    }
    return false;
}

static bool is_known_to(int jobs, const struct job_file *file, uint64_t before, bool *is_behind)
{
    auto_section struct section *strings = section_new(sizeof(struct job_file));
    struct job_file other;
    bool is_alive = false;
    bool is_found = job_queue_find(jobs, before, strings, &other, &is_alive) && is_alive &&
                    other.process.pid == file->process.pid && strcmp(other.queue, file->queue) == 0;
    *is_behind = is_found && other.place == file->place + 1;
    return is_found;
}

/* Whether it stands already where it is to go, as far as the file tells. */
static bool is_there(int jobs, const struct job_file *file, enum engine_move move, uint64_t before,
    bool *is_possible)
{
    bool is_behind = false;
    *is_possible = true;
    switch (move) {
    case ENGINE_MOVE_FIRST:
    case ENGINE_MOVE_SOONER:
        return file->place == 1;
    case ENGINE_MOVE_BEFORE:
        *is_possible = is_known_to(jobs, file, before, &is_behind);
        return is_behind;
    case ENGINE_MOVE_LAST:
    case ENGINE_MOVE_LATER:
        return file->place == file->places;
    }
    return false;
}

/* Which writing of the queue's file there is; zeroes for none. */
static struct stat version_of(int jobs, pid_t pid)
{
    char name[FILE_NAME_MAX];
    struct stat status = {0};
    fstatat(jobs, name_of(pid, JOB_QUEUE_ENDING, name), &status, AT_SYMLINK_NOFOLLOW);
    return status;
}

/* The owner takes the request away when it sees to it, and then writes what has become of it. */
static bool is_answered(int jobs, const char *name, pid_t pid, const struct stat *before)
{
    struct stat now = version_of(jobs, pid);
    bool is_seen = faccessat(jobs, name, F_OK, AT_SYMLINK_NOFOLLOW) != 0;
    return is_seen &&
           (now.st_ino != before->st_ino || now.st_mtim.tv_sec != before->st_mtim.tv_sec ||
               now.st_mtim.tv_nsec != before->st_mtim.tv_nsec);
}

static bool wait_for_answer(int jobs, const char *name, const struct job_file *file,
    const struct stat *before, uint64_t timeout_ms, const struct cancel *cancel, struct error *err)
{
    uint64_t give_up = clock_deadline(timeout_ms);
    while (!is_answered(jobs, name, file->process.pid, before)) {
        struct pollfd fd = {.fd = cancel_fd(cancel), .events = POLLIN};
        bool is_alive = process_is_alive(&file->process);
        poll(&fd, 1, LOOK_MS);
        if (is_alive && !cancel_is_requested(cancel) && clock_left_ms(give_up) > 0) {
            continue;
        }
        unlinkat(jobs, name, 0);
        if (cancel_check(cancel, err)) {
            return false;
        }
        return is_alive ? error_set(err, ERROR_BUSY,
                              "process %d, in which job %" PRIu64 " waits, does not answer: it may "
                              "be stopped (fg continues it)",
                              (int)file->process.pid, file->id)
                        : error_set(err, ERROR_NOT_FOUND,
                              "job %" PRIu64 " is gone: its process has ended", file->id);
    }
    return true;
}

bool job_queue_move(int jobs, uint64_t id, enum engine_move move, uint64_t before, bool *is_moved,
    uint64_t timeout_ms, const struct cancel *cancel, struct error *err)
{
    auto_section struct section *strings = section_new(sizeof(struct job_file));
    struct job_file file;
    bool is_alive = false;
    bool is_possible = false;
    if (!job_queue_find(jobs, id, strings, &file, &is_alive) || !is_alive) {
        return error_set(
            err, ERROR_NOT_FOUND, "no job %" PRIu64 " waits for its turn: see job list", id);
    }
    if (!file.is_watched) {
        return job_queue_refuse(&file, err);
    }
    *is_moved = !is_there(jobs, &file, move, before, &is_possible);
    if (!is_possible) {
        return error_set(err, ERROR_NOT_FOUND,
            "no job %" PRIu64 " waits in the same queue as job %" PRIu64 ": see job list", before,
            id);
    }
    if (!*is_moved) {
        return true;
    }
    char name[FILE_NAME_MAX];
    char other[FILE_NAME_MAX] = "";
    if (move == ENGINE_MOVE_BEFORE) {
        snprintf(other, sizeof(other), "-%" PRIu64, before);
    }
    snprintf(name, sizeof(name), "%" PRIu64 JOB_QUEUE_MOVE "%.15s%.32s.%d", id, move_words[move],
        other, (int)getpid());
    struct stat version = version_of(jobs, file.process.pid);
    int fd = openat(jobs, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return error_set_errno(err, errno, "cannot write jobs/%s", name);
    }
    close(fd); /* that is what the owner notices */
    return wait_for_answer(jobs, name, &file, &version, timeout_ms, cancel, err);
}
