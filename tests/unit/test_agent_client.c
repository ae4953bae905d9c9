/* SPDX-License-Identifier: MIT */
/* Commands in a guest: real monitor, real relay, a fake QEMU whose agent knows a few commands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/machine_world.h"

#include "base/wire.h"
#include "vm/agent_client.h"

#include <pthread.h>
#include <sys/socket.h>

static void ready_world(struct world *world, const char *append)
{
    struct machine_timeline timeline;
    world_make(world, append, NULL);
    world_start(world);
    world_wait_ready(world, &timeline);
    machine_timeline_done(&timeline);
}

static struct agent_exec_spec spec_of(const char *const *argv)
{
    return (struct agent_exec_spec){
        .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1, .window_fd = -1};
}

static int status_of(const struct world *world, const char *command, const char *number)
{
    const char *const argv[] = {command, number, NULL};
    struct agent_exec_spec spec = spec_of(argv);
    struct error err = {0};
    int status = -1;
    agent_exec(world->dir, &spec, NULL, &status, &err);
    assert_fine(err);
    return status;
}

static void test_exit_statuses(void **state)
{
    (void)state;
    struct world world;
    ready_world(&world, "");
    assert_int_equal(status_of(&world, "exit", "0"), 0);
    assert_int_equal(status_of(&world, "exit", "42"), 42);
    assert_int_equal(status_of(&world, "kill", "9"), 128 + 9);
    assert_int_equal(status_of(&world, "no-such-command", NULL), 127);
    assert_int_equal(status_of(&world, "denied", NULL), 126);
    world_remove(&world);
}

/* A file descriptor with that many numbered bytes, rewound. */
static int make_file(const struct world *world, const char *name, size_t size)
{
    auto_free char *path = memory_printf("%s/%s", world->path, name);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    auto_free uint8_t *bytes = memory_alloc(size + 1);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    }
    assert_int_equal(write(fd, bytes, size), size);
    lseek(fd, 0, SEEK_SET);
    return fd;
}

static bool same_content(int a, int b)
{
    static char left[65536];
    static char right[65536];
    off_t at = 0;
    for (;;) {
        ssize_t got = pread(a, left, sizeof left, at);
        if (got != pread(b, right, sizeof right, at) || got < 0) {
            return false;
        }
        if (got == 0) {
            return true;
        }
        if (memcmp(left, right, (size_t)got) != 0) {
            return false;
        }
        at += got;
    }
}

static void test_bytes_come_back_unchanged(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    ready_world(&world, "");
    static const size_t sizes[] = {0, 1, 131072, 131073, 20000000};
    const char *const argv[] = {"cat", NULL};
    for (size_t i = 0; i < array_length(sizes); i++) {
        auto_close int in = make_file(&world, "in", sizes[i]);
        auto_close int out = make_file(&world, "out", 0);
        struct agent_exec_spec spec = spec_of(argv);
        int status = -1;
        spec.stdin_fd = in;
        spec.stdout_fd = out;
        assert_true(agent_exec(world.dir, &spec, NULL, &status, &err));
        assert_int_equal(status, 0);
        assert_true(same_content(in, out));
    }
    world_remove(&world);
}

struct runner {
    pthread_t thread;
    const struct world *world;
    size_t size;
    int in, out;
    int status;
    struct error err;
};

static void *run_cat(void *context)
{
    struct runner *runner = context;
    const char *const argv[] = {"cat", NULL};
    struct agent_exec_spec spec = spec_of(argv);
    spec.stdin_fd = runner->in;
    spec.stdout_fd = runner->out;
    agent_exec(runner->world->dir, &spec, NULL, &runner->status, &runner->err);
    return NULL;
}

static void test_many_at_once(void **state)
{
    (void)state;
    struct world world;
    struct runner runners[20];
    ready_world(&world, "");
    for (size_t i = 0; i < array_length(runners); i++) {
        char name[16];
        snprintf(name, sizeof name, "in%zu", i);
        runners[i] = (struct runner){.world = &world, .status = -1};
        runners[i].in = make_file(&world, name, 300000 + i);
        snprintf(name, sizeof name, "out%zu", i);
        runners[i].out = make_file(&world, name, 0);
        assert_int_equal(pthread_create(&runners[i].thread, NULL, run_cat, &runners[i]), 0);
    }
    for (size_t i = 0; i < array_length(runners); i++) {
        pthread_join(runners[i].thread, NULL);
        assert_fine(runners[i].err);
        assert_int_equal(runners[i].status, 0);
        assert_true(same_content(runners[i].in, runners[i].out));
        close(runners[i].in);
        close(runners[i].out);
    }
    world_remove(&world);
}

/* `exec … | head`: the reader leaves, the guest's command gets SIGPIPE. */
static void test_reader_goes_away(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    int pair[2];
    int status = -1;
    ready_world(&world, "");
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    close(pair[0]);
    const char *const argv[] = {"spew", "100000000", NULL};
    struct agent_exec_spec spec = spec_of(argv);
    spec.stdout_fd = pair[1];
    assert_true(agent_exec(world.dir, &spec, NULL, &status, &err));
    assert_fine(err);
    assert_int_equal(status, 128 + SIGPIPE);
    close(pair[1]);
    world_remove(&world);
}

static void *cancel_soon(void *context)
{
    poll(NULL, 0, 50);
    cancel_request(context);
    return NULL;
}

/* Nobody reads a full pipe, and cancel still comes through; the guest hears of it. */
static void test_cancel_while_blocked(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    int pair[2];
    int status = -1;
    struct cancel *cancel = cancel_new();
    pthread_t thread;
    ready_world(&world, "");
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    const char *const argv[] = {"spew", "100000000", NULL};
    struct agent_exec_spec spec = spec_of(argv);
    spec.stdout_fd = pair[1];
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, cancel), 0);
    assert_false(agent_exec(world.dir, &spec, cancel, &status, &err));
    assert_code(err, ERROR_CANCELLED);
    pthread_join(thread, NULL);
    cancel_free(cancel);
    close(pair[0]);
    close(pair[1]);
    world_wait_text(&world, "console.log", "closed a stream");
    assert_int_equal(status_of(&world, "exit", "7"), 7);
    world_remove(&world);
}

/* A command that never ends, and one whose output nobody takes, end for us at the deadline. */
static void test_deadline(void **state)
{
    (void)state;
    struct world world;
    int pair[2];
    ready_world(&world, "");
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    const char *const hung[] = {"hang", NULL};
    const char *const full[] = {"spew", "100000000", NULL};
    const char *const *const commands[] = {hung, full};
    for (size_t i = 0; i < array_length(commands); i++) {
        struct error err = {0};
        int status = -1;
        struct agent_exec_spec spec = spec_of(commands[i]);
        spec.stdout_fd = pair[1];
        spec.deadline = clock_deadline(100);
        assert_false(agent_exec(world.dir, &spec, NULL, &status, &err));
        assert_code(err, ERROR_TIMEOUT);
        assert_int_equal(status, -1);
    }
    close(pair[0]);
    close(pair[1]);
    world_remove(&world);
}

/* One client that does not read must not stop the others, nor fill the monitor. */
static void test_slow_reader_hurts_nobody(void **state)
{
    (void)state;
    struct world world;
    ready_world(&world, "");
    struct runner slow = {.world = &world, .status = -1};
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    slow.in = make_file(&world, "in", 3000000);
    slow.out = pair[1];
    assert_int_equal(pthread_create(&slow.thread, NULL, run_cat, &slow), 0);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(status_of(&world, "exit", "3"), 3);
    }
    size_t total = 0;
    static char chunk[65536];
    while (total < 3000000) {
        ssize_t got = read(pair[0], chunk, sizeof chunk);
        assert_true(got > 0);
        total += (size_t)got;
    }
    pthread_join(slow.thread, NULL);
    assert_fine(slow.err);
    close(slow.in);
    close(pair[0]);
    close(pair[1]);
    world_remove(&world);
}

static void test_environment(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    int status = -1;
    ready_world(&world, "");
    const char *const argv[] = {"env", NULL};
    const char *const env[] = {"A=b c", "D=\xc3\xa9=", NULL};
    struct agent_exec_spec spec = spec_of(argv);
    auto_close int out = make_file(&world, "out", 0);
    spec.env = env;
    spec.stdout_fd = out;
    assert_true(agent_exec(world.dir, &spec, NULL, &status, &err));
    auto_free char *content = scratch_read(world.path, "out");
    assert_string_equal(content, "A=b c\nD=\xc3\xa9=\n");
    /* More than a frame holds is refused on this side. */
    auto_free char *huge = memory_zero(1, WIRE_PAYLOAD_MAX + 1);
    memset(huge, 'x', WIRE_PAYLOAD_MAX);
    const char *const long_env[] = {huge, NULL};
    spec.env = long_env;
    assert_false(agent_exec(world.dir, &spec, NULL, &status, &err));
    assert_code(err, ERROR_INVALID);
    world_remove(&world);
}

static void test_no_line(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    int status = -1;
    const char *const argv[] = {"exit", "0", NULL};
    struct agent_exec_spec spec = spec_of(argv);
    world_make(&world, "fake.noagent", NULL);
    assert_false(agent_exec(world.dir, &spec, NULL, &status, &err));
    assert_code(err, ERROR_UNSUPPORTED);
    error_clear(&err);
    world_start(&world);
    assert_false(agent_exec(world.dir, &spec, NULL, &status, &err));
    assert_code(err, ERROR_BUSY);
    assert_int_equal(status, -1);
    world_remove(&world);
}

/* The machine ends under a command: our failure, not a status. */
static void test_machine_ends_under_it(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    int in[2];
    int out[2];
    char byte = 0;
    ready_world(&world, "");
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    struct runner runner = {.world = &world, .status = -1, .in = in[0], .out = out[1]};
    assert_int_equal(pthread_create(&runner.thread, NULL, run_cat, &runner), 0);
    assert_int_equal(write(in[1], "x", 1), 1);
    assert_int_equal(read(out[0], &byte, 1), 1); /* it runs */
    assert_true(machine_kill(world.dir, &world.handle, SIGKILL, NULL, NULL, &err));
    pthread_join(runner.thread, NULL);
    assert_code(runner.err, ERROR_VMM);
    assert_int_equal(runner.status, -1);
    for (int i = 0; i < 2; i++) {
        close(in[i]);
        close(out[i]);
    }
    world_remove(&world);
}

/* An agent that sends more than it may loses the line; the next greeting is answered. */
static void test_lying_agent(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    int status = -1;
    ready_world(&world, "fake.liar");
    int pair[2];
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    const char *const argv[] = {"spew", "10000000", NULL};
    struct agent_exec_spec spec = spec_of(argv);
    spec.stdout_fd = pair[1]; /* never read: no credit is given back */
    assert_false(agent_exec(world.dir, &spec, NULL, &status, &err));
    assert_code(err, ERROR_VMM);
    uint64_t deadline = clock_deadline(60000);
    bool is_served = false;
    const char *const simple[] = {"exit", "5", NULL};
    spec = spec_of(simple);
    while (!is_served && clock_left_ms(deadline) > 0) {
        struct error ignored = {0};
        is_served = agent_exec(world.dir, &spec, NULL, &status, &ignored);
    }
    assert_int_equal(status, 5);
    close(pair[0]);
    close(pair[1]);
    world_remove(&world);
}

static void test_sync_and_poweroff(void **state)
{
    (void)state;
    struct world world;
    struct error err = {0};
    struct machine_exit exit;
    ready_world(&world, "");
    assert_true(agent_sync(world.dir, 0, NULL, &err));
    assert_true(agent_poweroff(world.dir, 0, NULL, &err));
    assert_fine(err);
    assert_true(machine_wait_exit(world.dir, &world.handle, 60000, NULL, &exit, &err));
    assert_int_equal(exit.reason, MACHINE_EXIT_GUEST_POWEROFF);
    assert_false(exit.is_requested);
    world_remove(&world);
}

int main(int argc, char **argv)
{
    if (world_is_monitor(argc, argv)) {
        return monitor_main(argc, argv);
    }
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_statuses),
        cmocka_unit_test(test_bytes_come_back_unchanged),
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_reader_goes_away),
        cmocka_unit_test(test_cancel_while_blocked),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_slow_reader_hurts_nobody),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_no_line),
        cmocka_unit_test(test_machine_ends_under_it),
        cmocka_unit_test(test_lying_agent),
        cmocka_unit_test(test_sync_and_poweroff),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
