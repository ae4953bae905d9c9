/* SPDX-License-Identifier: MIT */
#pragma once

/* A world whose catalog offers one good kernel and others that are slow, wrong, gone or hanging.
 * Include cmocka's headers first. */

#include "tui/console_world.h"

#include <string.h>

#include "base/json.h"
#include "base/limits.h"

#define KERNEL_BYTES "3000000"
/* For longer than a test looks at it, and less than a minute; see let_go. */
#define SLOWLY "rate=80000+rush"

/* Runs make_bundle.py and tells what it made. */
static inline char *make_kernel_bundle(
    const struct console_world *world, const char *path, long long *size_bytes)
{
    auto_free char *report = memory_printf("%s/bundle.json", world->dir);
    auto_free char *script = memory_printf("%s/tests/support/make_bundle.py", getenv("SRCDIR"));
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int out = open(report, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        dup2(out, STDOUT_FILENO);
        execlp("python3", "python3", "-B", script, "kernel", path, "--initrd", "--modules",
            "--vmlinux-bytes", KERNEL_BYTES, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    struct error err = {0};
    auto_free char *json = scratch_read(world->dir, "bundle.json");
    auto_json struct json *root = json_parse(json, strlen(json), 1 << 20, 8, "bundle.json", &err);
    assert_non_null(root);
    *size_bytes = (long long)json_integer(root, "size_bytes", 0);
    return memory_strdup(json_string(root, "sha256", ""));
}

static inline void add_entry(struct text *catalog, const struct console_world *world,
    const char *name, const char *path, const char *sha256, long long size_bytes)
{
    auto_free char *url = web_server_url(&world->server, path);
    text_printf(catalog,
        "%s{\"name\":\"%s\",\"distro\":\"generic\",\"arch\":\"x86_64\","
        "\"kernel_version\":\"6.12.31\",\"tarball_url\":\"%s\",\"tarball_sha256\":\"%s\","
        "\"size_bytes\":%lld,\"description\":\"for tests\"}",
        catalog->len > 0 ? "," : "", name, url, sha256, size_bytes);
}

/* For cmocka. */
static inline int catalog_set_up(void **state)
{
    struct console_world *world = memory_zero(1, sizeof(*world));
    static const char *const rate[] = {"--rate", "1000000", NULL};
    world_make(world, NULL);
    web_server_start(&world->server, rate);
    world->has_server = true;
    long long size_bytes = 0;
    auto_free char *bundle = memory_printf("%s/root/k.tar.zst", world->server.directory);
    auto_free char *sha256 = make_kernel_bundle(world, bundle, &size_bytes);
    auto_done(text) struct text kernels = {0};
    add_entry(&kernels, world, "fine", "k.tar.zst", sha256, size_bytes);
    add_entry(&kernels, world, "slow", SLOWLY "/k.tar.zst", sha256, size_bytes);
    add_entry(&kernels, world, "wrong", "flip=5000/k.tar.zst", sha256, size_bytes);
    add_entry(&kernels, world, "gone", "404/k.tar.zst", sha256, size_bytes);
    add_entry(&kernels, world, "hanging", "hang-body=100000/k.tar.zst", sha256, size_bytes);
    auto_free char *catalog =
        memory_printf("{\"version\":1,\"kernels\":[%s],\"images\":[]}", text_cstr(&kernels));
    scratch_write(world->dir, "catalog.json", catalog);
    *state = world;
    return 0;
}

static inline int catalog_tear_down(void **state)
{
    world_remove(*state);
    free(*state);
    return 0;
}

/* What is served slowly comes at once from now on. */
static inline void let_go(const struct console_world *world)
{
    web_server_put(&world->server, "go", "", 0);
}

/* Moves the cursor of the focused list to the row of that name, by its filter. */
static inline void go_to(struct console_world *world, const char *name)
{
    auto_free char *keys = memory_printf("/%s\r\x1b", name);
    auto_free char *row = memory_printf("▸%s", name);
    pty_send(world->pty, keys);
    pty_wait_text(world->pty, row);
    pty_wait_text(world->pty, "/ Filter");
}

/* From the first screen to a pulled kernel: one key. The proof is said in words and stays. */
