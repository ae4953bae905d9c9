/* SPDX-License-Identifier: MIT */
/* A host that slept, by what its two clocks say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>

#include "base/memory.h"
#include "vm/host_sleep.h"

#define HOUR_MS UINT64_C(3600000)

static void test_clocks_apart(void **state)
{
    (void)state;
    static const struct {
        uint64_t boottime_ms, monotonic_ms;
        bool has_slept;
    } rows[] = {
        {1000, 1000, false},
        {HOUR_MS, HOUR_MS, false},
        {HOUR_MS + 40, HOUR_MS + 1, false}, /* a busy host between two readings */
        {3 * HOUR_MS, HOUR_MS + 2000, true},
        {3 * HOUR_MS + 10, HOUR_MS + 2010, false}, /* once is enough */
        {3 * HOUR_MS + 2000, HOUR_MS + 3000, true},
        /* Several that are too short add up. */
        {3 * HOUR_MS + 2300, HOUR_MS + 3000, false},
        {3 * HOUR_MS + 2600, HOUR_MS + 3000, true},
    };
    struct host_sleep sleep = {.fd = -1};
    for (size_t i = 0; i < array_length(rows); i++) {
        bool has_slept = host_sleep_compare(&sleep, rows[i].boottime_ms, rows[i].monotonic_ms);
        if (has_slept != rows[i].has_slept) {
            fail_msg("row %zu", i);
        }
    }
}

/* One that slept before is not thought to sleep now, and nobody is woken for nothing. */
static void test_this_host_is_awake(void **state)
{
    (void)state;
    struct host_sleep sleep;
    host_sleep_begin(&sleep);
    assert_false(host_sleep_look(&sleep));
    if (sleep.fd >= 0) {
        struct pollfd poller = {.fd = sleep.fd, .events = POLLIN};
        assert_int_equal(poll(&poller, 1, 0), 0);
        assert_true((fcntl(sleep.fd, F_GETFD) & FD_CLOEXEC) != 0);
    }
    host_sleep_end(&sleep);
    assert_int_equal(sleep.fd, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clocks_apart),
        cmocka_unit_test(test_this_host_is_awake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
