/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/scratch.h"
#include "vm/console.h"
#include "vm/serial_log.h"

#include <signal.h>
#include <sys/resource.h>

#define MAX (256u << 10) /* two segments of 128 KiB */
#define EPOCH_MS 1780000000000

struct place {
    char *path;
    int dir;
    struct serial_log log;
};

static void place_make(struct place *place)
{
    struct error err = {0};
    place->path = scratch_make();
    place->dir = file_open_dir(AT_FDCWD, place->path, &err);
    assert_true(serial_log_open(&place->log, place->dir, MAX, &err));
    assert_fine(err);
}

static void place_remove(struct place *place)
{
    serial_log_done(&place->log);
    close(place->dir);
    scratch_remove(place->path);
}

/* Lines "line 00000000\n" of 14 bytes, one a millisecond. */
static void append_lines(struct place *place, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        char line[32];
        snprintf(line, sizeof line, "line %08u\n", i);
        serial_log_append(&place->log, line, strlen(line), EPOCH_MS + i);
    }
}

/* What console_log_write gives, caller frees. */
static char *written(const struct place *place, const struct console_log_options *options)
{
    struct error err = {0};
    auto_free char *name = memory_printf("%s/out", place->path);
    auto_close int out = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(console_log_write(place->dir, options, out, NULL, &err));
    assert_fine(err);
    return scratch_read(place->path, "out");
}

static void test_tail_since_and_times(void **state)
{
    (void)state;
    struct place place;
    place_make(&place);
    append_lines(&place, 0, 1000);
    serial_log_append(&place.log, "no end", 6, EPOCH_MS + 5000);
    struct console_log_options all = {.tail_lines = -1};
    auto_free char *everything = written(&place, &all);
    assert_int_equal(strlen(everything), 1000 * 14 + 6);
    struct console_log_options tail = {.tail_lines = 2};
    auto_free char *two = written(&place, &tail);
    assert_string_equal(two, "line 00000999\nno end");
    tail.tail_lines = 0;
    auto_free char *none = written(&place, &tail);
    assert_string_equal(none, "");
    tail.tail_lines = 5000;
    auto_free char *more = written(&place, &tail);
    assert_string_equal(more, everything);
    struct console_log_options since = {.tail_lines = -1, .since_ms = EPOCH_MS + 990};
    auto_free char *late = written(&place, &since);
    assert_memory_equal(late, "line 00000990\n", 14);
    since.since_ms = EPOCH_MS + 9000;
    auto_free char *never = written(&place, &since);
    assert_string_equal(never, "");
    struct console_log_options times = {.tail_lines = 2, .has_timestamps = true};
    auto_free char *stamped = written(&place, &times);
    /* Exact to the index's step. */
    assert_string_equal(
        stamped, "2026-05-28T20:26:40.990Z line 00000999\n2026-05-28T20:26:45.000Z no end");
    place_remove(&place);
}

static void test_segments_bound_the_log(void **state)
{
    (void)state;
    struct place place;
    place_make(&place);
    append_lines(&place, 0, 40000); /* 560,000 bytes */
    struct console_log_options all = {.tail_lines = -1};
    auto_free char *kept = written(&place, &all);
    size_t len = strlen(kept);
    assert_true(len <= MAX && len > MAX / 2);
    assert_string_equal(kept + len - 14, "line 00039999\n");
    /* Nothing is missing between the segments. */
    unsigned first = (unsigned)strtoul(strstr(kept, "line ") + 5, NULL, 10);
    assert_int_equal(len / 14, 40000 - first);
    /* A tail and a time across the seam. */
    struct console_log_options tail = {.tail_lines = 10000};
    auto_free char *lines = written(&place, &tail);
    assert_memory_equal(lines, "line 00030000\n", 14);
    struct console_log_options since = {.tail_lines = -1, .since_ms = EPOCH_MS + 30000};
    auto_free char *late = written(&place, &since);
    unsigned begin = (unsigned)strtoul(late + 5, NULL, 10);
    assert_in_range(begin, 30001 - SERIAL_INDEX_STEP_MS, 30000);
    place_remove(&place);
}

static void test_watcher_sees_every_byte(void **state)
{
    (void)state;
    struct place place;
    place_make(&place);
    append_lines(&place, 0, 5000);
    uint64_t offset = 0;
    unsigned seen = 0;
    char piece[28];
    /* Reads while it is written, from the file and from memory. */
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 120; i++) {
            size_t got = serial_log_read(&place.log, &offset, piece, sizeof piece);
            assert_int_equal(got, sizeof piece);
            assert_int_equal(strtoul(piece + 5, NULL, 10), seen);
            seen += 2;
        }
        append_lines(&place, 5000 + round * 10, 5010 + round * 10);
    }
    /* One that was away too long goes on with the oldest byte there is. */
    append_lines(&place, 5200, 60000);
    offset = 0;
    size_t got = serial_log_read(&place.log, &offset, piece, sizeof piece);
    assert_true(got > 0);
    assert_true(offset > 500000);
    place_remove(&place);
}

static void test_goes_on_after_reopening(void **state)
{
    (void)state;
    struct place place;
    struct error err = {0};
    place_make(&place);
    append_lines(&place, 0, 20000);
    uint64_t end = place.log.end;
    serial_log_done(&place.log);
    /* A record that a crash cut off. */
    auto_free char *name = memory_printf("%s/" SERIAL_INDEX_FILE, place.path);
    struct stat info;
    assert_int_equal(stat(name, &info), 0);
    assert_int_equal(truncate(name, info.st_size - 5), 0);
    assert_true(serial_log_open(&place.log, place.dir, MAX, &err));
    assert_int_equal(place.log.end, end);
    append_lines(&place, 20000, 20010);
    struct console_log_options since = {.tail_lines = -1, .since_ms = EPOCH_MS + 20000};
    auto_free char *late = written(&place, &since);
    assert_memory_equal(late, "line 00020000\n", 14);
    /* A watcher that asks for what only the files hold. */
    uint64_t offset = end - 14;
    char line[14];
    assert_int_equal(serial_log_read(&place.log, &offset, line, 14), 14);
    assert_memory_equal(line, "line 00019999\n", 14);
    place_remove(&place);
}

static void test_lost_index_is_made_up_for(void **state)
{
    (void)state;
    struct place place;
    struct error err = {0};
    place_make(&place);
    append_lines(&place, 0, 100);
    serial_log_done(&place.log);
    scratch_write(place.path, SERIAL_INDEX_FILE, "rubbish");
    assert_true(serial_log_open(&place.log, place.dir, MAX, &err));
    append_lines(&place, 100, 101);
    struct console_log_options all = {.tail_lines = -1};
    auto_free char *kept = written(&place, &all);
    assert_int_equal(strlen(kept), 101 * 14);
    place_remove(&place);
}

/* A full disk: the guest goes on, watchers still see it, and later bytes keep their places. */
static void test_full_disk(void **state)
{
    (void)state;
    struct place place;
    place_make(&place);
    append_lines(&place, 0, 1000);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction before;
    sigaction(SIGXFSZ, &ignore, &before);
    struct rlimit old;
    getrlimit(RLIMIT_FSIZE, &old);
    struct rlimit tight = {.rlim_cur = 14000, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    uint64_t offset = place.log.end;
    append_lines(&place, 1000, 1010);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    sigaction(SIGXFSZ, &before, NULL);
    assert_int_equal(place.log.lost_bytes, 140);
    char lines[140];
    assert_int_equal(serial_log_read(&place.log, &offset, lines, sizeof lines), 140);
    assert_memory_equal(lines + 126, "line 00001009\n", 14);
    append_lines(&place, 1010, 1011);
    struct serial_view view;
    struct error err = {0};
    assert_true(serial_view_open(&view, place.dir, &err));
    uint64_t at = place.log.end - 14;
    assert_int_equal(serial_view_read(&view, &at, lines, 14), 14);
    assert_memory_equal(lines, "line 00001010\n", 14);
    serial_view_done(&view);
    place_remove(&place);
}

static void test_never_started(void **state)
{
    (void)state;
    struct error err = {0};
    char *path = scratch_make();
    auto_close int dir = file_open_dir(AT_FDCWD, path, &err);
    struct console_log_options all = {.tail_lines = -1};
    assert_false(console_log_write(dir, &all, -1, NULL, &err));
    assert_code(err, ERROR_NOT_FOUND);
    scratch_remove(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tail_since_and_times),
        cmocka_unit_test(test_segments_bound_the_log),
        cmocka_unit_test(test_watcher_sees_every_byte),
        cmocka_unit_test(test_goes_on_after_reopening),
        cmocka_unit_test(test_lost_index_is_made_up_for),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_never_started),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
