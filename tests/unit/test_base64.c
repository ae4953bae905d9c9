/* SPDX-License-Identifier: MIT */
#include "base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/text.h"

struct pair {
    const char *plain;
    const char *encoded;
};

/* RFC 4648, section 10. */
static const struct pair pairs[] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}, {"\xff\xfe?", "//4/"}};

static const char *const bad[] = {"Z", "Zg", "Zg=", "Zh==", "Zm9=", "=",
    "==", "====", "Z===", "Zg==Zg==", "Zm 9", "Zm9v\n", "Zm9-", "Zm9_", "Zm9v Zm9v", "\xc3\xa4zz"};

static void test_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_length(pairs); i++) {
        auto_done(text) struct text plain = {0};
        auto_done(text) struct text encoded = {0};
        base64_encode(pairs[i].plain, strlen(pairs[i].plain), &encoded);
        assert_string_equal(text_cstr(&encoded), pairs[i].encoded);
        assert_true(base64_decode(pairs[i].encoded, strlen(pairs[i].encoded), &plain));
        assert_string_equal(text_cstr(&plain), pairs[i].plain);
    }
}

static void test_strict(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_length(bad); i++) {
        auto_done(text) struct text plain = {0};
        text_append(&plain, "kept");
        if (base64_decode(bad[i], strlen(bad[i]), &plain)) {
            fail_msg("%s was accepted", bad[i]);
        }
        assert_string_equal(text_cstr(&plain), "kept");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways), cmocka_unit_test(test_strict)};
    return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
