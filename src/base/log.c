/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

/* The log sink is one of the two globals the style allows. */
static atomic_int sink_fd = STDERR_FILENO;
static atomic_int sink_level = LOG_WARNING;

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug",
    [LOG_INFO] = "info",
    [LOG_WARNING] = "warning",
    [LOG_ERROR] = "error",
};

bool log_open(int dir, const char *path, struct error *err)
{
    int fd = openat(dir, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return error_set_errno(err, errno, "cannot open the log %s", path);
    }
    int old = atomic_exchange(&sink_fd, fd);
    if (old != STDERR_FILENO) {
        close(old);
    }
    return true;
}

void log_set_level(enum log_level level)
{
    atomic_store(&sink_level, (int)level);
}

bool log_parse_level(const char *word, enum log_level *level)
{
    for (size_t i = 0; i < array_length(level_names); i++) {
        if (strcmp(word, level_names[i]) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

void log_write(enum log_level level, const char *format, ...)
{
    if ((int)level < atomic_load(&sink_level)) {
        return;
    }
    int saved = errno;
    auto_done(text) struct text foreign = {0};
    va_list args;
    va_start(args, format);
    text_vprintf(&foreign, format, args);
    va_end(args);
    auto_done(text) struct text line = {0};
    char stamp[CLOCK_TEXT_LEN];
    text_printf(&line, "%s %s: ", clock_format(clock_wall(), stamp), level_names[level]);
    text_append_safe(&line, text_cstr(&foreign), foreign.len, true);
    text_append_char(&line, '\n');
    ssize_t ignored = write(atomic_load(&sink_fd), line.data, line.len);
    (void)ignored;
    errno = saved;
}
