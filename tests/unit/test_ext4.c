/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "artifact/ext4.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/process.h"
#include "base/text.h"

static const uint8_t uuid[16] = {
    0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0x4d, 0xef, 0x81, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};

#define GIB (UINT64_C(1) << 30)

static int new_file(char path[64])
{
    strcpy(path, "/tmp/test_ext4.XXXXXX");
    int fd = mkostemp(path, O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* The tool that knows; it comes with every system that has ext4. */
static void assert_clean(const char *path)
{
    auto_free char *program = process_find("e2fsck");
    if (program == NULL) {
        program = memory_strdup("/sbin/e2fsck");
    }
    const char *const argv[] = {program, "-fn", path, NULL};
    struct text out = {0}, errors = {0};
    struct error err = {0};
    int status = -1;
    if (access(program, X_OK) != 0) {
        skip();
    }
    assert_true(process_run(argv, 60000, 1 << 20, NULL, &out, &errors, &status, &err));
    if (status != 0) {
        fail_msg("e2fsck: %s%s", text_cstr(&out), text_cstr(&errors));
    }
    text_done(&out);
    text_done(&errors);
}

static void file_systems_of_many_sizes_are_clean(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {EXT4_SIZE_MIN, EXT4_SIZE_MIN + 5000, 100000000, GIB, 8 * GIB,
        8 * GIB + 4096 * 3, 100 * GIB};
    for (size_t i = 0; i < array_length(sizes); i++) {
        char path[64];
        struct error err = {0};
        auto_close int fd = new_file(path);
        if (!ext4_make_empty(fd, sizes[i], "upper", uuid, &err)) {
            fail_msg("%s", err.text);
        }
        struct stat status;
        assert_int_equal(fstat(fd, &status), 0);
        assert_int_equal(status.st_size, sizes[i] - sizes[i] % 4096);
        assert_clean(path);
        unlink(path);
    }
}

static void the_largest_is_made(void **state)
{
    (void)state;
    struct error err = {0};
    auto_close int fd = memfd_create("disk", MFD_CLOEXEC);
    assert_true(fd >= 0);
    if (!ext4_make_empty(fd, UINT64_C(1) << 40, "large", uuid, &err)) {
        fail_msg("%s", err.text);
    }
}

static void same_input_gives_the_same_bytes(void **state)
{
    (void)state;
    struct text bytes[2] = {{0}, {0}};
    struct error err = {0};
    for (unsigned i = 0; i < 2; i++) {
        auto_close int fd = memfd_create("disk", MFD_CLOEXEC);
        assert_true(fd >= 0);
        if (i == 1) {
            /* Old content and another moment must not show. */
            assert_int_equal(ftruncate(fd, 20 << 20), 0);
            assert_true(file_write_all(fd, "old content", 11, &err));
            struct timespec second = {.tv_sec = 1, .tv_nsec = 10000000};
            nanosleep(&second, NULL);
        }
        assert_true(ext4_make_empty(fd, EXT4_SIZE_MIN, "upper", uuid, &err));
        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        assert_true(file_read_fd(fd, "disk", EXT4_SIZE_MIN, &bytes[i], &err));
    }
    assert_int_equal(bytes[0].len, EXT4_SIZE_MIN);
    assert_int_equal(bytes[1].len, EXT4_SIZE_MIN);
    assert_memory_equal(bytes[0].data, bytes[1].data, EXT4_SIZE_MIN);
    text_done(&bytes[0]);
    text_done(&bytes[1]);
}

static void uuid_and_label_are_in_the_superblock(void **state)
{
    (void)state;
    struct error err = {0};
    char superblock[1024];
    auto_close int fd = memfd_create("disk", MFD_CLOEXEC);
    assert_true(ext4_make_empty(fd, EXT4_SIZE_MIN, "sixteen letters!", uuid, &err));
    assert_int_equal(pread(fd, superblock, sizeof superblock, 1024), sizeof superblock);
    assert_memory_equal(superblock + 104, uuid, 16);
    assert_memory_equal(superblock + 120, "sixteen letters!", 16);
}

static void eight_gib_cost_next_to_nothing(void **state)
{
    (void)state;
    struct error err = {0};
    struct stat status;
    struct rusage before, after;
    auto_close int fd = memfd_create("disk", MFD_CLOEXEC);
    assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
    assert_true(ext4_make_empty(fd, 8 * GIB, "upper", uuid, &err));
    assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
    assert_int_equal(fstat(fd, &status), 0);
    assert_true(status.st_blocks * 512 < 2 << 20);
    long spent_us = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000 +
                    after.ru_utime.tv_usec - before.ru_utime.tv_usec +
                    (after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1000000 +
                    after.ru_stime.tv_usec - before.ru_stime.tv_usec;
    if (spent_us > 1000000) { /* 15 ms, twenty times that with sanitizers on a busy machine */
        fail_msg("8 GiB took %ld us", spent_us);
    }
}

static void impossible_wishes_are_refused(void **state)
{
    (void)state;
    auto_close int fd = memfd_create("disk", MFD_CLOEXEC);
    struct error small = {0}, large = {0}, label = {0}, closed = {0};
    assert_false(ext4_make_empty(fd, EXT4_SIZE_MIN - 1, "upper", uuid, &small));
    assert_int_equal(small.code, ERROR_INVALID);
    assert_false(ext4_make_empty(fd, EXT4_SIZE_MAX + 1, "upper", uuid, &large));
    assert_int_equal(large.code, ERROR_INVALID);
    assert_false(ext4_make_empty(fd, GIB, "seventeen letters", uuid, &label));
    assert_int_equal(label.code, ERROR_INVALID);
    assert_false(ext4_make_empty(-1, GIB, "upper", uuid, &closed));
    assert_int_equal(closed.code, ERROR_IO);
}

static void a_write_that_fails_is_reported(void **state)
{
    (void)state;
    struct error err = {0};
    auto_close int fd = memfd_create("disk", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0); /* may grow, takes no byte */
    assert_false(ext4_make_empty(fd, GIB, "upper", uuid, &err));
    assert_int_equal(err.code, ERROR_PERMISSION);
    assert_int_equal(err.sys_errno, EPERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_systems_of_many_sizes_are_clean),
        cmocka_unit_test(the_largest_is_made),
        cmocka_unit_test(same_input_gives_the_same_bytes),
        cmocka_unit_test(uuid_and_label_are_in_the_superblock),
        cmocka_unit_test(eight_gib_cost_next_to_nothing),
        cmocka_unit_test(impossible_wishes_are_refused),
        cmocka_unit_test(a_write_that_fails_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
