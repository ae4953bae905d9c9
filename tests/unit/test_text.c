/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/text.h"

#include <string.h>

static void test_append_grows_and_terminates(void **state)
{
    (void)state;
    auto_done(text) struct text text = {0};
    for (int i = 0; i < 1000; i++) {
        assert_true(text_printf(&text, "%d,", i));
    }
    assert_int_equal(text.len, strlen(text_cstr(&text)));
    assert_true(text_has_suffix(text_cstr(&text), "998,999,"));
}

static void test_cap_drops_whole_appends(void **state)
{
    (void)state;
    auto_done(text) struct text text = {.cap_bytes = 10};
    assert_true(text_append(&text, "12345678"));
    assert_false(text_append(&text, "abc"));
    assert_true(text.is_full);
    assert_false(text_append(&text, "x")); /* stays full: no text with a hole in it */
    assert_string_equal(text_cstr(&text), "12345678");
}

static void test_empty_text_reads_as_empty_string(void **state)
{
    (void)state;
    struct text text = {0};
    assert_string_equal(text_cstr(&text), "");
    auto_free char *taken = text_take(&text);
    assert_string_equal(taken, "");
}

static void test_strings_stay_null_ended(void **state)
{
    (void)state;
    auto_done(strings) struct strings list = {0};
    for (size_t i = 0; i < 70; i++) {
        strings_printf(&list, "item %zu", i);
        assert_null(list.items[list.count]);
        assert_int_equal(list.count, i + 1);
    }
    assert_true(strings_contain(&list, "item 69"));
    assert_false(strings_contain(&list, "item 70"));
}

static void test_split_drops_empty_pieces(void **state)
{
    (void)state;
    auto_done(strings) struct strings list = {0};
    strings_split(&list, "  a  b\nc ", " \n");
    auto_free char *joined = strings_join(&list, "|");
    assert_string_equal(joined, "a|b|c");
}

static void test_versions_compare_by_number(void **state)
{
    (void)state;
    static const struct {
        const char *low, *high;
    } rows[] = {{"6.9", "6.10"}, {"6.1.0-9", "6.1.0-37"}, {"5.10", "6.1"}, {"6.1", "6.1.1"},
        {"a", "b"}, {"6.1.0-37-amd64", "6.1.0-37-cloud"}};
    for (size_t i = 0; i < array_length(rows); i++) {
        assert_true(text_compare_version(rows[i].low, rows[i].high) < 0);
        assert_true(text_compare_version(rows[i].high, rows[i].low) > 0);
    }
    assert_int_equal(text_compare_version("6.01", "6.1"), 0);
}

static void test_distance_counts_edits(void **state)
{
    (void)state;
    assert_int_equal(text_distance("", "abc"), 3);
    assert_int_equal(text_distance("debian", "debain"), 2);
    assert_int_equal(text_distance("kitten", "sitting"), 3);
    assert_int_equal(text_distance("same", "same"), 0);
}

static void test_escapes_of_urls(void **state)
{
    (void)state;
    static const char *const broken[] = {"%", "a%0", "%g0", "%0g", "%00"};
    auto_done(text) struct text good = {0};
    assert_true(text_append_unescaped(&good, "a%20b%2Fc%c3%a4%25"));
    assert_string_equal(text_cstr(&good), "a b/c\xc3\xa4%");
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        auto_done(text) struct text out = {0};
        assert_false(text_append_unescaped(&out, broken[i]));
    }
}

/* Each row: foreign bytes, what may be shown in UTF-8, what may be shown in ASCII. */
static void test_foreign_bytes_become_visible(void **state)
{
    (void)state;
    static const struct {
        const char *foreign, *utf8, *ascii;
    } rows[] = {
        {"plain ~", "plain ~", "plain ~"}, {"a\033[31mb", "a\\x1b[31mb", "a\\x1b[31mb"},
        {"a\nb\r\t\177", "a\\x0ab\\x0d\\x09\\x7f", "a\\x0ab\\x0d\\x09\\x7f"},
        {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", "gr\\u00fc\\u00df"},
        {"\xc2\x9b", "\\u009b", "\\u009b"},                     /* C1 CSI */
        {"\xe2\x80\xae", "\\u202e", "\\u202e"},                 /* right-to-left override */
        {"\xe2\x80\x8b", "\\u200b", "\\u200b"},                 /* zero-width space */
        {"\xef\xbb\xbf", "\\ufeff", "\\ufeff"},                 /* byte order mark */
        {"\xff\xc0\xaf", "\\xff\\xc0\\xaf", "\\xff\\xc0\\xaf"}, /* invalid, overlong */
        {"\xed\xa0\x80", "\\xed\\xa0\\x80", "\\xed\\xa0\\x80"}, /* surrogate */
        {"\xf0\x9f\x90\xa7", "\xf0\x9f\x90\xa7", "\\U0001f427"},
        {"\xc3", "\\xc3", "\\xc3"}, /* cut off */
    };
    for (size_t i = 0; i < array_length(rows); i++) {
        auto_free char *utf8 = text_safe(rows[i].foreign, true);
        auto_free char *ascii = text_safe(rows[i].foreign, false);
        assert_string_equal(utf8, rows[i].utf8);
        assert_string_equal(ascii, rows[i].ascii);
    }
}

/* Whatever bytes come in: no control byte comes out, and the result decodes whole. */
static void test_no_byte_pair_passes_a_control(void **state)
{
    (void)state;
    for (unsigned pair = 1; pair < 0x10000; pair++) {
        const char bytes[] = {(char)(pair >> 8), (char)pair};
        auto_done(text) struct text out = {0};
        text_append_safe(&out, bytes, sizeof bytes, true);
        const char *at = text_cstr(&out);
        size_t left = out.len;
        while (left > 0) {
            unsigned code_point;
            int used = text_decode_utf8(at, left, &code_point);
            assert_true(used > 0);
            assert_true(code_point >= 0x20 && !(code_point >= 0x7f && code_point < 0xa0));
            at += used;
            left -= (size_t)used;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append_grows_and_terminates),
        cmocka_unit_test(test_cap_drops_whole_appends),
        cmocka_unit_test(test_empty_text_reads_as_empty_string),
        cmocka_unit_test(test_strings_stay_null_ended),
        cmocka_unit_test(test_split_drops_empty_pieces),
        cmocka_unit_test(test_versions_compare_by_number),
        cmocka_unit_test(test_distance_counts_edits),
        cmocka_unit_test(test_escapes_of_urls),
        cmocka_unit_test(test_foreign_bytes_become_visible),
        cmocka_unit_test(test_no_byte_pair_passes_a_control),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
