/* SPDX-License-Identifier: MIT */
/* Catalogs: parsing both forms, failing closed, sources and their order, look-up, reconciling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include "base/clock.h"
#include "base/limits.h"
#include "store/catalog.h"
#include "support/scratch.h"

#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define KERNEL(name, url)                                                                          \
    "{\"name\":\"" name "\",\"tarball_url\":\"" url "\",\"tarball_sha256\":\"" SHA "\"}"

struct world {
    char *dir;
    struct store *store;
};

static int setup(void **state)
{
    struct error err = {0};
    struct world *world = memory_zero(1, sizeof(*world));
    world->dir = scratch_make();
    auto_free char *path = memory_printf("%s/state", world->dir);
    world->store = store_open(path, NULL, &err);
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

static bool add(struct catalog *catalog, const char *base, const char *json, struct error *err)
{
    return catalog_add_document(catalog, "test", base, json, strlen(json), &limits_default, err);
}

static void load(struct world *world, const struct catalog_places *places, struct catalog *catalog)
{
    struct error err = {0};
    assert_true(catalog_load(world->store, places, &limits_default, catalog, &err));
    assert_fine(err);
}

static void test_whole_entry(void **state)
{
    (void)state;
    struct error err = {0};
    auto_done(catalog) struct catalog catalog = {0};
    assert_true(add(&catalog, "https://example.org/c/catalog.json",
        "{\"version\":1,\"kernels\":[{\"name\":\"generic-6.12\",\"distro\":\"debian\",\"arch\":"
        "\"x86_64\",\"kernel_version\":\"6.12.1\",\"tarball_url\":\"https://example.org/"
        "k.tar.zst\","
        "\"tarball_urls\":[\"https://mirror.example.org/k.tar.zst\"],\"tarball_sha256\":\"" SHA
        "\",\"size_bytes\":123,\"description\":\"text\",\"later\":{}}],"
        "\"images\":[{\"name\":\"generic-6.12\",\"kernel_ref\":\"generic-6.12\","
        "\"tarball_url\":\"i.tar.zst\",\"tarball_sha256\":\"" SHA "\"}]}",
        &err));
    assert_fine(err);
    assert_int_equal(catalog.entry_count, 2);
    const struct catalog_entry *kernel = catalog_find(&catalog, CATALOG_KERNEL, "generic-6.12");
    assert_non_null(kernel);
    assert_true(kernel->is_usable);
    assert_string_equal(kernel->why_unusable, "");
    assert_string_equal(kernel->distro, "debian");
    assert_string_equal(kernel->arch, "x86_64");
    assert_string_equal(kernel->kernel_version, "6.12.1");
    assert_string_equal(kernel->description, "text");
    assert_int_equal(kernel->size_bytes, 123);
    assert_int_equal(kernel->urls.count, 2);
    assert_string_equal(kernel->urls.items[0], "https://example.org/k.tar.zst");
    assert_string_equal(kernel->urls.items[1], "https://mirror.example.org/k.tar.zst");
    char hex[DIGEST_HEX_LEN + 1];
    assert_string_equal(digest_format(&kernel->digest, hex), SHA);
    const struct catalog_entry *image = catalog_find(&catalog, CATALOG_IMAGE, "generic-6.12");
    assert_non_null(image);
    assert_string_equal(image->kernel_ref, "generic-6.12");
    assert_string_equal(image->urls.items[0], "https://example.org/c/i.tar.zst");
    assert_int_equal(catalog.sources[0].kernel_count, 1);
    assert_int_equal(catalog.sources[0].image_count, 1);
    assert_string_equal(catalog_source_name(&catalog, kernel), "test");
}

static void test_older_form(void **state)
{
    (void)state;
    struct error err = {0};
    auto_done(catalog) struct catalog catalog = {0};
    assert_true(add(&catalog, "",
        "{\"version\":1,\"entries\":[" KERNEL("old", "https://example.org/k") "]}", &err));
    const struct catalog_entry *entry = catalog_find(&catalog, CATALOG_KERNEL, "old");
    assert_non_null(entry);
    assert_true(entry->is_usable);
}

static void test_empty_is_valid(void **state)
{
    (void)state;
    static const char *const empty[] = {"{\"version\":1}", "{\"version\":1,\"entries\":[]}",
        "{\"version\":1,\"kernels\":[],\"images\":[]}", "{\"kernels\":[]}"};
    for (size_t i = 0; i < array_length(empty); i++) {
        struct error err = {0};
        auto_done(catalog) struct catalog catalog = {0};
        assert_true(add(&catalog, "", empty[i], &err));
        assert_int_equal(catalog.entry_count, 0);
        assert_true(catalog.sources[0].is_loaded);
        assert_null(catalog_find(&catalog, CATALOG_KERNEL, "x"));
        assert_null(catalog_require(&catalog, CATALOG_KERNEL, "x", &err));
        assert_code(err, ERROR_NOT_FOUND);
    }
}

static void test_malformed_documents(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "x", "[]", "{}", "{\"name\":\"x\"}", "{\"version\":1,",
        "{\"version\":2,\"kernels\":[]}", "{\"version\":\"1\",\"kernels\":[]}",
        "{\"version\":1,\"kernels\":{}}", "{\"version\":1,\"images\":1}",
        "{\"version\":1,\"kernels\":[1]}", "{\"version\":1,\"kernels\":[{}]}",
        "{\"version\":1,\"kernels\":[{\"name\":5}]}", "{\"version\":1,\"kernels\":[null]}",
        "{\"version\":1,\"version\":1}", "<html>not a catalog</html>"};
    for (size_t i = 0; i < array_length(bad); i++) {
        struct error err = {0};
        auto_done(catalog) struct catalog catalog = {0};
        if (add(&catalog, "", bad[i], &err)) {
            fail_msg("accepted: %s", bad[i]);
        }
        assert_code(err, ERROR_FORMAT);
        assert_int_equal(catalog.source_count, 0);
        assert_int_equal(catalog.entry_count, 0);
    }
}

/* Mutations of one good entry, none of which may be usable. */
static const char *const unusable[] = {
    /* digests */
    "\"tarball_url\":\"https://e.org/k\"",
    "\"tarball_url\":\"https://e.org/k\",\"tarball_sha256\":\"\"",
    "\"tarball_url\":\"https://e.org/k\",\"tarball_sha256\":null",
    "\"tarball_url\":\"https://e.org/k\",\"tarball_sha256\":5",
    "\"tarball_url\":\"https://e.org/k\",\"tarball_sha256\":\"0123456789abcdef\"",
    "\"tarball_url\":\"https://e.org/k\",\"tarball_sha256\":\"" SHA "0\"",
    "\"tarball_url\":\"https://e.org/k\",\"tarball_sha256\":\" " SHA "\"",
    "\"tarball_url\":\"https://e.org/k\",\"tarball_sha256\":\"" SHA "\\n\"",
    "\"tarball_url\":\"https://e.org/k\",\"tarball_sha256\":\"0123456789ABCDEF0123456789ABCDEF"
    "0123456789ABCDEF0123456789ABCDEF\"",
    "\"tarball_url\":\"https://e.org/k\",\"tarball_sha256\":\"g123456789abcdef0123456789abcdef"
    "0123456789abcdef0123456789abcdef\"",
    "\"tarball_url\":\"https://e.org/k\",\"tarball_sha256\":\"sha512:" SHA "\"",
    "\"tarball_url\":\"https://e.org/k\",\"tarball_sha512\":\"" SHA "\"",
    /* places */
    "\"tarball_sha256\":\"" SHA "\"",
    "\"tarball_url\":\"\",\"tarball_sha256\":\"" SHA "\"",
    "\"tarball_url\":7,\"tarball_sha256\":\"" SHA "\"",
    "\"tarball_url\":\"ftp://e.org/k\",\"tarball_sha256\":\"" SHA "\"",
    "\"tarball_url\":\"javascript:x\",\"tarball_sha256\":\"" SHA "\"",
    "\"tarball_url\":\"file:///etc/passwd\",\"tarball_sha256\":\"" SHA "\"",
    "\"tarball_url\":\"FILE:///etc/passwd\",\"tarball_sha256\":\"" SHA "\"",
    "\"tarball_url\":\"https://e.org/k\",\"tarball_urls\":5,\"tarball_sha256\":\"" SHA "\"",
    "\"tarball_url\":\"https://e.org/k\",\"tarball_urls\":[5],\"tarball_sha256\":\"" SHA "\"",
    /* sizes and strings of another type */
    "\"tarball_url\":\"https://e.org/k\",\"tarball_sha256\":\"" SHA "\",\"size_bytes\":-1",
    "\"tarball_url\":\"https://e.org/k\",\"tarball_sha256\":\"" SHA "\",\"size_bytes\":\"1\"",
    "\"tarball_url\":\"https://e.org/k\",\"tarball_sha256\":\"" SHA "\",\"arch\":5",
    /* packages: what is no package name would become an option or a file of apt's */
    "\"apt_package\":\"\"",
    "\"apt_package\":\"-o=x\"",
    "\"apt_package\":\"./x.deb\"",
    "\"apt_package\":\"/x.deb\"",
    "\"apt_package\":\"linux image\"",
    "\"apt_package\":\"linux=1\"",
    "\"apt_package\":\"linux/stable\"",
    "\"apt_package\":[\"linux\"]",
    "\"apt_package\":\"linux-image\",\"apt_packages\":[\"--help\"]",
    "\"apt_package\":\"linux-image\",\"tarball_url\":\"https://e.org/k\",\"tarball_sha256\":\"" SHA
    "\"",
};

static void test_fails_closed(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_length(unusable); i++) {
        struct error err = {0};
        auto_done(catalog) struct catalog catalog = {0};
        auto_free char *json =
            memory_printf("{\"version\":1,\"kernels\":[{\"name\":\"k\",%s}," KERNEL(
                              "good", "https://e.org/k") "]}",
                unusable[i]);
        assert_true(add(&catalog, "https://e.org/catalog.json", json, &err));
        const struct catalog_entry *entry = catalog_find(&catalog, CATALOG_KERNEL, "k");
        assert_non_null(entry);
        if (entry->is_usable) {
            fail_msg("usable: %s", unusable[i]);
        }
        assert_true(strlen(entry->why_unusable) > 0);
        assert_true(catalog_find(&catalog, CATALOG_KERNEL, "good")->is_usable);
    }
}

static void test_bad_names_are_unusable(void **state)
{
    (void)state;
    struct error err = {0};
    auto_done(catalog) struct catalog catalog = {0};
    assert_true(add(&catalog, "",
        "{\"version\":1,\"kernels\":[" KERNEL("../x", "https://e.org/k") "," KERNEL(
            "a b", "https://e.org/k") "," KERNEL("", "https://e.org/k") "]}",
        &err));
    assert_int_equal(catalog.entry_count, 3);
    for (size_t i = 0; i < catalog.entry_count; i++) {
        assert_false(catalog.entries[i].is_usable);
    }
}

static void test_packages(void **state)
{
    (void)state;
    struct error err = {0};
    auto_done(catalog) struct catalog catalog = {0};
    assert_true(add(&catalog, "",
        "{\"version\":1,\"kernels\":[{\"name\":\"debian\",\"apt_package\":\"linux-image-amd64\","
        "\"apt_packages\":[\"linux-image-generic\"]}],\"images\":[{\"name\":\"i\","
        "\"apt_package\":\"linux-image-amd64\"}]}",
        &err));
    const struct catalog_entry *entry = catalog_find(&catalog, CATALOG_KERNEL, "debian");
    assert_true(entry->is_usable);
    assert_false(entry->has_digest);
    assert_int_equal(entry->apt_packages.count, 2);
    assert_string_equal(entry->apt_packages.items[0], "linux-image-amd64");
    assert_int_equal(entry->urls.count, 0);
    assert_false(catalog_find(&catalog, CATALOG_IMAGE, "i")->is_usable);
}

struct resolution {
    const char *base;
    const char *reference;
    const char *url; /* NULL: unusable */
};

static const struct resolution resolutions[] = {
    {"https://e.org/a/c.json", "k.tar.zst", "https://e.org/a/k.tar.zst"},
    {"https://e.org/a/c.json?x=/y", "k", "https://e.org/a/k"},
    {"https://e.org/a/c.json", "./b/../k", "https://e.org/a/k"},
    {"https://e.org/a/b/c.json", "../k", "https://e.org/a/k"},
    {"https://e.org/a/c.json", "../../../k", "https://e.org/k"},
    {"https://e.org/a/c.json", "/k?x=../y", "https://e.org/k?x=../y"},
    {"https://e.org", "k", "https://e.org/k"},
    {"https://u:p@e.org:8443/a/c.json", "k", "https://u:p@e.org:8443/a/k"},
    {"https://e.org/a/c.json", "//m.org/k", "https://m.org/k"},
    {"https://e.org/a/c.json", "http://m.org/k", "http://m.org/k"},
    {"https://e.org/a/c.json", "k 1.tar", "https://e.org/a/k%201.tar"},
    {"https://e.org/a/c.json", "k%201.tar", "https://e.org/a/k%201.tar"},
    {"/srv/my catalogs/c.json", "k.tar.zst", "file:///srv/my%20catalogs/k.tar.zst"},
    {"/srv/c.json", "../k", "file:///k"},
    {"/srv/c.json", "/k", "file:///k"},
    {"/srv/50%/c.json", "k", "file:///srv/50%25/k"},
    {"/srv/c.json", "https://e.org/k", "https://e.org/k"},
    {"/srv/c.json", "file:///x/k", "file:///x/k"},
    {"", "k.tar.zst", NULL},
    {"", "https://e.org/k", "https://e.org/k"},
};

static void test_relative_urls(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_length(resolutions); i++) {
        const struct resolution *row = &resolutions[i];
        struct error err = {0};
        auto_done(catalog) struct catalog catalog = {0};
        auto_free char *json = memory_printf("{\"version\":1,\"kernels\":[{\"name\":\"k\","
                                             "\"tarball_url\":\"%s\",\"tarball_sha256\":\"%s\"}]}",
            row->reference, SHA);
        assert_true(add(&catalog, row->base, json, &err));
        const struct catalog_entry *entry = &catalog.entries[0];
        assert_int_equal(entry->is_usable, row->url != NULL);
        if (row->url != NULL) {
            assert_string_equal(entry->urls.items[0], row->url);
        }
    }
}

static void test_require_names_what_is_near(void **state)
{
    (void)state;
    struct error err = {0};
    auto_done(catalog) struct catalog catalog = {0};
    assert_true(add(&catalog, "",
        "{\"version\":1,\"kernels\":[" KERNEL("debian", "https://e.org/k") "," KERNEL(
            "debian-cloud", "https://e.org/k") "," KERNEL("alpine", "https://e.org/k") "]}",
        &err));
    assert_non_null(catalog_require(&catalog, CATALOG_KERNEL, "debian", &err));
    assert_null(catalog_require(&catalog, CATALOG_KERNEL, "debain", &err));
    assert_code(err, ERROR_NOT_FOUND);
    assert_non_null(strstr(err.text, "did you mean debian?"));
    error_clear(&err);
    assert_null(catalog_require(&catalog, CATALOG_KERNEL, "deb", &err));
    assert_non_null(strstr(err.text, "debian, debian-cloud"));
    error_clear(&err);
    assert_null(catalog_require(&catalog, CATALOG_IMAGE, "debian", &err));
    assert_null(strstr(err.text, "did you mean"));
}

static void test_built_in(void **state)
{
    auto_done(catalog) struct catalog catalog = {0};
    load(*state, &(struct catalog_places){0}, &catalog);
    assert_int_equal(catalog.source_count, 1);
    assert_string_equal(catalog.sources[0].name, "built-in");
    assert_string_equal(catalog.sources[0].place, "");
    assert_int_equal(catalog.sources[0].origin, CATALOG_FROM_PROGRAM);
    assert_null(catalog_first_problem(&catalog));
    const struct catalog_entry *cloud = catalog_find(&catalog, CATALOG_KERNEL, "debian-cloud");
    const struct catalog_entry *full = catalog_find(&catalog, CATALOG_KERNEL, "debian");
    assert_true(cloud != NULL && cloud->is_usable);
    assert_true(full != NULL && full->is_usable);
    assert_true(strings_contain(&cloud->apt_packages, "linux-image-cloud-amd64"));
    assert_true(strings_contain(&cloud->apt_packages, "linux-image-virtual"));
    assert_true(strings_contain(&full->apt_packages, "linux-image-amd64"));
    assert_true(strings_contain(&full->apt_packages, "linux-image-generic"));
    for (size_t i = 0; i < catalog.entry_count; i++) {
        assert_true(catalog.entries[i].is_usable);
        assert_int_equal(catalog.entries[i].urls.count, 0); /* no server is named in the program */
    }
}

static void test_sources_in_their_order(void **state)
{
    struct world *world = *state;
    static const char *const files[] = {
        "env one.json", "env2.json", "conf.json", "state/catalogs.d/b.json", "built.json"};
    /* Each source has "all" and one of its own; the digest's place tells whose "all" it is. */
    for (size_t i = 0; i < array_length(files); i++) {
        auto_free char *json = memory_printf(
            "{\"version\":1,\"kernels\":[{\"name\":\"all\",\"tarball_url\":\"k\","
            "\"tarball_sha256\":\"" SHA "\",\"description\":\"%zu\"},{\"name\":\"own%zu\","
            "\"tarball_url\":\"k\",\"tarball_sha256\":\"" SHA "\"}]}",
            i, i);
        scratch_write(world->dir, files[i], json);
    }
    scratch_write(world->dir, "state/catalogs.d/a.json", "not json");
    scratch_write(world->dir, "state/catalogs.d/README", "not a catalog");
    scratch_write(world->dir, "state/catalogs.d/.hidden.json", "not a catalog");
    auto_free char *environment =
        memory_printf("file://%s/env%%20one.json\n %s/env2.json", world->dir, world->dir);
    auto_free char *conf = memory_printf("%s/conf.json", world->dir);
    auto_free char *built = memory_printf("%s/built.json", world->dir);
    const struct catalog_setting settings[] = {{.name = "mine", .place = conf}};
    const struct catalog_places places = {.environment = environment,
        .builtin_path = built,
        .settings = settings,
        .setting_count = 1};
    auto_done(catalog) struct catalog catalog = {0};
    load(world, &places, &catalog);
    static const char *const names[] = {"env one", "env2", "mine", "a", "b", "built-in"};
    static const enum catalog_origin origins[] = {CATALOG_FROM_ENVIRONMENT,
        CATALOG_FROM_ENVIRONMENT, CATALOG_FROM_CONFIG, CATALOG_FROM_DIRECTORY,
        CATALOG_FROM_DIRECTORY, CATALOG_FROM_PROGRAM};
    assert_int_equal(catalog.source_count, array_length(names));
    for (size_t i = 0; i < array_length(names); i++) {
        assert_string_equal(catalog.sources[i].name, names[i]);
        assert_int_equal(catalog.sources[i].origin, origins[i]);
        assert_int_equal(catalog.sources[i].is_loaded, i != 3);
        assert_false(catalog.sources[i].is_remote);
        assert_true(catalog.sources[i].as_of != 0);
    }
    assert_int_equal(catalog.entry_count, 6);
    const struct catalog_entry *all = catalog_find(&catalog, CATALOG_KERNEL, "all");
    assert_string_equal(all->description, "0");
    assert_string_equal(catalog_source_name(&catalog, all), "env one");
    auto_free char *url = memory_printf("file://%s/k", world->dir);
    assert_string_equal(all->urls.items[0], url);
    assert_non_null(catalog_find(&catalog, CATALOG_KERNEL, "own4"));

    /* The broken one is told, and is the answer when a name is not found elsewhere. */
    const struct catalog_source *broken = catalog_first_problem(&catalog);
    assert_ptr_equal(broken, &catalog.sources[3]);
    assert_non_null(strstr(broken->problem.text, "catalogs.d/a.json"));
    struct error err = {0};
    assert_non_null(catalog_require(&catalog, CATALOG_KERNEL, "own4", &err));
    assert_null(catalog_require(&catalog, CATALOG_KERNEL, "missing", &err));
    assert_code(err, ERROR_CONFIG);
}

static void test_broken_places(void **state)
{
    struct world *world = *state;
    static const char *const places[] = {
        "/nonexistent/catalog.json", "ftp://e.org/c.json", "file://host/c.json", "/", "/dev/zero"};
    for (size_t i = 0; i < array_length(places); i++) {
        auto_done(catalog) struct catalog catalog = {0};
        load(world, &(struct catalog_places){.environment = places[i]}, &catalog);
        assert_int_equal(catalog.source_count, 2);
        assert_false(catalog.sources[0].is_loaded);
        assert_int_equal(catalog.sources[0].problem.code, ERROR_CONFIG);
        assert_true(catalog.sources[1].is_loaded);
    }
}

static void test_relative_place(void **state)
{
    struct world *world = *state;
    char here[4096];
    assert_non_null(getcwd(here, sizeof(here)));
    scratch_write(world->dir, "c.json", "{\"version\":1,\"kernels\":[" KERNEL("k", "k.tar") "]}");
    assert_int_equal(chdir(world->dir), 0);
    auto_done(catalog) struct catalog catalog = {0};
    load(world, &(struct catalog_places){.environment = "c.json"}, &catalog);
    assert_int_equal(chdir(here), 0);
    auto_free char *url = memory_printf("file://%s/k.tar", world->dir);
    assert_string_equal(catalog_find(&catalog, CATALOG_KERNEL, "k")->urls.items[0], url);
    assert_string_equal(catalog.sources[0].name, "c");
}

#define REMOTE "https://user:secret@cat.example.org:8443/a/catalog.json"

static void test_remote_is_read_from_its_copy(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    const struct catalog_places places = {.environment = REMOTE};
    auto_done(catalog) struct catalog before = {0};
    load(world, &places, &before);
    assert_string_equal(before.sources[0].name, "cat.example.org");
    assert_string_equal(before.sources[0].place, REMOTE);
    assert_true(before.sources[0].is_remote);
    assert_true(before.sources[0].wants_refresh);
    assert_false(before.sources[0].is_loaded);
    assert_non_null(strstr(before.sources[0].problem.text, "catalog refresh"));
    assert_null(strstr(before.sources[0].problem.text, "secret"));

    static const char json[] = "{\"version\":1,\"kernels\":[" KERNEL("k", "k.tar") "]}";
    assert_true(catalog_cache_put(
        world->store, REMOTE, json, strlen(json), NULL, &limits_default, NULL, &err));
    auto_done(catalog) struct catalog after = {0};
    load(world, &places, &after);
    assert_true(after.sources[0].is_loaded);
    assert_false(after.sources[0].wants_refresh);
    assert_true(clock_wall() - after.sources[0].as_of < 60);
    assert_string_equal(catalog_find(&after, CATALOG_KERNEL, "k")->urls.items[0],
        "https://user:secret@cat.example.org:8443/a/k.tar");

    /* Nobody reads the password off the copy's name. */
    auto_free char *names = scratch_list(world->dir, "state/cache/catalogs");
    assert_null(strstr(names, "secret"));
    assert_non_null(strstr(names, "cat.example.org"));
    /* Another URL has another copy. */
    auto_done(catalog) struct catalog other = {0};
    load(world, &(struct catalog_places){.environment = REMOTE "?x"}, &other);
    assert_false(other.sources[0].is_loaded);
}

static void test_old_copy_wants_a_refresh(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    static const char json[] = "{\"version\":1,\"kernels\":[" KERNEL("k", "k.tar") "]}";
    assert_true(catalog_cache_put(
        world->store, REMOTE, json, strlen(json), NULL, &limits_default, NULL, &err));
    auto_free char *name = scratch_list(world->dir, "state/cache/catalogs");
    const struct timespec then = {.tv_sec = clock_wall() - 2 * 86400};
    const struct timespec both[2] = {then, then};
    assert_int_equal(
        utimensat(store_cache_dir(world->store, STORE_CACHE_CATALOGS), name, both, 0), 0);
    auto_done(catalog) struct catalog catalog = {0};
    load(world, &(struct catalog_places){.environment = REMOTE}, &catalog);
    assert_true(catalog.sources[0].is_loaded);
    assert_true(catalog.sources[0].wants_refresh);
    assert_int_equal(catalog.sources[0].as_of, then.tv_sec);
    assert_non_null(catalog_find(&catalog, CATALOG_KERNEL, "k"));
}

static void test_what_is_no_catalog_is_not_kept(void **state)
{
    struct world *world = *state;
    struct error err = {0};
    static const char json[] = "{\"version\":1,\"kernels\":[" KERNEL("k", "k.tar") "]}";
    static const char page[] = "<html>captive portal</html>";
    assert_true(catalog_cache_put(
        world->store, REMOTE, json, strlen(json), NULL, &limits_default, NULL, &err));
    assert_false(catalog_cache_put(
        world->store, REMOTE, page, strlen(page), NULL, &limits_default, NULL, &err));
    assert_code(err, ERROR_FORMAT);
    assert_null(strstr(err.text, "secret"));
    auto_done(catalog) struct catalog catalog = {0};
    load(world, &(struct catalog_places){.environment = REMOTE}, &catalog);
    assert_non_null(catalog_find(&catalog, CATALOG_KERNEL, "k"));
}

/* A stand-in: a signature is good when it is the first byte of the key. */
static bool is_first_byte(const uint8_t *key, const void *bytes, size_t len, const char *signature)
{
    return len > 0 && bytes != NULL && signature[0] == key[0];
}

static const uint8_t test_key[CATALOG_KEY_BYTES] = "k";

struct judgement {
    enum catalog_policy policy;
    bool has_key;
    const char *signature;
    bool is_taken;
    enum catalog_signature found;
};

static const struct judgement judgements[] = {
    {CATALOG_POLICY_OFF, true, "x", true, CATALOG_SIGNATURE_NONE},
    {CATALOG_POLICY_OFF, false, NULL, true, CATALOG_SIGNATURE_NONE},
    {CATALOG_POLICY_PREFER, true, "k", true, CATALOG_SIGNATURE_VERIFIED},
    {CATALOG_POLICY_PREFER, true, NULL, true, CATALOG_SIGNATURE_MISSING},
    {CATALOG_POLICY_PREFER, true, "x", false, CATALOG_SIGNATURE_BAD},
    {CATALOG_POLICY_PREFER, true, "", false, CATALOG_SIGNATURE_BAD},
    {CATALOG_POLICY_PREFER, false, "k", false, CATALOG_SIGNATURE_NONE},
    {CATALOG_POLICY_REQUIRE, true, "k", true, CATALOG_SIGNATURE_VERIFIED},
    {CATALOG_POLICY_REQUIRE, true, NULL, false, CATALOG_SIGNATURE_MISSING},
    {CATALOG_POLICY_REQUIRE, true, "x", false, CATALOG_SIGNATURE_BAD},
    {CATALOG_POLICY_REQUIRE, false, "k", false, CATALOG_SIGNATURE_NONE},
};

static void test_policies(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_length(judgements); i++) {
        const struct judgement *wanted = &judgements[i];
        const struct catalog_trust trust = {
            .name = "c", .policy = wanted->policy, .key = wanted->has_key ? test_key : NULL};
        const struct catalog_places places = {
            .trust = &trust, .trust_count = 1, .verify = is_first_byte};
        struct error err = {0};
        enum catalog_policy policy;
        enum catalog_signature found;
        assert_int_equal(
            catalog_judge(&places, "c", "{}", 2, wanted->signature, &policy, &found, &err),
            wanted->is_taken);
        assert_int_equal(policy, wanted->policy);
        assert_int_equal(found, wanted->found);
        assert_code(err, wanted->is_taken ? ERROR_NONE : ERROR_SIGNATURE);
        /* Of another name nothing is asked. */
        error_clear(&err);
        assert_true(catalog_judge(&places, "d", "{}", 2, NULL, &policy, &found, &err));
    }
}

/* Two sources of one wanted name are both held to its policy, whatever number one of them gets. */
static void test_a_number_is_no_way_around_a_policy(void **state)
{
    struct world *world = *state;
    scratch_write(world->dir, "c.json", "{\"version\":1,\"kernels\":[" KERNEL("k", "k.tar") "]}");
    auto_free char *path = memory_printf("%s/c.json", world->dir);
    const struct catalog_setting setting = {.name = "c", .place = path};
    const struct catalog_trust trust = {
        .name = "c", .policy = CATALOG_POLICY_REQUIRE, .key = test_key};
    const struct catalog_places places = {.environment = path,
        .settings = &setting,
        .setting_count = 1,
        .trust = &trust,
        .trust_count = 1,
        .verify = is_first_byte};
    auto_done(catalog) struct catalog catalog = {0};
    load(world, &places, &catalog);
    assert_string_equal(catalog.sources[1].name, "c-2");
    for (size_t i = 0; i < 2; i++) {
        assert_false(catalog.sources[i].is_loaded);
        assert_code(catalog.sources[i].problem, ERROR_SIGNATURE);
    }
}

static void test_where_a_signature_is(void **state)
{
    (void)state;
    static const char *const places[][2] = {{"/a/c.json", "/a/c.json.sig"},
        {"/a/c?.json", "/a/c?.json.sig"}, {"https://h/c.json", "https://h/c.json.sig"},
        {"https://u:p@h/c.json?a=b#c", "https://u:p@h/c.json.sig?a=b#c"}};
    for (size_t i = 0; i < array_length(places); i++) {
        auto_free char *found = catalog_signature_place(places[i][0]);
        assert_string_equal(found, places[i][1]);
    }
}

static void test_same_names_get_numbers(void **state)
{
    struct world *world = *state;
    scratch_write(world->dir, "a/catalog.json", "{\"version\":1}");
    scratch_write(world->dir, "b/catalog.json", "{\"version\":1}");
    scratch_write(world->dir, "built-in.json", "{\"version\":1}");
    auto_free char *places = memory_printf(
        "%s/a/catalog.json %s/b/catalog.json %s/built-in.json", world->dir, world->dir, world->dir);
    auto_done(catalog) struct catalog catalog = {0};
    load(world, &(struct catalog_places){.environment = places}, &catalog);
    static const char *const names[] = {"catalog", "catalog-2", "built-in", "built-in-2"};
    for (size_t i = 0; i < array_length(names); i++) {
        assert_string_equal(catalog.sources[i].name, names[i]);
    }
}

static void test_reconciliation(void **state)
{
    (void)state;
    struct error err = {0};
    auto_done(catalog) struct catalog catalog = {0};
    assert_true(add(&catalog, "",
        "{\"version\":1,\"kernels\":[" KERNEL("a", "https://e.org/k") "," KERNEL(
            "b", "https://e.org/k") ",{\"name\":\"c\"},{\"name\":\"d\"}],\"images\":[" KERNEL("a",
            "https://e.org/k") "," KERNEL("z", "https://e.org/k") "]}",
        &err));
    auto_done(strings) struct strings kernels = {0};
    auto_done(strings) struct strings images = {0};
    strings_add(&kernels, "x");
    strings_add(&kernels, "d");
    strings_add(&kernels, "a");
    strings_add(&images, "z");
    strings_add(&images, "b");
    enum catalog_state states[6];
    assert_int_equal(catalog.entry_count, array_length(states));
    catalog_reconcile(&catalog, &kernels, &images, states);
    static const enum catalog_state wanted[] = {CATALOG_PULLED, CATALOG_AVAILABLE, CATALOG_UNUSABLE,
        CATALOG_PULLED, CATALOG_AVAILABLE, CATALOG_PULLED};
    for (size_t i = 0; i < array_length(wanted); i++) {
        assert_int_equal(states[i], wanted[i]);
    }
    auto_done(strings) struct strings none = {0};
    catalog_reconcile(&catalog, &none, &none, states);
    assert_int_equal(states[0], CATALOG_AVAILABLE);
    auto_done(catalog) struct catalog empty = {0};
    catalog_reconcile(&empty, &kernels, &images, NULL);
}

static void test_public_urls(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"https://u:p@e.org/a@b", "https://e.org/a@b"},
        {"https://u@e.org", "https://e.org"},
        {"https://u:p@x@e.org/k?q=a@b", "https://e.org/k?q=a@b"},
        {"https://e.org/k", "https://e.org/k"},
        {"file:///a@b", "file:///a@b"},
        {"/a@b", "/a@b"},
        {"", ""},
    };
    for (size_t i = 0; i < array_length(rows); i++) {
        auto_free char *url = catalog_public_url(rows[i][0]);
        assert_string_equal(url, rows[i][1]);
    }
}

static void test_ten_thousand_entries(void **state)
{
    (void)state;
    enum { ENTRIES = 10000 };
    struct error err = {0};
    auto_done(text) struct text json = {0};
    text_append(&json, "{\"version\":1,\"kernels\":[");
    for (int i = 0; i < ENTRIES; i++) {
        text_printf(&json, "%s{\"name\":\"k%d\",\"tarball_url\":\"k%d\",\"tarball_sha256\":\"%s\"}",
            i > 0 ? "," : "", ENTRIES - i, i, SHA);
    }
    text_append(&json, "]}");
    clock_t started = clock(); /* of the processor: others on the machine do not count */
    auto_done(catalog) struct catalog catalog = {0};
    assert_true(add(&catalog, "https://e.org/c.json", text_cstr(&json), &err));
    uint64_t took_ms = (uint64_t)(clock() - started) * 1000 / CLOCKS_PER_SEC;
    assert_int_equal(catalog.entry_count, ENTRIES);
    assert_non_null(catalog_find(&catalog, CATALOG_KERNEL, "k77"));
    print_message("10,000 entries read in %u ms\n", (unsigned)took_ms);
    assert_true(took_ms < 5000);
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_entry),
        cmocka_unit_test(test_older_form),
        cmocka_unit_test(test_empty_is_valid),
        cmocka_unit_test(test_malformed_documents),
        cmocka_unit_test(test_fails_closed),
        cmocka_unit_test(test_bad_names_are_unusable),
        cmocka_unit_test(test_packages),
        cmocka_unit_test(test_relative_urls),
        cmocka_unit_test(test_require_names_what_is_near),
        WORLD_TEST(test_built_in),
        WORLD_TEST(test_sources_in_their_order),
        WORLD_TEST(test_broken_places),
        WORLD_TEST(test_relative_place),
        WORLD_TEST(test_remote_is_read_from_its_copy),
        WORLD_TEST(test_old_copy_wants_a_refresh),
        WORLD_TEST(test_what_is_no_catalog_is_not_kept),
        cmocka_unit_test(test_policies),
        WORLD_TEST(test_a_number_is_no_way_around_a_policy),
        cmocka_unit_test(test_where_a_signature_is),
        WORLD_TEST(test_same_names_get_numbers),
        cmocka_unit_test(test_reconciliation),
        cmocka_unit_test(test_public_urls),
        cmocka_unit_test(test_ten_thousand_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
