/* SPDX-License-Identifier: MIT */
#include "batch/output.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "batch/rawtty.h"
#include "batch/signals.h"

/* Also to a descriptor that somebody made non-blocking. */
static bool write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t written = write(fd, bytes, len);
        if (written >= 0) {
            bytes += written;
            len -= (size_t)written;
        } else if (errno == EAGAIN) {
            struct pollfd ready = {.fd = fd, .events = POLLOUT};
            poll(&ready, 1, -1);
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

bool output_result(const struct text *text, struct error *err)
{
    if (text->is_full) {
        return error_set(err, ERROR_LIMIT, "the result is too long to print");
    }
    if (write_all(STDOUT_FILENO, text_cstr(text), text->len)) {
        return true;
    }
    if (errno == EPIPE) {
        rawtty_restore();
        signals_die_of_pipe();
    }
    return error_set_errno(err, errno, "cannot write the result to stdout");
}

size_t output_columns(int fd)
{
    struct winsize size = {0};
    if (!isatty(fd)) {
        return 0;
    }
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : 80;
}

void output_complain(const char *program, const char *sentence, bool is_utf8)
{
    auto_done(text) struct text line = {0};
    text_printf(&line, "%s: ", program);
    text_append_safe(&line, sentence, strlen(sentence), is_utf8);
    text_append_char(&line, '\n');
    write_all(STDERR_FILENO, text_cstr(&line), line.len);
}
