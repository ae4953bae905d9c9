/* SPDX-License-Identifier: MIT */
/* Snapshots in a machine's directory: whole or not there, and what is put back is finished by whoever
 * comes next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "store/vm_snapshot.h"
#include "support/scratch.h"

struct world {
    char *path;
    int dir;
    struct strings own; /* disks that it may have */
};

static int setup(void **state)
{
    struct world *world = memory_zero(1, sizeof(*world));
    world->path = scratch_make();
    world->dir = open(world->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(world->dir >= 0);
    strings_add(&world->own, "a.ext4");
    strings_add(&world->own, "b.ext4");
    strings_add(&world->own, "c.ext4");
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    close(world->dir);
    strings_done(&world->own);
    scratch_remove(world->path);
    free(world);
    return 0;
}

static void put(int dir, const char *name, const char *words)
{
    struct error err = {0};
    auto_close int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_true(file_write_all(fd, words, strlen(words), &err));
}

static void assert_holds(int dir, const char *name, const char *words)
{
    struct error err = {0};
    auto_done(text) struct text found = {0};
    assert_true(file_read_all(dir, name, 4096, &found, &err));
    assert_string_equal(text_cstr(&found), words);
}

/* One with the disks a and b. */
static void make(struct world *world, const char *name)
{
    struct error err = {0};
    auto_close int staging = vm_snapshot_begin(world->dir, &err);
    assert_true(staging >= 0);
    put(staging, "a.ext4", name);
    put(staging, VM_SNAPSHOT_MANIFEST, "{\"disks\": [{\"file\": \"a.ext4\"}]}");
    assert_true(vm_snapshot_publish(world->dir, name, &err));
}

static void test_made_listed_and_removed(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    auto_done(strings) struct strings names = {0};
    assert_true(vm_snapshot_names(world->dir, &names, &err));
    assert_int_equal(names.count, 0);
    assert_false(vm_snapshot_has_leftovers(world->dir));
    make(world, "two");
    make(world, "one");
    assert_true(vm_snapshot_names(world->dir, &names, &err));
    assert_int_equal(names.count, 2);
    assert_string_equal(names.items[0], "one");
    assert_true(vm_snapshot_exists(world->dir, "one"));
    assert_true(vm_snapshot_disk_use(world->dir, "one") > 0);
    assert_true(vm_snapshot_disk_use(world->dir, NULL) > vm_snapshot_disk_use(world->dir, "one"));
    assert_true(vm_snapshot_remove(world->dir, "one", &err));
    assert_false(vm_snapshot_exists(world->dir, "one"));
    assert_false(vm_snapshot_remove(world->dir, "one", &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    assert_false(vm_snapshot_has_leftovers(world->dir));
}

static void test_a_name_is_given_once(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    make(world, "one");
    auto_close int staging = vm_snapshot_begin(world->dir, &err);
    put(staging, "a.ext4", "other");
    assert_false(vm_snapshot_publish(world->dir, "one", &err));
    assert_int_equal(err.code, ERROR_EXISTS);
    auto_close int dir = vm_snapshot_open(world->dir, "one", &err);
    assert_holds(dir, "a.ext4", "one");
    static const char *const wrong[] = {"", ".", "..", ".new", "a/b", "../one"};
    for (size_t i = 0; i < array_length(wrong); i++) {
        error_clear(&err);
        assert_false(vm_snapshot_publish(world->dir, wrong[i], &err));
        assert_int_equal(err.code, ERROR_INVALID);
        error_clear(&err);
        assert_int_equal(vm_snapshot_open(world->dir, wrong[i], &err), -1);
        assert_int_equal(err.code, ERROR_INVALID);
    }
}

/* What was begun counts for nothing, and the next one begins empty. */
static void test_what_was_not_finished(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    auto_close int staging = vm_snapshot_begin(world->dir, &err);
    put(staging, "a.ext4", "half");
    assert_false(vm_snapshot_left_paused(world->dir));
    put(staging, VM_SNAPSHOT_PAUSED, "");
    assert_true(vm_snapshot_left_paused(world->dir));
    assert_true(vm_snapshot_has_leftovers(world->dir));
    auto_done(strings) struct strings names = {0};
    assert_true(vm_snapshot_names(world->dir, &names, &err));
    assert_int_equal(names.count, 0);
    auto_close int again = vm_snapshot_begin(world->dir, &err);
    assert_false(file_exists(again, "a.ext4"));
    vm_snapshot_abandon(world->dir);
    assert_false(vm_snapshot_has_leftovers(world->dir));
}

/* The machine has b and c and gets a and b. */
static void prepare_restore(struct world *world)
{
    struct error err = {0};
    put(world->dir, "b.ext4", "new b");
    put(world->dir, "c.ext4", "new c");
    put(world->dir, "vm.json", "new");
    auto_close int staging = vm_restore_begin(world->dir, &err);
    assert_true(staging >= 0);
    put(staging, "a.ext4", "old a");
    put(staging, "b.ext4", "old b");
    put(staging, VM_SNAPSHOT_SPEC, "old");
    put(staging, VM_SNAPSHOT_MANIFEST,
        "{\"disks\": [{\"file\": \"a.ext4\"}, {\"file\": \"b.ext4\"}]}");
}

static void assert_restored(struct world *world)
{
    assert_holds(world->dir, "a.ext4", "old a");
    assert_holds(world->dir, "b.ext4", "old b");
    assert_holds(world->dir, "vm.json", "old");
    assert_false(file_exists(world->dir, "c.ext4"));
    assert_false(vm_snapshot_has_leftovers(world->dir));
}

static void test_nothing_changes_before_it_is_committed(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    prepare_restore(world);
    assert_true(vm_restore_finish(world->dir, &world->own, &err));
    assert_holds(world->dir, "b.ext4", "new b");
    assert_holds(world->dir, "vm.json", "new");
    vm_snapshot_abandon(world->dir);
    assert_true(vm_restore_finish(world->dir, &world->own, &err));
    assert_holds(world->dir, "c.ext4", "new c");
}

static void test_what_was_committed_is_finished(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    prepare_restore(world);
    assert_true(vm_restore_commit(world->dir, &err));
    assert_true(vm_snapshot_has_leftovers(world->dir));
    vm_snapshot_abandon(world->dir); /* takes away what was not committed only */
    assert_true(vm_restore_finish(world->dir, &world->own, &err));
    assert_restored(world);
    assert_true(vm_restore_finish(world->dir, &world->own, &err));
    assert_restored(world);
}

/* Somebody was killed when some files had been moved. */
static void test_from_wherever_it_stopped(void **state)
{
    static const char *const files[] = {"a.ext4", "b.ext4", "vm.json"};
    struct world *world = *state;
    for (size_t moved = 1; moved <= array_length(files); moved++) {
        struct error err = {0};
        prepare_restore(world);
        unlinkat(world->dir, "a.ext4", 0);
        assert_true(vm_restore_commit(world->dir, &err));
        for (size_t i = 0; i < moved; i++) {
            auto_free char *from = memory_printf(VM_SNAPSHOTS "/.done/%s", files[i]);
            assert_int_equal(renameat(world->dir, from, world->dir, files[i]), 0);
        }
        assert_true(vm_restore_finish(world->dir, &world->own, &err));
        assert_restored(world);
    }
}

/* What cannot be finished stays, and is told. */
static void test_one_that_cannot_be_finished(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    prepare_restore(world);
    unlinkat(world->dir, "b.ext4", 0);
    assert_int_equal(mkdirat(world->dir, "b.ext4", 0700), 0);
    assert_true(vm_restore_commit(world->dir, &err));
    assert_false(vm_restore_finish(world->dir, &world->own, &err));
    assert_int_not_equal(err.code, ERROR_NONE);
    assert_true(vm_snapshot_has_leftovers(world->dir));
    assert_int_equal(unlinkat(world->dir, "b.ext4", AT_REMOVEDIR), 0);
    error_clear(&err);
    assert_true(vm_restore_finish(world->dir, &world->own, &err));
    assert_restored(world);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_made_listed_and_removed),
        TEST(test_a_name_is_given_once),
        TEST(test_what_was_not_finished),
        TEST(test_nothing_changes_before_it_is_committed),
        TEST(test_what_was_committed_is_finished),
        TEST(test_from_wherever_it_stopped),
        TEST(test_one_that_cannot_be_finished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
