/* SPDX-License-Identifier: MIT */
#pragma once

/* A machine's directory for tests: a spec, empty disks, and a start on the fake QEMU
 * (tests/support/fake_qemu.c) or a real one. The test program itself is the monitor: its main must
 * begin with `if (world_is_monitor(argc, argv)) return monitor_main(argc, argv);`. Include cmocka's
 * headers first. */

#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"
#include "base/wire.h"
#include "support/scratch.h"
#include "vm/local_socket.h"
#include "vm/machine_control.h"
#include "vm/machine_history.h"
#include "vm/monitor.h"
#include "vm/monitor_client.h"

#include <poll.h>
#include <signal.h>

struct world {
    char *path;
    int dir;
    struct machine_spec spec;
    struct machine_handle handle;
    char *qemu;
    char *firecracker; /* NULL: the one in PATH, for machines that name it */
};

static inline bool world_is_monitor(int argc, char **argv)
{
    return argc > 1 && strcmp(argv[1], MONITOR_OPTION) == 0;
}

static inline void world_fill_spec(struct machine_spec *spec, const char *append)
{
    struct error err = {0};
    *spec = (struct machine_spec){.name = memory_strdup("web"),
        .image = memory_strdup("debian"),
        .append = memory_strdup(append),
        .vmm = memory_strdup("auto"),
        .accel = memory_strdup("tcg"),
        .vcpu = 1,
        .memory_mib = 256,
        .disk_bytes = 64 << 20,
        .created_at = 1780000000};
    assert_true(machine_spec_identify(spec, &err));
}

/* A file of the build tree; caller frees. By hand from the build directory no variable is needed. */
static inline char *world_built(const char *name)
{
    char here[4096];
    const char *build = getenv("BUILDDIR");
    return memory_printf("%s/%s", build != NULL ? build : getcwd(here, sizeof here), name);
}

/* qemu NULL: the fake one. */
static inline void world_make(struct world *world, const char *append, const char *qemu)
{
    struct error err = {0};
    *world = (struct world){.path = scratch_make()};
    world->qemu = qemu != NULL ? memory_strdup(qemu) : world_built("tests/support/fake_qemu");
    world->dir = file_open_dir(AT_FDCWD, world->path, &err);
    assert_fine(err);
    scratch_write(world->path, "rootfs.ext4", "image");
    scratch_write(world->path, MACHINE_UPPER_FILE, "upper");
    auto_free char *image = memory_printf("%s/rootfs.ext4", world->path);
    assert_int_equal(truncate(image, 1 << 20), 0);
    world_fill_spec(&world->spec, append);
}

static inline bool world_try_start(struct world *world, const char *kernel, const char *initrd,
    const struct cancel *cancel, struct error *err)
{
    struct machine_boot boot = {.vm_dir = world->dir,
        .net = {.mode = world->spec.net},
        .kernel_path = kernel,
        .initrd_path = initrd,
        .image_path = "rootfs.ext4",
        .qemu = world->qemu,
        .firecracker = world->firecracker,
        .console_log_bytes = 1 << 20};
    return machine_start(&world->spec, &boot, NULL, NULL, cancel, &world->handle, err);
}

/* A new monitor for the one that died. */
static inline bool world_adopt(struct world *world, uint64_t log_bytes, struct error *err)
{
    struct machine_boot boot = {.vm_dir = world->dir, .console_log_bytes = log_bytes};
    return machine_adopt(&boot, "web", NULL, NULL, &world->handle, err);
}

static inline void world_start(struct world *world)
{
    struct error err = {0};
    bool is_started = world_try_start(world, "vmlinux", NULL, NULL, &err);
    assert_fine(err);
    assert_true(is_started);
}

static inline void world_wait_ready(struct world *world, struct machine_timeline *timeline)
{
    struct error err = {0};
    machine_wait_ready(world->dir, &world->handle, 60000, NULL, NULL, timeline, &err);
    assert_fine(err);
}

static inline enum machine_state world_state(const struct world *world)
{
    struct machine_facts facts;
    machine_look(world->dir, &facts);
    enum machine_state state = facts.state;
    machine_facts_done(&facts);
    return state;
}

/* Whatever runs is killed: nothing may outlive a test. */
static inline void world_remove(struct world *world)
{
    struct error ignored = {0};
    struct machine_handle handle;
    if (machine_handle_read(world->dir, &handle, &ignored)) {
        machine_kill(world->dir, &handle, SIGKILL, NULL, NULL, &ignored);
    }
    close(world->dir);
    scratch_remove(world->path);
    free(world->qemu);
    free(world->firecracker);
    machine_spec_done(&world->spec);
}

/* Until the file in the machine's directory holds the text; fails after a minute. */
static inline void world_wait_text(const struct world *world, const char *name, const char *text)
{
    uint64_t deadline = clock_deadline(60000);
    for (;;) {
        auto_free char *content = scratch_read(world->path, name);
        if (content != NULL && strstr(content, text) != NULL) {
            return;
        }
        if (clock_left_ms(deadline) == 0) {
            fail_msg("%s never held \"%s\" but \"%s\"", name, text,
                content != NULL ? content : "(nothing)");
        }
        poll(NULL, 0, 5);
    }
}

/* What a run leaves in the machine's directory: records and logs, no socket, no handle. */
#define WORLD_LEFT                                                                                 \
    "boot.json console.idx console.log exit.json monitor.lock monitor.log rootfs.ext4 upper.ext4 " \
    "vmm.log"

static inline void world_assert_left(const struct world *world)
{
    unlinkat(world->dir, MACHINE_HISTORY_FILE, 0); /* of machines that ran before */
    auto_free char *left = scratch_list(world->path, ".");
    assert_string_equal(left, WORLD_LEFT);
    assert_false(process_is_alive(&world->handle.monitor));
    assert_false(process_is_alive(&world->handle.vmm));
}

/* On the serial port. */
static inline void world_type(const struct world *world, const char *words)
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

static inline void world_wait_exit(struct world *world, struct machine_exit *exit)
{
    struct error err = {0};
    machine_wait_exit(world->dir, &world->handle, 60000, NULL, exit, &err);
    assert_fine(err);
}

/* What a started machine is to end like, by itself or by what is typed to it. */
struct world_end {
    const char *append;
    const char *typed; /* NULL: nothing */
    enum machine_exit_reason reason;
    enum machine_state state;
    const char *sentence;
};

static inline void world_assert_end(struct world *world, const struct world_end *end)
{
    struct machine_exit exit;
    if (end->typed != NULL) {
        world_type(world, end->typed);
    }
    world_wait_exit(world, &exit);
    char sentence[640];
    assert_string_equal(machine_exit_describe(&exit, sentence, sizeof sentence), end->sentence);
    assert_int_equal(exit.reason, end->reason);
    assert_false(exit.is_requested);
    assert_int_equal(world_state(world), end->state);
    world_assert_left(world);
}
