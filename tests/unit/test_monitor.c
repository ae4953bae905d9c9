/* SPDX-License-Identifier: MIT */
/* Whole lives of machines on a fake QEMU, with the real monitor: this program is its own monitor. */
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
#include "vm/serial_log.h"

#include <pthread.h>
#include <sys/socket.h>
#include <sys/wait.h>

static void test_start_ready_stop_again(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    world_make(&world, "", NULL);
    assert_int_equal(world_state(&world), MACHINE_CREATED);
    world_start(&world);
    assert_int_equal(world_state(&world), MACHINE_RUNNING);
    assert_string_equal(world.handle.kind, "qemu");
    assert_string_equal(world.handle.accel, "tcg");
    assert_string_equal(world.handle.uuid, world.spec.uuid);
    struct machine_timeline timeline;
    world_wait_ready(&world, &timeline);
    assert_true(timeline.at_ms[MACHINE_STAGE_VMM] <= timeline.at_ms[MACHINE_STAGE_KERNEL]);
    assert_true(timeline.at_ms[MACHINE_STAGE_INIT] <= timeline.at_ms[MACHINE_STAGE_AGENT]);
    /* The guest's own times, counted back from the agent's answer, but never before the kernel. */
    assert_int_equal(timeline.at_ms[MACHINE_STAGE_INIT], timeline.at_ms[MACHINE_STAGE_KERNEL]);
    assert_true(timeline.at_ms[MACHINE_STAGE_ROOT] + 1 >= timeline.at_ms[MACHINE_STAGE_AGENT]);
    assert_true(timeline.at_ms[MACHINE_STAGE_ROOT] <= timeline.at_ms[MACHINE_STAGE_AGENT]);
    assert_string_equal(machine_timeline_fact(&timeline, "kernel"), "6.1.0-fake");
    machine_timeline_done(&timeline);
    /* A second start of the same machine. */
    struct machine_handle before = world.handle;
    assert_false(world_try_start(&world, "vmlinux", NULL, NULL, &err));
    assert_code(err, ERROR_BUSY);
    assert_true(process_is_alive(&before.vmm));
    error_clear(&err);
    struct machine_exit exit;
    assert_true(machine_stop(world.dir, &world.handle, 60000, NULL, NULL, &exit, &err));
    assert_fine(err);
    assert_int_equal(exit.reason, MACHINE_EXIT_GUEST_POWEROFF);
    assert_true(exit.is_requested);
    assert_int_equal(exit.code, 0);
    assert_true(exit.started_at > 0 && exit.at >= exit.started_at);
    assert_int_equal(world_state(&world), MACHINE_STOPPED);
    world_assert_left(&world);
    /* Stopping what is stopped is done already. */
    assert_true(machine_stop(world.dir, &world.handle, 60000, NULL, NULL, NULL, &err));
    /* Again, on the same log. */
    world_start(&world);
    assert_true(world.handle.log_offset > 0);
    assert_false(scratch_has(world.path, MACHINE_EXIT_FILE));
    assert_true(machine_kill(world.dir, &world.handle, SIGKILL, NULL, &exit, &err));
    assert_int_equal(exit.reason, MACHINE_EXIT_KILLED);
    assert_int_equal(exit.signal, SIGKILL);
    assert_int_equal(world_state(&world), MACHINE_STOPPED);
    world_assert_left(&world);
    world_remove(&world);
}

/* The guest's own ends, each with its reason and its state afterwards. */
static void test_ways_to_end(void **state)
{
    (void)state;
    static const struct world_end rows[] = {
        {"", "off\n", MACHINE_EXIT_GUEST_POWEROFF, MACHINE_STOPPED, "power-off by the guest"},
        {"", "crash\n", MACHINE_EXIT_VMM_ERROR, MACHINE_CRASHED,
            "the VMM failed with status 3: fake-qemu: crashed"},
        {"fake.panic", NULL, MACHINE_EXIT_PANIC, MACHINE_CRASHED, "kernel panic: VFS: no root"},
    };
    for (size_t i = 0; i < array_length(rows); i++) {
        struct world world;
        world_make(&world, rows[i].append, NULL);
        world_start(&world);
        world_assert_end(&world, &rows[i]);
        world_remove(&world);
    }
}

static void test_panic_before_ready(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    struct machine_timeline timeline;
    world_make(&world, "fake.noagent fake.panic", NULL);
    world_start(&world);
    assert_false(machine_wait_ready(world.dir, &world.handle, 60000, NULL, NULL, &timeline, &err));
    assert_code(err, ERROR_VMM);
    assert_non_null(strstr(err.text, "VFS: no root"));
    assert_non_null(strstr(err.text, "last stage: init"));
    machine_timeline_done(&timeline);
    world_remove(&world);
}

static void test_not_ready_in_time(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    struct machine_timeline timeline;
    world_make(&world, "fake.noagent", NULL);
    world_start(&world);
    world_wait_text(&world, MACHINE_BOOT_FILE, "\"init\"");
    assert_false(machine_wait_ready(world.dir, &world.handle, 30, NULL, NULL, &timeline, &err));
    assert_code(err, ERROR_TIMEOUT);
    assert_non_null(strstr(err.text, "init"));
    machine_timeline_done(&timeline);
    assert_int_equal(world_state(&world), MACHINE_RUNNING);
    world_remove(&world);
}

static void test_vmm_that_does_not_start(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    world_make(&world, "fake.die=1", NULL);
    assert_false(world_try_start(&world, "vmlinux", NULL, NULL, &err));
    assert_code(err, ERROR_VMM);
    assert_non_null(strstr(err.text, "Could not set up host forwarding rule"));
    assert_int_equal(world_state(&world), MACHINE_CRASHED);
    auto_free char *left = scratch_list(world.path, ".");
    assert_string_equal(left, WORLD_LEFT);
    world_remove(&world);
    /* Not even a program. */
    error_clear(&err);
    world_make(&world, "", NULL);
    scratch_write(world.path, "broken",
        "\x7f"
        "ELF is what it is not");
    free(world.qemu);
    world.qemu = memory_printf("%s/broken", world.path);
    assert_int_equal(chmod(world.qemu, 0700), 0);
    assert_false(world_try_start(&world, "vmlinux", NULL, NULL, &err));
    assert_non_null(strstr(err.text, "cannot run"));
    assert_false(scratch_has(world.path, MACHINE_HANDLE_FILE));
    world_remove(&world);
}

static void *cancel_when_recorded(void *context)
{
    void **both = context;
    world_wait_text(both[0], MACHINE_HANDLE_FILE, "boot_id");
    cancel_request(both[1]);
    return NULL;
}

/* A VMM that never answers: a cancel takes it down with everything that was made. */
static void test_cancelled_start(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    struct cancel *cancel = cancel_new();
    pthread_t thread;
    world_make(&world, "fake.mute", NULL);
    void *both[] = {&world, cancel};
    assert_int_equal(pthread_create(&thread, NULL, cancel_when_recorded, both), 0);
    assert_false(world_try_start(&world, "vmlinux", NULL, cancel, &err));
    pthread_join(thread, NULL);
    assert_code(err, ERROR_CANCELLED);
    assert_false(scratch_has(world.path, MACHINE_HANDLE_FILE));
    assert_false(scratch_has(world.path, "monitor.sock"));
    assert_false(scratch_has(world.path, "serial.sock"));
    cancel_free(cancel);
    /* And it can be started at once. */
    free(world.spec.append);
    world.spec.append = NULL;
    world_start(&world);
    world_remove(&world);
}

/* ctrl-alt-del when there is no agent; TERM and KILL when nothing helps. */
static void test_stop_goes_all_the_way(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    struct machine_exit exit;
    world_make(&world, "fake.noagent", NULL);
    world_start(&world);
    assert_true(machine_stop(world.dir, &world.handle, 60000, NULL, NULL, &exit, &err));
    assert_int_equal(exit.reason, MACHINE_EXIT_GUEST_REBOOT);
    assert_true(exit.is_requested);
    assert_int_equal(world_state(&world), MACHINE_STOPPED);
    free(world.spec.append);
    world.spec.append = memory_strdup("fake.stubborn");
    world_start(&world);
    struct machine_timeline timeline;
    world_wait_ready(&world, &timeline);
    machine_timeline_done(&timeline);
    uint64_t begin = clock_monotonic_ms();
    assert_true(machine_stop(world.dir, &world.handle, 100, NULL, NULL, &exit, &err));
    assert_fine(err);
    assert_true(clock_monotonic_ms() - begin < 60000);
    assert_int_equal(exit.reason, MACHINE_EXIT_KILLED);
    assert_int_equal(exit.signal, SIGKILL);
    assert_int_equal(world_state(&world), MACHINE_STOPPED);
    world_assert_left(&world);
    world_remove(&world);
}

static void test_pause_and_resume(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    world_make(&world, "", NULL);
    world_start(&world);
    assert_true(machine_pause(world.dir, &world.handle, NULL, &err));
    world_wait_text(&world, MACHINE_BOOT_FILE, "\"paused\"");
    assert_int_equal(world_state(&world), MACHINE_PAUSED);
    assert_true(machine_resume(world.dir, &world.handle, NULL, &err));
    uint64_t deadline = clock_deadline(60000);
    while (world_state(&world) != MACHINE_RUNNING && clock_left_ms(deadline) > 0) {
        poll(NULL, 0, 5);
    }
    assert_int_equal(world_state(&world), MACHINE_RUNNING);
    world_remove(&world);
}

/* The monitor is in a session of its own, holds none of our descriptors and no terminal, and its
 * parent is not us. */
static void test_monitor_is_detached(void **state)
{
    (void)state;
    struct world world;
    world_make(&world, "", NULL);
    int leaked[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, leaked), 0); /* not close-on-exec */
    world_start(&world);
    close(leaked[1]);
    struct pollfd end = {.fd = leaked[0], .events = POLLIN};
    assert_int_equal(poll(&end, 1, 60000), 1);
    char byte;
    assert_int_equal(recv(leaked[0], &byte, 1, 0), 0); /* nobody else has the other end */
    close(leaked[0]);
    const struct process_identity *both[] = {&world.handle.monitor, &world.handle.vmm};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(getsid(both[i]->pid), world.handle.monitor.pid);
        for (int fd = 0; fd < 3; fd++) {
            auto_free char *name = memory_printf("/proc/%d/fd/%d", (int)both[i]->pid, fd);
            char target[256] = "";
            assert_true(readlink(name, target, sizeof target - 1) > 0);
            if (i == 0 || fd < 2) {
                assert_string_equal(target, "/dev/null");
            }
        }
    }
    world_remove(&world);
}

static void wait_dead(const struct process_identity *identity)
{
    uint64_t deadline = clock_deadline(60000);
    while (process_is_alive(identity) && clock_left_ms(deadline) > 0) {
        poll(NULL, 0, 2);
    }
    assert_false(process_is_alive(identity));
}

/* A monitor that dies alone: the machine runs on, is known, and can be stopped. */
static void test_monitor_killed(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    struct machine_facts facts;
    struct machine_exit exit;
    world_make(&world, "", NULL);
    world_start(&world);
    assert_true(process_signal(&world.handle.monitor, SIGKILL, &err));
    wait_dead(&world.handle.monitor);
    machine_look(world.dir, &facts);
    assert_int_equal(facts.state, MACHINE_RUNNING);
    assert_false(facts.is_monitored);
    machine_facts_done(&facts);
    assert_false(machine_settle(world.dir, &err)); /* it is alive: nothing to settle */
    assert_fine(err);
    assert_true(process_is_alive(&world.handle.vmm));
    assert_true(machine_stop(world.dir, &world.handle, 60000, NULL, NULL, &exit, &err));
    assert_fine(err);
    assert_int_equal(exit.reason, MACHINE_EXIT_VMM_ERROR);
    assert_non_null(strstr(exit.detail, "without its monitor"));
    assert_false(process_is_alive(&world.handle.vmm));
    auto_free char *left = scratch_list(world.path, ".");
    assert_null(strstr(left, "sock"));
    assert_null(strstr(left, MACHINE_HANDLE_FILE));
    world_remove(&world);
}

/* The limit of the serial log is the operator's also under a new monitor. */
static void test_new_monitor_keeps_the_log_short(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    struct machine_timeline timeline;
    world_make(&world, "fake.flood=100000", NULL);
    world_start(&world);
    world_wait_ready(&world, &timeline);
    machine_timeline_done(&timeline);
    world_type(&world, "before\n");
    world_wait_text(&world, SERIAL_LOG_FILE, "got before");
    assert_true(process_signal(&world.handle.monitor, SIGKILL, &err));
    wait_dead(&world.handle.monitor);
    assert_true(world_adopt(&world, 128 << 10, &err));
    assert_fine(err);
    world_type(&world, "after\n");
    world_wait_text(&world, SERIAL_LOG_FILE, "got after");
    world_wait_text(&world, SERIAL_LOG_OLD_FILE, "got before");
    world_remove(&world);
}

/* A new monitor takes over: console, agent and records work as before. */
static void test_monitor_replaced(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    struct machine_exit exit;
    struct machine_timeline timeline;
    world_make(&world, "", NULL);
    world_start(&world);
    world_wait_ready(&world, &timeline);
    machine_timeline_done(&timeline);
    struct machine_handle before = world.handle;
    /* While it has one, nobody can take over. */
    assert_false(world_adopt(&world, 0, &err));
    assert_code(err, ERROR_BUSY);
    error_clear(&err);
    assert_true(process_signal(&before.monitor, SIGKILL, &err));
    wait_dead(&before.monitor);
    assert_true(world_adopt(&world, 0, &err));
    assert_fine(err);
    assert_int_equal(world.handle.vmm.pid, before.vmm.pid);
    assert_int_not_equal(world.handle.monitor.pid, before.monitor.pid);
    struct machine_facts facts;
    machine_look(world.dir, &facts);
    assert_int_equal(facts.state, MACHINE_RUNNING);
    assert_true(facts.is_monitored);
    machine_facts_done(&facts);
    world_type(&world, "hello\n");
    world_wait_text(&world, "console.log", "got hello");
    uint64_t deadline = clock_deadline(60000);
    while (!agent_sync(world.dir, 1000, NULL, &err) && clock_left_ms(deadline) > 0) {
        error_clear(&err);
        poll(NULL, 0, 2);
    }
    assert_fine(err);
    assert_true(machine_stop(world.dir, &world.handle, 60000, NULL, NULL, &exit, &err));
    assert_int_equal(exit.reason, MACHINE_EXIT_GUEST_POWEROFF);
    assert_int_equal(exit.code, -1);
    assert_true(exit.is_requested);
    assert_int_equal(world_state(&world), MACHINE_STOPPED);
    assert_int_equal(process_is_alive(&world.handle.vmm), false);
    auto_free char *left = scratch_list(world.path, ".");
    assert_string_equal(left, WORLD_LEFT);
    /* Nothing to take over: said, and nothing is made. */
    error_clear(&err);
    assert_false(world_adopt(&world, 0, &err));
    assert_code(err, ERROR_NOT_FOUND);
    auto_free char *still = scratch_list(world.path, ".");
    assert_string_equal(still, WORLD_LEFT);
    world_remove(&world);
}

/* In a process of its own, as the monitor: prepares, and opens the gate or dies before. */
static pid_t launch_in_child(const struct world *world, bool is_released)
{
    int pipe_fds[2];
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    pid_t monitor = fork();
    if (monitor == 0) {
        struct error err = {0};
        struct launch launch;
        auto_free char *marker = memory_printf("%s/ran", world->path);
        struct monitor_order order = {.plan.has_line = {[VMM_LINE_SERIAL] = true}};
        strings_add(&order.plan.argv, "/usr/bin/touch");
        strings_add(&order.plan.argv, marker);
        launch_init(&launch);
        if (!launch_prepare(&order, world->dir, &launch, &err)) {
            _exit(1);
        }
        (void)!write(pipe_fds[1], &launch.pid, sizeof launch.pid);
        if (is_released) {
            launch_release(&order, &launch, &err);
            waitpid(launch.pid, NULL, 0);
        }
        _exit(0);
    }
    pid_t vmm = -1;
    close(pipe_fds[1]);
    assert_int_equal(read(pipe_fds[0], &vmm, sizeof vmm), sizeof vmm);
    close(pipe_fds[0]);
    int status = 0;
    assert_int_equal(waitpid(monitor, &status, 0), monitor);
    return vmm;
}

/* A monitor that dies between the fork and the record leaves no VMM behind: the gate closes. */
static void test_gate_closes_with_the_monitor(void **state)
{
    (void)state;
    struct world world;
    world_make(&world, "", NULL);
    pid_t vmm = launch_in_child(&world, false);
    struct process_identity identity;
    uint64_t deadline = clock_deadline(60000);
    while (process_identify(vmm, &identity) && process_is_alive(&identity) &&
           clock_left_ms(deadline) > 0) {
        poll(NULL, 0, 2);
    }
    assert_true(clock_left_ms(deadline) > 0);
    assert_false(scratch_has(world.path, "ran"));
    launch_in_child(&world, true);
    assert_true(scratch_has(world.path, "ran"));
    world_remove(&world);
}

/* Somebody removes the machine's directory under it: nothing runs on that nobody can find. */
static void test_record_taken_away(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    world_make(&world, "", NULL);
    struct machine_timeline timeline;
    world_start(&world);
    world_wait_ready(&world, &timeline); /* boot.json is not written any more */
    machine_timeline_done(&timeline);
    file_remove_tree(AT_FDCWD, world.path, &err);
    assert_fine(err);
    wait_dead(&world.handle.vmm);
    wait_dead(&world.handle.monitor);
    assert_int_equal(mkdir(world.path, 0700), 0);
    world_remove(&world);
}

static void test_rude_clients(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    world_make(&world, "", NULL);
    world_start(&world);
    static const char *const requests[] = {"", "\n", "{}\n", "{\"want\": \"world peace\"}\n",
        "GET / HTTP/1.1\r\n\r\n", "{\"want\": \"console\"}\nrubbish rubbish rubbish",
        "{\"want\": \"events\"}\nmore\n"};
    for (size_t i = 0; i < array_length(requests); i++) {
        auto_close int fd =
            local_socket_connect(world.dir, MONITOR_SOCKET, clock_deadline(60000), NULL, &err);
        assert_true(fd >= 0);
        assert_true(local_socket_send(
            fd, requests[i], strlen(requests[i]), clock_deadline(60000), NULL, &err));
    }
    auto_free char *flood = memory_zero(1, 100000);
    memset(flood, 'x', 99999);
    auto_close int fd =
        local_socket_connect(world.dir, MONITOR_SOCKET, clock_deadline(60000), NULL, &err);
    struct error ignored = {0};
    local_socket_send(fd, flood, 99999, clock_deadline(60000), NULL, &ignored);
    char answer[16];
    assert_int_equal(
        local_socket_receive(fd, answer, sizeof answer, clock_deadline(60000), NULL, &err), 0);
    /* It still serves. */
    struct machine_timeline timeline;
    world_wait_ready(&world, &timeline);
    machine_timeline_done(&timeline);
    world_remove(&world);
}

int main(int argc, char **argv)
{
    if (world_is_monitor(argc, argv)) {
        return monitor_main(argc, argv);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_ready_stop_again),
        cmocka_unit_test(test_ways_to_end),
        cmocka_unit_test(test_panic_before_ready),
        cmocka_unit_test(test_not_ready_in_time),
        cmocka_unit_test(test_vmm_that_does_not_start),
        cmocka_unit_test(test_cancelled_start),
        cmocka_unit_test(test_stop_goes_all_the_way),
        cmocka_unit_test(test_pause_and_resume),
        cmocka_unit_test(test_monitor_is_detached),
        cmocka_unit_test(test_monitor_killed),
        cmocka_unit_test(test_monitor_replaced),
        cmocka_unit_test(test_new_monitor_keeps_the_log_short),
        cmocka_unit_test(test_gate_closes_with_the_monitor),
        cmocka_unit_test(test_record_taken_away),
        cmocka_unit_test(test_rude_clients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
