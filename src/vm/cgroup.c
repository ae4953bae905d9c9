/* SPDX-License-Identifier: MIT */
#include "vm/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#define PREFIX "banger-"
#define MARK "user.banger.state"
#define UUID_LEN 36
#define FILE_BYTES_MAX (1024 * 1024)
#define REMOVE_TIMEOUT_MS 1000
#define RETRY_MS 10
#define FIND_DEPTH 12

/* A file of the group, or of /proc for group "/proc/self"; false when it is not there. */
static bool read_file(const char *group, const char *name, struct text *content)
{
    auto_free char *path = memory_printf("%s/%s", group, name);
    struct error ignored = {0};
    return file_read_all(AT_FDCWD, path, FILE_BYTES_MAX, content, &ignored);
}

static bool write_file(const char *group, const char *name, const char *word)
{
    auto_free char *path = memory_printf("%s/%s", group, name);
    auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t len = (ssize_t)strlen(word);
    return fd >= 0 && write(fd, word, (size_t)len) == len;
}

/* ---- where ------------------------------------------------------------------------------------ */

/* Where the version-2 hierarchy is mounted, and what of it: proc(5), mountinfo. */
static bool find_mount(char **root, char **place)
{
    auto_done(text) struct text table = {0};
    auto_done(strings) struct strings lines = {0};
    if (!read_file("/proc/self", "mountinfo", &table)) {
        return false;
    }
    strings_split(&lines, text_cstr(&table), "\n");
    for (size_t i = 0; i < lines.count; i++) {
        auto_done(strings) struct strings words = {0};
        if (strstr(lines.items[i], " - cgroup2 ") == NULL) {
            continue;
        }
        strings_split(&words, lines.items[i], " ");
        *root = memory_strdup(words.items[3]);
        *place = memory_strdup(words.items[4]);
        return true;
    }
    return false;
}

/* The group that this process is in; NULL. */
static char *own_group(void)
{
    auto_free char *root = NULL;
    auto_free char *place = NULL;
    auto_done(text) struct text table = {0};
    if (!find_mount(&root, &place) || !read_file("/proc/self", "cgroup", &table)) {
        return NULL;
    }
    const char *row = strncmp(text_cstr(&table), "0::", 3) == 0
                          ? text_cstr(&table)
                          : strstr(text_cstr(&table), "\n0::");
    if (row == NULL) {
        return NULL;
    }
    row = strchr(row, ':') + 2;
    size_t len = strcspn(row, "\n");
    size_t skipped = strcmp(root, "/") == 0 ? 0 : strlen(root);
    if (strncmp(row, root, skipped) != 0 || memmem(row, len, "/..", 3) != NULL) {
        return NULL; /* not in what is mounted here */
    }
    auto_free char *path = memory_strndup(row + skipped, len - skipped);
    return memory_printf("%s%s", place, strcmp(path, "/") == 0 ? "" : path);
}

char *cgroup_parent(struct error *err)
{
    auto_free char *group = own_group();
    if (group == NULL) {
        error_set(err, ERROR_UNSUPPORTED, "this host has no control groups of version 2");
        return NULL;
    }
    const char *name = strrchr(group, '/') + 1;
    if (cgroup_uuid(group) != NULL) {
        group[name - group - 1] = '\0'; /* started from within a machine's: beside it */
    }
    auto_free char *processes = memory_printf("%s/cgroup.procs", group);
    if (faccessat(AT_FDCWD, group, W_OK | X_OK, AT_EACCESS) != 0 ||
        faccessat(AT_FDCWD, processes, W_OK, AT_EACCESS) != 0) {
        error_set(err, ERROR_PERMISSION, "the control group %s is not this user's", group);
        return NULL;
    }
    return take_ptr(group);
}

char *cgroup_of_machine(const char *uuid)
{
    struct error ignored = {0};
    auto_free char *parent = cgroup_parent(&ignored);
    if (parent == NULL || strlen(parent) + sizeof(PREFIX) + UUID_LEN >= CGROUP_PATH_MAX) {
        return NULL;
    }
    return memory_printf("%s/" PREFIX "%s", parent, uuid);
}

const char *cgroup_uuid(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    size_t len = strlen(PREFIX);
    bool is_one = strncmp(name, PREFIX, len) == 0 && strlen(name + len) == UUID_LEN &&
                  strspn(name + len, "0123456789abcdef-") == UUID_LEN;
    return is_one ? name + len : NULL;
}

/* ---- what is in it ---------------------------------------------------------------------------- */

bool cgroup_make(const char *path, const char *state_path, struct error *err)
{
    if (mkdir(path, 0755) != 0 && errno != EEXIST) {
        return error_set_errno(err, errno, "no control group %s", path);
    }
    setxattr(path, MARK, state_path, strlen(state_path), 0);
    return true;
}

bool cgroup_is_of(const char *path, const char *state_path)
{
    char mark[PATH_MAX];
    ssize_t len = getxattr(path, MARK, mark, sizeof(mark));
    return len > 0 && (size_t)len == strlen(state_path) &&
           memcmp(mark, state_path, (size_t)len) == 0;
}

bool cgroup_enter(const char *path, pid_t pid, struct error *err)
{
    char word[16];
    snprintf(word, sizeof(word), "%d", (int)pid);
    return write_file(path, "cgroup.procs", word) ||
           error_set_errno(
               err, errno, "process %d cannot go to the control group %s", (int)pid, path);
}

void cgroup_count(const char *path, bool is_wanted)
{
    static const char *const controllers[] = {"cpu", "memory", "io", "pids"};
    auto_free char *parent = memory_strndup(path, (size_t)(strrchr(path, '/') - path));
    for (size_t i = 0; i < array_length(controllers); i++) {
        auto_free char *word = memory_printf("%c%s", is_wanted ? '+' : '-', controllers[i]);
        write_file(parent, "cgroup.subtree_control", word); /* not each is here */
    }
}

bool cgroup_leave(const char *path)
{
    auto_free char *parent = memory_strndup(path, (size_t)(strrchr(path, '/') - path));
    struct error ignored = {0};
    return cgroup_enter(parent, 0, &ignored);
}

bool cgroup_remove(const char *path)
{
    uint64_t deadline = clock_deadline(REMOVE_TIMEOUT_MS);
    while (rmdir(path) != 0) {
        if (errno != EBUSY || clock_left_ms(deadline) == 0) {
            return errno == ENOENT;
        }
        poll(NULL, 0, RETRY_MS);
    }
    return true;
}

void cgroup_kill(const char *path)
{
    write_file(path, "cgroup.kill", "1");
}

static bool is_populated(const char *path)
{
    auto_done(text) struct text content = {0};
    return !read_file(path, "cgroup.events", &content) ||
           strstr(text_cstr(&content), "populated 0") == NULL;
}

bool cgroup_is_empty(const char *path, uint64_t timeout_ms)
{
    uint64_t deadline = clock_deadline(timeout_ms);
    while (is_populated(path)) {
        if (timeout_ms == 0 || clock_left_ms(deadline) == 0) {
            return false;
        }
        poll(NULL, 0, RETRY_MS);
    }
    return true;
}

static void find_below(const char *path, unsigned depth, struct strings *paths)
{
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return;
    }
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        struct stat status;
        if (entry->d_name[0] == '.' || entry->d_type != DT_DIR) {
            continue;
        }
        auto_free char *below = memory_printf("%s/%s", path, entry->d_name);
        if (cgroup_uuid(below) == NULL) {
            if (depth > 0) {
                find_below(below, depth - 1, paths);
            }
        } else if (stat(below, &status) == 0 && status.st_uid == geteuid()) {
            strings_add(paths, below);
        }
    }
    closedir(folder);
}

void cgroup_find(struct strings *paths)
{
    auto_free char *root = NULL;
    auto_free char *place = NULL;
    if (find_mount(&root, &place)) {
        find_below(place, FIND_DEPTH, paths);
    }
}

/* ---- what it used ----------------------------------------------------------------------------- */

/* "key number" lines. */
static bool find_number(const struct text *content, const char *key, uint64_t *number)
{
    size_t len = strlen(key);
    for (const char *line = text_cstr(content); *line != '\0';) {
        if (strncmp(line, key, len) == 0 && line[len] == ' ') {
            return sscanf(line + len, " %" SCNu64, number) == 1;
        }
        line += strcspn(line, "\n");
        line += *line == '\n' ? 1 : 0;
    }
    return false;
}

static bool read_number(const char *path, const char *name, uint64_t *number)
{
    auto_done(text) struct text content = {0};
    return read_file(path, name, &content) && sscanf(text_cstr(&content), "%" SCNu64, number) == 1;
}

/* A line for each device: "8:0 rbytes=1 wbytes=2 rios=…". */
static bool read_storage(const char *path, struct cgroup_use *use)
{
    auto_done(text) struct text content = {0};
    uint64_t number;
    if (!read_file(path, "io.stat", &content)) {
        return false;
    }
    for (const char *at = text_cstr(&content); (at = strstr(at, "bytes=")) != NULL; at++) {
        bool is_counted = at > text_cstr(&content) + 1 && at[-2] == ' ' &&
                          sscanf(at, "bytes=%" SCNu64, &number) == 1;
        if (is_counted && at[-1] == 'r') {
            use->read_bytes += number;
        } else if (is_counted && at[-1] == 'w') {
            use->written_bytes += number;
        }
    }
    return true;
}

static int read_pressure(const char *path, const char *name)
{
    auto_done(text) struct text content = {0};
    unsigned whole, hundredths;
    bool is_read = read_file(path, name, &content) &&
                   sscanf(text_cstr(&content), "some avg10=%u.%2u", &whole, &hundredths) == 2;
    return is_read && whole <= 100 ? (int)(whole * 100 + hundredths) : -1;
}

void cgroup_read(const char *path, struct cgroup_use *use)
{
    auto_done(text) struct text content = {0};
    uint64_t usec = 0;
    *use = (struct cgroup_use){.cpu_pressure = read_pressure(path, "cpu.pressure"),
        .memory_pressure = read_pressure(path, "memory.pressure")};
    use->has_cpu =
        read_file(path, "cpu.stat", &content) && find_number(&content, "usage_usec", &usec);
    use->cpu_ms = usec / 1000;
    use->has_memory = read_number(path, "memory.current", &use->memory_bytes);
    if (use->has_memory && !read_number(path, "memory.peak", &use->memory_peak_bytes)) {
        use->memory_peak_bytes = use->memory_bytes; /* not of this kernel */
    }
    use->has_storage = read_storage(path, use);
}
