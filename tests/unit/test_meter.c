/* SPDX-License-Identifier: MIT */
#include "engine/meter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/memory.h"
#include "engine/command.h"

static const struct step pull_steps[] = {
    {"resolve", 5}, {"download", 75}, {"extract", 15}, {"publish", 5}};
static const struct verb pull = {
    .name = "pull", .steps = pull_steps, .step_count = array_length(pull_steps)};
static const struct verb plain = {.name = "plain"};

static void report(
    struct meter *meter, enum progress_phase phase, uint64_t done, uint64_t total, uint64_t now_ms)
{
    meter_report(meter, phase, PROGRESS_BYTES, done, total, now_ms);
}

static void share_follows_the_weights(void **state)
{
    (void)state;
    struct meter meter;
    meter_init(&meter, &pull);
    assert_int_equal(meter_permille(&meter), 0);
    report(&meter, PROGRESS_DOWNLOAD, 0, 100, 0);
    assert_int_equal(meter_permille(&meter), 50);
    report(&meter, PROGRESS_DOWNLOAD, 50, 100, 10);
    assert_int_equal(meter_permille(&meter), 425);
    report(&meter, PROGRESS_EXTRACT, 50, 100, 20);
    assert_int_equal(meter_permille(&meter), 875);
    report(&meter, PROGRESS_PUBLISH, 1, 1, 30);
    assert_int_equal(meter_permille(&meter), 999);
    meter_finish(&meter, true);
    assert_int_equal(meter_permille(&meter), 1000);
}

static void share_never_goes_back(void **state)
{
    (void)state;
    struct meter meter;
    meter_init(&meter, &pull);
    report(&meter, PROGRESS_DOWNLOAD, 80, 100, 0);
    uint32_t reached = meter_permille(&meter);
    report(&meter, PROGRESS_DOWNLOAD, 0, 100, 10);
    assert_int_equal(meter_permille(&meter), reached);
    report(&meter, PROGRESS_RESOLVE, 1, 2, 20);
    assert_int_equal(meter_permille(&meter), reached);
    report(&meter, PROGRESS_DOWNLOAD, 10, 1000, 30);
    assert_int_equal(meter_permille(&meter), reached);
    report(&meter, PROGRESS_DOWNLOAD, 500, 100, 40);
    assert_int_equal(meter_permille(&meter), 800);
}

/* A resumed part is hashed before the rest is fetched: the share is that of what is fetched. */
static void proof_of_a_resumed_part_is_no_end_of_the_download(void **state)
{
    (void)state;
    static const struct step steps[] = {
        {"resolve", 5}, {"download", 70}, {"verify", 5}, {"publish", 20}};
    static const struct verb proved = {
        .name = "pull", .steps = steps, .step_count = array_length(steps)};
    struct meter meter;
    meter_init(&meter, &proved);
    report(&meter, PROGRESS_RESOLVE, 1, 1, 0);
    report(&meter, PROGRESS_VERIFY, 50, 50, 10);
    assert_int_equal(meter_permille(&meter), 50);
    report(&meter, PROGRESS_DOWNLOAD, 50, 100, 20);
    assert_int_equal(meter_permille(&meter), 400);
    report(&meter, PROGRESS_VERIFY, 60, 60, 30); /* the connection broke */
    report(&meter, PROGRESS_DOWNLOAD, 60, 100, 40);
    assert_int_equal(meter_permille(&meter), 470);
    report(&meter, PROGRESS_DOWNLOAD, 100, 100, 50);
    report(&meter, PROGRESS_VERIFY, 100, 100, 60);
    assert_int_equal(meter_permille(&meter), 800);
    report(&meter, PROGRESS_PUBLISH, 1, 2, 70);
    assert_int_equal(meter_permille(&meter), 900);
}

static void without_a_total_a_step_stands_at_its_beginning(void **state)
{
    (void)state;
    struct meter meter;
    meter_init(&meter, &pull);
    report(&meter, PROGRESS_EXTRACT, 12345, 0, 0);
    assert_int_equal(meter_permille(&meter), 800);
}

static void phases_that_are_no_step_do_not_move_it(void **state)
{
    (void)state;
    struct meter meter;
    meter_init(&meter, &pull);
    report(&meter, PROGRESS_WAIT, 1, 1, 0);
    assert_int_equal(meter_permille(&meter), 0);
    meter_init(&meter, &plain);
    report(&meter, PROGRESS_WAIT, 1, 4, 0);
    assert_int_equal(meter_permille(&meter), 250);
}

static void parts_share_what_is_left(void **state)
{
    (void)state;
    struct meter meter;
    meter_init(&meter, &plain);
    meter_push(&meter, &pull);
    report(&meter, PROGRESS_DOWNLOAD, 50, 100, 0);
    assert_int_equal(meter_permille(&meter), 318);
    meter_pop(&meter, true);
    assert_int_equal(meter_permille(&meter), 750);
    meter_push(&meter, &pull);
    meter_push(&meter, &pull);
    report(&meter, PROGRESS_DOWNLOAD, 100, 100, 0);
    uint32_t inner = meter_permille(&meter);
    assert_in_range(inner, 751, 937);
    meter_pop(&meter, true);
    meter_pop(&meter, true);
    assert_int_equal(meter_permille(&meter), 937);
    report(&meter, PROGRESS_BOOT, 1, 2, 0);
    assert_int_equal(meter_permille(&meter), 968);
}

static void a_part_that_had_nothing_to_do_takes_no_share(void **state)
{
    (void)state;
    struct meter meter;
    meter_init(&meter, &plain);
    meter_push(&meter, &pull);
    meter_pop(&meter, true);
    assert_int_equal(meter_permille(&meter), 0);
}

static void deep_nesting_is_harmless(void **state)
{
    (void)state;
    struct meter meter;
    meter_init(&meter, &plain);
    for (int i = 0; i < 3 * METER_DEPTH; i++) {
        meter_push(&meter, &pull);
        report(&meter, PROGRESS_DOWNLOAD, 1, 2, 0);
    }
    for (int i = 0; i < 3 * METER_DEPTH; i++) {
        meter_pop(&meter, true);
    }
    uint32_t reached = meter_permille(&meter);
    assert_in_range(reached, 700, 999);
    report(&meter, PROGRESS_BOOT, 1, 1, 0);
    assert_int_equal(meter_permille(&meter), 999);
}

static void steady_speed_is_shown_as_it_is(void **state)
{
    (void)state;
    struct meter meter;
    meter_init(&meter, &pull);
    for (uint64_t now_ms = 0; now_ms <= 5000; now_ms += 50) {
        report(&meter, PROGRESS_DOWNLOAD, now_ms * 1000, 0, now_ms);
    }
    assert_in_range(meter_rate(&meter, 5000), 990000, 1010000);
}

static void speed_is_smoothed_and_falls_in_silence(void **state)
{
    (void)state;
    struct meter meter;
    meter_init(&meter, &pull);
    assert_int_equal(meter_rate(&meter, 0), 0);
    report(&meter, PROGRESS_DOWNLOAD, 0, 0, 0);
    report(&meter, PROGRESS_DOWNLOAD, 1000000, 0, 1000);
    assert_int_equal(meter_rate(&meter, 1000), 1000000);
    report(&meter, PROGRESS_DOWNLOAD, 1000000 + 250 * 9000, 0, 1250);
    uint64_t rate = meter_rate(&meter, 1250);
    assert_in_range(rate, 1000001, 5000000);
    uint64_t later = meter_rate(&meter, 3000);
    uint64_t much_later = meter_rate(&meter, 60000);
    assert_true(later < rate);
    assert_true(much_later < rate / 10);
}

static void a_new_phase_begins_a_new_measurement(void **state)
{
    (void)state;
    struct meter meter;
    meter_init(&meter, &pull);
    report(&meter, PROGRESS_DOWNLOAD, 0, 0, 0);
    report(&meter, PROGRESS_DOWNLOAD, 5000000, 0, 1000);
    report(&meter, PROGRESS_EXTRACT, 0, 0, 1000);
    assert_int_equal(meter_rate(&meter, 1100), 0);
    report(&meter, PROGRESS_EXTRACT, 1000, 0, 2000);
    assert_int_equal(meter_rate(&meter, 2000), 1000);
}

static void bytes_are_counted_without_what_was_there_before(void **state)
{
    (void)state;
    struct meter meter;
    meter_init(&meter, &pull);
    report(&meter, PROGRESS_DOWNLOAD, 600, 1000, 0);
    report(&meter, PROGRESS_DOWNLOAD, 1000, 1000, 1000);
    assert_int_equal(meter.transferred, 400);
    /* From the start again: every byte that comes is one. */
    report(&meter, PROGRESS_DOWNLOAD, 0, 1000, 1000);
    report(&meter, PROGRESS_DOWNLOAD, 1000, 1000, 2000);
    assert_int_equal(meter.transferred, 1400);
    report(&meter, PROGRESS_EXTRACT, 0, 1, 2000);
    report(&meter, PROGRESS_EXTRACT, 5000, 5000, 3000);
    assert_int_equal(meter.transferred, 1400);
    meter_finish(&meter, true);
    assert_int_equal(meter_mean_rate(&meter), 700);
}

static void without_downloads_the_mean_is_of_the_last_phase(void **state)
{
    (void)state;
    struct meter meter;
    meter_init(&meter, &plain);
    report(&meter, PROGRESS_EXTRACT, 0, 0, 0);
    report(&meter, PROGRESS_EXTRACT, 3000, 0, 1500);
    meter_finish(&meter, true);
    assert_int_equal(meter_mean_rate(&meter), 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(share_follows_the_weights),
        cmocka_unit_test(share_never_goes_back),
        cmocka_unit_test(proof_of_a_resumed_part_is_no_end_of_the_download),
        cmocka_unit_test(without_a_total_a_step_stands_at_its_beginning),
        cmocka_unit_test(phases_that_are_no_step_do_not_move_it),
        cmocka_unit_test(parts_share_what_is_left),
        cmocka_unit_test(a_part_that_had_nothing_to_do_takes_no_share),
        cmocka_unit_test(deep_nesting_is_harmless),
        cmocka_unit_test(steady_speed_is_shown_as_it_is),
        cmocka_unit_test(speed_is_smoothed_and_falls_in_silence),
        cmocka_unit_test(a_new_phase_begins_a_new_measurement),
        cmocka_unit_test(bytes_are_counted_without_what_was_there_before),
        cmocka_unit_test(without_downloads_the_mean_is_of_the_last_phase),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
