/* SPDX-License-Identifier: MIT */
#include "batch/script.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "batch/options.h"
#include "batch/request.h"
#include "batch/runner.h"
#include "batch/words.h"

#define EXIT_PARTLY 2
#define LINE_MAX_BYTES (64 * 1024)

struct script {
    struct runner *runner;
    const struct request *whole; /* what the command line asked for */
    const char *shown;           /* of the file, in messages */
    int fd;
    struct text buffer; /* read and not yet run */
    bool is_at_end;
    unsigned long line_number;
    size_t done_count;
    int first_failure; /* exit status; 0 while all went well */
};

/* Reads more, waiting for it beside the signals. False when a signal asked for the end or reading
 * failed. */
static bool read_more(struct script *script, struct error *err)
{
    struct signals *signals = &script->runner->signals;
    while (signals->asked == 0) {
        struct pollfd fds[] = {
            {.fd = signals->fd, .events = POLLIN},
            {.fd = script->fd, .events = POLLIN},
        };
        poll(fds, array_length(fds), -1);
        signals_read(signals);
        if (signals->asked != 0 || fds[1].revents == 0) {
            continue;
        }
        char bytes[4096];
        ssize_t len = read(script->fd, bytes, sizeof(bytes));
        if (len > 0) {
            text_append_bytes(&script->buffer, bytes, (size_t)len);
            return true;
        }
        if (len == 0) {
            script->is_at_end = true;
            return true;
        }
        if (errno != EINTR && errno != EAGAIN) {
            return error_set_errno(err, errno, "cannot read the script %s", script->shown);
        }
    }
    return false;
}

/* Takes the next line out of the buffer, without its end; a missing last line end is fine. False
 * at the end, on a signal and on failure. */
static bool next_line(struct script *script, struct text *line, struct error *err)
{
    text_clear(line);
    while (true) {
        const char *start = text_cstr(&script->buffer);
        const char *end = memchr(start, '\n', script->buffer.len);
        if (end == NULL && script->buffer.len > LINE_MAX_BYTES) {
            return error_set(err, ERROR_LIMIT, "%s: line %lu is longer than %d bytes",
                script->shown, script->line_number + 1, LINE_MAX_BYTES);
        }
        if (end != NULL || (script->is_at_end && script->buffer.len > 0)) {
            size_t len = end != NULL ? (size_t)(end - start) : script->buffer.len;
            text_append_bytes(line, start, len);
            auto_done(text) struct text rest = {0};
            size_t taken = len + (end != NULL);
            text_append_bytes(&rest, start + taken, script->buffer.len - taken);
            struct text old = script->buffer;
            script->buffer = rest;
            rest = old;
            ++script->line_number;
            return true;
        }
        if (script->is_at_end || !read_more(script, err)) {
            return false;
        }
    }
}

/* Runs one line; an empty one and a comment are neither done nor failed. */
static void run_line(struct script *script, const struct text *line)
{
    struct error err = {0};
    auto_done(strings) struct strings words = {0};
    auto_done(request) struct request request;
    auto_free char *place = memory_printf("%s:%lu", script->shown, script->line_number);
    request_init(&request);
    int status = 0;
    if (!words_split(text_cstr(line), line->len, &words, &err)) {
        status = runner_refuse(script->runner, script->whole, place, &err);
    } else if (words.count == 0) {
        return;
    } else if (!request_parse(
                   &request, words.items, words.count, &script->whole->options, true, &err)) {
        status = runner_refuse(script->runner, &request, place, &err);
    } else {
        status = runner_run(script->runner, &request, place);
    }
    if (status == 0) {
        ++script->done_count;
    } else if (script->first_failure == 0) {
        script->first_failure = status;
    }
}

static int run_lines(struct script *script)
{
    struct error err = {0};
    auto_done(text) struct text line = {0};
    while (next_line(script, &line, &err)) {
        run_line(script, &line);
        if (script->runner->signals.asked != 0 ||
            (script->first_failure != 0 && !script->whole->options.is_keep_going)) {
            break;
        }
    }
    if (err.code != ERROR_NONE) {
        return runner_refuse(script->runner, script->whole, NULL, &err);
    }
    if (script->runner->signals.asked != 0) {
        return 128 + script->runner->signals.asked;
    }
    bool is_partly = script->whole->options.is_keep_going && script->done_count > 0;
    return script->first_failure != 0 && is_partly ? EXIT_PARTLY : script->first_failure;
}

int script_run(struct runner *runner, const struct request *request)
{
    const char *path = request->script;
    bool is_stdin = strcmp(path, "-") == 0;
    struct script script = {
        .runner = runner,
        .whole = request,
        .shown = is_stdin ? "stdin" : path,
        .fd = STDIN_FILENO,
    };
    auto_close int fd = -1;
    if (!is_stdin) {
        fd = open(path, O_RDONLY | O_CLOEXEC);
        script.fd = fd;
    }
    struct error err = {0};
    if (script.fd < 0) {
        error_set_errno(&err, errno, "cannot open the script %s", path);
        return runner_refuse(runner, request, NULL, &err);
    }
    int status = run_lines(&script);
    text_done(&script.buffer);
    return status;
}
