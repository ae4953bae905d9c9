/* SPDX-License-Identifier: MIT */
/* Help, man page, completions and the JSON description come from one table: whatever it holds is in
 * all of them (B15). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "batch/completion.h"
#include "batch/describe.h"
#include "batch/manual.h"
#include "batch/near.h"
#include "batch/topics.h"
#include "batch/usage.h"
#include "engine/command.h"

/* Man pages write "-" as "\-". */
static char *in_roff(const char *words)
{
    auto_done(text) struct text out = {0};
    for (const char *at = words; *at != '\0'; ++at) {
        text_append(&out, *at == '-' ? "\\" : "");
        text_append_char(&out, *at);
    }
    return text_take(&out);
}

static void assert_holds(const struct text *text, const char *what, const char *part)
{
    if (strstr(text_cstr(text), part) == NULL) {
        fail_msg("%s does not tell of %s", what, part);
    }
}

static bool is_option(const struct argument *argument)
{
    return argument->kind != ARGUMENT_REST && !argument->is_positional;
}

/* Verbs that are offered to people, in the order of the table. */
static const struct verb *offered_at(size_t index)
{
    for (size_t i = 0; i < verb_count(); ++i) {
        if ((verb_at(i)->flags & VERB_HIDDEN) == 0 && index-- == 0) {
            return verb_at(i);
        }
    }
    return NULL;
}

static size_t offered_count(void)
{
    size_t count = 0;
    while (offered_at(count) != NULL) {
        ++count;
    }
    return count;
}

static void every_option_is_in_help_manual_and_completion(void **state)
{
    (void)state;
    auto_done(text) struct text manual = {0};
    auto_done(text) struct text bash = {0};
    auto_done(text) struct text fish = {0};
    manual_append("1.2.3", &manual);
    completion_append("bash", &bash);
    completion_append("fish", &fish);
    for (size_t v = 0; v < offered_count(); ++v) {
        auto_done(text) struct text help = {0};
        usage_append_verb("banger", offered_at(v), &help);
        assert_holds(&bash, "bash", offered_at(v)->name);
        const char *blank = strchr(offered_at(v)->name, ' ');
        auto_free char *offered =
            memory_printf("-a %s ", blank != NULL ? blank + 1 : offered_at(v)->name);
        if (offered_at(v)->subject[0] != '\0') {
            assert_holds(&fish, "fish", offered);
        }
        for (size_t i = 0; i < offered_at(v)->argument_count; ++i) {
            const struct argument *argument = &offered_at(v)->arguments[i];
            auto_free char *option = memory_printf("--%s", argument->name);
            auto_free char *roff = in_roff(option);
            auto_free char *long_option = memory_printf("-l %s", argument->name);
            if (is_option(argument)) {
                assert_holds(&help, offered_at(v)->name, option);
                assert_holds(&manual, "the manual", roff);
                assert_holds(&bash, "bash", option);
                assert_holds(&fish, "fish", long_option);
            }
        }
        for (size_t i = 0; i < common_argument_count; ++i) {
            auto_free char *option = memory_printf("--%s", common_arguments[i].name);
            assert_holds(&help, offered_at(v)->name, option);
            assert_holds(&bash, "bash", option);
        }
    }
}

static void every_verb_and_topic_is_in_the_overview(void **state)
{
    (void)state;
    auto_done(text) struct text overview = {0};
    auto_done(text) struct text manual = {0};
    usage_append_overview("banger", &overview);
    manual_append("1.2.3", &manual);
    for (size_t i = 0; i < offered_count(); ++i) {
        assert_holds(&overview, "the overview", offered_at(i)->summary);
        assert_holds(&manual, "the manual", offered_at(i)->name);
    }
    for (size_t i = 0; i < topic_count; ++i) {
        assert_holds(&overview, "the overview", topics[i].name);
        assert_holds(&manual, "the manual", topics[i].heading);
        assert_ptr_equal(topic_find(topics[i].name), &topics[i]);
    }
}

static void no_line_of_help_is_wider_than_80(void **state)
{
    (void)state;
    auto_done(text) struct text all = {0};
    usage_append_overview("banger-tui --batch", &all);
    for (size_t i = 0; i < offered_count(); ++i) {
        usage_append_verb("banger-tui --batch", offered_at(i), &all);
    }
    for (size_t i = 0; i < topic_count; ++i) {
        usage_append_topic(&topics[i], &all);
    }
    auto_done(strings) struct strings lines = {0};
    strings_split(&lines, text_cstr(&all), "\n");
    for (size_t i = 0; i < lines.count; ++i) {
        /* Examples are whole commands and stay in one piece. */
        if (strlen(lines.items[i]) > 80 && strstr(lines.items[i], "  banger-tui") == NULL) {
            fail_msg("%zu columns: %s", strlen(lines.items[i]), lines.items[i]);
        }
    }
}

/* Every code an error can have ends in a status that the exit topic tells of. */
static void every_exit_status_is_explained(void **state)
{
    (void)state;
    for (int code = ERROR_NONE; code <= ERROR_BUG; ++code) {
        int status = error_exit_status((enum error_code)code);
        size_t found = 0;
        for (size_t i = 0; i < exit_row_count; ++i) {
            found += exit_rows[i].status == status;
        }
        assert_int_equal(found, 1);
    }
}

static void description_has_every_verb(void **state)
{
    (void)state;
    auto_json struct json *json = describe_json();
    const struct json *rows = json_get(json, "verbs");
    assert_int_equal(json_count(rows), offered_count());
    assert_int_equal(json_count(json_get(json, "options")), common_argument_count);
    assert_int_equal(json_count(json_get(json, "exit_statuses")), exit_row_count);
    for (size_t i = 0; i < offered_count(); ++i) {
        const struct json *row = json_at(rows, i);
        assert_string_equal(json_string(row, "name", ""), offered_at(i)->name);
        assert_int_equal(json_count(json_get(row, "arguments")), offered_at(i)->argument_count);
    }
}

static void near_words_are_near(void **state)
{
    (void)state;
    auto_done(strings) struct strings words = {0};
    near_add_subjects(&words);
    assert_string_equal(near_best("kernl", &words), "kernel");
    assert_string_equal(near_best("kernels", &words), "kernel");
    assert_string_equal(near_best("imgae", &words), "image");
    assert_null(near_best("xylophone", &words));
    assert_null(near_best("", &words));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_is_in_help_manual_and_completion),
        cmocka_unit_test(every_verb_and_topic_is_in_the_overview),
        cmocka_unit_test(no_line_of_help_is_wider_than_80),
        cmocka_unit_test(every_exit_status_is_explained),
        cmocka_unit_test(description_has_every_verb),
        cmocka_unit_test(near_words_are_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
