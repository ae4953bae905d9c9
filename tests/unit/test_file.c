/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/file_draft.h"
#include "base/progress.h"
#include "support/no_openat2.h"
#include "support/scratch.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int open_scratch(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void test_replace_is_whole_and_leaves_nothing_else(void **state)
{
    (void)state;
    char *path = scratch_make();
    auto_close int dir = open_scratch(path);
    struct error err = {0};
    assert_true(file_replace(dir, "a.json", "one", 3, 0600, &err));
    assert_true(file_replace(dir, "a.json", "two two", 7, 0600, &err));
    auto_free char *content = scratch_read(path, "a.json");
    assert_string_equal(content, "two two");
    auto_free char *names = scratch_list(path, ".");
    assert_string_equal(names, "a.json");
    assert_int_equal(scratch_mode(path, "a.json"), 0600);
    scratch_remove(path);
}

static void test_nothing_is_made_through_or_over_what_is_there(void **state)
{
    (void)state;
    char *path = scratch_make();
    auto_close int dir = open_scratch(path);
    struct error err = {0};
    scratch_write(path, "f", "content");
    assert_int_equal(mkdirat(dir, "d", 0700), 0);
    assert_int_equal(symlinkat("d", dir, "link"), 0);
    assert_int_equal(symlinkat("absent", dir, "dangling"), 0);
    static const char *const names[] = {"f", "d", "link", "dangling"};
    for (size_t i = 0; i < array_length(names); i++) {
        error_clear(&err);
        assert_int_equal(file_create(dir, names[i], &err), -1);
        assert_code(err, ERROR_EXISTS);
    }
    error_clear(&err);
    assert_int_equal(file_open_dir(dir, "link", &err), -1);
    /* What could not be put in place is gone again. */
    error_clear(&err);
    assert_false(file_replace(dir, "d", "one", 3, 0600, &err));
    auto_free char *list = scratch_list(path, ".");
    assert_string_equal(list, "d dangling f link");
    scratch_remove(path);
}

/* In a child, for what it takes cannot be given back. 77 where it cannot be done here. */
static int ends_with(int (*work)(const char *path, int dir))
{
    char *path = scratch_make();
    auto_close int dir = open_scratch(path);
    assert_int_equal(mkdirat(dir, "tree", 0700), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(work(path, dir));
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    scratch_remove(path);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int remove_across_a_mount(const char *path, int dir)
{
    struct error err = {0};
    auto_free char *inside = memory_printf("%s/tree/mount", path);
    if (mkdir(inside, 0700) != 0 || unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", inside, "tmpfs", 0, NULL) != 0) {
        return 77;
    }
    auto_free char *file = memory_printf("%s/file", inside);
    auto_close int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    bool is_spared = fd >= 0 && !file_remove_tree(dir, "tree", &err) && access(file, F_OK) == 0;
    return is_spared && err.code == ERROR_IO ? 0 : 1;
}

static int remove_without_rights(const char *path, int dir)
{
    struct error err = {0};
    (void)path;
    if (geteuid() == 0 && (fchown(dir, 65534, 65534) != 0 ||
                              fchownat(dir, "tree", 65534, 65534, 0) != 0 || setuid(65534) != 0)) {
        return 77;
    }
    if (mkdirat(dir, "tree/closed", 0700) != 0 || mkdirat(dir, "tree/closed/x", 0700) != 0 ||
        fchmodat(dir, "tree/closed", 0, 0) != 0) {
        return 77;
    }
    return file_remove_tree(dir, "tree", &err) && !file_exists(dir, "tree") ? 0 : 1;
}

static void test_remove_tree_stops_at_mounts_and_not_at_modes(void **state)
{
    (void)state;
    int mount_ends = ends_with(remove_across_a_mount);
    assert_true(mount_ends == 0 || mount_ends == 77);
    int mode_ends = ends_with(remove_without_rights);
    assert_true(mode_ends == 0 || mode_ends == 77);
}

static void test_reading_has_a_limit_and_follows_no_link(void **state)
{
    (void)state;
    char *path = scratch_make();
    auto_close int dir = open_scratch(path);
    scratch_write(path, "f", "0123456789");
    assert_int_equal(symlinkat("f", dir, "link"), 0);
    assert_int_equal(mkfifoat(dir, "fifo", 0600), 0);
    auto_done(text) struct text out = {0};
    struct error err = {0};
    assert_true(file_read_all(dir, "f", 10, &out, &err));
    assert_false(file_read_all(dir, "f", 9, &out, &err));
    assert_code(err, ERROR_LIMIT);
    error_clear(&err);
    assert_int_equal(file_open_read(dir, "link", &err), -1);
    assert_code(err, ERROR_FORMAT);
    error_clear(&err);
    assert_int_equal(file_open_read(dir, "fifo", &err), -1); /* and does not wait for a writer */
    assert_code(err, ERROR_FORMAT);
    error_clear(&err);
    assert_int_equal(file_open_read(dir, "absent", &err), -1);
    assert_code(err, ERROR_NOT_FOUND);
    scratch_remove(path);
}

static void beneath_never_leaves_the_directory(void)
{
    char *path = scratch_make();
    scratch_write(path, "outside", "secret");
    scratch_write(path, "in/sub/file", "x");
    auto_free char *inside = memory_printf("%s/in", path);
    auto_close int dir = open_scratch(inside);
    assert_int_equal(symlinkat("..", dir, "up"), 0);
    assert_int_equal(symlinkat("sub", dir, "across"), 0);
    assert_int_equal(symlinkat("/etc/passwd", dir, "away"), 0);
    auto_close int good = file_open_beneath(dir, "sub/file", O_RDONLY, 0);
    assert_true(good >= 0);
    static const char *const bad[] = {"../outside", "/etc/passwd", "sub/../../outside",
        "up/outside", "across/file", "away", "..", "sub/file/x"};
    for (size_t i = 0; i < array_length(bad); i++) {
        auto_close int fd = file_open_beneath(dir, bad[i], O_RDONLY, 0);
        if (fd >= 0) {
            fail_msg("opened %s", bad[i]);
        }
    }
    auto_close int made = file_open_beneath(dir, "sub/new", O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(made >= 0);
    assert_true(scratch_has(path, "in/sub/new"));
    assert_int_equal(file_open_beneath(dir, "up/new", O_WRONLY | O_CREAT | O_EXCL, 0600), -1);
    assert_false(scratch_has(path, "new"));
    scratch_remove(path);
}

static void test_beneath_never_leaves_the_directory(void **state)
{
    (void)state;
    beneath_never_leaves_the_directory();
}

/* The same promises where the kernel has no openat2. */
static void test_beneath_without_openat2(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        if (!no_openat2()) {
            _exit(77);
        }
        beneath_never_leaves_the_directory();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_remove_tree_spares_what_links_point_to(void **state)
{
    (void)state;
    char *path = scratch_make();
    scratch_write(path, "keep/me", "x");
    scratch_write(path, "tree/a/b/c", "x");
    scratch_write(path, "tree/dark/file", "x");
    auto_close int dir = open_scratch(path);
    assert_int_equal(symlinkat("../keep", dir, "tree/link"), 0);
    assert_int_equal(fchmodat(dir, "tree/dark", 0, 0), 0);
    struct error err = {0};
    assert_true(file_remove_tree(dir, "tree", &err));
    assert_fine(err);
    assert_false(scratch_has(path, "tree"));
    assert_true(scratch_has(path, "keep/me"));
    assert_true(file_remove_tree(dir, "tree", &err)); /* missing is success */
    scratch_remove(path);
}

static uint64_t allocated(int fd)
{
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    return (uint64_t)status.st_blocks * 512;
}

static void test_copy_keeps_holes_and_bytes(void **state)
{
    (void)state;
    char *path = scratch_make();
    auto_close int dir = open_scratch(path);
    struct error err = {0};
    auto_close int from = file_create(dir, "from", &err);
    auto_close int to = file_create(dir, "to", &err);
    const uint64_t size = UINT64_C(64) << 20;
    assert_true(file_write_all_at(from, "head", 4, 0, &err));
    assert_true(file_write_all_at(from, "middle", 6, size / 2 + 17, &err));
    assert_int_equal(ftruncate(from, (off_t)size), 0);
    assert_true(file_copy_data(from, to, "from", NULL, NULL, &err));
    assert_fine(err);
    struct stat status;
    assert_int_equal(fstat(to, &status), 0);
    assert_true((uint64_t)status.st_size == size);
    assert_true(allocated(to) <= UINT64_C(1) << 20);
    char bytes[6];
    assert_int_equal(pread(to, bytes, 6, (off_t)(size / 2 + 17)), 6);
    assert_memory_equal(bytes, "middle", 6);
    assert_int_equal(pread(to, bytes, 4, 0), 4);
    assert_memory_equal(bytes, "head", 4);
    scratch_remove(path);
}

/* Cuts the file off behind its first piece, once that is copied. */
static void cut_off(void *context, enum progress_phase phase, enum progress_unit unit,
    uint64_t done, uint64_t total)
{
    (void)phase;
    (void)unit;
    (void)total;
    assert_int_equal(ftruncate(*(const int *)context, (off_t)done), 0);
}

/* What is not there any more is not made up for by zeros. */
static void test_copy_of_a_file_that_shrinks_fails(void **state)
{
    (void)state;
    char *path = scratch_make();
    auto_close int dir = open_scratch(path);
    struct error err = {0};
    auto_close int from = file_create(dir, "from", &err);
    auto_close int to = file_create(dir, "to", &err);
    auto_close int clone = file_create(dir, "clone", &err);
    struct progress progress = {.context = &from, .report = cut_off};
    assert_true(file_write_all_at(from, "head", 4, 0, &err));
    assert_true(file_write_all_at(from, "tail", 4, UINT64_C(64) << 20, &err));
    if (ioctl(clone, FICLONE, from) == 0) {
        scratch_remove(path);
        skip(); /* a copy in one step */
    }
    assert_false(file_copy_data(from, to, "from", &progress, NULL, &err));
    assert_code(err, ERROR_IO);
    scratch_remove(path);
}

static void test_sparse_writing_skips_zero_blocks(void **state)
{
    (void)state;
    char *path = scratch_make();
    auto_close int dir = open_scratch(path);
    struct error err = {0};
    auto_close int fd = file_create(dir, "f", &err);
    const size_t len = (size_t)1 << 20;
    auto_free char *bytes = memory_zero(len, 1);
    bytes[5000] = 'a';
    bytes[len - 1] = 'z';
    assert_true(file_write_sparse(fd, bytes, len, 100, &err)); /* not aligned */
    assert_int_equal(ftruncate(fd, (off_t)(len + 100)), 0);
    assert_true(allocated(fd) <= 4 * 4096);
    auto_free char *back = memory_zero(len, 1);
    assert_int_equal(pread(fd, back, len, 100), len);
    assert_memory_equal(back, bytes, len);
    scratch_remove(path);
}

static void test_space_is_asked_for(void **state)
{
    (void)state;
    char *path = scratch_make();
    auto_close int dir = open_scratch(path);
    struct error err = {0};
    assert_true(file_need_space(dir, ".", 1, &err));
    assert_false(file_need_space(dir, ".", UINT64_MAX, &err));
    assert_code(err, ERROR_NO_SPACE);
    assert_non_null(strstr(err.text, path)); /* where, although it was given as "." */
    scratch_remove(path);
}

static void assert_names(const char *dir, const char *wanted)
{
    auto_free char *names = scratch_list(dir, ".");
    assert_string_equal(names, wanted);
}

/* Begun, finished, in the way of itself, and replacing itself, in an empty directory. */
static void draft_files(const char *dir, bool may_have_name)
{
    auto_free char *path = memory_printf("%s/made", dir);
    for (int i = 0; i < 4; i++) {
        bool is_replacing = i == 2;
        struct error err = {0};
        auto_done(file_draft) struct file_draft draft = {.fd = -1};
        assert_true(file_draft_begin(&draft, i == 0 ? dir : path, &err));
        assert_string_equal(draft.folder, dir);
        assert_int_equal(draft.temporary != NULL, may_have_name);
        if (!may_have_name) {
            assert_names(dir, i > 0 ? "made" : "");
        }
        char content[2] = {(char)('0' + i), '\0'};
        assert_true(file_write_all(draft.fd, content, 1, &err));
        if (i == 3) {
            continue; /* given up */
        }
        bool is_done = file_draft_finish(&draft, path, is_replacing, &err);
        assert_int_equal(is_done, i != 1);
        assert_int_equal(err.code, i == 1 ? ERROR_EXISTS : ERROR_NONE);
        auto_free char *made = scratch_read(dir, "made");
        assert_string_equal(made, i == 2 ? "2" : "0");
        assert_int_equal(scratch_mode(dir, "made"), 0600);
    }
    assert_names(dir, "made");
}

static void a_draft_has_no_name_until_it_is_whole(void **state)
{
    (void)state;
    char *dir = scratch_make();
    draft_files(dir, false);
    scratch_remove(dir);
}

/* As on a file system that has no files without a name: everything the flag says is refused. */
static void a_draft_where_every_file_has_a_name(void **state)
{
    (void)state;
    char *dir = scratch_make();
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct sock_filter steps[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3),
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
            BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_TMPFILE & ~O_DIRECTORY, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = {.len = array_length(steps), .filter = steps};
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
            _exit(77);
        }
        draft_files(dir, true);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    scratch_remove(dir);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        skip();
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replace_is_whole_and_leaves_nothing_else),
        cmocka_unit_test(test_reading_has_a_limit_and_follows_no_link),
        cmocka_unit_test(test_nothing_is_made_through_or_over_what_is_there),
        cmocka_unit_test(test_remove_tree_stops_at_mounts_and_not_at_modes),
        cmocka_unit_test(test_beneath_never_leaves_the_directory),
        cmocka_unit_test(test_beneath_without_openat2),
        cmocka_unit_test(test_remove_tree_spares_what_links_point_to),
        cmocka_unit_test(test_copy_keeps_holes_and_bytes),
        cmocka_unit_test(test_copy_of_a_file_that_shrinks_fails),
        cmocka_unit_test(test_sparse_writing_skips_zero_blocks),
        cmocka_unit_test(test_space_is_asked_for),
        cmocka_unit_test(a_draft_has_no_name_until_it_is_whole),
        cmocka_unit_test(a_draft_where_every_file_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
