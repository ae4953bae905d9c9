/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/machine_world.h"

#include "vm/monitor_client.h"

#include <sys/wait.h>

static void test_start_ready_poweroff(void **state)
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
    struct machine_timeline timeline;
    world_wait_ready(&world, &timeline);
    assert_true(timeline.at_ms[MACHINE_STAGE_VMM] <= timeline.at_ms[MACHINE_STAGE_KERNEL]);
    assert_true(timeline.at_ms[MACHINE_STAGE_INIT] <= timeline.at_ms[MACHINE_STAGE_AGENT]);
    assert_string_equal(machine_timeline_fact(&timeline, "kernel"), "6.1.0-fake");
    machine_timeline_done(&timeline);
    struct machine_exit exit;
    assert_true(machine_stop(world.dir, &world.handle, 5000, NULL, NULL, &exit, &err));
    assert_fine(err);
    assert_int_equal(exit.reason, MACHINE_EXIT_GUEST_POWEROFF);
    assert_true(exit.is_requested);
    assert_int_equal(exit.code, 0);
    assert_int_equal(world_state(&world), MACHINE_STOPPED);
    auto_free char *left = scratch_list(world.path, ".");
    assert_string_equal(left,
        "boot.json console.idx console.log exit.json monitor.lock monitor.log "
        "rootfs.ext4 upper.ext4 vmm.log");
    assert_false(process_is_alive(&world.handle.monitor));
    /* Again, on the same log. */
    world_start(&world);
    assert_true(world.handle.log_offset > 0);
    assert_false(scratch_has(world.path, MACHINE_EXIT_FILE));
    assert_true(machine_kill(world.dir, &world.handle, SIGKILL, NULL, &exit, &err));
    assert_int_equal(exit.reason, MACHINE_EXIT_KILLED);
    assert_int_equal(exit.signal, SIGKILL);
    assert_int_equal(world_state(&world), MACHINE_STOPPED);
    world_remove(&world);
}

int main(int argc, char **argv)
{
    if (world_is_monitor(argc, argv)) {
        return monitor_main(argc, argv);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_ready_poweroff),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
