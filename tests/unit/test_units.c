/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/units.h"

#include <string.h>

#define KIB UINT64_C(1024)
#define MIB (KIB * KIB)
#define GIB (MIB * KIB)

static void test_sizes_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        uint64_t size_bytes;
    } rows[] = {{"4G", 4 * GIB}, {"4GiB", 4 * GIB}, {"512M", 512 * MIB}, {"512MiB", 512 * MIB},
        {"4K", 4 * KIB}, {"4KiB", 4 * KIB}, {"1", MIB}, {"2048", 2 * GIB}, {"1T", 1024 * GIB}};
    for (size_t i = 0; i < array_length(rows); i++) {
        struct error err = {0};
        uint64_t size = 0;
        assert_true(units_parse_size(rows[i].word, "size", &size, &err));
        assert_true(size == rows[i].size_bytes);
    }
}

static void test_bad_sizes_are_refused(void **state)
{
    (void)state;
    static const char *const words[] = {"", "0", "0G", "-1", "-4G", "+4G", " 4G", "4G ", "4g",
        "4GB", "4.5G", "0x10", "G", "18446744073709551616", "9999999999999G", "16777216T", "1e3",
        "4 G"};
    for (size_t i = 0; i < array_length(words); i++) {
        struct error err = {0};
        uint64_t size = 77;
        assert_false(units_parse_size(words[i], "--memory", &size, &err));
        assert_int_equal(err.code, ERROR_INVALID);
        assert_non_null(strstr(err.text, "--memory"));
        assert_true(size == 77); /* untouched on failure */
    }
}

static void test_durations_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        uint64_t ms;
    } rows[] = {
        {"90", 90000}, {"90s", 90000}, {"500ms", 500}, {"2m", 120000}, {"1h", 3600000}, {"0", 0}};
    for (size_t i = 0; i < array_length(rows); i++) {
        struct error err = {0};
        uint64_t ms = 1;
        assert_true(units_parse_duration(rows[i].word, "timeout", &ms, &err));
        assert_true(ms == rows[i].ms);
    }
    struct error err = {0};
    uint64_t ms;
    assert_false(units_parse_duration("5 m", "timeout", &ms, &err));
    assert_int_equal(err.code, ERROR_INVALID);
}

static void test_numbers_have_a_maximum(void **state)
{
    (void)state;
    struct error err = {0};
    uint64_t number = 0;
    assert_true(units_parse_number("32", "vcpu", 32, &number, &err));
    assert_true(number == 32);
    assert_false(units_parse_number("33", "vcpu", 32, &number, &err));
    assert_int_equal(err.code, ERROR_INVALID);
}

static void test_sizes_are_written(void **state)
{
    (void)state;
    char text[UNITS_MAX];
    assert_string_equal(units_format_size(0, text), "0 B");
    assert_string_equal(units_format_size(1023, text), "1023 B");
    assert_string_equal(units_format_size(1024, text), "1.0 KiB");
    assert_string_equal(units_format_size(MIB - 1, text), "1.0 MiB");
    assert_string_equal(units_format_size(14 * MIB + 200 * KIB, text), "14.2 MiB");
    assert_string_equal(units_format_size(UINT64_MAX, text), "16.0 EiB");
}

/* The narrow form never takes more than five cells, whatever the number. */
static void test_short_sizes_fit_five_cells(void **state)
{
    (void)state;
    char text[UNITS_MAX];
    for (uint64_t size = 1; size > 0 && size < UINT64_MAX / 3; size = size * 3 + 1) {
        assert_true(strlen(units_format_size_short(size, text)) <= 5);
    }
    assert_string_equal(units_format_size_short(14 * MIB, text), "14M");
    assert_string_equal(units_format_size_short(GIB + GIB / 10, text), "1.1G");
    assert_string_equal(units_format_size_short(999, text), "999B");
}

static void test_times_are_written(void **state)
{
    (void)state;
    char text[UNITS_MAX];
    assert_string_equal(units_format_age(59, text), "59s");
    assert_string_equal(units_format_age(60, text), "1m");
    assert_string_equal(units_format_age(3 * 3600, text), "3h");
    assert_string_equal(units_format_age(12 * 86400, text), "12d");
    assert_string_equal(units_format_age(70 * 86400, text), "10w");
    assert_string_equal(units_format_clock(7, text), "0:07");
    assert_string_equal(units_format_clock(750, text), "12:30");
    assert_string_equal(units_format_clock(10931, text), "3:02:11");
    assert_string_equal(units_format_duration(850, text), "850 ms");
    assert_string_equal(units_format_duration(1420, text), "1.42 s");
    assert_string_equal(units_format_duration(200000, text), "3 min 20 s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes_are_read),
        cmocka_unit_test(test_bad_sizes_are_refused),
        cmocka_unit_test(test_durations_are_read),
        cmocka_unit_test(test_numbers_have_a_maximum),
        cmocka_unit_test(test_sizes_are_written),
        cmocka_unit_test(test_short_sizes_fit_five_cells),
        cmocka_unit_test(test_times_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
