/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/process.h"
#include "support/scratch.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void test_run_collects_output_and_status(void **state)
{
    (void)state;
    const char *const argv[] = {"sh", "-c", "echo out; echo err >&2; exit 3", NULL};
    auto_done(text) struct text out = {0};
    auto_done(text) struct text errors = {0};
    struct error err = {0};
    int status = 0;
    assert_true(process_run(argv, 10000, 4096, NULL, &out, &errors, &status, &err));
    assert_fine(err);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 3);
    assert_string_equal(text_cstr(&out), "out\n");
    assert_string_equal(text_cstr(&errors), "err\n");
}

static void test_missing_program_is_named(void **state)
{
    (void)state;
    const char *const argv[] = {"banger-no-such-program", NULL};
    struct error err = {0};
    int status = 0;
    assert_false(process_run(argv, 1000, 10, NULL, NULL, NULL, &status, &err));
    assert_code(err, ERROR_NOT_FOUND);
    assert_non_null(strstr(err.text, "banger-no-such-program"));
}

static void test_timeout_kills_the_child(void **state)
{
    (void)state;
    const char *const argv[] = {"sleep", "1000", NULL};
    struct error err = {0};
    int status = 0;
    uint64_t began = clock_monotonic_ms();
    assert_false(process_run(argv, 100, 10, NULL, NULL, NULL, &status, &err));
    assert_code(err, ERROR_TIMEOUT);
    assert_true(clock_monotonic_ms() - began < 60000);
    assert_int_equal(waitpid(-1, &status, WNOHANG), -1); /* reaped: no child is left */
}

/* The lowest number that is free. */
static int next_fd(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    close(fd);
    return fd;
}

/* One pipe can be had and the second one cannot. */
static void test_a_run_without_descriptors_leaves_none(void **state)
{
    (void)state;
    const char *const argv[] = {"true", NULL};
    struct error err = {0};
    struct rlimit before;
    int status = 0;
    int first = next_fd();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit few = {.rlim_cur = (rlim_t)first + 3, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    bool is_run = process_run(argv, 10000, 10, NULL, NULL, NULL, &status, &err);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_false(is_run);
    assert_int_equal(err.sys_errno, EMFILE);
    assert_int_equal(next_fd(), first);
}

static void test_a_child_gets_only_its_descriptors(void **state)
{
    (void)state;
    auto_close int leaked = open("/dev/null", O_RDONLY); /* on purpose without O_CLOEXEC */
    assert_true(leaked > 2);
    const char *const argv[] = {"sh", "-c", "ls /proc/$$/fd", NULL};
    auto_done(text) struct text out = {0};
    struct error err = {0};
    int status = 0;
    assert_true(process_run(argv, 10000, 4096, NULL, &out, NULL, &status, &err));
    assert_string_equal(text_cstr(&out), "0\n1\n2\n");
}

static void test_identity_tells_processes_apart(void **state)
{
    (void)state;
    struct process_identity self = process_self();
    assert_int_equal(self.pid, getpid());
    assert_true(process_is_alive(&self));
    struct process_identity other = {.pid = self.pid, .start_time = self.start_time + 1};
    assert_false(process_is_alive(&other));
    assert_int_equal(process_open(&other), -1);
    struct error err = {0};
    assert_false(process_signal(&other, SIGKILL, &err)); /* would end this test */
    assert_code(err, ERROR_NOT_FOUND);
    assert_int_equal(strlen(process_boot_id()), 36);
}

static void test_processor_time_grows(void **state)
{
    (void)state;
    struct process_identity self = process_self();
    uint64_t before = process_cpu_ms(&self);
    while (process_cpu_ms(&self) < before + 20) {
        continue;
    }
    struct process_identity other = {.pid = self.pid, .start_time = self.start_time + 1};
    assert_int_equal(process_cpu_ms(&other), 0);
}

static void test_a_zombie_is_not_alive(void **state)
{
    (void)state;
    const char *const argv[] = {"true", NULL};
    struct process_spec spec = {
        .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1, .cwd_fd = -1};
    struct error err = {0};
    pid_t pid;
    auto_close int pidfd = -1;
    assert_true(process_spawn(&spec, &pid, &pidfd, &err));
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    struct process_identity identity = {.pid = pid};
    assert_true(process_identify(pid, &identity));
    assert_false(process_is_alive(&identity));
    int status;
    assert_true(process_wait(pid, pidfd, 60000, NULL, &status, &err));
    assert_int_equal(status, 0);
}

/* What too many open files hide is neither there nor gone. */
static void test_what_cannot_be_looked_at_is_not_gone(void **state)
{
    (void)state;
    struct error err = {0};
    struct process_identity self = process_self(), now;
    struct process_identity none = {.pid = self.pid, .start_time = self.start_time + 1};
    assert_int_equal(process_look(&self), PROCESS_ALIVE);
    assert_int_equal(process_look(&none), PROCESS_GONE);
    assert_false(process_is_boot_other(process_boot_id()));
    assert_true(process_is_boot_other("another"));
    struct rlimit old = scratch_take_descriptors();
    enum process_life life = process_look(&none);
    bool is_identified = process_identify(self.pid, &now);
    int why = errno;
    bool is_signalled = process_signal(&self, SIGCONT, &err);
    scratch_give_descriptors(&old);
    assert_int_equal(life, PROCESS_HIDDEN);
    assert_false(is_identified);
    assert_int_equal(why, EMFILE);
    assert_false(is_signalled);
    assert_code(err, ERROR_IO);
}

static void test_cancel_ends_a_run(void **state)
{
    (void)state;
    struct cancel *cancel = cancel_new();
    cancel_request(cancel);
    const char *const argv[] = {"sleep", "1000", NULL};
    struct error err = {0};
    int status = 0;
    assert_false(process_run(argv, 0, 10, cancel, NULL, NULL, &status, &err));
    assert_code(err, ERROR_CANCELLED);
    cancel_free(cancel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run_collects_output_and_status),
        cmocka_unit_test(test_missing_program_is_named),
        cmocka_unit_test(test_timeout_kills_the_child),
        cmocka_unit_test(test_a_run_without_descriptors_leaves_none),
        cmocka_unit_test(test_a_child_gets_only_its_descriptors),
        cmocka_unit_test(test_identity_tells_processes_apart),
        cmocka_unit_test(test_processor_time_grows),
        cmocka_unit_test(test_a_zombie_is_not_alive),
        cmocka_unit_test(test_what_cannot_be_looked_at_is_not_gone),
        cmocka_unit_test(test_cancel_ends_a_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
