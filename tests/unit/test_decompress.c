/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <time.h>

#include "artifact/decompress.h"
#include "artifact/decompress_ahead.h"
#include "artifact/decompress_codec.h"
#include "artifact/lz4_legacy.h"
#include "base/cancel.h"
#include "base/limits.h"
#include "config.h"
#include "support/scratch.h"

/* More than a block of lz4; and little, for what is tried many times. */
#define BIG_LEN (((size_t)9 << 20) + 12345)
#define SMALL_LEN ((size_t)100000)
#define ANY_FORMAT                                                                                 \
    (DECOMPRESS_NONE | DECOMPRESS_GZIP | DECOMPRESS_ZSTD | DECOMPRESS_XZ | DECOMPRESS_LZ4)

struct world {
    char *directory;
    char *content; /* in the file "content" as well */
    size_t len;
    struct limits limits;
};

static struct world *big_world(void **state)
{
    return *state;
}

static struct world *small_world(void **state)
{
    return (struct world *)*state + 1;
}

/* Compressed forms of "content", made by the formats' own programs. */
static const struct {
    const char *name;
    enum decompress_format format;
    const char *command;
} makers[] = {
    {"zstd", DECOMPRESS_ZSTD, "zstd -q -3 -c content"},
    {"zstd with a long window", DECOMPRESS_ZSTD, "zstd -q -1 --long=27 -c content"},
    {"zstd without a checksum", DECOMPRESS_ZSTD, "zstd -q -1 --no-check -c <content"},
    {"zstd in frames", DECOMPRESS_ZSTD,
        "{ head -c 90000 content | zstd -q -c; "
        "printf 'P*M\\030\\003\\000\\000\\000abc'; tail -c +90001 content | zstd -q -c; "
        "printf 'Q*M\\030\\000\\000\\000\\000'; }"},
    {"zstd behind a skippable frame", DECOMPRESS_ZSTD,
        "{ printf '_*M\\030\\001\\000\\000\\000x'; zstd -q -c content; }"},
    {"gzip", DECOMPRESS_GZIP, "gzip -6 -c content"},
    {"gzip in members", DECOMPRESS_GZIP,
        "{ head -c 1 content | gzip -c; : | gzip -c; "
        "tail -c +2 content | gzip -1 -c; }"},
    {"xz", DECOMPRESS_XZ, "xz -0 -c content"},
    {"xz as kernels have it", DECOMPRESS_XZ,
        "xz --check=crc32 --x86 --lzma2=preset=0,dict=32MiB -c content"},
    {"xz in streams with padding", DECOMPRESS_XZ,
        "{ head -c 500 content | xz -0 -c; "
        "printf '\\0\\0\\0\\0\\0\\0\\0\\0'; tail -c +501 content | xz -0 -c; printf "
        "'\\0\\0\\0\\0'; }"},
    {"lz4", DECOMPRESS_LZ4, "lz4 -q -l -1 -c content"},
    {"lz4 in frames", DECOMPRESS_LZ4,
        "{ head -c 77777 content | lz4 -q -l -c; tail -c +77778 content | lz4 -q -l -c; }"},
    {"nothing", DECOMPRESS_NONE, "cat content"},
};

static bool make(const struct world *world, const char *command)
{
    auto_free char *line =
        memory_printf("cd '%s' && { %s; } > packed 2>/dev/null", world->directory, command);
    return system(line) == 0;
}

static int open_packed(const struct world *world)
{
    auto_free char *path = memory_printf("%s/packed", world->directory);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static uint64_t packed_size(const struct world *world)
{
    auto_free char *path = memory_printf("%s/packed", world->directory);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return (uint64_t)status.st_size;
}

/* Reads to the end in reads of this size, comparing with the content; bytes read or -1. */
static ssize_t read_all(
    const struct world *world, struct decompress *decompress, size_t step, struct error *err)
{
    auto_free char *buffer = memory_alloc(step);
    size_t at = 0;
    for (;;) {
        ssize_t got = decompress_read(decompress, buffer, step, err);
        if (got < 0) {
            return -1;
        }
        if (at + (size_t)got > world->len ||
            memcmp(buffer, world->content + at, (size_t)got) != 0) {
            fail_msg("wrong bytes at %zu", at);
        }
        at += (size_t)got;
        assert_int_equal(decompress_total_out(decompress), at);
        if ((size_t)got < step) {
            assert_int_equal(decompress_read(decompress, buffer, step, err), 0);
            return (ssize_t)at;
        }
    }
}

/* Reads "packed" to the end: bytes of content, or -1 with err. */
static ssize_t read_packed(const struct world *world, unsigned accepted, struct error *err)
{
    *err = (struct error){0};
    auto_close int fd = open_packed(world);
    auto_decompress struct decompress *decompress =
        decompress_new_fd(fd, 0, UINT64_MAX, accepted, &world->limits, "packed", NULL, err);
    return decompress != NULL ? read_all(world, decompress, 300000, err) : -1;
}

static void every_format_gives_its_content(void **state)
{
    const struct world *world = big_world(state);
    for (size_t i = 0; i < array_length(makers); i++) {
        if (!make(world, makers[i].command)) {
            fprintf(stderr, "not tested: %s (a program is missing)\n", makers[i].name);
            continue;
        }
        const size_t steps[] = {300000, 33, world->len + 1};
        for (size_t j = 0; j < array_length(steps); j++) {
            auto_close int fd = open_packed(world);
            struct error err = {0};
            auto_decompress struct decompress *decompress = decompress_new_fd(
                fd, 0, UINT64_MAX, ANY_FORMAT, &world->limits, "packed", NULL, &err);
            assert_fine(err);
            assert_int_equal(decompress_format(decompress), makers[i].format);
            if (read_all(world, decompress, steps[j], &err) != (ssize_t)world->len) {
                fail_msg("%s, %zu at a time: %s", makers[i].name, steps[j], err.text);
            }
            assert_int_equal(decompress_total_in(decompress), packed_size(world));
        }
    }
}

static void a_format_must_be_asked_for(void **state)
{
    const struct world *world = small_world(state);
    for (size_t i = 0; i < array_length(makers); i++) {
        if (make(world, makers[i].command)) {
            struct error err;
            assert_int_equal(
                read_packed(world, ANY_FORMAT & ~(unsigned)makers[i].format, &err), -1);
            assert_code(err, ERROR_FORMAT);
            assert_non_null(strstr(err.text, decompress_format_name(makers[i].format)));
        }
    }
    static const char *const strangers[] = {"bzip2 -c content", "lz4 -q -c content",
        "printf 'PK\\003\\004'", ":", "printf '\\037'", "zstd -q --format=lzma -c content"};
    for (size_t i = 0; i < array_length(strangers); i++) {
        if (make(world, strangers[i])) {
            struct error err;
            assert_int_equal(read_packed(world, ANY_FORMAT & ~(unsigned)DECOMPRESS_NONE, &err), -1);
            assert_code(err, ERROR_FORMAT);
        }
    }
}

static void an_empty_stream(void **state)
{
    const struct world *world = small_world(state);
    static const char *const commands[] = {
        ": | zstd -q -c", ": | gzip -c", ": | xz -c", ":", "printf 'P*M\\030\\000\\000\\000\\000'"};
    for (size_t i = 0; i < array_length(commands); i++) {
        struct error err;
        assert_true(make(world, commands[i]));
        assert_int_equal(read_packed(world, ANY_FORMAT, &err), 0);
        assert_fine(err);
    }
}

static void a_stream_that_ends_early(void **state)
{
    const struct world *world = small_world(state);
    for (size_t i = 0; i < array_length(makers); i++) {
        if (makers[i].format == DECOMPRESS_NONE || !make(world, makers[i].command)) {
            continue;
        }
        auto_free char *path = memory_printf("%s/packed", world->directory);
        for (unsigned cut = 1; cut <= 3; cut++) {
            assert_int_equal(truncate(path, (off_t)packed_size(world) - 1), 0);
            struct error err;
            if (read_packed(world, ANY_FORMAT, &err) >= 0 || err.code != ERROR_FORMAT) {
                fail_msg("%s cut by %u: %s", makers[i].name, cut, err.text);
            }
        }
    }
}

static void bytes_behind_the_end(void **state)
{
    const struct world *world = small_world(state);
    static const char *const tails[] = {
        "x", "junk and more of it", "\\000", "\\000\\000\\000\\000"};
    for (size_t i = 0; i < array_length(makers); i++) {
        for (size_t j = 0; j < array_length(tails); j++) {
            bool is_padding = makers[i].format == DECOMPRESS_XZ && j == 3;
            auto_free char *command =
                memory_printf("{ %s; printf '%s'; }", makers[i].command, tails[j]);
            if (makers[i].format == DECOMPRESS_NONE || is_padding || !make(world, command)) {
                continue;
            }
            struct error err;
            if (read_packed(world, ANY_FORMAT, &err) >= 0 || err.code != ERROR_FORMAT) {
                fail_msg("%s with %s: %s", makers[i].name, tails[j], err.text);
            }
        }
    }
}

static void another_format_behind_the_end(void **state)
{
    const struct world *world = small_world(state);
    struct error err;
    assert_true(make(world, "{ zstd -q -c content; gzip -c content; }"));
    assert_int_equal(read_packed(world, ANY_FORMAT, &err), -1);
    assert_code(err, ERROR_FORMAT);
}

static void a_flipped_bit_is_found(void **state)
{
    const struct world *world = small_world(state);
    static const char *const commands[] = {
        "zstd -q -c content", "gzip -c content", "xz -c content"};
    for (size_t i = 0; i < array_length(commands); i++) {
        assert_true(make(world, commands[i]));
        auto_free char *path = memory_printf("%s/packed", world->directory);
        uint64_t size = packed_size(world);
        /* Not the first bytes: gzip's hold a time and a system that nobody checks. */
        for (uint64_t at = 20; at < size; at += size / 23 + 1) {
            auto_close int fd = open(path, O_RDWR | O_CLOEXEC);
            unsigned char byte = 0;
            assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
            byte ^= 0x10;
            assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
            struct error err = {0};
            auto_decompress struct decompress *decompress = decompress_new_fd(
                fd, 0, UINT64_MAX, ANY_FORMAT, &world->limits, "packed", NULL, &err);
            assert_fine(err);
            /* To the end: the checksum stands behind the last byte. */
            auto_free char *buffer = memory_alloc(world->len);
            ssize_t got;
            do {
                got = decompress_read(decompress, buffer, world->len, &err);
            } while (got > 0);
            if (got == 0) {
                fail_msg("%s: byte %llu", commands[i], (unsigned long long)at);
            }
            assert_true(err.code == ERROR_FORMAT || err.code == ERROR_LIMIT);
            /* And it stays failed. */
            struct error again = {0};
            assert_int_equal(decompress_read(decompress, buffer, 1, &again), -1);
            assert_string_equal(again.text, err.text);
            byte ^= 0x10;
            assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
        }
    }
}

static void a_bomb_stops_at_the_cap(void **state)
{
    struct world *world = small_world(state);
    static const char *const commands[] = {"head -c 100000000 /dev/zero | zstd -q -c",
        "head -c 100000000 /dev/zero | gzip -c", "head -c 100000000 /dev/zero | xz -0 -c"};
    world->limits.expanded_bytes = 1000000;
    for (size_t i = 0; i < array_length(commands); i++) {
        assert_true(make(world, commands[i]));
        auto_close int fd = open_packed(world);
        struct error err = {0};
        auto_decompress struct decompress *decompress =
            decompress_new_fd(fd, 0, UINT64_MAX, ANY_FORMAT, &world->limits, "packed", NULL, &err);
        auto_free char *buffer = memory_alloc(65536);
        uint64_t total = 0;
        ssize_t got;
        while ((got = decompress_read(decompress, buffer, 65536, &err)) > 0) {
            total += (uint64_t)got;
        }
        assert_int_equal(got, -1);
        assert_code(err, ERROR_LIMIT);
        assert_non_null(strstr(err.text, "expanded_bytes"));
        assert_true(total <= 1000000);
    }
    /* Exactly as much as allowed is allowed. */
    world->limits.expanded_bytes = world->len;
    assert_true(make(world, "zstd -q -1 -c content"));
    struct error err;
    assert_int_equal(read_packed(world, ANY_FORMAT, &err), world->len);
    world->limits = limits_default;
}

static void a_window_beyond_the_limit(void **state)
{
    struct world *world = small_world(state);
    static const char *const commands[] = {
        "zstd -q -1 --long=27 -c <content", "xz --lzma2=preset=0,dict=128MiB -c content"};
    world->limits.zstd_window_log = 25;
    for (size_t i = 0; i < array_length(commands); i++) {
        struct error err;
        assert_true(make(world, commands[i]));
        assert_int_equal(read_packed(world, ANY_FORMAT, &err), -1);
        assert_code(err, ERROR_LIMIT);
        assert_non_null(strstr(err.text, "zstd_window_log"));
    }
    world->limits.zstd_window_log = 0; /* the smallest there is, not a crash */
    struct error err;
    assert_true(make(world, "zstd -q -1 -c <content"));
    assert_int_equal(read_packed(world, ANY_FORMAT, &err), -1);
    assert_code(err, ERROR_LIMIT);
    world->limits = limits_default;
}

static void frames_are_counted(void **state)
{
    const struct world *world = small_world(state);
    static const char *const frames[] = {
        ": | zstd -q -c", ": | gzip -c", ": | xz -c", "printf 'P*M\\030\\000\\000\\000\\000'"};
    for (size_t i = 0; i < array_length(frames); i++) {
        /* 2^14 of them, by doubling. */
        auto_free char *command =
            memory_printf("%s > one; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 "
                          "14; do cat one one > two; mv two one; done; cat one",
                frames[i]);
        struct error err;
        assert_true(make(world, command));
        assert_int_equal(read_packed(world, ANY_FORMAT, &err), -1);
        assert_code(err, ERROR_LIMIT);
        assert_non_null(strstr(err.text, "frames"));
    }
}

static void a_window_of_a_file(void **state)
{
    const struct world *world = small_world(state);
    assert_true(make(world, "{ printf 'before'; zstd -q -1 -c content; printf 'behind'; }"));
    auto_close int fd = open_packed(world);
    struct error err = {0};
    auto_decompress struct decompress *decompress = decompress_new_fd(
        fd, 6, packed_size(world) - 12, DECOMPRESS_ZSTD, &world->limits, "packed", NULL, &err);
    assert_int_equal(read_all(world, decompress, 65536, &err), world->len);
}

/* A source that gives a byte at a time, then fails or ends. */
struct drip {
    int fd;
    uint64_t left;
    bool is_failing;
};

/* How long the content says it is, without being read; a lie is nobody's but its maker's. */
static void what_a_stream_says_of_its_length(void **state)
{
    struct world *world = small_world(state);
    static const struct {
        const char *command;
        bool is_said;
    } rows[] = {
        {"zstd -q -c content", true},
        {"zstd -q -c <content", false},
        {"xz -c content", true},
        {"xz --block-size=1000 -c <content", true},
        {"gzip -c content", false},
        {"cat content", false},
        {"printf '\\050\\265\\057\\375'", false},
        {"printf '\\3757zXZ\\000'", false},
        {"xz -c content | head -c -3", false},
        {":", false},
    };
    for (size_t i = 0; i < array_length(rows); i++) {
        assert_true(make(world, rows[i].command));
        auto_close int fd = open_packed(world);
        assert_int_equal(decompress_declared(fd, 0, UINT64_MAX), rows[i].is_said ? world->len : 0);
        assert_int_equal(decompress_declared(fd, packed_size(world) + 1, 10), 0);
    }
    assert_true(make(world, "{ printf 'before'; xz -c content; printf 'behind'; }"));
    auto_close int fd = open_packed(world);
    assert_int_equal(decompress_declared(fd, 6, packed_size(world) - 12), world->len);
    assert_int_equal(decompress_declared(fd, 6, UINT64_MAX), 0);
}

static ssize_t drip_read(void *context, void *buffer, size_t len, struct error *err)
{
    struct drip *drip = context;
    assert_true(len > 0);
    if (drip->left == 0 && drip->is_failing) {
        error_set(err, ERROR_IO, "the source failed");
        return -1;
    }
    ssize_t got = drip->left > 0 ? read(drip->fd, buffer, 1) : 0;
    drip->left -= (uint64_t)got;
    return got;
}

static void a_source_that_drips(void **state)
{
    const struct world *world = small_world(state);
    for (size_t i = 0; i < array_length(makers); i++) {
        if (!make(world, makers[i].command)) {
            continue;
        }
        for (int is_failing = 0; is_failing <= 1; is_failing++) {
            auto_close int fd = open_packed(world);
            struct drip drip = {fd, packed_size(world) - (uint64_t)is_failing, is_failing};
            struct error err = {0};
            auto_decompress struct decompress *decompress =
                decompress_new(drip_read, &drip, ANY_FORMAT, &world->limits, "drip", &err);
            assert_non_null(decompress);
            ssize_t got = read_all(world, decompress, 30000, &err);
            assert_int_equal(got, is_failing ? -1 : (ssize_t)world->len);
            assert_int_equal(err.code, is_failing ? ERROR_IO : ERROR_NONE);
        }
    }
}

static void a_cancel_is_seen_by_the_next_read(void **state)
{
    const struct world *world = small_world(state);
    assert_true(make(world, "zstd -q -1 -c content"));
    auto_close int fd = open_packed(world);
    struct cancel *cancel = cancel_new();
    struct error err = {0};
    auto_decompress struct decompress *decompress = decompress_new_fd(
        fd, 0, UINT64_MAX, DECOMPRESS_ZSTD, &world->limits, "packed", cancel, &err);
    char byte;
    assert_int_equal(decompress_read(decompress, &byte, 1, &err), 1);
    cancel_request(cancel);
    assert_int_equal(decompress_read(decompress, &byte, 1, &err), -1);
    assert_code(err, ERROR_CANCELLED);
    cancel_free(cancel);
}

/* Blocks by hand: what the decoder must take, and what it must refuse without touching a byte
 * outside of its buffers (the sanitizers watch). */
static void lz4_blocks(void **state)
{
    (void)state;
    static const struct {
        const char *block;
        size_t len;
        const char *text; /* NULL: refused */
    } cases[] = {
        {"\x00", 1, ""},
        {"\x30"
         "abc",
            4, "abc"},
        {"\x11"
         "a\x01\x00\x10"
         "b",
            6, "aaaaaab"},
        {"\xf0\x00"
         "123456789012345",
            17, "123456789012345"},
        {"", 0, NULL}, /* no token */
        {"\x30"
         "ab",
            3, NULL},      /* literals beyond the end */
        {"\xf0", 1, NULL}, /* length goes on beyond the end */
        {"\xf0\xff\xff\xff", 4, NULL},
        {"\x11"
         "a\x00\x00\x10"
         "b",
            6, NULL}, /* distance 0 */
        {"\x11"
         "a\x02\x00\x10"
         "b",
            6, NULL}, /* before the beginning */
        {"\x11"
         "a\x01",
            3, NULL}, /* half a distance */
        {"\x11"
         "a\x01\x00",
            4, NULL}, /* ends with a match */
        {"\x1f"
         "a\x01\x00\xff\xff\xff\x00\x10"
         "b",
            10, NULL}, /* more than fits */
    };
    for (size_t i = 0; i < array_length(cases); i++) {
        /* Of their exact size, on the heap. */
        auto_free uint8_t *in = memory_dup(cases[i].block, cases[i].len);
        auto_free uint8_t *out = memory_alloc(100);
        size_t len = 12345;
        bool is_taken = lz4_legacy_decode(in, cases[i].len, out, 100, &len);
        assert_int_equal(is_taken, cases[i].text != NULL);
        if (is_taken) {
            assert_int_equal(len, strlen(cases[i].text));
            assert_memory_equal(out, cases[i].text, len);
        } else {
            assert_int_equal(len, 12345);
        }
    }
}

/* Text that repeats, then noise, so that every kind of block occurs. */
/* ---- in a thread of its own ---- */

/* Said of a file, so that it is worth a thread. */
#define LARGE_BYTES ((uint64_t)1 << 30)

static struct decompress_ahead *open_ahead(const struct world *world, int fd, uint64_t packed_bytes)
{
    struct error err = {0};
    struct decompress *decompress =
        decompress_new_fd(fd, 0, UINT64_MAX, DECOMPRESS_GZIP, &world->limits, "packed", NULL, &err);
    assert_non_null(decompress);
    return decompress_ahead_new(decompress, packed_bytes);
}

/* Reads on as long as it goes well; what came must be the content's beginning. */
static ssize_t read_ahead(
    const struct world *world, struct decompress_ahead *ahead, size_t *total, struct error *err)
{
    const uint8_t *bytes = NULL;
    ssize_t got;
    *total = 0;
    while ((got = decompress_ahead_next(ahead, &bytes, err)) > 0) {
        assert_true(*total + (size_t)got <= world->len);
        assert_memory_equal(bytes, world->content + *total, (size_t)got);
        *total += (size_t)got;
        assert_int_equal(decompress_ahead_out(ahead), *total);
    }
    return got;
}

static void a_thread_reads_ahead(void **state)
{
    struct world *world = big_world(state);
    struct error err = {0};
    assert_true(make(world, "gzip -1 -c content"));
    auto_close int fd = open_packed(world);
    uint64_t packed = packed_size(world);
    const uint64_t said[] = {LARGE_BYTES, 1}; /* for a small file there is no thread */
    for (size_t i = 0; i < array_length(said); i++) {
        size_t total = 0;
        struct decompress_ahead *ahead = open_ahead(world, fd, said[i]);
        assert_int_equal(decompress_ahead_in(ahead), 0);
        assert_int_equal(read_ahead(world, ahead, &total, &err), 0);
        assert_int_equal(total, world->len);
        assert_int_equal(decompress_ahead_in(ahead), packed);
        assert_int_equal(read_ahead(world, ahead, &total, &err), 0); /* it stays over */
        decompress_ahead_free(ahead);
    }
}

static void a_failure_comes_behind_what_was_good(void **state)
{
    struct world *world = big_world(state);
    assert_true(
        make(world, "gzip -1 content -c >whole && head -c $(($(wc -c <whole) * 3 / 4)) whole"));
    auto_close int fd = open_packed(world);
    const uint64_t said[] = {LARGE_BYTES, 1};
    for (size_t i = 0; i < array_length(said); i++) {
        size_t total = 0;
        struct error err = {0};
        struct decompress_ahead *ahead = open_ahead(world, fd, said[i]);
        assert_int_equal(read_ahead(world, ahead, &total, &err), -1);
        assert_true(total > world->len / 2 && total < world->len);
        assert_int_equal(err.code, ERROR_FORMAT);
        error_clear(&err);
        assert_int_equal(read_ahead(world, ahead, &total, &err), -1);
        assert_int_equal(err.code, ERROR_FORMAT);
        decompress_ahead_free(ahead);
    }
}

static void an_owner_may_leave_early(void **state)
{
    struct world *world = big_world(state);
    struct error err = {0};
    assert_true(make(world, "gzip -1 -c content"));
    auto_close int fd = open_packed(world);
    for (int blocks = 0; blocks < 6; blocks++) {
        struct decompress_ahead *ahead = open_ahead(world, fd, LARGE_BYTES);
        const uint8_t *bytes = NULL;
        for (int i = 0; i < blocks; i++) {
            assert_true(decompress_ahead_next(ahead, &bytes, &err) > 0);
        }
        decompress_ahead_free(ahead);
    }
    decompress_ahead_free(NULL);
}

/* ---- gzip by ISA-L ---- */

#ifdef HAVE_ISAL

/* What became of a stream that comes and goes in pieces. */
struct inflated {
    bool is_whole;
    size_t taken, made;
    uint8_t *bytes;
};

static void inflate_in_pieces(
    const struct codec *codec, const struct text *packed, size_t room, struct inflated *inflated)
{
    void *state = codec->begin(NULL, 27);
    const char *why = NULL;
    for (;;) {
        size_t here = 1 + (size_t)rand() % 3000;
        size_t left = packed->len - inflated->taken;
        struct codec_io io = {.in = (const uint8_t *)packed->data + inflated->taken,
            .in_len = here < left ? here : left,
            .out = inflated->bytes + inflated->made,
            .out_room = room - inflated->made};
        io.is_in_last = io.in_len == left;
        enum codec_step step = codec->step(state, &io, &why);
        inflated->taken += io.taken;
        inflated->made += io.made;
        bool is_stuck = io.taken == 0 && io.made == 0 && io.is_in_last;
        if (step != CODEC_ON || is_stuck) {
            inflated->is_whole = step == CODEC_FRAME_END;
            break;
        }
    }
    codec->end(state);
}

/* Broken anywhere, most of all in what is before and behind the data. */
static void spoil(struct text *packed)
{
    for (int i = rand() % 4; i > 0; i--) {
        size_t at = (size_t)rand() % packed->len;
        at = i == 1 ? at % 16 : i == 2 ? packed->len - 1 - at % 10 : at;
        packed->data[at] = (char)(packed->data[at] ^ 1 << rand() % 8);
    }
    packed->len -= rand() % 8 == 0 ? (size_t)rand() % packed->len : 0;
}

/* The library that is quick takes what the usual one takes, gives the same bytes for it, ends at the
 * same place, and refuses what that one refuses. */
static void gzip_is_the_same_in_both_ways(void **state)
{
    struct world *world = small_world(state);
    unsigned seed = (unsigned)time(NULL);
    size_t whole = 0;
    struct error err = {0};
    assert_true(make(world, "gzip -6 -c content"));
    auto_close int fd = open_packed(world);
    auto_done(text) struct text packed = {0};
    assert_true(file_read_fd(fd, "packed", SIZE_MAX, &packed, &err));
    printf("seed %u\n", seed);
    srand(seed);
    size_t room = world->len + 1000;
    auto_free uint8_t *one = memory_alloc(room);
    auto_free uint8_t *other = memory_alloc(room);
    for (int i = 0; i < 1000; i++) {
        auto_done(text) struct text spoilt = {0};
        text_append_bytes(&spoilt, packed.data, packed.len);
        spoil(&spoilt);
        struct inflated usual = {.bytes = one};
        struct inflated quick = {.bytes = other};
        inflate_in_pieces(&codec_gzip, &spoilt, room, &usual);
        inflate_in_pieces(&codec_gzip_isal, &spoilt, room, &quick);
        assert_int_equal(usual.is_whole, quick.is_whole);
        if (usual.is_whole) {
            whole++;
            assert_int_equal(usual.made, quick.made);
            assert_int_equal(usual.taken, quick.taken);
            assert_memory_equal(one, other, usual.made);
        }
    }
    assert_in_range(whole, 100, 900);
}

#endif

static void make_content(struct world *world, size_t len)
{
    world->limits = limits_default;
    world->directory = scratch_make();
    world->len = len;
    world->content = memory_alloc(len);
    uint32_t random = 7;
    for (size_t i = 0; i < len; i++) {
        random = random * 1664525U + 1013904223U;
        bool is_noise = i % 40000 > 37000;
        world->content[i] = is_noise ? (char)(random >> 24) : (char)("kernel image"[i / 7 % 12]);
    }
    auto_free char *path = memory_printf("%s/content", world->directory);
    struct error err = {0};
    assert_true(file_replace(AT_FDCWD, path, world->content, len, 0600, &err));
}

static int make_worlds(void **state)
{
    struct world *worlds = memory_zero(2, sizeof *worlds);
    make_content(&worlds[0], BIG_LEN);
    make_content(&worlds[1], SMALL_LEN);
    *state = worlds;
    return 0;
}

static int remove_worlds(void **state)
{
    struct world *worlds = *state;
    for (size_t i = 0; i < 2; i++) {
        scratch_remove(worlds[i].directory);
        free(worlds[i].content);
    }
    free(worlds);
    return 0;
}

int main(void)
{
    if (system("exec >/dev/null 2>&1; zstd --version && gzip --version && xz --version") != 0) {
        fprintf(stderr, "skipped: zstd, gzip or xz is missing\n");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_gives_its_content),
        cmocka_unit_test(a_format_must_be_asked_for),
        cmocka_unit_test(an_empty_stream),
        cmocka_unit_test(a_stream_that_ends_early),
        cmocka_unit_test(bytes_behind_the_end),
        cmocka_unit_test(another_format_behind_the_end),
        cmocka_unit_test(a_flipped_bit_is_found),
        cmocka_unit_test(a_bomb_stops_at_the_cap),
        cmocka_unit_test(a_window_beyond_the_limit),
        cmocka_unit_test(frames_are_counted),
        cmocka_unit_test(a_window_of_a_file),
        cmocka_unit_test(what_a_stream_says_of_its_length),
        cmocka_unit_test(a_source_that_drips),
        cmocka_unit_test(a_cancel_is_seen_by_the_next_read),
        cmocka_unit_test(lz4_blocks),
        cmocka_unit_test(a_thread_reads_ahead),
        cmocka_unit_test(a_failure_comes_behind_what_was_good),
        cmocka_unit_test(an_owner_may_leave_early),
#ifdef HAVE_ISAL
        cmocka_unit_test(gzip_is_the_same_in_both_ways),
#endif
    };
    return cmocka_run_group_tests(tests, make_worlds, remove_worlds);
}
