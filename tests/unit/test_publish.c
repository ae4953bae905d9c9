/* SPDX-License-Identifier: MIT */
/* Staging, publishing, removing and sweeping: nothing half-made ever has a final name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "store/publish.h"
#include "support/scratch.h"

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

static struct staging *stage(struct world *world, const char *name, const char *content)
{
    struct error err = {0};
    struct staging *staging = staging_begin(world->store, STORE_KERNEL, name, &err);
    assert_fine(err);
    scratch_write(staging_path(staging), "vmlinux", content);
    scratch_write(staging_path(staging), "modules/kernel/x.ko", content);
    return staging;
}

static void assert_kernels(struct world *world, const char *wanted)
{
    auto_free char *names = scratch_list(world->dir, "kernels");
    assert_string_equal(names, wanted);
}

static void assert_content(struct world *world, const char *file, const char *wanted)
{
    auto_free char *content = scratch_read(world->dir, file);
    assert_non_null(content);
    assert_string_equal(content, wanted);
}

static void test_publish_new(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    auto_staging struct staging *staging = stage(world, "k", "one");
    assert_false(scratch_has(world->dir, "kernels/k"));
    assert_true(staging_publish(staging, PUBLISH_NEW, &err));
    assert_kernels(world, "k");
    assert_content(world, "kernels/k/vmlinux", "one");
    assert_content(world, "kernels/k/modules/kernel/x.ko", "one");
    assert_int_equal(scratch_mode(world->dir, "kernels/k"), 0700);
    staging_abandon(take_ptr(staging));
    assert_kernels(world, "k");
}

static void test_taken_name_is_refused(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    scratch_write(world->dir, "kernels/k/vmlinux", "old");
    struct staging *staging = stage(world, "k", "new");
    assert_false(staging_publish(staging, PUBLISH_NEW, &err));
    assert_code(err, ERROR_EXISTS);
    assert_non_null(strstr(err.text, "--force"));
    staging_abandon(staging);
    assert_kernels(world, "k");
    assert_content(world, "kernels/k/vmlinux", "old");
}

static void test_replace_exchanges(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    scratch_write(world->dir, "kernels/k/vmlinux", "old");
    scratch_write(world->dir, "kernels/k/initrd.img", "old");
    auto_staging struct staging *staging = stage(world, "k", "new");
    assert_true(staging_publish(staging, PUBLISH_REPLACE, &err));
    assert_kernels(world, "k");
    assert_content(world, "kernels/k/vmlinux", "new");
    assert_false(scratch_has(world->dir, "kernels/k/initrd.img"));
}

static void test_replace_of_a_free_name(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    auto_staging struct staging *staging = stage(world, "k", "new");
    assert_true(staging_publish(staging, PUBLISH_REPLACE, &err));
    assert_kernels(world, "k");
}

static void test_abandon_removes(void **state)
{
    struct world *world = *state;
    struct staging *staging = stage(world, "k", "x");
    auto_free char *locked = memory_printf("%s/modules/kernel", staging_path(staging));
    assert_int_equal(chmod(locked, 0), 0);
    staging_abandon(staging);
    assert_kernels(world, "");
}

static void test_many_files(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    auto_staging struct staging *staging = stage(world, "k", "x");
    for (int i = 0; i < 150; i++) {
        auto_free char *name = memory_printf("modules/kernel/%d.ko", i);
        scratch_write(staging_path(staging), name, "m");
    }
    assert_int_equal(symlinkat("x.ko", staging_dir(staging), "link"), 0);
    assert_true(staging_publish(staging, PUBLISH_NEW, &err));
    assert_true(scratch_has(world->dir, "kernels/k/modules/kernel/149.ko"));
    assert_true(scratch_has(world->dir, "kernels/k/link"));
}

static void test_bad_names(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    assert_null(staging_begin(world->store, STORE_KERNEL, "../k", &err));
    assert_code(err, ERROR_INVALID);
    error_clear(&err);
    assert_false(store_remove_entry(world->store, STORE_KERNEL, "..", &err));
    assert_code(err, ERROR_INVALID);
    assert_kernels(world, "");
}

/* Runs body in a child; returns its exit status. */
static int in_child(struct world *world, int (*body)(struct world *world))
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(body(world));
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_one_winner(void **state)
{
    enum { RACERS = 8 };
    struct world *world = *state;
    int gate[2];
    assert_int_equal(pipe(gate), 0);
    pid_t pids[RACERS];
    for (int i = 0; i < RACERS; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            struct error err = {0};
            char go;
            close(gate[1]);
            struct staging *staging = stage(world, "k", "x");
            ssize_t end = read(gate[0], &go, 1); /* end of file when all are let go */
            bool is_winner = end == 0 && staging_publish(staging, PUBLISH_NEW, &err);
            staging_abandon(staging);
            _exit(is_winner ? 0 : err.code == ERROR_EXISTS ? 1 : 2);
        }
    }
    close(gate[0]);
    close(gate[1]);
    int winners = 0;
    for (int i = 0; i < RACERS; i++) {
        int status;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
        winners += WEXITSTATUS(status) == 0;
    }
    assert_int_equal(winners, 1);
    assert_kernels(world, "k");
}

static void test_sweep_takes_the_dead_and_leaves_the_living(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    int said[2];
    assert_int_equal(pipe(said), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        stage(world, "dead", "x");
        ssize_t wrote = write(said[1], "y", 1);
        (void)wrote;
        for (;;) {
            pause();
        }
    }
    char answer;
    assert_int_equal(read(said[0], &answer, 1), 1);
    close(said[0]);
    close(said[1]);
    auto_staging struct staging *alive = stage(world, "alive", "x");

    uint64_t removed = 99;
    assert_true(store_sweep(world->store, &removed, &err));
    assert_int_equal(removed, 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_true(store_sweep(world->store, &removed, &err));
    assert_int_equal(removed, 1);
    assert_true(staging_publish(alive, PUBLISH_NEW, &err));
    assert_kernels(world, "alive");
}

static void test_sweep_takes_only_what_is_ours(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    uint64_t removed;
    scratch_write(world->dir, "kernels/.del-0123/modules/x", "x");
    scratch_write(world->dir, "images/.tmp-0123/rootfs.ext4", "x");
    scratch_write(world->dir, "trash/.del-0123/x", "x");
    scratch_write(world->dir, "kernels/good/vmlinux", "x");
    scratch_write(world->dir, "kernels/damaged/x", "x");
    scratch_write(world->dir, "kernels/.mine/x", "x");
    auto_free char *closed = memory_printf("%s/kernels/.del-0123/modules", world->dir);
    assert_int_equal(chmod(closed, 0), 0);
    assert_true(store_sweep(world->store, &removed, &err));
    assert_int_equal(removed, 3);
    assert_kernels(world, ".mine damaged good");
}

static void age(struct world *world, const char *name, int days)
{
    auto_free char *path = memory_printf("%s/%s", world->dir, name);
    struct timespec then = {.tv_sec = time(NULL) - days * 86400};
    const struct timespec both[2] = {then, then};
    assert_int_equal(utimensat(AT_FDCWD, path, both, 0), 0);
}

static void test_sweep_of_partial_downloads(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    uint64_t removed;
    scratch_write(world->dir, "cache/downloads/old.part", "x");
    scratch_write(world->dir, "cache/downloads/fresh.part", "x");
    scratch_write(world->dir, "cache/downloads/held.part", "x");
    age(world, "cache/downloads/old.part", 8);
    age(world, "cache/downloads/fresh.part", 6);
    age(world, "cache/downloads/held.part", 8);
    auto_free char *held = memory_printf("%s/cache/downloads/held.part", world->dir);
    auto_close int fd = open(held, O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_true(store_sweep(world->store, &removed, &err));
    assert_int_equal(removed, 1);
    auto_free char *left = scratch_list(world->dir, "cache/downloads");
    assert_string_equal(left, "fresh.part held.part");
}

/* What a document's writer left that was killed, and what one has just begun. */
static void test_sweep_of_temporaries(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    uint64_t removed;
    static const char *const old[] = {"jobs/1.json.tmp-0123456789abcdef",
        "vms/m/vm.json.tmp-0123456789abcdef", "cache/catalogs/c.json.tmp-0123456789abcdef"};
    static const char *const fresh[] = {"jobs/2.json.tmp-0123456789abcdef",
        "vms/m/next.json.tmp-0123456789abcdef", "cache/catalogs/d.json.tmp-0123456789abcdef"};
    scratch_write(world->dir, "vms/m/vm.json", "{}");
    for (size_t i = 0; i < array_length(old); i++) {
        scratch_write(world->dir, old[i], "x");
        scratch_write(world->dir, fresh[i], "x");
        age(world, old[i], 1);
    }
    assert_true(store_sweep_find(world->store, &removed, &err));
    assert_int_equal(removed, array_length(old));
    assert_true(store_sweep(world->store, &removed, &err));
    assert_int_equal(removed, array_length(old));
    auto_free char *jobs = scratch_list(world->dir, "jobs");
    auto_free char *machine = scratch_list(world->dir, "vms/m");
    auto_free char *catalogs = scratch_list(world->dir, "cache/catalogs");
    assert_string_equal(jobs, "2.json.tmp-0123456789abcdef");
    assert_string_equal(machine, "next.json.tmp-0123456789abcdef vm.json");
    assert_string_equal(catalogs, "d.json.tmp-0123456789abcdef");
}

static void test_remove(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    scratch_write(world->dir, "kernels/k/modules/a/b", "x");
    scratch_write(world->dir, "kernels/other/vmlinux", "x");
    assert_true(store_remove_entry(world->store, STORE_KERNEL, "k", &err));
    assert_kernels(world, "other");
    assert_false(store_remove_entry(world->store, STORE_KERNEL, "k", &err));
    assert_code(err, ERROR_NOT_FOUND);
}

static void test_remove_never_follows(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    scratch_write(world->dir, "outside/precious", "x");
    scratch_write(world->dir, "kernels/k/vmlinux", "x");
    auto_free char *outside = memory_printf("%s/outside", world->dir);
    auto_free char *inner = memory_printf("%s/kernels/k/modules", world->dir);
    auto_free char *entry = memory_printf("%s/kernels/link", world->dir);
    assert_int_equal(symlink(outside, inner), 0);
    assert_int_equal(symlink(outside, entry), 0);
    assert_true(store_remove_entry(world->store, STORE_KERNEL, "k", &err));
    assert_true(store_remove_entry(world->store, STORE_KERNEL, "link", &err));
    assert_kernels(world, "");
    assert_true(scratch_has(world->dir, "outside/precious"));
}

static void test_rename(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    scratch_write(world->dir, "vms/a/vm.json", "a");
    scratch_write(world->dir, "vms/b/vm.json", "b");
    assert_false(store_rename_entry(world->store, STORE_VM, "a", "b", &err));
    assert_code(err, ERROR_EXISTS);
    error_clear(&err);
    assert_true(store_rename_entry(world->store, STORE_VM, "a", "c", &err));
    assert_content(world, "vms/c/vm.json", "a");
    assert_false(store_rename_entry(world->store, STORE_VM, "a", "d", &err));
    assert_code(err, ERROR_NOT_FOUND);
}

/* As on a file system without the flags of renameat2(2), such as NFS. */
static bool forbid_renameat2(void)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = array_length(steps), .filter = steps};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static int publish_without_flags(struct world *world)
{
    struct error err = {0};
    if (!forbid_renameat2()) {
        return 77;
    }
    struct staging *first = stage(world, "k", "one");
    bool is_new = staging_publish(first, PUBLISH_NEW, &err);
    staging_abandon(first);
    struct staging *second = stage(world, "k", "two");
    bool is_refused = !staging_publish(second, PUBLISH_NEW, &err) && err.code == ERROR_EXISTS;
    error_clear(&err);
    bool is_replaced = staging_publish(second, PUBLISH_REPLACE, &err);
    staging_abandon(second);
    return is_new && is_refused && is_replaced ? 0 : 1;
}

static void test_without_rename_flags(void **state)
{
    struct world *world = *state;
    int status = in_child(world, publish_without_flags);
    if (status == 77) {
        skip();
    }
    assert_int_equal(status, 0);
    assert_kernels(world, "k");
    assert_content(world, "kernels/k/vmlinux", "two");
}

#define PUBLISH_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PUBLISH_TEST(test_publish_new),
        PUBLISH_TEST(test_taken_name_is_refused),
        PUBLISH_TEST(test_replace_exchanges),
        PUBLISH_TEST(test_replace_of_a_free_name),
        PUBLISH_TEST(test_abandon_removes),
        PUBLISH_TEST(test_many_files),
        PUBLISH_TEST(test_bad_names),
        PUBLISH_TEST(test_one_winner),
        PUBLISH_TEST(test_sweep_takes_the_dead_and_leaves_the_living),
        PUBLISH_TEST(test_sweep_takes_only_what_is_ours),
        PUBLISH_TEST(test_sweep_of_partial_downloads),
        PUBLISH_TEST(test_sweep_of_temporaries),
        PUBLISH_TEST(test_remove),
        PUBLISH_TEST(test_remove_never_follows),
        PUBLISH_TEST(test_rename),
        PUBLISH_TEST(test_without_rename_flags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
