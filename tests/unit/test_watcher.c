/* SPDX-License-Identifier: MIT */
#include "engine/watcher.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "support/engine_world.h"

static void await_more(atomic_int *counter, int before)
{
    uint64_t deadline_ms = clock_deadline(WORLD_PATIENCE_MS);
    while (atomic_load(counter) <= before) {
        assert_int_not_equal(clock_left_ms(deadline_ms), 0);
        usleep(1000);
    }
}

static void start_listed(struct world *world)
{
    world_start(world);
    world_await_once(world, is_store_listed, NULL);
}

static void the_store_is_swept_and_listed_at_start(void **state)
{
    struct world *world = *state;
    start_listed(world);
    await_more(&world_counts.sweep, 0);
    assert_int_equal(world_counts.kernels, 1);
    assert_int_equal(world_counts.images, 1);
    assert_int_equal(world_counts.vms, 1);
    assert_int_equal(world_counts.offers, 1);
    assert_int_equal(world_counts.host, 1);
    const struct snapshot *snapshot = engine_snapshot(world->engine);
    assert_int_equal(snapshot->jobs_count, 0);
    engine_release(snapshot);
}

static void a_readonly_seat_sweeps_nothing(void **state)
{
    struct world *world = *state;
    world->config.is_readonly = true;
    start_listed(world);
    engine_free(take_ptr(world->engine)); /* waits for what it has begun */
    assert_int_equal(world_counts.sweep, 0);
    assert_int_equal(world_counts.kernels, 1);
}

/* Seconds, where apt was never asked: what is here is shown meanwhile, and known to be all. */
static void nobody_waits_for_apt(void **state)
{
    struct world *world = *state;
    struct gate *gate = gate_add("apt");
    start_listed(world);
    gate_wait(gate);
    assert_int_equal(world_counts.host, 1);
    gate_open(gate);
    await_more(&world_counts.sweep, 0);
}

static void a_new_entry_is_noticed(void **state)
{
    struct world *world = *state;
    start_listed(world);
    int vms = world_counts.vms;
    int offers = world_counts.offers;
    int host = world_counts.host;
    /* Filled elsewhere and moved into place, as publishing does. */
    scratch_write(world->dir, "kernels/.tmp-1/vmlinux", "x");
    auto_free char *from = memory_printf("%s/kernels/.tmp-1", world->dir);
    auto_free char *to = memory_printf("%s/kernels/lab", world->dir);
    assert_int_equal(rename(from, to), 0);
    await_more(&world_counts.kernels, 1);
    await_more(&world_counts.offers, offers);
    await_more(&world_counts.host, host);
    assert_int_equal(world_counts.vms, vms);
}

static void an_entry_filled_by_hand_is_noticed(void **state)
{
    struct world *world = *state;
    start_listed(world);
    auto_free char *dir = memory_printf("%s/kernels/lab", world->dir);
    assert_int_equal(mkdir(dir, 0700), 0);
    await_more(&world_counts.kernels, 1);
    int before = world_counts.kernels;
    scratch_write(world->dir, "kernels/lab/vmlinux", "x");
    await_more(&world_counts.kernels, before);
    before = world_counts.kernels;
    auto_free char *file = memory_printf("%s/kernels/lab/vmlinux", world->dir);
    assert_int_equal(unlink(file), 0);
    await_more(&world_counts.kernels, before);
}

static void entries_that_were_there_are_watched(void **state)
{
    struct world *world = *state;
    auto_free char *vms = memory_printf("%s/vms", world->dir);
    assert_int_equal(mkdir(vms, 0700), 0);
    scratch_write(world->dir, "vms/web/vm.json", "{}");
    start_listed(world);
    int images = world_counts.images;
    scratch_write(world->dir, "vms/web/exit.json", "{}");
    await_more(&world_counts.vms, 1);
    await_more(&world_counts.images, images);
}

static void a_removed_entry_is_noticed(void **state)
{
    struct world *world = *state;
    scratch_write(world->dir, "images/debian/manifest.json", "{}");
    start_listed(world);
    auto_free char *from = memory_printf("%s/images/debian", world->dir);
    auto_free char *to = memory_printf("%s/images/.del-1", world->dir);
    assert_int_equal(rename(from, to), 0);
    await_more(&world_counts.images, 1);
}

static void unfinished_business_is_not_noticed(void **state)
{
    struct world *world = *state;
    start_listed(world);
    scratch_write(world->dir, "kernels/.tmp-1/vmlinux", "x");
    scratch_write(world->dir, "images/.del-1/rootfs.ext4", "x");
    /* What comes after it is, so what came before would have been. */
    scratch_write(world->dir, "catalogs.d/x.json", "{}");
    await_more(&world_counts.offers, 1);
    assert_int_equal(world_counts.kernels, 1);
    assert_int_equal(world_counts.images, 1);
}

static void a_burst_is_listed_once_or_twice(void **state)
{
    struct world *world = *state;
    start_listed(world);
    uint64_t begin_ms = clock_monotonic_ms();
    for (int i = 0; i < 200; i++) {
        auto_free char *name = memory_printf("kernels/lab/file-%d", i);
        scratch_write(world->dir, name, "x");
    }
    scratch_write(world->dir, "catalogs.d/last.json", "{}");
    await_more(&world_counts.kernels, 1);
    /* A burst that a busy machine draws out is listed now and then meanwhile. */
    uint64_t took_ms = clock_monotonic_ms() - begin_ms;
    assert_in_range(world_counts.kernels, 2, 40 + took_ms / 25);
    assert_int_equal(world_counts.together, 0);
}

static bool hung_refresh(struct ops *ops, struct error *err)
{
    (void)ops;
    (void)err;
    struct gate *gate = gate_of("refresh");
    atomic_fetch_add(&gate->runs, 1);
    sem_post(&gate->begun);
    char leave;
    ssize_t got = read(gate->go[0], &leave, 1);
    (void)got;
    return true;
}

static void a_change_while_it_is_listed_is_listed_again(void **state)
{
    struct world *world = *state;
    struct engine_hooks hooks = world_hooks;
    hooks.refresh_kernels = hung_refresh;
    world->config.hooks = &hooks;
    struct gate *gate = gate_add("refresh");
    gate_open(gate);
    start_listed(world);
    gate_wait(gate);
    scratch_write(world->dir, "kernels/a/vmlinux", "x");
    gate_wait(gate);
    scratch_write(world->dir, "kernels/b/vmlinux", "x");
    /* Noticed, but not while the other one is under way. */
    scratch_write(world->dir, "kernels/c/vmlinux", "x");
    assert_int_equal(sem_trywait(&gate->begun), -1);
    gate_open(gate);
    gate_wait(gate);
    gate_open(gate);
    /* Whatever else is pending ends at once. */
    for (int i = 0; i < 8; i++) {
        gate_open(gate);
    }
}

static atomic_int misfortune;

static bool failing_refresh(struct ops *ops, struct error *err)
{
    world_kernels(ops, err);
    return error_set(err, ERROR_IO, "no luck %d", misfortune);
}

static size_t count_complaints(const struct snapshot *snapshot)
{
    size_t count = 0;
    for (size_t i = 0; i < snapshot->log_count; i++) {
        count += strstr(snapshot->log[i].text, "cannot list kernels: no luck") != NULL;
    }
    return count;
}

static bool has_two_complaints(const struct snapshot *snapshot, const void *context)
{
    (void)context;
    return count_complaints(snapshot) == 2;
}

static void the_same_failure_is_told_once(void **state)
{
    struct world *world = *state;
    struct engine_hooks hooks = world_hooks;
    hooks.refresh_kernels = failing_refresh;
    world->config.hooks = &hooks;
    start_listed(world);
    for (int listings = 1; listings < 3; listings++) {
        auto_free char *name = memory_printf("kernels/k%d/vmlinux", listings);
        scratch_write(world->dir, name, "x");
        await_more(&world_counts.kernels, listings);
    }
    const struct snapshot *snapshot = engine_snapshot(world->engine);
    assert_int_equal(count_complaints(snapshot), 1);
    engine_release(snapshot);
    /* Another one is told. */
    misfortune = 1;
    scratch_write(world->dir, "kernels/other/vmlinux", "x");
    world_await_once(world, has_two_complaints, NULL);
}

/* ---- processes ---- */

static void watch_in_set(struct world *world, const struct process_identity *process)
{
    struct ops ops = {.engine = world->engine};
    ops_watch_processes(&ops, process, process->pid ? 1 : 0);
}

static pid_t start_child(struct process_identity *identity)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        for (;;) {
            pause();
        }
    }
    assert_true(process_identify(pid, identity));
    return pid;
}

static void the_end_of_a_process_is_noticed(void **state)
{
    struct world *world = *state;
    start_listed(world);
    struct process_identity vmm;
    pid_t pid = start_child(&vmm);
    watch_in_set(world, &vmm);
    int before = world_counts.vms;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    await_more(&world_counts.vms, before);
}

static void one_that_has_ended_before_is_noticed_once(void **state)
{
    struct world *world = *state;
    start_listed(world);
    struct process_identity vmm;
    pid_t pid = start_child(&vmm);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    watch_in_set(world, &vmm);
    await_more(&world_counts.vms, 1);
    int before = world_counts.vms;
    watch_in_set(world, &vmm);
    watch_in_set(world, &vmm);
    scratch_write(world->dir, "catalogs.d/x.json", "{}");
    await_more(&world_counts.offers, 1);
    assert_int_equal(world_counts.vms, before);
}

/* Only what they use: a tick reads no records and lists no images. */
static void running_vms_are_measured_while_somebody_looks(void **state)
{
    struct world *world = *state;
    start_listed(world);
    struct process_identity vmm;
    pid_t pid = start_child(&vmm);
    watch_in_set(world, &vmm);
    engine_release(engine_snapshot(world->engine));
    await_more(&world_counts.figures, 0);
    assert_int_equal(world_counts.vms, 1);
    assert_int_equal(world_counts.images, 1);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

#define in_world(test) cmocka_unit_test_setup_teardown(test, watching_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(the_store_is_swept_and_listed_at_start),
        in_world(a_readonly_seat_sweeps_nothing),
        in_world(nobody_waits_for_apt),
        in_world(a_new_entry_is_noticed),
        in_world(an_entry_filled_by_hand_is_noticed),
        in_world(entries_that_were_there_are_watched),
        in_world(a_removed_entry_is_noticed),
        in_world(unfinished_business_is_not_noticed),
        in_world(a_burst_is_listed_once_or_twice),
        in_world(a_change_while_it_is_listed_is_listed_again),
        in_world(the_same_failure_is_told_once),
        in_world(the_end_of_a_process_is_noticed),
        in_world(one_that_has_ended_before_is_noticed_once),
        in_world(running_vms_are_measured_while_somebody_looks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
