/* SPDX-License-Identifier: MIT */
#include "engine/ops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/engine_world.h"

/* Verbs whose operation consists of other operations: `word` names the object of the part. */

static struct command *part_of(struct ops *ops, const struct verb *verb)
{
    return world_command(verb, command_get(ops->command, "word"), NULL);
}

static bool run_with_pull(struct ops *ops, struct json **result, struct error *err)
{
    struct json *part = NULL;
    if (!gate_pass(ops, command_get(ops->command, "name"), err) ||
        !ops_call(ops, part_of(ops, &fake_pull), &part, err)) {
        return false;
    }
    *result = json_new_object();
    json_put(*result, "part", part);
    return true;
}

static bool run_with_change(struct ops *ops, struct json **result, struct error *err)
{
    (void)result;
    return gate_pass(ops, command_get(ops->command, "name"), err) &&
           ops_call(ops, part_of(ops, &fake_change), NULL, err);
}

static const struct verb local_with_pull = FAKE_VERB("image", "local", 0, run_with_pull);
static const struct verb own_with_pull = FAKE_VERB("vm", "own", VERB_STREAMS, run_with_pull);
static const struct verb transfer_with_pull =
    FAKE_VERB("image", "transfer", VERB_TRANSFERS, run_with_pull);
static const struct verb transfer_with_change =
    FAKE_VERB("image", "transfer2", VERB_TRANSFERS, run_with_change);

static int set_up(void **state)
{
    struct world *world = memory_zero(1, sizeof(*world));
    world_init(world);
    /* One thread to a lane: whatever waits for its own lane would wait for ever. */
    world->config.local_workers = 1;
    world->config.transfer_workers = 1;
    world_start(world);
    *state = world;
    return 0;
}

static void assert_result(struct world *world, uint64_t id, const char *expected)
{
    const struct snapshot *snapshot = world_await(world, is_job_over, &id);
    const struct job_item *job = snapshot_job(snapshot, id);
    assert_string_equal(job->error.text, "");
    assert_string_equal(job->result, expected);
    engine_release(snapshot);
}

static void assert_failure(struct world *world, uint64_t id, enum error_code code)
{
    const struct snapshot *snapshot = world_await(world, is_job_over, &id);
    assert_string_equal(
        error_code_name(snapshot_job(snapshot, id)->error.code), error_code_name(code));
    engine_release(snapshot);
}

#define PART_RESULT "{\"part\":{\"name\":\"k\",\"done_by\":\"pull\"}}"

static void a_part_runs_in_the_same_job(void **state)
{
    struct world *world = *state;
    struct gate *gate = gate_add("k");
    uint64_t id = world_submit(world, &own_with_pull, "web", "k");
    gate_wait(gate);
    const struct snapshot *snapshot = engine_snapshot(world->engine);
    assert_int_equal(snapshot->jobs_count, 1);
    assert_string_equal(snapshot->jobs[0].object, "vm/web");
    engine_release(snapshot);
    /* Its object is reserved meanwhile. */
    struct error err = {0};
    uint64_t other = 0;
    assert_false(
        engine_submit(world->engine, world_command(&fake_change, "k", NULL), &other, &err));
    assert_code(err, ERROR_BUSY);
    gate_open(gate);
    assert_result(world, id, PART_RESULT);
    gate_open(gate);
    assert_int_equal(world_end(world, world_submit(world, &fake_change, "k", NULL)), JOB_OK);
}

static void a_part_that_fails_fails_the_job(void **state)
{
    struct world *world = *state;
    struct gate *gate = gate_add("k");
    gate->fails = true;
    gate_open(gate);
    uint64_t id = world_submit(world, &own_with_pull, "web", "k");
    assert_failure(world, id, ERROR_IO);
}

static bool is_waiting(const struct snapshot *snapshot, const void *context)
{
    const struct job_item *job = snapshot_job(snapshot, *(const uint64_t *)context);
    return job && text_has_prefix(job->note, "waiting for job");
}

static void a_part_that_runs_elsewhere_is_joined(void **state)
{
    struct world *world = *state;
    struct gate *gate = gate_add("k");
    uint64_t pull = world_submit(world, &fake_pull, "k", NULL);
    gate_wait(gate);
    uint64_t id = world_submit(world, &own_with_pull, "web", "k");
    world_await_once(world, is_waiting, &id);
    gate_open(gate);
    assert_int_equal(world_end(world, pull), JOB_OK);
    assert_result(world, id, PART_RESULT);
    assert_int_equal(gate->runs, 1);
}

static void the_failure_of_a_joined_part_is_ours(void **state)
{
    struct world *world = *state;
    struct gate *gate = gate_add("k");
    gate->fails = true;
    world_submit(world, &fake_pull, "k", NULL);
    gate_wait(gate);
    uint64_t id = world_submit(world, &own_with_pull, "web", "k");
    world_await_once(world, is_waiting, &id);
    gate_open(gate);
    assert_failure(world, id, ERROR_IO);
    assert_int_equal(gate->runs, 1);
}

static void a_joined_part_that_was_cancelled_is_done_by_us(void **state)
{
    struct world *world = *state;
    struct gate *gate = gate_add("k");
    uint64_t pull = world_submit(world, &fake_pull, "k", NULL);
    gate_wait(gate);
    uint64_t id = world_submit(world, &own_with_pull, "web", "k");
    world_await_once(world, is_waiting, &id);
    engine_cancel(world->engine, pull);
    gate_wait(gate);
    gate_open(gate);
    assert_result(world, id, PART_RESULT);
    assert_int_equal(world_end(world, pull), JOB_CANCELLED);
}

static void something_else_with_the_object_is_waited_for(void **state)
{
    struct world *world = *state;
    struct gate *gate = gate_add("k");
    uint64_t change = world_submit(world, &fake_change, "k", NULL);
    gate_wait(gate);
    uint64_t id = world_submit(world, &own_with_pull, "web", "k");
    world_await_once(world, is_waiting, &id);
    gate_open(gate);
    assert_int_equal(world_end(world, change), JOB_OK);
    gate_wait(gate);
    gate_open(gate);
    assert_result(world, id, PART_RESULT);
    assert_int_equal(gate->runs, 2);
}

static void waiting_for_a_part_ends_on_cancel(void **state)
{
    struct world *world = *state;
    struct gate *gate = gate_add("k");
    gate->is_deaf = true;
    uint64_t change = world_submit(world, &fake_change, "k", NULL);
    gate_wait(gate);
    uint64_t id = world_submit(world, &own_with_pull, "web", "k");
    world_await_once(world, is_waiting, &id);
    engine_cancel(world->engine, id);
    assert_int_equal(world_end(world, id), JOB_CANCELLED);
    gate_open(gate);
    assert_int_equal(world_end(world, change), JOB_OK);
}

static void a_lane_never_waits_for_itself(void **state)
{
    struct world *world = *state;
    struct gate *gate = gate_add("img");
    /* The one transfer worker runs this; the pull of k is queued behind it. */
    uint64_t image = world_submit(world, &transfer_with_pull, "img", "k");
    gate_wait(gate);
    uint64_t pull = world_submit(world, &fake_pull, "k", NULL);
    gate_open(gate);
    assert_result(world, image, PART_RESULT);
    assert_int_equal(world_end(world, pull), JOB_OK);
    /* Local work behind local work, waited for from the other lane. */
    struct gate *second = gate_add("img2");
    struct gate *busy = gate_add("busy");
    uint64_t local = world_submit(world, &fake_change, "busy", NULL);
    gate_wait(busy);
    uint64_t waiting = world_submit(world, &transfer_with_change, "img2", "busy");
    gate_wait(second);
    gate_open(second);
    world_await_once(world, is_waiting, &waiting);
    uint64_t other = world_submit(world, &fake_pull, "z", NULL);
    assert_int_equal(world_end(world, other), JOB_OK);
    gate_open(busy);
    assert_int_equal(world_end(world, local), JOB_OK);
    assert_int_equal(world_end(world, waiting), JOB_OK);
}

static void a_transfer_inside_local_work_does_not_hold_up_the_lane(void **state)
{
    struct world *world = *state;
    struct gate *gate = gate_add("k");
    uint64_t id = world_submit(world, &local_with_pull, "img", "k");
    gate_wait(gate);
    assert_int_equal(world_end(world, world_submit(world, &fake_change, "other", NULL)), JOB_OK);
    gate_open(gate);
    assert_result(world, id, PART_RESULT);
}

static bool claim_word(struct ops *ops, struct json **result, struct error *err)
{
    (void)result;
    auto_free char *object = memory_printf("vm/%s", command_get(ops->command, "word"));
    if (!ops_claim(ops, object, err) || !gate_pass(ops, command_get(ops->command, "name"), err)) {
        return false;
    }
    ops_release(ops, object);
    return gate_pass(ops, command_get(ops->command, "name"), err);
}

static char *no_object(const struct command *command)
{
    (void)command;
    return NULL;
}

static const struct verb nameless = {.subject = "vm",
    .name = "run",
    .flags = VERB_STREAMS,
    .arguments = fake_arguments,
    .argument_count = array_length(fake_arguments),
    .object = no_object,
    .run = claim_word};

static void a_name_found_on_the_way_is_claimed_and_released(void **state)
{
    struct world *world = *state;
    struct gate *gate = gate_add("first");
    uint64_t first = world_submit(world, &nameless, "first", "otter");
    gate_wait(gate);
    const struct snapshot *snapshot = engine_snapshot(world->engine);
    assert_string_equal(snapshot_job(snapshot, first)->object, "vm/otter");
    engine_release(snapshot);
    uint64_t second = world_submit(world, &nameless, "second", "otter");
    assert_failure(world, second, ERROR_BUSY);
    gate_open(gate);
    gate_wait(gate);
    /* Released: the job goes on, and shows what it was about. */
    uint64_t third = world_submit(world, &nameless, "third", "otter");
    assert_int_equal(world_end(world, third), JOB_OK);
    snapshot = engine_snapshot(world->engine);
    assert_string_equal(snapshot_job(snapshot, first)->object, "vm/otter");
    engine_release(snapshot);
    gate_open(gate);
    assert_int_equal(world_end(world, first), JOB_OK);
}

static bool run_at_once(struct ops *ops, struct json **result, struct error *err)
{
    (void)err;
    *result = json_new_object();
    json_put_string(*result, "name", command_get(ops->command, "name"));
    return true;
}

static const struct verb ending = FAKE_VERB("kernel", "end", VERB_STREAMS | VERB_ENDS, fake_run);
static const struct verb other_ending = FAKE_VERB("kernel", "end2", VERB_ENDS, fake_run);
static const struct verb plain_change = FAKE_VERB("kernel", "again", 0, run_at_once);

/* What is shown as stopped may be held by its stop for a moment: who comes then waits. */
static void a_change_waits_for_what_ends_its_object(void **state)
{
    struct world *world = *state;
    struct gate *gate = gate_add("k");
    uint64_t end = world_submit(world, &ending, "k", NULL);
    gate_wait(gate);
    uint64_t next = world_submit(world, &plain_change, "k", NULL);
    assert_int_not_equal(next, end);
    world_await_once(world, is_waiting, &next);
    /* The same again joins it; another of those that end is refused as ever. */
    assert_int_equal(world_submit(world, &plain_change, "k", NULL), next);
    struct error err = {0};
    uint64_t id = 0;
    assert_false(engine_submit(world->engine, world_command(&other_ending, "k", NULL), &id, &err));
    assert_code(err, ERROR_BUSY);
    gate_open(gate);
    assert_int_equal(world_end(world, end), JOB_OK);
    assert_result(world, next, "{\"name\":\"k\"}");
    assert_int_equal(world_end(world, world_submit(world, &plain_change, "k", NULL)), JOB_OK);
}

static void that_wait_ends_by_cancel_and_by_time(void **state)
{
    struct world *world = *state;
    struct gate *gate = gate_add("k");
    uint64_t end = world_submit(world, &ending, "k", NULL);
    gate_wait(gate);
    uint64_t next = world_submit(world, &plain_change, "k", NULL);
    world_await_once(world, is_waiting, &next);
    assert_true(engine_cancel(world->engine, next));
    assert_int_equal(world_end(world, next), JOB_CANCELLED);
    gate_open(gate);
    assert_int_equal(world_end(world, end), JOB_OK);

    engine_free(world->engine);
    world->config.lock_timeout_ms = 50;
    world_start(world);
    end = world_submit(world, &ending, "k", NULL);
    gate_wait(gate);
    next = world_submit(world, &plain_change, "k", NULL);
    assert_failure(world, next, ERROR_BUSY);
    gate_open(gate);
    assert_int_equal(world_end(world, end), JOB_OK);
}

static bool call_own_object(struct ops *ops, struct json **result, struct error *err)
{
    return ops_call(
        ops, world_command(&fake_pull, command_get(ops->command, "name"), NULL), result, err);
}

static void a_part_may_change_the_object_of_its_job(void **state)
{
    struct world *world = *state;
    static const struct verb around = FAKE_VERB("kernel", "around", 0, call_own_object);
    uint64_t id = world_submit(world, &around, "k", NULL);
    assert_result(world, id, "{\"name\":\"k\",\"done_by\":\"pull\"}");
}

static bool cancel_word(struct ops *ops, struct json **result, struct error *err)
{
    (void)result;
    (void)err;
    return ops_cancel_job(ops, strtoull(command_get(ops->command, "word"), NULL, 10)) ||
           error_set(err, ERROR_NOT_FOUND, "no such job");
}

static void an_operation_can_cancel_a_job(void **state)
{
    struct world *world = *state;
    static const struct verb canceller = FAKE_VERB("job", "cancel", VERB_STREAMS, cancel_word);
    struct gate *gate = gate_add("k");
    uint64_t pull = world_submit(world, &fake_pull, "k", NULL);
    gate_wait(gate);
    char word[32];
    snprintf(word, sizeof(word), "%llu", (unsigned long long)pull);
    assert_int_equal(world_end(world, world_submit(world, &canceller, "a", word)), JOB_OK);
    assert_int_equal(world_end(world, pull), JOB_CANCELLED);
    assert_failure(world, world_submit(world, &canceller, "a", word), ERROR_NOT_FOUND);
}

#define in_world(test) cmocka_unit_test_setup_teardown(test, set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(a_part_runs_in_the_same_job),
        in_world(a_part_that_fails_fails_the_job),
        in_world(a_part_that_runs_elsewhere_is_joined),
        in_world(the_failure_of_a_joined_part_is_ours),
        in_world(a_joined_part_that_was_cancelled_is_done_by_us),
        in_world(something_else_with_the_object_is_waited_for),
        in_world(waiting_for_a_part_ends_on_cancel),
        in_world(a_lane_never_waits_for_itself),
        in_world(a_transfer_inside_local_work_does_not_hold_up_the_lane),
        in_world(a_name_found_on_the_way_is_claimed_and_released),
        in_world(a_change_waits_for_what_ends_its_object),
        in_world(that_wait_ends_by_cancel_and_by_time),
        in_world(a_part_may_change_the_object_of_its_job),
        in_world(an_operation_can_cancel_a_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
