/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "artifact/hash.h"
#include "base/cancel.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/progress.h"

/* The examples of FIPS 180-4's companion document and the empty message. */
static const struct {
    const char *message;
    const char *hex;
} known[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

static void assert_hex(const struct digest *digest, const char *hex)
{
    char found[DIGEST_HEX_LEN + 1];
    assert_string_equal(digest_format(digest, found), hex);
}

static int temporary_file(const char *bytes, size_t len)
{
    int fd = memfd_create("test_hash", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    return fd;
}

static void known_messages(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_length(known); i++) {
        struct digest digest;
        hash_bytes(known[i].message, strlen(known[i].message), &digest);
        assert_hex(&digest, known[i].hex);
    }
}

/* Whatever differs, first or last. */
static void every_byte_of_a_digest_counts(void **state)
{
    (void)state;
    struct digest digest, other;
    hash_bytes("abc", 3, &digest);
    for (size_t i = 0; i < sizeof digest.bytes; i++) {
        other = digest;
        assert_true(digest_equal(&digest, &other));
        other.bytes[i] ^= 1;
        assert_false(digest_equal(&digest, &other));
    }
}

static void a_million_in_odd_pieces(void **state)
{
    (void)state;
    char piece[997];
    memset(piece, 'a', sizeof piece);
    auto_hash struct hash *hash = hash_new();
    for (size_t left = 1000000; left > 0;) {
        size_t len = left < sizeof piece ? left : sizeof piece;
        hash_update(hash, piece, len);
        left -= len;
    }
    struct digest digest;
    hash_finish(hash, &digest);
    assert_hex(&digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void finishing_does_not_end_it(void **state)
{
    (void)state;
    auto_hash struct hash *hash = hash_new();
    struct digest digest;
    hash_finish(hash, &digest);
    assert_hex(&digest, known[0].hex);
    hash_update(hash, "ab", 2);
    hash_finish(hash, &digest);
    hash_update(hash, "c", 1);
    hash_finish(hash, &digest);
    assert_hex(&digest, known[1].hex);
    hash_reset(hash);
    hash_finish(hash, &digest);
    assert_hex(&digest, known[0].hex);
}

static void a_file_from_its_start_wherever_it_stands(void **state)
{
    (void)state;
    auto_close int fd = temporary_file("abc", 3);
    struct error err = {0};
    struct digest digest;
    assert_true(hash_fd(fd, "file", NULL, NULL, &digest, &err));
    assert_hex(&digest, known[1].hex);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 3);
    assert_int_equal(err.code, ERROR_NONE);
}

static void a_part_of_a_file(void **state)
{
    (void)state;
    auto_close int fd = temporary_file("xxabcyy", 7);
    auto_hash struct hash *hash = hash_new();
    struct error err = {0};
    struct digest digest;
    assert_true(hash_update_fd(hash, fd, "file", 2, 3, NULL, NULL, &err));
    hash_finish(hash, &digest);
    assert_hex(&digest, known[1].hex);
}

static void a_file_that_is_too_short(void **state)
{
    (void)state;
    auto_close int fd = temporary_file("abc", 3);
    auto_hash struct hash *hash = hash_new();
    struct error err = {0};
    assert_false(hash_update_fd(hash, fd, "the part", 0, 4, NULL, NULL, &err));
    assert_int_equal(err.code, ERROR_IO);
    assert_non_null(strstr(err.text, "the part"));
}

struct seen {
    uint64_t done, total;
    enum progress_phase phase;
    struct cancel *cancel;
};

static void see(void *context, enum progress_phase phase, enum progress_unit unit, uint64_t done,
    uint64_t total)
{
    struct seen *seen = context;
    assert_int_equal(unit, PROGRESS_BYTES);
    assert_true(done > seen->done);
    *seen = (struct seen){done, total, phase, seen->cancel};
    if (seen->cancel != NULL) {
        cancel_request(seen->cancel);
    }
}

static void progress_reaches_the_end(void **state)
{
    (void)state;
    size_t len = (size_t)3 << 20;
    auto_free char *zeros = memory_zero(len, 1);
    auto_close int fd = temporary_file(zeros, len);
    struct seen seen = {0};
    struct progress progress = {.context = &seen, .report = see};
    struct error err = {0};
    struct digest digest;
    assert_true(hash_fd(fd, "file", &progress, NULL, &digest, &err));
    assert_int_equal(seen.done, len);
    assert_int_equal(seen.total, len);
    assert_int_equal(seen.phase, PROGRESS_VERIFY);
}

static void cancel_ends_it_within_a_mebibyte(void **state)
{
    (void)state;
    size_t len = (size_t)3 << 20;
    auto_free char *zeros = memory_zero(len, 1);
    auto_close int fd = temporary_file(zeros, len);
    struct seen seen = {.cancel = cancel_new()};
    struct progress progress = {.context = &seen, .report = see};
    struct error err = {0};
    struct digest digest = {.bytes = {7}};
    assert_false(hash_fd(fd, "file", &progress, seen.cancel, &digest, &err));
    assert_int_equal(err.code, ERROR_CANCELLED);
    assert_int_equal(digest.bytes[0], 7);
    assert_true(seen.done <= (uint64_t)1 << 20);
    cancel_free(seen.cancel);
}

static void what_cannot_be_read(void **state)
{
    (void)state;
    struct error err = {0};
    struct digest digest;
    auto_close int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_false(hash_fd(fd, "the root", NULL, NULL, &digest, &err));
    assert_int_equal(err.code, ERROR_IO);
    assert_non_null(strstr(err.text, "the root"));
}

static void content_does_not_depend_on_holes(void **state)
{
    (void)state;
    struct error err = {0};
    struct digest sparse, dense, other;
    auto_close int holes = memfd_create("holes", MFD_CLOEXEC);
    auto_close int plain = memfd_create("plain", MFD_CLOEXEC);
    size_t size = (5 << 20) + 100;
    auto_free char *bytes = memory_zero(1, size);
    memcpy(bytes + 4096 * 3 + 7, "data", 4);
    bytes[size - 1] = 'x';
    assert_int_equal(write(plain, bytes, size), (ssize_t)size);
    assert_int_equal(pwrite(holes, "data", 4, 4096 * 3 + 7), 4);
    assert_int_equal(pwrite(holes, "x", 1, (off_t)size - 1), 1);
    assert_true(hash_content(holes, "holes", NULL, NULL, &sparse, &err));
    assert_true(hash_content(plain, "plain", NULL, NULL, &dense, &err));
    assert_true(digest_equal(&sparse, &dense));

    /* As it is written down: number, block, size. */
    auto_hash struct hash *hash = hash_new();
    static const unsigned char first[8] = {3}, last[8] = {0, 5}, end[8] = {100, 0, 0x50};
    hash_update(hash, first, 8);
    hash_update(hash, bytes + 4096 * 3, 4096);
    hash_update(hash, last, 8);
    char tail[4096] = {0};
    tail[99] = 'x';
    hash_update(hash, tail, sizeof tail);
    hash_update(hash, end, 8);
    hash_finish(hash, &other);
    assert_true(digest_equal(&sparse, &other));

    /* The same data elsewhere, and the same data in a longer file, are something else. */
    assert_int_equal(ftruncate(holes, (off_t)size + 4096), 0);
    assert_true(hash_content(holes, "holes", NULL, NULL, &other, &err));
    assert_false(digest_equal(&sparse, &other));
    assert_int_equal(pwrite(plain, "\0\0\0\0data", 8, 4096 * 3 + 7), 8);
    assert_true(hash_content(plain, "plain", NULL, NULL, &other, &err));
    assert_false(digest_equal(&sparse, &other));
}

/* Many pieces, of which a second thread has some: the same as in one. */
static void much_content_is_hashed_as_little_is(void **state)
{
    (void)state;
    struct error err = {0};
    struct digest made, other;
    size_t size = ((size_t)17 << 20) + 5000;
    auto_free char *bytes = memory_zero(1, size + 4096);
    auto_hash struct hash *hash = hash_new();
    uint32_t noise = 1;
    for (size_t block = 0; block * 4096 < size; block++) {
        for (size_t i = 0; block % 5 != 0 && i < 4096 && block * 4096 + i < size; i++) {
            noise = noise * 1664525 + 1013904223;
            bytes[block * 4096 + i] = (char)(noise >> 24);
        }
        if (block % 5 != 0) {
            unsigned char number[8] = {(unsigned char)block, (unsigned char)(block >> 8)};
            hash_update(hash, number, 8);
            hash_update(hash, bytes + block * 4096, 4096);
        }
    }
    unsigned char end[8] = {(unsigned char)size, (unsigned char)(size >> 8),
        (unsigned char)(size >> 16), (unsigned char)(size >> 24)};
    hash_update(hash, end, 8);
    hash_finish(hash, &other);
    auto_close int fd = temporary_file(bytes, size);
    assert_true(hash_content(fd, "much", NULL, NULL, &made, &err));
    assert_true(digest_equal(&made, &other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_messages),
        cmocka_unit_test(every_byte_of_a_digest_counts),
        cmocka_unit_test(content_does_not_depend_on_holes),
        cmocka_unit_test(much_content_is_hashed_as_little_is),
        cmocka_unit_test(a_million_in_odd_pieces),
        cmocka_unit_test(finishing_does_not_end_it),
        cmocka_unit_test(a_file_from_its_start_wherever_it_stands),
        cmocka_unit_test(a_part_of_a_file),
        cmocka_unit_test(a_file_that_is_too_short),
        cmocka_unit_test(progress_reaches_the_end),
        cmocka_unit_test(cancel_ends_it_within_a_mebibyte),
        cmocka_unit_test(what_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
