/* SPDX-License-Identifier: MIT */
#include "batch/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

/* The words of a line, joined with '|'. */
static void assert_words(const char *line, const char *expected)
{
    auto_done(strings) struct strings words = {0};
    struct error err = {0};
    if (!words_split(line, strlen(line), &words, &err)) {
        fail_msg("%s: %s", line, err.text);
    }
    auto_free char *joined = strings_join(&words, "|");
    assert_string_equal(joined, expected);
}

static void refuse(const char *line, size_t len, enum error_code code)
{
    auto_done(strings) struct strings words = {0};
    struct error err = {0};
    strings_add(&words, "before");
    assert_false(words_split(line, len, &words, &err));
    assert_int_equal(err.code, code);
    assert_int_equal(words.count, 1);
}

static void blanks_part_words(void **state)
{
    (void)state;
    assert_words("", "");
    assert_words(" \t ", "");
    assert_words("kernel pull  debian\tx", "kernel|pull|debian|x");
    assert_words("  version  ", "version");
}

static void line_ends_of_both_kinds_are_fine(void **state)
{
    (void)state;
    assert_words("version\r\n", "version");
    assert_words("version\r", "version");
    assert_words("a b\n", "a|b");
}

static void quotes_keep_blanks(void **state)
{
    (void)state;
    assert_words("a 'b c' d", "a|b c|d");
    assert_words("a \"b 'c'\" d", "a|b 'c'|d");
    assert_words("x'y z'\"1 2\"", "xy z1 2");
    assert_words("'' \"\"", "|");
}

static void backslash_keeps_the_next_character(void **state)
{
    (void)state;
    assert_words("a\\ b", "a b");
    assert_words("\\'\\\"", "'\"");
    assert_words("'a\\b'", "a\\b");
    assert_words("\"a\\b \\\" \\\\ \\$ \\`\"", "a\\b \" \\ $ `");
    assert_words("end\\ ", "end ");
}

static void comments_begin_at_a_word(void **state)
{
    (void)state;
    assert_words("# all of it", "");
    assert_words("list # rest", "list");
    assert_words("a#b '#' \\#", "a#b|#|#");
}

static void nothing_of_a_shell_is_done(void **state)
{
    (void)state;
    assert_words("$HOME *.c `id` $(id); a|b >f &", "$HOME|*.c|`id`|$(id);|a|b|>f|&");
    assert_words("~ {a,b} ${x}", "~|{a,b}|${x}");
}

static void open_ends_are_refused(void **state)
{
    (void)state;
    refuse("a 'b", 4, ERROR_INVALID);
    refuse("a \"b", 4, ERROR_INVALID);
    refuse("a b\\", 4, ERROR_INVALID);
    refuse("a\0b", 3, ERROR_FORMAT);
}

static void foreign_bytes_pass(void **state)
{
    (void)state;
    assert_words("k\xc3\xa4se \xff", "k\xc3\xa4se|\xff");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blanks_part_words),
        cmocka_unit_test(line_ends_of_both_kinds_are_fine),
        cmocka_unit_test(quotes_keep_blanks),
        cmocka_unit_test(backslash_keeps_the_next_character),
        cmocka_unit_test(comments_begin_at_a_word),
        cmocka_unit_test(nothing_of_a_shell_is_done),
        cmocka_unit_test(open_ends_are_refused),
        cmocka_unit_test(foreign_bytes_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
