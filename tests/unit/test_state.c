/* SPDX-License-Identifier: MIT */
#include "engine/state.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "engine/command.h"
#include "engine/job.h"
#include "engine/section.h"
#include "engine/snapshot.h"
#include "engine/state_jobs.h"

static int set_up(void **context)
{
    *context = state_new();
    return 0;
}

static int tear_down(void **context)
{
    state_free(*context);
    return 0;
}

static bool is_ringing(struct state *state)
{
    struct pollfd bell = {.fd = state_wake_fd(state), .events = POLLIN};
    return poll(&bell, 1, 0) == 1;
}

static void put_kernels(struct state *state, const char *name)
{
    struct section *section = section_new(sizeof(struct kernel_item));
    struct kernel_item *kernel = section_add(section);
    kernel->name = section_string(section, name);
    state_put_kernels(state, section);
}

static struct section *one_vm(const char *name, enum vm_state vm_state, uint64_t stages)
{
    struct section *section = section_new(sizeof(struct vm_item));
    struct vm_item *vm = section_add(section);
    struct stage_item *list = section_alloc(section, (stages + 1) * sizeof(*list));
    for (uint64_t i = 0; i < stages; i++) {
        list[i] = (struct stage_item){.name = section_string(section, "kernel"), .at_ms = i};
    }
    *vm = (struct vm_item){.name = section_string(section, name),
        .state = vm_state,
        .image = section_string(section, "debian"),
        .kernel_ref = "",
        .vmm = "",
        .accel = "",
        .exit_text = "",
        .stages = list,
        .stage_count = stages};
    return section;
}

static void a_new_state_is_empty_and_silent(void **context)
{
    struct state *state = *context;
    assert_false(is_ringing(state));
    const struct snapshot *snapshot = state_snapshot(state);
    assert_int_equal(snapshot->kernels_count + snapshot->vms_count + snapshot->jobs_count, 0);
    assert_false(snapshot->is_reconciled);
    assert_string_equal(snapshot->host.qemu, "");
    state_release(snapshot);
}

static void the_bell_rings_until_somebody_looks(void **context)
{
    struct state *state = *context;
    state_set_reconciled(state);
    state_log(state, LOG_DEBUG, "one");
    state_log(state, LOG_DEBUG, "two");
    assert_true(is_ringing(state));
    const struct snapshot *snapshot = state_snapshot(state);
    assert_false(is_ringing(state));
    assert_true(snapshot->is_reconciled);
    assert_int_equal(snapshot->log_count, 2);
    state_release(snapshot);
    state_log(state, LOG_DEBUG, "three");
    assert_true(is_ringing(state));
}

static void nothing_new_is_the_same_snapshot(void **context)
{
    struct state *state = *context;
    put_kernels(state, "a");
    const struct snapshot *first = state_snapshot(state);
    const struct snapshot *second = state_snapshot(state);
    assert_ptr_equal(first, second);
    put_kernels(state, "b");
    const struct snapshot *third = state_snapshot(state);
    assert_ptr_not_equal(third, second);
    assert_true(third->revision > second->revision);
    assert_string_equal(first->kernels[0].name, "a");
    assert_string_equal(third->kernels[0].name, "b");
    state_release(first);
    state_release(second);
    state_release(third);
}

static void sections_that_did_not_change_are_shared(void **context)
{
    struct state *state = *context;
    put_kernels(state, "a");
    state_put_vms(state, one_vm("web", VM_STATE_RUNNING, 0));
    state_log(state, LOG_DEBUG, "one");
    const struct snapshot *first = state_snapshot(state);
    put_kernels(state, "b");
    const struct snapshot *second = state_snapshot(state);
    assert_ptr_not_equal(first->kernels, second->kernels);
    assert_ptr_equal(first->vms, second->vms);
    assert_ptr_equal(first->log, second->log);
    state_release(first);
    state_release(second);
}

static void snapshots_outlive_the_state(void **context)
{
    (void)context;
    struct state *state = state_new();
    put_kernels(state, "a");
    const struct snapshot *snapshot = state_snapshot(state);
    state_free(state);
    assert_string_equal(snapshot->kernels[0].name, "a");
    state_release(snapshot);
}

static void a_list_of_vms_replaces_the_one_before(void **context)
{
    struct state *state = *context;
    state_put_vms(state, one_vm("db", VM_STATE_RUNNING, 3));
    state_put_vms(state, one_vm("web", VM_STATE_STOPPED, 0));
    const struct snapshot *snapshot = state_snapshot(state);
    assert_int_equal(snapshot->vms_count, 1);
    assert_string_equal(snapshot->vms[0].name, "web");
    assert_int_equal(snapshot->vms[0].state, VM_STATE_STOPPED);
    state_release(snapshot);
}

static void a_vm_is_copied_whole(void **context)
{
    struct state *state = *context;
    struct section *from = one_vm("web", VM_STATE_RUNNING, 3);
    struct section *to = section_new(sizeof(struct vm_item));
    state_copy_vm(to, section_items(from));
    section_release(from);
    state_put_vms(state, to);
    const struct snapshot *snapshot = state_snapshot(state);
    const struct vm_item *web = &snapshot->vms[0];
    assert_string_equal(web->name, "web");
    assert_int_equal(web->state, VM_STATE_RUNNING);
    assert_int_equal(web->stage_count, 3);
    assert_int_equal(web->stages[2].at_ms, 2);
    assert_string_equal(web->stages[2].name, "kernel");
    assert_string_equal(web->image, "debian");
    state_release(snapshot);
}

static void facts_about_the_host_are_copied(void **context)
{
    struct state *state = *context;
    char name[] = "atlas";
    struct host_facts facts = {.host_name = name, .memory_bytes = 5};
    state_put_host(state, &facts);
    name[0] = 'x';
    const struct snapshot *snapshot = state_snapshot(state);
    assert_string_equal(snapshot->host.host_name, "atlas");
    assert_string_equal(snapshot->host.accel_why, "");
    assert_int_equal(snapshot->host.memory_bytes, 5);
    state_release(snapshot);
}

static void log_lines_keep_level_and_time(void **context)
{
    struct state *state = *context;
    int64_t before = clock_wall();
    state_log(state, LOG_INFO, "%s %d", "line", 1);
    const struct snapshot *snapshot = state_snapshot(state);
    assert_int_equal(snapshot->log[0].level, LOG_INFO);
    assert_string_equal(snapshot->log[0].text, "line 1");
    assert_in_range(snapshot->log[0].at, before, before + 60);
    state_release(snapshot);
}

/* ---- many writers, one reader: no wake-up is lost ---- */

#define WRITERS 4
#define WRITES 2000

static void *write_much(void *argument)
{
    struct state *state = argument;
    for (int i = 0; i < WRITES; i++) {
        switch (i % 4) {
        case 0:
            state_log(state, LOG_DEBUG, "line %d", i);
            break;
        case 1:
            put_kernels(state, "a");
            break;
        case 2:
            state_put_vms(state, one_vm("web", VM_STATE_RUNNING, 2));
            break;
        case 3:
            state_put_host(state, &(struct host_facts){.host_name = "h"});
            break;
        }
    }
    return NULL;
}

static void no_wake_up_is_lost(void **context)
{
    struct state *state = *context;
    pthread_t writers[WRITERS];
    for (size_t i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_create(&writers[i], NULL, write_much, state), 0);
    }
    /* Each write bumps the revision once. Waiting on the bell alone must get to the last one. */
    uint64_t revision = 0;
    while (revision < WRITERS * WRITES) {
        struct pollfd bell = {.fd = state_wake_fd(state), .events = POLLIN};
        assert_int_equal(poll(&bell, 1, 30000), 1);
        const struct snapshot *snapshot = state_snapshot(state);
        assert_true(snapshot->revision > revision);
        revision = snapshot->revision;
        state_release(snapshot);
    }
    for (size_t i = 0; i < WRITERS; i++) {
        pthread_join(writers[i], NULL);
    }
    assert_int_equal(revision, WRITERS * WRITES);
    assert_false(is_ringing(state));
}

/* ---- job records ---- */

static const struct argument one_name[] = {{.name = "name",
    .kind = ARGUMENT_NAME,
    .is_positional = true,
    .value_name = "NAME",
    .help = "Name"}};
static const struct verb change = {
    .subject = "kernel", .name = "change", .arguments = one_name, .argument_count = 1};

static struct job *new_job(const char *name)
{
    struct error err = {0};
    struct command *command = command_new(&change);
    assert_true(command_set(command, "name", name, &err));
    return job_new(command);
}

static uint64_t add(struct state *state, struct job *job, const char *object)
{
    struct error err = {0};
    uint64_t id = 0;
    bool is_joined = true;
    assert_true(state_job_add(state, job, object, &id, &is_joined, &err));
    assert_false(is_joined);
    return id;
}

static void objects_are_claimed_and_given_back(void **context)
{
    struct state *state = *context;
    auto_job struct job *first = new_job("a");
    auto_job struct job *second = new_job("b");
    uint64_t id = add(state, first, "kernel/a");
    add(state, second, "kernel/b");
    assert_true(state_job_claim(state, first, "kernel/a", NULL));
    assert_true(state_job_claim(state, first, "vm/x", NULL));
    auto_job struct job *holder = NULL;
    assert_false(state_job_claim(state, second, "vm/x", &holder));
    assert_ptr_equal(holder, first);
    state_job_unclaim(state, first, "vm/x");
    assert_true(state_job_claim(state, second, "vm/x", NULL));
    assert_true(state_job_has_claim(state, second, "vm/x"));
    /* The end gives everything back. */
    assert_false(state_job_claim(state, second, "kernel/a", NULL));
    assert_true(state_job_start(state, first));
    state_job_finish(state, first, NULL, NULL);
    assert_true(state_job_claim(state, second, "kernel/a", NULL));
    auto_job struct job *found = state_job_find(state, id);
    assert_ptr_equal(found, first);
}

static void waiting_in_a_circle_is_refused(void **context)
{
    struct state *state = *context;
    auto_job struct job *a = new_job("a");
    auto_job struct job *b = new_job("b");
    auto_job struct job *c = new_job("c");
    struct error err = {0};
    add(state, a, "kernel/a");
    add(state, b, "kernel/b");
    add(state, c, "kernel/c");
    assert_true(state_job_wait_begin(state, a, b, &err) >= 0);
    int fd = state_job_wait_begin(state, b, c, &err);
    assert_true(fd >= 0);
    assert_int_equal(state_job_wait_begin(state, c, a, &err), -1);
    assert_int_equal(err.code, ERROR_BUSY);
    struct pollfd done = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&done, 1, 0), 0);
    assert_true(state_job_start(state, c));
    state_job_finish(state, c, memory_strdup("{}"), NULL);
    assert_int_equal(poll(&done, 1, 0), 1);
    state_job_wait_end(state, b);
    auto_free char *result = NULL;
    assert_true(state_job_outcome(state, c, &result, &err));
    assert_string_equal(result, "{}");
    /* Who comes when it is over need not wait. */
    error_clear(&err);
    done.fd = state_job_wait_begin(state, b, c, &err);
    assert_int_equal(poll(&done, 1, 0), 1);
}

static void identities_are_of_this_process_and_differ(void **context)
{
    struct state *state = *context;
    auto_job struct job *a = new_job("a");
    auto_job struct job *b = new_job("b");
    uint64_t first = add(state, a, NULL);
    uint64_t second = add(state, b, NULL);
    assert_int_not_equal(first, second);
    assert_int_equal(first / STATE_JOB_STRIDE, getpid());
    assert_int_equal(second / STATE_JOB_STRIDE, getpid());
}

static void words_name_every_value(void **context)
{
    (void)context;
    assert_string_equal(entry_state_name(ENTRY_DAMAGED), "damaged");
    assert_string_equal(verified_state_name(VERIFIED_PULL), "pull");
    assert_string_equal(offer_state_name(OFFER_UNUSABLE), "unusable");
    assert_string_equal(offer_kind_name(OFFER_IMAGE), "image");
    assert_string_equal(vm_state_name(VM_STATE_CRASHED), "crashed");
    assert_string_equal(vm_state_name(VM_STATE_ERROR), "error");
    assert_string_equal(job_state_name(JOB_CANCELLED), "cancelled");
    assert_true(job_state_is_final(JOB_FAILED));
    assert_false(job_state_is_final(JOB_QUEUED));
}

#define with_state(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_state(a_new_state_is_empty_and_silent),
        with_state(the_bell_rings_until_somebody_looks),
        with_state(nothing_new_is_the_same_snapshot),
        with_state(sections_that_did_not_change_are_shared),
        cmocka_unit_test(snapshots_outlive_the_state),
        with_state(a_list_of_vms_replaces_the_one_before),
        with_state(a_vm_is_copied_whole),
        with_state(facts_about_the_host_are_copied),
        with_state(log_lines_keep_level_and_time),
        with_state(no_wake_up_is_lost),
        with_state(objects_are_claimed_and_given_back),
        with_state(waiting_in_a_circle_is_refused),
        with_state(identities_are_of_this_process_and_differ),
        cmocka_unit_test(words_name_every_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
