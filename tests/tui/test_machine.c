/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The life of a machine by keys alone, on a stand-in for QEMU that has a serial line and an agent
 * (tests/support/fake_qemu.c). */

#include "tui/guest_world.h"

#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"

/* Three keys from the first screen: the pane, run, yes. The job's line tells each stage. */
static void test_run_in_three_keys(void **state)
{
    struct console_world *world = *state;
    world_open(world);
    pty_wait_text(world->pty, "┏ 1 Catalog");
    pty_wait_text(world->pty, "small");
    pty_send(world->pty, "3");
    pty_wait_text(world->pty, "▸small");
    pty_send(world->pty, "r");
    pty_wait_text(world->pty, "as a line: vm run small");
    pty_send(world->pty, "\x1b[Bweb\r");
    pty_wait_text(world->pty, "1 running");
    pty_wait_text(world->pty, "ready in ");
    pty_wait_text(world->pty, "vmm ");
    pty_send(world->pty, "4\r");
    pty_wait_text(world->pty, "running, the agent answers");
    pty_wait_text(world->pty, "boot        vmm");
    pty_send(world->pty, "q");
    pty_wait_text(world->pty, "t Stop");
    world_quit(world);
    assert_int_equal(world_batch(world, "vm wait web --for running --timeout 60s"), 0);
}

static void test_stop_start_remove(void **state)
{
    struct console_world *world = *state;
    open_with_machine(world);
    pty_wait_text(world->pty, "no kvm"); /* emulation is told in words that need no knowledge */
    pty_send(world->pty, "t");
    pty_wait_text(world->pty, "Stop machine web?");
    pty_wait_text(world->pty, "Yes, stop");
    pty_send(world->pty, "y");
    pty_wait_text(world->pty, "1 stopped");
    pty_wait_text(world->pty, "r Run");
    assert_false(pty_shows(world->pty, "s Shell"));
    pty_send(world->pty, "r");
    pty_wait_text(world->pty, "4 VMs  1 running");
    pty_wait_text(world->pty, "s Shell");
    pty_wait_text(world->pty, "  vmm "); /* of its own boot only: the other job was no boot */
    pty_send(world->pty, "K");
    pty_wait_text(world->pty, "Yes, kill");
    pty_send(world->pty, "y");
    pty_wait_gone(world->pty, "4 VMs  1 running");
    pty_wait_text(world->pty, "x Remove");
    pty_send(world->pty, "x");
    pty_wait_text(world->pty, "Remove machine web?");
    pty_wait_text(world->pty, "Yes, remove");
    pty_send(world->pty, "y");
    pty_wait_text(world->pty, "None yet: r on an image makes one.");
    pty_wait_text(world->pty, "5 Jobs  4 done"); /* the name goes first, the files behind it */
    auto_free char *left = scratch_list(world->dir, "state/vms");
    assert_string_equal(left, "");
    pty_send(world->pty, "u");
    pty_wait_text(world->pty, "▸ VM web is back"); /* when it is, not while it comes */
    world_quit(world);
}

/* Who removes a kernel is told which snapshots go back to it. */
static void test_a_kernel_of_a_snapshot(void **state)
{
    struct console_world *world = *state;
    auto_free char *import = memory_printf("kernel import old --from %s/tree", world->dir);
    assert_int_equal(world_batch(world, import), 0);
    assert_int_equal(world_batch(world, "vm create small --name web --kernel-ref old"), 0);
    assert_int_equal(world_batch(world, "vm snapshot create web one"), 0);
    assert_int_equal(world_batch(world, "vm set web --kernel-ref k"), 0);
    world_open(world);
    pty_wait_text(world->pty, "small");
    pty_send(world->pty, ":kernel rm old\r");
    pty_wait_text(world->pty, "old is used by snapshot one of web");
    pty_send(world->pty, ":kernel rm old --force\r");
    pty_wait_text(world->pty, "snapshot one of web.");
    pty_send(world->pty, "y");
    pty_wait_text(world->pty, "5 Jobs  1 done");
    assert_int_equal(world_batch(world, "kernel show old"), 66);
    world_quit(world);
}

/* As the monitor writes it. */
static void say_boot(const struct console_world *world, const char *word, bool is_so)
{
    struct error err = {0};
    auto_free char *text = scratch_read(world->dir, "state/vms/web/boot.json");
    auto_json struct json *boot = json_parse(text, strlen(text), 1 << 20, 16, "boot.json", &err);
    assert_non_null(boot);
    json_put_bool(boot, word, is_so);
    auto_done(text) struct text line = {0};
    json_write(boot, true, &line);
    scratch_write(world->dir, "state/vms/web/boot.json.new", text_cstr(&line));
    auto_free char *from = memory_printf("%s/state/vms/web/boot.json.new", world->dir);
    auto_free char *to = memory_printf("%s/state/vms/web/boot.json", world->dir);
    assert_int_equal(rename(from, to), 0);
}

static void test_a_lost_network_is_seen(void **state)
{
    struct console_world *world = *state;
    open_with_machine(world);
    pty_wait_text(world->pty, "running");
    say_boot(world, "network_lost", true);
    pty_wait_text(world->pty, "no net ");
    pty_send(world->pty, "\r");
    pty_wait_text(world->pty, "lost: what serves it died");
    pty_send(world->pty, "q");
    pty_wait_text(world->pty, "no net ");
    say_boot(world, "network_lost", false);
    pty_wait_gone(world->pty, "no net ");
    pty_wait_text(world->pty, "running");
    world_quit(world);
}

/* A guest that filled this host's disk stands still: the word, the reason, and what to do about it. */
static void test_a_machine_without_room_is_seen(void **state)
{
    struct console_world *world = *state;
    open_with_machine(world);
    pty_wait_text(world->pty, "running");
    say_boot(world, "no_space", true);
    pty_wait_text(world->pty, "VM web stands still"); /* until a key is pressed */
    pty_wait_text(world->pty, "▸web       no space");
    pty_send(world->pty, "\r");
    pty_wait_text(world->pty, "disk full");
    pty_send(world->pty, "q");
    say_boot(world, "no_space", false);
    pty_wait_text(world->pty, "▸web       running");
    world_quit(world);
}

/* T32, T33: the way out is said, the line is the guest's, and afterwards the screen is as before. */
static void test_console(void **state)
{
    struct console_world *world = *state;
    open_with_machine(world);
    pty_send(world->pty, "c");
    pty_wait_text(world->pty, "press Ctrl-] to leave");
    pty_wait_gone(world->pty, "4 VMs");
    pty_send(world->pty, "hello\n");
    pty_wait_text(world->pty, "got hello");
    pty_send(world->pty, "\x1d");
    pty_wait_text(world->pty, "┏ 4 VMs");
    pty_wait_text(world->pty, "s Shell");
    assert_false(pty_cursor_is_visible(world->pty));
    assert_true(pty_is_alternate(world->pty));
    /* A size that changed meanwhile is taken over. */
    pty_send(world->pty, "c");
    pty_wait_gone(world->pty, "4 VMs"); /* what the guest wrote before is there at once */
    pty_resize(world->pty, 40, 120);
    pty_press_until(world->pty, "\x1d", "Details");
    world_quit(world);
}

/* How often the kernel began to speak. */
static unsigned count_boots(const struct pty_vterm *pty)
{
    unsigned count = 0;
    size_t len = 0;
    for (const char *at = pty_bytes(pty, &len); (at = strstr(at, "Linux version")) != NULL; at++) {
        count++;
    }
    return count;
}

/* T34: whoever is on the line stays on it while the guest boots again, and sees it from the first
 * words of its kernel on. */
static void test_t34_console_over_a_reboot(void **state)
{
    struct console_world *world = *state;
    open_with_machine(world);
    pty_send(world->pty, "c");
    pty_wait_text(world->pty, "press Ctrl-] to leave");
    pty_send(world->pty, "before it\n");
    pty_wait_text(world->pty, "got before it");
    unsigned boots = count_boots(world->pty);
    pty_send(world->pty, "reboot\n");
    uint64_t deadline = clock_deadline(PTY_WAIT_MS);
    while (count_boots(world->pty) == boots) {
        assert_true(clock_left_ms(deadline) > 0);
        pty_settle(world->pty, 50, 50);
    }
    pty_send(world->pty, "after it\n");
    pty_wait_text(world->pty, "got after it");
    const char *since = strstr(pty_screen(world->pty), "got before it");
    assert_non_null(since);
    const char *kernel = strstr(since, "Linux version 6.1.0-fake");
    assert_non_null(kernel);
    assert_non_null(strstr(kernel, "got after it"));
    pty_send(world->pty, "\x1d");
    pty_wait_text(world->pty, "4 VMs  1 running");
    pty_wait_text(world->pty, "s Shell");
    world_quit(world);
}

/* A command with the terminal's own input and output; what cannot start is told on the screen. */
static void test_terminal_of_a_command(void **state)
{
    struct console_world *world = *state;
    open_with_machine(world);
    pty_send(world->pty, ":vm exec web --tty -- exit 3\r");
    pty_wait_text(world->pty, "The command ended with status 3.");
    pty_send(world->pty, ":vm exec web --tty -- missing\r");
    pty_wait_text(world->pty, "The command was not found in the machine");
    pty_send(world->pty, "4");
    pty_wait_text(world->pty, "s Shell");
    world_quit(world);
}

/* T21: what is typed before the shell is there acts on nothing, however fast it came; then the
 * shell opens by itself. */
static void test_t21_keys_at_a_booting_machine(void **state)
{
    struct console_world *world = *state;
    assert_int_equal(world_batch(world, "vm create small --name web --append fake.late"), 0);
    world_open(world);
    pty_wait_text(world->pty, "▸web");
    pty_wait_text(world->pty, "r Run");
    pty_send(world->pty, "rsxKpt");
    pty_wait_text(world->pty, "Waiting for web's agent");
    pty_send(world->pty, "xyKy");
    pty_wait_text(world->pty, "agent: init reached");
    assert_false(pty_shows(world->pty, "Remove machine"));
    assert_false(pty_shows(world->pty, "Kill machine"));
    pty_send(world->pty, "\x1b");
    pty_wait_gone(world->pty, "Waiting for");
    pty_wait_text(world->pty, "s Shell");
    pty_send(world->pty, "s");
    pty_wait_text(world->pty, "Waiting for web's agent");
    pty_send(world->pty, "xy");
    kill(vmm_of_web(world), SIGUSR2);
    pty_wait_gone(world->pty, "Waiting for");
    pty_wait_text(world->pty, "There is no shell in this machine");
    assert_true(pty_wrote(world->pty, "In machine web: exit or Ctrl-D"));
    assert_false(pty_shows(world->pty, "Remove machine"));
    pty_wait_text(world->pty, "4 VMs  1 running");
    world_quit(world);
}

/* A machine that stands still while its shell has the terminal is left by keys. */
static void test_left_while_it_hangs(void **state)
{
    struct console_world *world = *state;
    open_with_machine(world);
    pty_send(world->pty, ":vm exec web --tty -- cat\r");
    pty_wait_text(world->pty, "Ctrl-] three times");
    pty_press_until(world->pty, "a", "aaa");
    pid_t vmm = vmm_of_web(world);
    kill(vmm, SIGSTOP);
    pty_send(world->pty, "\x1d\x1d?");
    pty_wait_quiet(world->pty, 100);
    assert_false(pty_is_alternate(world->pty)); /* twice is not enough */
    pty_send(world->pty, "\x1d\x1d\x1d");
    pty_wait_text(world->pty, "┏ 4 VMs");
    pty_send(world->pty, "?");
    pty_wait_text(world->pty, "Keys for VMs");
    pty_send(world->pty, "q");
    pty_wait_text(world->pty, "┏ 4 VMs");
    kill(vmm, SIGCONT);
    world_quit(world);
}

/* One that ends while it is waited for says so. */
static void test_waiting_ends_with_the_machine(void **state)
{
    struct console_world *world = *state;
    assert_int_equal(world_batch(world, "vm run small --name web -d --append fake.late"), 0);
    world_open(world);
    pty_wait_text(world->pty, "▸web");
    pty_wait_text(world->pty, "s Shell");
    pty_send(world->pty, "s");
    pty_wait_text(world->pty, "Waiting for web's agent");
    assert_int_equal(world_batch(world, "vm kill web"), 0);
    pty_wait_gone(world->pty, "Waiting for");
    pty_wait_text(world->pty, "web ended before it could be reached");
    world_quit(world);
}

static void test_logs(void **state)
{
    struct console_world *world = *state;
    open_with_machine(world);
    pty_send(world->pty, "c");
    pty_wait_text(world->pty, "press Ctrl-] to leave");
    pty_send(world->pty, "first words\n");
    pty_wait_text(world->pty, "got first words");
    pty_send(world->pty, "\x1d");
    pty_wait_text(world->pty, "s Shell");
    pty_send(world->pty, "L");
    pty_wait_text(world->pty, "got first words");
    pty_wait_text(world->pty, "following");
    pty_send(world->pty, "/first\r");
    pty_wait_gone(world->pty, "following");
    pty_wait_text(world->pty, "f Follow");
    pty_send(world->pty, "f");
    pty_wait_text(world->pty, "following");
    pty_send(world->pty, "g"); /* T27: going up stops it, going to the end goes on */
    pty_wait_gone(world->pty, "following");
    pty_send(world->pty, "G");
    pty_wait_text(world->pty, "following");
    pty_send(world->pty, "w"); /* T31: what is shown, into a file whose whole path is said */
    pty_wait_text(world->pty, "Saved as");
    /* It ends with the machine, and says so. */
    assert_int_equal(world_batch(world, "vm kill web"), 0);
    pty_wait_text(world->pty, "-- end --");
    pty_send(world->pty, "q");
    pty_wait_text(world->pty, "┏ 4 VMs");
    world_quit(world);
}

/* T15: of two, one cannot go: that one is named with the reason, the other is gone. */
static void test_t15_mixed_results(void **state)
{
    struct console_world *world = *state;
    auto_free char *import = memory_printf("kernel import spare --from %s/tree", world->dir);
    assert_int_equal(world_batch(world, import), 0);
    world_open(world);
    pty_wait_text(world->pty, "2 Kernels  2");
    pty_send(world->pty, "2*x");
    pty_wait_text(world->pty, "Remove 2 kernels?");
    pty_wait_text(world->pty, "image small"); /* the plan knows */
    pty_send(world->pty, "y");
    pty_wait_text(world->pty, "5 Jobs  1 failed, 1 done");
    pty_wait_text(world->pty, "remove k");
    pty_send(world->pty, "5");
    pty_press_until(world->pty, "j", "r Retry");
    pty_send(world->pty, "\r");
    pty_wait_text(world->pty, "why");
    pty_wait_text(world->pty, "small");
    pty_send(world->pty, "q");
    pty_wait_text(world->pty, "2 Kernels  1");
    /* T50: the whole sentence stays in the messages. */
    pty_send(world->pty, "M");
    pty_wait_text(world->pty, "Messages");
    pty_wait_text(world->pty, "small");
    pty_send(world->pty, "q");
    pty_wait_text(world->pty, "2 Kernels  1");
    world_quit(world);
    assert_true(scratch_has(world->dir, "state/kernels/k"));
    assert_false(scratch_has(world->dir, "state/kernels/spare"));
}

/* Its page: how the boot went, its network, what is published and attached, what it can go back to. */
static void test_details_of_a_machine(void **state)
{
    struct console_world *world = *state;
    assert_int_equal(
        world_batch(world, "vm create small --name web --publish 18081:80 --disk 16M:/data"), 0);
    assert_int_equal(world_batch(world, "vm snapshot create web before-upgrade"), 0);
    world_open(world);
    pty_wait_text(world->pty, "4 VMs  1 created");
    pty_send(world->pty, "4\r");
    pty_wait_text(world->pty, "127.0.0.1:18081:80/tcp");
    pty_wait_text(world->pty, "user, address 10.0.2.15");
    pty_wait_text(world->pty, "16M:/data");
    pty_wait_text(world->pty, "before-upgrade");
    pty_send(world->pty, "q");
    pty_wait_text(world->pty, "┏ 4 VMs");
    world_quit(world);
}

/* The machine outlives the console, however it ends. */
static void test_machine_outlives_the_screen(void **state)
{
    struct console_world *world = *state;
    open_with_machine(world);
    pty_hang_up(world->pty);
    pty_wait_exit(world->pty);
    pty_stop(world->pty);
    world_open(world);
    pty_wait_text(world->pty, "┏ 4 VMs  1 running");
    world_quit(world);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, guest_set_up, guest_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_run_in_three_keys),
        TEST(test_stop_start_remove),
        TEST(test_a_kernel_of_a_snapshot),
        TEST(test_a_lost_network_is_seen),
        TEST(test_a_machine_without_room_is_seen),
        TEST(test_console),
        TEST(test_t34_console_over_a_reboot),
        TEST(test_terminal_of_a_command),
        TEST(test_t21_keys_at_a_booting_machine),
        TEST(test_left_while_it_hangs),
        TEST(test_waiting_ends_with_the_machine),
        TEST(test_logs),
        TEST(test_t15_mixed_results),
        TEST(test_details_of_a_machine),
        TEST(test_machine_outlives_the_screen),
    };
    if (!guest_world_is_possible()) {
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
