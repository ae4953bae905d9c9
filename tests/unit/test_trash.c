/* SPDX-License-Identifier: MIT */
/* The trash: in, out, how long, and how much. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/limits.h"
#include "store/trash.h"
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

static void put(struct world *world, const char *name)
{
    struct error err = {0};
    auto_free char *file = memory_printf("kernels/%s/vmlinux", name);
    scratch_write(world->dir, file, name);
    assert_true(trash_put(world->store, STORE_KERNEL, name, NULL, &err));
    assert_fine(err);
}

static void read_all(struct world *world, struct trash_list *list)
{
    struct error err = {0};
    assert_true(trash_read(world->store, list, &err));
    assert_fine(err);
}

/* Within one second, too. */
static void test_what_went_first_is_first(void **state)
{
    struct world *world = *state;
    static const char *const names[] = {"c", "a", "d", "b"};
    for (size_t i = 0; i < array_length(names); i++) {
        put(world, names[i]);
        int64_t put_ms = clock_wall_ms();
        while (clock_wall_ms() == put_ms) {
        }
    }
    auto_done(trash_list) struct trash_list list = {0};
    read_all(world, &list);
    assert_int_equal(list.count, array_length(names));
    for (size_t i = 0; i < array_length(names); i++) {
        assert_string_equal(list.items[i].name, names[i]);
    }
    assert_int_equal(trash_count(world->store), array_length(names));
}

static void test_in_and_out(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    put(world, "k");
    assert_false(scratch_has(world->dir, "kernels/k"));
    auto_done(trash_list) struct trash_list list = {0};
    read_all(world, &list);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.items[0].name, "k");
    assert_int_equal(list.items[0].kind, STORE_KERNEL);
    assert_true(clock_wall() - list.items[0].trashed_at < 60);
    assert_true(list.items[0].disk_bytes > 0);
    assert_true(trash_restore(world->store, list.items[0].id, &err));
    auto_free char *content = scratch_read(world->dir, "kernels/k/vmlinux");
    assert_string_equal(content, "k");
    auto_free char *left = scratch_list(world->dir, "trash");
    assert_string_equal(left, "");
}

static void test_same_name_many_times(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < 5; i++) {
        put(world, "k");
    }
    auto_done(trash_list) struct trash_list list = {0};
    read_all(world, &list);
    assert_int_equal(list.count, 5);
}

static void test_restore_onto_a_taken_name(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    put(world, "k");
    scratch_write(world->dir, "kernels/k/vmlinux", "new");
    auto_done(trash_list) struct trash_list list = {0};
    read_all(world, &list);
    assert_false(trash_restore(world->store, list.items[0].id, &err));
    assert_code(err, ERROR_EXISTS);
    auto_free char *content = scratch_read(world->dir, "kernels/k/vmlinux");
    assert_string_equal(content, "new");
    auto_done(trash_list) struct trash_list after = {0};
    read_all(world, &after);
    assert_int_equal(after.count, 1);
}

static void test_what_is_not_there(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    assert_false(trash_put(world->store, STORE_IMAGE, "i", NULL, &err));
    assert_code(err, ERROR_NOT_FOUND);
    static const char *const ids[] = {"kernel@k@1", "nonsense", "", "..", "kernel@../x@1",
        "kernel@k", "other@k@1", "kernel@k@1x"};
    for (size_t i = 0; i < array_length(ids); i++) {
        error_clear(&err);
        assert_false(trash_restore(world->store, ids[i], &err));
        assert_code(err, ERROR_NOT_FOUND);
    }
    error_clear(&err);
    assert_false(trash_put(world->store, STORE_KERNEL, "../images", NULL, &err));
    assert_code(err, ERROR_INVALID);
}

/* Pretends that an item was put in at another time. */
static void plant(struct world *world, const char *name, int64_t days_ago, size_t size)
{
    auto_free char *file = memory_printf("trash/kernel@%s@%lld/vmlinux", name,
        (long long)(clock_wall_ms() - days_ago * 86400 * 1000));
    auto_free char *content = memory_zero(size + 1, 1);
    memset(content, 'x', size);
    scratch_write(world->dir, file, content);
}

static void assert_left(struct world *world, const char *wanted)
{
    auto_done(trash_list) struct trash_list list = {0};
    read_all(world, &list);
    auto_done(strings) struct strings names = {0};
    for (size_t i = 0; i < list.count; i++) {
        strings_add(&names, list.items[i].name);
    }
    auto_free char *joined = strings_join(&names, " ");
    assert_string_equal(joined, wanted);
}

static void test_retention(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    struct limits limits = limits_default;
    uint64_t freed = 0;
    plant(world, "old", 8, 4096);
    plant(world, "older", 30, 4096);
    plant(world, "recent", 6, 4096);
    plant(world, "fresh", 0, 4096);
    assert_true(trash_expire(world->store, &limits, NULL, &freed, &err));
    assert_true(freed >= 8192);
    assert_left(world, "recent fresh");
    /* By size, the oldest goes first. */
    limits.trash_bytes = 3 * 4096;
    assert_true(trash_expire(world->store, &limits, NULL, &freed, &err));
    assert_left(world, "fresh");
    assert_true(trash_expire(world->store, &limits, NULL, &freed, &err));
    assert_int_equal(freed, 0);
}

static void test_empty(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    uint64_t freed = 0;
    plant(world, "a", 1, 100);
    plant(world, "b", 2, 100);
    scratch_write(world->dir, "trash/not an item/x", "x");
    struct cancel *cancel = cancel_new();
    cancel_request(cancel);
    assert_false(trash_empty(world->store, cancel, &freed, &err));
    assert_code(err, ERROR_CANCELLED);
    cancel_free(cancel);
    assert_left(world, "b a");
    error_clear(&err);
    assert_true(trash_empty(world->store, NULL, &freed, &err));
    assert_true(freed > 0);
    auto_free char *left = scratch_list(world->dir, "trash");
    assert_string_equal(left, "not an item");
}

#define TRASH_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRASH_TEST(test_in_and_out),
        TRASH_TEST(test_what_went_first_is_first),
        TRASH_TEST(test_same_name_many_times),
        TRASH_TEST(test_restore_onto_a_taken_name),
        TRASH_TEST(test_what_is_not_there),
        TRASH_TEST(test_retention),
        TRASH_TEST(test_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
