/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"

#include <string.h>

#define MAX_BYTES 65536
#define MAX_DEPTH 8

static struct json *parse(const char *text, struct error *err)
{
    return json_parse(text, strlen(text), MAX_BYTES, MAX_DEPTH, "catalog.json", err);
}

static void test_good_documents_are_read(void **state)
{
    (void)state;
    struct error err = {0};
    auto_json struct json *json = parse("{\"name\":\"a\\u00e4\\ud83d\\udc27\",\"size\":"
                                        "9007199254740992,\"on\":true,\"list\":[1,2]}",
        &err);
    assert_non_null(json);
    assert_string_equal(json_string(json, "name", ""), "a\xc3\xa4\xf0\x9f\x90\xa7");
    assert_true(json_integer(json, "size", 0) == INT64_C(9007199254740992));
    assert_true(json_bool(json, "on", false));
    assert_int_equal(json_count(json_get(json, "list")), 2);
    assert_int_equal(json_integer_value(json_at(json_get(json, "list"), 1), 0), 2);
}

/* Faults that cJSON alone lets pass, and some that it does not. */
static void test_faults_are_refused(void **state)
{
    (void)state;
    static const char *const documents[] = {"", " ", "{", "[1,2", "[1,]", "{\"a\":1,}", "{a:1}",
        "[1] x", "[1][2]", "\xef\xbb\xbf{}", "{\"a\":1,\"a\":2}", "{\"a\":{\"b\":1,\"\\u0062\":2}}",
        "[\"\\u0000\"]", "[\"\\ud800\"]", "[\"\\udc00\"]", "[\"\\ud800\\u0041\"]", "[\"\xff\"]",
        "[\"\xc0\xaf\"]", "[\"\xed\xa0\x80\"]", "[\"a\nb\"]", "[\"\\x\"]", "[01]", "[1.]", "[.5]",
        "[+1]", "[-]", "[1e]", "[1e9999]", "[9007199254740993]", "[-9007199254740993]",
        "[123456789012345678901234567890]", "[nul]", "[True]", "[NaN]", "[Infinity]", "['a']",
        "[\"a]", "[1 2]", "{\"a\" 1}", "{\"a\":}", "/* */ {}", "{} // x", "[\"\\u12g4\"]"};
    for (size_t i = 0; i < array_length(documents); i++) {
        struct error err = {0};
        auto_json struct json *json = parse(documents[i], &err);
        if (json != NULL) {
            fail_msg("accepted: %s", documents[i]);
        }
        assert_int_equal(err.code, ERROR_FORMAT);
        assert_non_null(strstr(err.text, "catalog.json"));
    }
}

static void test_a_nul_byte_is_refused(void **state)
{
    (void)state;
    struct error err = {0};
    static const char bytes[] = "[\"a\0b\"]";
    assert_null(json_parse(bytes, sizeof bytes - 1, MAX_BYTES, MAX_DEPTH, "x", &err));
    assert_int_equal(err.code, ERROR_FORMAT);
    struct error err2 = {0};
    static const char tail[] = "[1]\0";
    assert_null(json_parse(tail, sizeof tail - 1, MAX_BYTES, MAX_DEPTH, "x", &err2));
}

static void test_the_place_of_a_fault_is_named(void **state)
{
    (void)state;
    struct error err = {0};
    assert_null(parse("{\n  \"a\": 1,\n  b: 2\n}", &err));
    assert_non_null(strstr(err.text, "line 3, column 3"));
}

static void test_depth_and_size_are_limits(void **state)
{
    (void)state;
    struct error err = {0};
    auto_json struct json *deep = parse("[[[[[[[[1]]]]]]]]", &err);
    assert_non_null(deep);
    assert_null(parse("[[[[[[[[[1]]]]]]]]]", &err));
    assert_int_equal(err.code, ERROR_LIMIT);
    struct error big = {0};
    assert_null(json_parse("[1,2,3]", 7, 6, 8, "x", &big));
    assert_int_equal(big.code, ERROR_LIMIT);
}

static void test_many_keys_with_one_twice(void **state)
{
    (void)state;
    auto_done(text) struct text document = {0};
    text_append_char(&document, '{');
    for (int i = 0; i < 3000; i++) {
        text_printf(&document, "\"k%d\":%d,", i, i);
    }
    text_append(&document, "\"k1500\":0}");
    struct error err = {0};
    assert_null(parse(text_cstr(&document), &err));
    assert_int_equal(err.code, ERROR_FORMAT);
    assert_non_null(strstr(err.text, "same key twice"));
}

static void test_strict_readers(void **state)
{
    (void)state;
    struct error err = {0};
    auto_json struct json *json = parse("{\"s\":\"x\",\"n\":5,\"neg\":-1,\"frac\":1.5}", &err);
    const char *text = "old";
    uint64_t size = 7;
    assert_true(json_read_string(json, "s", true, "m", &text, &err));
    assert_string_equal(text, "x");
    assert_true(json_read_string(json, "absent", false, "m", &text, &err));
    assert_string_equal(text, "x");
    assert_true(json_read_size(json, "n", true, "m", &size, &err));
    assert_true(size == 5);
    static const char *const bad[] = {"neg", "frac", "s", "absent"};
    for (size_t i = 0; i < array_length(bad); i++) {
        struct error failure = {0};
        assert_false(json_read_size(json, bad[i], true, "m", &size, &failure));
        assert_int_equal(failure.code, ERROR_FORMAT);
        assert_true(size == 5);
    }
}

static void test_written_documents_are_read_again(void **state)
{
    (void)state;
    auto_json struct json *json = json_new_object();
    json_put_string(json, "text", "a\"\\\n\033\xc3\xa4");
    json_put_string(json, "bytes", "\xff!");
    json_put_string(json, "nothing", NULL);
    json_put_integer(json, "n", -42);
    json_put_number(json, "f", 0.1);
    json_put_bool(json, "b", true);
    json_put_string(json, "n2", "first");
    json_put_string(json, "n2", "second");
    struct json *list = json_new_array();
    json_append(list, json_new_object());
    json_put(json, "list", list);
    for (int is_pretty = 0; is_pretty < 2; is_pretty++) {
        auto_done(text) struct text out = {0};
        struct error err = {0};
        json_write(json, is_pretty, &out);
        assert_null(strchr(text_cstr(&out), 033));
        auto_json struct json *again = parse(text_cstr(&out), &err);
        assert_non_null(again);
        assert_string_equal(json_string(again, "text", ""), "a\"\\\n\033\xc3\xa4");
        assert_string_equal(json_string(again, "bytes", ""), "\\udcff!");
        assert_null(json_get(again, "nothing"));
        assert_int_equal(json_integer(again, "n", 0), -42);
        assert_string_equal(json_string(again, "n2", ""), "second");
        assert_int_equal(json_count(again), 7);
    }
}

static void test_numbers_are_written_shortest(void **state)
{
    (void)state;
    auto_json struct json *json = json_new_array();
    struct json *holder = json_new_object();
    json_put_number(holder, "a", 0.1);
    json_put_number(holder, "b", 1234567.0);
    json_put_number(holder, "c", 2.5e-7);
    json_append(json, holder);
    auto_done(text) struct text out = {0};
    json_write(json, false, &out);
    assert_string_equal(text_cstr(&out), "[{\"a\":0.1,\"b\":1234567,\"c\":2.5e-07}]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_documents_are_read),
        cmocka_unit_test(test_faults_are_refused),
        cmocka_unit_test(test_a_nul_byte_is_refused),
        cmocka_unit_test(test_the_place_of_a_fault_is_named),
        cmocka_unit_test(test_depth_and_size_are_limits),
        cmocka_unit_test(test_many_keys_with_one_twice),
        cmocka_unit_test(test_strict_readers),
        cmocka_unit_test(test_written_documents_are_read_again),
        cmocka_unit_test(test_numbers_are_written_shortest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
