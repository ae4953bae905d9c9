/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Keys and sizes nobody would press in that order, in worlds that never move, by a seed that is
 * printed: MONKEY_SEED repeats a run, MONKEY_ROUNDS makes it longer. After each few keys the screen
 * is what a repaint of everything shows, and nothing but the console's own bytes was written.
 * Afterwards it still answers, ends when told to, and the terminal is as it was. */

#include "tui/at_rest.h"
#include "tui/monkey.h"

#include <signal.h>
#include <sys/wait.h>

#define ROUNDS 150
#define MESSAGE_LINES 4

static bool is_blank(struct pty_vterm *pty, int row, int column)
{
    const char *text = pty_cell_at(pty, row, column).text;
    return text[0] == '\0' || strcmp(text, " ") == 0;
}

/* A sentence at the bottom, which any key takes away. */
static bool has_message(struct pty_vterm *pty, int rows)
{
    for (int row = rows > MESSAGE_LINES ? rows - MESSAGE_LINES : 0; row < rows; row++) {
        const char *mark = pty_cell_at(pty, row, 1).text;
        bool is_mark = mark[0] != '\0' && strstr("▸✗>x", mark) != NULL;
        if (is_mark && is_blank(pty, row, 0)) {
            return true;
        }
    }
    return false;
}

/* Of a blank no more can be seen than what is behind it; the second half of a wide character is
 * shown as the first. */
static char looks_of(struct pty_cell cell)
{
    bool is_blank = cell.text[0] == '\0' || strcmp(cell.text, " ") == 0;
    int looks = (cell.is_reverse ? 1 : 0) | (cell.background >= 0 ? 2 : 0);
    looks |= is_blank ? 0 : (cell.is_bold ? 4 : 0) | (cell.foreground >= 0 ? 8 : 0);
    return cell.is_second_half ? '-' : (char)('0' + looks);
}

/* Each line, and behind it how its cells are shown. */
static void take_picture(struct monkey *monkey, struct text *picture)
{
    text_clear(picture);
    const char *line = pty_screen(monkey->pty);
    for (int row = 0; row < monkey->rows; row++) {
        const char *end = strchrnul(line, '\n');
        text_append_bytes(picture, line, (size_t)(end - line));
        text_append_char(picture, '\t');
        for (int column = 0; column < monkey->columns; column++) {
            text_append_char(picture, looks_of(pty_cell_at(monkey->pty, row, column)));
        }
        text_append_char(picture, '\n');
        line = end + (*end == '\n');
    }
}

/* The first lines of it, all but the last ones. */
static size_t length_without(const struct text *picture, int lines)
{
    size_t len = picture->len;
    for (; lines > 0 && len > 1; lines--) {
        const char *last = memrchr(picture->data, '\n', len - 1);
        len = last != NULL ? (size_t)(last - picture->data) + 1 : 0;
    }
    return len;
}

static void assert_as_repainted(struct monkey *monkey, struct at_rest *rest)
{
    auto_done(text) struct text before = {0};
    auto_done(text) struct text after = {0};
    at_rest_wait(rest, monkey->pty);
    take_picture(monkey, &before);
    int passing = has_message(monkey->pty, monkey->rows) ? MESSAGE_LINES : 0;
    monkey_send(monkey, "\x0c");
    at_rest_wait(rest, monkey->pty);
    take_picture(monkey, &after);
    size_t len = length_without(&before, passing);
    if (len != length_without(&after, passing) || memcmp(before.data, after.data, len) != 0) {
        monkey_tell(monkey);
        fprintf(stderr, "%s\n%s", text_cstr(&before), text_cstr(&after));
        fail_msg("a repaint shows something else");
    }
}

/* In ASCII curses repeats a character by the terminal's own sequence where there is one, and
 * libvterm 0.3 wraps too early behind a repetition that ends one before the last column. */
static const char *term_of(const char *locale)
{
    return strcmp(locale, "C") == 0 ? "TERM=screen-256color" : "TERM=xterm-256color";
}

static void open_world(
    struct monkey *monkey, const struct at_rest *rest, const char *world, const char *locale)
{
    auto_free char *program = memory_printf("%s/tests/tui/fake_console", getenv("BUILDDIR"));
    auto_free char *lc = memory_printf("LC_ALL=%s", locale);
    auto_free char *seed = memory_printf("--seed=%u", (unsigned)monkey->seed);
    /* The worlds of the stand-in free nothing of what they made up. */
    auto_free char *asan = memory_printf("ASAN_OPTIONS=%s:detect_leaks=0",
        getenv("ASAN_OPTIONS") != NULL ? getenv("ASAN_OPTIONS") : "");
    const char *const argv[] = {program, world, seed, rest->option, NULL};
    const char *const env[] = {lc, term_of(locale), "HOME=/nonexistent", asan, NULL};
    monkey->pty = pty_start(argv, env, 24, 80, false);
    pty_wait_text(monkey->pty, "Help");
}

static void leave(struct monkey *monkey)
{
    monkey_resize(monkey, 24, 80);
    pty_press_until(monkey->pty, "\x03", "Press q to quit");
    kill(pty_pid(monkey->pty), SIGTERM);
    int status = pty_wait_exit(monkey->pty);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 128 + SIGTERM);
    own_bytes_check(&monkey->own, monkey->pty, "at the end");
    monkey_assert_given_back(monkey);
    pty_stop(monkey->pty);
}

static void run(const char *world, const char *locale, uint32_t seed, int rounds)
{
    struct monkey monkey = {.seed = seed, .rows = 24, .columns = 80};
    monkey.own.is_shifting_in = strcmp(locale, "C") == 0;
    printf("world %s, seed %u\n", world, (unsigned)seed);
    fflush(stdout);
    struct at_rest rest;
    at_rest_open(&rest);
    open_world(&monkey, &rest, world, locale);
    for (int round = 0; round < rounds; round++) {
        monkey_press(&monkey, false);
        if (monkey_draw(&monkey, 16) == 0) {
            monkey_resize_somehow(&monkey);
        }
        if (monkey_draw(&monkey, 6) == 0) {
            assert_as_repainted(&monkey, &rest);
            own_bytes_check(&monkey.own, monkey.pty, world);
        }
    }
    leave(&monkey);
    at_rest_close(&rest);
}

static void test_nothing_stale(void **state)
{
    (void)state;
    const char *longer = getenv("MONKEY_ROUNDS");
    int rounds = longer != NULL ? (int)strtol(longer, NULL, 10) : ROUNDS;
    uint32_t seed = seed_first("MONKEY_SEED");
    run("busy", "C.UTF-8", seed, rounds);
    run("empty", "C.UTF-8", seed, rounds / 2);
    run("evil", "C.UTF-8", seed, rounds);
    run("busy", "C", seed, rounds / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_stale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
