/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/landlock.h>

#include "artifact/confine.h"
#include "support/scratch.h"

/* What a confined process finds that it can still do. */
enum {
    DID_FAIL = 1,    /* confine_self itself */
    CANNOT_WORK = 2, /* not even write where it should */
    WROTE_OUTSIDE = 4,
    MADE_OUTSIDE = 8,
    MADE_MORE = 16,    /* a socket, or a process */
    HAS_NO_LIMIT = 32, /* or may gain privileges */
    HAS_LANDLOCK = 64,
    HAS_SECCOMP = 128,
};

static bool has_sanitizer(void)
{
    const char *sanitizers = getenv("SANITIZERS");
    return sanitizers != NULL && strcmp(sanitizers, "no") != 0;
}

static bool is_limited(__rlimit_resource_t resource, uint64_t most)
{
    struct rlimit limit;
    return getrlimit(resource, &limit) == 0 && limit.rlim_cur <= most;
}

static bool has_all_limits(const struct confine *confine)
{
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 &&
           (has_sanitizer() || is_limited(RLIMIT_AS, confine->memory_bytes)) &&
           is_limited(RLIMIT_FSIZE, confine->file_bytes) &&
           is_limited(RLIMIT_CPU, confine->cpu_seconds) &&
           is_limited(RLIMIT_NOFILE, confine->descriptors) && is_limited(RLIMIT_CORE, 0);
}

/* Whether this kernel would do it for anybody. */
static bool is_landlock_here(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_CREATE_RULESET_VERSION) >
           0;
}

static void *note_here(void *here)
{
    *(bool *)here = true;
    return NULL;
}

static bool can_start_thread(void)
{
    pthread_t thread;
    bool was_here = false;
    return pthread_create(&thread, NULL, note_here, &was_here) == 0 &&
           pthread_join(thread, NULL) == 0 && was_here;
}

/* In any way there is, with spaces of its own or without. */
static bool makes_process(void)
{
    static const unsigned long flags[] = {SIGCHLD, SIGCHLD | CLONE_NEWUSER, SIGCHLD | CLONE_NEWNS,
        SIGCHLD | CLONE_VFORK, CLONE_NEWUSER | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM};
    bool has_made = false;
    for (size_t i = 0; i < array_length(flags); i++) {
        long pid = syscall(SYS_clone, flags[i], 0UL, 0UL, 0UL, 0UL);
        if (pid == 0) {
            _exit(0);
        }
        has_made |= pid > 0;
    }
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    return has_made || pid > 0;
}

static int probe(const char *inside, const char *outside)
{
    struct error err = {0};
    struct confine_result result = {0};
    struct confine confine = {
        .writable_dir = open(inside, O_PATH | O_DIRECTORY | O_CLOEXEC),
        .memory_bytes = (uint64_t)1 << 30,
        .file_bytes = 4096,
        .cpu_seconds = 60,
        .descriptors = 32,
    };
    auto_free char *victim = memory_printf("%s/victim", outside);
    auto_free char *stranger = memory_printf("%s/stranger", outside);
    if (!confine_self(&confine, &result, &err)) {
        return DID_FAIL;
    }
    int found = (result.has_landlock ? HAS_LANDLOCK : 0) | (result.has_seccomp ? HAS_SECCOMP : 0);
    found |= has_all_limits(&confine) ? 0 : HAS_NO_LIMIT;
    int fd = openat(confine.writable_dir, "made", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    char page[8192] = "";
    if (fd < 0 || write(fd, page, sizeof page) != 4096 || write(fd, page, 1) != -1 ||
        errno != EFBIG || mkdirat(confine.writable_dir, "dir", 0700) != 0 ||
        symlinkat("made", confine.writable_dir, "link") != 0) {
        found |= CANNOT_WORK;
    }
    found |= open(victim, O_WRONLY | O_CLOEXEC) >= 0 ? WROTE_OUTSIDE : 0;
    found |= open(stranger, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0 ? MADE_OUTSIDE : 0;
    found |= socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0 ? MADE_MORE : 0;
    found |= can_start_thread() ? 0 : CANNOT_WORK;
    found |= makes_process() ? MADE_MORE : 0;
    char *const argv[] = {(char *)"true", NULL};
    execv("/bin/true", argv);
    return found;
}

static void a_confined_process_can_only_write_inside(void **state)
{
    (void)state;
    char *world = scratch_make();
    auto_free char *inside = memory_printf("%s/inside", world);
    scratch_write(world, "victim", "untouched");
    assert_int_equal(mkdir(inside, 0700), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(probe(inside, world));
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    int found = WEXITSTATUS(status);
    auto_free char *names = scratch_list(world, "inside");
    assert_string_equal(names, "dir link made");
    scratch_remove(world);
    if (found == 0) {
        fail_msg("it could run a program");
    }
    assert_int_equal(found & (DID_FAIL | CANNOT_WORK | HAS_NO_LIMIT), 0);
    assert_int_equal((found & HAS_LANDLOCK) != 0, is_landlock_here());
    if (found & HAS_LANDLOCK) {
        assert_int_equal(found & (WROTE_OUTSIDE | MADE_OUTSIDE), 0);
    } else {
        print_message("no Landlock here\n");
    }
    if (found & HAS_SECCOMP) {
        assert_int_equal(found & MADE_MORE, 0);
    } else {
        print_message("no seccomp filter here\n");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_confined_process_can_only_write_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
