/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/scratch.h"
#include "vm/accel.h"

/* device, openable, flag: every host there can be. */
static const struct accel_host no_device = {.kvm_trouble = "it cannot be opened"};
static const struct accel_host no_right = {
    .has_kvm_device = true, .has_virt_flag = true, .kvm_trouble = "permission denied"};
static const struct accel_host not_real = {
    .has_kvm_device = true, .can_open_kvm = true, .kvm_trouble = ""};
static const struct accel_host real = {
    .has_kvm_device = true, .can_open_kvm = true, .has_virt_flag = true, .kvm_trouble = ""};

static enum accel_kind decide(const char *mode, const struct accel_host *host)
{
    struct error err = {0};
    struct accel_choice choice;
    assert_true(accel_decide(mode, host, &choice, &err));
    assert_true(choice.why[0] != '\0');
    return choice.kind;
}

static void test_auto_takes_only_real_kvm(void **state)
{
    (void)state;
    assert_int_equal(decide(NULL, &real), ACCEL_KVM);
    assert_int_equal(decide("auto", &real), ACCEL_KVM);
    assert_int_equal(decide("auto", &no_device), ACCEL_TCG);
    assert_int_equal(decide("auto", &no_right), ACCEL_TCG);
    /* It opens, but a stock kernel would spin in it for ever. */
    assert_int_equal(decide("auto", &not_real), ACCEL_TCG);
}

static void test_operator_decides(void **state)
{
    (void)state;
    struct error err = {0};
    struct accel_choice choice;
    assert_int_equal(decide("tcg", &real), ACCEL_TCG);
    assert_int_equal(decide("kvm", &not_real), ACCEL_KVM);
    assert_false(accel_decide("kvm", &no_device, &choice, &err));
    assert_code(err, ERROR_UNSUPPORTED);
    error_clear(&err);
    assert_false(accel_decide("kvm", &no_right, &choice, &err));
    assert_code(err, ERROR_UNSUPPORTED);
    error_clear(&err);
    assert_false(accel_decide("hvf", &real, &choice, &err));
    assert_code(err, ERROR_INVALID);
}

static void test_this_host(void **state)
{
    (void)state;
    struct accel_host host;
    accel_probe_host(&host);
    assert_true(host.has_kvm_device || !host.can_open_kvm);
    struct accel_choice choice;
    struct error err = {0};
    assert_true(accel_choose("auto", &choice, &err));
    assert_true(choice.kind == ACCEL_TCG || (host.can_open_kvm && host.has_virt_flag));
}

static void test_tsc_rate(void **state)
{
    (void)state;
#if defined(__x86_64__)
    uint64_t first = accel_tsc_khz();
    uint64_t second = accel_tsc_khz();
    assert_in_range(first, 100000, 10000000);
    uint64_t apart = first > second ? first - second : second - first;
    assert_true(apart * 1000 < first); /* a thousandth: what the kernel's own check allows */
#else
    assert_int_equal(accel_tsc_khz(), 0);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_auto_takes_only_real_kvm),
        cmocka_unit_test(test_operator_decides),
        cmocka_unit_test(test_this_host),
        cmocka_unit_test(test_tsc_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
