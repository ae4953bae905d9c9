/* SPDX-License-Identifier: MIT */
/* JSON as text says the same as the tree it was written from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/json.h"
#include "base/json_text.h"
#include "base/memory.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

static const char *const strings[] = {"", "plain", "\"", "\\", "a\\\"", "\\\\", "{[,:]}", "\n\x7f",
    "\xc3\xa4", "\xff", "]\",\"x\":1", "a much longer string that stands for itself throughout"};

/* Any document, with everything in its strings that could be taken for structure. */
static struct json *random_value(unsigned *seed, int depth)
{
    int kind = rand_r(seed) % (depth > 0 ? 6 : 4);
    struct json *value;
    switch (kind) {
    case 4:
        value = json_new_array();
        for (int left = rand_r(seed) % 4; left > 0; left--) {
            json_append(value, random_value(seed, depth - 1));
        }
        return value;
    case 5:
        value = json_new_object();
        for (int left = rand_r(seed) % 4; left > 0; left--) {
            auto_free char *key = memory_printf("k%d", left);
            json_put(value, key, random_value(seed, depth - 1));
        }
        return value;
    default:
        return json_new_string(strings[(size_t)rand_r(seed) % array_length(strings)]);
    }
}

static void assert_same(const struct json *tree, struct json_span span)
{
    auto_done(text) struct text written = {0};
    json_write(tree, false, &written);
    assert_int_equal(span.len, written.len);
    assert_memory_equal(span.at, text_cstr(&written), span.len);
    const char *at = span.at;
    struct json_span key, value;
    const struct json *child = json_first(tree);
    while (json_is_object(tree) && json_text_member(&at, &key, &value)) {
        assert_non_null(child);
        assert_int_equal(key.len, strlen(json_key(child)));
        assert_memory_equal(key.at, json_key(child), key.len);
        struct json_span found = json_text_find(span, json_key(child));
        assert_ptr_equal(found.at, value.at);
        assert_same(child, value);
        child = json_next(child);
    }
    while (json_is_array(tree) && json_text_next(&at, &value)) {
        assert_non_null(child);
        assert_same(child, value);
        child = json_next(child);
    }
    assert_null(child);
}

static void test_text_says_what_its_tree_says(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        unsigned seed = round;
        auto_json struct json *tree = json_new_array();
        json_append(tree, random_value(&seed, 5));
        json_append(tree, random_value(&seed, 5));
        auto_done(text) struct text compact = {0};
        auto_done(text) struct text pretty = {0};
        auto_done(text) struct text indented = {0};
        json_write(tree, false, &compact);
        json_write(tree, true, &pretty);
        json_text_indent(text_cstr(&compact), &indented);
        assert_string_equal(text_cstr(&indented), text_cstr(&pretty));
        assert_same(tree, (struct json_span){.at = text_cstr(&compact), .len = compact.len});
    }
}

static void test_numbers_and_words_are_values(void **state)
{
    (void)state;
    static const char compact[] = "[1,-2.5e-07,true,false,null,{\"a\":7,\"b\":null}]";
    auto_done(text) struct text out = {0};
    json_text_indent(compact, &out);
    assert_string_equal(text_cstr(&out), "[\n  1,\n  -2.5e-07,\n  true,\n  false,\n  null,\n  {\n"
                                         "    \"a\": 7,\n    \"b\": null\n  }\n]\n");
    struct json_span value = {0};
    size_t count = 0;
    for (const char *at = compact; json_text_next(&at, &value);) {
        count++;
    }
    assert_int_equal(count, 6);
    value = json_text_find(value, "a");
    assert_int_equal(value.len, 1);
    assert_int_equal(*value.at, '7');
    assert_int_equal(json_text_find(value, "a").len, 0);
}

static void test_members_are_written_like_the_tree_s(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_length(strings); i++) {
        auto_json struct json *tree = json_new_object();
        auto_done(text) struct text expected = {0};
        auto_done(text) struct text row = {0};
        json_put_string(tree, "a", strings[i]);
        json_put_integer(tree, "n", INT64_C(9007199254740992));
        json_put_string(tree, "b", strings[i]);
        json_write(tree, false, &expected);
        text_append_char(&row, '{');
        json_text_put_string(&row, "a", strings[i]);
        json_text_put_string(&row, "nothing", NULL);
        json_text_put_integer(&row, "n", INT64_C(9007199254740992));
        json_text_put_string(&row, "b", strings[i]);
        text_append_char(&row, '}');
        assert_string_equal(text_cstr(&row), text_cstr(&expected));
    }
}

static void test_written_values_are_written_as_they_are(void **state)
{
    (void)state;
    auto_json struct json *whole = json_new_array();
    json_append(whole, json_new_written(memory_strdup("[{\"a\":1}]")));
    auto_done(text) struct text out = {0};
    json_write(whole, false, &out);
    assert_string_equal(text_cstr(&out), "[[{\"a\":1}]]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_says_what_its_tree_says),
        cmocka_unit_test(test_numbers_and_words_are_values),
        cmocka_unit_test(test_members_are_written_like_the_tree_s),
        cmocka_unit_test(test_written_values_are_written_as_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
