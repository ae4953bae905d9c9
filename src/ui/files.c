/* SPDX-License-Identifier: MIT */
#include "ui/files.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/engine.h"
#include "engine/snapshot.h"
#include "ui/result.h"
#include "ui/seat.h"

char *files_absolute(const char *path, const char *home)
{
    auto_free char *here = path[0] != '/' ? getcwd(NULL, 0) : NULL;
    bool is_home = home != NULL && (strcmp(path, "~") == 0 || text_has_prefix(path, "~/"));
    auto_free char *whole = is_home ? memory_printf("%s%s", home, path + 1)
                                    : memory_printf("%s/%s", here != NULL ? here : "", path);
    auto_done(strings) struct strings parts = {0};
    strings_split(&parts, whole, "/");
    auto_done(strings) struct strings kept = {0};
    for (size_t i = 0; i < parts.count; i++) {
        if (strcmp(parts.items[i], "..") == 0) {
            if (kept.count > 0) {
                free(kept.items[--kept.count]);
                kept.items[kept.count] = NULL;
            }
        } else if (strcmp(parts.items[i], ".") != 0) {
            strings_add(&kept, parts.items[i]);
        }
    }
    auto_free char *joined = strings_join(&kept, "/");
    return memory_printf("/%s", joined);
}

char *files_parent(const char *directory)
{
    const char *slash = strrchr(directory, '/');
    return slash == NULL || slash == directory
               ? memory_strdup("/")
               : memory_strndup(directory, (size_t)(slash - directory));
}

char *files_inside(const char *directory, const char *name)
{
    return memory_printf("%s%s%s", directory, text_has_suffix(directory, "/") ? "" : "/", name);
}

static void clear(struct files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->rows[i].name);
    }
    free(files->rows);
    free(files->why);
    files->rows = NULL;
    files->count = 0;
    files->why = NULL;
    files->has_more = false;
}

void files_ask(struct files *files, struct seat *seat, char *directory, const char *begins)
{
    struct error err = {0};
    files_done(files, seat);
    files->directory = directory;
    struct command *command = command_new(verb_find("host", "files"));
    if (!command_set(command, "dir", directory, &err) ||
        (begins != NULL && !command_set(command, "begins", begins, &err))) {
        files->why = memory_strdup(err.text);
        command_free(command);
    } else if (!engine_submit(seat->engine, command, &files->job, &err)) {
        files->job = 0;
        files->why = memory_strdup(err.text);
    }
}

static enum file_kind kind_of(const char *word)
{
    return strcmp(word, "directory") == 0 ? FILE_DIRECTORY
           : strcmp(word, "file") == 0    ? FILE_REGULAR
                                          : FILE_OTHER;
}

static int compare_rows(const void *a, const void *b)
{
    const struct file_row *one = a;
    const struct file_row *other = b;
    bool is_directory = one->kind == FILE_DIRECTORY;
    if (is_directory != (other->kind == FILE_DIRECTORY)) {
        return is_directory ? -1 : 1;
    }
    return strcmp(one->name, other->name);
}

static void take_answer(struct files *files, const struct job_item *job)
{
    if (job->state != JOB_OK) {
        files->why = memory_strdup(job->error.text);
        return;
    }
    auto_json struct json *answer = result_parse(job);
    const struct json *entries = json_get(answer, "entries");
    files->has_more = json_bool(answer, "more", false);
    files->rows = memory_zero(json_count(entries) + 1, sizeof(*files->rows));
    for (const struct json *row = json_first(entries); row != NULL; row = json_next(row)) {
        files->rows[files->count++] =
            (struct file_row){.name = memory_strdup(json_string(row, "name", "")),
                .kind = kind_of(json_string(row, "kind", "")),
                .size_bytes = (uint64_t)json_integer(row, "size_bytes", 0),
                .is_plain = json_bool(row, "plain", false)};
    }
    qsort(files->rows, files->count, sizeof(*files->rows), compare_rows);
}

bool files_update(struct files *files, struct seat *seat)
{
    for (size_t i = 0; files->job != 0 && i < seat->snapshot->jobs_count; i++) {
        const struct job_item *job = &seat->snapshot->jobs[i];
        if (job->id == files->job && job_state_is_final(job->state)) {
            take_answer(files, job);
            engine_forget(seat->engine, job->id);
            files->job = 0;
            return true;
        }
    }
    return false;
}

void files_done(struct files *files, struct seat *seat)
{
    if (files->job != 0) {
        seat_abandon(seat, files->job);
    }
    clear(files);
    free(files->directory);
    *files = (struct files){0};
}
