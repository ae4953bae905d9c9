/* SPDX-License-Identifier: MIT */
#include "batch/gauge.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/snapshot.h"

static struct job_item job_at(enum job_state state, enum progress_phase phase, uint64_t done)
{
    return (struct job_item){
        .id = 7,
        .title = "pull debian",
        .object = "kernel/debian",
        .line = "kernel pull debian",
        .note = "",
        .state = state,
        .phase = phase,
        .unit = PROGRESS_BYTES,
        .done = done,
        .total = 1000,
    };
}

struct pipe_ends {
    int read_fd;
    int write_fd;
};

static struct pipe_ends open_pipe(void)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    return (struct pipe_ends){ends[0], ends[1]};
}

static void start(struct gauge *gauge, enum progress_mode mode, int fd)
{
    struct options options;
    struct error err = {0};
    options_init(&options);
    options.progress = mode;
    options.progress_fd = fd;
    assert_true(gauge_init(gauge, &options, "xterm", true, &err));
}

/* Everything that was written so far. */
static void read_lines(int fd, struct strings *lines)
{
    auto_done(text) struct text all = {0};
    char bytes[4096];
    for (ssize_t len = 0; (len = read(fd, bytes, sizeof(bytes))) > 0;) {
        text_append_bytes(&all, bytes, (size_t)len);
    }
    strings_split(lines, text_cstr(&all), "\n");
}

static void jsonl_ends_with_exactly_one_result(void **state)
{
    (void)state;
    struct pipe_ends ends = open_pipe();
    struct gauge gauge;
    start(&gauge, PROGRESS_MODE_JSONL, ends.write_fd);
    struct job_item first = job_at(JOB_RUNNING, PROGRESS_DOWNLOAD, 0);
    struct job_item second = job_at(JOB_RUNNING, PROGRESS_DOWNLOAD, 500);
    struct job_item last = job_at(JOB_FAILED, PROGRESS_VERIFY, 1000);
    error_set(&last.error, ERROR_DIGEST, "not the same");
    gauge_update(&gauge, &first);
    for (int i = 0; i < 1000; ++i) {
        ++second.done;
        gauge_update(&gauge, &second);
    }
    gauge_update(&gauge, &last);
    gauge_update(&gauge, &last);
    gauge_done(&gauge);

    auto_done(strings) struct strings lines = {0};
    read_lines(ends.read_fd, &lines);
    assert_in_range(lines.count, 2, 10);
    size_t results = 0;
    for (size_t i = 0; i < lines.count; ++i) {
        struct error err = {0};
        auto_json struct json *line =
            json_parse(lines.items[i], strlen(lines.items[i]), 1 << 16, 8, "line", &err);
        assert_non_null(line);
        assert_int_equal(json_integer(line, "schema", 0), 1);
        assert_non_null(json_get(line, "time"));
        assert_int_equal(json_integer(line, "job", 0), 7);
        assert_string_equal(json_string(line, "object", ""), "kernel/debian");
        assert_string_equal(json_string(line, "unit", ""), "bytes");
        assert_int_equal(json_integer(line, "total", 0), 1000);
        bool has_result = json_get(line, "result") != NULL;
        results += has_result;
        assert_int_equal(has_result, i + 1 == lines.count);
        if (has_result) {
            assert_string_equal(json_string(line, "result", ""), "failed");
            assert_string_equal(json_string(line, "code", ""), "DIGEST");
            assert_int_equal(json_integer(line, "exit_status", 0), 65);
        }
    }
    assert_int_equal(results, 1);
    close(ends.read_fd);
    close(ends.write_fd);
}

static void unknown_total_is_left_out(void **state)
{
    (void)state;
    struct pipe_ends ends = open_pipe();
    struct gauge gauge;
    start(&gauge, PROGRESS_MODE_JSONL, ends.write_fd);
    struct job_item job = job_at(JOB_OK, PROGRESS_DOWNLOAD, 5);
    job.total = 0;
    gauge_update(&gauge, &job);
    gauge_done(&gauge);
    auto_done(strings) struct strings lines = {0};
    read_lines(ends.read_fd, &lines);
    assert_int_equal(lines.count, 1);
    assert_null(strstr(lines.items[0], "total"));
    assert_non_null(strstr(lines.items[0], "\"result\":\"ok\""));
    close(ends.read_fd);
    close(ends.write_fd);
}

static void refused_command_has_its_line(void **state)
{
    (void)state;
    struct pipe_ends ends = open_pipe();
    struct gauge gauge;
    struct error error = {0};
    error_set(&error, ERROR_BUSY, "busy");
    start(&gauge, PROGRESS_MODE_JSONL, ends.write_fd);
    gauge_refused(&gauge, "debian", &error);
    gauge_done(&gauge);
    auto_done(strings) struct strings lines = {0};
    read_lines(ends.read_fd, &lines);
    assert_int_equal(lines.count, 1);
    assert_non_null(strstr(lines.items[0], "\"code\":\"BUSY\""));
    close(ends.read_fd);
    close(ends.write_fd);
}

/* A pull does not die of a progress reader that went away. */
static void lost_reader_silences_it(void **state)
{
    (void)state;
    struct pipe_ends ends = open_pipe();
    struct gauge gauge;
    start(&gauge, PROGRESS_MODE_JSONL, ends.write_fd);
    close(ends.read_fd);
    struct job_item job = job_at(JOB_OK, PROGRESS_DOWNLOAD, 5);
    gauge_update(&gauge, &job);
    assert_int_equal(gauge.mode, PROGRESS_MODE_NONE);
    gauge_done(&gauge);
    close(ends.write_fd);
}

static void auto_is_silent_without_a_terminal(void **state)
{
    (void)state;
    struct pipe_ends ends = open_pipe();
    struct gauge gauge;
    start(&gauge, PROGRESS_MODE_AUTO, ends.write_fd);
    assert_int_equal(gauge.mode, PROGRESS_MODE_NONE);
    struct job_item job = job_at(JOB_OK, PROGRESS_DOWNLOAD, 5);
    gauge_update(&gauge, &job);
    gauge_done(&gauge);
    auto_done(strings) struct strings lines = {0};
    read_lines(ends.read_fd, &lines);
    assert_int_equal(lines.count, 0);
    close(ends.read_fd);
    close(ends.write_fd);
}

static void plain_shows_lines_without_escapes(void **state)
{
    (void)state;
    struct pipe_ends ends = open_pipe();
    struct gauge gauge;
    start(&gauge, PROGRESS_MODE_PLAIN, ends.write_fd);
    struct job_item job = job_at(JOB_RUNNING, PROGRESS_DOWNLOAD, 500);
    job.title = "pull a\x1b[31m";
    gauge_update(&gauge, &job);
    job.state = JOB_OK;
    gauge_update(&gauge, &job);
    gauge_done(&gauge);
    auto_done(strings) struct strings lines = {0};
    read_lines(ends.read_fd, &lines);
    assert_int_equal(lines.count, 2);
    assert_non_null(strstr(lines.items[0], "50%"));
    for (size_t i = 0; i < lines.count; ++i) {
        assert_null(strchr(lines.items[i], '\x1b'));
        assert_null(strchr(lines.items[i], '\r'));
    }
    close(ends.read_fd);
    close(ends.write_fd);
}

static void closed_descriptor_is_refused(void **state)
{
    (void)state;
    struct options options;
    struct gauge gauge;
    struct error err = {0};
    options_init(&options);
    options.progress = PROGRESS_MODE_JSONL;
    options.progress_fd = 1000;
    assert_false(gauge_init(&gauge, &options, NULL, true, &err));
    assert_int_equal(err.code, ERROR_INVALID);
    gauge_done(&gauge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jsonl_ends_with_exactly_one_result),
        cmocka_unit_test(unknown_total_is_left_out),
        cmocka_unit_test(refused_command_has_its_line),
        cmocka_unit_test(lost_reader_silences_it),
        cmocka_unit_test(auto_is_silent_without_a_terminal),
        cmocka_unit_test(plain_shows_lines_without_escapes),
        cmocka_unit_test(closed_descriptor_is_refused),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
