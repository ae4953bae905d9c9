/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Keys and sizes nobody would press in that order, by a seed that is printed (MONKEY_SEED repeats a
 * run, MONKEY_ROUNDS and MONKEY_SECONDS make it longer). Afterwards the console still answers, quits
 * when told to, and gives the terminal back. */

#include "tui/catalog_world.h"

#include "base/clock.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>

#define ROUNDS 400

static uint32_t next(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* Not ^Z, which is a shell's business; not q and l, which leave; not w, which writes files. */
static void press(struct pty_vterm *pty, uint32_t *seed)
{
    static const char *const keys[] = {"\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1bOA", "\x1b",
        "\r", "\t", " ", "\x1b[Z", "\x1b[5~", "\x1b[6~", "/", ":", "?", "\x7f", "\x0c", "\x15",
        "\xc3\xa9", "\xe6\xbc\xa2", "\xff", "\x1b[999;999R", "\x1b[M !!", "\x01", "\x17", "n", "s"};
    if (next(seed) % 2 == 0) {
        pty_send(pty, keys[next(seed) % array_length(keys)]);
        return;
    }
    char letter[2] = {(char)(' ' + next(seed) % 95), '\0'};
    if (letter[0] != 'q' && letter[0] != 'w' && letter[0] != 'l') {
        pty_send(pty, letter);
    }
}

static void run(const char *world, const char *locale, uint32_t seed, int rounds)
{
    auto_free char *program = memory_printf("%s/tests/tui/fake_console", getenv("BUILDDIR"));
    auto_free char *lc = memory_printf("LC_ALL=%s", locale);
    const char *const argv[] = {program, world, NULL};
    const char *const env[] = {lc, "TERM=xterm-256color", "HOME=/nonexistent", NULL};
    struct pty_vterm *pty = pty_start(argv, env, 24, 80, false);
    printf("world %s, seed %u\n", world, (unsigned)seed);
    pty_wait_text(pty, "Help");
    for (int round = 0; round < rounds; round++) {
        press(pty, &seed);
        if (next(&seed) % 16 == 0) {
            pty_resize(pty, 1 + (int)(next(&seed) % 60), 1 + (int)(next(&seed) % 220));
        }
        if (next(&seed) % 8 == 0) {
            pty_wait_quiet(pty, 5);
        }
    }
    pty_resize(pty, 24, 80);
    pty_press_until(pty, "\x03", "Press q to quit");
    pty_send(pty, "q");
    if (strcmp(world, "empty") != 0) {
        pty_wait_text(pty, "Under way");
        pty_press_until(pty, "\x1b", "Help");
        kill(pty_pid(pty), SIGTERM);
    }
    int status = pty_wait_exit(pty);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 128 + SIGTERM);
    assert_true((pty_termios(pty).c_lflag & ICANON) != 0);
    pty_stop(pty);
}

static void test_monkey(void **state)
{
    (void)state;
    const char *told = getenv("MONKEY_SEED");
    const char *longer = getenv("MONKEY_ROUNDS");
    uint32_t seed = told != NULL ? (uint32_t)strtoul(told, NULL, 10) : (uint32_t)time(NULL);
    int rounds = longer != NULL ? (int)strtol(longer, NULL, 10) : ROUNDS;
    run("busy", "C.UTF-8", seed | 1, rounds);
    run("empty", "C.UTF-8", (seed + 1) | 1, rounds);
    run("busy", "C", (seed + 2) | 1, rounds);
}

#if defined(__SANITIZE_ADDRESS__)
#define REAL_MS 30000
#else
#define REAL_MS 6000
#endif

/* What happens around it meanwhile: another seat that changes things, files that are spoiled, a
 * server that goes away and comes back as another. */
static void disturb(struct console_world *world, const char *catalog, uint32_t *seed)
{
    static const char *const words[] = {"kernel pull fine --if-absent", "kernel rm fine --force",
        "host trash empty", "catalog refresh", "kernel verify"};
    switch (next(seed) % 8) {
    case 0:
        scratch_write(world->dir, "state/ui.json", "{\"format\":1,\"values\":{\"history\":\"{}\"");
        return;
    case 1:
        scratch_write(world->dir, "catalog.json", "{\"version\":1,\"kernels\":[{\"name\":7}]}");
        return;
    case 2:
        scratch_write(world->dir, "state/kernels/half/manifest.json", "{\"name\":\"\\u001b[2J\"");
        return;
    case 3:
        scratch_write(world->dir, "catalog.json", catalog);
        return;
    default:
        world_batch(world, words[next(seed) % array_length(words)]);
        return;
    }
}

/* The real program, with jobs that go well, badly or nowhere. */
static void test_monkey_at_work(void **state)
{
    struct console_world *world = *state;
    const char *told = getenv("MONKEY_SEED");
    const char *longer = getenv("MONKEY_SECONDS");
    uint32_t seed = (told != NULL ? (uint32_t)strtoul(told, NULL, 10) : (uint32_t)time(NULL)) | 1;
    uint64_t until =
        clock_deadline(longer != NULL ? (uint64_t)strtoul(longer, NULL, 10) * 1000 : REAL_MS);
    assert_int_equal(chdir(world->dir), 0); /* what it may save and export goes there */
    auto_free char *catalog = scratch_read(world->dir, "catalog.json");
    printf("at work, seed %u\n", (unsigned)seed);
    world_open(world);
    pty_wait_text(world->pty, "▸fine");
    for (unsigned round = 0; clock_left_ms(until) > 0; round++) {
        press(world->pty, &seed);
        if (next(&seed) % 24 == 0) {
            pty_resize(world->pty, 1 + (int)(next(&seed) % 60), 1 + (int)(next(&seed) % 220));
        }
        if (next(&seed) % 8 == 0) {
            pty_wait_quiet(world->pty, 5);
        }
        if (next(&seed) % 64 == 0) {
            disturb(world, catalog, &seed);
        }
    }
    pty_resize(world->pty, 24, 80);
    pty_press_until(world->pty, "\x03", "Press q to quit");
    kill(pty_pid(world->pty), SIGTERM);
    int status = pty_wait_exit(world->pty);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 128 + SIGTERM);
    assert_true((pty_termios(world->pty).c_lflag & ICANON) != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_monkey),
        cmocka_unit_test_setup_teardown(test_monkey_at_work, catalog_set_up, catalog_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
