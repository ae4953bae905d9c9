/* SPDX-License-Identifier: MIT */
#include "batch/report.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/command.h"

static struct outcome good(const char *json_text)
{
    struct error err = {0};
    struct json *value = json_parse(json_text, strlen(json_text), 1 << 20, 64, "test", &err);
    assert_non_null(value);
    if (json_is_array(value)) {
        json_free(value);
        return (struct outcome){.is_ok = true, .rows = memory_strdup(json_text)};
    }
    return (struct outcome){.is_ok = true, .value = value};
}

static struct outcome bad(const char *name, enum error_code code, const char *sentence)
{
    struct outcome outcome = {.name = memory_strdup(name)};
    error_set(&outcome.error, code, "%s", sentence);
    return outcome;
}

struct printed {
    struct text out;
    struct text err;
};

static void printed_done(struct printed *printed)
{
    text_done(&printed->out);
    text_done(&printed->err);
}

static int redirect(int fd, int *saved)
{
    char path[] = "/tmp/test_report.XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    unlink(path);
    *saved = dup(fd);
    dup2(file, fd);
    return file;
}

static void read_back(int file, int fd, int saved, struct text *out)
{
    struct error err = {0};
    dup2(saved, fd);
    close(saved);
    lseek(file, 0, SEEK_SET);
    assert_true(file_read_fd(file, "printed", 1 << 20, out, &err));
    close(file);
}

/* Prints with both streams caught, frees the outcomes. */
static void print(struct printed *printed, enum output_format format, bool is_quiet,
    struct outcome *outcomes, size_t count, bool is_stream)
{
    static const struct column columns[] = {{"NAME", "name", COLUMN_TEXT}};
    struct options options;
    options_init(&options);
    options.format = format;
    options.is_quiet = is_quiet;
    struct report report = {
        .program = "banger",
        .columns = columns,
        .column_count = 1,
        .options = &options,
        .style.is_utf8 = true,
        .is_stream = is_stream,
        .is_many = count > 1,
    };
    struct error err = {0};
    int saved_out = -1;
    int saved_err = -1;
    int out = redirect(STDOUT_FILENO, &saved_out);
    int errors = redirect(STDERR_FILENO, &saved_err);
    bool is_printed = report_print(&report, outcomes, count, &err);
    read_back(out, STDOUT_FILENO, saved_out, &printed->out);
    read_back(errors, STDERR_FILENO, saved_err, &printed->err);
    assert_true(is_printed);
    for (size_t i = 0; i < count; ++i) {
        outcome_done(&outcomes[i]);
    }
}

static void one_result_is_printed_in_each_format(void **state)
{
    (void)state;
    static const struct {
        enum output_format format;
        bool is_quiet;
        const char *expected;
    } rows[] = {
        {OUTPUT_TABLE, false, "name: a\nchanged: true\n"},
        {OUTPUT_JSONL, false, "{\"name\":\"a\",\"changed\":true}\n"},
        {OUTPUT_TABLE, true, "a\n"},
        {OUTPUT_JSON, true, "a\n"},
    };
    for (size_t i = 0; i < array_length(rows); ++i) {
        auto_done(printed) struct printed printed = {0};
        struct outcome outcome = good("{\"name\":\"a\",\"changed\":true}");
        print(&printed, rows[i].format, rows[i].is_quiet, &outcome, 1, false);
        assert_string_equal(text_cstr(&printed.out), rows[i].expected);
        assert_string_equal(text_cstr(&printed.err), "");
    }
}

static void list_is_a_line_each_with_jsonl(void **state)
{
    (void)state;
    auto_done(printed) struct printed printed = {0};
    struct outcome outcome = good("[{\"name\":\"a\"},{\"name\":\"b\"}]");
    print(&printed, OUTPUT_JSONL, false, &outcome, 1, false);
    assert_string_equal(text_cstr(&printed.out), "{\"name\":\"a\"}\n{\"name\":\"b\"}\n");
}

static void failure_leaves_stdout_of_tables_empty(void **state)
{
    (void)state;
    auto_done(printed) struct printed printed = {0};
    struct outcome outcome = bad("x", ERROR_NOT_FOUND, "no \x1b[31mx");
    print(&printed, OUTPUT_TABLE, false, &outcome, 1, false);
    assert_string_equal(text_cstr(&printed.out), "");
    assert_string_equal(text_cstr(&printed.err), "banger: no \\x1b[31mx\n");
}

static void failure_is_an_object_with_json(void **state)
{
    (void)state;
    auto_done(printed) struct printed printed = {0};
    struct outcome outcome = bad("x", ERROR_EXISTS, "x is here");
    print(&printed, OUTPUT_JSON, false, &outcome, 1, false);
    struct error err = {0};
    auto_json struct json *json =
        json_parse(text_cstr(&printed.out), printed.out.len, 1 << 20, 64, "printed", &err);
    assert_non_null(json);
    const struct json *error = json_get(json, "error");
    assert_string_equal(json_string(error, "code", ""), "EXISTS");
    assert_string_equal(json_string(error, "message", ""), "x is here");
    assert_non_null(json_get(error, "hint"));
    assert_int_equal(json_integer(error, "exit_status", 0), 73);
    assert_string_equal(text_cstr(&printed.err), "banger: x is here\n");
}

static void digests_of_a_mismatch_are_in_the_object(void **state)
{
    (void)state;
    auto_done(printed) struct printed printed = {0};
    struct outcome outcome = bad("x", ERROR_DIGEST, "not the same");
    outcome.has_expected = outcome.has_found = true;
    memset(&outcome.expected, 0xab, sizeof(outcome.expected));
    memset(&outcome.found, 0xcd, sizeof(outcome.found));
    print(&printed, OUTPUT_JSONL, false, &outcome, 1, false);
    assert_non_null(strstr(text_cstr(&printed.out), "\"expected\":\"abab"));
    assert_non_null(strstr(text_cstr(&printed.out), "\"found\":\"cdcd"));
}

static void many_operands_keep_their_order(void **state)
{
    (void)state;
    auto_done(printed) struct printed printed = {0};
    struct outcome outcomes[] = {
        good("{\"name\":\"a\",\"changed\":true}"),
        bad("b", ERROR_NOT_FOUND, "no b"),
        good("{\"name\":\"c\",\"changed\":true}"),
    };
    assert_int_equal(report_exit_status(outcomes, 3), 2);
    print(&printed, OUTPUT_JSONL, false, outcomes, 3, false);
    assert_true(text_has_prefix(text_cstr(&printed.out),
        "{\"name\":\"a\",\"changed\":true}\n"
        "{\"name\":\"b\",\"changed\":false,\"error\":{\"code\":\"NOT_FOUND\""));
    assert_true(
        text_has_suffix(text_cstr(&printed.out), "}}\n{\"name\":\"c\",\"changed\":true}\n"));
}

static void exit_status_is_of_the_first_failure(void **state)
{
    (void)state;
    struct outcome outcomes[] = {
        {.error = {.code = ERROR_BUSY}},
        {.error = {.code = ERROR_NOT_FOUND}},
    };
    struct outcome done = {.is_ok = true};
    assert_int_equal(report_exit_status(outcomes, 2), 75);
    assert_int_equal(report_exit_status(&outcomes[1], 1), 66);
    assert_int_equal(report_exit_status(&done, 1), 0);
}

/* host doctor: what it found is the result even though the status is not 0. */
static void result_and_failure_together_print_both(void **state)
{
    (void)state;
    auto_done(printed) struct printed printed = {0};
    struct outcome outcome = good("[{\"name\":\"kvm\"}]");
    outcome.is_ok = false;
    error_set(&outcome.error, ERROR_UNSUPPORTED, "no kvm");
    print(&printed, OUTPUT_TABLE, false, &outcome, 1, false);
    assert_string_equal(text_cstr(&printed.out), "NAME\nkvm\n");
    assert_string_equal(text_cstr(&printed.err), "banger: no kvm\n");
}

static void stream_is_never_mixed_with_a_result(void **state)
{
    (void)state;
    auto_done(printed) struct printed printed = {0};
    struct outcome outcome = bad("x", ERROR_NOT_FOUND, "no x");
    print(&printed, OUTPUT_JSON, false, &outcome, 1, true);
    assert_string_equal(text_cstr(&printed.out), "");
    assert_string_equal(text_cstr(&printed.err), "banger: no x\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_result_is_printed_in_each_format),
        cmocka_unit_test(list_is_a_line_each_with_jsonl),
        cmocka_unit_test(failure_leaves_stdout_of_tables_empty),
        cmocka_unit_test(failure_is_an_object_with_json),
        cmocka_unit_test(digests_of_a_mismatch_are_in_the_object),
        cmocka_unit_test(many_operands_keep_their_order),
        cmocka_unit_test(exit_status_is_of_the_first_failure),
        cmocka_unit_test(result_and_failure_together_print_both),
        cmocka_unit_test(stream_is_never_mixed_with_a_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
