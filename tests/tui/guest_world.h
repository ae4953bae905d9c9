/* SPDX-License-Identifier: MIT */
#pragma once

/* A world with a kernel and an image of this host, and a stand-in for QEMU that has a serial line
 * and an agent (tests/support/fake_qemu.c). Include cmocka's headers first. */

#include "tui/console_world.h"

#include "base/error.h"
#include "base/json.h"
#include "base/process.h"

#include <string.h>

static inline void run_quietly(const char *const *argv)
{
    struct error err = {0};
    int status = 0;
    assert_true(process_run(argv, 30000, 1 << 16, NULL, NULL, NULL, &status, &err));
    assert_int_equal(status, 0);
}

static inline void world_add_guests(struct console_world *world)
{
    auto_free char *fake = memory_printf("%s/tests/support/fake_qemu", getenv("BUILDDIR"));
    auto_free char *config = memory_printf("[paths]\nqemu = %s\n", fake);
    auto_free char *place = memory_printf("%s/config.ini", world->dir);
    auto_free char *maker = memory_printf("%s/tests/support/make_bundle.py", getenv("SRCDIR"));
    auto_free char *tree = memory_printf("%s/tree", world->dir);
    auto_free char *disk = memory_printf("%s/root.ext4", world->dir);
    auto_free char *import = memory_printf("kernel import k --from %s", tree);
    auto_free char *take = memory_printf("image register small --rootfs %s --kernel-ref k", disk);
    scratch_write(world->dir, "config.ini", config);
    world_env(world, "BANGER_CONFIG", place);
    world_env(world, "BANGER_ACCEL", "tcg");
    const char *const make_tree[] = {
        "python3", "-B", maker, "tree", tree, "--layout", "boot", NULL};
    const char *const make_disk[] = {"mkfs.ext4", "-q", "-F", disk, "8M", NULL};
    run_quietly(make_tree);
    run_quietly(make_disk);
    assert_int_equal(world_batch(world, import), 0);
    assert_int_equal(world_batch(world, take), 0);
}

/* A process of the machine ("vmm", "monitor"), as its record has it. */
static inline pid_t process_of_web(const struct console_world *world, const char *which)
{
    struct error err = {0};
    auto_free char *text = scratch_read(world->dir, "state/vms/web/handle.json");
    auto_json struct json *json = json_parse(text, strlen(text), 1 << 20, 16, "handle.json", &err);
    pid_t pid = (pid_t)json_integer(json_get(json, which), "pid", 0);
    assert_true(pid > 1);
    return pid;
}

static inline pid_t vmm_of_web(const struct console_world *world)
{
    return process_of_web(world, "vmm");
}

/* For cmocka. */
static inline int guest_set_up(void **state)
{
    struct console_world *world = memory_zero(1, sizeof(*world));
    world_make(world, NULL);
    world_add_guests(world);
    *state = world;
    return 0;
}

static inline int guest_tear_down(void **state)
{
    struct console_world *world = *state;
    world_batch(world, "vm rm web --force");
    world_remove(world);
    free(world);
    return 0;
}

static inline void open_with_machine(struct console_world *world)
{
    assert_int_equal(world_batch(world, "vm run small --name web"), 0);
    world_open(world);
    pty_wait_text(world->pty, "┏ 4 VMs  1 running"); /* the focus is where the machines are */
    pty_wait_text(world->pty, "▸web");
    pty_wait_text(world->pty, "s Shell");
}

/* Whether what makes the world is installed; says what is not. */
static inline bool guest_world_is_possible(void)
{
    static const char *const needed[] = {"python3", "mkfs.ext4"};
    bool is_possible = true;
    for (size_t i = 0; i < array_length(needed); i++) {
        auto_free char *found = process_find(needed[i]);
        if (found == NULL) {
            fprintf(stderr, "skipped: %s is missing\n", needed[i]);
            is_possible = false;
        }
    }
    return is_possible;
}
