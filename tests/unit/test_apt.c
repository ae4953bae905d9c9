/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <utime.h>

#include "artifact/apt.h"
#include "artifact/apt_text.h"
#include "base/process.h"
#include "support/scratch.h"

#define DIGEST_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DIGEST_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define DIGEST_C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

/* A machine with an apt of its own, asked through the real programs. */
struct world {
    char *directory;
    int cache;
};

/* Packages as their archives describe them, shortened: Debian's meta and image, Ubuntu's with a
 * circle between image and modules, Debian's newer split into binary and modules, and odd ones. */
static const struct {
    const char *name, *version, *depends, *size, *hashes;
} packages[] = {
    {"linux-image-cloud-amd64", "6.1.2-1", "linux-image-6.1.0-2-cloud-amd64 (= 6.1.2-1)", "10",
        "SHA256: " DIGEST_C "\nSHA512: " DIGEST_C DIGEST_C},
    {"linux-image-6.1.0-2-cloud-amd64", "6.1.2-1",
        "kmod, linux-base (>= 4.3~), initramfs-tools (>= 0.120) | linux-initramfs-tool", "1000",
        "SHA256: " DIGEST_A "\nSHA512: " DIGEST_A DIGEST_A},
    {"linux-image-virtual", "6.8.0.7.9", "linux-image-6.8.0-7-generic", "20", "SHA256: " DIGEST_C},
    {"linux-image-6.8.0-7-generic", "6.8.0-7.7", "kmod, linux-modules-6.8.0-7-generic", "2000",
        "SHA256: " DIGEST_A},
    {"linux-modules-6.8.0-7-generic", "6.8.0-7.7",
        "linux-image-6.8.0-7-generic | linux-image-unsigned-6.8.0-7-generic", "3000",
        "SHA256: " DIGEST_B},
    {"linux-image-amd64", "6.17.1-1", "linux-image-6.17.1+deb14-amd64 (= 6.17.1-1)", "30",
        "SHA256: " DIGEST_C},
    {"linux-image-6.17.1+deb14-amd64", "6.17.1-1",
        "linux-binary-6.17.1+deb14-amd64:amd64 (= 6.17.1-1), linux-modules-6.17.1+deb14-amd64",
        "40", "SHA256: " DIGEST_C},
    {"linux-binary-6.17.1+deb14-amd64", "6.17.1-1", "linux-base", "4000", "SHA256: " DIGEST_A},
    {"linux-modules-6.17.1+deb14-amd64", "6.17.1-1", "", "5000", "SHA256: " DIGEST_B},
    {"linux-image-weak", "1:2-3", "", "50", "MD5sum: 00be21c0c17f08ddf26e82d3b53fe7a4"},
    {"linux-image-epoch", "1:2-3", "", "60", "SHA256: " DIGEST_A},
    {"linux-image-broken", "1", "linux-image-7-broken", "70", "SHA256: " DIGEST_A},
    {"linux-image-ring", "1", "linux-image-ring2", "80", "SHA256: " DIGEST_A},
    {"linux-image-ring2", "1", "linux-image-ring", "80", "SHA256: " DIGEST_A},
    {"linux-modules-alone", "1", "", "90", "SHA256: " DIGEST_A},
};

static void write_repository(const struct world *world)
{
    auto_done(text) struct text text = {0};
    for (size_t i = 0; i < array_length(packages); i++) {
        text_printf(&text,
            "Package: %s\nVersion: %s\nArchitecture: amd64\nMaintainer: nobody <n@example.org>\n"
            "%s%s%sFilename: ./pool/%s_%s_amd64.deb\nSize: %s\n%s\nDescription: test\n\n",
            packages[i].name, packages[i].version,
            packages[i].depends[0] != '\0' ? "Depends: " : "", packages[i].depends,
            packages[i].depends[0] != '\0' ? "\n" : "", packages[i].name,
            strchr(packages[i].version, ':') != NULL ? strchr(packages[i].version, ':') + 1
                                                     : packages[i].version,
            packages[i].size, packages[i].hashes);
    }
    scratch_write(world->directory, "repo/Packages", text_cstr(&text));
}

static bool update(void)
{
    return system("exec >/dev/null 2>&1; apt-get update") == 0;
}

static void write_machine(const struct world *world)
{
    auto_free char *config = memory_printf(
        "Dir \"%s\";\nDir::Etc \"etc\";\nDir::State \"state\";\nDir::State::lists \"lists\";\n"
        "Dir::State::status \"%s/status\";\nDir::Cache \"aptcache\";\nAPT::Sandbox::User \"\";\n"
        "APT::Architecture \"amd64\";\nAPT::Architectures { \"amd64\"; };\n",
        world->directory, world->directory);
    auto_free char *source = memory_printf("deb [trusted=yes] file:%s/repo ./\n", world->directory);
    scratch_write(world->directory, "apt.conf", config);
    scratch_write(world->directory, "etc/sources.list", source);
    scratch_write(world->directory, "etc/sources.list.d/none", "");
    scratch_write(world->directory, "etc/apt.conf.d/none", "");
    scratch_write(world->directory, "etc/preferences.d/none", "");
    scratch_write(world->directory, "status", "");
    scratch_write(world->directory, "state/lists/partial/none", "");
    scratch_write(world->directory, "aptcache/archives/partial/none", "");
    scratch_write(world->directory, "cache/none", "");
    auto_free char *path = memory_printf("%s/apt.conf", world->directory);
    setenv("APT_CONFIG", path, 1);
}

static int make_world(void **state)
{
    struct world *world = memory_zero(1, sizeof *world);
    world->directory = scratch_make();
    write_repository(world);
    write_machine(world);
    auto_free char *cache = memory_printf("%s/cache", world->directory);
    world->cache = open(cache, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = world;
    return !update();
}

static int remove_world(void **state)
{
    struct world *world = *state;
    close(world->cache);
    scratch_remove(world->directory);
    free(world);
    unsetenv("APT_CONFIG");
    return 0;
}

static void expect_failure(const char *package, enum error_code code, const char *words)
{
    struct apt_answer answer = {0};
    struct error err = {0};
    assert_false(apt_resolve(package, -1, NULL, &answer, &err));
    assert_code(err, code);
    if (strstr(err.text, words) == NULL) {
        fail_msg("%s", err.text);
    }
    assert_null(answer.files);
}

static void assert_file(
    const struct apt_file *file, const char *package, uint64_t size_bytes, const char *hex)
{
    char found[DIGEST_HEX_LEN + 1];
    assert_string_equal(file->package, package);
    assert_int_equal(file->size_bytes, size_bytes);
    assert_string_equal(digest_format(&file->digest, found), hex);
    assert_non_null(strstr(file->url, "/pool/"));
    assert_true(text_has_prefix(file->url, "file:/"));
    assert_true(text_has_suffix(file->filename, ".deb"));
}

static void a_meta_package_leads_to_the_image(void **state)
{
    (void)state;
    auto_done(apt_answer) struct apt_answer answer = {0};
    struct error err = {0};
    assert_true(apt_resolve("linux-image-cloud-amd64", -1, NULL, &answer, &err));
    assert_int_equal(answer.count, 1);
    assert_file(&answer.files[0], "linux-image-6.1.0-2-cloud-amd64", 1000, DIGEST_A);
    assert_string_equal(answer.package, "linux-image-cloud-amd64");
    assert_string_equal(answer.version, "6.1.2-1");
    assert_string_equal(answer.kernel_version, "6.1.0-2-cloud-amd64");
    assert_int_equal(answer.size_bytes, 1000);
}

static void modules_come_along(void **state)
{
    (void)state;
    auto_done(apt_answer) struct apt_answer answer = {0};
    struct error err = {0};
    assert_true(apt_resolve("linux-image-nowhere|linux-image-virtual", -1, NULL, &answer, &err));
    assert_string_equal(answer.package, "linux-image-virtual");
    assert_int_equal(answer.count, 2);
    assert_file(&answer.files[0], "linux-image-6.8.0-7-generic", 2000, DIGEST_A);
    assert_file(&answer.files[1], "linux-modules-6.8.0-7-generic", 3000, DIGEST_B);
    assert_int_equal(answer.size_bytes, 5000);
    assert_string_equal(answer.kernel_version, "6.8.0-7-generic");
}

static void a_kernel_in_a_package_of_its_own(void **state)
{
    (void)state;
    auto_done(apt_answer) struct apt_answer answer = {0};
    struct error err = {0};
    assert_true(apt_resolve("linux-image-amd64", -1, NULL, &answer, &err));
    assert_int_equal(answer.count, 2);
    assert_file(&answer.files[0], "linux-binary-6.17.1+deb14-amd64", 4000, DIGEST_A);
    assert_file(&answer.files[1], "linux-modules-6.17.1+deb14-amd64", 5000, DIGEST_B);
    assert_string_equal(answer.kernel_version, "6.17.1+deb14-amd64");
}

static void an_epoch(void **state)
{
    (void)state;
    auto_done(apt_answer) struct apt_answer answer = {0};
    struct error err = {0};
    assert_true(apt_resolve("linux-image-epoch", -1, NULL, &answer, &err));
    assert_string_equal(answer.version, "1:2-3");
}

static void what_cannot_be_resolved(void **state)
{
    (void)state;
    expect_failure("linux-image-nowhere", ERROR_NOT_FOUND, "linux-image-nowhere");
    expect_failure("linux-image-broken", ERROR_NOT_FOUND, "linux-image-7-broken");
    expect_failure("linux-image-weak", ERROR_DIGEST, "SHA-256");
    expect_failure("linux-image-ring", ERROR_FORMAT, "linux-image-ring");
    expect_failure("linux-modules-alone", ERROR_FORMAT, "no package with a kernel");
    static const char *const names[] = {
        "", "|", "a", "-oDir=/", "linux image", "linux-image;x", "Linux-image", "x/y", "a b|cc"};
    for (size_t i = 0; i < array_length(names); i++) {
        expect_failure(names[i], ERROR_INVALID, "Debian package");
    }
}

static void write_source(const struct world *world, const char *way)
{
    auto_free char *source = memory_printf("deb [trusted=yes] %s ./\n", way);
    scratch_write(world->directory, "etc/sources.list", source);
    assert_true(update());
}

static void other_ways_of_apt(void **state)
{
    const struct world *world = *state;
    auto_free char *list = memory_printf("# nearby\nfile:%s/repo\tpriority:1\n", world->directory);
    auto_free char *mirror = memory_printf("mirror+file:%s/mirrors.list", world->directory);
    auto_free char *copy = memory_printf("copy:%s/repo", world->directory);
    auto_free char *plain = memory_printf("file:%s/repo", world->directory);
    scratch_write(world->directory, "mirrors.list", list);
    const char *ways[] = {mirror, copy, plain};
    for (size_t i = 0; i < array_length(ways); i++) {
        write_source(world, ways[i]);
        auto_done(apt_answer) struct apt_answer answer = {0};
        struct error err = {0};
        apt_resolve("linux-image-epoch", -1, NULL, &answer, &err);
        assert_fine(err);
        auto_free char *wanted =
            memory_printf("file:%s/repo/./pool/linux-image-epoch_2-3_amd64.deb", world->directory);
        assert_string_equal(answer.files[0].url, wanted);
        if (i == 0) {
            scratch_write(world->directory, "mirrors.list", "# none\n");
            expect_failure("linux-image-epoch", ERROR_UNSUPPORTED, "only apt can");
        }
    }
}

static void no_lists_no_answer(void **state)
{
    const struct world *world = *state;
    auto_free char *lists = memory_printf("%s/state/lists", world->directory);
    auto_free char *aside = memory_printf("%s/state/aside", world->directory);
    assert_int_equal(rename(lists, aside), 0);
    expect_failure("linux-image-cloud-amd64", ERROR_UNSUPPORTED, "apt-get update");
    assert_int_equal(rename(aside, lists), 0);
}

static void no_apt_no_answer(void **state)
{
    (void)state;
    auto_free char *path = memory_strdup(getenv("PATH"));
    setenv("PATH", "/nonexistent", 1);
    expect_failure("linux-image-cloud-amd64", ERROR_UNSUPPORTED, "no apt");
    setenv("PATH", path, 1);
}

static void the_answer_is_kept_until_the_lists_change(void **state)
{
    const struct world *world = *state;
    static const char name[] = "linux-image-nowhere|linux-image-virtual";
    struct error err = {0};
    struct apt_answer answer = {0};
    assert_false(apt_peek(name, world->cache, &answer));
    assert_true(apt_resolve(name, world->cache, NULL, &answer, &err));
    struct apt_answer kept = {0};
    assert_true(apt_peek(name, world->cache, &kept));
    assert_int_equal(kept.count, answer.count);
    assert_int_equal(kept.size_bytes, answer.size_bytes);
    assert_string_equal(kept.kernel_version, answer.kernel_version);
    for (size_t i = 0; i < kept.count; i++) {
        assert_string_equal(kept.files[i].url, answer.files[i].url);
        assert_string_equal(kept.files[i].filename, answer.files[i].filename);
        assert_string_equal(kept.files[i].version, answer.files[i].version);
        assert_true(digest_equal(&kept.files[i].digest, &answer.files[i].digest));
    }
    apt_answer_done(&kept);
    apt_answer_done(&answer);
    /* Now without any program. */
    auto_free char *path = memory_strdup(getenv("PATH"));
    setenv("PATH", "/nonexistent", 1);
    assert_true(apt_resolve(name, world->cache, NULL, &answer, &err));
    setenv("PATH", path, 1);
    apt_answer_done(&answer);

    auto_free char *lists = memory_printf("%s/state/lists", world->directory);
    assert_int_equal(utime(lists, &(struct utimbuf){.actime = 1, .modtime = 1}), 0);
    assert_false(apt_peek(name, world->cache, &answer));
}

static void what_is_kept_may_be_anything(void **state)
{
    const struct world *world = *state;
    static const char name[] = "linux-image-epoch";
    static const char *const documents[] = {"", "{}", "[]", "{\"places\": []}",
        "{\"places\": [{\"path\": \"/nonexistent\", \"changed\": \"never\"}], \"files\": []}",
        "{\"places\": [{\"path\": \"/nonexistent\", \"changed\": \"never\"}], \"package\": \"x\", "
        "\"version\": \"1\", \"kernel_version\": \"1\", \"files\": [{\"url\": \"file:/x\", "
        "\"filename\": \"../x\", \"package\": \"x\", \"version\": \"1\", \"size_bytes\": 1, "
        "\"sha256\": \"" DIGEST_A "\"}]}"};
    for (size_t i = 0; i < array_length(documents); i++) {
        scratch_write(world->directory, "cache/apt-linux-image-epoch.json", documents[i]);
        struct apt_answer answer = {0};
        assert_false(apt_peek(name, world->cache, &answer));
    }
    auto_done(apt_answer) struct apt_answer answer = {0};
    struct error err = {0};
    assert_true(apt_resolve(name, world->cache, NULL, &answer, &err));
    assert_int_equal(answer.count, 1);
}

static void lines_with_uris(void **state)
{
    (void)state;
    static const char good[] =
        "'http://example.org/pool/x_1%3a2_amd64.deb' x_1%3a2_amd64.deb 12 SHA256:" DIGEST_A;
    struct apt_file file = {0};
    assert_true(apt_parse_uri_line(good, &file));
    assert_string_equal(file.url, "http://example.org/pool/x_1%3a2_amd64.deb");
    assert_string_equal(file.filename, "x_1%3a2_amd64.deb");
    assert_int_equal(file.size_bytes, 12);
    free(file.url);
    free(file.filename);
    static const char *const bad[] = {"", "'", "''", "'x' ", "'x' y", "'x' y 1", "'x' y 1 ",
        "'x' y 1 MD5Sum:00be21c0c17f08ddf26e82d3b53fe7a4", "'x' y -1 SHA256:" DIGEST_A,
        "'x' y 1 SHA256:" DIGEST_A "a", "'x' a/b 1 SHA256:" DIGEST_A, "'x' .. 1 SHA256:" DIGEST_A,
        "'x' y 99999999999999999999 SHA256:" DIGEST_A, "x y 1 SHA256:" DIGEST_A,
        "'x' y 1 SHA256:" DIGEST_A " more"};
    for (size_t i = 0; i < array_length(bad); i++) {
        struct apt_file untouched = {0};
        assert_false(apt_parse_uri_line(bad[i], &untouched));
        assert_null(untouched.url);
    }
}

static void dependencies(void **state)
{
    (void)state;
    auto_done(strings) struct strings groups = {0};
    apt_kernel_dependencies("kmod, linux-base (>= 4.3~) , linux-modules-1 (= 2) [amd64] | "
                            "linux-modules-2:any, linux-image-x <!nocheck>, linux-headers-1,"
                            "grub | linux-image-y(>=1), linux-image-",
        &groups);
    assert_int_equal(groups.count, 4);
    assert_string_equal(groups.items[0], "linux-modules-1|linux-modules-2");
    assert_string_equal(groups.items[1], "linux-image-x");
    assert_string_equal(groups.items[2], "linux-image-y");
}

static void fields(void **state)
{
    (void)state;
    static const char record[] =
        "Package: a\nVersion:1\nDepends:  b, c\nSource: x\n\nPackage: b\nSize: 7\n";
    auto_free char *version = apt_record_field(record, "Version");
    auto_free char *depends = apt_record_field(record, "depends");
    assert_string_equal(version, "1");
    assert_string_equal(depends, "b, c");
    assert_null(apt_record_field(record, "Size"));
    assert_null(apt_record_field(record, "Vers"));
    assert_null(apt_record_field("", "Version"));
    auto_free char *value = apt_config_value("A='/x/'\nAB='/y z'\nC=''\nD='", "AB");
    assert_string_equal(value, "/y z");
    auto_free char *empty = apt_config_value("A='/x/'\nC=''\n", "C");
    assert_string_equal(empty, "");
    assert_null(apt_config_value("A='/x/'\nD='", "D"));
}

int main(void)
{
    auto_free char *apt = process_find("apt-get");
    if (apt == NULL) {
        fprintf(stderr, "skipped: apt is missing\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_meta_package_leads_to_the_image),
        cmocka_unit_test(modules_come_along),
        cmocka_unit_test(a_kernel_in_a_package_of_its_own),
        cmocka_unit_test(an_epoch),
        cmocka_unit_test(what_cannot_be_resolved),
        cmocka_unit_test(other_ways_of_apt),
        cmocka_unit_test(no_lists_no_answer),
        cmocka_unit_test(no_apt_no_answer),
        cmocka_unit_test(the_answer_is_kept_until_the_lists_change),
        cmocka_unit_test(what_is_kept_may_be_anything),
        cmocka_unit_test(lines_with_uris),
        cmocka_unit_test(dependencies),
        cmocka_unit_test(fields),
    };
    return cmocka_run_group_tests(tests, make_world, remove_world);
}
