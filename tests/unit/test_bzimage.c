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
#include "support/scratch.h"

#define KERNEL_BYTES 300000
#define PAYLOAD_AT 0x123
#define SETUP_BYTES ((3 + 1) * 512)

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
    for (size_t i = 64; i < sizeof world->kernel; i++) {
        world->kernel[i] = i > 100000 && i < 200000 ? 0 : (uint8_t)(i * i >> 5);
    }
    memcpy(world->kernel, "\177ELF\2\1\1", 7);
    world->kernel[16] = 2;
    world->kernel[18] = 62;
    world->kernel[32] = 64; /* program headers */
    world->kernel[54] = 56;
    world->kernel[56] = 1;
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

static void put(uint8_t *at, uint64_t number, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        at[i] = (uint8_t)(number >> 8 * i);
    }
}

/* Packs the kernel with that program and puts it where a bzImage has it. */
static void make_image(struct world *world, const char *packer, bool has_size)
{
    auto_free char *plain = memory_printf("%s/kernel", world->path);
    auto_free char *packed = memory_printf("%s/packed", world->path);
    auto_free char *line = memory_printf("%s <%s >%s", packer, plain, packed);
    FILE *file = fopen(plain, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(world->kernel, 1, KERNEL_BYTES, file), KERNEL_BYTES);
    assert_int_equal(fclose(file), 0);
    if (system(line) != 0) {
        skip(); /* that program is not here */
    }
    auto_done(text) struct text payload = {0};
    assert_true(file_read_all(AT_FDCWD, packed, 1 << 20, &payload, &world->err));
    uint8_t size[4];
    put(size, KERNEL_BYTES, sizeof size);
    if (has_size) {
        text_append_bytes(&payload, size, sizeof size);
    }
    uint8_t head[SETUP_BYTES + PAYLOAD_AT] = {0};
    head[0x1f1] = 3;
    put(head + 0x1fe, 0xaa55, 2);
    memcpy(head + 0x202, "HdrS", 4);
    put(head + 0x206, 0x20f, 2);
    put(head + 0x248, PAYLOAD_AT, 4);
    put(head + 0x24c, payload.len, 4);
    text_clear(&world->image);
    text_append_bytes(&world->image, head, sizeof head);
    text_append_bytes(&world->image, payload.data, payload.len);
    text_append(&world->image, "what follows is not the kernel's");
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
    put((uint8_t *)world->image.data + at, number, len);
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
    } spoiled[] = {{0, 0}, {4, 1}, {16, 3}, {18, 3}, {38, 1}, {54, 1}, {56, 0}};
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
