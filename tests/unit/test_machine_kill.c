/* SPDX-License-Identifier: MIT */
/* The engine or the monitor killed at some moment of a start: afterwards there is a machine that is
 * known and can be stopped, or there is nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/machine_world.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

/* This program is the reaper of its descendants, so that it knows when nothing is left: monitors that
 * lost their engine and VMMs that lost their monitor become its children. */
static bool has_descendants(void)
{
    pid_t pid;
    do {
        pid = waitpid(-1, NULL, WNOHANG);
    } while (pid > 0);
    return pid == 0;
}

static bool is_down(enum machine_state state)
{
    return state == MACHINE_CREATED || state == MACHINE_STOPPED || state == MACHINE_CRASHED;
}

/* Waits for the state in which nothing changes any more by itself. */
static enum machine_state settled_state(const struct world *world)
{
    uint64_t deadline = clock_deadline(60000);
    for (;;) {
        bool has_processes = has_descendants();
        struct error err = {0};
        machine_settle(world->dir, &err); /* what the next command on the machine does first */
        assert_fine(err);
        enum machine_state state = world_state(world);
        if (state == MACHINE_RUNNING || (is_down(state) && !has_processes)) {
            return state;
        }
        if (clock_left_ms(deadline) == 0) {
            fail_msg("processes are left of a machine that is %s", machine_state_name(state));
        }
        poll(NULL, 0, 2);
    }
}

static void stop_and_check(struct world *world)
{
    struct error err = {0};
    if (settled_state(world) == MACHINE_RUNNING) {
        assert_true(machine_handle_read(world->dir, &world->handle, &err));
        machine_stop(world->dir, &world->handle, 5000, NULL, NULL, NULL, &err);
        assert_fine(err);
    }
    uint64_t deadline = clock_deadline(60000);
    while (has_descendants() && clock_left_ms(deadline) > 0) {
        poll(NULL, 0, 2);
    }
    assert_false(has_descendants());
    machine_settle(world->dir, &err);
    assert_fine(err);
    auto_free char *left = scratch_list(world->path, ".");
    assert_null(strstr(left, "sock"));
    assert_null(strstr(left, MACHINE_HANDLE_FILE));
    assert_null(strstr(left, "tmp"));
}

static void kill_at(struct world *world, uint64_t delay_us)
{
    pid_t engine = fork();
    if (engine == 0) {
        struct error err = {0};
        bool is_started = world_try_start(world, "vmlinux", NULL, NULL, &err);
        _exit(is_started ? 0 : 1);
    }
    struct timespec delay = {.tv_nsec = (long)delay_us * 1000};
    nanosleep(&delay, NULL);
    kill(engine, SIGKILL);
    waitpid(engine, NULL, 0);
}

static void test_engine_killed(void **state)
{
    (void)state;
    struct world world;
    world_make(&world, "", NULL);
    for (uint64_t delay = 0; delay < 30000; delay += 1500) {
        kill_at(&world, delay);
        stop_and_check(&world);
    }
    world_remove(&world);
}

/* The pid of the monitor, 0 when there is none (yet). */
static pid_t find_monitor(const struct world *world)
{
    pid_t found = 0;
    DIR *proc = opendir("/proc");
    assert_non_null(proc);
    for (struct dirent *entry; (entry = readdir(proc)) != NULL;) {
        auto_free char *name = memory_printf("/proc/%s/cmdline", entry->d_name);
        auto_close int fd = open(name, O_RDONLY | O_CLOEXEC);
        char line[256];
        ssize_t got = fd >= 0 ? read(fd, line, sizeof line) : -1;
        if (got > 0 && memmem(line, (size_t)got, MONITOR_OPTION, strlen(MONITOR_OPTION)) != NULL &&
            memmem(line, (size_t)got, world->spec.uuid, MACHINE_UUID_LEN) != NULL) {
            found = (pid_t)strtol(entry->d_name, NULL, 10);
        }
    }
    closedir(proc);
    return found;
}

static void *kill_monitor(void *context)
{
    void **both = context;
    const struct world *world = both[0];
    const uint64_t *delay_us = both[1];
    uint64_t deadline = clock_deadline(60000);
    pid_t pid = 0;
    while (pid == 0 && clock_left_ms(deadline) > 0) {
        pid = find_monitor(world);
    }
    struct timespec delay = {.tv_nsec = (long)*delay_us * 1000};
    nanosleep(&delay, NULL);
    if (pid != 0) {
        kill(pid, SIGKILL);
    }
    return NULL;
}

static void test_monitor_killed(void **state)
{
    (void)state;
    struct world world;
    world_make(&world, "", NULL);
    for (uint64_t delay = 0; delay < 20000; delay += 1000) {
        pthread_t thread;
        struct error err = {0};
        void *both[] = {&world, &delay};
        assert_int_equal(pthread_create(&thread, NULL, kill_monitor, both), 0);
        world_try_start(&world, "vmlinux", NULL, NULL, &err);
        pthread_join(thread, NULL);
        stop_and_check(&world);
    }
    world_remove(&world);
}

/* How often it went to sleep so far. */
static unsigned long switches_of(const char *name)
{
    static const char field[] = "\nvoluntary_ctxt_switches:";
    auto_free char *status = scratch_read("/", name + 1);
    assert_non_null(status);
    char *at = strstr(status, field);
    assert_non_null(at);
    return strtoul(at + strlen(field), NULL, 10);
}

/* A monitor with nothing to do does nothing: no timer, no polling. */
static void test_monitor_sleeps(void **state)
{
    (void)state;
    struct world world;
    struct machine_timeline timeline;
    world_make(&world, "", NULL);
    world_start(&world);
    world_wait_ready(&world, &timeline);
    machine_timeline_done(&timeline);
    auto_free char *name = memory_printf("/proc/%d/status", (int)world.handle.monitor.pid);
    /* What was left to do when it was ready ends; what is done again and again does not. */
    uint64_t deadline = clock_deadline(60000);
    unsigned long before = 0;
    unsigned long now = switches_of(name);
    do {
        before = now;
        poll(NULL, 0, 300); /* the time that is watched, not a wait for something */
        now = switches_of(name);
    } while (now != before && clock_left_ms(deadline) > 0);
    assert_int_equal(now, before);
    world_remove(&world);
}

int main(int argc, char **argv)
{
    if (world_is_monitor(argc, argv)) {
        return monitor_main(argc, argv);
    }
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_engine_killed),
        cmocka_unit_test(test_monitor_killed),
        cmocka_unit_test(test_monitor_sleeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
