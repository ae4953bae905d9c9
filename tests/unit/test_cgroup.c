/* SPDX-License-Identifier: MIT */
/* Control groups: what the kernel's files say is read right, and a real group is made, filled,
 * measured, ended and removed where this host allows one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/scratch.h"
#include "vm/cgroup.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define UUID "0b1c2d3e-1111-4222-8333-%012x"

static void put(const char *place, const char *name, const char *content)
{
    auto_free char *path = memory_printf("%s/%s", place, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static void read_all_that_a_kernel_tells(void **state)
{
    (void)state;
    struct cgroup_use use;
    char *place = scratch_make();
    cgroup_read(place, &use);
    assert_false(use.has_cpu || use.has_memory || use.has_storage);
    assert_true(use.cpu_pressure == -1 && use.memory_pressure == -1);
    put(place, "cpu.stat", "user_usec 1\nusage_usec 2345678\nnr_usage_usec 9\n");
    put(place, "memory.current", "134217728\n");
    put(place, "io.stat",
        "8:0 rbytes=4096 wbytes=512 rios=1 wios=1 dbytes=7 dios=0\n"
        "254:16 rbytes=100 wbytes=200 rios=1 wios=2 dbytes=0 dios=0\n8:16 \n");
    put(place, "cpu.pressure", "some avg10=12.07 avg60=1.00 avg300=0.00 total=1\n");
    cgroup_read(place, &use);
    assert_true(use.has_cpu && use.has_memory && use.has_storage);
    assert_int_equal(use.cpu_ms, 2345);
    assert_int_equal(use.memory_bytes, 134217728);
    assert_int_equal(use.memory_peak_bytes, 134217728); /* a kernel that does not tell */
    assert_int_equal(use.read_bytes, 4196);
    assert_int_equal(use.written_bytes, 712);
    assert_int_equal(use.cpu_pressure, 1207);
    put(place, "memory.peak", "200000000\n");
    cgroup_read(place, &use);
    assert_int_equal(use.memory_peak_bytes, 200000000);
    scratch_remove(place);
}

static void only_groups_of_machines_have_a_uuid(void **state)
{
    (void)state;
    static const char *const none[] = {"", "/", "/sys/fs/cgroup", "/x/banger-", "/x/banger-1234",
        "/x/banger-0b1c2d3e-1111-4222-8333-00000000000g",
        "/x/banger-0b1c2d3e-1111-4222-8333-0000000000001",
        "/x/banger-0b1c2d3e-1111-4222-8333-000000000001/below"};
    for (size_t i = 0; i < array_length(none); i++) {
        assert_null(cgroup_uuid(none[i]));
    }
    assert_string_equal(cgroup_uuid("/x/banger-0b1c2d3e-1111-4222-8333-000000000001"),
        "0b1c2d3e-1111-4222-8333-000000000001");
}

static bool is_found(const char *path)
{
    auto_done(strings) struct strings paths = {0};
    cgroup_find(&paths);
    bool is_there = false;
    for (size_t i = 0; i < paths.count; i++) {
        is_there = is_there || strcmp(paths.items[i], path) == 0;
    }
    return is_there;
}

/* Uses the processor until it is ended. */
static _Noreturn void be_busy(void)
{
    alarm(60); /* not longer than anybody waits for it */
    for (volatile unsigned i = 0;; i++) {
    }
}

static void a_group_of_its_own(void **state)
{
    (void)state;
    struct error err = {0};
    struct cgroup_use use;
    char uuid[64];
    snprintf(uuid, sizeof uuid, UUID, (unsigned)getpid());
    auto_free char *path = cgroup_of_machine(uuid);
    if (path == NULL) {
        cgroup_parent(&err);
        print_message("skipped: %s\n", err.text);
        skip();
    }
    assert_false(is_found(path));
    assert_true(cgroup_make(path, "/one", &err) && cgroup_make(path, "/one", &err));
    assert_true(is_found(path) && cgroup_is_empty(path, 0));
    assert_true(cgroup_is_of(path, "/one"));
    assert_false(cgroup_is_of(path, "/on") || cgroup_is_of(path, "/one/two"));
    pid_t pid = fork();
    if (pid == 0) {
        be_busy();
    }
    assert_true(cgroup_enter(path, pid, &err));
    assert_false(cgroup_is_empty(path, 0));
    do {
        cgroup_read(path, &use);
    } while (use.has_cpu && use.cpu_ms < 20);
    assert_true(use.has_cpu);
    int status = 0;
    cgroup_kill(path);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_true(cgroup_remove(path));
    assert_false(is_found(path));
    assert_true(cgroup_remove(path)); /* already so */
}

/* In and out again, as the monitor does it. */
static void entered_and_left(void **state)
{
    (void)state;
    struct error err = {0};
    char uuid[64];
    snprintf(uuid, sizeof uuid, UUID, (unsigned)getpid());
    auto_free char *path = cgroup_of_machine(uuid);
    if (path == NULL) {
        skip();
    }
    assert_true(cgroup_make(path, "/one", &err) && cgroup_enter(path, 0, &err));
    auto_free char *from_inside = cgroup_of_machine(uuid);
    assert_string_equal(from_inside, path);
    assert_false(cgroup_remove(path));
    cgroup_leave(path);
    assert_true(cgroup_remove(path));
    assert_false(cgroup_enter(path, 0, &err));
    assert_non_null(strstr(err.text, path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_all_that_a_kernel_tells),
        cmocka_unit_test(only_groups_of_machines_have_a_uuid),
        cmocka_unit_test(a_group_of_its_own),
        cmocka_unit_test(entered_and_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
