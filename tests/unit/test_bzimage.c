/* SPDX-License-Identifier: MIT */
/* bzImages made here around a small ELF file, packed by the programs that kernels are packed by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/mman.h>

#include "artifact/bzimage.h"
#include "base/limits.h"
#include "support/bzimage_maker.h"

#define KERNEL_BYTES BZIMAGE_MAKER_BYTES
#define PAYLOAD_AT BZIMAGE_MAKER_PAYLOAD_AT
#define SETUP_BYTES BZIMAGE_MAKER_SETUP_BYTES

struct world {
    char *path;
    uint8_t kernel[KERNEL_BYTES];
    struct text image; /* the bzImage */
    struct error err;
};

static int make_world(void **state)
{
    struct world *world = memory_zero(1, sizeof *world);
    world->path = scratch_make();
    bzimage_maker_elf(world->kernel);
    *state = world;
    return 0;
}

static int drop_world(void **state)
{
    struct world *world = *state;
    scratch_remove(world->path);
    text_done(&world->image);
    free(world);
    return 0;
}

static void make_image(struct world *world, const char *packer, bool has_size)
{
    if (!bzimage_maker_image(world->path, world->kernel, packer, has_size, &world->image)) {
        skip(); /* that program is not here */
    }
}

static bool extract(struct world *world, int out)
{
    auto_close int fd = memfd_create("bzimage", MFD_CLOEXEC);
    assert_true(file_write_all(fd, world->image.data, world->image.len, &world->err));
    error_clear(&world->err);
    return bzimage_extract(fd, "bzImage", out, &limits_default, NULL, NULL, &world->err);
}

static void comes_out(struct world *world, const char *packer, bool has_size)
{
    make_image(world, packer, has_size);
    auto_close int out = memfd_create("elf", MFD_CLOEXEC);
    uint8_t *found = memory_alloc(KERNEL_BYTES);
    struct stat status;
    assert_true(extract(world, out));
    assert_int_equal(fstat(out, &status), 0);
    assert_int_equal(status.st_size, KERNEL_BYTES);
    assert_int_equal(pread(out, found, KERNEL_BYTES, 0), KERNEL_BYTES);
    assert_memory_equal(found, world->kernel, KERNEL_BYTES);
    free(found);
}

static void gzip(void **state)
{
    comes_out(*state, "gzip -n9", false);
}

static void xz(void **state)
{
    comes_out(*state, "xz --check=crc32 --x86 --lzma2=,dict=32MiB", true);
}

static void zstd(void **state)
{
    comes_out(*state, "zstd -q -22 --ultra", true);
}

static void lz4(void **state)
{
    comes_out(*state, "lz4 -q -l -9 - -", true);
}

static void refused(
    struct world *world, size_t at, uint64_t number, size_t len, enum error_code code)
{
    auto_done(text) struct text good = {0};
    text_append_bytes(&good, world->image.data, world->image.len);
    bzimage_maker_put((uint8_t *)world->image.data + at, number, len);
    auto_close int out = memfd_create("elf", MFD_CLOEXEC);
    assert_false(extract(world, out));
    assert_code(world->err, code);
    memcpy(world->image.data, good.data, good.len);
}

static void headers_that_lie(void **state)
{
    struct world *world = *state;
    make_image(world, "gzip -n9", false);
    refused(world, 0x202, 0, 1, ERROR_FORMAT);
    refused(world, 0x1fe, 0, 2, ERROR_FORMAT);
    refused(world, 0x206, 0x207, 2, ERROR_UNSUPPORTED);
    refused(world, 0x248, 0xffffffff, 4, ERROR_FORMAT);
    refused(world, 0x24c, 0xffffffff, 4, ERROR_FORMAT);
    refused(world, 0x24c, 0, 4, ERROR_FORMAT);
    refused(world, 0x24c, 4, 4, ERROR_FORMAT);
    refused(world, 0x1f1, 9, 1, ERROR_FORMAT);
    refused(world, SETUP_BYTES + PAYLOAD_AT, 0, 2, ERROR_FORMAT);
}

static void sizes_that_lie(void **state)
{
    struct world *world = *state;
    make_image(world, "zstd -q", true);
    size_t at = world->image.len - strlen("what follows is not the kernel's") - 4;
    refused(world, at, KERNEL_BYTES - 1, 4, ERROR_FORMAT);
    refused(world, at, KERNEL_BYTES + 1, 4, ERROR_FORMAT);
    refused(world, at, 0, 4, ERROR_FORMAT);
}

static void what_comes_out_is_a_kernel(void **state)
{
    struct world *world = *state;
    static const struct {
        size_t at;
        uint8_t byte;
    } spoiled[] = {{0, 0}, {4, 1}, {16, 3}, {18, 3}, {38, 1}, {54, 1}, {56, 0}, {57, 0xff}};
    for (size_t i = 0; i < array_length(spoiled); i++) {
        uint8_t before = world->kernel[spoiled[i].at];
        world->kernel[spoiled[i].at] = spoiled[i].byte;
        make_image(world, "gzip -n9", false);
        auto_close int out = memfd_create("elf", MFD_CLOEXEC);
        assert_false(extract(world, out));
        assert_code(world->err, ERROR_FORMAT);
        world->kernel[spoiled[i].at] = before;
    }
}

#define test(function) cmocka_unit_test_setup_teardown(function, make_world, drop_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(gzip),
        test(xz),
        test(zstd),
        test(lz4),
        test(headers_that_lie),
        test(sizes_that_lie),
        test(what_comes_out_is_a_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
