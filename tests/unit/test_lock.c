/* SPDX-License-Identifier: MIT */
/* Locks between threads and between processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/progress.h"
#include "store/lock.h"
#include "support/scratch.h"

#define LONG_MS 60000

struct world {
    char *dir;
    struct store *store;
};

static int setup(void **state)
{
    struct error err = {0};
    struct world *world = memory_zero(1, sizeof(*world));
    world->dir = scratch_make();
    world->store = store_open(world->dir, NULL, &err);
    assert_fine(err);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    store_close(world->store);
    scratch_remove(world->dir);
    free(world);
    return 0;
}

static struct lock *take(
    struct world *world, const char *name, uint64_t timeout_ms, struct error *err)
{
    return lock_take(world->store, STORE_KERNEL, name, "test", timeout_ms, NULL, NULL, err);
}

/* A child that takes the lock, says so and holds it until it is killed. */
static pid_t start_holder(struct world *world, const char *name, const char *purpose)
{
    int said[2];
    assert_int_equal(pipe2(said, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct error err = {0};
        struct lock *lock =
            lock_take(world->store, STORE_KERNEL, name, purpose, LONG_MS, NULL, NULL, &err);
        ssize_t wrote = write(said[1], lock != NULL ? "y" : "n", 1);
        (void)wrote;
        for (;;) {
            pause();
        }
    }
    close(said[1]);
    char answer = 0;
    assert_int_equal(read(said[0], &answer, 1), 1);
    assert_int_equal(answer, 'y');
    close(said[0]);
    return pid;
}

static void stop_holder(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_exclusive_excludes_in_one_process(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    auto_lock struct lock *lock = take(world, "k", 0, &err);
    assert_non_null(lock);
    assert_null(take(world, "k", 0, &err));
    assert_code(err, ERROR_BUSY);
    error_clear(&err);
    /* Another name, and the same name of another kind, are other locks. */
    auto_lock struct lock *other = take(world, "k2", 0, &err);
    assert_non_null(other);
    auto_lock struct lock *image =
        lock_take(world->store, STORE_IMAGE, "k", "test", 0, NULL, NULL, &err);
    assert_non_null(image);
}

static void test_release_frees_and_keeps_the_file(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    for (int round = 0; round < 3; round++) {
        struct lock *lock = take(world, "k.lock", 0, &err);
        assert_non_null(lock);
        lock_release(lock);
    }
    assert_true(scratch_has(world->dir, "locks/kernel/k.lock"));
    assert_int_equal(scratch_mode(world->dir, "locks/kernel/k.lock"), 0600);
}

static void test_busy_names_the_holder(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    pid_t pid = start_holder(world, "k", "pull of k");
    uint64_t started = clock_monotonic_ms();
    assert_null(take(world, "k", 30, &err));
    assert_true(clock_monotonic_ms() - started >= 30);
    assert_code(err, ERROR_BUSY);
    auto_free char *who = memory_printf("kernel k is held by pid %d (pull of k)", (int)pid);
    assert_non_null(strstr(err.text, who));
    stop_holder(pid);
}

static void test_killed_holder_lets_go(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    pid_t pid = start_holder(world, "k", "pull");
    stop_holder(pid);
    auto_lock struct lock *lock = take(world, "k", 0, &err);
    assert_fine(err);
    assert_non_null(lock);
}

static void test_stale_hint_is_not_believed(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    auto_lock struct lock *lock = take(world, "k", 0, &err);
    assert_non_null(lock);
    scratch_write(
        world->dir, "locks/kernel/k", "{\"pid\":999999999,\"start_time\":1,\"what\":\"pull\"}\n");
    assert_null(take(world, "k", 0, &err));
    assert_non_null(strstr(err.text, "held by another process"));
    error_clear(&err);
    scratch_write(world->dir, "locks/kernel/k", "}{ not json");
    assert_null(take(world, "k", 0, &err));
    assert_non_null(strstr(err.text, "held by another process"));
}

struct waiter {
    struct world *world;
    struct cancel *cancel;
    struct progress progress;
    pthread_mutex_t mutex;
    pthread_cond_t noted;
    char note[200];
    bool has_lock;
    struct error err;
};

static void keep_note(void *context, const char *sentence)
{
    struct waiter *waiter = context;
    pthread_mutex_lock(&waiter->mutex);
    if (waiter->note[0] == '\0') { /* the first one: those that come later count the seconds */
        snprintf(waiter->note, sizeof(waiter->note), "%s", sentence);
    }
    pthread_cond_signal(&waiter->noted);
    pthread_mutex_unlock(&waiter->mutex);
}

static void *wait_in_thread(void *context)
{
    struct waiter *waiter = context;
    struct lock *lock = lock_take(waiter->world->store, STORE_KERNEL, "k", "rm", LONG_MS,
        &waiter->progress, waiter->cancel, &waiter->err);
    waiter->has_lock = lock != NULL;
    lock_release(lock);
    return NULL;
}

/* Starts a waiter and returns once it said that it waits. */
static void start_waiter(struct waiter *waiter, struct world *world, pthread_t *thread)
{
    *waiter = (struct waiter){.world = world, .cancel = cancel_new()};
    waiter->progress = (struct progress){.context = waiter, .note = keep_note};
    pthread_mutex_init(&waiter->mutex, NULL);
    pthread_cond_init(&waiter->noted, NULL);
    assert_int_equal(pthread_create(thread, NULL, wait_in_thread, waiter), 0);
    pthread_mutex_lock(&waiter->mutex);
    while (waiter->note[0] == '\0') {
        pthread_cond_wait(&waiter->noted, &waiter->mutex);
    }
    pthread_mutex_unlock(&waiter->mutex);
}

static void stop_waiter(struct waiter *waiter, pthread_t thread)
{
    assert_int_equal(pthread_join(thread, NULL), 0);
    cancel_free(waiter->cancel);
    pthread_mutex_destroy(&waiter->mutex);
    pthread_cond_destroy(&waiter->noted);
}

static void test_waiting_is_visible_and_ends_with_the_lock(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    struct waiter waiter;
    pthread_t thread;
    struct lock *lock = take(world, "k", 0, &err);
    start_waiter(&waiter, world, &thread);
    auto_free char *wanted = memory_printf("waiting for pid %d (test), 0 s", (int)getpid());
    assert_string_equal(waiter.note, wanted);
    lock_release(lock);
    stop_waiter(&waiter, thread);
    assert_fine(waiter.err);
    assert_true(waiter.has_lock);
}

static void test_waiting_can_be_cancelled(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    struct waiter waiter;
    pthread_t thread;
    auto_lock struct lock *lock = take(world, "k", 0, &err);
    assert_non_null(lock);
    uint64_t started = clock_monotonic_ms();
    start_waiter(&waiter, world, &thread);
    cancel_request(waiter.cancel);
    stop_waiter(&waiter, thread);
    assert_true(clock_monotonic_ms() - started < LONG_MS);
    assert_code(waiter.err, ERROR_CANCELLED);
    assert_false(waiter.has_lock);
}

static void test_not_handed_to_programs(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    auto_lock struct lock *lock = take(world, "k", 0, &err);
    assert_non_null(lock);
    auto_done(strings) struct strings fds = {0};
    assert_true(file_list(AT_FDCWD, "/proc/self/fd", &fds, &err));
    unsigned seen = 0;
    for (size_t i = 0; i < fds.count; i++) {
        auto_free char *path = memory_printf("/proc/self/fd/%s", fds.items[i]);
        char target[4096] = {0};
        if (readlink(path, target, sizeof(target) - 1) > 0 && text_has_prefix(target, world->dir)) {
            seen++;
            assert_true(fcntl(atoi(fds.items[i]), F_GETFD) & FD_CLOEXEC);
        }
    }
    assert_true(seen > 1);
}

static void test_store_lock(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    auto_lock struct lock *lock = lock_take_store(world->store, "publish", 0, NULL, NULL, &err);
    assert_non_null(lock);
    assert_null(lock_take_store(world->store, "look", 0, NULL, NULL, &err));
    assert_code(err, ERROR_BUSY);
    assert_non_null(strstr(err.text, "the store is held by"));
}

static void test_bad_names_make_no_files(void **state)
{
    struct world *world = *state;
    static const char *const names[] = {"", "../x", "a/b", ".hidden"};
    for (size_t i = 0; i < array_length(names); i++) {
        struct error err = {0};
        assert_null(take(world, names[i], 0, &err));
        assert_code(err, ERROR_INVALID);
    }
    auto_free char *files = scratch_list(world->dir, "locks/kernel");
    assert_string_equal(files, "");
}

/* Whoever holds a lock writes into its file: that must not be another's. */
static void test_a_link_is_no_lock(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    scratch_write(world->dir, "elsewhere", "content");
    auto_free char *link = memory_printf("%s/locks/kernel/k", world->dir);
    assert_int_equal(symlink("../../elsewhere", link), 0);
    assert_null(take(world, "k", 0, &err));
    assert_true(err.code != ERROR_NONE && err.code != ERROR_BUSY);
    auto_free char *path = memory_printf("%s/elsewhere", world->dir);
    auto_done(text) struct text content = {0};
    error_clear(&err);
    assert_true(file_read_all(AT_FDCWD, path, 100, &content, &err));
    assert_string_equal(text_cstr(&content), "content");
}

static void test_work_keeps_only_the_same_work_away(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    auto_lock struct lock *work =
        lock_take_work(world->store, STORE_KERNEL, "k", "pull", 0, NULL, &err);
    assert_non_null(work);
    auto_lock struct lock *entry = take(world, "k", 0, &err);
    assert_non_null(entry);
    auto_lock struct lock *other =
        lock_take_work(world->store, STORE_KERNEL, "l", "pull", 0, NULL, &err);
    assert_non_null(other);
    assert_null(lock_take_work(world->store, STORE_KERNEL, "k", "pull", 0, NULL, &err));
    assert_code(err, ERROR_BUSY);
}

#define LOCK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOCK_TEST(test_exclusive_excludes_in_one_process),
        LOCK_TEST(test_release_frees_and_keeps_the_file),
        LOCK_TEST(test_busy_names_the_holder),
        LOCK_TEST(test_killed_holder_lets_go),
        LOCK_TEST(test_stale_hint_is_not_believed),
        LOCK_TEST(test_waiting_is_visible_and_ends_with_the_lock),
        LOCK_TEST(test_waiting_can_be_cancelled),
        LOCK_TEST(test_not_handed_to_programs),
        LOCK_TEST(test_store_lock),
        LOCK_TEST(test_a_link_is_no_lock),
        LOCK_TEST(test_work_keeps_only_the_same_work_away),
        LOCK_TEST(test_bad_names_make_no_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
