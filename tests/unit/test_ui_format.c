/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "ui/format.h"

#define NOW 1800000000

static void ages(int64_t seconds, const char *wanted, uint64_t changes_in_s)
{
    auto_done(text) struct text out = {0};
    uint64_t changes = 99;
    format_age(&out, NOW, NOW - seconds, &changes);
    assert_string_equal(text_cstr(&out), wanted);
    assert_int_equal(changes, changes_in_s);
}

/* Seconds never show, and the next change is known: that is what keeps an idle screen idle. */
static void test_age(void **state)
{
    (void)state;
    ages(0, "<1m", 60);
    ages(59, "<1m", 1);
    ages(60, "1m", 60);
    ages(3599, "59m", 1);
    ages(3600, "1h", 3600);
    ages(86399, "23h", 1);
    ages(86400, "24h", 3600);
    ages(2 * 86400, "2d", 86400);
    ages(61 * 86400, "8w", 86400);
    ages(-30, "<1m", 60); /* a clock that went back */
    auto_done(text) struct text out = {0};
    uint64_t changes = 99;
    format_age(&out, NOW, 0, &changes);
    assert_string_equal(text_cstr(&out), "");
    assert_int_equal(changes, 0);
}

static void amounts(enum progress_unit unit, uint64_t done, uint64_t total, const char *wanted)
{
    auto_done(text) struct text out = {0};
    format_amount(&out, unit, done, total);
    assert_string_equal(text_cstr(&out), wanted);
}

static void test_amount(void **state)
{
    (void)state;
    amounts(PROGRESS_BYTES, 0, 0, "");
    amounts(PROGRESS_BYTES, 512, 0, "512 B");
    amounts(PROGRESS_BYTES, 10, 800, "10/800 B");
    amounts(PROGRESS_BYTES, 11010048, 22020096, "10.5/21.0 MiB");
    amounts(PROGRESS_BYTES, 1 << 20, UINT64_C(300) << 20, "1/300 MiB");
    amounts(PROGRESS_ENTRIES, 3, 0, "3 entries");
    amounts(PROGRESS_STEPS, 2, 5, "2/5 steps");
}

static void test_left(void **state)
{
    (void)state;
    auto_done(text) struct text out = {0};
    format_left(&out, 10, 100, 0);
    format_left(&out, 100, 100, 5);
    format_left(&out, 10, 0, 5);
    assert_string_equal(text_cstr(&out), "");
    format_left(&out, 10, 100, 7); /* 12.9 s: rounded up, never 0:00 with work left */
    assert_string_equal(text_cstr(&out), "0:13");
}

static void proves(const struct job_item *job, const char *wanted)
{
    auto_done(text) struct text out = {0};
    format_proof(&out, job);
    assert_string_equal(text_cstr(&out), wanted);
}

static void test_proof(void **state)
{
    (void)state;
    struct job_item job = {.state = JOB_RUNNING,
        .phase = PROGRESS_DOWNLOAD,
        .unit = PROGRESS_BYTES,
        .done = 43,
        .total = 100};
    proves(&job, "");
    job.has_expected = true;
    proves(&job, "hashing 43%");
    job.total = 0;
    proves(&job, "hashing");
    job.has_found = true;
    proves(&job, "verified");
    job.found.bytes[31] ^= 1;
    proves(&job, "MISMATCH");
    job.has_found = false;
    job.state = JOB_FAILED;
    proves(&job, "");
    job.error.code = ERROR_DIGEST;
    proves(&job, "MISMATCH");
}

static void test_verified(void **state)
{
    (void)state;
    static const char hex[] = "3f9c41d2a0b84c57e1930fd2746ab8c5901e3d77f2a46b8cc013579bdf02468a";
    static const char *const wanted[] = {
        [VERIFIED_NONE] = "unverified",
        [VERIFIED_RECORDED] = "recorded",
        [VERIFIED_PULL] = "verified 3f9c41d2",
        [VERIFIED_MISMATCH] = "MISMATCH",
    };
    for (int word = 0; word < 4; word++) {
        auto_done(text) struct text out = {0};
        format_verified(&out, (enum verified_state)word, hex);
        assert_string_equal(text_cstr(&out), wanted[word]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_age),
        cmocka_unit_test(test_amount),
        cmocka_unit_test(test_left),
        cmocka_unit_test(test_proof),
        cmocka_unit_test(test_verified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
