/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/memory.h"

#include <poll.h>
#include <string.h>

static void test_rfc3339_round_trip(void **state)
{
    (void)state;
    char text[CLOCK_TEXT_LEN];
    int64_t seconds = 0;
    assert_string_equal(clock_format(1782907200, text), "2026-07-01T12:00:00Z");
    assert_true(clock_parse(text, &seconds));
    assert_true(seconds == 1782907200);
}

static void test_rfc3339_forms(void **state)
{
    (void)state;
    static const char *const same[] = {"2026-07-01T12:00:00Z", "2026-07-01T14:00:00+02:00",
        "2026-07-01T06:30:00-05:30", "2026-07-01T12:00:00.123456Z"};
    for (size_t i = 0; i < array_length(same); i++) {
        int64_t seconds = 0;
        assert_true(clock_parse(same[i], &seconds));
        assert_true(seconds == 1782907200);
    }
    static const char *const bad[] = {"", "2026-07-01", "2026-07-01T12:00:00", "yesterday",
        "2026-07-01T12:00:00.Z", "2026-07-01T12:00:00+2:00", "2026-07-01T12:00:00Zx",
        "2026-07-01T12:00:00+99:00"};
    for (size_t i = 0; i < array_length(bad); i++) {
        int64_t seconds = 5;
        assert_false(clock_parse(bad[i], &seconds));
        assert_true(seconds == 5);
    }
}

static void test_years_out_of_range_do_not_overrun(void **state)
{
    (void)state;
    char text[CLOCK_TEXT_LEN];
    assert_string_equal(clock_format(INT64_MAX, text), "1970-01-01T00:00:00Z");
    assert_string_equal(clock_format(INT64_MIN, text), "1970-01-01T00:00:00Z");
}

static void test_deadlines(void **state)
{
    (void)state;
    assert_int_equal(clock_left_ms(clock_deadline(0)), -1);
    assert_true(clock_left_ms(clock_deadline(60000)) > 59000);
    assert_int_equal(clock_left_ms(1), 0);
}

static void test_cancel_makes_its_descriptor_readable(void **state)
{
    (void)state;
    struct error err = {0};
    struct cancel *cancel = cancel_new();
    struct pollfd fd = {.fd = cancel_fd(cancel), .events = POLLIN};
    assert_false(cancel_check(cancel, &err));
    assert_int_equal(poll(&fd, 1, 0), 0);
    cancel_request(cancel);
    cancel_request(cancel);
    assert_int_equal(poll(&fd, 1, 0), 1);
    assert_true(cancel_check(cancel, &err));
    assert_int_equal(err.code, ERROR_CANCELLED);
    cancel_free(cancel);
    assert_false(cancel_is_requested(NULL));
    assert_int_equal(cancel_fd(NULL), -1);
}

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_digest_round_trip(void **state)
{
    (void)state;
    struct digest digest;
    char hex[DIGEST_HEX_LEN + 1];
    assert_true(digest_parse(HEX, &digest));
    assert_string_equal(digest_format(&digest, hex), HEX);
    assert_true(digest_parse("sha256:" HEX, &digest));
    assert_string_equal(digest_format(&digest, hex), HEX);
}

/* A digest that cannot be read must never become one that matches something. */
static void test_digest_fails_closed(void **state)
{
    (void)state;
    static const char *const words[] = {"", " " HEX, HEX " ", HEX "0", "sha512:" HEX,
        "sha256:", "SHA256:" HEX,
        "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef",
        "g123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"};
    for (size_t i = 0; i < array_length(words); i++) {
        struct digest digest = {{42}};
        assert_false(digest_parse(words[i], &digest));
        assert_int_equal(digest.bytes[0], 42);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc3339_round_trip),
        cmocka_unit_test(test_rfc3339_forms),
        cmocka_unit_test(test_years_out_of_range_do_not_overrun),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_cancel_makes_its_descriptor_readable),
        cmocka_unit_test(test_digest_round_trip),
        cmocka_unit_test(test_digest_fails_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
