/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "ui/cells.h"
#include "ui/stream.h"

/* What is shown of a text in so many cells, and how many of them it takes. */
static void fits(const char *foreign, int skip, int width, const char *wanted, int cells)
{
    auto_done(text) struct text out = {0};
    assert_int_equal(cells_fit_from(&out, foreign, skip, width, "…", true), cells);
    assert_string_equal(text_cstr(&out), wanted);
}

static void test_fit(void **state)
{
    (void)state;
    fits("plain", 0, 10, "plain", 5);
    fits("plain", 0, 5, "plain", 5);
    fits("plain", 0, 4, "pla…", 4);
    fits("plain", 0, 1, "…", 1);
    fits("plain", 0, 0, "", 0);
    fits("", 0, 4, "", 0);
    fits("plain", 2, 10, "ain", 3);
    fits("plain", 9, 10, "", 0);
}

static void test_wide_characters(void **state)
{
    (void)state;
    fits("漢字", 0, 4, "漢字", 4);
    fits("漢字", 0, 3, "漢…", 3); /* never half a character */
    fits("漢字", 0, 2, "…", 1);
    fits("漢字x", 2, 9, "字x", 3);
    assert_int_equal(cells_width("漢字", true), 4);
}

static void test_combining_characters(void **state)
{
    (void)state;
    fits("a\xcc\x81", 0, 1, "a\xcc\x81", 1);
    /* A tower of them would grow over the lines above: two are enough for any script's letter. */
    fits("a\xcc\x81\xcc\x82\xcc\x83\xcc\x84"
         "b",
        0, 2,
        "a\xcc\x81\xcc\x82"
        "b",
        2);
}

static void test_foreign_bytes(void **state)
{
    (void)state;
    fits("\x1b[31m", 0, 20, "\\x1b[31m", 8);
    fits("a\nb", 0, 20, "a\\x0ab", 6);
    fits("\xe2\x80\xae", 0, 20, "\\u202e", 6);
    fits("\xff", 0, 20, "\\xff", 4);
    auto_done(text) struct text out = {0};
    assert_int_equal(cells_fit(&out, "é", 20, "~", false), 6);
    assert_string_equal(text_cstr(&out), "\\u00e9");
}

static void test_wrap(void **state)
{
    (void)state;
    auto_done(strings) struct strings lines = {0};
    cells_wrap(&lines, "the quick brown fox jumps", 10, 2, true);
    auto_free char *all = strings_join(&lines, "|");
    assert_string_equal(all, "the quick|  brown|  fox|  jumps");
    auto_done(strings) struct strings more = {0};
    cells_wrap(&more, "one\ntwo  three\n", 20, 0, true);
    auto_free char *broken = strings_join(&more, "|");
    assert_string_equal(broken, "one|two  three|");
    auto_done(strings) struct strings word = {0};
    cells_wrap(&word, "0123456789abcdef", 10, 0, true);
    auto_free char *cut = strings_join(&word, "|");
    assert_string_equal(cut, "0123456789|abcdef");
}

static void cleans(const char *raw, const char *wanted)
{
    auto_done(text) struct text out = {0};
    stream_clean(raw, strlen(raw), &out);
    assert_string_equal(text_cstr(&out), wanted);
}

/* Lines of a serial console, without what only a terminal understands. */
static void test_stream_clean(void **state)
{
    (void)state;
    cleans("plain\r", "plain");
    cleans("\x1b[0;32m[  OK  ]\x1b[0m Reached", "[  OK  ] Reached");
    cleans("\x1b]0;title\x07text", "text");
    cleans("\x1b]0;title\x1b\\text", "text");
    cleans("\x1b(Btext", "text");
    cleans("10%\r20%\r100%", "100%");
    cleans("abc\b\bX", "aX");
    cleans("a\tb", "a       b");
    cleans("cut \x1b[3", "cut ");
    cleans("cut \x1b", "cut ");
    cleans("bell\x07", "bell");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fit),
        cmocka_unit_test(test_wide_characters),
        cmocka_unit_test(test_combining_characters),
        cmocka_unit_test(test_foreign_bytes),
        cmocka_unit_test(test_wrap),
        cmocka_unit_test(test_stream_clean),
    };
    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL) {
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
