/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/mman.h>
#include <utime.h>

#include "artifact/bundle_write.h"
#include "artifact/hash.h"
#include "artifact/tar_header.h"
#include "artifact/tar_writer.h"
#include "base/limits.h"
#include "support/scratch.h"

/* Two entries to pack and a place to unpack. */
struct world {
    char *path;
    char *entry, *back;
    int entry_fd, back_fd;
    int bundle;
    struct bundle_written written;
    struct error err;
};

static int open_made(struct world *world, const char *path)
{
    assert_true(file_make_dirs(AT_FDCWD, path, &world->err));
    int fd = file_open_dir(AT_FDCWD, path, &world->err);
    assert_true(fd >= 0);
    return fd;
}

static int make_world(void **state)
{
    struct world *world = memory_zero(1, sizeof *world);
    world->path = scratch_make();
    world->entry = memory_printf("%s/entry", world->path);
    world->back = memory_printf("%s/back", world->path);
    world->entry_fd = open_made(world, world->entry);
    world->back_fd = open_made(world, world->back);
    world->bundle = memfd_create("bundle", MFD_CLOEXEC);
    assert_true(world->bundle >= 0);
    *state = world;
    return 0;
}

static int drop_world(void **state)
{
    struct world *world = *state;
    close(world->entry_fd);
    close(world->back_fd);
    close(world->bundle);
    scratch_remove(world->path);
    free(world->entry);
    free(world->back);
    bundle_written_done(&world->written);
    free(world);
    return 0;
}

static void fill_kernel(const char *entry)
{
    scratch_write(entry, "vmlinux", "the kernel");
    scratch_write(entry, "initrd.img", "the initrd");
    scratch_write(entry, "manifest.json", "{}");
    scratch_write(entry, "modules/modules.order", "");
    scratch_write(entry, "modules/kernel/a.ko", "a module");
    auto_free char *link = memory_printf("%s/modules/kernel/alias.ko", entry);
    assert_int_equal(symlink("../kernel/a.ko", link), 0);
}

static bool pack(struct world *world, int dir)
{
    assert_int_equal(ftruncate(world->bundle, 0), 0);
    assert_int_equal(lseek(world->bundle, 0, SEEK_SET), 0);
    bundle_written_done(&world->written);
    return bundle_write(world->bundle, dir, BUNDLE_KERNEL, NULL, &limits_default, NULL, NULL,
        &world->written, &world->err);
}

static bool unpack(struct world *world, enum bundle_kind kind)
{
    auto_done(bundle_report) struct bundle_report report = {0};
    bool is_fine = bundle_extract(world->bundle, world->back_fd, kind, &limits_default, NULL, NULL,
        NULL, &report, &world->err);
    if (is_fine) {
        assert_int_equal(report.entries, world->written.entries);
        assert_int_equal(report.expanded_bytes, world->written.expanded_bytes);
        assert_int_equal(report.skipped.count, 0);
    }
    return is_fine;
}

static void what_is_packed_comes_out_again(void **state)
{
    struct world *world = *state;
    fill_kernel(world->entry);
    assert_true(pack(world, world->entry_fd));
    assert_true(unpack(world, BUNDLE_KERNEL));
    auto_free char *top = scratch_list(world->back, ".");
    auto_free char *vmlinux = scratch_read(world->back, "vmlinux");
    auto_free char *module = scratch_read(world->back, "modules/kernel/a.ko");
    char target[64] = "";
    assert_int_equal(
        readlinkat(world->back_fd, "modules/kernel/alias.ko", target, sizeof target - 1), 14);
    assert_string_equal(target, "../kernel/a.ko");
    assert_string_equal(top, "initrd.img modules vmlinux");
    assert_string_equal(vmlinux, "the kernel");
    assert_string_equal(module, "a module");
    assert_true(scratch_has(world->back, "modules/modules.order"));
}

static void the_report_is_about_the_file(void **state)
{
    struct world *world = *state;
    struct digest digest;
    struct stat status;
    fill_kernel(world->entry);
    assert_true(pack(world, world->entry_fd));
    assert_true(hash_fd(world->bundle, "bundle", NULL, NULL, &digest, &world->err));
    assert_int_equal(fstat(world->bundle, &status), 0);
    assert_true(digest_equal(&digest, &world->written.digest));
    assert_int_equal(status.st_size, world->written.size_bytes);
}

/* Neither times, modes nor the order of creation are in it. */
static void same_content_is_the_same_file(void **state)
{
    struct world *world = *state;
    fill_kernel(world->entry);
    assert_true(pack(world, world->entry_fd));
    struct digest first = world->written.digest;
    auto_free char *other = memory_printf("%s/other", world->path);
    auto_free char *link = memory_printf("%s/modules/kernel/alias.ko", other);
    auto_free char *module = memory_printf("%s/modules/kernel/a.ko", other);
    scratch_write(other, "modules/kernel/a.ko", "a module");
    assert_int_equal(symlink("../kernel/a.ko", link), 0);
    scratch_write(other, "modules/modules.order", "");
    scratch_write(other, "initrd.img", "the initrd");
    scratch_write(other, "vmlinux", "the kernel");
    assert_int_equal(utime(module, &(struct utimbuf){.modtime = 12345}), 0);
    assert_int_equal(chmod(module, 0600), 0);
    auto_close int other_fd = open_made(world, other);
    assert_true(pack(world, other_fd));
    assert_true(digest_equal(&first, &world->written.digest));
    scratch_write(other, "vmlinux", "a kernel");
    assert_true(pack(world, other_fd));
    assert_false(digest_equal(&first, &world->written.digest));
}

static void long_names_and_links_fit(void **state)
{
    struct world *world = *state;
    auto_done(text) struct text path = {0};
    scratch_write(world->entry, "vmlinux", "the kernel");
    text_append(&path, "modules/kernel");
    for (int i = 0; i < 20; i++) {
        text_append(&path, "/a-directory");
    }
    for (int extra = 0; extra < 12; extra++) {
        text_append(&path, "x"); /* lengths around those where LEN gets a digit more */
        auto_free char *file = memory_printf("%s/a.ko", text_cstr(&path));
        scratch_write(world->entry, file, text_cstr(&path));
    }
    auto_free char *target = memory_printf("%s/a.ko", text_cstr(&path));
    auto_free char *in = memory_printf("%s/modules/link", world->entry);
    assert_int_equal(symlink(target + strlen("modules/"), in), 0);
    assert_true(pack(world, world->entry_fd));
    assert_true(unpack(world, BUNDLE_KERNEL));
    auto_free char *file = memory_printf("%s/a.ko", text_cstr(&path));
    auto_free char *content = scratch_read(world->back, file);
    char by_link[1024] = "";
    assert_true(readlinkat(world->back_fd, "modules/link", by_link, sizeof by_link - 1) > 0);
    assert_string_equal(content, text_cstr(&path));
    assert_string_equal(by_link, target + strlen("modules/"));
}

static void what_leaves_is_left_out_and_said(void **state)
{
    struct world *world = *state;
    fill_kernel(world->entry);
    auto_free char *build = memory_printf("%s/modules/build", world->entry);
    auto_free char *up = memory_printf("%s/modules/up", world->entry);
    auto_free char *fifo = memory_printf("%s/modules/fifo", world->entry);
    assert_int_equal(symlink("/usr/src/linux", build), 0);
    assert_int_equal(symlink("../../outside", up), 0);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_true(pack(world, world->entry_fd));
    assert_int_equal(world->written.notes.count, 3);
    assert_true(unpack(world, BUNDLE_KERNEL));
    auto_free char *modules = scratch_list(world->back, "modules");
    assert_string_equal(modules, "kernel modules.order");
}

static void the_main_file_is_no_link_and_there(void **state)
{
    struct world *world = *state;
    assert_false(pack(world, world->entry_fd));
    assert_code(world->err, ERROR_NOT_FOUND);
    error_clear(&world->err);
    scratch_write(world->path, "secret", "not for the bundle");
    auto_free char *vmlinux = memory_printf("%s/vmlinux", world->entry);
    assert_int_equal(symlink("../secret", vmlinux), 0);
    assert_false(pack(world, world->entry_fd));
}

static void image_round_trip(void **state)
{
    struct world *world = *state;
    scratch_write(world->entry, "rootfs.ext4", "a file system");
    scratch_write(world->entry, "work-seed.ext4", "not for the bundle");
    assert_true(bundle_write(world->bundle, world->entry_fd, BUNDLE_IMAGE, "{\"name\":\"x\"}",
        &limits_default, NULL, NULL, &world->written, &world->err));
    assert_true(unpack(world, BUNDLE_IMAGE));
    auto_free char *top = scratch_list(world->back, ".");
    auto_free char *rootfs = scratch_read(world->back, "rootfs.ext4");
    assert_string_equal(top, "rootfs.ext4");
    assert_string_equal(rootfs, "a file system");
}

/* Data here and there in a file of holes, at its end as well: the same bytes as without holes. */
static void holes_are_zeros(void **state)
{
    struct world *world = *state;
    static const off_t at[] = {0, 5000000, (16 << 20) - 3};
    scratch_write(world->entry, "rootfs.ext4", "");
    auto_free char *path = memory_printf("%s/rootfs.ext4", world->entry);
    for (size_t last = 1; last <= array_length(at); last++) {
        auto_close int fd = open(path, O_RDWR | O_TRUNC | O_CLOEXEC);
        for (size_t i = 0; i < last; i++) {
            assert_int_equal(pwrite(fd, "xyz", 3, at[i]), 3);
        }
        assert_int_equal(ftruncate(fd, 16 << 20), 0);
        struct digest wanted, found;
        assert_true(hash_fd(fd, "rootfs", NULL, NULL, &wanted, &world->err));
        assert_int_equal(ftruncate(world->bundle, 0), 0);
        assert_int_equal(lseek(world->bundle, 0, SEEK_SET), 0);
        bundle_written_done(&world->written);
        assert_true(bundle_write(world->bundle, world->entry_fd, BUNDLE_IMAGE, "{}",
            &limits_default, NULL, NULL, &world->written, &world->err));
        unlinkat(world->back_fd, "rootfs.ext4", 0);
        assert_true(unpack(world, BUNDLE_IMAGE));
        auto_free char *copy = memory_printf("%s/rootfs.ext4", world->back);
        auto_close int back = open(copy, O_RDONLY | O_CLOEXEC);
        assert_true(hash_fd(back, "rootfs", NULL, NULL, &found, &world->err));
        assert_true(digest_equal(&wanted, &found));
        struct stat status;
        assert_int_equal(fstat(back, &status), 0);
        assert_true(status.st_blocks < 16 * 1024); /* of 32768 */
    }
}

static bool to_scan(void *context, const void *bytes, size_t len, struct error *err)
{
    return tar_scan_feed(context, bytes, len, err);
}

/* 8 GiB and more do not fit into a ustar header. */
static void sizes_beyond_the_field(void **state)
{
    struct world *world = *state;
    static const uint64_t sizes[] = {077777777776, 077777777777, 0100000000000, UINT64_C(1) << 35};
    for (size_t i = 0; i < array_length(sizes); i++) {
        struct tar_scan *scan = tar_scan_new(TAR_BUNDLE, &limits_default);
        struct tar_writer tar = {.sink = to_scan, .context = scan};
        auto_done(tar_member) struct tar_member member = {0};
        assert_true(tar_write_file(&tar, "rootfs.ext4", sizes[i], &world->err));
        assert_true(tar_scan_take(scan, &member));
        assert_int_equal(member.size_bytes, sizes[i]);
        tar_scan_free(scan);
    }
}

#define test(function) cmocka_unit_test_setup_teardown(function, make_world, drop_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(what_is_packed_comes_out_again),
        test(the_report_is_about_the_file),
        test(same_content_is_the_same_file),
        test(long_names_and_links_fit),
        test(what_leaves_is_left_out_and_said),
        test(the_main_file_is_no_link_and_there),
        test(image_round_trip),
        test(holes_are_zeros),
        test(sizes_beyond_the_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
