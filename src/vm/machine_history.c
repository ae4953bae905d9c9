/* SPDX-License-Identifier: MIT */
#include "vm/machine_history.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/text.h"
#include "vm/machine.h"

static struct json *read_object(int vm_dir, const char *name)
{
    auto_done(text) struct text bytes = {0};
    struct error ignored = {0};
    if (!file_read_all(vm_dir, name, limits_default.json_bytes, &bytes, &ignored)) {
        return NULL;
    }
    return json_parse(text_cstr(&bytes), bytes.len, limits_default.json_bytes,
        limits_default.json_depth, name, &ignored);
}

/* The exit of that very boot, or NULL. Caller frees. */
static struct json *exit_of(int vm_dir, const struct json *given, const char *started_at)
{
    if (given != NULL) {
        return json_copy(given);
    }
    auto_json struct json *last = read_object(vm_dir, MACHINE_EXIT_FILE);
    bool is_of_it = strcmp(json_string(last, "started_at", ""), started_at) == 0;
    return is_of_it ? json_copy(last) : NULL;
}

struct json *machine_history_read(int vm_dir)
{
    auto_json struct json *file = read_object(vm_dir, MACHINE_HISTORY_FILE);
    const struct json *boots = json_get(file, "boots");
    return boots != NULL && json_is_array(boots) ? json_copy(boots) : json_new_array();
}

static void write_file(int vm_dir, struct json *boots)
{
    auto_json struct json *file = json_new_object();
    auto_done(text) struct text text = {0};
    struct error ignored = {0};
    json_put_integer(file, "format", 1);
    json_put(file, "boots", boots);
    json_write(file, true, &text);
    auto_close int fd = openat(vm_dir, MACHINE_HISTORY_FILE ".new",
        O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 && file_write_all(fd, text.data, text.len, &ignored)) {
        renameat(vm_dir, MACHINE_HISTORY_FILE ".new", vm_dir, MACHINE_HISTORY_FILE);
    }
}

void machine_history_keep(int vm_dir, const struct json *exit)
{
    auto_json struct json *last = read_object(vm_dir, MACHINE_BOOT_FILE);
    const char *started_at = json_string(last, "started_at", NULL);
    const struct json *stages = json_get(last, "stages");
    if (started_at == NULL || stages == NULL) {
        return;
    }
    auto_json struct json *before = machine_history_read(vm_dir);
    struct json *boots = json_new_array();
    struct json *boot = json_new_object();
    json_put_string(boot, "started_at", started_at);
    json_put(boot, "stages", json_copy(stages));
    struct json *end = exit_of(vm_dir, exit, started_at);
    if (end != NULL) {
        json_put(boot, "exit", end);
    }
    json_append(boots, boot);
    for (size_t i = 0; i < json_count(before) && i + 1 < MACHINE_HISTORY_MAX; i++) {
        json_append(boots, json_copy(json_at(before, i)));
    }
    write_file(vm_dir, boots);
}
