/* SPDX-License-Identifier: MIT */
#include "engine/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/history.h"
#include "engine/state_history.h"
#include "support/engine_world.h"

/* A program in our place that writes down how it was called. */
static const char recorder[] = "#!/bin/sh\n"
                               "dir=${0%/*}\n"
                               "printf '%s\\n' \"$@\" > \"$dir/words.new\"\n"
                               "echo once >> \"$dir/runs\"\n"
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
    assert_true(engine_leave_running(world->engine, &err));
    assert_int_equal(world_end(world, id), JOB_CANCELLED);
    auto_free char *words = await_file(world, "words");
    auto_free char *expected =
        memory_printf(ENGINE_LEFT_OPTION "\n--lock-timeout\n10m\n--cacert\n/ca.pem\n"
                                         "--state-dir\n%s\n--\nkernel pull lab --word 'a b'\n",
            world->dir);
    assert_string_equal(words, expected);
    auto_free char *env = scratch_read(world->dir, "env");
    assert_non_null(strstr(env, "BANGER_CATALOG=file:///catalog.json\n"));
    assert_null(strstr(env, "XDG_CACHE_HOME="));
}

/* What runs is in front, then what waits, as it was put in order; what is no transfer, or changes
 * nothing, stays. One process takes all of it. */
static void a_queue_goes_on_in_its_order(void **state)
{
    struct world *world = *state;
    auto_free char *self = memory_printf("%s/self", world->dir);
    world->config.self_path = self;
    world->config.transfer_workers = 2;
    world_start(world);
    struct gate *lab = gate_add("lab");
    struct gate *other = gate_add("other");
    struct gate *local = gate_add("local");
    world_submit(world, &fake_pull, "lab", NULL);
    gate_wait(lab);
    world_submit(world, &fake_pull, "other", NULL);
    gate_wait(other);
    uint64_t change = world_submit(world, &fake_change, "local", NULL);
    gate_wait(local);
    world_submit(world, &fake_pull, "one", NULL);
    world_submit(world, &fake_pull, "two", NULL);
    uint64_t three = world_submit(world, &fake_pull, "three", NULL);
    struct error err = {0};
    struct command *plan = world_command(&fake_pull, "planned", NULL);
    command_set_dry_run(plan, true);
    uint64_t planned = 0;
    assert_true(engine_submit(world->engine, plan, &planned, &err));
    bool is_moved = false;
    assert_true(engine_move(world->engine, three, ENGINE_MOVE_FIRST, 0, &is_moved, &err));
    assert_true(engine_leave_running(world->engine, &err));
    auto_free char *words = await_file(world, "words");
    const char *jobs = strstr(words, "\n--\n");
    assert_non_null(jobs);
    assert_string_equal(jobs, "\n--\nkernel pull lab\nkernel pull other\nkernel pull three\n"
                              "kernel pull one\nkernel pull two\n");
    auto_free char *runs = scratch_read(world->dir, "runs");
    assert_string_equal(runs, "once\n");
    /* Of those that were left none begins here any more. */
    assert_int_equal(world_end(world, three), JOB_CANCELLED);
    assert_int_equal(world_end(world, planned), JOB_OK);
    gate_open(local);
    assert_int_equal(world_end(world, change), JOB_OK);
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
    assert_true(engine_leave_running(world->engine, &err));
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
    assert_false(engine_leave_running(world->engine, &err));
    assert_code(err, ERROR_NOT_FOUND);
    gate_open(gate);
    assert_int_equal(world_end(world, id), JOB_OK);
}

static void where_nothing_can_be_left_nothing_is_started(void **state)
{
    struct world *world = *state;
    auto_free char *self = memory_printf("%s/self", world->dir);
    world->config.self_path = self;
    world_start(world);
    struct gate *gate = gate_add("lab");
    uint64_t id = world_submit(world, &fake_change, "lab", NULL);
    gate_wait(gate);
    uint64_t pull = world_submit(world, &fake_pull, "other", NULL);
    assert_int_equal(world_end(world, pull), JOB_OK);
    struct error err = {0};
    assert_true(engine_leave_running(world->engine, &err));
    gate_open(gate);
    assert_int_equal(world_end(world, id), JOB_OK);
    assert_false(scratch_has(world->dir, "runs"));
}

/* ---- how it ended, for the next one ---- */

static void restart(struct world *world, bool is_left)
{
    engine_free(world->engine);
    world->config.is_watching = !is_left;
    world->config.is_left = is_left;
    world->config.is_answering = is_left;
    world_start(world);
}

static bool has_failed(const struct snapshot *snapshot, const char *line)
{
    for (size_t i = 0; i < snapshot->jobs_count; i++) {
        const struct job_item *job = &snapshot->jobs[i];
        if (strcmp(job->line, line) == 0 && job->state == JOB_FAILED) {
            return true;
        }
    }
    return false;
}

static bool is_told(struct world *world, const char *line)
{
    const struct snapshot *snapshot = engine_snapshot(world->engine);
    bool is_there = has_failed(snapshot, line);
    engine_release(snapshot);
    return is_there;
}

static void fail_pull(struct world *world, const char *name)
{
    struct gate *gate = gate_add(name);
    gate->fails = true;
    uint64_t id = world_submit(world, &fake_pull, name, NULL);
    gate_open(gate);
    assert_int_equal(world_end(world, id), JOB_FAILED);
    /* What is left tells how it ended before others see it vanish. */
    auto_free char *file = memory_printf("jobs/%llu.json", (unsigned long long)id);
    uint64_t deadline_ms = clock_deadline(WORLD_PATIENCE_MS);
    while (scratch_has(world->dir, file)) {
        assert_int_not_equal(clock_left_ms(deadline_ms), 0);
        usleep(1000);
    }
}

static void its_ends_are_told_to_the_next_one(void **state)
{
    struct world *world = *state;
    world->config.is_watching = true;
    world_start(world);
    engine_keep(world->engine, "pane", "jobs");
    fail_pull(world, "before");
    restart(world, true);
    fail_pull(world, "meanwhile");
    restart(world, false);
    assert_true(is_told(world, "kernel pull before"));
    assert_true(is_told(world, "kernel pull meanwhile"));
    assert_string_equal(engine_kept(world->engine, "pane"), "jobs");
}

/* A console that is there while the other process ends writes last, and forgets nothing of it. */
static void nothing_of_it_is_lost_beside_another_console(void **state)
{
    struct world *world = *state;
    world->config.is_watching = true;
    world_start(world);
    struct engine *console = world->engine;
    world->config.is_watching = false;
    world->config.is_left = true;
    world_start(world);
    fail_pull(world, "meanwhile");
    engine_free(world->engine);
    world->engine = console;
    fail_pull(world, "own");
    restart(world, false);
    assert_true(is_told(world, "kernel pull meanwhile"));
    assert_true(is_told(world, "kernel pull own"));
    /* What is forgotten there does not come back. */
    const struct snapshot *snapshot = engine_snapshot(world->engine);
    for (size_t i = 0; i < snapshot->jobs_count; i++) {
        engine_forget(world->engine, snapshot->jobs[i].id);
    }
    engine_release(snapshot);
    restart(world, false);
    assert_false(is_told(world, "kernel pull meanwhile"));
}

/* A console that is there sees at once how it ended, and that something failed; what another console
 * did, that was quit meanwhile, is that one's business. */
static void its_ends_are_told_to_one_that_is_there(void **state)
{
    struct world *world = *state;
    world->config.is_watching = true;
    world_start(world);
    struct engine *console = world->engine;
    world_start(world);
    fail_pull(world, "elsewhere");
    engine_free(world->engine);
    world->config.is_watching = false;
    world->config.is_left = true;
    world_start(world);
    struct engine *left = world->engine;
    fail_pull(world, "meanwhile");
    world->engine = console;
    assert_false(is_told(world, "kernel pull meanwhile"));
    history_refresh(console); /* which the end of a job in another process makes it do */
    assert_true(is_told(world, "kernel pull meanwhile"));
    assert_false(is_told(world, "kernel pull elsewhere"));
    const struct snapshot *snapshot = engine_snapshot(world->engine);
    assert_int_not_equal(snapshot->log_count, 0);
    const struct log_item *last = &snapshot->log[snapshot->log_count - 1];
    assert_true(last->is_news);
    assert_non_null(strstr(last->text, "kernel pull meanwhile"));
    engine_release(snapshot);
    world->engine = left;
    fail_pull(world, "later");
    world->engine = console;
    history_refresh(console);
    assert_true(is_told(world, "kernel pull later"));
    engine_free(left);
    world->config.is_left = false;
    restart(world, false);
    /* Each of them once. */
    auto_free char *kept = scratch_read(world->dir, "ui.json");
    const char *first = strstr(kept, "kernel pull meanwhile");
    assert_non_null(first);
    assert_null(strstr(first + 1, "kernel pull meanwhile"));
    assert_non_null(strstr(kept, "kernel pull elsewhere"));
}

static void what_both_have_told_is_bounded(void **state)
{
    (void)state;
    auto_done(text) struct text history = {0};
    auto_done(text) struct text theirs = {0};
    for (int i = 0; i < 100; i++) {
        text_printf(&history, "ours-%d\n", i);
        text_printf(&theirs, "theirs-%d\n", i);
    }
    state_history_add("", text_cstr(&history), &theirs);
    auto_done(strings) struct strings lines = {0};
    strings_split(&lines, text_cstr(&theirs), "\n");
    assert_in_range(lines.count, 1, 99);
    assert_string_equal(lines.items[lines.count - 1], "ours-99");
    text_clear(&history);
    text_append(&history, "first\n");
    state_history_add("old\n", "old\nnew\nfirst\n", &history);
    assert_string_equal(text_cstr(&history), "first\nnew\n");
}

#define in_world(test) cmocka_unit_test_setup_teardown(test, set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(a_transfer_goes_on_in_another_process),
        in_world(a_queue_goes_on_in_its_order),
        in_world(a_cache_elsewhere_is_said_by_the_environment),
        in_world(without_the_program_the_job_stays_here),
        in_world(where_nothing_can_be_left_nothing_is_started),
        in_world(its_ends_are_told_to_the_next_one),
        in_world(nothing_of_it_is_lost_beside_another_console),
        in_world(its_ends_are_told_to_one_that_is_there),
        cmocka_unit_test(what_both_have_told_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
