/* SPDX-License-Identifier: MIT */
#include "artifact/blob_cache.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "artifact/hash.h"
#include "artifact/oci_image.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

struct world {
    char path[64];
    int dir;
    int parts;
};

static int set_up(void **state)
{
    struct world *world = memory_zero(1, sizeof *world);
    strcpy(world->path, "/tmp/banger-test-XXXXXX");
    assert_non_null(mkdtemp(world->path));
    struct error err = {0};
    auto_close int top = file_open_dir(AT_FDCWD, world->path, &err);
    assert_true(file_make_dirs(top, "blobs", &err) && file_make_dirs(top, "parts", &err));
    world->dir = file_open_dir(top, "blobs", &err);
    world->parts = file_open_dir(top, "parts", &err);
    assert_true(world->dir >= 0 && world->parts >= 0);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    close(world->dir);
    close(world->parts);
    assert_true(file_remove_tree(AT_FDCWD, world->path, &err));
    free(world);
    return 0;
}

static struct oci_descriptor describe(const char *content)
{
    struct oci_descriptor blob = {.size_bytes = strlen(content)};
    hash_bytes(content, strlen(content), &blob.digest);
    return blob;
}

static void put(const struct world *world, const char *content)
{
    struct oci_descriptor blob = describe(content);
    struct error err = {0};
    assert_true(blob_cache_put(world->dir, &blob.digest, content, strlen(content), &err));
}

static void damage(const struct world *world, const char *content, const char *with)
{
    struct oci_descriptor blob = describe(content);
    char name[DIGEST_HEX_LEN + 1];
    struct error err = {0};
    assert_true(file_replace(
        world->dir, digest_format(&blob.digest, name), with, strlen(with), 0600, &err));
}

static void test_what_was_put_is_read_back(void **state)
{
    struct world *world = *state;
    struct oci_descriptor blob = describe("abc");
    struct error err = {0};
    auto_done(text) struct text bytes = {0};
    assert_int_equal(blob_cache_open(world->dir, &blob.digest, &err), -1);
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    error_clear(&err);
    put(world, "abc");
    assert_true(blob_cache_has(world->dir, &blob));
    assert_true(blob_cache_read(world->dir, &blob, &bytes, &err));
    assert_string_equal(text_cstr(&bytes), "abc");
    auto_close int fd = blob_cache_open(world->dir, &blob.digest, &err);
    char buffer[8] = "";
    assert_int_equal(read(fd, buffer, sizeof buffer), 3);
    assert_string_equal(buffer, "abc");
}

static void test_damage_is_seen_and_removed(void **state)
{
    struct world *world = *state;
    struct oci_descriptor blob = describe("abc");
    auto_done(text) struct text bytes = {0};
    struct error err = {0};
    put(world, "abc");
    damage(world, "abc", "abd");
    assert_false(blob_cache_read(world->dir, &blob, &bytes, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    assert_false(blob_cache_has(world->dir, &blob));
    put(world, "abc");
    damage(world, "abc", "ab");
    assert_false(blob_cache_has(world->dir, &blob));
    /* A right one takes its place. */
    put(world, "abc");
    assert_true(blob_cache_has(world->dir, &blob));
}

static int make_part(const struct world *world, const char *content)
{
    struct error err = {0};
    auto_close int fd = file_create(world->parts, "x.part", &err);
    assert_true(fd >= 0 && file_write_all(fd, content, strlen(content), &err));
    return take_fd(&fd);
}

static void test_a_part_moves_in(void **state)
{
    struct world *world = *state;
    struct oci_descriptor blob = describe("layer");
    struct error err = {0};
    auto_close int fd = make_part(world, "layer");
    assert_true(blob_cache_take_part(world->dir, &blob.digest, world->parts, "x.part", fd, &err));
    assert_true(blob_cache_has(world->dir, &blob));
    assert_false(file_exists(world->parts, "x.part"));
    /* Another one waited for the same part and finds it moved. */
    assert_true(blob_cache_take_part(world->dir, &blob.digest, world->parts, "x.part", fd, &err));
    /* By then the name may be somebody else's, whose bytes are not proved. */
    auto_close int other = make_part(world, "half");
    assert_true(other >= 0);
    assert_true(blob_cache_take_part(world->dir, &blob.digest, world->parts, "x.part", fd, &err));
    assert_true(file_exists(world->parts, "x.part"));
    assert_true(blob_cache_has(world->dir, &blob));
    assert_int_equal(unlinkat(world->parts, "x.part", 0), 0);
    /* Neither there nor here is a failure. */
    assert_true(blob_cache_remove(world->dir, &blob.digest, &err));
    assert_false(blob_cache_take_part(world->dir, &blob.digest, world->parts, "x.part", fd, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
}

static void test_pruning_counts_and_waits_its_turn(void **state)
{
    struct world *world = *state;
    struct blob_cache_tally tally = {0};
    struct error err = {0};
    put(world, "one");
    put(world, "two");
    int hold = blob_cache_hold(world->dir, &err);
    assert_true(hold >= 0);
    assert_true(blob_cache_prune(world->dir, true, &tally, &err));
    assert_int_equal(tally.blobs, 2);
    assert_true(tally.bytes > 0);
    assert_false(blob_cache_prune(world->dir, false, &tally, &err));
    assert_int_equal(err.code, ERROR_BUSY);
    error_clear(&err);
    close(hold);
    assert_true(blob_cache_prune(world->dir, false, &tally, &err));
    assert_int_equal(tally.blobs, 2);
    assert_true(blob_cache_prune(world->dir, false, &tally, &err));
    assert_int_equal(tally.blobs, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_was_put_is_read_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damage_is_seen_and_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_part_moves_in, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pruning_counts_and_waits_its_turn, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("blob_cache", tests, NULL, NULL);
}
