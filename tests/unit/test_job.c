/* SPDX-License-Identifier: MIT */
#include "engine/job.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "engine/job_file.h"
#include "engine/section.h"
#include "support/engine_world.h"

static int set_up(void **state)
{
    struct world *world = memory_zero(1, sizeof(*world));
    world_init(world);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    world_done(*state);
    free(*state);
    return 0;
}

static char *file_name(uint64_t id, const char *ending)
{
    return memory_printf("jobs/%llu%s", (unsigned long long)id, ending);
}

static void verbs_choose_lane_and_kind(void **state)
{
    (void)state;
    auto_job struct job *pull = job_new(world_command(&fake_pull, "a", NULL));
    assert_int_equal(pull->lane, JOB_LANE_TRANSFER);
    assert_true(pull->is_change && !pull->is_quiet);
    auto_job struct job *change = job_new(world_command(&fake_change, "a", NULL));
    assert_int_equal(change->lane, JOB_LANE_LOCAL);
    auto_job struct job *read = job_new(world_command(&fake_read, "a", NULL));
    assert_true(!read->is_change && read->is_quiet);
    auto_job struct job *stream = job_new(world_command(&fake_stream, "a", NULL));
    assert_int_equal(stream->lane, JOB_LANE_OWN);
    assert_true(!stream->is_change && !stream->is_quiet);
    struct command *plan = world_command(&fake_change, "a", NULL);
    command_set_dry_run(plan, true);
    auto_job struct job *planned = job_new(plan);
    assert_true(!planned->is_change && planned->is_quiet);
    assert_string_equal(planned->line, "kernel change a --dry-run");
}

/* As other processes read it. */
static struct section *list_files(const struct world *world)
{
    struct error err = {0};
    auto_free char *path = memory_printf("%s/jobs", world->dir);
    auto_close int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct section *list = job_file_list(dir, false, &err);
    assert_fine(err);
    return list;
}

static void a_change_has_a_file_while_it_runs(void **state)
{
    struct world *world = *state;
    world_start(world);
    struct gate *gate = gate_add("lab");
    uint64_t id = world_submit(world, &fake_pull, "lab", NULL);
    gate_wait(gate);
    struct section *list = list_files(world);
    assert_int_equal(section_count(list), 1);
    const struct job_file *file = section_items(list);
    assert_int_equal(file->id, id);
    assert_string_equal(file->command, "kernel pull lab");
    assert_string_equal(file->object, "kernel/lab");
    assert_int_equal(file->process.pid, getpid());
    assert_false(file->is_watched);
    section_release(list);
    gate_open(gate);
    assert_int_equal(world_end(world, id), JOB_OK);
    auto_free char *names = scratch_list(world->dir, "jobs");
    assert_string_equal(names, "");
}

static bool begin_and_hang(struct ops *ops, struct json **result, struct error *err)
{
    progress_report(ops->progress, PROGRESS_DOWNLOAD, PROGRESS_BYTES, 10, 100);
    return fake_run(ops, result, err);
}

static const struct verb hanging_pull = FAKE_VERB("kernel", "pull", VERB_TRANSFERS, begin_and_hang);

static bool run_stalling(struct ops *ops, struct json **result, struct error *err)
{
    progress_report(ops->progress, PROGRESS_DOWNLOAD, PROGRESS_BYTES, 0, 0);
    progress_report(ops->progress, PROGRESS_DOWNLOAD, PROGRESS_BYTES, 100, 1000);
    return fake_run(ops, result, err);
}

static const struct verb stalling_pull = FAKE_VERB("kernel", "pull", VERB_TRANSFERS, run_stalling);

/* What a pull has reported before it says nothing more is told; of a moment there is no rate. */
static void check_told(struct world *world, const struct verb *pull, uint64_t done, uint64_t total)
{
    world_start(world);
    struct gate *gate = gate_add("lab");
    uint64_t id = world_submit(world, pull, "lab", NULL);
    gate_wait(gate);
    struct section *list = list_files(world);
    const struct job_file *file = section_items(list);
    assert_int_equal(section_count(list), 1);
    assert_int_equal(file->phase, PROGRESS_DOWNLOAD);
    assert_int_equal(file->done, done);
    assert_int_equal(file->total, total);
    assert_int_equal(file->rate, 0);
    section_release(list);
    gate_open(gate);
    assert_int_equal(world_end(world, id), JOB_OK);
}

/* However soon after its start: what hangs then says nothing more. */
static void what_hangs_says_in_which_phase(void **state)
{
    check_told(*state, &hanging_pull, 10, 100);
}

static void what_stalls_has_told_its_size(void **state)
{
    check_told(*state, &stalling_pull, 100, 1000);
}

static void reading_and_streaming_have_no_file(void **state)
{
    struct world *world = *state;
    world_start(world);
    struct gate *gate = gate_add("lab");
    uint64_t read = world_submit(world, &fake_read, "lab", NULL);
    uint64_t stream = world_submit(world, &fake_stream, "lab", NULL);
    gate_wait(gate);
    gate_wait(gate);
    auto_free char *names = scratch_list(world->dir, "jobs");
    assert_string_equal(names, "");
    gate_open(gate);
    gate_open(gate);
    world_end(world, read);
    world_end(world, stream);
}

/* ---- another process with a job ---- */

struct other {
    pid_t pid;
    uint64_t id;
};

/* A process that is said to pull something until it is told to stop. */
static struct other other_start(struct world *world, bool is_watched)
{
    struct other other = {.pid = fork()};
    assert_true(other.pid >= 0);
    if (other.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGINT, SIG_DFL);
        for (;;) {
            pause();
        }
    }
    other.id = (uint64_t)other.pid * 10000 + 1;
    struct job_file file = {.id = other.id,
        .command = "kernel pull far-away",
        .object = "kernel/far-away",
        .phase = PROGRESS_DOWNLOAD,
        .unit = PROGRESS_BYTES,
        .done = 25,
        .total = 100,
        .permille = 250,
        .started_at = clock_wall(),
        .is_watched = is_watched};
    assert_true(process_identify(other.pid, &file.process));
    auto_free char *path = memory_printf("%s/jobs", world->dir);
    auto_close int jobs = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct error err = {0};
    assert_true(job_file_write(jobs, &file, &err));
    return other;
}

static void other_end(struct other *other)
{
    kill(other->pid, SIGKILL);
    waitpid(other->pid, NULL, 0);
}

static void a_job_of_another_process_is_shown(void **state)
{
    struct world *world = *state;
    world->config.is_watching = true;
    world_start(world);
    world_await_once(world, is_store_listed, NULL);
    struct other other = other_start(world, false);
    const struct snapshot *snapshot = world_await(world, is_job_running, &other.id);
    const struct job_item *job = snapshot_job(snapshot, other.id);
    assert_true(job->is_foreign);
    assert_int_equal(job->pid, other.pid);
    assert_ptr_equal(job->verb, verb_find("kernel", "pull"));
    assert_string_equal(job->title, "pull far-away");
    assert_string_equal(job->object, "kernel/far-away");
    assert_int_equal(job->done, 25);
    assert_int_equal(job->total, 100);
    assert_in_range(job->permille, 240, 260);
    engine_release(snapshot);
    /* Forgetting is for ended jobs of ours. */
    engine_forget(world->engine, other.id);
    world_await_once(world, is_job_running, &other.id);
    /* It ends without a word. */
    other_end(&other);
    world_await_once(world, is_job_gone, &other.id);
    auto_free char *name = file_name(other.id, ".json");
    assert_false(scratch_has(world->dir, name));
}

static void a_job_of_another_process_is_there_from_the_start(void **state)
{
    struct world *world = *state;
    world->config.is_watching = true;
    auto_free char *jobs = memory_printf("%s/jobs", world->dir);
    assert_int_equal(mkdir(jobs, 0700), 0);
    struct other other = other_start(world, false);
    world_start(world);
    const struct snapshot *snapshot = world_await(world, is_store_listed, NULL);
    assert_non_null(snapshot_job(snapshot, other.id));
    engine_release(snapshot);
    other_end(&other);
}

static void cancelling_a_foreign_job_interrupts_its_process(void **state)
{
    struct world *world = *state;
    world->config.is_watching = true;
    world_start(world);
    struct other other = other_start(world, false);
    world_await_once(world, is_job_running, &other.id);
    assert_true(engine_cancel(world->engine, other.id));
    int status;
    assert_int_equal(waitpid(other.pid, &status, 0), other.pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGINT);
    world_await_once(world, is_job_gone, &other.id);
}

static void cancelling_a_foreign_job_of_a_watching_seat_leaves_it_a_word(void **state)
{
    struct world *world = *state;
    world->config.is_watching = true;
    world_start(world);
    struct other other = other_start(world, true);
    world_await_once(world, is_job_running, &other.id);
    assert_true(engine_cancel(world->engine, other.id));
    auto_free char *name = file_name(other.id, ".cancel");
    uint64_t deadline_ms = clock_deadline(WORLD_PATIENCE_MS);
    while (!scratch_has(world->dir, name)) {
        assert_int_not_equal(clock_left_ms(deadline_ms), 0);
        usleep(1000);
    }
    int status;
    assert_int_equal(waitpid(other.pid, &status, WNOHANG), 0);
    other_end(&other);
}

static void a_word_from_another_process_cancels_just_that_job(void **state)
{
    struct world *world = *state;
    world->config.is_watching = true;
    world_start(world);
    world_await_once(world, is_store_listed, NULL);
    struct gate *a = gate_add("a");
    struct gate *b = gate_add("b");
    uint64_t first = world_submit(world, &fake_pull, "a", NULL);
    uint64_t second = world_submit(world, &fake_pull, "b", NULL);
    gate_wait(a);
    gate_wait(b);
    auto_free char *path = memory_printf("%s/jobs", world->dir);
    auto_close int jobs = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct error err = {0};
    assert_true(job_file_cancel(jobs, second, &err));
    assert_int_equal(world_end(world, second), JOB_CANCELLED);
    const struct snapshot *snapshot = engine_snapshot(world->engine);
    assert_int_equal(snapshot_job(snapshot, first)->state, JOB_RUNNING);
    engine_release(snapshot);
    gate_open(a);
    assert_int_equal(world_end(world, first), JOB_OK);
    auto_free char *names = scratch_list(world->dir, "jobs");
    assert_string_equal(names, "");
}

#define in_world(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verbs_choose_lane_and_kind),
        in_world(a_change_has_a_file_while_it_runs),
        in_world(what_hangs_says_in_which_phase),
        in_world(what_stalls_has_told_its_size),
        in_world(reading_and_streaming_have_no_file),
        in_world(a_job_of_another_process_is_shown),
        in_world(a_job_of_another_process_is_there_from_the_start),
        in_world(cancelling_a_foreign_job_interrupts_its_process),
        in_world(cancelling_a_foreign_job_of_a_watching_seat_leaves_it_a_word),
        in_world(a_word_from_another_process_cancels_just_that_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
