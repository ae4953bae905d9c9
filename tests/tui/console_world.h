/* SPDX-License-Identifier: MIT */
#pragma once

/* The real program on a terminal of its own, with a state directory, a catalog and a web server
 * that nobody else has. Include cmocka's headers first. */

#include "base/memory.h"
#include "support/pty_vterm.h"
#include "support/scratch.h"
#include "support/web_server.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#define WORLD_ENV_MAX 16

struct console_world {
    char *dir; /* state/, catalog.json, home/ */
    struct web_server server;
    bool has_server;
    char *env[WORLD_ENV_MAX];
    size_t env_count;
    struct pty_vterm *pty;
};

static inline void world_env(struct console_world *world, const char *name, const char *value)
{
    assert_true(world->env_count + 1 < WORLD_ENV_MAX);
    world->env[world->env_count++] = memory_printf("%s=%s", name, value);
}

/* catalog: JSON; NULL for one without entries. */
static inline void world_make(struct console_world *world, const char *catalog)
{
    static const char none[] = "{\"version\":1,\"kernels\":[],\"images\":[]}";
    *world = (struct console_world){.dir = scratch_make()};
    scratch_write(world->dir, "catalog.json", catalog != NULL ? catalog : none);
    scratch_write(world->dir, "none.json", none);
    scratch_write(world->dir, "home/.keep", "");
    auto_free char *state = memory_printf("%s/state", world->dir);
    auto_free char *shown = memory_printf("%s/catalog.json", world->dir);
    auto_free char *builtin = memory_printf("%s/none.json", world->dir);
    auto_free char *home = memory_printf("%s/home", world->dir);
    world_env(world, "BANGER_STATE_DIR", state);
    world_env(world, "BANGER_CATALOG", shown);
    world_env(world, "BANGER_BUILTIN_CATALOG", builtin);
    world_env(world, "HOME", home);
    world_env(world, "PATH", getenv("PATH"));
    if (getenv("ASAN_OPTIONS") != NULL) {
        world_env(world, "ASAN_OPTIONS", getenv("ASAN_OPTIONS"));
    }
}

/* With TERM and locale; options may be NULL. */
static inline void world_open_as(struct console_world *world, const char *term, const char *locale,
    const char *option, int rows, int columns, bool is_under_shell)
{
    const char *const argv[] = {getenv("BANGER_TUI"), option, NULL};
    size_t kept = world->env_count;
    world_env(world, "TERM", term);
    world_env(world, "LC_ALL", locale);
    world->pty = pty_start(argv, (const char *const *)world->env, rows, columns, is_under_shell);
    while (world->env_count > kept) {
        free(world->env[--world->env_count]);
        world->env[world->env_count] = NULL;
    }
}

static inline void world_open(struct console_world *world)
{
    world_open_as(world, "xterm-256color", "C.UTF-8", NULL, 24, 80, false);
}

/* Quits and checks that the program went well. */
static inline void world_quit(struct console_world *world)
{
    pty_send(world->pty, "q");
    int status = pty_wait_exit(world->pty);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    pty_stop(world->pty);
    world->pty = NULL;
}

/* Control groups of machines whose monitors a test killed: nobody else takes them away. */
static inline void world_drop_groups(const struct console_world *world)
{
    static const char *const places[] = {"/sys/fs/cgroup/banger-*", "/sys/fs/cgroup/*/banger-*"};
    for (size_t i = 0; i < array_length(places); i++) {
        glob_t found;
        if (glob(places[i], 0, NULL, &found) != 0) {
            continue;
        }
        for (size_t at = 0; at < found.gl_pathc; at++) {
            char mark[4096] = "";
            if (getxattr(found.gl_pathv[at], "user.banger.state", mark, sizeof(mark) - 1) > 0 &&
                strncmp(mark, world->dir, strlen(world->dir)) == 0) {
                rmdir(found.gl_pathv[at]);
            }
        }
        globfree(&found);
    }
}

static inline void world_remove(struct console_world *world)
{
    if (world->pty != NULL) {
        pty_stop(world->pty);
    }
    if (world->has_server) {
        web_server_stop(&world->server);
    }
    for (size_t i = 0; i < world->env_count; i++) {
        free(world->env[i]);
    }
    world_drop_groups(world);
    scratch_remove(world->dir);
}

/* For cmocka: an empty world for a test, and its end. */
static inline int world_set_up(void **state)
{
    struct console_world *world = memory_zero(1, sizeof(*world));
    world_make(world, NULL);
    *state = world;
    return 0;
}

static inline int world_tear_down(void **state)
{
    world_remove(*state);
    free(*state);
    return 0;
}

/* The same program in batch mode, in the same world: another seat. is_silent: what it complains
 * of is nobody's business. */
static inline pid_t world_batch_start(
    const struct console_world *world, const char *words, bool is_silent)
{
    auto_done(strings) struct strings argv = {0};
    strings_add(&argv, getenv("BANGER_TUI"));
    strings_add(&argv, "--batch");
    strings_split(&argv, words, " ");
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        dup2(is_silent ? null : STDERR_FILENO, STDERR_FILENO);
        execve(argv.items[0], argv.items, (char *const *)world->env);
        _exit(127);
    }
    return pid;
}

/* Returns its exit status. */
static inline int world_batch(const struct console_world *world, const char *words)
{
    pid_t pid = world_batch_start(world, words, false);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
