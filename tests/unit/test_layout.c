/* SPDX-License-Identifier: MIT */
/* Opening the state directory: what is made, with which modes, and which places are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "store/layout.h"
#include "support/scratch.h"

static int setup(void **state)
{
    *state = scratch_make();
    return 0;
}

static int teardown(void **state)
{
    scratch_remove(*state);
    return 0;
}

static void test_makes_everything_0700(void **state)
{
    const char *dir = *state;
    static const char *const made[] = {"s/a", "s/a/kernels", "s/a/images", "s/a/vms",
        "s/a/catalogs.d", "s/a/ssh", "s/a/trash", "s/a/jobs", "s/a/log", "s/a/locks",
        "s/a/locks/kernel", "s/a/locks/image", "s/a/locks/vm", "s/a/cache", "s/a/cache/blobs",
        "s/a/cache/blobs/sha256", "s/a/cache/downloads", "s/a/cache/elf", "s/a/cache/initrd",
        "s/a/cache/catalogs"};
    struct error err = {0};
    auto_free char *path = memory_printf("%s/s/a", dir);
    mode_t old = umask(0);
    auto_store struct store *store = store_open(path, NULL, &err);
    umask(old);
    assert_fine(err);
    assert_non_null(store);
    for (size_t i = 0; i < array_length(made); i++) {
        assert_true(scratch_has(dir, made[i]));
        assert_int_equal(scratch_mode(dir, made[i]), 0700);
    }
    assert_string_equal(store_path(store), path);
    assert_true(store_kind_dir(store, STORE_VM) >= 0);
    assert_true(store_cache_dir(store, STORE_CACHE_BLOBS) >= 0);
    assert_true(store_area_dir(store, STORE_LOCKS_VM) >= 0);
}

static void test_separate_cache(void **state)
{
    const char *dir = *state;
    struct error err = {0};
    auto_free char *path = memory_printf("%s/s", dir);
    auto_free char *cache = memory_printf("%s/c", dir);
    auto_store struct store *store = store_open(path, cache, &err);
    assert_non_null(store);
    assert_true(scratch_has(dir, "c/blobs/sha256"));
    assert_false(scratch_has(dir, "s/cache"));
    auto_free char *file = store_cache_file_path(store, STORE_CACHE_BLOBS, "x");
    assert_true(text_has_prefix(file, cache));
}

static void test_opens_again(void **state)
{
    struct error err = {0};
    scratch_write(*state, "kernels/k/vmlinux", "x");
    for (int round = 0; round < 2; round++) {
        struct store *store = store_open(*state, NULL, &err);
        assert_non_null(store);
        store_close(store);
    }
    assert_true(scratch_has(*state, "kernels/k/vmlinux"));
}

static void test_world_writable_refused(void **state)
{
    struct error err = {0};
    assert_int_equal(chmod(*state, 0777), 0);
    assert_null(store_open(*state, NULL, &err));
    assert_code(err, ERROR_PERMISSION);
    assert_non_null(strstr(err.text, "chmod 0700"));
    assert_false(scratch_has(*state, "kernels"));
}

static void test_world_writable_through_link_refused(void **state)
{
    const char *dir = *state;
    struct error err = {0};
    auto_free char *real = memory_printf("%s/real", dir);
    auto_free char *link = memory_printf("%s/link", dir);
    assert_int_equal(mkdir(real, 0700), 0);
    assert_int_equal(chmod(real, 01777), 0);
    assert_int_equal(symlink(real, link), 0);
    assert_null(store_open(link, NULL, &err));
    assert_code(err, ERROR_PERMISSION);
    /* A link to a good place is fine: what counts is where it leads. */
    assert_int_equal(chmod(real, 0700), 0);
    error_clear(&err);
    auto_store struct store *store = store_open(link, NULL, &err);
    assert_non_null(store);
    assert_string_equal(store_path(store), real);
}

static void test_world_writable_inside_refused(void **state)
{
    const char *dir = *state;
    struct error err = {0};
    auto_free char *kernels = memory_printf("%s/kernels", dir);
    assert_int_equal(mkdir(kernels, 0700), 0);
    assert_int_equal(chmod(kernels, 0777), 0);
    assert_null(store_open(dir, NULL, &err));
    assert_code(err, ERROR_PERMISSION);
    assert_non_null(strstr(err.text, kernels));
}

static void test_foreign_owner_refused(void **state)
{
    struct error err = {0};
    const char *foreign = "/proc/sys"; /* root's, and nobody can give it away */
    if (geteuid() == 0) {
        assert_int_equal(chown(*state, 12345, 12345), 0);
        foreign = *state;
    }
    assert_null(store_open(foreign, NULL, &err));
    assert_code(err, ERROR_PERMISSION);
    assert_non_null(strstr(err.text, "belongs to user"));
}

static void test_file_in_the_way(void **state)
{
    struct error err = {0};
    auto_free char *path = memory_printf("%s/file", (char *)*state);
    scratch_write(*state, "file", "x");
    assert_null(store_open(path, NULL, &err));
    assert_non_null(strstr(err.text, path));
    error_clear(&err);
    auto_free char *below = memory_printf("%s/state", path);
    assert_null(store_open(below, NULL, &err));
    assert_int_equal(err.sys_errno, ENOTDIR);
    assert_non_null(strstr(err.text, below));
    assert_non_null(strstr(err.text, "--state-dir"));
}

static void test_no_name(void **state)
{
    (void)state;
    struct error err = {0};
    assert_null(store_open("", NULL, &err));
    assert_code(err, ERROR_CONFIG);
}

static void test_entry_paths(void **state)
{
    struct error err = {0};
    auto_store struct store *store = store_open(*state, NULL, &err);
    auto_free char *wanted = memory_printf("%s/kernels/k/vmlinux", (char *)*state);
    auto_free char *path = store_entry_path(store, STORE_KERNEL, "k", "vmlinux");
    assert_string_equal(path, wanted);
    auto_free char *dir = store_entry_path(store, STORE_VM, "v", NULL);
    assert_true(text_has_suffix(dir, "/vms/v"));
    assert_string_equal(store_kind_name(STORE_IMAGE), "image");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_makes_everything_0700, setup, teardown),
        cmocka_unit_test_setup_teardown(test_separate_cache, setup, teardown),
        cmocka_unit_test_setup_teardown(test_opens_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_world_writable_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_world_writable_through_link_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_world_writable_inside_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_foreign_owner_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file_in_the_way, setup, teardown),
        cmocka_unit_test(test_no_name),
        cmocka_unit_test_setup_teardown(test_entry_paths, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
