/* SPDX-License-Identifier: MIT */
/* What is asked of Firecracker and in which order, against a stand-in as strict as its description
 * (tests/support/fake_firecracker.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/machine_world.h"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "vm/api_client.h"
#include "vm/monitor_launch.h"
#include "vm/monitor_order.h"
#include "vm/vmm.h"
#include "vm/vmm_host.h"

#define TIMEOUT_MS 20000

static const struct accel_choice kvm = {.kind = ACCEL_KVM};

static void make_world(struct world *world, const char *append)
{
    auto_free char *built = world_built("tests/support/fake_firecracker");
    auto_free char *program = realpath(built, NULL);
    assert_non_null(program);
    world_make(world, append, program);
    scratch_write(world->path, "vmlinux", "\177ELF and more");
}

static bool try_plan(
    struct world *world, const char *program, struct vmm_plan *plan, struct error *err)
{
    struct machine_boot boot = {.vm_dir = world->dir,
        .kernel_path = "vmlinux",
        .image_path = "rootfs.ext4",
        .guest_args = "banger.x=1",
        .firecracker = program};
    *err = (struct error){0};
    return vmm_firecracker.plan(&world->spec, &boot, &kvm, plan, err);
}

static void make_plan(struct world *world, const char *program, struct vmm_plan *plan)
{
    struct error err = {0};
    bool is_made = try_plan(world, program, plan, &err);
    assert_fine(err);
    assert_true(is_made);
}

/* The body of a call to this path; NULL: no such call. */
static const char *body_of(const struct vmm_plan *plan, const char *path)
{
    for (size_t i = 0; i + 1 < plan->calls.count; i += 2) {
        if (strcmp(plan->calls.items[i], path) == 0) {
            return plan->calls.items[i + 1];
        }
    }
    return NULL;
}

static pid_t spawn(const struct world *world, const struct vmm_plan *plan)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (chdir(world->path) == 0) {
            execv(plan->argv.items[0], plan->argv.items);
        }
        _exit(127);
    }
    return pid;
}

static bool boot(
    const struct world *world, const struct vmm_plan *plan, pid_t pid, struct error *err)
{
    auto_close int pidfd = (int)syscall(SYS_pidfd_open, pid, 0U);
    struct vmm_start start = {.plan = plan,
        .vm_dir = world->dir,
        .events_fd = -1,
        .pidfd = pidfd,
        .timeout_ms = TIMEOUT_MS};
    return vmm_firecracker.boot(&start, NULL, err);
}

static void assert_state(const struct world *world, const char *state)
{
    struct error err = {0};
    struct json *reply = NULL;
    struct api_target target = {.dir = world->dir, .socket = VMM_API_SOCKET, .who = "the stand-in"};
    api_call(&target, "GET", "/", NULL, TIMEOUT_MS, NULL, &reply, &err);
    assert_fine(err);
    assert_string_equal(json_string(reply, "state", ""), state);
    assert_string_equal(json_string(reply, "id", ""), world->spec.uuid);
    json_free(reply);
}

static void test_life(void **state)
{
    (void)state;
    struct world world;
    struct vmm_plan plan;
    struct error err = {0};
    int status = 0;
    make_world(&world, "quiet x=y");
    make_plan(&world, world.qemu, &plan);
    pid_t pid = spawn(&world, &plan);
    boot(&world, &plan, pid, &err);
    assert_fine(err);
    assert_state(&world, "Running");
    assert_true(vmm_firecracker.press_ctrl_alt_del(world.dir, TIMEOUT_MS, NULL, &err));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    /* It leaves its sockets, and the next one does not start beside them. */
    pid = spawn(&world, &plan);
    assert_false(boot(&world, &plan, pid, &err));
    assert_code(err, ERROR_VMM);
    waitpid(pid, NULL, 0);
    launch_sweep_lines(world.dir);
    error_clear(&err);
    pid = spawn(&world, &plan);
    boot(&world, &plan, pid, &err);
    assert_fine(err);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    vmm_plan_done(&plan);
    world_remove(&world);
}

static void test_what_is_asked_for(void **state)
{
    (void)state;
    struct world world;
    struct vmm_plan plan;
    struct error err = {0};
    make_world(&world, "quiet x=y");
    make_plan(&world, world.qemu, &plan);
    assert_string_equal(plan.calls.items[plan.calls.count - 2], "/actions");
    assert_true(strings_contain(&plan.argv, world.spec.uuid));
    const char *source = body_of(&plan, "/boot-source");
    assert_non_null(strstr(source, "console=ttyS0 reboot=k panic=1"));
    assert_non_null(strstr(source, " banger.disks=image,upper "));
    assert_non_null(strstr(source, " banger.x=1 quiet x=y\""));
    assert_null(strstr(source, "nomodule"));
    const char *words = body_of(&plan, "/drives/image");
    auto_json struct json *image = json_parse(words, strlen(words), 4096, 8, "image", &err);
    assert_true(json_bool(image, "is_read_only", false));
    assert_false(json_bool(image, "is_root_device", true));
    words = body_of(&plan, "/drives/upper");
    auto_json struct json *upper = json_parse(words, strlen(words), 4096, 8, "upper", &err);
    assert_false(json_bool(upper, "is_read_only", true));
    assert_string_equal(json_string(upper, "cache_type", ""), "Writeback");
    assert_non_null(body_of(&plan, "/entropy"));
    vmm_plan_done(&plan);
    world_remove(&world);
}

/* A tap that was made for it, and nothing where there is none. */
static void test_network(void **state)
{
    (void)state;
    struct world world;
    struct vmm_plan plan;
    struct error err = {0};
    make_world(&world, "");
    make_plan(&world, world.qemu, &plan);
    assert_null(body_of(&plan, "/network-interfaces/eth0"));
    vmm_plan_done(&plan);
    assert_false(vmm_firecracker.has_user_network); /* a namespace stands in for it */
    world.spec.net = NET_NAT;
    assert_true(vmm_check_network(&vmm_firecracker, &world.spec, NULL, &err));
    struct machine_boot with_tap = {.vm_dir = world.dir,
        .kernel_path = "vmlinux",
        .image_path = "rootfs.ext4",
        .firecracker = world.qemu,
        .net = {.mode = NET_NAT, .tap = "bt12345678"}};
    assert_true(vmm_firecracker.plan(&world.spec, &with_tap, &kvm, &plan, &err));
    const char *words = body_of(&plan, "/network-interfaces/eth0");
    assert_non_null(words);
    auto_json struct json *card = json_parse(words, strlen(words), 4096, 8, "card", &err);
    assert_string_equal(json_string(card, "host_dev_name", ""), "bt12345678");
    assert_string_equal(json_string(card, "guest_mac", ""), world.spec.mac);
    pid_t pid = spawn(&world, &plan);
    boot(&world, &plan, pid, &err);
    assert_fine(err);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    vmm_plan_done(&plan);
    world_remove(&world);
}

/* What "auto" takes, by what is here and what the machine asks for. */
static void test_choice(void **state)
{
    (void)state;
    static const char *const nowhere = "/nowhere/vmm";
    static const struct {
        const char *vmm;
        enum net_mode net;
        bool has_qemu, has_firecracker;
        enum accel_kind accel;
        const struct vmm_backend *chosen; /* NULL: the one with a network, which is worth more */
    } rows[] = {
        {"auto", NET_USER, true, true, ACCEL_KVM, NULL},
        {"auto", NET_NAT, true, true, ACCEL_KVM, &vmm_firecracker},
        {"auto", NET_NONE, true, true, ACCEL_KVM, &vmm_firecracker},
        {"auto", NET_NONE, true, true, ACCEL_TCG, &vmm_qemu},
        {"auto", NET_NONE, true, false, ACCEL_KVM, &vmm_qemu},
        {"auto", NET_USER, false, true, ACCEL_KVM, &vmm_firecracker},
        {"auto", NET_USER, false, true, ACCEL_TCG, &vmm_qemu},
        {"auto", NET_USER, false, false, ACCEL_KVM, &vmm_qemu},
        {"qemu", NET_NONE, true, true, ACCEL_KVM, &vmm_qemu},
        {"firecracker", NET_USER, true, true, ACCEL_TCG, &vmm_firecracker},
    };
    static const struct accel_host has_kvm = {
        .has_kvm_device = true, .can_open_kvm = true, .has_virt_flag = true};
    struct world world;
    make_world(&world, "");
    auto_free char *qemu = world_built("tests/support/fake_qemu");
    for (size_t i = 0; i < array_length(rows); i++) {
        struct vmm_choice choice;
        struct error err = {0};
        struct vmm_host host = {.has_accel = true, .accel = has_kvm};
        struct machine_boot boot = {.host = &host,
            .accel = accel_name(rows[i].accel),
            .qemu = rows[i].has_qemu ? qemu : nowhere,
            .firecracker = rows[i].has_firecracker ? world.qemu : nowhere};
        free(world.spec.vmm);
        world.spec.vmm = memory_strdup(rows[i].vmm);
        world.spec.net = rows[i].net;
        assert_true(vmm_choose(&world.spec, &boot, &choice, &err));
        const struct vmm_backend *connected =
            vmm_check_network(&vmm_firecracker, &world.spec, NULL, &err) ? &vmm_firecracker
                                                                         : &vmm_qemu;
        assert_ptr_equal(choice.backend, rows[i].chosen != NULL ? rows[i].chosen : connected);
        assert_non_null(strstr(choice.why, " because "));
        assert_int_equal(choice.accel.kind, rows[i].accel);
        vmm_host_done(&host);
    }
    world_remove(&world);
}

/* A version that does not know a device is not asked for it, and starts. */
static void test_an_older_version(void **state)
{
    (void)state;
    struct world world;
    struct vmm_plan plan;
    struct error err = {0};
    make_world(&world, "");
    auto_free char *old = memory_printf("%s/firecracker-1.3.0", world.path);
    assert_int_equal(symlink(world.qemu, old), 0);
    make_plan(&world, old, &plan);
    assert_null(body_of(&plan, "/entropy"));
    pid_t pid = spawn(&world, &plan);
    boot(&world, &plan, pid, &err);
    assert_fine(err);
    assert_state(&world, "Running");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    vmm_plan_done(&plan);
    world_remove(&world);
}

static void test_what_cannot_work_is_refused(void **state)
{
    (void)state;
    struct world world;
    struct vmm_plan plan;
    struct error err = {0};
    make_world(&world, "");
    assert_false(try_plan(&world, "/nowhere/firecracker", &plan, &err));
    assert_code(err, ERROR_UNSUPPORTED);
    assert_false(try_plan(&world, "/bin/true", &plan, &err));
    assert_code(err, ERROR_UNSUPPORTED);
    world.spec.vcpu = 33;
    assert_false(try_plan(&world, world.qemu, &plan, &err));
    assert_code(err, ERROR_UNSUPPORTED);
    world.spec.vcpu = 1;
    struct machine_volume volume = {.host = memory_strdup("/srv"), .guest = memory_strdup("/srv")};
    machine_spec_add_volume(&world.spec, &volume);
    assert_false(try_plan(&world, world.qemu, &plan, &err));
    assert_code(err, ERROR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "--vmm qemu"));
    machine_spec_clear_volumes(&world.spec);
    struct machine_port udp = {.host_port = 5353, .guest_port = 53, .is_udp = true};
    machine_spec_publish(&world.spec, &udp);
    assert_false(try_plan(&world, world.qemu, &plan, &err));
    assert_code(err, ERROR_UNSUPPORTED);
    world.spec.ports[0].is_udp = false; /* by the agent, so it needs no network */
    scratch_write(world.path, "vmlinux", "MZ, as a bzImage begins");
    assert_false(try_plan(&world, world.qemu, &plan, &err));
    assert_code(err, ERROR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "vmlinux"));
    world_remove(&world);
}

/* Until the serial line has said the words. */
static void read_until(int fd, const char *words)
{
    auto_done(text) struct text said = {0};
    uint64_t deadline = clock_deadline(TIMEOUT_MS);
    while (strstr(text_cstr(&said), words) == NULL) {
        char chunk[512];
        struct error err = {0};
        local_socket_wait(fd, POLLIN, deadline, NULL, &err);
        assert_fine(err);
        ssize_t got = read(fd, chunk, sizeof chunk);
        assert_true(got > 0);
        text_append_bytes(&said, chunk, (size_t)got);
    }
}

/* The serial port is a terminal of the launch's own, in both directions and unchanged. */
static void test_serial_port(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    struct launch launch;
    struct monitor_order order = {.name = memory_strdup("web")};
    char here[4096];
    make_world(&world, "");
    make_plan(&world, world.qemu, &order.plan);
    launch_init(&launch);
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(world.path), 0);
    launch_prepare(&order, world.dir, &launch, &err);
    assert_fine(err);
    launch_release(&order, &launch, &err);
    assert_fine(err);
    assert_int_equal(chdir(here), 0);
    boot(&world, &order.plan, launch.pid, &err);
    assert_fine(err);
    int serial = launch.lines[VMM_LINE_SERIAL];
    read_until(serial, "banger-guest: init\r\n");
    assert_int_equal(write(serial, "a\003b\n", 4), 4);
    read_until(serial, "got a\003b\r\n");
    assert_int_equal(write(serial, "reboot\n", 7), 7);
    int status = 0;
    assert_int_equal(waitpid(launch.pid, &status, 0), launch.pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    launch_done(&launch);
    monitor_order_done(&order);
    world_remove(&world);
}

/* The plan goes to the monitor as JSON and is the same there. */
static void test_the_order_keeps_the_calls(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    struct monitor_order order = {.name = memory_strdup("web")};
    struct monitor_order read;
    make_world(&world, "");
    make_plan(&world, world.qemu, &order.plan);
    snprintf(order.plan.kind, sizeof order.plan.kind, "qemu");
    memcpy(order.uuid, world.spec.uuid, sizeof order.uuid);
    auto_json struct json *json = monitor_order_to_json(&order);
    monitor_order_from_json(json, &read, &err);
    assert_fine(err);
    assert_true(read.plan.has_terminal);
    assert_int_equal(read.plan.calls.count, order.plan.calls.count);
    for (size_t i = 0; i < read.plan.calls.count; i++) {
        assert_string_equal(read.plan.calls.items[i], order.plan.calls.items[i]);
    }
    monitor_order_done(&read);
    monitor_order_done(&order);
    world_remove(&world);
}

static void test_statuses(void **state)
{
    (void)state;
    for (int status = 0; status < 256; status++) {
        const char *sentence = vmm_firecracker.explain_status(status);
        assert_int_equal(sentence != NULL, status >= 148 && status <= 157);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_what_is_asked_for),
        cmocka_unit_test(test_network),
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_an_older_version),
        cmocka_unit_test(test_what_cannot_work_is_refused),
        cmocka_unit_test(test_serial_port),
        cmocka_unit_test(test_the_order_keeps_the_calls),
        cmocka_unit_test(test_statuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
