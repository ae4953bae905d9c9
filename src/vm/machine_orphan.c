/* SPDX-License-Identifier: MIT */
#include "vm/machine_orphan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "vm/machine.h"
#include "vm/monitor.h"

#define COMMAND_LINE_MAX (1024 * 1024)

void machine_orphan_list_done(struct machine_orphan_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].directory);
        free(list->items[i].name);
    }
    free(list->items);
    *list = (struct machine_orphan_list){0};
}

/* Where the process works, when that is below the state directory's machines or trash; NULL. Caller
 * frees. */
static char *read_directory(const char *state_path, pid_t pid)
{
    char path[64], target[PATH_MAX];
    snprintf(path, sizeof path, "/proc/%d/cwd", (int)pid);
    ssize_t len = readlink(path, target, sizeof target - 1);
    if (len <= 0) {
        return NULL;
    }
    target[len] = '\0';
    auto_free char *vms = memory_printf("%s/vms/", state_path);
    auto_free char *trash = memory_printf("%s/trash/", state_path);
    return text_has_prefix(target, vms) || text_has_prefix(target, trash) ? memory_strdup(target)
                                                                          : NULL;
}

/* The machine's name when the directory is one of a machine that is there; NULL, also when the host
 * keeps us from looking: then *is_hidden. Caller frees. */
static char *name_of(const char *state_path, const char *directory, pid_t pid, bool *is_hidden)
{
    auto_free char *vms = memory_printf("%s/vms/", state_path);
    auto_free char *link = memory_printf("/proc/%d/cwd", (int)pid);
    struct stat now, theirs;
    const char *name = directory + strlen(vms);
    if (!text_has_prefix(directory, vms) || strchr(name, '/') != NULL) {
        return NULL;
    }
    if (stat(directory, &now) != 0 || stat(link, &theirs) != 0) {
        *is_hidden = errno != ENOENT && errno != ENOTDIR && errno != ESRCH;
        return NULL;
    }
    return now.st_ino == theirs.st_ino && now.st_dev == theirs.st_dev ? memory_strdup(name) : NULL;
}

/* A monitor's command line, or one that names a uuid as the back ends do. */
static bool is_ours(pid_t pid, bool *is_monitor)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    auto_done(text) struct text line = {0};
    struct error ignored = {0};
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || !file_read_fd(fd, path, COMMAND_LINE_MAX, &line, &ignored)) {
        return false;
    }
    const char *before = "";
    size_t index = 0;
    for (size_t at = 0; at < line.len; at += strlen(line.data + at) + 1) {
        const char *word = line.data + at;
        if (index == 1 && strcmp(word, MONITOR_OPTION) == 0) {
            *is_monitor = true;
            return true;
        }
        bool is_option = strcmp(before, "-uuid") == 0 || strcmp(before, "--id") == 0;
        if (is_option && strlen(word) == MACHINE_UUID_LEN) {
            *is_monitor = false;
            return true;
        }
        before = word;
        index++;
    }
    return false;
}

static bool is_same(const struct process_identity *a, const struct process_identity *b)
{
    return a->pid == b->pid && a->start_time == b->start_time;
}

/* -1 when the host keeps us from looking. */
static pid_t parent_of(pid_t pid)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    auto_done(text) struct text line = {0};
    struct error failure = {0};
    int parent = 0;
    const char *end = NULL;
    if (file_read_all(AT_FDCWD, path, 4096, &line, &failure)) {
        end = strrchr(text_cstr(&line), ')'); /* the name may hold anything */
    } else if (error_is_blind(&failure)) {
        return -1;
    }
    return end != NULL && sscanf(end + 1, " %*c %d", &parent) == 1 ? parent : 0;
}

/* A VMM on its way to exec is its monitor's child. */
static bool may_be_child_of(pid_t pid, const struct process_identity *monitor)
{
    struct process_identity parent = {0};
    pid_t number = parent_of(pid);
    if (number < 0 || (!process_identify(number, &parent) && errno != ESRCH)) {
        return true;
    }
    return is_same(monitor, &parent);
}

/* The record in its directory names it, or its parent; or what it says could not be read. */
static bool may_be_recorded(const struct machine_orphan *process)
{
    struct machine_handle handle;
    struct error failure = {0};
    if (process->is_hidden) {
        return true;
    }
    auto_free char *link = memory_printf("/proc/%d/cwd", (int)process->process.pid);
    auto_close int dir = open(link, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        return errno != ENOENT && errno != ESRCH && errno != ENOTDIR;
    }
    if (process->name == NULL || !machine_handle_read(dir, &handle, &failure)) {
        return error_is_blind(&failure);
    }
    return !process_is_boot_other(handle.boot_id) &&
           (is_same(&handle.monitor, &process->process) ||
               is_same(&handle.vmm, &process->process) ||
               may_be_child_of(process->process.pid, &handle.monitor));
}

static bool look_at(const char *state_path, pid_t pid, struct machine_orphan *found)
{
    char path[32];
    struct stat status;
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    *found = (struct machine_orphan){0};
    if (stat(path, &status) != 0 || status.st_uid != geteuid() ||
        !process_identify(pid, &found->process) || !is_ours(pid, &found->is_monitor)) {
        return false;
    }
    found->directory = read_directory(state_path, pid);
    if (found->directory == NULL) {
        return false;
    }
    found->name = name_of(state_path, found->directory, pid, &found->is_hidden);
    return true;
}

static void drop(struct machine_orphan *orphan)
{
    free(orphan->directory);
    free(orphan->name);
}

bool machine_orphan_find(
    const char *state_path, struct machine_orphan_list *list, struct error *err)
{
    DIR *proc = opendir("/proc");
    if (proc == NULL) {
        return error_set_errno(err, errno, "cannot look through /proc");
    }
    for (struct dirent *entry = readdir(proc); entry != NULL; entry = readdir(proc)) {
        struct machine_orphan found;
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid <= 0 || pid == getpid()) {
            continue;
        }
        if (!look_at(state_path, pid, &found) || may_be_recorded(&found)) {
            drop(&found);
            continue;
        }
        list->items = memory_grow(list->items, list->count + 1, sizeof *list->items);
        list->items[list->count++] = found;
    }
    closedir(proc);
    return true;
}

bool machine_is_orphan(const char *state_path, const struct machine_orphan *orphan)
{
    struct machine_orphan now;
    bool is_one = look_at(state_path, orphan->process.pid, &now) &&
                  is_same(&now.process, &orphan->process) && !may_be_recorded(&now);
    drop(&now);
    return is_one;
}
