/* SPDX-License-Identifier: MIT */
/* The uncompressed kernel comes out of a bzImage once and is found in the cache from then on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "artifact/hash.h"
#include "base/digest.h"
#include "base/limits.h"
#include "engine/engine.h"
#include "engine/kernel/ops_kernel_elf.h"
#include "engine/ops.h"
#include "store/layout.h"
#include "support/bzimage_maker.h"
#include "support/scratch.h"

struct world {
    char *path;
    char *kernel_path;
    struct store *store;
    struct ops ops;
    struct error err;
    uint8_t elf[BZIMAGE_MAKER_BYTES];
};

static int make_world(void **state)
{
    struct world *world = memory_zero(1, sizeof *world);
    world->path = scratch_make();
    world->kernel_path = memory_printf("%s/vmlinuz", world->path);
    auto_free char *place = memory_printf("%s/state", world->path);
    world->store = store_open(place, NULL, &world->err);
    assert_non_null(world->store);
    world->ops = (struct ops){.store = world->store, .limits = &limits_default};
    bzimage_maker_elf(world->elf);
    *state = world;
    return 0;
}

static int drop_world(void **state)
{
    struct world *world = *state;
    store_close(world->store);
    scratch_remove(world->path);
    free(world->kernel_path);
    free(world);
    return 0;
}

static void write_file(const char *path, const void *bytes, size_t len)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void write_image(struct world *world)
{
    auto_done(text) struct text image = {0};
    if (!bzimage_maker_image(world->path, world->elf, "gzip -n9", false, &image)) {
        skip();
    }
    write_file(world->kernel_path, image.data, image.len);
}

static void holds_the_elf(const struct world *world, const char *path)
{
    auto_done(text) struct text found = {0};
    struct error err = {0};
    assert_true(file_read_all(AT_FDCWD, path, 1 << 20, &found, &err));
    assert_int_equal(found.len, sizeof world->elf);
    assert_memory_equal(found.data, world->elf, found.len);
}

static size_t cached(const struct world *world)
{
    auto_done(strings) struct strings names = {0};
    struct error err = {0};
    assert_true(file_list(store_cache_dir(world->store, STORE_CACHE_ELF), ".", &names, &err));
    return names.count;
}

static void an_elf_is_used_as_it_is(void **state)
{
    struct world *world = *state;
    auto_free char *path = NULL;
    write_file(world->kernel_path, world->elf, sizeof world->elf);
    assert_true(ops_kernel_elf(&world->ops, world->kernel_path, &path, &world->err));
    assert_string_equal(path, world->kernel_path);
    assert_int_equal(cached(world), 0);
}

static void extracted_once(void **state)
{
    struct world *world = *state;
    auto_free char *first = NULL;
    auto_free char *second = NULL;
    struct stat before, after;
    write_image(world);
    assert_true(ops_kernel_elf(&world->ops, world->kernel_path, &first, &world->err));
    holds_the_elf(world, first);
    assert_int_equal(stat(first, &before), 0);
    assert_true(ops_kernel_elf(&world->ops, world->kernel_path, &second, &world->err));
    assert_string_equal(first, second);
    assert_int_equal(stat(second, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(cached(world), 1);
}

/* The name in the cache is the digest of what is there now. */
static void another_kernel_is_another_entry(void **state)
{
    struct world *world = *state;
    auto_free char *first = NULL;
    auto_free char *second = NULL;
    write_image(world);
    assert_true(ops_kernel_elf(&world->ops, world->kernel_path, &first, &world->err));
    world->elf[1000] ^= 1;
    write_image(world);
    assert_true(ops_kernel_elf(&world->ops, world->kernel_path, &second, &world->err));
    assert_string_not_equal(first, second);
    holds_the_elf(world, second);
}

static void a_damaged_one_is_made_again(void **state)
{
    struct world *world = *state;
    auto_free char *first = NULL;
    auto_free char *second = NULL;
    write_image(world);
    assert_true(ops_kernel_elf(&world->ops, world->kernel_path, &first, &world->err));
    write_file(first, "", 0);
    assert_true(ops_kernel_elf(&world->ops, world->kernel_path, &second, &world->err));
    holds_the_elf(world, second);
}

static void nothing_stays_of_what_is_no_kernel(void **state)
{
    struct world *world = *state;
    char *path = NULL;
    write_file(world->kernel_path, "MZ, and nothing else", 20);
    assert_false(ops_kernel_elf(&world->ops, world->kernel_path, &path, &world->err));
    assert_int_equal(world->err.code, ERROR_FORMAT);
    assert_null(path);
    assert_int_equal(cached(world), 0);

    error_clear(&world->err);
    write_image(world);
    assert_int_equal(
        truncate(world->kernel_path, BZIMAGE_MAKER_SETUP_BYTES + BZIMAGE_MAKER_PAYLOAD_AT + 9), 0);
    assert_false(ops_kernel_elf(&world->ops, world->kernel_path, &path, &world->err));
    assert_int_equal(world->err.code, ERROR_FORMAT);
    assert_int_equal(cached(world), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_elf_is_used_as_it_is, make_world, drop_world),
        cmocka_unit_test_setup_teardown(extracted_once, make_world, drop_world),
        cmocka_unit_test_setup_teardown(another_kernel_is_another_entry, make_world, drop_world),
        cmocka_unit_test_setup_teardown(a_damaged_one_is_made_again, make_world, drop_world),
        cmocka_unit_test_setup_teardown(nothing_stays_of_what_is_no_kernel, make_world, drop_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
