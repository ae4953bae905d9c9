/* SPDX-License-Identifier: MIT */
#include "batch/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "batch/words.h"
#include "engine/command.h"
#include "engine/engine.h"

static bool parse_as(struct request *request, const char *line, bool is_line, struct error *err)
{
    auto_done(strings) struct strings words = {0};
    auto_done(options) struct options base;
    options_init(&base);
    request_init(request);
    assert_true(words_split(line, strlen(line), &words, err));
    return request_parse(request, words.items, words.count, &base, is_line, err);
}

/* What the words mean, as the lines of the commands joined with "; ". */
static void assert_parsed(const char *line, const char *expected)
{
    auto_done(request) struct request request;
    auto_done(text) struct text lines = {0};
    struct error err = {0};
    if (!parse_as(&request, line, false, &err)) {
        fail_msg("%s: %s", line, err.text);
    }
    for (size_t i = 0; i < request.count; ++i) {
        text_append(&lines, i > 0 ? "; " : "");
        command_line(request.commands[i], &lines);
    }
    assert_string_equal(text_cstr(&lines), expected);
}

static void refuse(const char *line, const char *part)
{
    auto_done(request) struct request request;
    struct error err = {0};
    assert_false(parse_as(&request, line, false, &err));
    assert_int_equal(err.code, ERROR_INVALID);
    if (strstr(err.text, part) == NULL) {
        fail_msg("%s: \"%s\" does not tell of \"%s\"", line, err.text, part);
    }
}

static void options_stand_anywhere(void **state)
{
    (void)state;
    assert_parsed("kernel pull debian", "kernel pull debian");
    assert_parsed("kernel pull --force debian", "kernel pull debian --force");
    assert_parsed("kernel import --from=/x lab", "kernel import lab --from /x");
    assert_parsed(
        "kernel import lab --from /x --arch x86_64", "kernel import lab --from /x --arch x86_64");
    assert_parsed("--format json kernel pull debian", "kernel pull debian");
    assert_parsed("kernel pull debian --format=json -q", "kernel pull debian");
}

static void letters_stand_for_names(void **state)
{
    (void)state;
    assert_parsed("kernel pull -f debian", "kernel pull debian --force");
    assert_parsed("vm exec -nt web -- sh", "vm exec web --no-stdin --tty -- sh");
    assert_parsed("vm exec -eA=1 -e B=2 web -- env", "vm exec web --env A=1 --env B=2 -- env");
}

static void place_and_name_are_the_same(void **state)
{
    (void)state;
    assert_parsed("kernel pull --name debian", "kernel pull debian");
    assert_parsed("image pull debian --name deb", "image pull debian --name deb");
}

static void aliases_are_the_verb(void **state)
{
    (void)state;
    assert_parsed("vm ps", "vm list");
    assert_parsed("kernel ls", "kernel list");
    assert_parsed("kernel delete a", "kernel rm a");
    assert_parsed("--version", "version");
}

static void many_operands_are_many_commands(void **state)
{
    (void)state;
    assert_parsed(
        "kernel rm b a c --force", "kernel rm b --force; kernel rm a --force; kernel rm c --force");
    assert_parsed("kernel rm a b a", "kernel rm a; kernel rm b");
}

static void words_behind_two_dashes_are_a_command(void **state)
{
    (void)state;
    assert_parsed(
        "vm exec web -- ls -l --help --format x", "vm exec web -- ls -l --help --format x");
    assert_parsed("vm exec web -- -- a", "vm exec web -- -- a");
    /* Where no command can stand it ends the options. */
    assert_parsed("kernel pull -- debian", "kernel pull debian");
    refuse("vm exec web --", "--");
    refuse("vm exec web uname", "--");
}

static void timeout_and_dry_run_reach_the_command(void **state)
{
    (void)state;
    auto_done(request) struct request request;
    struct error err = {0};
    assert_true(parse_as(&request, "kernel rm a b --dry-run --timeout 2m", false, &err));
    assert_int_equal(request.count, 2);
    for (size_t i = 0; i < request.count; ++i) {
        assert_true(command_is_dry_run(request.commands[i]));
        assert_int_equal(command_timeout_ms(request.commands[i]), 120000);
    }
}

static void common_options_have_their_meaning(void **state)
{
    (void)state;
    auto_done(request) struct request request;
    struct error err = {0};
    assert_true(parse_as(&request,
        "kernel list --state-dir /s --config /c --format jsonl -q --progress jsonl --progress-fd 7 "
        "--timeout 3s --lock-timeout 4s --dry-run --keep-going --readonly --accel tcg --no-color "
        "--ascii --cacert /ca",
        false, &err));
    const struct options *options = &request.options;
    assert_string_equal(options->state_dir, "/s");
    assert_string_equal(options->config_file, "/c");
    assert_int_equal(options->format, OUTPUT_JSONL);
    assert_true(options->is_quiet);
    assert_int_equal(options->progress, PROGRESS_MODE_JSONL);
    assert_int_equal(options->progress_fd, 7);
    assert_int_equal(options->timeout_ms, 3000);
    assert_int_equal(options->lock_timeout_ms, 4000);
    assert_true(options->is_dry_run && options->is_keep_going && options->is_readonly);
    assert_string_equal(options->accel, "tcg");
    assert_true(options->is_monochrome && options->is_ascii);
    assert_string_equal(options->ca_file, "/ca");

    struct engine_config config = {.state_dir = "/old", .cache_dir = "/old-cache"};
    options_apply(options, &config);
    assert_string_equal(config.state_dir, "/s");
    assert_null(config.cache_dir);
    assert_string_equal(config.config_file, "/c");
    assert_string_equal(config.accel, "tcg");
    assert_string_equal(config.ca_file, "/ca");
    assert_int_equal(config.lock_timeout_ms, 4000);
    assert_true(config.is_readonly);
}

/* A row added to the table without a meaning here would be ERROR_BUG at run time. */
static void every_common_option_is_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < common_argument_count; ++i) {
        const struct argument *argument = &common_arguments[i];
        auto_done(options) struct options options;
        options_init(&options);
        auto_done(strings) struct strings choices = {0};
        strings_split(&choices, argument->choices != NULL ? argument->choices : "5", "|");
        for (size_t c = 0; c < choices.count; ++c) {
            struct error err = {0};
            const char *value = argument->kind == ARGUMENT_FLAG ? NULL : choices.items[c];
            if (!options_set(&options, argument, value, &err)) {
                fail_msg("--%s: %s", argument->name, err.text);
            }
        }
    }
}

static void relative_places_become_absolute(void **state)
{
    (void)state;
    auto_done(request) struct request request;
    struct error err = {0};
    assert_true(parse_as(&request, "kernel list --state-dir here", false, &err));
    assert_int_equal(request.options.state_dir[0], '/');
    assert_true(text_has_suffix(request.options.state_dir, "/here"));
}

static void mistakes_are_named(void **state)
{
    (void)state;
    refuse("kernl list", "did you mean \"kernel\"");
    refuse("kernel lsit", "did you mean \"list\"");
    refuse("kernel pull debian --forse", "did you mean \"--force\"");
    refuse("kernel", "pull");
    refuse("kernel qqqqqq", "list");
    refuse("kernel list extra", "extra");
    refuse("kernel import lab", "--from");
    refuse("kernel import lab --from", "--from");
    refuse("kernel pull --force=yes debian", "takes no value");
    refuse("kernel pull", "NAME");
    refuse("kernel pull ../x", "../x");
    refuse("kernel pull ''", "empty");
    refuse("kernel list -Z", "-Z");
    refuse("kernel list --format xml", "xml");
    refuse("kernel list --timeout never", "--timeout");
    refuse("kernel list --progress-fd x", "--progress-fd");
    refuse("kernel list --state-dir ''", "--state-dir");
    refuse("frobnicate", "help");
}

/* B02: the error of a bad word is printed in the format that stands behind it. */
static void format_is_known_even_when_words_are_bad(void **state)
{
    (void)state;
    auto_done(request) struct request request;
    struct error err = {0};
    assert_false(parse_as(&request, "kernel lsit --format json", false, &err));
    assert_int_equal(request.options.format, OUTPUT_JSON);
    request_done(&request);
    struct error other = {0};
    assert_false(parse_as(&request, "nothing at all --format=jsonl", false, &other));
    assert_int_equal(request.options.format, OUTPUT_JSONL);
}

static void lines_take_only_what_belongs_to_lines(void **state)
{
    (void)state;
    auto_done(request) struct request request;
    struct error err = {0};
    assert_true(parse_as(&request, "kernel list --format json -q --timeout 3s", true, &err));
    request_done(&request);
    assert_false(parse_as(&request, "kernel list --state-dir /x", true, &err));
    assert_int_equal(err.code, ERROR_INVALID);
    request_done(&request);
    struct error other = {0};
    assert_false(parse_as(&request, "--file x", true, &other));
    assert_int_equal(other.code, ERROR_INVALID);
}

static void scripts_are_found(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *script;
    } rows[] = {
        {"", "-"},
        {"-", "-"},
        {"--file x", "x"},
        {"--file=x --keep-going", "x"},
        {"--format json --file x", "x"},
        {"--keep-going", "-"},
    };
    for (size_t i = 0; i < array_length(rows); ++i) {
        auto_done(request) struct request request;
        struct error err = {0};
        assert_true(parse_as(&request, rows[i].line, false, &err));
        assert_string_equal(request.script, rows[i].script);
    }
    refuse("--file x kernel list", "exclude");
    refuse("--file", "--file");
}

static void help_is_found_anywhere(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "--help", "-h", "kernel --help", "kernel pull --help", "kernel pull x -h --bad"};
    for (size_t i = 0; i < array_length(lines); ++i) {
        auto_done(request) struct request request;
        struct error err = {0};
        assert_true(parse_as(&request, lines[i], false, &err));
        assert_true(request.wants_help);
        assert_int_equal(request.count, 0);
    }
    assert_parsed("--help exit", "help exit");
}

static void streams_are_told_from_results(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        bool carries, runs, terminal;
    } rows[] = {
        {"vm list", false, false, false},
        {"vm wait web", false, false, false},
        {"vm run debian", false, false, false},
        {"vm run debian -- id", true, true, false},
        {"vm run debian -t", true, true, true},
        {"vm exec web -- id", true, true, false},
        {"vm exec -t web -- sh", true, true, true},
        {"vm logs web -f", true, false, false},
        {"vm console web", true, false, true},
    };
    for (size_t i = 0; i < array_length(rows); ++i) {
        auto_done(request) struct request request;
        struct error err = {0};
        if (!parse_as(&request, rows[i].line, false, &err)) {
            fail_msg("%s: %s", rows[i].line, err.text);
        }
        assert_int_equal(request.carries_stream, rows[i].carries);
        assert_int_equal(request_runs_command(&request), rows[i].runs);
        assert_int_equal(request_wants_terminal(&request), rows[i].terminal);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_anywhere),
        cmocka_unit_test(letters_stand_for_names),
        cmocka_unit_test(place_and_name_are_the_same),
        cmocka_unit_test(aliases_are_the_verb),
        cmocka_unit_test(many_operands_are_many_commands),
        cmocka_unit_test(words_behind_two_dashes_are_a_command),
        cmocka_unit_test(timeout_and_dry_run_reach_the_command),
        cmocka_unit_test(common_options_have_their_meaning),
        cmocka_unit_test(every_common_option_is_known),
        cmocka_unit_test(relative_places_become_absolute),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(format_is_known_even_when_words_are_bad),
        cmocka_unit_test(lines_take_only_what_belongs_to_lines),
        cmocka_unit_test(scripts_are_found),
        cmocka_unit_test(help_is_found_anywhere),
        cmocka_unit_test(streams_are_told_from_results),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
