/* SPDX-License-Identifier: MIT */
/* The same lives on a real qemu-system-x86_64, in software emulation, with a guest of a hundred bytes
 * (tests/support/tiny_guest.S): holds the command line, the sandbox, the lines and the ends against
 * what QEMU really does. Skipped (77) without QEMU. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/machine_world.h"

#include "base/wire.h"
#include "vm/console.h"
#include "vm/local_socket.h"
#include "vm/monitor_client.h"
#include "vm/net.h"
#include "vm/vmm.h"

static char *qemu;
static char *kernel;

static void type(const struct world *world, const char *words)
{
    struct error err = {0};
    struct monitor_connection connection;
    struct wire_buffer bytes = {0};
    auto_json struct json *request = monitor_request_new("console");
    json_put_bool(request, "type", true);
    assert_true(
        monitor_request(world->dir, request, clock_deadline(60000), NULL, &connection, &err));
    wire_put_data(&bytes, MONITOR_STREAM, WIRE_IN, words, strlen(words));
    assert_true(local_socket_send(
        connection.fd, wire_buffer_bytes(&bytes), bytes.len, clock_deadline(60000), NULL, &err));
    wire_buffer_done(&bytes);
    monitor_connection_done(&connection);
}

static void up(struct world *world)
{
    struct error err = {0};
    world_make(world, "", qemu);
    world_try_start(world, kernel, NULL, NULL, &err);
    assert_fine(err);
    console_wait_text(world->dir, "banger-guest", 60000, NULL, &err);
    assert_fine(err);
}

static void test_serial_line_both_ways(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    up(&world);
    type(&world, "abc");
    assert_true(console_wait_text(world.dir, "abc", 60000, NULL, &err));
    auto_free char *boot = scratch_read(world.path, MACHINE_BOOT_FILE);
    assert_non_null(strstr(boot, "\"kernel\""));
    assert_non_null(strstr(boot, "\"init\""));
    world_remove(&world);
}

static void test_ways_to_end(void **state)
{
    (void)state;
    static const struct {
        const char *typed;
        enum machine_exit_reason reason;
    } rows[] = {{"p", MACHINE_EXIT_GUEST_POWEROFF}, {"k", MACHINE_EXIT_PANIC}};
    for (size_t i = 0; i < array_length(rows); i++) {
        struct world world;
        struct error err = {0};
        struct machine_exit exit;
        up(&world);
        type(&world, rows[i].typed);
        machine_wait_exit(world.dir, &world.handle, 60000, NULL, &exit, &err);
        assert_fine(err);
        assert_int_equal(exit.reason, rows[i].reason);
        assert_int_equal(exit.code, 0);
        auto_free char *left = scratch_list(world.path, ".");
        assert_null(strstr(left, "sock"));
        world_remove(&world);
    }
}

static void test_reset_begins_again(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    struct machine_exit exit;
    up(&world);
    type(&world, "r");
    world_wait_text(&world, MACHINE_BOOT_FILE, "\"restarts\": 1");
    world_wait_text(&world, MACHINE_BOOT_FILE, "\"kernel\"");
    type(&world, "p");
    machine_wait_exit(world.dir, &world.handle, 60000, NULL, &exit, &err);
    assert_fine(err);
    assert_int_equal(exit.reason, MACHINE_EXIT_GUEST_POWEROFF);
    assert_int_equal(exit.restarts, 1);
    world_remove(&world);
}

static void test_pause_resume_and_stop(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    struct machine_exit exit;
    up(&world);
    machine_pause(world.dir, &world.handle, NULL, &err);
    assert_fine(err);
    world_wait_text(&world, MACHINE_BOOT_FILE, "\"paused\"");
    machine_resume(world.dir, &world.handle, NULL, &err);
    assert_fine(err);
    type(&world, "on");
    assert_true(console_wait_text(world.dir, "on", 60000, NULL, &err));
    /* Deaf to ctrl-alt-del: TERM ends it. */
    machine_stop(world.dir, &world.handle, 50, NULL, NULL, &exit, &err);
    assert_fine(err);
    assert_int_equal(exit.reason, MACHINE_EXIT_KILLED);
    assert_true(exit.is_requested);
    assert_int_equal(world_state(&world), MACHINE_STOPPED);
    world_remove(&world);
}

static void test_monitor_replaced(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    struct machine_exit exit;
    up(&world);
    struct process_identity dead = world.handle.monitor;
    assert_true(process_signal(&dead, SIGKILL, &err));
    uint64_t deadline = clock_deadline(60000);
    while (process_is_alive(&dead) && clock_left_ms(deadline) > 0) {
        poll(NULL, 0, 2);
    }
    world_adopt(&world, 0, &err);
    assert_fine(err);
    type(&world, "abc");
    assert_true(console_wait_text(world.dir, "abc", 60000, NULL, &err));
    type(&world, "p");
    machine_wait_exit(world.dir, &world.handle, 60000, NULL, &exit, &err);
    assert_fine(err);
    assert_int_equal(exit.reason, MACHINE_EXIT_GUEST_POWEROFF);
    world_remove(&world);
}

static void test_published_ports(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    struct machine_port port;
    world_make(&world, "", qemu);
    assert_true(net_parse_publish("0:80", &port, &err));
    machine_spec_publish(&world.spec, &port);
    world_try_start(&world, kernel, NULL, NULL, &err);
    assert_fine(err);
    assert_int_equal(world.handle.port_count, 1);
    assert_int_not_equal(world.handle.ports[0].host_port, 0);
    /* QEMU holds it now: the next one is told before anything starts. */
    struct world second;
    world_make(&second, "", qemu);
    machine_spec_publish(&second.spec, &world.handle.ports[0]);
    assert_false(world_try_start(&second, kernel, NULL, NULL, &err));
    assert_code(err, ERROR_IN_USE);
    assert_false(scratch_has(second.path, MACHINE_HANDLE_FILE));
    world_remove(&second);
    world_remove(&world);
}

/* What QEMU itself refuses comes back as its own words, and nothing stays. */
static void test_refusals(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    world_make(&world, "", qemu);
    assert_false(world_try_start(&world, "no-such-kernel", NULL, NULL, &err));
    assert_code(err, ERROR_VMM);
    assert_non_null(strstr(err.text, "no-such-kernel"));
    auto_free char *left = scratch_list(world.path, ".");
    assert_null(strstr(left, "sock"));
    assert_null(strstr(left, MACHINE_HANDLE_FILE));
    world_remove(&world);
}

int main(int argc, char **argv)
{
    if (world_is_monitor(argc, argv)) {
        return monitor_main(argc, argv);
    }
    struct vmm_probe probe;
    kernel = world_built("tests/support/tiny_guest");
    vmm_probe_program(&vmm_qemu.program, NULL, &probe);
    if (!probe.is_usable || access(kernel, R_OK) != 0) {
        fprintf(stderr, "skipped: %s\n", probe.is_usable ? "no 32-bit assembler" : probe.why);
        return 77;
    }
    qemu = probe.path;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_serial_line_both_ways),
        cmocka_unit_test(test_ways_to_end),
        cmocka_unit_test(test_reset_begins_again),
        cmocka_unit_test(test_pause_resume_and_stop),
        cmocka_unit_test(test_monitor_replaced),
        cmocka_unit_test(test_published_ports),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
