/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/memory.h"

#include <errno.h>
#include <string.h>

static void test_first_error_wins(void **state)
{
    (void)state;
    struct error err = {0};
    assert_false(error_set(&err, ERROR_DIGEST, "kernel %s", "a"));
    assert_false(error_set(&err, ERROR_IO, "later"));
    assert_int_equal(err.code, ERROR_DIGEST);
    assert_string_equal(err.text, "kernel a");
}

static void test_wrap_puts_context_in_front(void **state)
{
    (void)state;
    struct error err = {0};
    error_set(&err, ERROR_NO_SPACE, "disk full");
    assert_false(error_wrap(&err, "VM %s", "web"));
    assert_int_equal(err.code, ERROR_NO_SPACE);
    assert_string_equal(err.text, "VM web: disk full");
}

static void test_long_chains_are_cut_not_overrun(void **state)
{
    (void)state;
    struct error err = {0};
    error_set(&err, ERROR_IO, "end");
    for (int i = 0; i < 500; i++) {
        error_wrap(&err, "context number %d", i);
    }
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    assert_int_equal(strncmp(err.text, "context number 499: ", 20), 0);
}

static void test_errno_chooses_the_code(void **state)
{
    (void)state;
    static const struct {
        int number;
        enum error_code code;
    } rows[] = {{ENOENT, ERROR_NOT_FOUND}, {EEXIST, ERROR_EXISTS}, {ENOSPC, ERROR_NO_SPACE},
        {EDQUOT, ERROR_NO_SPACE}, {EACCES, ERROR_PERMISSION}, {EPERM, ERROR_PERMISSION},
        {EIO, ERROR_IO}, {EBADF, ERROR_IO}};
    for (size_t i = 0; i < array_length(rows); i++) {
        struct error err = {0};
        error_set_errno(&err, rows[i].number, "cannot open x");
        assert_int_equal(err.code, rows[i].code);
        assert_int_equal(err.sys_errno, rows[i].number);
        assert_non_null(strstr(err.text, strerror(rows[i].number)));
    }
}

/* The table of FORMATS, line by line. */
static void test_exit_statuses(void **state)
{
    (void)state;
    static const struct {
        enum error_code code;
        int status;
    } rows[] = {{ERROR_NONE, 0}, {ERROR_INVALID, 64}, {ERROR_FORMAT, 65}, {ERROR_DIGEST, 65},
        {ERROR_SIGNATURE, 65}, {ERROR_LIMIT, 65}, {ERROR_NOT_FOUND, 66}, {ERROR_NETWORK, 69},
        {ERROR_VMM, 69}, {ERROR_UNSUPPORTED, 69}, {ERROR_BUG, 70}, {ERROR_EXISTS, 73},
        {ERROR_IO, 74}, {ERROR_NO_SPACE, 74}, {ERROR_BUSY, 75}, {ERROR_IN_USE, 75},
        {ERROR_AUTH, 77}, {ERROR_PERMISSION, 77}, {ERROR_CONFIG, 78}, {ERROR_TIMEOUT, 124},
        {ERROR_CANCELLED, 130}};
    assert_int_equal(array_length(rows), ERROR_BUG + 1); /* every code has its line */
    for (size_t i = 0; i < array_length(rows); i++) {
        assert_int_equal(error_exit_status(rows[i].code), rows[i].status);
        assert_non_null(error_code_name(rows[i].code));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_error_wins),
        cmocka_unit_test(test_wrap_puts_context_in_front),
        cmocka_unit_test(test_long_chains_are_cut_not_overrun),
        cmocka_unit_test(test_errno_chooses_the_code),
        cmocka_unit_test(test_exit_statuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
