/* SPDX-License-Identifier: MIT */

/* Machines that begin again by themselves, on a stand-in for QEMU. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/machine_world.h"

#include "base/wire.h"
#include "vm/agent_client.h"
#include "vm/local_socket.h"
#include "vm/machine_history.h"
#include "vm/monitor_client.h"
#include "vm/monitor_launch.h"
#include "vm/monitor_order.h"

#include <pthread.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* Waits until the machine's record is of another VMM than *before, and takes it over. */
static void await_next(struct world *world)
{
    struct machine_handle before = world->handle;
    uint64_t deadline = clock_deadline(60000);
    struct error ignored = {0};
    while (!machine_handle_read(world->dir, &world->handle, &ignored) ||
           world->handle.vmm.pid == before.vmm.pid) {
        assert_true(clock_left_ms(deadline) > 0);
        poll(NULL, 0, 2);
    }
    assert_int_equal(world->handle.monitor.pid, before.monitor.pid);
    assert_string_equal(world->handle.uuid, before.uuid);
}

/* A reboot of the guest is one: same monitor, same log, and who watched it goes on watching. */
static void test_reboot_begins_again(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    struct machine_timeline timeline;
    struct monitor_connection watcher;
    world_make(&world, "", NULL);
    world_start(&world);
    world_wait_ready(&world, &timeline);
    machine_timeline_done(&timeline);
    auto_json struct json *request = monitor_request_new("console");
    assert_true(monitor_request(world.dir, request, clock_deadline(60000), NULL, &watcher, &err));
    world_type(&world, "reboot\n");
    await_next(&world);
    world_wait_ready(&world, &timeline);
    assert_int_equal(timeline.restarts, 1);
    machine_timeline_done(&timeline);
    auto_json struct json *boots = machine_history_read(world.dir);
    assert_int_equal(json_count(boots), 1);
    assert_string_equal(
        json_string(json_get(json_at(boots, 0), "exit"), "reason", ""), "guest-reboot");
    world_type(&world, "still here\n");
    auto_done(text) struct text seen = {0};
    uint64_t deadline = clock_deadline(60000);
    while (strstr(text_cstr(&seen), "got still here") == NULL) {
        char chunk[4096];
        struct pollfd fd = {.fd = watcher.fd, .events = POLLIN};
        assert_true(poll(&fd, 1, clock_left_ms(deadline)) > 0);
        ssize_t got = read(watcher.fd, chunk, sizeof chunk);
        assert_true(got > 0);
        for (ssize_t i = 0; i < got; i++) {
            text_append_char(&seen, chunk[i] == 0 ? ' ' : chunk[i]);
        }
    }
    monitor_connection_done(&watcher);
    struct machine_exit exit;
    assert_true(machine_stop(world.dir, &world.handle, 60000, NULL, NULL, &exit, &err));
    assert_true(exit.is_requested && !exit.is_given_up);
    assert_int_equal(exit.reason, MACHINE_EXIT_GUEST_POWEROFF);
    world_assert_left(&world);
    world_remove(&world);
}

/* Between two boots it comes up: it never looks as if it went down for good. */
static void test_it_is_up_all_the_time(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    struct machine_timeline timeline;
    world_make(&world, "", NULL);
    world_start(&world);
    for (unsigned restarts = 1; restarts <= 3; restarts++) {
        uint64_t deadline = clock_deadline(60000);
        bool is_ready = false;
        world_wait_ready(&world, &timeline);
        machine_timeline_done(&timeline);
        world_type(&world, "reboot\n");
        while (!is_ready) {
            struct machine_facts facts;
            machine_look(world.dir, &facts);
            bool is_next = facts.has_timeline && facts.timeline.restarts == restarts;
            is_ready = is_next && facts.state == MACHINE_RUNNING &&
                       machine_timeline_is_ready(&facts.timeline);
            if (is_next && facts.state != MACHINE_STARTING && facts.state != MACHINE_RUNNING) {
                fail_msg("it looks %s", machine_state_name(facts.state));
            }
            world.handle = facts.has_handle ? facts.handle : world.handle;
            machine_facts_done(&facts);
            assert_true(clock_left_ms(deadline) > 0);
        }
    }
    assert_true(machine_stop(world.dir, &world.handle, 60000, NULL, NULL, NULL, &err));
    world_remove(&world);
}

static void test_restart_policies(void **state)
{
    (void)state;
    static const struct {
        enum machine_restart restart;
        const char *append;
        const char *typed;
        bool begins_again;
    } rows[] = {
        {MACHINE_RESTART_NO, "", "crash\n", false},
        {MACHINE_RESTART_ON_FAILURE, "", "off\n", false},
        {MACHINE_RESTART_ON_FAILURE, "", "crash\n", true},
        {MACHINE_RESTART_ALWAYS, "", "off\n", true},
    };
    for (size_t i = 0; i < array_length(rows); i++) {
        struct world world;
        struct machine_timeline timeline;
        struct machine_exit exit;
        struct error err = {0};
        world_make(&world, rows[i].append, NULL);
        world.spec.restart = rows[i].restart;
        world_start(&world);
        world_wait_ready(&world, &timeline);
        machine_timeline_done(&timeline);
        world_type(&world, rows[i].typed);
        if (rows[i].begins_again) {
            /* A stop that knows the VMM before ends the one that came after it. */
            struct machine_handle before = world.handle;
            await_next(&world);
            assert_true(machine_stop(world.dir, &before, 60000, NULL, NULL, &exit, &err));
            assert_true(exit.is_requested);
            assert_int_equal(exit.restarts, 1);
            assert_int_equal(world_state(&world), MACHINE_STOPPED);
        } else {
            world_wait_exit(&world, &exit);
            assert_int_equal(exit.restarts, 0);
        }
        world_assert_left(&world);
        world_remove(&world);
    }
}

static void test_a_crash_loop_is_given_up(void **state)
{
    (void)state;
    struct world world;
    struct machine_exit exit;
    world_make(&world, "fake.panic", NULL);
    world.spec.restart = MACHINE_RESTART_ALWAYS;
    world_start(&world);
    world_wait_exit(&world, &exit);
    assert_true(exit.is_given_up && !exit.is_requested);
    assert_int_equal(exit.reason, MACHINE_EXIT_PANIC);
    assert_true(exit.restarts >= 3 && exit.restarts <= 9);
    char sentence[640];
    assert_non_null(strstr(machine_exit_describe(&exit, sentence, sizeof sentence), "no root"));
    assert_int_equal(world_state(&world), MACHINE_CRASHED);
    world_assert_left(&world);
    world_remove(&world);
}

/* In the pause between two VMMs there is none to end: the machine is down at once. */
static void test_stop_in_the_pause(void **state)
{
    (void)state;
    struct world world;
    struct machine_exit exit;
    struct error err = {0};
    world_make(&world, "fake.panic", NULL);
    world.spec.restart = MACHINE_RESTART_ALWAYS;
    world_start(&world);
    world_wait_text(&world, MACHINE_BOOT_FILE, "\"restarts\": 3");
    uint64_t begin = clock_monotonic_ms();
    assert_true(machine_stop(world.dir, &world.handle, 60000, NULL, NULL, &exit, &err));
    assert_true(clock_monotonic_ms() - begin < 60000);
    assert_true(exit.is_requested && !exit.is_given_up);
    world_assert_left(&world);
    world_remove(&world);
}

int main(int argc, char **argv)
{
    if (world_is_monitor(argc, argv)) {
        return monitor_main(argc, argv);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reboot_begins_again),
        cmocka_unit_test(test_it_is_up_all_the_time),
        cmocka_unit_test(test_restart_policies),
        cmocka_unit_test(test_a_crash_loop_is_given_up),
        cmocka_unit_test(test_stop_in_the_pause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
