/* SPDX-License-Identifier: MIT */
#include "engine/change_log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"

#define OLD_NAME "changes.1.jsonl"
#define LOG_BYTES_MAX (1024 * 1024)
/* Read at a time; longer lines are passed over. */
#define READ_BYTES_MAX (64 * 1024)
#define LINE_DEPTH_MAX 4
#define NO_LOGIN UINT32_MAX /* /proc/self/loginuid of who never logged in */

static pthread_once_t self_once = PTHREAD_ONCE_INIT;
static struct {
    char login[64];
    char terminal[32];
} self;

/* ---- who this is ---- */

static bool read_line(const char *path, char *line, size_t size)
{
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, line, size - 1) : -1;
    line[got > 0 ? got : 0] = '\0';
    return got > 0;
}

static void find_login(void)
{
    char line[32];
    uint32_t id = NO_LOGIN;
    bool is_known = read_line("/proc/self/loginuid", line, sizeof(line)) &&
                    sscanf(line, "%" SCNu32, &id) == 1 && id != NO_LOGIN;
    uid_t user = is_known ? (uid_t)id : geteuid();
    struct passwd entry;
    struct passwd *found = NULL;
    char buffer[4096];
    if (getpwuid_r(user, &entry, buffer, sizeof(buffer), &found) == 0 && found != NULL) {
        snprintf(self.login, sizeof(self.login), "%s", entry.pw_name);
    } else {
        snprintf(self.login, sizeof(self.login), "%u", (unsigned)user);
    }
}

/* The controlling terminal, whatever the descriptors are: proc(5), stat, field 7; the numbers are
 * those of Documentation/admin-guide/devices.txt. */
static void find_terminal(void)
{
    char line[1024];
    struct process_stat stat;
    if (!read_line("/proc/self/stat", line, sizeof(line)) || !process_parse_stat(line, &stat)) {
        return;
    }
    unsigned major = stat.terminal >> 8 & 0xfff;
    unsigned minor = (stat.terminal & 0xff) | (stat.terminal >> 12 & 0xfff00);
    if (major >= 136 && major <= 143) {
        snprintf(self.terminal, sizeof(self.terminal), "pts/%u", minor + (major - 136) * 256);
    } else if (major == 4 && minor < 64) {
        snprintf(self.terminal, sizeof(self.terminal), "tty%u", minor);
    } else if (major == 4) {
        snprintf(self.terminal, sizeof(self.terminal), "ttyS%u", minor - 64);
    }
}

static void find_self(void)
{
    find_login();
    find_terminal();
}

void change_set_self(struct change *change)
{
    pthread_once(&self_once, find_self);
    change->login = self.login;
    change->terminal = self.terminal;
    change->process = process_self();
}

/* ---- writing ---- */

static void write_line(const struct change *change, struct text *line)
{
    auto_json struct json *json = json_new_object();
    char stamp[CLOCK_TEXT_LEN];
    json_put_integer(json, "format", 1);
    json_put_string(json, "time", clock_format(change->at, stamp));
    json_put_string(json, "login", change->login);
    json_put_known(json, "terminal", change->terminal);
    json_put_integer(json, "pid", change->process.pid);
    json_put_integer(json, "start_time", (int64_t)change->process.start_time);
    json_put_string(json, "boot_id", process_boot_id());
    json_put_string(json, "subject", change->subject);
    json_put_string(json, "verb", change->verb);
    json_put_known(json, "object", change->object);
    json_put_string(json, "command", change->line);
    if (change->is_forced) {
        json_put_bool(json, "forced", true);
    }
    if (change->names != NULL) {
        json_put(json, "names", json_copy(change->names));
    }
    json_write(json, false, line);
    text_append_char(line, '\n');
}

/* Whoever gets the lock moves it, if it is still the one that is too long. */
static void turn_over(int log, int fd, ino_t file)
{
    struct stat now;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 &&
        fstatat(log, CHANGE_LOG_NAME, &now, AT_SYMLINK_NOFOLLOW) == 0 && now.st_ino == file) {
        renameat(log, CHANGE_LOG_NAME, log, OLD_NAME);
    }
}

/* What somebody began and could not end (a full disk) is not to swallow this line too. */
static bool is_cut(int fd)
{
    struct stat info;
    char last = '\n';
    return fstat(fd, &info) == 0 && info.st_size > 0 &&
           pread(fd, &last, 1, info.st_size - 1) == 1 && last != '\n';
}

bool change_log_add(int log, const struct change *change, struct error *err)
{
    auto_done(text) struct text line = {0};
    auto_close int fd =
        openat(log, CHANGE_LOG_NAME, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 && is_cut(fd)) {
        text_append_char(&line, '\n');
    }
    write_line(change, &line);
    if (fd < 0 || write(fd, line.data, line.len) != (ssize_t)line.len) {
        return error_set_errno(err, errno, "cannot write log/%s", CHANGE_LOG_NAME);
    }
    struct stat info;
    if (fstat(fd, &info) == 0 && info.st_size > LOG_BYTES_MAX) {
        turn_over(log, fd, info.st_ino);
    }
    return true;
}

/* ---- reading ---- */

struct change_mark change_log_end(int log)
{
    struct stat info;
    struct change_mark mark = {0};
    if (fstatat(log, CHANGE_LOG_NAME, &info, AT_SYMLINK_NOFOLLOW) == 0) {
        mark = (struct change_mark){.file = info.st_ino, .offset = (uint64_t)info.st_size};
    }
    return mark;
}

struct reader {
    struct change_mark *mark;
    void (*see)(void *context, const struct change *change);
    void *context;
};

static bool are_names(const struct json *names)
{
    bool are_strings = names != NULL && json_is_array(names);
    for (size_t i = 0; are_strings && i < json_count(names); i++) {
        are_strings = json_string_value(json_at(names, i)) != NULL;
    }
    return are_strings;
}

static void see_line(const struct reader *reader, const char *line, size_t len)
{
    struct error ignored = {0};
    auto_json struct json *json =
        json_parse(line, len, READ_BYTES_MAX, LINE_DEPTH_MAX, CHANGE_LOG_NAME, &ignored);
    if (json == NULL || json_integer(json, "format", 1) != 1) {
        reader->mark->passed += len > 0;
        return;
    }
    const struct json *names = json_get(json, "names");
    struct change change = {.login = json_string(json, "login", ""),
        .terminal = json_string(json, "terminal", ""),
        .process = {.pid = (pid_t)json_integer(json, "pid", 0),
            .start_time = (uint64_t)json_integer(json, "start_time", 0)},
        .is_before_boot = process_is_boot_other(json_string(json, "boot_id", "")),
        .subject = json_string(json, "subject", ""),
        .verb = json_string(json, "verb", ""),
        .object = json_string(json, "object", ""),
        .line = json_string(json, "command", ""),
        .is_forced = json_bool(json, "forced", false),
        .names = are_names(names) ? names : NULL};
    if (!clock_parse(json_string(json, "time", ""), &change.at)) {
        reader->mark->passed++;
        return;
    }
    reader->see(reader->context, &change);
}

/* Bytes that are done with: up to the last end of a line, or all when there is none in so many. */
static size_t see_lines(const struct reader *reader, const char *bytes, size_t len)
{
    const char *at = bytes;
    const char *end = bytes + len;
    for (const char *stop; (stop = memchr(at, '\n', (size_t)(end - at))) != NULL; at = stop + 1) {
        see_line(reader, at, (size_t)(stop - at));
    }
    return at == bytes && len == READ_BYTES_MAX ? len : (size_t)(at - bytes);
}

/* From the mark's offset on; *rest: bytes behind the last end of a line. */
static bool read_file(int fd, const struct reader *reader, size_t *rest, struct error *err)
{
    auto_free char *bytes = memory_zero(READ_BYTES_MAX, 1);
    struct change_mark *mark = reader->mark;
    ssize_t got = 0;
    do {
        got = pread(fd, bytes, READ_BYTES_MAX, (off_t)mark->offset);
        size_t seen = got > 0 ? see_lines(reader, bytes, (size_t)got) : 0;
        mark->offset += seen;
        *rest = got > 0 ? (size_t)got - seen : 0;
    } while (got == READ_BYTES_MAX);
    return got >= 0 || error_set_errno(err, errno, "cannot read log/%s", CHANGE_LOG_NAME);
}

/* A log that was moved away, if it is that one, or any (0). -1: it is not there. */
static int open_old(int log, ino_t wanted)
{
    struct stat info;
    int fd = openat(log, OLD_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && (fstat(fd, &info) != 0 || (wanted != 0 && info.st_ino != wanted))) {
        close(fd);
        return -1;
    }
    return fd;
}

/* What still came before it was moved away. */
static bool read_old(int log, const struct reader *reader, ino_t wanted, struct error *err)
{
    size_t rest = 0;
    auto_close int fd = open_old(log, wanted);
    bool is_read = fd < 0 || read_file(fd, reader, &rest, err);
    reader->mark->passed += rest > 0;
    return is_read;
}

/* -1 with err->code ERROR_NONE: there is none yet. */
static int open_log(int log, struct stat *info, struct error *err)
{
    int fd = openat(log, CHANGE_LOG_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno != ENOENT) {
        error_set_errno(err, errno, "cannot read log/%s", CHANGE_LOG_NAME);
    } else if (fd >= 0 && fstat(fd, info) != 0) {
        error_set_errno(err, errno, "cannot read log/%s", CHANGE_LOG_NAME);
        close(fd);
        fd = -1;
    }
    return fd;
}

bool change_log_read(int log, struct change_mark *mark,
    void (*see)(void *context, const struct change *change), void *context, struct error *err)
{
    const struct reader reader = {.mark = mark, .see = see, .context = context};
    struct stat info;
    size_t rest = 0;
    auto_close int fd = open_log(log, &info, err);
    if (fd < 0) {
        return err->code == ERROR_NONE;
    }
    bool is_other = info.st_ino != mark->file;
    if (is_other && mark->file != 0 && !read_old(log, &reader, mark->file, err)) {
        return false;
    }
    if (is_other || (uint64_t)info.st_size < mark->offset) {
        mark->file = info.st_ino;
        mark->offset = 0;
    }
    return read_file(fd, &reader, &rest, err);
}

bool change_log_read_all(int log, struct change_mark *mark,
    void (*see)(void *context, const struct change *change), void *context, struct error *err)
{
    const struct reader reader = {.mark = mark, .see = see, .context = context};
    struct stat info;
    size_t rest = 0;
    *mark = (struct change_mark){0};
    auto_close int fd = open_log(log, &info, err);
    if (err->code != ERROR_NONE) {
        return false;
    }
    /* What was the present log a moment ago may have become the old one: it is read once. */
    auto_close int old = open_old(log, 0);
    struct stat old_info;
    bool is_once =
        fd < 0 || (old >= 0 && fstat(old, &old_info) == 0 && old_info.st_ino != info.st_ino);
    if (old >= 0 && is_once && !read_file(old, &reader, &rest, err)) {
        return false;
    }
    mark->passed += rest > 0;
    rest = 0;
    mark->file = fd >= 0 ? info.st_ino : 0;
    mark->offset = 0;
    bool is_read = fd < 0 || read_file(fd, &reader, &rest, err);
    mark->passed += rest > 0;
    return is_read;
}
