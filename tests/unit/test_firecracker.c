/* SPDX-License-Identifier: MIT */
/* Whole lives of machines on Firecracker, under a monitor: the agent behind the vsock, the serial
 * port on a terminal, and the ends of a VMM that has no events and no power-off. Against the
 * stand-in (tests/support/fake_firecracker.c); a real one boots in tests/batch/real_firecracker.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/machine_world.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vm/agent_client.h"
#include "vm/net_space.h"
#include "vm/vmm.h"

static void make(struct world *world, const char *append)
{
    world_make(world, append, NULL);
    world->firecracker = world_built("tests/support/fake_firecracker");
    free(world->spec.vmm);
    world->spec.vmm = memory_strdup("firecracker");
    free(world->spec.accel);
    world->spec.accel = memory_strdup("kvm");
}

/* Any ELF will do for a kernel here. */
static void start(struct world *world)
{
    struct error err = {0};
    world_try_start(world, world->firecracker, NULL, NULL, &err);
    assert_fine(err);
}

static void make_and_start(struct world *world, const char *append)
{
    make(world, append);
    start(world);
    assert_string_equal(world->handle.kind, "firecracker");
}

static void wait_ready(struct world *world)
{
    struct machine_timeline timeline;
    world_wait_ready(world, &timeline);
    machine_timeline_done(&timeline);
}

static int run_exit(const struct world *world, const char *number)
{
    struct error err = {0};
    int status = -1;
    const char *const argv[] = {"exit", number, NULL};
    struct agent_exec_spec spec = {
        .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1, .window_fd = -1};
    agent_exec(world->dir, &spec, NULL, &status, &err);
    assert_fine(err);
    return status;
}

static void test_life(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    struct machine_exit exit;
    struct machine_timeline timeline;
    make_and_start(&world, "");
    world_wait_ready(&world, &timeline);
    assert_true(timeline.at_ms[MACHINE_STAGE_KERNEL] != MACHINE_STAGE_UNREACHED);
    assert_true(timeline.at_ms[MACHINE_STAGE_AGENT] >= timeline.at_ms[MACHINE_STAGE_INIT]);
    machine_timeline_done(&timeline);
    assert_int_equal(run_exit(&world, "7"), 7);
    world_type(&world, "hello\n");
    world_wait_text(&world, "console.log", "got hello");
    /* Nothing of the VMM's own is in the guest's log. */
    auto_done(text) struct text log = {0};
    file_read_all(world.dir, "console.log", 1 << 20, &log, &err);
    assert_fine(err);
    assert_true(text_has_prefix(text_cstr(&log), "[    0.000000] Linux"));
    /* What ends it is a reboot, and what is told is that it was powered off as asked. */
    assert_true(machine_stop(world.dir, &world.handle, 60000, NULL, NULL, &exit, &err));
    assert_int_equal(exit.reason, MACHINE_EXIT_GUEST_POWEROFF);
    assert_int_equal(exit.code, 0);
    assert_int_equal(exit.signal, 0);
    assert_true(exit.is_requested);
    assert_int_equal(world_state(&world), MACHINE_STOPPED);
    world_assert_left(&world);
    start(&world);
    wait_ready(&world);
    assert_true(machine_kill(world.dir, &world.handle, SIGKILL, NULL, &exit, &err));
    assert_int_equal(exit.signal, SIGKILL);
    world_assert_left(&world);
    world_remove(&world);
}

/* Each end with its reason, its state and its sentence. */
static void test_ways_to_end(void **state)
{
    (void)state;
    static const struct world_end rows[] = {
        /* It only halts, and the monitor ends the rest. */
        {"", "off\n", MACHINE_EXIT_GUEST_POWEROFF, MACHINE_STOPPED, "power-off by the guest"},
        {"", "crash\n", MACHINE_EXIT_VMM_ERROR, MACHINE_CRASHED,
            "the VMM failed with status 3: fake-firecracker: crashed"},
        {"", "exit 148\n", MACHINE_EXIT_VMM_ERROR, MACHINE_CRASHED,
            "the VMM failed with status 148: Firecracker made a system call that its own filter "
            "forbids"},
        {"fake.panic", NULL, MACHINE_EXIT_PANIC, MACHINE_CRASHED, "kernel panic: VFS: no root"},
    };
    for (size_t i = 0; i < array_length(rows); i++) {
        struct world world;
        make_and_start(&world, rows[i].append);
        world_assert_end(&world, &rows[i]);
        world_remove(&world);
    }
}

/* The words of a halt that are not the last ones are somebody's text. */
static void test_words_of_a_halt_do_not_end_it(void **state)
{
    (void)state;
    struct world world;
    make_and_start(&world, "");
    wait_ready(&world);
    world_type(&world, "off\nand on\n");
    world_wait_text(&world, "console.log", "got and on");
    for (int i = 0; i < 15; i++) { /* longer than the monitor waits after a halt */
        poll(NULL, 0, 100);
        assert_int_equal(world_state(&world), MACHINE_RUNNING);
    }
    world_remove(&world);
}

static void test_reboot_begins_again(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    struct machine_handle now;
    make_and_start(&world, "");
    wait_ready(&world);
    world_type(&world, "reboot\n");
    uint64_t deadline = clock_deadline(60000);
    do {
        poll(NULL, 0, 5);
        assert_true(clock_left_ms(deadline) > 0);
    } while (!machine_handle_read(world.dir, &now, &err) || now.vmm.pid == world.handle.vmm.pid);
    wait_ready(&world);
    assert_int_equal(run_exit(&world, "3"), 3);
    world_remove(&world);
}

/* The record tells what is so, whoever asks; the agent answers afterwards, also on a version that
 * loses its vsock by a pause of its own; and a paused machine is stopped in order. */
static void test_pause_and_resume(void **state)
{
    (void)state;
    static const char *const names[] = {"firecracker", "firecracker-1.16.1"};
    for (size_t i = 0; i < array_length(names); i++) {
        struct world world;
        struct error err = {0};
        struct machine_exit exit;
        make(&world, "");
        auto_free char *program = memory_printf("%s/%s", world.path, names[i]);
        assert_int_equal(symlink(world.firecracker, program), 0);
        free(world.firecracker);
        world.firecracker = memory_strdup(program);
        start(&world);
        wait_ready(&world);
        for (int round = 0; round < 2; round++) {
            assert_true(machine_pause(world.dir, &world.handle, NULL, &err));
            assert_int_equal(world_state(&world), MACHINE_PAUSED);
            assert_true(machine_resume(world.dir, &world.handle, NULL, &err));
            assert_int_equal(world_state(&world), MACHINE_RUNNING);
            assert_int_equal(run_exit(&world, "6"), 6);
        }
        assert_true(machine_pause(world.dir, &world.handle, NULL, &err));
        assert_true(machine_stop(world.dir, &world.handle, 60000, NULL, NULL, &exit, &err));
        assert_int_equal(exit.reason, MACHINE_EXIT_GUEST_POWEROFF);
        world_remove(&world);
    }
}

/* Without an agent ctrl-alt-del ends it, and a guest that hears nothing is killed. */
static void test_stops_without_an_agent(void **state)
{
    (void)state;
    static const struct {
        const char *append;
        uint64_t grace_ms;
        enum machine_exit_reason reason;
        int signal;
    } rows[] = {
        {"fake.noagent", 60000, MACHINE_EXIT_GUEST_POWEROFF, 0},
        {"fake.noagent fake.stubborn", 500, MACHINE_EXIT_KILLED, SIGKILL},
    };
    for (size_t i = 0; i < array_length(rows); i++) {
        struct world world;
        struct error err = {0};
        struct machine_exit exit;
        make_and_start(&world, rows[i].append);
        world_wait_text(&world, MACHINE_BOOT_FILE, "\"init\"");
        assert_true(
            machine_stop(world.dir, &world.handle, rows[i].grace_ms, NULL, NULL, &exit, &err));
        assert_int_equal(exit.reason, rows[i].reason);
        assert_int_equal(exit.signal, rows[i].signal);
        world_assert_left(&world);
        world_remove(&world);
    }
}

/* Nobody listens behind the vsock at first. */
static void test_agent_that_comes_late(void **state)
{
    (void)state;
    struct world world;
    make_and_start(&world, "fake.late");
    wait_ready(&world);
    assert_int_equal(run_exit(&world, "4"), 4);
    world_remove(&world);
}

/* The machine goes on without its monitor; a new one reaches the agent again, and says of the serial
 * port that it is lost. */
static void test_monitor_replaced(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    struct machine_exit exit;
    make_and_start(&world, "");
    wait_ready(&world);
    struct process_identity dead = world.handle.monitor;
    struct process_identity vmm = world.handle.vmm;
    assert_true(process_signal(&dead, SIGKILL, &err));
    uint64_t deadline = clock_deadline(60000);
    while (process_is_alive(&dead) && clock_left_ms(deadline) > 0) {
        poll(NULL, 0, 2);
    }
    world_adopt(&world, 0, &err);
    assert_fine(err);
    assert_int_equal(world.handle.vmm.pid, vmm.pid);
    assert_int_equal(run_exit(&world, "5"), 5);
    world_type(&world, "into nothing\n"); /* taken, and harms nobody */
    assert_true(machine_pause(world.dir, &world.handle, NULL, &err));
    assert_int_equal(world_state(&world), MACHINE_PAUSED);
    assert_true(machine_resume(world.dir, &world.handle, NULL, &err));
    assert_true(machine_stop(world.dir, &world.handle, 60000, NULL, NULL, &exit, &err));
    assert_true(exit.is_requested);
    assert_int_equal(world_state(&world), MACHINE_STOPPED);
    world_assert_left(&world);
    world_remove(&world);
}

/* A call that is refused ends the start: nothing runs, and the reason is Firecracker's own. */
static void test_refused_start(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    make(&world, "");
    world.spec.memory_mib = 4ULL * 1024 * 1024; /* the stand-in knows no such host */
    assert_false(world_try_start(&world, world.firecracker, NULL, NULL, &err));
    assert_code(err, ERROR_VMM);
    assert_non_null(strstr(err.text, "memory size is invalid"));
    assert_false(scratch_has(world.path, MACHINE_HANDLE_FILE));
    assert_int_equal(world_state(&world), MACHINE_CRASHED);
    world_assert_left(&world);
    world_remove(&world);
}

static bool is_in_our_network(const struct world *world)
{
    struct stat ours, theirs;
    auto_free char *path = memory_printf("/proc/%d/ns/net", (int)world->handle.vmm.pid);
    assert_int_equal(stat(path, &theirs), 0);
    assert_int_equal(stat("/proc/self/ns/net", &ours), 0);
    return ours.st_ino == theirs.st_ino;
}

/* User networking is a namespace of its own where this host gives one, else none, and the handle
 * tells which. */
static void test_network(void **state)
{
    (void)state;
    struct world world;
    struct error why = {0};
    bool has_namespaces = net_space_check(&why);
    make_and_start(&world, "");
    wait_ready(&world);
    assert_int_equal(world.handle.net.mode, has_namespaces ? NET_NAMESPACE : NET_NONE);
    assert_int_equal(is_in_our_network(&world), !has_namespaces);
    world_remove(&world);
    make(&world, "");
    world.spec.net = NET_NONE;
    start(&world);
    assert_int_equal(world.handle.net.mode, NET_NONE);
    assert_true(is_in_our_network(&world));
    world_remove(&world);
}

int main(int argc, char **argv)
{
    if (world_is_monitor(argc, argv)) {
        return monitor_main(argc, argv);
    }
    auto_close int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm < 0) {
        fprintf(stderr, "skipped: KVM is asked for, and /dev/kvm cannot be opened\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_ways_to_end),
        cmocka_unit_test(test_words_of_a_halt_do_not_end_it),
        cmocka_unit_test(test_reboot_begins_again),
        cmocka_unit_test(test_pause_and_resume),
        cmocka_unit_test(test_stops_without_an_agent),
        cmocka_unit_test(test_agent_that_comes_late),
        cmocka_unit_test(test_monitor_replaced),
        cmocka_unit_test(test_refused_start),
        cmocka_unit_test(test_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
