/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "artifact/hash.h"
#include "artifact/kernel_dir.h"
#include "base/cancel.h"
#include "base/digest.h"
#include "base/progress.h"
#include "support/scratch.h"

/* A directory to import from, a staging directory, and what came of it. */
struct world {
    char *path, *from, *stage;
    int from_dir, staging;
    struct digest digest;
    struct kernel_facts facts;
    struct error err;
};

static int make_world(void **state)
{
    struct world *world = memory_zero(1, sizeof *world);
    world->path = scratch_make();
    world->from = memory_printf("%s/from", world->path);
    world->stage = memory_printf("%s/stage", world->path);
    assert_int_equal(mkdir(world->from, 0700) | mkdir(world->stage, 0700), 0);
    world->from_dir = file_open_dir(AT_FDCWD, world->from, &world->err);
    world->staging = file_open_dir(AT_FDCWD, world->stage, &world->err);
    assert_fine(world->err);
    *state = world;
    return 0;
}

static int drop_world(void **state)
{
    struct world *world = *state;
    kernel_facts_done(&world->facts);
    close(world->from_dir);
    close(world->staging);
    scratch_remove(world->path);
    free(world->from);
    free(world->stage);
    free(world);
    return 0;
}

static void put(struct world *world, const char *name, const char *content)
{
    scratch_write(world->from, name, content);
}

static void put_link(struct world *world, const char *name, const char *target)
{
    assert_int_equal(symlinkat(target, world->from_dir, name), 0);
}

static bool import(struct world *world)
{
    return kernel_dir_import(world->from_dir, "the directory", world->staging, NULL, NULL,
        &world->digest, &world->facts, &world->err);
}

static void imported(struct world *world)
{
    import(world);
    assert_fine(world->err);
}

static void refused(struct world *world, const char *hint)
{
    assert_false(import(world));
    assert_code(world->err, ERROR_FORMAT);
    if (!strstr(world->err.text, hint)) {
        fail_msg("refused with \"%s\", wanted \"%s\"", world->err.text, hint);
    }
}

static void staged(struct world *world, const char *name, const char *wanted)
{
    auto_free char *content = scratch_read(world->stage, name);
    if (!wanted) {
        assert_null(content);
        return;
    }
    assert_non_null(content);
    assert_string_equal(content, wanted);
}

static void noted(struct world *world, const char *hint)
{
    auto_free char *all = strings_join(&world->facts.notes, "; ");
    if (!strstr(all, hint)) {
        fail_msg("no note says \"%s\": %s", hint, all);
    }
}

static void put_globs(struct world *world)
{
    put(world, "boot/vmlinux-6.9.1", "by glob");
    put(world, "boot/initrd.img-6.9.1", "initrd by glob");
    put(world, "lib/modules/6.9.1/modules.dep", "modules by glob");
}

static void metadata_comes_before_globs(void **state)
{
    struct world *world = *state;
    put_globs(world);
    put(world, "vmlinux", "by layout");
    put(world, "out/bzImage", "by metadata");
    put(world, "out/initrd", "initrd by metadata");
    put(world, "out/mods/kernel/a.ko", "module by metadata");
    put(world, "boot/config-6.1.2-x", "configuration of its version");
    put(world, "config", "configuration of whatever");
    put(world, "metadata.json",
        "{\"kernel\": \"out/bzImage\", \"initrd_path\": \"out/initrd\", \"modules_dir\": "
        "\"out/mods\", \"kernel_version\": \"6.1.2-x\", \"distro\": \"void\", \"arch\": "
        "\"x86_64\", "
        "\"else\": 1}");
    imported(world);
    staged(world, "vmlinux", "by metadata");
    staged(world, "initrd.img", "initrd by metadata");
    staged(world, "modules/kernel/a.ko", "module by metadata");
    staged(world, "config", "configuration of its version");
    assert_string_equal(world->facts.kernel_version, "6.1.2-x");
    assert_string_equal(world->facts.distro, "void");
    assert_string_equal(world->facts.arch, "x86_64");
    assert_string_equal(world->facts.chosen, "out/bzImage");
    struct digest wanted;
    hash_bytes("by metadata", strlen("by metadata"), &wanted);
    assert_true(digest_equal(&wanted, &world->digest));
}

static void every_spelling_of_metadata(void **state)
{
    struct world *world = *state;
    put(world, "k", "kernel");
    put(world, "i", "initrd");
    put(world, "m/modules.order", "order");
    put(world, "metadata.json",
        "{\"kernel_path\": \"k\", \"initrd\": \"i\", \"modules_path\": \"m\"}");
    imported(world);
    staged(world, "vmlinux", "kernel");
    staged(world, "initrd.img", "initrd");
    staged(world, "modules/modules.order", "order");
}

/* Whatever is wrong with it, what lies beside it is not taken instead. */
static void broken_metadata_never_falls_back(void **state)
{
    struct world *world = *state;
    static const struct {
        const char *json;
        const char *hint;
    } rows[] = {
        {"", "metadata.json"},
        {"{", "metadata.json"},
        {"[]", "no object"},
        {"{}", "names no kernel"},
        {"{\"kernel\": 1}", "kernel"},
        {"{\"kernel\": \"missing\"}", "not there"},
        {"{\"kernel\": \"boot\"}", "no regular file"},
        {"{\"kernel\": \"\"}", "not there"},
        {"{\"kernel\": \"/etc/passwd\"}", "outside"},
        {"{\"kernel\": \"../secret\"}", "outside"},
        {"{\"kernel\": \"escape/secret\"}", "outside"},
        {"{\"kernel\": \"vmlinux\", \"initrd\": \"missing\"}", "not there"},
        {"{\"kernel\": \"vmlinux\", \"modules\": \"missing\"}", "not there"},
        {"{\"kernel\": \"vmlinux\", \"modules\": \"vmlinux\"}", "no directory"},
        {"{\"kernel\": \"vmlinux\", \"kernel\": \"vmlinux\"}", "metadata.json"},
    };
    put_globs(world);
    put(world, "vmlinux", "by layout");
    scratch_write(world->path, "secret", "secret");
    put_link(world, "escape", "..");
    for (size_t i = 0; i < array_length(rows); i++) {
        world->err = (struct error){0};
        put(world, "metadata.json", rows[i].json);
        refused(world, rows[i].hint);
        staged(world, "vmlinux", NULL);
    }
}

static void own_layout_comes_before_globs(void **state)
{
    struct world *world = *state;
    put_globs(world);
    put(world, "vmlinux", "by layout");
    put(world, "initrd.img", "initrd by layout");
    put(world, "modules/6.1/modules.dep", "modules by layout");
    imported(world);
    staged(world, "vmlinux", "by layout");
    staged(world, "initrd.img", "initrd by layout");
    staged(world, "modules/6.1/modules.dep", "modules by layout");
    assert_true(world->facts.has_initrd && world->facts.has_modules);
}

static void glob_fallback(void **state)
{
    struct world *world = *state;
    put_globs(world);
    put(world, "boot/vmlinuz-7.0", "a later pattern");
    imported(world);
    staged(world, "vmlinux", "by glob");
    staged(world, "initrd.img", "initrd by glob");
    staged(world, "modules/modules.dep", "modules by glob");
    assert_string_equal(world->facts.chosen, "boot/vmlinux-6.9.1");
    assert_string_equal(world->facts.kernel_version, "6.9.1");
    assert_string_equal(world->facts.format, "");
    noted(world, "neither an ELF file nor a bzImage");
}

static void alpine_vmlinuz_fallback(void **state)
{
    struct world *world = *state;
    put(world, "boot/vmlinuz-virt", "alpine's kernel");
    put(world, "boot/initramfs-virt", "alpine's initrd");
    put(world, "lib/modules/6.6.30-0-virt/modules.dep", "alpine's modules");
    imported(world);
    staged(world, "vmlinux", "alpine's kernel");
    staged(world, "initrd.img", "alpine's initrd");
    staged(world, "modules/modules.dep", "alpine's modules");
    assert_null(world->facts.kernel_version);
}

static void plain_vmlinuz_and_build_tree(void **state)
{
    struct world *world = *state;
    put(world, "arch/x86/boot/bzImage", "built here");
    imported(world);
    staged(world, "vmlinux", "built here");
    assert_int_equal(unlinkat(world->staging, "vmlinux", 0), 0);
    kernel_facts_done(&world->facts);
    put(world, "boot/vmlinuz", "installed");
    imported(world);
    staged(world, "vmlinux", "installed");
}

static void highest_version_of_several(void **state)
{
    struct world *world = *state;
    put(world, "boot/vmlinuz-6.9.1", "old");
    put(world, "boot/vmlinuz-6.10.1", "new");
    put(world, "boot/vmlinuz-6.10.1.old", "leftover");
    put(world, "boot/initrd.img-6.9.1", "old initrd");
    put(world, "boot/initramfs-6.10.1.img", "new initrd");
    put(world, "lib/modules/6.9.1/modules.dep", "old modules");
    put(world, "lib/modules/6.10.1/modules.dep", "new modules");
    put(world, "lib/modules/6.11/other", "no modules");
    imported(world);
    staged(world, "vmlinux", "new");
    staged(world, "initrd.img", "new initrd");
    staged(world, "modules/modules.dep", "new modules");
    noted(world, "took the kernel boot/vmlinuz-6.10.1 and left boot/vmlinuz-6.9.1");
}

static void missing_kernel(void **state)
{
    struct world *world = *state;
    put(world, "boot/initrd.img-6.1", "no kernel");
    put(world, "lib/modules/6.1/modules.dep", "no kernel");
    refused(world, "no kernel in the directory");
    staged(world, "modules/modules.dep", NULL);
}

static void empty_kernel(void **state)
{
    struct world *world = *state;
    put(world, "vmlinux", "");
    refused(world, "empty");
}

static void modules_contents_round_trip(void **state)
{
    struct world *world = *state;
    put(world, "boot/vmlinuz-6.1", "kernel");
    put(world, "lib/modules/6.1/modules.order", "order");
    put(world, "lib/modules/6.1/kernel/drivers/a.ko", "module a");
    put(world, "lib/modules/6.1/kernel/drivers/deep/b.ko", "module b");
    put_link(world, "lib/modules/6.1/build", "/usr/src/linux");
    put_link(world, "lib/modules/6.1/source", "../../../usr/src");
    put_link(world, "lib/modules/6.1/kernel/c.ko", "drivers/a.ko");
    put_link(world, "lib/modules/6.1/kernel/drivers/up", "../../modules.order");
    assert_int_equal(mkfifoat(world->from_dir, "lib/modules/6.1/fifo", 0600), 0);
    imported(world);
    auto_free char *top = scratch_list(world->stage, "modules");
    auto_free char *drivers = scratch_list(world->stage, "modules/kernel/drivers");
    assert_string_equal(top, "kernel modules.order");
    assert_string_equal(drivers, "a.ko deep up");
    staged(world, "modules/kernel/drivers/a.ko", "module a");
    staged(world, "modules/kernel/drivers/deep/b.ko", "module b");
    char target[64] = "";
    assert_int_equal(readlinkat(world->staging, "modules/kernel/c.ko", target, 63), 12);
    assert_string_equal(target, "drivers/a.ko");
    noted(world, "left out modules/build: a link to /usr/src/linux");
    noted(world, "left out modules/source");
    noted(world, "left out modules/fifo");
    assert_int_equal(scratch_mode(world->stage, "modules/kernel/drivers/a.ko"), 0600);
    assert_int_equal(scratch_mode(world->stage, "modules/kernel"), 0700);
}

static void links_on_the_way_stay_inside(void **state)
{
    struct world *world = *state;
    scratch_write(world->path, "secret", "secret");
    put(world, "boot/vmlinuz-6.1", "kernel");
    put(world, "usr/lib/modules/6.1/modules.dep", "modules");
    put_link(world, "lib", "usr/lib");
    put_link(world, "boot/vmlinuz-9.9", "../../secret");
    put_link(world, "boot/vmlinuz-9.8", "/etc/passwd");
    imported(world);
    staged(world, "vmlinux", "kernel");
    staged(world, "modules/modules.dep", "modules");
}

static void holes_stay_holes(void **state)
{
    struct world *world = *state;
    put(world, "vmlinux", "start");
    auto_close int fd = openat(world->from_dir, "vmlinux", O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "end", 3, 64 << 20), 3);
    imported(world);
    struct stat status;
    assert_int_equal(fstatat(world->staging, "vmlinux", &status, 0), 0);
    assert_int_equal(status.st_size, (64 << 20) + 3);
    assert_true(status.st_blocks * 512 < 1 << 20);
}

/* A setup header as boot.rst has it: version 2.15, its string at 0x500. */
static void what_a_kernel_says_of_itself(void **state)
{
    struct world *world = *state;
    uint8_t image[4096] = {0};
    memcpy(image + 0x1fe, "\x55\xaa", 2);
    memcpy(image + 0x202, "HdrS\x0f\x02", 6);
    memcpy(image + 0x20e, "\x00\x03", 2);
    image[0x236] = 1;
    strcpy((char *)image + 0x500, "6.6.30-0-virt (build@alpine) #1-Alpine SMP");
    put(world, "boot/vmlinuz-virt", "");
    auto_close int fd = openat(world->from_dir, "boot/vmlinuz-virt", O_WRONLY | O_CLOEXEC);
    assert_int_equal(write(fd, image, sizeof image), sizeof image);
    put(world, "lib/modules/6.6.30-0-virt/modules.dep", "its own");
    put(world, "lib/modules/6.8.1-0-lts/modules.dep", "another's");
    imported(world);
    staged(world, "modules/modules.dep", "its own");
    assert_string_equal(world->facts.format, "bzimage");
    assert_string_equal(world->facts.arch, "x86_64");
    assert_string_equal(world->facts.kernel_version, "6.6.30-0-virt");
}

static void what_an_elf_kernel_says_of_itself(void **state)
{
    struct world *world = *state;
    uint8_t image[4096] = "\177ELF\2\1\1";
    image[16] = 2;
    image[18] = 62;
    memcpy(image + 1000, "Linux version %s (%s)\n", 23);
    strcpy((char *)image + 2000, "Linux version 6.1.0-13-cloud-amd64 (debian)");
    put(world, "vmlinux", "");
    auto_close int fd = openat(world->from_dir, "vmlinux", O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, image, sizeof image, 0), sizeof image);
    imported(world);
    assert_string_equal(world->facts.format, "elf");
    assert_string_equal(world->facts.arch, "x86_64");
    assert_string_equal(world->facts.kernel_version, "6.1.0-13-cloud-amd64");
}

static void modules_without_a_kernel(void **state)
{
    struct world *world = *state;
    auto_done(strings) struct strings notes = {0};
    auto_free char *absolute = memory_printf("%s/mods", world->from);
    auto_free char *version = NULL;
    put(world, "mods/6.9.1/modules.dep", "old");
    put(world, "mods/6.10.1/modules.dep", "new");
    assert_true(
        kernel_modules_copy(AT_FDCWD, absolute, world->staging, NULL, NULL, &notes, &world->err));
    staged(world, "modules/6.9.1/modules.dep", "old");
    staged(world, "modules/6.10.1/modules.dep", "new");
    assert_int_equal(notes.count, 0);
    auto_close int fd = kernel_modules_open(world->staging, "modules", &version, &world->err);
    assert_true(fd >= 0);
    assert_string_equal(version, "6.10.1");
    auto_close int same = kernel_modules_open(AT_FDCWD, absolute, NULL, &world->err);
    assert_true(same >= 0);
    assert_true(file_exists(same, "modules.dep"));

    assert_int_equal(mkdirat(world->from_dir, "empty", 0700), 0);
    assert_int_equal(kernel_modules_open(world->from_dir, "empty", NULL, &world->err), -1);
    assert_code(world->err, ERROR_NOT_FOUND);
    world->err = (struct error){0};
    assert_false(kernel_modules_copy(
        world->from_dir, "empty", world->staging, NULL, NULL, NULL, &world->err));
    assert_code(world->err, ERROR_FORMAT);
}

static void kernel_of_this_host(void **state)
{
    struct world *world = *state;
    put(world, "boot/vmlinuz-6.1", "running");
    put(world, "boot/vmlinuz-6.2", "installed later");
    put(world, "boot/initrd.img-6.1", "its initrd");
    put(world, "lib/modules/6.1/modules.dep", "its modules");
    put(world, "lib/modules/6.2/modules.dep", "not these");
    assert_true(kernel_host_import(world->from_dir, "6.1", world->staging, NULL, NULL,
        &world->digest, &world->facts, &world->err));
    staged(world, "vmlinux", "running");
    staged(world, "initrd.img", "its initrd");
    staged(world, "modules/modules.dep", "its modules");
    assert_string_equal(world->facts.kernel_version, "6.1");
    assert_false(kernel_host_import(world->from_dir, "6.3", world->staging, NULL, NULL,
        &world->digest, &world->facts, &world->err));
    assert_code(world->err, ERROR_NOT_FOUND);
}

struct seen {
    uint64_t last, total;
    bool went_back;
};

static void see(void *context, enum progress_phase phase, enum progress_unit unit, uint64_t done,
    uint64_t total)
{
    (void)phase;
    (void)unit;
    struct seen *seen = context;
    seen->went_back |= done < seen->last || done > total || (seen->total && seen->total != total);
    seen->last = done;
    seen->total = total;
}

static void progress_goes_one_way(void **state)
{
    struct world *world = *state;
    struct seen seen = {0};
    struct progress progress = {.context = &seen, .report = see};
    put_globs(world);
    put(world, "lib/modules/6.9.1/kernel/a.ko", "a module");
    assert_true(kernel_dir_import(world->from_dir, "the directory", world->staging, &progress, NULL,
        &world->digest, &world->facts, &world->err));
    assert_false(seen.went_back);
    assert_int_equal(seen.total, strlen("by glob"
                                        "initrd by glob"
                                        "modules by glob"
                                        "a module"));
    assert_int_equal(seen.last, seen.total);
}

static void a_request_to_stop_is_heard(void **state)
{
    struct world *world = *state;
    struct cancel *cancel = cancel_new();
    put_globs(world);
    cancel_request(cancel);
    assert_false(kernel_dir_import(world->from_dir, "the directory", world->staging, NULL, cancel,
        &world->digest, &world->facts, &world->err));
    assert_code(world->err, ERROR_CANCELLED);
    cancel_free(cancel);
}

#define test(function) cmocka_unit_test_setup_teardown(function, make_world, drop_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(metadata_comes_before_globs),
        test(every_spelling_of_metadata),
        test(broken_metadata_never_falls_back),
        test(own_layout_comes_before_globs),
        test(glob_fallback),
        test(alpine_vmlinuz_fallback),
        test(plain_vmlinuz_and_build_tree),
        test(highest_version_of_several),
        test(missing_kernel),
        test(empty_kernel),
        test(modules_contents_round_trip),
        test(links_on_the_way_stay_inside),
        test(holes_stay_holes),
        test(what_a_kernel_says_of_itself),
        test(what_an_elf_kernel_says_of_itself),
        test(modules_without_a_kernel),
        test(kernel_of_this_host),
        test(progress_goes_one_way),
        test(a_request_to_stop_is_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
