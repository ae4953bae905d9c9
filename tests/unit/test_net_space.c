/* SPDX-License-Identifier: MIT */
/* A network namespace for a VMM, entered by root and by an ordinary user, with slirp4netns behind
 * it. What stands for the VMM is a child of the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "support/scratch.h"
#include "vm/net_space.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

/* The kernel gives a user namespace to a process of one thread only, and TSan adds its own. */
#if defined(__SANITIZE_THREAD__)
#define HAS_OTHER_THREAD true
#else
#define HAS_OTHER_THREAD false
#endif

#define NOBODY 65534
#define PATIENCE_MS 60000
enum { SKIPPED = 77 };

/* The VMM: tells how entering went, keeps the alive pipe to its end, which is told to it. */
static _Noreturn void be_vmm(int report_fd, int end_fd)
{
    char word;
    int failure = net_space_enter();
    bool has_taps = if_nametoindex(NET_SPACE_TAP) != 0 && if_nametoindex("up0") != 0;
    char verdict = failure == 0 && has_taps ? 'y' : 'n';
    (void)!write(report_fd, &verdict, 1);
    if (read(end_fd, &word, 1) < 0 || verdict != 'y') {
        _exit(1);
    }
    /* What it executes has no capability that its user has not. */
    execlp("sh", "sh", "-c", "grep -q '^CapEff:[[:space:]]*0*$' /proc/self/status", NULL);
    _exit(2);
}

/* 0: all as promised. Runs as whoever the caller is. */
static int try_out(void)
{
    int report[2], end[2], alive[2];
    char word = 0;
    struct error err = {0};
    struct net_server server = {.pid = -1, .pidfd = -1};
    if (!net_space_check(&err)) {
        fprintf(stderr, "%s\n", err.text);
        return SKIPPED;
    }
    if (HAS_OTHER_THREAD && geteuid() != 0) {
        return SKIPPED;
    }
    if (pipe2(report, O_CLOEXEC) != 0 || pipe2(end, O_CLOEXEC) != 0 ||
        pipe2(alive, O_CLOEXEC) != 0) {
        return 2;
    }
    pid_t pid = fork();
    if (pid == 0) {
        close(alive[0]);
        close(end[1]);
        fcntl(alive[1], F_SETFD, 0);
        be_vmm(report[1], end[0]);
    }
    close(alive[1]);
    if (read(report[0], &word, 1) != 1 || word != 'y') {
        return 3;
    }
    if (!net_space_serve(pid, alive[0], &server, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 4;
    }
    /* It lives as long as the VMM, and ends by itself with it. */
    struct pollfd gone = {.fd = server.pidfd, .events = POLLIN};
    if (poll(&gone, 1, 0) != 0 || if_nametoindex("up0") != 0) {
        return 5;
    }
    int status = 0;
    (void)!write(end[1], "e", 1);
    if (waitpid(pid, &status, 0) != pid || poll(&gone, 1, PATIENCE_MS) != 1) {
        return 6;
    }
    net_server_done(&server);
    bool is_root = geteuid() == 0;
    return is_root || status == 0 ? 0 : 7;
}

static void expect(int status)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED) {
        skip();
    }
    assert_int_equal(status, 0);
}

static void served_and_gone(void **state)
{
    (void)state;
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(try_out());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    expect(status);
}

/* Where the device is root's alone, one for everybody is put over it, seen by nobody else. */
static bool become_nobody(void)
{
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", "/dev/net", "tmpfs", 0, NULL) == 0 &&
           mknod("/dev/net/tun", S_IFCHR | 0666, makedev(10, 200)) == 0 &&
           chmod("/dev/net/tun", 0666) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
           setresuid(NOBODY, NOBODY, NOBODY) == 0 &&
           prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0; /* as after a login */
}

static void served_for_an_ordinary_user(void **state)
{
    (void)state;
    int status = -1;
    if (geteuid() != 0) {
        skip(); /* the other test is this one */
    }
    pid_t pid = fork();
    if (pid == 0) {
        _exit(become_nobody() ? try_out() : SKIPPED);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    expect(status);
}

static void what_is_missing_is_said(void **state)
{
    (void)state;
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        struct error err = {0};
        setenv("PATH", "/nowhere", 1);
        bool is_usable = net_space_check(&err);
        _exit(is_usable || err.code != ERROR_UNSUPPORTED ||
              strstr(err.text, "apt install slirp4netns") == NULL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(served_and_gone),
        cmocka_unit_test(served_for_an_ordinary_user),
        cmocka_unit_test(what_is_missing_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
