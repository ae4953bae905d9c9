/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "artifact/ext4.h"
#include "artifact/ext4_writer.h"
#include "artifact/tree.h"
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

/* ---- a tree of files ---- */

#define FILES 40u
#define FILE_BYTES ((size_t)700000)

static uint8_t byte_of(unsigned number, size_t at)
{
    return (uint8_t)((number * 31 + at / 4096 * 7 + at) | 1);
}

/* In pieces of that many bytes. */
static bool write_file(struct ext4_writer *writer, struct tree_inode *inode, unsigned number,
    size_t piece_bytes, struct error *err)
{
    auto_free uint8_t *bytes = memory_alloc(FILE_BYTES);
    for (size_t at = 0; at < FILE_BYTES; at++) {
        bytes[at] = byte_of(number, at);
    }
    ext4_file_begin(writer, inode);
    for (size_t at = 0; at < FILE_BYTES; at += piece_bytes) {
        size_t used = FILE_BYTES - at < piece_bytes ? FILE_BYTES - at : piece_bytes;
        if (!ext4_file_data(writer, bytes + at, used, err)) {
            return false;
        }
    }
    return ext4_file_end(writer, err);
}

/* 27 MiB of files. Each third one goes again, and what comes next takes its blocks. From one of them
 * on the disk takes no byte. */
static bool write_tree(
    int fd, struct tree *tree, size_t piece_bytes, unsigned sealed_from, struct error *err)
{
    const struct ext4_plan plan = {.size_bytes = 64 << 20, .label = "tree", .uuid = {1, 2, 3}};
    struct ext4_tally tally = {0};
    auto_ext4_writer struct ext4_writer *writer = ext4_writer_new(fd, &plan, err);
    assert_non_null(writer);
    for (unsigned number = 0; number < FILES; number++) {
        char name[8];
        snprintf(name, sizeof name, "f%u", number);
        if (number == sealed_from) {
            assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
        }
        struct tree_inode *inode = tree_inode_new(S_IFREG | 0644);
        tree_add(tree, tree_root(tree), name, strlen(name))->inode = inode;
        if (!write_file(writer, inode, number, piece_bytes, err)) {
            return false;
        }
        if (number % 3 == 0) {
            tree_find(tree_root(tree), name, strlen(name))->inode = NULL;
            ext4_drop_inode(writer, inode);
        }
    }
    return ext4_writer_finish(writer, tree, &tally, err);
}

/* Where the tree says that its files are, they are. */
static void assert_written(int fd, const struct tree *tree)
{
    struct tree_node **list = NULL;
    size_t count = tree_children(tree_root(tree), &list);
    assert_int_equal(count, FILES - (FILES + 2) / 3 + 1); /* and lost+found */
    for (size_t i = 0; i < count; i++) {
        const struct tree_inode *inode = list[i]->inode;
        for (uint32_t j = 0; S_ISREG(inode->mode) && j < inode->extent_count * 64; j++) {
            const struct tree_extent *extent = &inode->extents[j / 64];
            uint32_t block = j % 64 * (extent->count - 1) / 63;
            size_t at = (size_t)(extent->logical + block) * 4096;
            uint8_t found = 0;
            assert_int_equal(pread(fd, &found, 1, (off_t)(extent->physical + block) * 4096), 1);
            assert_int_equal(found, byte_of((unsigned)atoi(list[i]->name + 1), at));
        }
    }
    free(list);
}

static void a_tree_is_the_same_however_its_data_comes(void **state)
{
    (void)state;
    static const size_t pieces[] = {FILE_BYTES, 4096, 100001};
    struct text bytes[array_length(pieces)] = {{0}};
    for (size_t i = 0; i < array_length(pieces); i++) {
        char path[64];
        struct error err = {0};
        struct tree *tree = tree_new();
        auto_close int fd = new_file(path);
        if (!write_tree(fd, tree, pieces[i], FILES, &err)) {
            fail_msg("%s", err.text);
        }
        assert_written(fd, tree);
        tree_free(tree);
        assert_clean(path);
        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        assert_true(file_read_fd(fd, "disk", 64 << 20, &bytes[i], &err));
        assert_memory_equal(bytes[i].data, bytes[0].data, 64 << 20);
        unlink(path);
    }
    for (size_t i = 0; i < array_length(pieces); i++) {
        text_done(&bytes[i]);
    }
}

static void a_disk_that_fails_half_way_is_reported(void **state)
{
    (void)state;
    static const unsigned places[] = {0, 1, FILES / 2, FILES - 1};
    for (size_t i = 0; i < array_length(places); i++) {
        struct error err = {0};
        struct tree *tree = tree_new();
        auto_close int fd = memfd_create("disk", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        assert_false(write_tree(fd, tree, 65536, places[i], &err));
        assert_int_equal(err.code, ERROR_PERMISSION);
        assert_int_equal(err.sys_errno, EPERM);
        tree_free(tree);
    }
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
        cmocka_unit_test(a_tree_is_the_same_however_its_data_comes),
        cmocka_unit_test(a_disk_that_fails_half_way_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
