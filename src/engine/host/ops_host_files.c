/* SPDX-License-Identifier: MIT */
/* host files: what is in a directory, for whoever chooses a file by looking. Never the way a file is
 * opened afterwards: what a list says is old when it arrives. */
#include "base/cancel.h"
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"
#include "engine/ops.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Entries told of; a directory may hold millions. */
#define ENTRIES_MAX 4000

/* Whether a name can be shown, and typed, as it is. */
static bool is_plain(const char *name)
{
    auto_done(text) struct text safe = {0};
    text_append_safe(&safe, name, strlen(name), true);
    return strcmp(text_cstr(&safe), name) == 0;
}

static const char *kind_of(mode_t mode)
{
    return S_ISDIR(mode) ? "directory" : S_ISREG(mode) ? "file" : "other";
}

static void add_entry(struct json *entries, int dir, const char *name)
{
    struct stat about;
    bool is_known = fstatat(dir, name, &about, 0) == 0; /* through links: what would be opened */
    struct json *entry = json_new_object();
    json_put_string(entry, "name", name);
    json_put_string(entry, "kind", is_known ? kind_of(about.st_mode) : "other");
    if (is_known && S_ISREG(about.st_mode)) {
        json_put_integer(entry, "size_bytes", (int64_t)about.st_size);
    }
    json_put_bool(entry, "plain", is_plain(name));
    json_append(entries, entry);
}

static void close_dir(DIR **dir)
{
    if (*dir != NULL) {
        closedir(*dir);
    }
}

/* *has_more: there were too many. */
static bool read_entries(
    struct ops *ops, int fd, struct json *entries, bool *has_more, struct error *err)
{
    const char *begins = command_get(ops->command, "begins");
    __attribute__((cleanup(close_dir))) DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        int error = errno;
        close(fd);
        return error_set_errno(err, error, "the directory cannot be read");
    }
    const struct dirent *entry = NULL;
    for (size_t kept = 0; (entry = readdir(dir)) != NULL;) {
        bool is_dots = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        if (cancel_check(ops->cancel, err)) {
            return false;
        }
        if (is_dots || (begins != NULL && !text_has_prefix(entry->d_name, begins))) {
            continue;
        }
        if (kept == ENTRIES_MAX) {
            *has_more = true;
            return true;
        }
        add_entry(entries, dirfd(dir), entry->d_name);
        kept++;
    }
    return true;
}

bool ops_host_files(struct ops *ops, struct json **result, struct error *err)
{
    const char *path = command_get(ops->command, "dir");
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* through links, as people do */
    if (fd < 0) {
        return error_set_errno(err, errno, "cannot open the directory %s", path);
    }
    auto_json struct json *entries = json_new_array();
    bool has_more = false;
    if (!read_entries(ops, fd, entries, &has_more, err)) {
        return error_wrap(err, "%s cannot be listed", path);
    }
    *result = json_new_object();
    json_put_string(*result, "dir", path);
    json_put_bool(*result, "more", has_more);
    json_put(*result, "entries", take_ptr(entries));
    return true;
}
