/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "artifact/bundle.h"
#include "artifact/deb.h"
#include "artifact/hash.h"
#include "artifact/kernel_dir.h"
#include "base/cancel.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/process.h"
#include "support/scratch.h"
#include "support/tar_maker.h"

#define PACKAGES_MAX 4
#define SELF "/proc/self/exe" /* see main */

/* Packages to import and what came of them. */
struct world {
    char *path, *stage;
    int staging;
    int fds[PACKAGES_MAX];
    size_t count;
    struct limits limits;
    struct digest digest;
    struct kernel_facts facts;
    struct error err;
};

static int make_world(void **state)
{
    struct world *world = memory_zero(1, sizeof *world);
    world->path = scratch_make();
    world->stage = memory_printf("%s/stage", world->path);
    assert_int_equal(mkdir(world->stage, 0700), 0);
    world->staging = file_open_dir(AT_FDCWD, world->stage, &world->err);
    world->limits = limits_default;
    *state = world;
    return 0;
}

static void drop_packages(struct world *world)
{
    while (world->count > 0) {
        close(world->fds[--world->count]);
    }
}

static int drop_world(void **state)
{
    struct world *world = *state;
    auto_free char *outside = scratch_list(world->path, ".");
    assert_string_equal(outside, "stage");
    drop_packages(world);
    kernel_facts_done(&world->facts);
    close(world->staging);
    scratch_remove(world->path);
    free(world->stage);
    free(world);
    return 0;
}

static void put_ar(struct text *ar, const char *name, const char *bytes, size_t len)
{
    if (ar->len == 0) {
        text_append(ar, "!<arch>\n");
    }
    text_printf(ar, "%-16s%-12d%-6d%-6d%-8s%-10zu`\n", name, 1700000000, 0, 0, "100644", len);
    text_append_bytes(ar, bytes, len);
    if (len % 2) {
        text_append_char(ar, '\n');
    }
}

static void add_bytes(struct world *world, const struct text *bytes)
{
    int fd = memfd_create("package", MFD_CLOEXEC);
    assert_true(file_write_all(fd, bytes->data, bytes->len, &world->err));
    world->fds[world->count++] = fd;
}

/* A package around a data member; ends the tar. */
static void add_package(struct world *world, struct text *tar)
{
    auto_done(text) struct text ar = {0};
    auto_done(text) struct text control = {0};
    tar_put_file(&control, "./control", "Package: test\n");
    tar_put_end(&control);
    tar_put_end(tar);
    put_ar(&ar, "debian-binary", "2.0\n", 4);
    put_ar(&ar, "control.tar", control.data, control.len);
    put_ar(&ar, "data.tar", tar->data, tar->len);
    add_bytes(world, &ar);
}

static bool import(struct world *world, const char *self_path)
{
    static const char *const shown[PACKAGES_MAX] = {"one.deb", "two.deb", "three.deb", "four.deb"};
    return deb_import(world->fds, shown, world->count, world->staging, &world->limits, self_path,
        NULL, NULL, &world->digest, &world->facts, &world->err);
}

static void refused(struct world *world, enum error_code code, const char *hint)
{
    assert_false(import(world, NULL));
    assert_code(world->err, code);
    if (!strstr(world->err.text, hint)) {
        fail_msg("refused with \"%s\", wanted \"%s\"", world->err.text, hint);
    }
    /* Ready for another one in the same test. */
    drop_packages(world);
    world->err = (struct error){0};
    struct error none = {0};
    file_remove_tree(world->staging, "boot", &none);
    file_remove_tree(world->staging, "lib", &none);
}

static void put_image(struct text *tar)
{
    struct tar_fields boot = {.name = "./boot/", .typeflag = '5', .magic = TAR_MAGIC_GNU};
    struct tar_fields kernel = {.name = "./boot/vmlinuz-6.1-x", .magic = TAR_MAGIC_GNU};
    struct tar_fields config = {.name = "./boot/config-6.1-x", .magic = TAR_MAGIC_GNU};
    struct tar_fields map = {.name = "./boot/System.map-6.1-x", .magic = TAR_MAGIC_GNU};
    struct tar_fields odd = {.name = "./usr/share/doc/\xff\x1b/x",
        .typeflag = '2',
        .link = "/etc/passwd",
        .magic = TAR_MAGIC_GNU};
    tar_put(tar, &boot, "", 0);
    tar_put(tar, &kernel, "the kernel", 10);
    tar_put(tar, &config, "CONFIG_X=y", 10);
    tar_put(tar, &map, "map", 3);
    tar_put(tar, &odd, "", 0);
}

static void put_module(struct text *tar, const char *name, const char *content)
{
    tar_put_file(tar, name, content);
}

static void check_staged(struct world *world, const char *modules)
{
    auto_free char *top = scratch_list(world->stage, ".");
    auto_free char *vmlinux = scratch_read(world->stage, "vmlinux");
    auto_free char *below = scratch_list(world->stage, "modules");
    struct digest wanted;
    hash_bytes("the kernel", 10, &wanted);
    assert_string_equal(top, "config modules vmlinux");
    assert_string_equal(vmlinux, "the kernel");
    assert_string_equal(below, modules);
    assert_true(digest_equal(&world->digest, &wanted));
    assert_string_equal(world->facts.chosen, "boot/vmlinuz-6.1-x");
    assert_string_equal(world->facts.kernel_version, "6.1-x");
    assert_true(world->facts.has_modules);
}

static void several_packages_make_one_kernel(void **state)
{
    struct world *world = *state;
    for (int round = 0; round < 2; round++) {
        auto_done(text) struct text image = {0};
        auto_done(text) struct text modules = {0};
        auto_done(text) struct text more = {0};
        put_image(&image);
        put_module(&modules, "./lib/modules/6.1-x/modules.order", "kernel/a.ko\n");
        put_module(&modules, "./lib/modules/6.1-x/kernel/a.ko", "a");
        put_module(&more, "./usr/lib/modules/6.1-x/extra/b.ko", "b"); /* merged /usr */
        add_package(world, &image);
        add_package(world, &modules);
        add_package(world, &more);
        import(world, round == 0 ? NULL : SELF);
        assert_fine(world->err);
        check_staged(world, "extra kernel modules.order");
        drop_packages(world);
        kernel_facts_done(&world->facts);
        assert_true(file_remove_tree(world->staging, "vmlinux", &world->err));
        assert_true(file_remove_tree(world->staging, "modules", &world->err));
    }
}

static void links_in_modules(void **state)
{
    struct world *world = *state;
    auto_done(text) struct text tar = {0};
    static const struct tar_fields links[] = {
        {.name = "./lib/modules/6.1-x/build", .typeflag = '2', .link = "/usr/src/linux"},
        {.name = "./lib/modules/6.1-x/source", .typeflag = '2', .link = "../../../usr/src"},
        {.name = "./lib/modules/6.1-x/kernel/b.ko", .typeflag = '2', .link = "a.ko"},
        {.name = "./lib/modules/6.1-x/kernel/c.ko", .typeflag = '1', .link = "./etc/passwd"},
    };
    put_image(&tar);
    put_module(&tar, "./lib/modules/6.1-x/kernel/a.ko", "a");
    for (size_t i = 0; i < array_length(links); i++) {
        tar_put(&tar, &links[i], "", 0);
    }
    add_package(world, &tar);
    import(world, NULL);
    assert_fine(world->err);
    check_staged(world, "kernel");
    auto_free char *kernel = scratch_list(world->stage, "modules/kernel");
    auto_free char *notes = strings_join(&world->facts.notes, "; ");
    assert_string_equal(kernel, "a.ko b.ko");
    assert_non_null(strstr(notes, "build, a link to /usr/src/linux"));
    assert_non_null(strstr(notes, "source, a link to"));
    assert_non_null(strstr(notes, "left out the hard link lib/modules/6.1-x/kernel/c.ko"));
}

static void hostile_members(void **state)
{
    struct world *world = *state;
    static const char *const names[] = {"lib/modules/../../x", "./lib/modules/6.1/../../../x",
        "boot/vmlinuz-/../../x", "lib/modules//x", "lib/modules/\x1b[2J",
        "usr/lib/modules/6.1/./x"};
    for (size_t i = 0; i < array_length(names); i++) {
        auto_done(text) struct text tar = {0};
        tar_put_file(&tar, names[i], "evil");
        put_image(&tar);
        add_package(world, &tar);
        refused(world, ERROR_FORMAT, "unsafe name");
    }
    auto_done(text) struct text below = {0};
    tar_put(&below, &(struct tar_fields){.name = "lib/modules/6.1/d", .typeflag = '2', .link = "e"},
        "", 0);
    tar_put_file(&below, "lib/modules/6.1/d/x", "evil");
    add_package(world, &below);
    refused(world, ERROR_FORMAT, "no directory");
    auto_done(text) struct text twice = {0};
    tar_put_file(&twice, "boot/vmlinuz-6.1", "one");
    tar_put_file(&twice, "./boot/vmlinuz-6.1", "two");
    add_package(world, &twice);
    refused(world, ERROR_FORMAT, "twice");
}

static void no_kernel_in_any_package(void **state)
{
    struct world *world = *state;
    auto_done(text) struct text tar = {0};
    put_module(&tar, "./lib/modules/6.1-x/kernel/a.ko", "a");
    add_package(world, &tar);
    refused(world, ERROR_FORMAT, "no kernel in one.deb");
}

static void what_is_no_package(void **state)
{
    struct world *world = *state;
    static const struct {
        const char *first, *content, *second;
        const char *hint;
    } rows[] = {
        {"debian-binary", "3.0\n", "data.tar", "format 2"},
        {"data.tar", "2.0\n", NULL, "format 2"},
        {"debian-binary", "2.0\n", NULL, "no data.tar"},
        {"debian-binary", "2.0\n", "data.tar", ""},
    };
    for (size_t i = 0; i < array_length(rows); i++) {
        auto_done(text) struct text ar = {0};
        put_ar(&ar, rows[i].first, rows[i].content, 4);
        if (rows[i].second) {
            put_ar(&ar, rows[i].second, "no tar at all", 13);
        }
        add_bytes(world, &ar);
        refused(world, ERROR_FORMAT, rows[i].hint);
    }
    auto_done(text) struct text junk = {0};
    text_append(&junk, "#!/bin/sh\nthis is no package");
    add_bytes(world, &junk);
    refused(world, ERROR_FORMAT, "one.deb");
}

static void every_cut_is_noticed(void **state)
{
    struct world *world = *state;
    auto_done(text) struct text tar = {0};
    auto_done(text) struct text whole = {0};
    put_image(&tar);
    add_package(world, &tar);
    assert_true(lseek(world->fds[0], 0, SEEK_SET) == 0);
    assert_true(file_read_fd(world->fds[0], "package", 1 << 20, &whole, &world->err));
    drop_packages(world);
    for (size_t len = 1; len < whole.len; len += 160) {
        struct text part = {.data = whole.data, .len = len};
        add_bytes(world, &part);
        refused(world, ERROR_FORMAT, "");
    }
}

/* Real compression, by the tool that makes packages for all tests. */
static void every_compression(void **state)
{
    struct world *world = *state;
    auto_free char *maker = memory_printf("%s/tests/support/make_bundle.py", getenv("SRCDIR"));
    static const char *const kinds[] = {"none", "gz", "xz", "zst"};
    auto_free char *path = memory_printf("%s/stage/a.deb", world->path);
    for (size_t i = 0; i < array_length(kinds); i++) {
        const char *argv[] = {"python3", "-B", maker, "deb", path, "--version", "6.1.0-y",
            "--compress", kinds[i], NULL};
        int status = -1;
        if (!process_run(argv, 60000, 4096, NULL, NULL, NULL, &status, &world->err) ||
            status != 0) {
            print_message("no python3 or no zstd: skipped\n");
            skip();
        }
        world->fds[0] = open(path, O_RDONLY | O_CLOEXEC);
        world->count = 1;
        assert_int_equal(unlink(path), 0);
        import(world, SELF);
        assert_fine(world->err);
        auto_free char *top = scratch_list(world->stage, ".");
        auto_free char *modules = scratch_list(world->stage, "modules");
        assert_string_equal(top, "config modules vmlinux");
        assert_string_equal(modules, "kernel modules.builtin modules.order");
        assert_string_equal(world->facts.format, "bzimage");
        assert_string_equal(world->facts.kernel_version, "6.1.0-y");
        drop_packages(world);
        kernel_facts_done(&world->facts);
        assert_true(file_remove_tree(world->staging, "vmlinux", &world->err));
        assert_true(file_remove_tree(world->staging, "modules", &world->err));
    }
}

#define test(function) cmocka_unit_test_setup_teardown(function, make_world, drop_world)

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], BUNDLE_CHILD_OPTION) == 0) {
        return bundle_child_main(argc, argv);
    }
    const struct CMUnitTest tests[] = {
        test(several_packages_make_one_kernel),
        test(links_in_modules),
        test(hostile_members),
        test(no_kernel_in_any_package),
        test(what_is_no_package),
        test(every_cut_is_noticed),
        test(every_compression),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
