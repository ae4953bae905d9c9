/* SPDX-License-Identifier: MIT */
/* Kernel entries: read, list, write, remove; made by us, by hand, and damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "store/kernel_store.h"
#include "store/publish.h"
#include "support/scratch.h"

#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
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

static struct kernel_entry named(const char *name)
{
    return (struct kernel_entry){.name = memory_strdup(name), .imported_at = WHEN};
}

/* Makes an entry the way an import does. */
static void make(struct world *world, const struct kernel_entry *entry, enum publish_mode mode)
{
    struct error err = {0};
    auto_staging struct staging *staging =
        staging_begin(world->store, STORE_KERNEL, entry->name, &err);
    assert_fine(err);
    scratch_write(staging_path(staging), "vmlinux", "kernel");
    scratch_write(staging_path(staging), "initrd.img", "initrd");
    scratch_write(staging_path(staging), "modules/modules.order", "m");
    assert_true(kernel_store_write_manifest(staging_dir(staging), entry, &err));
    assert_true(staging_publish(staging, mode, &err));
}

static void read_one(struct world *world, const char *name, struct kernel_entry *entry)
{
    struct error err = {0};
    assert_true(kernel_store_read(world->store, name, entry, &err));
    assert_fine(err);
}

static void test_round_trip(void **state)
{
    struct world *world = *state;
    auto_done(kernel_entry) struct kernel_entry written = named("debian-6.1");
    written.distro = memory_strdup("debian");
    written.arch = memory_strdup("x86_64");
    written.kernel_version = memory_strdup("6.1.0-18-cloud-amd64");
    written.sha256 = memory_strdup(SHA);
    written.source = memory_strdup("pull:https://example.org/k.tar.zst");
    written.source_sha256 = memory_strdup(SHA);
    written.fetched_from = memory_strdup("https://mirror.example.org/k.tar.zst");
    written.format_of_kernel = memory_strdup("bzimage");
    written.size_bytes = 6;
    make(world, &written, PUBLISH_NEW);
    auto_done(kernel_entry) struct kernel_entry entry = {0};
    read_one(world, "debian-6.1", &entry);
    assert_string_equal(entry.name, written.name);
    assert_string_equal(entry.distro, written.distro);
    assert_string_equal(entry.arch, written.arch);
    assert_string_equal(entry.kernel_version, written.kernel_version);
    assert_string_equal(entry.sha256, SHA);
    assert_string_equal(entry.source, written.source);
    assert_string_equal(entry.source_sha256, SHA);
    assert_string_equal(entry.fetched_from, written.fetched_from);
    assert_string_equal(entry.format_of_kernel, "bzimage");
    assert_int_equal(entry.imported_at, WHEN);
    assert_int_equal(entry.size_bytes, 6);
    assert_true(entry.has_kernel && entry.has_initrd && entry.has_modules && entry.has_manifest);
    assert_false(entry.is_damaged || entry.is_newer);
    assert_null(entry.damage);
}

static void test_manifest_on_disk(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    auto_done(kernel_entry) struct kernel_entry k = named("k");
    make(world, &k, PUBLISH_NEW);
    auto_free char *bytes = scratch_read(world->dir, "kernels/k/manifest.json");
    auto_json struct json *json = json_parse(bytes, strlen(bytes), 1 << 20, 8, "manifest", &err);
    assert_string_equal(json_string(json, "name", ""), "k");
    assert_string_equal(json_string(json, "imported_at", ""), "2026-07-01T12:00:00Z");
    assert_int_equal(json_integer(json, "format", 0), 1);
    /* Not known means not written. */
    assert_int_equal(json_count(json), 3);
    assert_int_equal(scratch_mode(world->dir, "kernels/k/manifest.json"), 0600);
}

static void test_unknown_keys_survive(void **state)
{
    struct world *world = *state;
    scratch_write(world->dir, "kernels/k/vmlinux", "kernel");
    scratch_write(world->dir, "kernels/k/manifest.json",
        "{\"name\":\"k\",\"distro\":\"old\",\"x-ours\":{\"deep\":[1,2]}}");
    auto_done(kernel_entry) struct kernel_entry entry = {0};
    read_one(world, "k", &entry);
    free(entry.distro);
    entry.distro = memory_strdup("new");
    make(world, &entry, PUBLISH_REPLACE);
    auto_free char *bytes = scratch_read(world->dir, "kernels/k/manifest.json");
    assert_non_null(strstr(bytes, "\"x-ours\""));
    assert_non_null(strstr(bytes, "\"deep\""));
    assert_non_null(strstr(bytes, "\"new\""));
    assert_null(strstr(bytes, "\"old\""));
}

static void test_not_found(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    auto_done(kernel_entry) struct kernel_entry entry = {0};
    assert_false(kernel_store_read(world->store, "nothing", &entry, &err));
    assert_code(err, ERROR_NOT_FOUND);
    error_clear(&err);
    assert_false(kernel_store_read(world->store, "../images", &entry, &err));
    assert_code(err, ERROR_INVALID);
    error_clear(&err);
    assert_int_equal(kernel_store_open(world->store, "nothing", &err), -1);
    assert_code(err, ERROR_NOT_FOUND);
    error_clear(&err);
    assert_false(kernel_store_trash(world->store, "nothing", NULL, &err));
    assert_code(err, ERROR_NOT_FOUND);
}

static void test_hand_made(void **state)
{
    struct world *world = *state;
    scratch_write(world->dir, "kernels/bare/vmlinux", "kernel");
    scratch_write(world->dir, "kernels/noted/vmlinux", "kernel");
    scratch_write(world->dir, "kernels/noted/manifest.json",
        "{\"name\":\"noted\",\"kernel_version\":\"6.12\",\"imported_at\":"
        "\"2026-07-01T14:00:00.123456789+02:00\"}");
    auto_done(kernel_entry) struct kernel_entry bare = {0};
    read_one(world, "bare", &bare);
    assert_false(bare.is_damaged);
    assert_false(bare.has_manifest);
    assert_int_equal(bare.size_bytes, 6);
    assert_int_equal(bare.imported_at, 0);
    assert_null(bare.sha256);
    auto_done(kernel_entry) struct kernel_entry noted = {0};
    read_one(world, "noted", &noted);
    assert_false(noted.is_damaged);
    assert_string_equal(noted.kernel_version, "6.12");
    assert_int_equal(noted.imported_at, WHEN);
    assert_int_equal(noted.size_bytes, 6);
}

struct damage {
    const char *name;
    const char *manifest; /* NULL: none */
    const char *kernel;   /* NULL: none */
    const char *said;     /* part of the sentence */
};

static const struct damage damages[] = {
    {"cut", "{\"name\":\"cut\"", "k", "not valid JSON"},
    {"empty", "", "k", "not valid JSON"},
    {"list", "[]", "k", "not a JSON object"},
    {"twice", "{\"name\":\"twice\",\"name\":\"twice\"}", "k", "not valid JSON"},
    {"stranger", "{\"name\":\"other\"}", "k", "names another entry, other"},
    {"nameless", "{\"name\":1}", "k", "\"name\""},
    {"typed", "{\"name\":\"typed\",\"distro\":5}", "k", "\"distro\""},
    {"digest", "{\"name\":\"digest\",\"sha256\":\"ABC\"}", "k", "\"sha256\""},
    {"size", "{\"name\":\"size\",\"size_bytes\":-1}", "k", "\"size_bytes\""},
    {"format", "{\"name\":\"format\",\"format\":\"x\"}", "k", "\"format\""},
    {"gone", "{\"name\":\"gone\"}", NULL, "vmlinux is missing"},
    {"hollow", "{\"name\":\"hollow\"}", "", "vmlinux is empty"},
};

static void test_damaged_are_listed(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    for (size_t i = 0; i < array_length(damages); i++) {
        auto_free char *manifest = memory_printf("kernels/%s/manifest.json", damages[i].name);
        auto_free char *kernel = memory_printf("kernels/%s/vmlinux", damages[i].name);
        if (damages[i].manifest != NULL) {
            scratch_write(world->dir, manifest, damages[i].manifest);
        }
        if (damages[i].kernel != NULL) {
            scratch_write(world->dir, kernel, damages[i].kernel);
        }
    }
    scratch_write(world->dir, "kernels/good/vmlinux", "k");
    auto_done(kernel_list) struct kernel_list list = {0};
    assert_true(kernel_store_list(world->store, &list, &err));
    assert_int_equal(list.count, array_length(damages) + 1);
    for (size_t i = 0; i < array_length(damages); i++) {
        auto_done(kernel_entry) struct kernel_entry entry = {0};
        read_one(world, damages[i].name, &entry);
        assert_true(entry.is_damaged);
        if (strstr(entry.damage, damages[i].said) == NULL) {
            fail_msg("%s: \"%s\" does not say %s", entry.name, entry.damage, damages[i].said);
        }
    }
    for (size_t i = 0; i < list.count; i++) {
        assert_int_equal(list.items[i].is_damaged, strcmp(list.items[i].name, "good") != 0);
    }
    /* A damaged entry can be removed like any other. */
    assert_true(kernel_store_trash(world->store, "cut", NULL, &err));
    assert_false(scratch_has(world->dir, "kernels/cut"));
}

static void test_odd_things_in_the_directory(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    auto_free char *link = memory_printf("%s/kernels/link", world->dir);
    auto_free char *fifo = memory_printf("%s/kernels/fifo/manifest.json", world->dir);
    auto_free char *kernel_link = memory_printf("%s/kernels/soft/vmlinux", world->dir);
    scratch_write(world->dir, "kernels/README", "a file is no entry");
    scratch_write(world->dir, "kernels/.hidden/vmlinux", "k");
    scratch_write(world->dir, "kernels/.tmp-1/vmlinux", "k");
    scratch_write(world->dir, "kernels/bad name/vmlinux", "k");
    scratch_write(world->dir, "kernels/fifo/vmlinux", "k");
    scratch_write(world->dir, "kernels/soft/x", "k");
    scratch_write(world->dir, "kernels/void/x", "k");
    assert_int_equal(symlink("/etc", link), 0);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(symlink("/etc/passwd", kernel_link), 0);
    auto_done(kernel_list) struct kernel_list list = {0};
    assert_true(kernel_store_list(world->store, &list, &err));
    static const char *const wanted[] = {"bad name", "fifo", "link", "soft", "void"};
    assert_int_equal(list.count, array_length(wanted));
    for (size_t i = 0; i < list.count; i++) {
        assert_string_equal(list.items[i].name, wanted[i]);
        assert_true(list.items[i].is_damaged);
        assert_non_null(list.items[i].damage);
    }
}

static void test_unreadable_entry(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    if (geteuid() == 0) {
        skip();
    }
    scratch_write(world->dir, "kernels/closed/manifest.json", "{\"name\":\"closed\"}");
    scratch_write(world->dir, "kernels/closed/vmlinux", "k");
    auto_free char *path = memory_printf("%s/kernels/closed", world->dir);
    assert_int_equal(chmod(path, 0), 0);
    auto_done(kernel_list) struct kernel_list list = {0};
    assert_true(kernel_store_list(world->store, &list, &err));
    assert_int_equal(list.count, 1);
    assert_true(list.items[0].is_damaged);
    assert_true(kernel_store_trash(world->store, "closed", NULL, &err));
    assert_false(scratch_has(world->dir, "kernels/closed"));
}

static void test_newer_format_is_read_only(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    scratch_write(world->dir, "kernels/k/vmlinux", "kernel");
    scratch_write(
        world->dir, "kernels/k/manifest.json", "{\"name\":\"k\",\"format\":2,\"distro\":\"d\"}");
    auto_done(kernel_entry) struct kernel_entry entry = {0};
    read_one(world, "k", &entry);
    assert_true(entry.is_newer);
    assert_false(entry.is_damaged);
    assert_string_equal(entry.distro, "d");
    assert_false(kernel_store_trash(world->store, "k", NULL, &err));
    assert_code(err, ERROR_UNSUPPORTED);
    assert_true(scratch_has(world->dir, "kernels/k/vmlinux"));
    error_clear(&err);
    auto_staging struct staging *staging = staging_begin(world->store, STORE_KERNEL, "k", &err);
    assert_false(kernel_store_write_manifest(staging_dir(staging), &entry, &err));
    assert_code(err, ERROR_UNSUPPORTED);
}

static void test_empty_store(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    auto_done(kernel_list) struct kernel_list list = {0};
    assert_true(kernel_store_list(world->store, &list, &err));
    assert_int_equal(list.count, 0);
}

static void test_remove(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    auto_done(kernel_entry) struct kernel_entry k = named("k");
    auto_done(kernel_entry) struct kernel_entry l = named("l");
    make(world, &k, PUBLISH_NEW);
    make(world, &l, PUBLISH_NEW);
    assert_true(kernel_store_trash(world->store, "k", NULL, &err));
    auto_free char *names = scratch_list(world->dir, "kernels");
    assert_string_equal(names, "l");
}

static void test_manifest_is_never_written_through(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    scratch_write(world->dir, "victim", "precious");
    auto_free char *victim = memory_printf("%s/victim", world->dir);
    auto_staging struct staging *staging = staging_begin(world->store, STORE_KERNEL, "k", &err);
    assert_int_equal(symlinkat(victim, staging_dir(staging), "manifest.json"), 0);
    auto_done(kernel_entry) struct kernel_entry k = named("k");
    assert_false(kernel_store_write_manifest(staging_dir(staging), &k, &err));
    assert_code(err, ERROR_EXISTS);
    auto_free char *content = scratch_read(world->dir, "victim");
    assert_string_equal(content, "precious");
}

static void test_ten_thousand(void **state)
{
    enum { ENTRIES = 10000 };
    struct world *world = *state;
    struct error err = {0};
    for (int i = 0; i < ENTRIES; i++) {
        auto_free char *manifest = memory_printf("kernels/k%d/manifest.json", i);
        auto_free char *kernel = memory_printf("kernels/k%d/vmlinux", i);
        auto_free char *content = memory_printf(
            "{\"format\":1,\"name\":\"k%d\",\"distro\":\"debian\",\"arch\":\"x86_64\","
            "\"kernel_version\":\"6.1.0\",\"sha256\":\"" SHA "\",\"source\":\"pull:https://"
            "example.org/k.tar.zst\",\"imported_at\":\"2026-07-01T12:00:00Z\",\"size_bytes\":1}",
            i);
        scratch_write(world->dir, manifest, content);
        scratch_write(world->dir, kernel, "k");
    }
    uint64_t best_ms = UINT64_MAX;
    for (int round = 0; round < 5; round++) {
        clock_t started = clock();
        auto_done(kernel_list) struct kernel_list list = {0};
        assert_true(kernel_store_list(world->store, &list, &err));
        uint64_t took_ms = (uint64_t)(clock() - started) * 1000 / CLOCKS_PER_SEC;
        best_ms = took_ms < best_ms ? took_ms : best_ms;
        assert_int_equal(list.count, ENTRIES);
        assert_string_equal(list.items[1].name, "k1");
        assert_false(list.items[ENTRIES - 1].is_damaged);
    }
    print_message("10,000 entries listed in %u ms of processor time\n", (unsigned)best_ms);
    /* Processor time of all threads, so that a busy machine does not fail, but a second look at
     * every entry or a quadratic step does. Sanitizers cost a factor of ten. */
    const char *sanitizers = getenv("SANITIZERS");
    bool is_plain = sanitizers == NULL || strcmp(sanitizers, "no") == 0;
    assert_true(best_ms <= (is_plain ? 600 : 6000));
}

#define KERNEL_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KERNEL_TEST(test_round_trip),
        KERNEL_TEST(test_manifest_on_disk),
        KERNEL_TEST(test_unknown_keys_survive),
        KERNEL_TEST(test_not_found),
        KERNEL_TEST(test_hand_made),
        KERNEL_TEST(test_damaged_are_listed),
        KERNEL_TEST(test_odd_things_in_the_directory),
        KERNEL_TEST(test_unreadable_entry),
        KERNEL_TEST(test_newer_format_is_read_only),
        KERNEL_TEST(test_empty_store),
        KERNEL_TEST(test_remove),
        KERNEL_TEST(test_manifest_is_never_written_through),
        KERNEL_TEST(test_ten_thousand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
