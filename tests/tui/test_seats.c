/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Two operators on one host: what one of them destroys or stops is told to the other. */

#include "tui/guest_world.h"

#include "base/clock.h"

#include <pwd.h>
#include <signal.h>
#include <string.h>

static const char *login(void)
{
    const struct passwd *entry = getpwuid(geteuid());
    assert_non_null(entry);
    return entry->pw_name;
}

/* Leaves the messages of the session on the screen. */
static void open_messages(struct pty_vterm *pty)
{
    pty_send(pty, "M");
    pty_wait_text(pty, "Messages of this session");
}

static void test_what_another_seat_stops_and_removes_is_told(void **state)
{
    struct console_world *world = *state;
    open_with_machine(world);
    struct pty_vterm *first = world->pty;
    assert_int_equal(world_batch(world, "vm stop web"), 0);
    auto_free char *stopped = memory_printf("Stopped: VM web (by %s", login());
    pty_wait_text(first, stopped);
    pty_send(first, "j"); /* seen */
    pty_wait_gone(first, "Stopped: VM web");

    world_open(world);
    struct pty_vterm *second = world->pty;
    pty_wait_text(second, "4 VMs  1 stopped");
    pty_send(second, "4");
    pty_wait_text(second, "x Remove");
    pty_send(second, "x");
    pty_wait_text(second, "Yes, remove");
    pty_send(second, "y");
    auto_free char *removed = memory_printf("Removed: VM web (by %s on pts/", login());
    pty_wait_text(first, removed);
    pty_send(first, "j");
    pty_wait_text(second, "takes it back");
    pty_send(second, "j");
    assert_int_equal(world_batch(world, "image rm small"), 0);
    pty_wait_text(first, "Removed: image small (by ");
    pty_wait_text(second, "Removed: image small (by ");
    open_messages(first);
    pty_wait_text(first, "Stopped: VM web (by ");
    pty_wait_text(first, "Removed: VM web (by ");
    pty_send(first, "j");
    pty_wait_text(first, "/ Search"); /* what stands there is not told once more below */

    /* Its own deed is no news to whoever did it. */
    open_messages(second);
    pty_wait_text(second, "Removed: image small (by ");
    assert_false(pty_shows(second, "Removed: VM web (by "));
    pty_send(second, "q");
    pty_wait_text(second, "1 Catalog");
    world_quit(world);
    pty_send(first, "q");
    pty_wait_text(first, "1 Catalog");
    world->pty = first;
    world_quit(world);
}

/* Who did what is a page of its own, from before this console was there up to what comes. */
static void test_who_did_what_is_a_page(void **state)
{
    struct console_world *world = *state;
    assert_int_equal(world_batch(world, "vm create small --name web"), 0);
    world_open(world);
    pty_wait_text(world->pty, "4 VMs  1 created");
    pty_send(world->pty, "W");
    pty_wait_text(world->pty, "events --since all --follow");
    pty_wait_text(world->pty, login());
    pty_wait_text(world->pty, "kernel import k --from");
    pty_wait_text(world->pty, "vm create small --name web");
    assert_int_equal(world_batch(world, "vm rm web"), 0);
    pty_wait_text(world->pty, "vm rm web");
    pty_send(world->pty, "&rm web\r");
    pty_wait_gone(world->pty, "kernel import");
    pty_wait_text(world->pty, "vm rm web");
    pty_send(world->pty, "q");
    pty_wait_text(world->pty, "kernel import");
    pty_send(world->pty, "q");
    pty_wait_text(world->pty, "1 Catalog");
    pty_send(world->pty, ":events --since today image/small\r");
    pty_wait_text(world->pty, "image register small");
    assert_false(pty_shows(world->pty, "kernel import"));
    pty_send(world->pty, "q");
    pty_wait_text(world->pty, "1 Catalog");
    world_quit(world);
}

/* What was done before a console was there is no news to it; what changed nothing is none. */
static void test_only_news_is_told(void **state)
{
    struct console_world *world = *state;
    auto_free char *import = memory_printf("kernel import old --from %s/tree", world->dir);
    assert_int_equal(world_batch(world, import), 0);
    assert_int_equal(world_batch(world, "kernel rm old"), 0);
    assert_int_equal(world_batch(world, "vm create small --name web"), 0);
    world_open(world);
    pty_wait_text(world->pty, "4 VMs  1 created");
    assert_int_equal(world_batch(world, "vm stop web"), 0); /* it does not run */
    assert_int_equal(world_batch(world, "vm rm web"), 0);
    pty_wait_text(world->pty, "Removed: VM web (by ");
    open_messages(world->pty);
    pty_wait_text(world->pty, "Removed: VM web (by ");
    assert_false(pty_shows(world->pty, "Removed: kernel old"));
    assert_false(pty_shows(world->pty, "Stopped:"));
    pty_send(world->pty, "q");
    pty_wait_text(world->pty, "1 Catalog");
    world_quit(world);
}

/* A crash that nobody asked for is told at once to whoever watches, and says why; so is a machine that
 * its restart policy brought back. */
static void test_what_a_machine_does_by_itself_is_told(void **state)
{
    struct console_world *world = *state;
    open_with_machine(world);
    assert_int_equal(kill(vmm_of_web(world), SIGKILL), 0);
    pty_wait_text(world->pty, "VM web crashed: killed by signal 9");
    pty_send(world->pty, "j"); /* seen */
    pty_wait_gone(world->pty, "VM web crashed");
    pty_send(world->pty, "\r");
    pty_wait_text(world->pty, "why         killed by signal 9");
    pty_wait_text(world->pty, "ended       20"); /* and when */
    pty_send(world->pty, "q");
    pty_wait_text(world->pty, "1 Catalog");

    assert_int_equal(world_batch(world, "vm set web --restart on-failure"), 0);
    assert_int_equal(world_batch(world, "vm start web"), 0);
    pty_wait_text(world->pty, "┏ 4 VMs  1 running");
    pty_wait_text(world->pty, "s Shell");
    assert_int_equal(kill(vmm_of_web(world), SIGKILL), 0);
    pty_wait_text(world->pty, "VM web began again by itself (restart 1), after this: killed by");
    assert_int_equal(world_batch(world, "vm kill web"), 0);
    pty_send(world->pty, "j");
    pty_wait_text(world->pty, "┏ 4 VMs  1 stopped");
    open_messages(world->pty);
    pty_wait_text(world->pty, "Killed: VM web (by ");
    pty_send(world->pty, "q");
    pty_wait_text(world->pty, "1 Catalog");
    world_quit(world);
}

static void wait_for_another_monitor(const struct console_world *world, pid_t before)
{
    uint64_t deadline_ms = clock_monotonic_ms() + 60000;
    while (process_of_web(world, "monitor") == before) {
        assert_true(clock_monotonic_ms() < deadline_ms);
        pty_settle(world->pty, 50, 100);
    }
}

/* A console that is open gives a machine a new monitor; one that may change nothing says what is
 * missing. */
static void test_a_lost_monitor_is_replaced(void **state)
{
    struct console_world *world = *state;
    assert_int_equal(world_batch(world, "vm run small --name web"), 0);
    world_open_as(world, "xterm-256color", "C.UTF-8", "--readonly", 24, 80, false);
    pty_wait_text(world->pty, "running");
    pid_t first = process_of_web(world, "monitor");
    assert_int_equal(kill(first, SIGKILL), 0);
    pty_wait_text(world->pty, "no watch");
    pty_send(world->pty, "\r");
    pty_wait_text(world->pty, "monitor     died");
    pty_send(world->pty, "q");
    pty_wait_text(world->pty, "1 Catalog");
    struct pty_vterm *reader = world->pty;

    world_open(world); /* this one may */
    pty_wait_text(reader, "▸web       running");
    pid_t second = process_of_web(world, "monitor");
    assert_int_not_equal(first, second);
    pty_wait_text(world->pty, "▸web       running");
    assert_int_equal(kill(second, SIGKILL), 0);
    wait_for_another_monitor(world, second);
    pty_wait_text(world->pty, "▸web       running");
    world_quit(world);
    world->pty = reader;
    world_quit(world);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, guest_set_up, guest_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_another_seat_stops_and_removes_is_told),
        TEST(test_only_news_is_told),
        TEST(test_who_did_what_is_a_page),
        TEST(test_what_a_machine_does_by_itself_is_told),
        TEST(test_a_lost_monitor_is_replaced),
    };
    if (!guest_world_is_possible()) {
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
