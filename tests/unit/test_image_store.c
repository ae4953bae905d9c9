/* SPDX-License-Identifier: MIT */
/* Image entries: managed and registered ones, by hand and damaged, and what the older program left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "store/image_store.h"
#include "store/publish.h"
#include "support/scratch.h"

#define WHEN INT64_C(1782907200) /* 2026-07-01T12:00:00Z */

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

static void make(struct world *world, const struct image_entry *entry, enum publish_mode mode)
{
    struct error err = {0};
    auto_staging struct staging *staging =
        staging_begin(world->store, STORE_IMAGE, entry->name, &err);
    assert_fine(err);
    if (entry->is_managed) {
        scratch_write(staging_path(staging), "rootfs.ext4", "root");
        scratch_write(staging_path(staging), "work-seed.ext4", "seed");
        /* A hole behind the four bytes: apparent size and allocated bytes differ. */
        auto_free char *rootfs = memory_printf("%s/rootfs.ext4", staging_path(staging));
        assert_int_equal(truncate(rootfs, 1 << 24), 0);
    }
    assert_true(image_store_write_manifest(staging_dir(staging), entry, &err));
    assert_true(staging_publish(staging, mode, &err));
}

static void read_one(struct world *world, const char *name, struct image_entry *entry)
{
    struct error err = {0};
    assert_true(image_store_read(world->store, name, entry, &err));
    assert_fine(err);
}

static void test_managed(void **state)
{
    struct world *world = *state;
    auto_done(image_entry) struct image_entry written = {
        .name = memory_strdup("debian"), .is_managed = true, .created_at = WHEN};
    written.source = memory_strdup("pull:https://example.org/i.tar.zst");
    written.digest = memory_strdup("sha256:00");
    written.kernel_ref = memory_strdup("debian-cloud");
    written.content_sha256 = memory_printf("%064d", 1);
    written.kernel_sha256 = memory_printf("%064d", 2);
    written.manifest_digest = memory_strdup("sha256:01");
    written.history = json_new_array();
    json_append(written.history, json_new_string("step"));
    written.config = json_new_object();
    json_put_string(written.config, "workdir", "/srv");
    make(world, &written, PUBLISH_NEW);
    auto_done(image_entry) struct image_entry entry = {0};
    read_one(world, "debian", &entry);
    assert_false(entry.is_damaged);
    assert_true(entry.is_managed && entry.has_rootfs && entry.has_work_seed);
    assert_false(entry.has_kernel);
    assert_string_equal(entry.source, written.source);
    assert_string_equal(entry.digest, written.digest);
    assert_string_equal(entry.kernel_ref, "debian-cloud");
    assert_string_equal(entry.content_sha256, written.content_sha256);
    assert_string_equal(entry.kernel_sha256, written.kernel_sha256);
    assert_string_equal(entry.manifest_digest, "sha256:01");
    assert_string_equal(json_string_value(json_first(entry.history)), "step");
    assert_int_equal(entry.created_at, WHEN);
    assert_int_equal(entry.size_bytes, 1 << 24);
    assert_true(entry.disk_bytes < 1 << 24);
    assert_string_equal(json_string(entry.config, "workdir", ""), "/srv");
    auto_free char *path = image_store_rootfs(world->store, &entry);
    auto_free char *wanted = memory_printf("%s/images/debian/rootfs.ext4", world->dir);
    assert_string_equal(path, wanted);
    /* Artifact paths of managed images are computed, never stored. */
    auto_free char *manifest = scratch_read(world->dir, "images/debian/manifest.json");
    assert_null(strstr(manifest, "paths"));
    assert_null(strstr(manifest, "rootfs.ext4"));
}

static void test_registered(void **state)
{
    struct world *world = *state;
    scratch_write(world->dir, "mine/rootfs.img", "rootfs");
    scratch_write(world->dir, "mine/vmlinux", "kernel");
    auto_done(image_entry) struct image_entry written = {
        .name = memory_strdup("mine"), .created_at = WHEN};
    written.rootfs_path = memory_printf("%s/mine/rootfs.img", world->dir);
    written.kernel_path = memory_printf("%s/mine/vmlinux", world->dir);
    make(world, &written, PUBLISH_NEW);
    auto_done(image_entry) struct image_entry entry = {0};
    read_one(world, "mine", &entry);
    assert_false(entry.is_damaged);
    assert_false(entry.is_managed);
    assert_true(entry.has_rootfs);
    assert_string_equal(entry.rootfs_path, written.rootfs_path);
    assert_string_equal(entry.kernel_path, written.kernel_path);
    assert_null(entry.initrd_path);
    assert_int_equal(entry.size_bytes, 6);
    auto_free char *path = image_store_rootfs(world->store, &entry);
    assert_string_equal(path, written.rootfs_path);

    /* The files are somebody else's: when one goes the image is damaged and says which. */
    assert_int_equal(unlink(written.kernel_path), 0);
    auto_done(image_entry) struct image_entry after = {0};
    read_one(world, "mine", &after);
    assert_true(after.is_damaged);
    assert_non_null(strstr(after.damage, "mine/vmlinux is missing"));
    struct error err = {0};
    assert_true(image_store_trash(world->store, "mine", NULL, &err));
    assert_true(scratch_has(world->dir, "mine/rootfs.img"));
}

static void test_replace_keeps_unknown_keys(void **state)
{
    struct world *world = *state;
    scratch_write(world->dir, "images/i/rootfs.ext4", "root");
    scratch_write(world->dir, "images/i/manifest.json",
        "{\"name\":\"i\",\"managed\":true,\"x-later\":[1],\"paths\":{}}");
    auto_done(image_entry) struct image_entry entry = {0};
    read_one(world, "i", &entry);
    assert_false(entry.is_damaged);
    make(world, &entry, PUBLISH_REPLACE);
    auto_free char *manifest = scratch_read(world->dir, "images/i/manifest.json");
    assert_non_null(strstr(manifest, "x-later"));
}

struct damage {
    const char *name;
    const char *manifest; /* NULL: none */
    const char *rootfs;   /* NULL: none */
    const char *said;
};

static const struct damage damages[] = {
    {"cut", "{\"name\":\"cu", "r", "not valid JSON"},
    {"stranger", "{\"name\":\"other\"}", "r", "names another entry"},
    {"bare", NULL, "r", "manifest.json is missing"},
    {"void", NULL, NULL, "manifest.json is missing"},
    {"gone", "{\"name\":\"gone\"}", NULL, "rootfs.ext4 is missing"},
    {"hollow", "{\"name\":\"hollow\"}", "", "rootfs.ext4 is empty"},
    {"typed", "{\"name\":\"typed\",\"source\":1}", "r", "\"source\""},
    {"relative", "{\"name\":\"relative\",\"paths\":{\"rootfs\":\"x\"}}", "r", "\"rootfs\""},
    {"away", "{\"name\":\"away\",\"paths\":{\"rootfs\":\"/nonexistent/r\"}}", "r",
        "/nonexistent/r is missing"},
    {"config", "{\"name\":\"config\",\"config\":[]}", "r", "\"config\""},
};

static void test_damaged_are_listed(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    for (size_t i = 0; i < array_length(damages); i++) {
        auto_free char *manifest = memory_printf("images/%s/manifest.json", damages[i].name);
        auto_free char *rootfs = memory_printf("images/%s/rootfs.ext4", damages[i].name);
        auto_free char *other = memory_printf("images/%s/x", damages[i].name);
        scratch_write(world->dir, other, "x");
        if (damages[i].manifest != NULL) {
            scratch_write(world->dir, manifest, damages[i].manifest);
        }
        if (damages[i].rootfs != NULL) {
            scratch_write(world->dir, rootfs, damages[i].rootfs);
        }
    }
    scratch_write(world->dir, "images/good/rootfs.ext4", "r");
    scratch_write(world->dir, "images/good/manifest.json", "{\"name\":\"good\"}");
    auto_done(image_list) struct image_list list = {0};
    assert_true(image_store_list(world->store, &list, &err));
    assert_int_equal(list.count, array_length(damages) + 1);
    for (size_t i = 0; i < list.count; i++) {
        assert_int_equal(list.items[i].is_damaged, strcmp(list.items[i].name, "good") != 0);
    }
    for (size_t i = 0; i < array_length(damages); i++) {
        auto_done(image_entry) struct image_entry entry = {0};
        read_one(world, damages[i].name, &entry);
        assert_true(entry.is_damaged);
        if (strstr(entry.damage, damages[i].said) == NULL) {
            fail_msg("%s: \"%s\" does not say %s", entry.name, entry.damage, damages[i].said);
        }
    }
}

static void test_older_program_is_left_alone(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    scratch_write(world->dir, "images/3f9a8c0d5b7e4a12/rootfs.ext4", "r");
    scratch_write(world->dir, "state.db", "sqlite");
    auto_done(image_list) struct image_list list = {0};
    assert_true(image_store_list(world->store, &list, &err));
    assert_int_equal(list.count, 0);
    uint64_t removed;
    assert_true(store_sweep(world->store, &removed, &err));
    assert_int_equal(removed, 0);
    assert_true(scratch_has(world->dir, "images/3f9a8c0d5b7e4a12/rootfs.ext4"));
    assert_true(scratch_has(world->dir, "state.db"));
}

static void test_newer_format_is_read_only(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    scratch_write(world->dir, "images/i/rootfs.ext4", "r");
    scratch_write(world->dir, "images/i/manifest.json", "{\"name\":\"i\",\"format\":9}");
    auto_done(image_entry) struct image_entry entry = {0};
    read_one(world, "i", &entry);
    assert_true(entry.is_newer);
    assert_false(entry.is_damaged);
    assert_false(image_store_trash(world->store, "i", NULL, &err));
    assert_code(err, ERROR_UNSUPPORTED);
}

static void test_not_found(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    auto_done(image_entry) struct image_entry entry = {0};
    assert_false(image_store_read(world->store, "i", &entry, &err));
    assert_code(err, ERROR_NOT_FOUND);
    error_clear(&err);
    assert_false(image_store_trash(world->store, "i", NULL, &err));
    assert_code(err, ERROR_NOT_FOUND);
    error_clear(&err);
    assert_int_equal(image_store_open(world->store, "..", &err), -1);
    assert_code(err, ERROR_INVALID);
}

#define IMAGE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IMAGE_TEST(test_managed),
        IMAGE_TEST(test_registered),
        IMAGE_TEST(test_replace_keeps_unknown_keys),
        IMAGE_TEST(test_damaged_are_listed),
        IMAGE_TEST(test_older_program_is_left_alone),
        IMAGE_TEST(test_newer_format_is_read_only),
        IMAGE_TEST(test_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
