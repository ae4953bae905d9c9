/* SPDX-License-Identifier: MIT */
#include "engine/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/engine_world.h"

/* A program in our place that writes down how it was called. */
static const char recorder[] = "#!/bin/sh\n"
                               "dir=${0%/*}\n"
                               "printf '%s\\n' \"$@\" > \"$dir/words.new\"\n"
                               "env > \"$dir/env\"\n"
                               "mv \"$dir/words.new\" \"$dir/words\"\n";

static int set_up(void **state)
{
    struct world *world = memory_zero(1, sizeof(*world));
    world_init(world);
    scratch_write(world->dir, "self", recorder);
    auto_free char *path = memory_printf("%s/self", world->dir);
    assert_int_equal(chmod(path, 0700), 0);
    *state = world;
    return 0;
}

/* Waits for what the recorder wrote. */
static char *await_file(struct world *world, const char *name)
{
    uint64_t deadline_ms = clock_deadline(WORLD_PATIENCE_MS);
    while (!scratch_has(world->dir, name)) {
        assert_int_not_equal(clock_left_ms(deadline_ms), 0);
        usleep(1000);
    }
    return scratch_read(world->dir, name);
}

static uint64_t start_pull(struct world *world, struct gate *gate)
{
    uint64_t id = world_submit(world, &fake_pull, "lab", "a b");
    gate_wait(gate);
    return id;
}

static void a_transfer_goes_on_in_another_process(void **state)
{
    struct world *world = *state;
    auto_free char *self = memory_printf("%s/self", world->dir);
    world->config.self_path = self;
    world->config.catalog = "file:///catalog.json";
    world->config.ca_file = "/ca.pem";
    world_start(world);
    struct gate *gate = gate_add("lab");
    uint64_t id = start_pull(world, gate);
    struct error err = {0};
    assert_true(engine_leave_running(world->engine, id, &err));
    assert_int_equal(world_end(world, id), JOB_CANCELLED);
    auto_free char *words = await_file(world, "words");
    auto_free char *expected = memory_printf("--batch\nkernel\npull\nlab\n--word\na b\n--quiet\n"
                                             "--progress\nnone\n--lock-timeout\n10m\n"
                                             "--cacert\n/ca.pem\n--state-dir\n%s\n",
        world->dir);
    assert_string_equal(words, expected);
    auto_free char *env = scratch_read(world->dir, "env");
    assert_non_null(strstr(env, "BANGER_CATALOG=file:///catalog.json\n"));
    assert_null(strstr(env, "XDG_CACHE_HOME="));
}

static void a_cache_elsewhere_is_said_by_the_environment(void **state)
{
    struct world *world = *state;
    auto_free char *self = memory_printf("%s/self", world->dir);
    auto_free char *state_dir = memory_printf("%s/state/banger", world->dir);
    auto_free char *cache_dir = memory_printf("%s/elsewhere/banger", world->dir);
    world->config.self_path = self;
    world->config.state_dir = state_dir;
    world->config.cache_dir = cache_dir;
    setenv("BANGER_STATE_DIR", "/somewhere/wrong", 1);
    world_start(world);
    struct gate *gate = gate_add("lab");
    uint64_t id = start_pull(world, gate);
    struct error err = {0};
    assert_true(engine_leave_running(world->engine, id, &err));
    assert_int_equal(world_end(world, id), JOB_CANCELLED);
    auto_free char *words = await_file(world, "words");
    unsetenv("BANGER_STATE_DIR");
    assert_null(strstr(words, "--state-dir"));
    auto_free char *env = scratch_read(world->dir, "env");
    auto_free char *state_home = memory_printf("XDG_STATE_HOME=%s/state\n", world->dir);
    auto_free char *cache_home = memory_printf("XDG_CACHE_HOME=%s/elsewhere\n", world->dir);
    assert_non_null(strstr(env, state_home));
    assert_non_null(strstr(env, cache_home));
    assert_null(strstr(env, "BANGER_STATE_DIR="));
}

static void without_the_program_the_job_stays_here(void **state)
{
    struct world *world = *state;
    world->config.self_path = "/nowhere/banger-tui";
    world_start(world);
    struct gate *gate = gate_add("lab");
    uint64_t id = start_pull(world, gate);
    struct error err = {0};
    assert_false(engine_leave_running(world->engine, id, &err));
    assert_code(err, ERROR_NOT_FOUND);
    gate_open(gate);
    assert_int_equal(world_end(world, id), JOB_OK);
}

static void only_transfers_can_be_left(void **state)
{
    struct world *world = *state;
    world_start(world);
    struct gate *gate = gate_add("lab");
    uint64_t id = world_submit(world, &fake_change, "lab", NULL);
    gate_wait(gate);
    struct error err = {0};
    assert_false(engine_leave_running(world->engine, id, &err));
    assert_code(err, ERROR_UNSUPPORTED);
    error_clear(&err);
    assert_false(engine_leave_running(world->engine, 1, &err));
    assert_code(err, ERROR_NOT_FOUND);
    gate_open(gate);
    assert_int_equal(world_end(world, id), JOB_OK);
    error_clear(&err);
    uint64_t pull = world_submit(world, &fake_pull, "other", NULL);
    assert_int_equal(world_end(world, pull), JOB_OK);
    assert_false(engine_leave_running(world->engine, pull, &err));
    assert_code(err, ERROR_NOT_FOUND);
}

#define in_world(test) cmocka_unit_test_setup_teardown(test, set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(a_transfer_goes_on_in_another_process),
        in_world(a_cache_elsewhere_is_said_by_the_environment),
        in_world(without_the_program_the_job_stays_here),
        in_world(only_transfers_can_be_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
