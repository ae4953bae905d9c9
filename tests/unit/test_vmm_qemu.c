/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/machine_world.h"

#include "vm/monitor_order.h"
#include "vm/net.h"
#include "vm/vmm.h"

static struct machine_boot boot_of(const struct world *world)
{
    return (struct machine_boot){.vm_dir = world->dir,
        .kernel_path = "/k,x=y",
        .initrd_path = "initrd.img",
        .image_path = "rootfs.ext4",
        .guest_args = "banger.x=1",
        .qemu = world->qemu};
}

static void make_plan(struct world *world, enum accel_kind kind, struct vmm_plan *plan)
{
    struct error err = {0};
    struct accel_choice accel = {.kind = kind};
    struct machine_boot boot = boot_of(world);
    assert_true(vmm_qemu.plan(&world->spec, &boot, &accel, plan, &err));
    assert_fine(err);
}

/* The word behind the option; NULL when the option is not there. */
static const char *value_of(const struct vmm_plan *plan, const char *option)
{
    for (size_t i = 0; i + 1 < plan->argv.count; i++) {
        if (strcmp(plan->argv.items[i], option) == 0) {
            return plan->argv.items[i + 1];
        }
    }
    return NULL;
}

static void test_command_line(void **state)
{
    (void)state;
    struct world world;
    struct vmm_plan plan;
    struct machine_port port;
    struct error err = {0};
    world_make(&world, "quiet x=y", NULL);
    assert_true(net_parse_publish("8080:80", &port, &err)); /* the monitor's */
    machine_spec_publish(&world.spec, &port);
    assert_true(net_parse_publish("5353:53/udp", &port, &err));
    machine_spec_publish(&world.spec, &port);
    make_plan(&world, ACCEL_TCG, &plan);
    assert_string_equal(plan.argv.items[0], world.qemu);
    assert_string_equal(value_of(&plan, "-uuid"), world.spec.uuid);
    assert_string_equal(value_of(&plan, "-sandbox"),
        "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
    assert_string_equal(value_of(&plan, "-kernel"), "/k,x=y");
    assert_true(strings_contain(&plan.argv, "-nodefaults"));
    assert_true(strings_contain(&plan.argv, "-no-user-config"));
    assert_true(strings_contain(&plan.argv, "-no-reboot"));
    assert_true(strings_contain(&plan.argv, "virtio-mmio.force-legacy=false"));
    const char *append = value_of(&plan, "-append");
    assert_non_null(strstr(append, "tsc_early_khz="));
    assert_non_null(strstr(append, " tsc=reliable"));
    assert_non_null(strstr(append, " cryptomgr.notests"));
    assert_true(text_has_suffix(append, " banger.x=1 quiet x=y"));
    assert_string_equal(value_of(&plan, "-netdev"), "user,id=net,hostfwd=udp:127.0.0.1:5353-:53");
    assert_non_null(strstr(value_of(&plan, "-accel"), "tcg"));
    vmm_plan_done(&plan);
    make_plan(&world, ACCEL_KVM, &plan);
    assert_string_equal(value_of(&plan, "-accel"), "kvm");
    assert_string_equal(value_of(&plan, "-cpu"), "host");
    assert_null(strstr(value_of(&plan, "-append"), "tsc"));
    vmm_plan_done(&plan);
    world_remove(&world);
}

static void test_disks(void **state)
{
    (void)state;
    struct world world;
    struct vmm_plan plan;
    world_make(&world, "", NULL);
    make_plan(&world, ACCEL_TCG, &plan);
    const char *first = value_of(&plan, "-blockdev");
    struct error err = {0};
    auto_json struct json *node = json_parse(first, strlen(first), 4096, 8, "node", &err);
    assert_string_equal(json_string(node, "driver", ""), "raw");
    assert_true(json_bool(node, "read-only", false));
    assert_string_equal(json_string(json_get(node, "file"), "filename", ""), "rootfs.ext4");
    assert_true(strings_contain(&plan.argv, "virtio-blk-device,drive=image,serial=image"));
    assert_true(strings_contain(&plan.argv, "virtio-blk-device,drive=upper,serial=upper"));
    vmm_plan_done(&plan);
    /* A private root needs its file, and says so in our words. */
    world.spec.root = MACHINE_ROOT_COPY;
    struct accel_choice accel = {.kind = ACCEL_TCG};
    struct machine_boot boot = {.vm_dir = world.dir, .kernel_path = "k", .qemu = world.qemu};
    assert_false(vmm_qemu.plan(&world.spec, &boot, &accel, &plan, &err));
    assert_code(err, ERROR_NOT_FOUND);
    assert_non_null(strstr(err.text, MACHINE_ROOT_FILE));
    scratch_write(world.path, MACHINE_ROOT_FILE, "root");
    error_clear(&err);
    assert_true(vmm_qemu.plan(&world.spec, &boot, &accel, &plan, &err));
    assert_true(strings_contain(&plan.argv, "virtio-blk-device,drive=root,serial=root"));
    assert_false(strings_contain(&plan.argv, "virtio-blk-device,drive=image,serial=image"));
    vmm_plan_done(&plan);
    world_remove(&world);
}

/* The first start waits for what it held in memory; every one after that is a boot. */
static void test_memory(void **state)
{
    (void)state;
    struct world world;
    struct vmm_plan plan, boot_plan;
    struct error err = {0};
    world_make(&world, "", NULL);
    make_plan(&world, ACCEL_TCG, &boot_plan);
    assert_null(boot_plan.memory);
    assert_null(value_of(&boot_plan, "-incoming"));
    struct accel_choice accel = {.kind = ACCEL_TCG};
    struct machine_boot boot = boot_of(&world);
    boot.memory = "snapshots/one";
    assert_true(vmm_qemu.plan(&world.spec, &boot, &accel, &plan, &err));
    assert_string_equal(plan.memory, "snapshots/one");
    assert_string_equal(value_of(&plan, "-incoming"), "defer");
    struct monitor_order order = {.name = memory_strdup("web"), .plan = plan};
    struct monitor_order read;
    memcpy(order.uuid, world.spec.uuid, sizeof order.uuid);
    auto_json struct json *json = monitor_order_to_json(&order);
    assert_true(monitor_order_from_json(json, &read, &err));
    assert_string_equal(read.plan.memory, "snapshots/one");
    vmm_plan_forget_memory(&read.plan);
    vmm_plan_forget_memory(&read.plan); /* once is enough */
    assert_null(read.plan.memory);
    assert_int_equal(read.plan.argv.count, boot_plan.argv.count);
    for (size_t i = 0; i < boot_plan.argv.count; i++) {
        if (strncmp(boot_plan.argv.items[i], "console=", 8) != 0) { /* holds a measured clock */
            assert_string_equal(read.plan.argv.items[i], boot_plan.argv.items[i]);
        }
    }
    json_put_integer(json, "memory_words", 1000);
    monitor_order_done(&read);
    assert_false(monitor_order_from_json(json, &read, &err));
    assert_code(err, ERROR_FORMAT);
    monitor_order_done(&order);
    vmm_plan_done(&boot_plan);
    world_remove(&world);
}

static void test_missing_program(void **state)
{
    (void)state;
    struct world world;
    struct vmm_plan plan;
    struct error err = {0};
    struct vmm_probe probe;
    world_make(&world, "", "/nowhere/qemu-system-x86_64");
    struct accel_choice accel = {.kind = ACCEL_TCG};
    struct machine_boot boot = {
        .vm_dir = world.dir, .kernel_path = "k", .image_path = "rootfs.ext4", .qemu = world.qemu};
    assert_false(vmm_qemu.plan(&world.spec, &boot, &accel, &plan, &err));
    assert_code(err, ERROR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "apt install"));
    vmm_probe_program(&vmm_qemu.program, "/nowhere/qemu-system-x86_64", &probe);
    assert_false(probe.is_usable);
    assert_non_null(strstr(probe.why, "/nowhere"));
    vmm_probe_done(&probe);
    vmm_probe_program(&vmm_qemu.program, "/bin/true", &probe);
    assert_false(probe.is_usable);
    vmm_probe_done(&probe);
    auto_free char *fake = world_built("tests/support/fake_qemu");
    vmm_probe_program(&vmm_qemu.program, fake, &probe);
    assert_true(probe.is_usable);
    assert_string_equal(probe.version, "7.2.99");
    vmm_probe_done(&probe);
    world_remove(&world);
}

static enum vmm_event event_of(const char *line)
{
    return vmm_qemu.read_event(line, strlen(line));
}

static void test_events(void **state)
{
    (void)state;
    assert_int_equal(event_of("{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": true, \"reason\": "
                              "\"guest-shutdown\"}}"),
        VMM_EVENT_GUEST_POWEROFF);
    assert_int_equal(event_of("{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": true, \"reason\": "
                              "\"guest-reset\"}}"),
        VMM_EVENT_GUEST_REBOOT);
    assert_int_equal(event_of("{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": false, "
                              "\"reason\": \"host-signal\"}}"),
        VMM_EVENT_HOST_QUIT);
    assert_int_equal(event_of("{\"event\": \"STOP\"}"), VMM_EVENT_PAUSED);
    assert_int_equal(event_of("{\"event\": \"RESUME\"}"), VMM_EVENT_RESUMED);
    assert_int_equal(event_of("{\"event\": \"GUEST_PANICKED\"}"), VMM_EVENT_GUEST_PANIC);
    assert_int_equal(event_of("{\"event\": \"SHUTDOWN\"}"), VMM_EVENT_NONE);
    assert_int_equal(event_of("{\"return\": {}}"), VMM_EVENT_NONE);
    assert_int_equal(event_of("rubbish"), VMM_EVENT_NONE);
    assert_int_equal(event_of("{\"event\": 3}"), VMM_EVENT_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command_line),
        cmocka_unit_test(test_disks),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_missing_program),
        cmocka_unit_test(test_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
