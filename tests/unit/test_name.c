/* SPDX-License-Identifier: MIT */
/* The name rules, accept and refuse lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/name.h"

#define CHARS_60 "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwx"

static const char *const good_entries[] = {"a", "7", "A", "debian", "generic-6.12", "Debian_12",
    "a.b", "a..b", "0.1-rc2", "x-", "x.", "x_", "k.lock", "6.1.0-18-cloud-amd64", CHARS_60 "wxyz"};

static const char *const bad_entries[] = {"-a", ".a", "_a", ".", "..", "../x", "a/b", "/a", "a b",
    " a", "a ", "a\n", "a\tb", "a\x1b[31m", "a:b", "a@b", "a+b", "a~", "a$b", "a;b", "a*", "a\\b",
    "\xc3\xa4", "a\xc3\xa4", "a\xff", "caf\xc3\xa9", CHARS_60 "wxyz5"};

static const char *const good_labels[] = {
    "a", "7", "vm", "web-1", "a--b", "0", "123", CHARS_60 "wxy"};

static const char *const bad_labels[] = {"-", "-a", "a-", "A", "Web", "a.b", "a_b", "a b", "a/b",
    "..", "a\n", "\xc3\xa4", CHARS_60 "wxyz"};

static void test_entries_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_length(good_entries); i++) {
        struct error err = {0};
        if (!name_check_entry(good_entries[i], "kernel name", &err)) {
            fail_msg("%s was refused: %s", good_entries[i], err.text);
        }
    }
}

static void test_entries_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_length(bad_entries); i++) {
        struct error err = {0};
        if (name_check_entry(bad_entries[i], "kernel name", &err)) {
            fail_msg("%s was accepted", bad_entries[i]);
        }
        assert_int_equal(err.code, ERROR_INVALID);
        /* The sentence can be shown: no control character of the name gets through. */
        for (const char *c = err.text; *c != '\0'; c++) {
            assert_true((unsigned char)*c >= 0x20);
        }
    }
}

static void test_labels_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_length(good_labels); i++) {
        struct error err = {0};
        if (!name_check_label(good_labels[i], "VM name", &err)) {
            fail_msg("%s was refused: %s", good_labels[i], err.text);
        }
    }
}

static void test_labels_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_length(bad_labels); i++) {
        struct error err = {0};
        if (name_check_label(bad_labels[i], "VM name", &err)) {
            fail_msg("%s was accepted", bad_labels[i]);
        }
        assert_int_equal(err.code, ERROR_INVALID);
    }
}

static void test_empty_has_its_own_sentence(void **state)
{
    (void)state;
    struct error entry = {0};
    struct error label = {0};
    struct error other = {0};
    assert_false(name_check_entry("", "kernel name", &entry));
    assert_false(name_check_label("", "VM name", &label));
    assert_false(name_check_entry("/", "kernel name", &other));
    assert_non_null(strstr(entry.text, "kernel name is empty"));
    assert_non_null(strstr(label.text, "VM name is empty"));
    assert_null(strstr(other.text, "empty"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries_accepted),
        cmocka_unit_test(test_entries_refused),
        cmocka_unit_test(test_labels_accepted),
        cmocka_unit_test(test_labels_refused),
        cmocka_unit_test(test_empty_has_its_own_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
