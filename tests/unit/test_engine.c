/* SPDX-License-Identifier: MIT */
#include "engine/engine.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/engine_world.h"

static int set_up(void **state)
{
    struct world *world = memory_zero(1, sizeof(*world));
    world_init(world);
    *state = world;
    return 0;
}

/* A file that goes there, as the copy of what is copied does, must not go to "/" at first. */
static void where_the_state_is_is_known_at_once(void **state)
{
    struct world *world = *state;
    world_start(world);
    const struct snapshot *snapshot = engine_snapshot(world->engine);
    auto_free char *place = realpath(world->dir, NULL);
    assert_string_equal(snapshot->host.state_dir, place);
    assert_true(snapshot->host.version[0] != '\0');
    engine_release(snapshot);
}

static void a_job_leaves_its_result(void **state)
{
    struct world *world = *state;
    world_start(world);
    uint64_t id = world_submit(world, &fake_change, "lab", "w");
    const struct snapshot *snapshot = world_await(world, is_job_over, &id);
    const struct job_item *job = snapshot_job(snapshot, id);
    assert_int_equal(job->state, JOB_OK);
    assert_ptr_equal(job->verb, &fake_change);
    assert_string_equal(job->title, "change lab");
    assert_string_equal(job->line, "kernel change lab --word w");
    assert_string_equal(job->object, "kernel/lab");
    assert_string_equal(job->result, "{\"name\":\"lab\",\"done_by\":\"change\"}");
    assert_int_equal(job->permille, 1000);
    assert_int_equal(job->error.code, ERROR_NONE);
    assert_int_equal(job->pid, getpid());
    assert_true(job->finished_at > 0);
    assert_false(job->is_quiet);
    assert_false(job->is_foreign);
    engine_release(snapshot);
}

static void a_failure_leaves_its_error(void **state)
{
    struct world *world = *state;
    world_start(world);
    struct gate *gate = gate_add("lab");
    gate->fails = true;
    gate_open(gate);
    uint64_t id = world_submit(world, &fake_change, "lab", NULL);
    const struct snapshot *snapshot = world_await(world, is_job_over, &id);
    const struct job_item *job = snapshot_job(snapshot, id);
    assert_int_equal(job->state, JOB_FAILED);
    assert_int_equal(job->error.code, ERROR_IO);
    assert_string_equal(job->error.text, "lab failed as it was told");
    assert_null(job->result);
    engine_release(snapshot);
}

static bool fail_silently(struct ops *ops, struct json **result, struct error *err)
{
    (void)ops;
    (void)result;
    (void)err;
    return false;
}

static void a_failure_without_words_is_a_bug(void **state)
{
    struct world *world = *state;
    world_start(world);
    static const struct verb silent = FAKE_VERB("kernel", "silent", 0, fail_silently);
    uint64_t id = world_submit(world, &silent, "lab", NULL);
    const struct snapshot *snapshot = world_await(world, is_job_over, &id);
    assert_int_equal(snapshot_job(snapshot, id)->error.code, ERROR_BUG);
    engine_release(snapshot);
}

static void four_transfers_that_hang_never_delay_a_local_job(void **state)
{
    struct world *world = *state;
    world_start(world);
    const char *const names[] = {"a", "b", "c", "d"};
    uint64_t hung[4];
    for (size_t i = 0; i < array_length(names); i++) {
        struct gate *gate = gate_add(names[i]);
        gate->is_deaf = true;
        hung[i] = world_submit(world, &fake_pull, names[i], NULL);
        gate_wait(gate);
    }
    uint64_t queued = world_submit(world, &fake_pull, "e", NULL);
    for (int i = 0; i < 20; i++) { /* each waited for, and not without end */
        char name[8];
        snprintf(name, sizeof(name), "local%d", i);
        uint64_t id = world_submit(world, &fake_change, name, NULL);
        assert_int_equal(world_end(world, id), JOB_OK);
    }
    const struct snapshot *snapshot = engine_snapshot(world->engine);
    assert_int_equal(snapshot_job(snapshot, queued)->state, JOB_QUEUED);
    for (size_t i = 0; i < array_length(names); i++) {
        assert_int_equal(snapshot_job(snapshot, hung[i])->state, JOB_RUNNING);
    }
    engine_release(snapshot);
    for (size_t i = 0; i < array_length(names); i++) {
        gate_open(gate_of(names[i]));
    }
    assert_int_equal(world_end(world, queued), JOB_OK);
}

static void the_same_again_joins(void **state)
{
    struct world *world = *state;
    world_start(world);
    struct gate *gate = gate_add("lab");
    uint64_t first = world_submit(world, &fake_pull, "lab", NULL);
    gate_wait(gate);
    uint64_t second = world_submit(world, &fake_pull, "lab", NULL);
    assert_int_equal(first, second);
    gate_open(gate);
    assert_int_equal(world_end(world, first), JOB_OK);
    assert_int_equal(gate->runs, 1);
    gate_open(gate);
    uint64_t third = world_submit(world, &fake_pull, "lab", NULL);
    assert_int_not_equal(third, first);
    assert_int_equal(world_end(world, third), JOB_OK);
}

static void another_change_of_the_same_object_is_refused(void **state)
{
    struct world *world = *state;
    world_start(world);
    struct gate *gate = gate_add("lab");
    uint64_t holder = world_submit(world, &fake_pull, "lab", NULL);
    struct error err = {0};
    uint64_t id = 0;
    assert_false(engine_submit(world->engine, world_command(&fake_change, "lab", NULL), &id, &err));
    assert_code(err, ERROR_BUSY);
    char number[32];
    snprintf(number, sizeof(number), "job %llu", (unsigned long long)holder);
    assert_non_null(strstr(err.text, "kernel pull lab"));
    assert_non_null(strstr(err.text, number));
    error_clear(&err);
    assert_false(
        engine_submit(world->engine, world_command(&fake_pull, "lab", "other"), &id, &err));
    assert_code(err, ERROR_BUSY);
    /* Reading is no change. */
    world_submit(world, &fake_read, "other", NULL);
    gate_open(gate);
    assert_int_equal(world_end(world, holder), JOB_OK);
    uint64_t after = world_submit(world, &fake_change, "lab", NULL);
    gate_open(gate);
    assert_int_equal(world_end(world, after), JOB_OK);
}

static void reading_and_streaming_reserve_nothing(void **state)
{
    struct world *world = *state;
    world_start(world);
    struct gate *gate = gate_add("lab");
    uint64_t ids[] = {
        world_submit(world, &fake_read, "lab", NULL),
        world_submit(world, &fake_read, "lab", NULL),
        world_submit(world, &fake_stream, "lab", NULL),
        world_submit(world, &fake_stream, "lab", NULL),
        world_submit(world, &fake_change, "lab", NULL),
    };
    for (size_t i = 0; i < array_length(ids); i++) {
        gate_wait(gate);
    }
    const struct snapshot *snapshot = engine_snapshot(world->engine);
    assert_true(snapshot_job(snapshot, ids[0])->is_quiet);
    assert_false(snapshot_job(snapshot, ids[2])->is_quiet);
    engine_release(snapshot);
    for (size_t i = 0; i < array_length(ids); i++) {
        gate_open(gate);
    }
    for (size_t i = 0; i < array_length(ids); i++) {
        assert_int_equal(world_end(world, ids[i]), JOB_OK);
    }
}

static void a_running_job_is_cancelled(void **state)
{
    struct world *world = *state;
    world_start(world);
    struct gate *gate = gate_add("lab");
    uint64_t id = world_submit(world, &fake_pull, "lab", NULL);
    gate_wait(gate);
    assert_true(engine_cancel(world->engine, id));
    const struct snapshot *snapshot = world_await(world, is_job_over, &id);
    assert_int_equal(snapshot_job(snapshot, id)->state, JOB_CANCELLED);
    assert_int_equal(snapshot_job(snapshot, id)->error.code, ERROR_CANCELLED);
    engine_release(snapshot);
    assert_false(engine_cancel(world->engine, id));
    assert_false(engine_cancel(world->engine, 1));
}

static bool is_readable(int fd)
{
    struct pollfd at = {.fd = fd, .events = POLLIN};
    return poll(&at, 1, 0) == 1;
}

static void the_end_of_a_job_can_be_waited_for_alone(void **state)
{
    struct world *world = *state;
    world_start(world);
    struct gate *gate = gate_add("lab");
    uint64_t id = world_submit(world, &fake_change, "lab", NULL);
    gate_wait(gate);
    int fd = engine_end_fd(world->engine, id);
    assert_true(fd >= 0);
    assert_false(is_readable(fd));
    gate_open(gate);
    struct pollfd at = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&at, 1, 60000), 1);
    /* What it ended as is there already. */
    const struct snapshot *snapshot = engine_snapshot(world->engine);
    assert_int_equal(snapshot_job(snapshot, id)->state, JOB_OK);
    engine_release(snapshot);
    assert_int_equal(engine_end_fd(world->engine, id), fd);
    uint64_t other = world_submit(world, &fake_change, "ende", NULL);
    assert_int_equal(world_end(world, other), JOB_OK);
    assert_true(is_readable(engine_end_fd(world->engine, other)));
    assert_int_equal(engine_end_fd(world->engine, other + 1000), -1);
}

static void a_queued_job_is_cancelled_at_once_and_never_runs(void **state)
{
    struct world *world = *state;
    world->config.transfer_workers = 1;
    world_start(world);
    struct gate *hung = gate_add("hung");
    struct gate *gate = gate_add("lab");
    uint64_t running = world_submit(world, &fake_pull, "hung", NULL);
    gate_wait(hung);
    uint64_t queued = world_submit(world, &fake_pull, "lab", NULL);
    assert_true(engine_cancel(world->engine, queued));
    const struct snapshot *snapshot = engine_snapshot(world->engine);
    assert_int_equal(snapshot_job(snapshot, queued)->state, JOB_CANCELLED);
    engine_release(snapshot);
    engine_forget(world->engine, queued);
    /* Its object is free again. */
    uint64_t again = world_submit(world, &fake_change, "lab", NULL);
    gate_open(gate);
    assert_int_equal(world_end(world, again), JOB_OK);
    gate_open(hung);
    assert_int_equal(world_end(world, running), JOB_OK);
    assert_int_equal(gate->runs, 1);
}

static void past_the_point_of_no_return_it_ends_well(void **state)
{
    struct world *world = *state;
    world_start(world);
    struct gate *gate = gate_add("lab");
    gate->is_deaf = true;
    uint64_t id = world_submit(world, &fake_change, "lab", NULL);
    gate_wait(gate);
    assert_true(engine_cancel(world->engine, id));
    gate_open(gate);
    assert_int_equal(world_end(world, id), JOB_OK);
}

static void ended_jobs_stay_until_forgotten(void **state)
{
    struct world *world = *state;
    world_start(world);
    struct gate *gate = gate_add("lab");
    uint64_t id = world_submit(world, &fake_change, "lab", NULL);
    gate_wait(gate);
    engine_forget(world->engine, id);
    world_await_once(world, is_job_running, &id);
    gate_open(gate);
    assert_int_equal(world_end(world, id), JOB_OK);
    engine_forget(world->engine, id);
    const struct snapshot *snapshot = engine_snapshot(world->engine);
    assert_null(snapshot_job(snapshot, id));
    engine_release(snapshot);
}

static void ended_jobs_are_bounded_and_quiet_ones_go_first(void **state)
{
    struct world *world = *state;
    world_start(world);
    uint64_t change = world_submit(world, &fake_change, "lab", NULL);
    assert_int_equal(world_end(world, change), JOB_OK);
    uint64_t first = world_submit(world, &fake_read, "lab", NULL);
    assert_int_equal(world_end(world, first), JOB_OK);
    uint64_t last = 0;
    for (int i = 0; i < 520; i++) {
        last = world_submit(world, &fake_read, "lab", NULL);
    }
    world_await_once(world, is_job_gone, &first);
    /* Ends come in any order; when the list is full and at rest, the cap holds. */
    const struct snapshot *snapshot = world_await(world, is_job_over, &last);
    engine_release(snapshot);
    for (;;) {
        snapshot = engine_snapshot(world->engine);
        bool is_at_rest = true;
        for (size_t i = 0; i < snapshot->jobs_count; i++) {
            is_at_rest = is_at_rest && job_state_is_final(snapshot->jobs[i].state);
        }
        if (is_at_rest) {
            break;
        }
        engine_release(snapshot);
    }
    assert_int_equal(snapshot->jobs_count, 500);
    assert_non_null(snapshot_job(snapshot, change));
    engine_release(snapshot);
}

static void a_readonly_seat_refuses_changes(void **state)
{
    struct world *world = *state;
    world->config.is_readonly = true;
    world_start(world);
    struct error err = {0};
    uint64_t id = 0;
    const struct verb *const changes[] = {&fake_change, &fake_pull, &fake_stream};
    for (size_t i = 0; i < array_length(changes); i++) {
        error_clear(&err);
        assert_false(
            engine_submit(world->engine, world_command(changes[i], "lab", NULL), &id, &err));
        assert_code(err, ERROR_PERMISSION);
    }
    assert_int_equal(world_end(world, world_submit(world, &fake_read, "lab", NULL)), JOB_OK);
    error_clear(&err);
    struct command *plan = world_command(&fake_change, "lab", NULL);
    command_set_dry_run(plan, true);
    assert_true(engine_submit(world->engine, plan, &id, &err));
    assert_int_equal(world_end(world, id), JOB_OK);
}

static void assert_refused(struct world *world, struct command *command)
{
    struct error err = {0};
    uint64_t id = 0;
    assert_false(engine_submit(world->engine, command, &id, &err));
    assert_code(err, ERROR_INVALID);
}

static void bad_commands_are_refused(void **state)
{
    struct world *world = *state;
    world_start(world);
    struct error err = {0};
    assert_refused(world, command_new(&fake_change));
    assert_refused(world, command_new(verb_find("", "version")));
    struct command *two = command_new(verb_find("kernel", "rm"));
    assert_true(command_set(two, "name", "a", &err));
    assert_true(command_set(two, "name", "b", &err));
    assert_refused(world, two);
    const struct snapshot *snapshot = engine_snapshot(world->engine);
    assert_int_equal(snapshot->jobs_count, 0);
    engine_release(snapshot);
}

static void descriptors_are_closed_at_the_end(void **state)
{
    struct world *world = *state;
    world_start(world);
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct command *command = world_command(&fake_stream, "lab", NULL);
    command_set_fd(command, COMMAND_STDOUT, ends[1]);
    struct error err = {0};
    uint64_t id = 0;
    assert_true(engine_submit(world->engine, command, &id, &err));
    assert_int_equal(world_end(world, id), JOB_OK);
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), 0);
    close(ends[0]);
}

static bool report_much(struct ops *ops, struct json **result, struct error *err)
{
    (void)result;
    struct digest expected = {.bytes = {1}};
    struct digest found = {.bytes = {2}};
    progress_note(ops->progress, "waiting for pid %d", 123);
    progress_digest(ops->progress, &expected, &found);
    for (uint64_t done = 0; done <= 1000000; done += 1000) {
        progress_report(ops->progress, PROGRESS_DOWNLOAD, PROGRESS_BYTES, done, 1000000);
    }
    return gate_pass(ops, command_get(ops->command, "name"), err);
}

static const struct step half_steps[] = {{"download", 50}, {"extract", 50}};

static void progress_is_seen_in_snapshots(void **state)
{
    struct world *world = *state;
    world_start(world);
    static const struct verb reporting = {.subject = "kernel",
        .name = "report",
        .flags = VERB_TRANSFERS,
        .arguments = fake_arguments,
        .argument_count = array_length(fake_arguments),
        .steps = half_steps,
        .step_count = array_length(half_steps),
        .run = report_much};
    struct gate *gate = gate_add("lab");
    uint64_t id = world_submit(world, &reporting, "lab", NULL);
    gate_wait(gate);
    const struct snapshot *snapshot = engine_snapshot(world->engine);
    const struct job_item *job = snapshot_job(snapshot, id);
    assert_int_equal(job->state, JOB_RUNNING);
    assert_int_equal(job->phase, PROGRESS_DOWNLOAD);
    assert_int_equal(job->unit, PROGRESS_BYTES);
    assert_int_equal(job->done, 1000000);
    assert_int_equal(job->total, 1000000);
    assert_int_equal(job->permille, 500);
    assert_int_equal(job->transferred, 1000000);
    assert_string_equal(job->note, "waiting for pid 123");
    assert_true(job->has_expected && job->expected.bytes[0] == 1);
    assert_true(job->has_found && job->found.bytes[0] == 2);
    engine_release(snapshot);
    gate_open(gate);
    snapshot = world_await(world, is_job_over, &id);
    job = snapshot_job(snapshot, id);
    assert_int_equal(job->permille, 1000);
    assert_int_equal(job->transferred, 1000000);
    assert_string_equal(job->note, "");
    engine_release(snapshot);
}

static void time_goes_on_in_snapshots_without_any_change(void **state)
{
    struct world *world = *state;
    world_start(world);
    struct gate *gate = gate_add("lab");
    uint64_t id = world_submit(world, &fake_change, "lab", NULL);
    gate_wait(gate);
    uint64_t elapsed_ms = 0;
    uint64_t deadline_ms = clock_deadline(WORLD_PATIENCE_MS);
    while (elapsed_ms < 150) {
        const struct snapshot *snapshot = engine_snapshot(world->engine);
        elapsed_ms = snapshot_job(snapshot, id)->elapsed_ms;
        engine_release(snapshot);
        assert_int_not_equal(clock_left_ms(deadline_ms), 0);
    }
    gate_open(gate);
    assert_int_equal(world_end(world, id), JOB_OK);
}

static void freeing_cancels_what_runs_and_what_waits(void **state)
{
    struct world *world = *state;
    world->config.transfer_workers = 1;
    world->config.local_workers = 1;
    world_start(world);
    struct gate *gate = gate_add("lab");
    struct gate *stream = gate_add("stream");
    struct gate *local = gate_add("local");
    world_submit(world, &fake_pull, "lab", NULL);
    world_submit(world, &fake_change, "local", NULL);
    world_submit(world, &fake_stream, "stream", NULL);
    gate_wait(gate);
    gate_wait(local);
    gate_wait(stream);
    for (int i = 0; i < 10; i++) {
        char name[8];
        snprintf(name, sizeof(name), "q%d", i);
        world_submit(world, i % 2 ? &fake_pull : &fake_change, name, NULL);
    }
    /* A snapshot outlives the engine. */
    const struct snapshot *snapshot = engine_snapshot(world->engine);
    engine_free(world->engine);
    world->engine = NULL;
    assert_int_equal(snapshot->jobs_count, 13);
    assert_string_equal(snapshot->jobs[0].title, "pull lab");
    engine_release(snapshot);
}

static void settings_of_the_screen_are_told(void **state)
{
    struct world *world = *state;
    scratch_write(world->dir, "config.ini", "[ui]\ntheme = dark\nunheard = of\n");
    auto_free char *path = memory_printf("%s/config.ini", world->dir);
    world->config.config_file = path;
    world_start(world);
    assert_string_equal(engine_setting(world->engine, "theme"), "dark");
    assert_null(engine_setting(world->engine, "mouse"));
    const struct snapshot *snapshot = engine_snapshot(world->engine);
    assert_int_equal(snapshot->log_count, 1);
    assert_int_equal(snapshot->log[0].level, LOG_WARNING);
    assert_non_null(strstr(snapshot->log[0].text, "unheard"));
    engine_release(snapshot);
}

static void an_engine_needs_a_state_directory(void **state)
{
    (void)state;
    struct engine_config config = {0};
    struct error err = {0};
    assert_null(engine_new(&config, &err));
    assert_code(err, ERROR_CONFIG);
}

static void a_one_shot_engine_lists_nothing(void **state)
{
    struct world *world = *state;
    world_start(world);
    uint64_t id = world_submit(world, &fake_read, "lab", NULL);
    assert_int_equal(world_end(world, id), JOB_OK);
    const struct snapshot *snapshot = engine_snapshot(world->engine);
    assert_false(snapshot->is_reconciled);
    engine_release(snapshot);
    assert_int_equal(world_counts.sweep + world_counts.kernels + world_counts.host, 0);
}

static void log_lines_are_seen_and_bounded(void **state)
{
    struct world *world = *state;
    world_start(world);
    for (int i = 0; i < 1000; i++) {
        char line[16];
        snprintf(line, sizeof(line), "line %d", i);
        engine_log(world->engine, line);
    }
    const struct snapshot *snapshot = engine_snapshot(world->engine);
    assert_int_equal(snapshot->log_count, 400);
    assert_string_equal(snapshot->log[0].text, "line 600");
    assert_string_equal(snapshot->log[399].text, "line 999");
    assert_int_equal(snapshot->log[0].level, LOG_INFO);
    engine_release(snapshot);
}

#define in_world(test) cmocka_unit_test_setup_teardown(test, set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(a_job_leaves_its_result),
        in_world(where_the_state_is_is_known_at_once),
        in_world(a_failure_leaves_its_error),
        in_world(a_failure_without_words_is_a_bug),
        in_world(four_transfers_that_hang_never_delay_a_local_job),
        in_world(the_same_again_joins),
        in_world(another_change_of_the_same_object_is_refused),
        in_world(reading_and_streaming_reserve_nothing),
        in_world(a_running_job_is_cancelled),
        in_world(the_end_of_a_job_can_be_waited_for_alone),
        in_world(a_queued_job_is_cancelled_at_once_and_never_runs),
        in_world(past_the_point_of_no_return_it_ends_well),
        in_world(ended_jobs_stay_until_forgotten),
        in_world(ended_jobs_are_bounded_and_quiet_ones_go_first),
        in_world(a_readonly_seat_refuses_changes),
        in_world(bad_commands_are_refused),
        in_world(descriptors_are_closed_at_the_end),
        in_world(progress_is_seen_in_snapshots),
        in_world(time_goes_on_in_snapshots_without_any_change),
        in_world(freeing_cancels_what_runs_and_what_waits),
        in_world(settings_of_the_screen_are_told),
        cmocka_unit_test(an_engine_needs_a_state_directory),
        in_world(a_one_shot_engine_lists_nothing),
        in_world(log_lines_are_seen_and_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
