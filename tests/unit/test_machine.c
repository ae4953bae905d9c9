/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/machine_world.h"

#include "base/limits.h"
#include "vm/net.h"

#include <signal.h>
#include <sys/wait.h>

static struct json *parse(const char *text)
{
    struct error err = {0};
    struct json *json = json_parse(
        text, strlen(text), limits_default.json_bytes, limits_default.json_depth, "test", &err);
    assert_fine(err);
    return json;
}

static void fill(struct machine_spec *spec)
{
    struct error err = {0};
    struct machine_port port;
    world_fill_spec(spec, "systemd.show_status=1");
    spec->kernel_ref = memory_strdup("debian-cloud");
    spec->root = MACHINE_ROOT_COPY;
    spec->restart = MACHINE_RESTART_ON_FAILURE;
    spec->is_ephemeral = true;
    assert_true(net_parse_publish("8080:80", &port, &err));
    machine_spec_publish(spec, &port);
    assert_true(net_parse_publish("0.0.0.0:53:53/udp", &port, &err));
    machine_spec_publish(spec, &port);
    struct machine_volume volume;
    struct machine_disk disk;
    assert_true(machine_volume_parse("/srv/a:b:/mnt/a:ro", &volume, &err));
    machine_spec_add_volume(spec, &volume);
    assert_true(machine_disk_parse("20G:/data", &disk, &err));
    machine_spec_add_disk(spec, &disk);
    assert_true(machine_disk_parse("/var/x:y.img:ro", &disk, &err));
    machine_spec_add_disk(spec, &disk);
    strings_add(&spec->program.entrypoint, "/bin/sh");
    strings_add(&spec->program.cmd, "-c");
    strings_add(&spec->program.env, "A=b c");
    spec->program.workdir = memory_strdup("/srv");
    spec->program.user = memory_strdup("nobody");
}

/* A command line may name more disks than there can be, and is refused only once it is read. */
static void test_too_many_disks_are_looked_through(void **state)
{
    (void)state;
    struct error err = {0};
    auto_done(machine_spec) struct machine_spec spec = {0};
    fill(&spec);
    while (spec.disk_count < 2 * MACHINE_DISKS_MAX) {
        struct machine_disk disk;
        assert_true(machine_disk_parse("16M", &disk, &err));
        machine_spec_add_disk(&spec, &disk);
    }
    assert_int_equal(machine_spec_find_disk(&spec, "disk8"), 7);
    assert_true(machine_spec_find_disk(&spec, machine_disk_file(0)) == SIZE_MAX);
    assert_true(machine_spec_find_disk(&spec, "/nowhere") == SIZE_MAX);
    assert_false(machine_spec_validate(&spec, &err));
    assert_code(err, ERROR_INVALID);
}

static void test_spec_round_trip(void **state)
{
    (void)state;
    struct error err = {0};
    auto_done(machine_spec) struct machine_spec spec = {0};
    auto_done(machine_spec) struct machine_spec again = {0};
    auto_done(machine_spec) struct machine_spec copy = {0};
    fill(&spec);
    auto_json struct json *json = machine_spec_to_json(&spec);
    assert_true(machine_spec_from_json(json, "vm.json", &again, &err));
    assert_fine(err);
    machine_spec_copy(&again, &copy);
    assert_string_equal(copy.name, "web");
    assert_string_equal(copy.uuid, spec.uuid);
    assert_string_equal(copy.mac, spec.mac);
    assert_string_equal(copy.kernel_ref, "debian-cloud");
    assert_int_equal(copy.root, MACHINE_ROOT_COPY);
    assert_int_equal(copy.restart, MACHINE_RESTART_ON_FAILURE);
    assert_true(copy.is_ephemeral);
    assert_int_equal(copy.port_count, 2);
    assert_string_equal(copy.ports[0].host_address, "127.0.0.1");
    assert_int_equal(copy.ports[0].guest_port, 80);
    assert_true(copy.ports[1].is_udp);
    assert_string_equal(copy.volumes[0].host, "/srv/a:b");
    assert_string_equal(copy.volumes[0].guest, "/mnt/a");
    assert_true(copy.volumes[0].is_readonly);
    assert_int_equal(copy.disks[0].size_bytes, UINT64_C(20) << 30);
    assert_string_equal(copy.disks[0].guest, "/data");
    assert_string_equal(copy.disks[1].file, "/var/x:y.img");
    assert_null(copy.disks[1].guest);
    assert_string_equal(copy.program.env.items[0], "A=b c");
    assert_string_equal(copy.program.workdir, "/srv");
    assert_int_equal(copy.created_at, spec.created_at);
    auto_json struct json *third = machine_spec_to_json(&copy);
    auto_done(text) struct text a = {0};
    auto_done(text) struct text b = {0};
    json_write(json, true, &a);
    json_write(third, true, &b);
    assert_string_equal(text_cstr(&a), text_cstr(&b));
}

static void test_unknown_keys_are_kept(void **state)
{
    (void)state;
    struct error err = {0};
    auto_done(machine_spec) struct machine_spec spec = {0};
    auto_done(machine_spec) struct machine_spec again = {0};
    fill(&spec);
    auto_json struct json *json = machine_spec_to_json(&spec);
    json_put(json, "of_tomorrow", parse("[{\"host\": \"/srv\"}]"));
    assert_true(machine_spec_from_json(json, "vm.json", &again, &err));
    free(again.image);
    again.image = memory_strdup("other");
    auto_json struct json *written = machine_spec_to_json(&again);
    auto_done(text) struct text text = {0};
    json_write(written, false, &text);
    assert_non_null(strstr(text_cstr(&text), "\"of_tomorrow\""));
    assert_non_null(strstr(text_cstr(&text), "/srv"));
    assert_string_equal(json_string(written, "image", ""), "other");
}

/* Each spoils one thing of a good spec. */
static void spoil_name(struct machine_spec *spec)
{
    spec->name[0] = '-';
}
static void spoil_image(struct machine_spec *spec)
{
    spec->image[0] = '.';
}
static void spoil_uuid(struct machine_spec *spec)
{
    spec->uuid[8] = ',';
}
static void spoil_mac(struct machine_spec *spec)
{
    spec->mac[0] = 'Z';
}
static void spoil_vcpu(struct machine_spec *spec)
{
    spec->vcpu = 0;
}
static void spoil_vcpu_much(struct machine_spec *spec)
{
    spec->vcpu = MACHINE_VCPU_MAX + 1;
}
static void spoil_memory(struct machine_spec *spec)
{
    spec->memory_mib = MACHINE_MEMORY_MIB_MIN - 1;
}
static void spoil_disk(struct machine_spec *spec)
{
    spec->disk_bytes = 4096;
}
static void spoil_vmm(struct machine_spec *spec)
{
    spec->vmm[0] = 'x';
}
static void spoil_accel(struct machine_spec *spec)
{
    spec->accel[0] = 'x';
}
static void spoil_append(struct machine_spec *spec)
{
    spec->append[0] = '\n';
}
static void spoil_ports(struct machine_spec *spec)
{
    machine_spec_publish(spec, &spec->ports[0]);
}

static void test_bad_specs_are_refused(void **state)
{
    (void)state;
    static void (*const spoilers[])(struct machine_spec *) = {spoil_name, spoil_image, spoil_uuid,
        spoil_mac, spoil_vcpu, spoil_vcpu_much, spoil_memory, spoil_disk, spoil_vmm, spoil_accel,
        spoil_append, spoil_ports};
    for (size_t i = 0; i < array_length(spoilers); i++) {
        struct error err = {0};
        auto_done(machine_spec) struct machine_spec spec = {0};
        fill(&spec);
        assert_true(machine_spec_validate(&spec, &err));
        spoilers[i](&spec);
        if (machine_spec_validate(&spec, &err)) {
            fail_msg("spoiler %zu was accepted", i);
        }
        assert_code(err, ERROR_INVALID);
    }
}

static void test_bad_files_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"[]", "{}", "{\"name\": 3}"};
    for (size_t i = 0; i < array_length(texts); i++) {
        struct error err = {0};
        auto_json struct json *json = parse(texts[i]);
        struct machine_spec spec = {0};
        assert_false(machine_spec_from_json(json, "vm.json", &spec, &err));
        assert_code(err, ERROR_FORMAT);
        assert_null(spec.name);
    }
    static const struct {
        const char *key;
        const char *value;
    } rows[] = {{"vcpu", "-1"}, {"vcpu", "\"1\""}, {"uuid", "\"x\""}, {"publish", "[\"80\"]"},
        {"publish", "{}"}, {"config", "[]"}, {"config", "{\"env\": [1]}"}, {"root", "\"raid\""},
        {"created_at", "\"yesterday\""}, {"restart", "\"never\""}, {"memory_mib", "1"}};
    for (size_t i = 0; i < array_length(rows); i++) {
        struct error err = {0};
        auto_done(machine_spec) struct machine_spec spec = {0};
        fill(&spec);
        auto_json struct json *json = machine_spec_to_json(&spec);
        json_put(json, rows[i].key, parse(rows[i].value));
        struct machine_spec read = {0};
        if (machine_spec_from_json(json, "vm.json", &read, &err)) {
            fail_msg("%s: %s was accepted", rows[i].key, rows[i].value);
        }
        assert_code(err, ERROR_FORMAT);
        assert_non_null(strstr(err.text, "vm.json"));
    }
}

static void test_identity_is_drawn(void **state)
{
    (void)state;
    struct error err = {0};
    struct machine_spec a = {0};
    struct machine_spec b = {0};
    assert_true(machine_spec_identify(&a, &err));
    assert_true(machine_spec_identify(&b, &err));
    assert_string_not_equal(a.uuid, b.uuid);
    assert_string_not_equal(a.mac, b.mac);
    assert_int_equal(strlen(a.uuid), MACHINE_UUID_LEN);
    assert_int_equal(a.uuid[14], '4');
    assert_memory_equal(a.mac, "02:", 3);
}

static void test_handle_round_trip(void **state)
{
    (void)state;
    struct error err = {0};
    struct machine_handle handle = {.monitor = {.pid = 4, .start_time = 1234567890123},
        .vmm = {.pid = 5, .start_time = 99},
        .kind = "qemu",
        .accel = "tcg",
        .started_at = 1780000000,
        .log_offset = 77,
        .port_count = 1,
        .ports = {{.host_address = "127.0.0.1", .host_port = 40000, .guest_port = 22}}};
    snprintf(handle.boot_id, sizeof handle.boot_id, "%s", process_boot_id());
    snprintf(handle.uuid, sizeof handle.uuid, "11111111-2222-4333-8444-555555555555");
    auto_json struct json *json = machine_handle_to_json(&handle);
    struct machine_handle again;
    assert_true(machine_handle_from_json(json, &again, &err));
    assert_string_equal(again.boot_id, handle.boot_id);
    assert_int_equal(again.monitor.start_time, handle.monitor.start_time);
    assert_int_equal(again.vmm.pid, 5);
    assert_int_equal(again.started_at, handle.started_at);
    assert_int_equal(again.log_offset, 77);
    assert_int_equal(again.ports[0].host_port, 40000);
    json_remove(json, "vmm");
    assert_false(machine_handle_from_json(json, &again, &err));
    assert_code(err, ERROR_FORMAT);
}

static void test_exit_round_trip(void **state)
{
    (void)state;
    struct error err = {0};
    struct machine_exit exit = {.reason = MACHINE_EXIT_PANIC,
        .code = 0,
        .at = 1780000001,
        .started_at = 1780000000,
        .is_requested = true,
        .detail = "VFS: no root"};
    auto_json struct json *json = machine_exit_to_json(&exit);
    assert_string_equal(json_string(json, "reason", ""), "panic");
    struct machine_exit again;
    assert_true(machine_exit_from_json(json, &again, &err));
    assert_int_equal(again.reason, MACHINE_EXIT_PANIC);
    assert_true(again.is_requested);
    char sentence[640];
    assert_string_equal(
        machine_exit_describe(&again, sentence, sizeof sentence), "kernel panic: VFS: no root");
    again = (struct machine_exit){.reason = MACHINE_EXIT_KILLED, .code = -1, .signal = SIGKILL};
    assert_string_equal(
        machine_exit_describe(&again, sentence, sizeof sentence), "killed by signal 9 (KILL)");
    json_put_string(json, "reason", "boredom");
    assert_false(machine_exit_from_json(json, &again, &err));
    assert_code(err, ERROR_FORMAT);
}

static void test_timeline_round_trip(void **state)
{
    (void)state;
    struct error err = {0};
    auto_done(machine_timeline) struct machine_timeline timeline;
    machine_timeline_init(&timeline);
    timeline.at_ms[MACHINE_STAGE_VMM] = 0;
    timeline.at_ms[MACHINE_STAGE_KERNEL] = 70;
    timeline.is_paused = true;
    strings_add(&timeline.facts, "kernel=6.1");
    auto_json struct json *json = machine_timeline_to_json(&timeline);
    /* A stage of a newer program is skipped. */
    json_append((struct json *)json_get(json, "stages"), parse("{\"stage\": \"tea\", \"ms\": 5}"));
    auto_done(machine_timeline) struct machine_timeline again;
    assert_true(machine_timeline_from_json(json, &again, &err));
    assert_int_equal(again.at_ms[MACHINE_STAGE_VMM], 0);
    assert_int_equal(again.at_ms[MACHINE_STAGE_KERNEL], 70);
    assert_true(again.at_ms[MACHINE_STAGE_AGENT] == MACHINE_STAGE_UNREACHED);
    assert_true(again.is_paused);
    assert_false(machine_timeline_is_ready(&again));
    assert_string_equal(machine_timeline_fact(&again, "kernel"), "6.1");
    assert_null(machine_timeline_fact(&again, "kern"));
}

static void write_records(
    const struct world *world, struct process_identity vmm, const char *boot_id, const char *uuid)
{
    struct machine_handle handle = {.vmm = vmm, .kind = "qemu", .accel = "tcg"};
    snprintf(handle.boot_id, sizeof handle.boot_id, "%s", boot_id);
    snprintf(handle.uuid, sizeof handle.uuid, "%s", uuid);
    auto_json struct json *json = machine_handle_to_json(&handle);
    auto_done(text) struct text text = {0};
    json_write(json, true, &text);
    scratch_write(world->path, MACHINE_HANDLE_FILE, text_cstr(&text));
}

/* A live process under the recorded pid is not the machine unless everything agrees: signals must
 * never reach a stranger. */
static void test_strangers_are_left_alone(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    world_make(&world, "", NULL);
    const char *const argv[] = {"sleep", "1000", NULL};
    struct process_spec process = {
        .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1, .cwd_fd = -1};
    pid_t pid = -1;
    auto_close int pidfd = -1;
    assert_true(process_spawn(&process, &pid, &pidfd, &err));
    struct process_identity alive;
    assert_true(process_identify(pid, &alive));
    struct process_identity reused = {.pid = pid, .start_time = alive.start_time - 1};
    struct machine_handle handle;
    /* Right pid and start time, our uuid nowhere on its command line; another start time; another
     * boot of the host. */
    const struct {
        struct process_identity vmm;
        const char *boot_id;
        const char *uuid;
    } rows[] = {
        {alive, process_boot_id(), world.spec.uuid},
        {reused, process_boot_id(), "1000"},
        {alive, "00000000-0000-0000-0000-000000000000", "1000"},
    };
    for (size_t i = 0; i < array_length(rows); i++) {
        write_records(&world, rows[i].vmm, rows[i].boot_id, rows[i].uuid);
        assert_int_equal(world_state(&world), MACHINE_CRASHED);
        assert_true(machine_handle_read(world.dir, &handle, &err));
        struct error refused = {0};
        assert_false(machine_kill(world.dir, &handle, SIGUSR1, NULL, NULL, &refused));
        assert_code(refused, ERROR_NOT_FOUND);
        /* Settled once, then there is nothing left to settle. */
        assert_true(machine_settle(world.dir, &err));
        assert_false(scratch_has(world.path, MACHINE_HANDLE_FILE));
        assert_true(scratch_has(world.path, MACHINE_EXIT_FILE));
        assert_int_equal(world_state(&world), MACHINE_CRASHED);
        assert_false(machine_settle(world.dir, &err));
        assert_fine(err);
        assert_true(process_is_alive(&alive));
        unlinkat(world.dir, MACHINE_EXIT_FILE, 0);
    }
    assert_true(process_signal(&alive, SIGKILL, &err));
    int status = 0;
    assert_true(process_wait(pid, pidfd, 60000, NULL, &status, &err));
    world_remove(&world);
}

static void test_damaged_records_are_said(void **state)
{
    (void)state;
    struct world world;
    world_make(&world, "", NULL);
    scratch_write(world.path, MACHINE_HANDLE_FILE, "{\"boot_id\": 3}");
    assert_int_equal(world_state(&world), MACHINE_UNKNOWN);
    unlinkat(world.dir, MACHINE_HANDLE_FILE, 0);
    world_remove(&world);
}

/* "sleep 1000", whose uuid is its argument. */
static bool start_sleeper(struct process_identity *identity)
{
    const char *const argv[] = {"sleep", "1000", NULL};
    struct process_spec process = {
        .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1, .cwd_fd = -1};
    struct error err = {0};
    pid_t pid = -1;
    auto_close int pidfd = -1;
    return process_spawn(&process, &pid, &pidfd, &err) && process_identify(pid, identity);
}

static void end_sleeper(const struct process_identity *identity)
{
    struct error err = {0};
    process_signal(identity, SIGKILL, &err);
    waitpid(identity->pid, NULL, 0);
}

/* Too many open files: it may run. */
static void test_hidden_processes_are_not_gone(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    struct machine_handle handle;
    struct process_identity vmm;
    world_make(&world, "", NULL);
    assert_true(start_sleeper(&vmm));
    write_records(&world, vmm, process_boot_id(), "1000");
    assert_true(machine_handle_read(world.dir, &handle, &err));
    assert_int_equal(machine_status(world.dir, &handle, NULL), MACHINE_STARTING);
    struct rlimit old = scratch_take_descriptors();
    enum machine_state now = machine_status(world.dir, &handle, NULL);
    bool is_settled = machine_settle(world.dir, &err);
    scratch_give_descriptors(&old);
    assert_int_equal(now, MACHINE_UNKNOWN);
    assert_false(is_settled);
    assert_true(error_is_blind(&err));
    assert_true(scratch_has(world.path, MACHINE_HANDLE_FILE));
    end_sleeper(&vmm);
    world_remove(&world);
}

/* Whether a machine that nobody watches was still there after a command that could not read how far
 * its boot is; as a user whom permissions hold. */
static int settle_with_a_closed_boot(const struct world *world)
{
    struct error err = {0};
    struct process_identity vmm;
    if (geteuid() == 0 &&
        (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0)) {
        return 77;
    }
    if (!start_sleeper(&vmm)) {
        return 2;
    }
    write_records(world, vmm, process_boot_id(), "1000");
    scratch_write(world->path, MACHINE_BOOT_FILE, "{}");
    if (fchmodat(world->dir, MACHINE_BOOT_FILE, 0, 0) != 0) {
        return 3;
    }
    bool is_settled = machine_settle(world->dir, &err);
    bool is_alive = process_is_alive(&vmm);
    end_sleeper(&vmm);
    return !is_settled && is_alive && error_is_blind(&err) &&
                   scratch_has(world->path, MACHINE_HANDLE_FILE)
               ? 0
               : 1;
}

static void test_a_closed_record_ends_no_machine(void **state)
{
    (void)state;
    struct world world;
    int status = -1;
    world_make(&world, "", NULL);
    if (geteuid() == 0) {
        assert_int_equal(chown(world.path, 65534, 65534), 0);
    }
    pid_t child = fork();
    if (child == 0) {
        _exit(settle_with_a_closed_boot(&world));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    world_remove(&world);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        skip();
    }
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_too_many_disks_are_looked_through),
        cmocka_unit_test(test_spec_round_trip),
        cmocka_unit_test(test_unknown_keys_are_kept),
        cmocka_unit_test(test_bad_specs_are_refused),
        cmocka_unit_test(test_bad_files_are_refused),
        cmocka_unit_test(test_identity_is_drawn),
        cmocka_unit_test(test_handle_round_trip),
        cmocka_unit_test(test_exit_round_trip),
        cmocka_unit_test(test_timeline_round_trip),
        cmocka_unit_test(test_strangers_are_left_alone),
        cmocka_unit_test(test_damaged_records_are_said),
        cmocka_unit_test(test_hidden_processes_are_not_gone),
        cmocka_unit_test(test_a_closed_record_ends_no_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
