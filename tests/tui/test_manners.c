/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Terminal manners of the real program (CONSOLE T36-T42, T45; RELIABILITY 7): what it does to the
 * terminal, when it is left alone, resized, stopped, killed or cut off. */

#include "tui/console_world.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>

#include "base/clock.h"

/* The terminal as it was before the program: cooked, cursor on, ordinary screen, plain letters. */
static void assert_given_back(struct pty_vterm *pty)
{
    struct termios now = pty_termios(pty);
    assert_true((now.c_lflag & (ICANON | ECHO | ISIG)) == (ICANON | ECHO | ISIG));
    assert_true((now.c_iflag & ICRNL) != 0);
    assert_true((now.c_oflag & OPOST) != 0);
    assert_true(pty_cursor_is_visible(pty));
    assert_false(pty_is_alternate(pty));
}

static void assert_taken(struct pty_vterm *pty)
{
    struct termios now = pty_termios(pty);
    assert_int_equal(now.c_lflag & (ICANON | ECHO | ISIG), 0);
    assert_true(pty_is_alternate(pty));
    assert_false(pty_cursor_is_visible(pty));
}

static void test_quit_gives_the_terminal_back(void **state)
{
    struct console_world *world = *state;
    world_open(world);
    pty_wait_text(world->pty, "Start here");
    assert_taken(world->pty);
    pty_send(world->pty, "q");
    int status = pty_wait_exit(world->pty);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_given_back(world->pty);
}

/* However it dies but by SIGKILL, the terminal is as it was. */
static void dies(struct console_world *world, int number, bool is_exit)
{
    world_open(world);
    pty_wait_text(world->pty, "Start here");
    kill(pty_pid(world->pty), number);
    int status = pty_wait_exit(world->pty);
    assert_given_back(world->pty);
    if (is_exit) {
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 128 + number);
    } else if (strcmp(getenv("SANITIZERS"), "no") == 0) {
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), number);
    }
    pty_stop(world->pty);
    world->pty = NULL;
}

static void test_t39_terminated(void **state)
{
    dies(*state, SIGTERM, true);
    dies(*state, SIGINT, true);
    dies(*state, SIGHUP, true);
    dies(*state, SIGQUIT, true);
}

static void test_t39_crash(void **state)
{
    dies(*state, SIGSEGV, false);
    dies(*state, SIGABRT, false);
    dies(*state, SIGBUS, false);
    dies(*state, SIGFPE, false);
}

static uint64_t end_without_terminal(struct console_world *world)
{
    world_open(world);
    pty_wait_text(world->pty, "Start here");
    uint64_t before_ms = clock_monotonic_ms();
    pty_hang_up(world->pty);
    int status = pty_wait_exit(world->pty);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 128 + SIGHUP);
    pty_stop(world->pty);
    world->pty = NULL;
    return clock_monotonic_ms() - before_ms;
}

/* The quickest of several: load may slow each of them down. */
static void test_t39_terminal_lost(void **state)
{
    uint64_t took_ms = UINT64_MAX;
    for (int attempt = 0; attempt < 5 && took_ms >= 2000; attempt++) {
        took_ms = end_without_terminal(*state);
    }
    assert_true(took_ms < 2000);
}

/* ^Z: the shell gets a sane terminal; fg brings the screen back, at the size of now. */
static void stops_and_goes_on(struct console_world *world, bool by_signal)
{
    world_open_as(world, "xterm-256color", "C.UTF-8", NULL, 24, 80, true);
    pty_wait_text(world->pty, "Start here");
    if (by_signal) {
        kill(pty_pid(world->pty), SIGTSTP);
    } else {
        pty_send(world->pty, "\x1a");
    }
    pty_wait_stopped(world->pty);
    assert_given_back(world->pty);
    pty_resize(world->pty, 40, 120);
    pty_continue(world->pty);
    pty_wait_text(world->pty, "This host");
    assert_taken(world->pty);
    pty_send(world->pty, "?");
    pty_wait_text(world->pty, "Keys for Catalog");
    pty_send(world->pty, "q");
    pty_wait_gone(world->pty, "Keys for Catalog");
    world_quit(world);
}

static void test_t38_suspend(void **state)
{
    stops_and_goes_on(*state, false);
    stops_and_goes_on(*state, true);
}

static void test_t36_sizes(void **state)
{
    struct console_world *world = *state;
    static const int sizes[][2] = {{1, 1}, {2, 200}, {9, 39}, {500, 20}, {3, 3}};
    world_open(world);
    pty_wait_text(world->pty, "Start here");
    for (size_t i = 0; i < array_length(sizes); i++) {
        pty_resize(world->pty, sizes[i][0], sizes[i][1]);
        if (sizes[i][1] >= 20) {
            pty_wait_text(world->pty, "needs 40x10");
        }
    }
    pty_resize(world->pty, 12, 44);
    pty_wait_text(world->pty, "1 Catalog");
    assert_false(pty_shows(world->pty, "Start here"));
    pty_resize(world->pty, 200, 500);
    pty_wait_text(world->pty, "This host");
    pty_resize(world->pty, 24, 80);
    pty_wait_text(world->pty, "Start here");
    pty_wait_text(world->pty, "5 Jobs");
    world_quit(world);
}

/* A size that changes under a form, a question and a page leaves nothing of the old one. */
static void test_t37_resize_in_dialogs(void **state)
{
    struct console_world *world = *state;
    world_open(world);
    pty_wait_text(world->pty, "Start here");
    pty_send(world->pty, "i");
    pty_wait_text(world->pty, "Add a kernel");
    pty_resize(world->pty, 40, 120);
    pty_wait_on_line(world->pty, "Enter Carry out", 39);
    assert_true(pty_wrote(world->pty, "\x1b[1;40r")); /* no scroll region of the old size */
    assert_true(pty_line_of(world->pty, "Add a kernel") > 8);
    pty_resize(world->pty, 10, 40);
    pty_wait_on_line(world->pty, "Enter Carry out", 9);
    pty_wait_text(world->pty, "from");
    pty_resize(world->pty, 24, 80);
    pty_wait_on_line(world->pty, "Enter Carry out", 23);
    pty_wait_text(world->pty, "kernel-version");
    const char *shown = pty_screen(world->pty);
    assert_null(strstr(strstr(shown, "Add a kernel") + 1, "Add a kernel"));
    pty_send(world->pty, "\x1b");
    pty_wait_gone(world->pty, "Add a kernel");
    world_quit(world);
}

static void test_t40_plain_locale(void **state)
{
    struct console_world *world = *state;
    static const char *const locales[] = {"C", "POSIX", "C.UTF-8"};
    for (size_t i = 0; i < array_length(locales); i++) {
        bool is_utf8 = strcmp(locales[i], "C.UTF-8") == 0;
        const char *option = is_utf8 ? "--ascii" : NULL;
        world_open_as(world, "xterm-256color", locales[i], option, 24, 80, false);
        pty_wait_text(world->pty, "Start here");
        pty_wait_text(world->pty, "# 1 Catalog");
        pty_wait_text(world->pty, "+ 5 Jobs -----");
        pty_wait_text(world->pty, "q Quit");
        for (const char *c = pty_screen(world->pty); *c != '\0'; c++) {
            assert_true((unsigned char)*c < 0x7f);
        }
        world_quit(world);
    }
}

static bool has_any_color(struct pty_vterm *pty)
{
    for (int row = 0; row < 24; row++) {
        for (int column = 0; column < 80; column++) {
            if (pty_cell_at(pty, row, column).has_color) {
                return true;
            }
        }
    }
    return false;
}

static void shows_color(struct console_world *world, const char *term, const char *option,
    const char *no_color, bool is_colored)
{
    size_t kept = world->env_count;
    if (no_color != NULL) {
        world_env(world, "NO_COLOR", no_color);
    }
    world_open_as(world, term, "C.UTF-8", option, 24, 80, false);
    pty_wait_text(world->pty, "Start here");
    pty_wait_text(world->pty, "Help");
    assert_int_equal(has_any_color(world->pty), is_colored);
    world_quit(world);
    while (world->env_count > kept) {
        free(world->env[--world->env_count]);
        world->env[world->env_count] = NULL;
    }
}

static void test_t41_colors(void **state)
{
    shows_color(*state, "xterm-256color", NULL, NULL, true);
    shows_color(*state, "xterm", NULL, NULL, true);
    shows_color(*state, "xterm-256color", NULL, "1", false);
    shows_color(*state, "xterm-256color", NULL, "", true);
    shows_color(*state, "xterm-256color", "--no-color", NULL, false);
    shows_color(*state, "vt100", NULL, NULL, false);
}

static void test_t42_terminals(void **state)
{
    struct console_world *world = *state;
    static const char *const terms[] = {"linux", "screen", "tmux-256color", "vt100", "xterm"};
    for (size_t i = 0; i < array_length(terms); i++) {
        world_open_as(world, terms[i], "C.UTF-8", NULL, 24, 80, false);
        pty_wait_text(world->pty, "Start here");
        pty_wait_text(world->pty, "1 Catalog");
        pty_wait_text(world->pty, "q Quit");
        world_quit(world);
    }
}

/* One sentence that ends with a line to type, exit status 69, nothing sent to the terminal. */
static void refuses(struct console_world *world, const char *term, const char *line)
{
    world_open_as(world, term, "C.UTF-8", NULL, 24, 200, false);
    int status = pty_wait_exit(world->pty);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 69);
    assert_false(pty_wrote(world->pty, "\x1b"));
    auto_free char *end = memory_printf("%s\n", line);
    pty_wait_text(world->pty, end);
    pty_stop(world->pty);
    world->pty = NULL;
    assert_false(scratch_has(world->dir, "state"));
}

static void test_t42_unknown_terminal(void **state)
{
    refuses(*state, "no-such-terminal", "type: TERM=xterm-256color banger-tui");
    refuses(*state, "", "type: TERM=xterm-256color banger-tui");
    refuses(*state, "dumb", "type: banger-tui --batch help");
}

/* CPU time used so far, in clock ticks. */
static unsigned long cpu_ticks(pid_t pid)
{
    auto_free char *path = memory_printf("/proc/%d/stat", (int)pid);
    auto_free char *stat = scratch_read("/", path + 1);
    unsigned long user = 0;
    unsigned long system = 0;
    assert_non_null(stat);
    const char *fields = strrchr(stat, ')');
    assert_int_equal(
        sscanf(fields, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system), 2);
    return user + system;
}

/* Voluntary context switches of the main thread: each is one wait that ended. */
static unsigned long wakeups(pid_t pid)
{
    auto_free char *path = memory_printf("/proc/%d/task/%d/status", (int)pid, (int)pid);
    auto_free char *status = scratch_read("/", path + 1);
    assert_non_null(status);
    const char *line = strstr(status, "\nvoluntary_ctxt_switches:");
    unsigned long count = 0;
    assert_int_equal(sscanf(line, "\nvoluntary_ctxt_switches: %lu", &count), 1);
    return count;
}

/* A byte that belongs to no character is passed over alone: what is typed behind it counts, at once. */
static void test_t40_broken_characters(void **state)
{
    struct console_world *world = *state;
    world_open(world);
    pty_wait_text(world->pty, "Start here");
    pty_send(world->pty, "\xff?");
    pty_wait_text(world->pty, "━ 1-21 of ");
    pty_send(world->pty, "\xff\x1b[6~");
    pty_wait_gone(world->pty, "━ 1-21 of ");
    pty_send(world->pty, "\xc3\x1b[5~");
    pty_wait_text(world->pty, "━ 1-21 of ");
    pty_send(world->pty, "\x1b[<0;5\x1b[6~");
    pty_wait_gone(world->pty, "━ 1-21 of ");
    pty_send(world->pty, "\xe6q");
    pty_wait_gone(world->pty, "Keys everywhere");
    pty_wait_text(world->pty, "Start here");
    world_quit(world);
}

static void set_config(struct console_world *world, const char *text)
{
    auto_free char *place = memory_printf("%s/config.ini", world->dir);
    scratch_write(world->dir, "config.ini", text);
    world_env(world, "BANGER_CONFIG", place);
}

/* Off by itself; on by a setting or a key, and off again on every way out. */
static void test_t43_mouse(void **state)
{
    struct console_world *world = *state;
    world_open(world);
    pty_wait_text(world->pty, "Start here");
    assert_false(pty_wrote(world->pty, "\x1b[?1000h") || pty_wrote(world->pty, "\x1b[?1006;1000h"));
    pty_send(world->pty, "\x1bOQ"); /* F2 */
    pty_wait_text(world->pty, "The mouse works here now");
    pty_send(world->pty, "\x1b[<0;20;20M\x1b[<0;20;20m"); /* into the jobs */
    pty_wait_text(world->pty, "┏ 5 Jobs");
    pty_send(world->pty, "\x1b[<0;5;3M\x1b[<0;5;3m");
    pty_wait_text(world->pty, "┏ 1 Catalog");
    /* A report that a line or a flush has cut off swallows nothing and stops nothing. */
    pty_send(world->pty, "\x1b[<0;5");
    pty_press_until(world->pty, "?", "Keys for Catalog");
    pty_send(world->pty, "q\x1b[<0;5");
    pty_wait_gone(world->pty, "Keys for Catalog");
    pty_press_until(world->pty, "\x1bOQ", "terminal's again");
    pty_send(world->pty, "\x1bOQ");
    pty_wait_text(world->pty, "The mouse works here now");
    kill(pty_pid(world->pty), SIGTERM);
    pty_wait_exit(world->pty);
    assert_given_back(world->pty);
    assert_true(pty_wrote(world->pty, "\x1b[?1006;1000l") || pty_wrote(world->pty, "\x1b[?1000l"));
}

/* T47: keys are what the settings say; a request never ends up without one. */
static void test_t47_keys_are_set(void **state)
{
    struct console_world *world = *state;
    set_config(world, "[ui]\nkey_help = F9 X\nkey_doctor = nonsense\nkey_unknown = x\n");
    world_open(world);
    pty_wait_text(world->pty, "F9 Help");
    pty_send(world->pty, "X");
    pty_wait_text(world->pty, "Keys for");
    pty_send(world->pty, "q");
    pty_wait_text(world->pty, "d Doctor");
    pty_send(world->pty, "M");
    pty_wait_text(world->pty, "key_unknown");
    pty_wait_text(world->pty, "key_doctor");
    pty_send(world->pty, "q");
    pty_wait_gone(world->pty, "key_unknown");
    world_quit(world);
}

/* T41: a theme by name; one that does not exist is told of. */
static void test_t41_themes(void **state)
{
    struct console_world *world = *state;
    static const char *const names[] = {"dark", "light", "mono"};
    for (size_t i = 0; i < array_length(names); i++) {
        auto_free char *text = memory_printf("[ui]\ntheme = %s\n", names[i]);
        set_config(world, text);
        world_open(world);
        pty_wait_text(world->pty, "Start here");
        bool has_shades = pty_wrote(world->pty, "38;5;") || pty_wrote(world->pty, "[38:5:");
        assert_int_equal(has_shades, strcmp(names[i], "mono") != 0);
        world_quit(world);
    }
    set_config(world, "[ui]\ntheme = plaid\n");
    world_open(world);
    pty_wait_text(world->pty, "there is no theme \"plaid\"");
    pty_send(world->pty, "1");
    pty_wait_gone(world->pty, "plaid");
    world_quit(world);
}

/* T44: what is copied goes to the terminal's clipboard and into a file whose place is said. */
static void test_t44_copy(void **state)
{
    struct console_world *world = *state;
    scratch_write(world->dir, "state/kernels/lab/vmlinux", "x");
    world_open(world);
    pty_wait_text(world->pty, "2 Kernels  1");
    pty_send(world->pty, "2y");
    pty_wait_text(world->pty, "Copied the name");
    pty_wait_text(world->pty, "copied.txt");
    assert_true(pty_wrote(world->pty, "\x1b]52;c;bGFi\x07")); /* lab */
    auto_free char *copied = scratch_read(world->dir, "state/copied.txt");
    assert_string_equal(copied, "lab");
    world_quit(world);
}

static void test_t45_idle(void **state)
{
    struct console_world *world = *state;
    world_open(world);
    pty_wait_text(world->pty, "Start here");
    pty_wait_quiet(world->pty, 500);
    size_t bytes = 0;
    unsigned long ticks = 0;
    unsigned long waits = 0;
    /* What there is to do at the start ends at some time; what is done again and again does not. */
    uint64_t deadline = clock_deadline(PTY_WAIT_MS);
    do {
        bytes = pty_byte_count(world->pty);
        ticks = cpu_ticks(pty_pid(world->pty));
        waits = wakeups(pty_pid(world->pty));
        pty_wait_quiet(world->pty, 2500); /* nothing is waited for: nothing is what is measured */
    } while (wakeups(pty_pid(world->pty)) != waits && clock_left_ms(deadline) > 0);
    assert_int_equal(wakeups(pty_pid(world->pty)), waits);
    assert_int_equal(pty_byte_count(world->pty), bytes);
    assert_true(cpu_ticks(pty_pid(world->pty)) - ticks <= 1);
    /* And a key that changes little sends little. */
    pty_send(world->pty, "5");
    pty_wait_text(world->pty, "┏ 5 Jobs");
    assert_true(pty_byte_count(world->pty) > bytes);
    world_quit(world);
}

static void test_t09_interrupt(void **state)
{
    struct console_world *world = *state;
    world_open(world);
    pty_wait_text(world->pty, "Start here");
    pty_send(world->pty, "i");
    pty_wait_text(world->pty, "Add a kernel");
    pty_send(world->pty, "\x03");
    pty_wait_gone(world->pty, "Add a kernel");
    pty_send(world->pty, "\x03");
    pty_wait_text(world->pty, "Press q to quit");
    pty_send(world->pty, "\x03\x03\x1b\x1b");
    pty_wait_gone(world->pty, "Press q to quit");
    pty_wait_text(world->pty, "Start here");
    world_quit(world);
}

/* What libraries and the program itself say on stderr never lands on the screen. */
static void test_stderr_goes_to_the_log(void **state)
{
    struct console_world *world = *state;
    world_open(world);
    pty_wait_text(world->pty, "Start here");
    auto_free char *link = memory_printf("/proc/%d/fd/2", (int)pty_pid(world->pty));
    char target[512] = {0};
    assert_true(readlink(link, target, sizeof(target) - 1) > 0);
    assert_non_null(strstr(target, "/state/log/"));
    world_quit(world);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_quit_gives_the_terminal_back),
        TEST(test_t09_interrupt),
        TEST(test_t36_sizes),
        TEST(test_t37_resize_in_dialogs),
        TEST(test_t38_suspend),
        TEST(test_t39_terminated),
        TEST(test_t39_crash),
        TEST(test_t39_terminal_lost),
        TEST(test_t40_plain_locale),
        TEST(test_t40_broken_characters),
        TEST(test_t41_colors),
        TEST(test_t42_terminals),
        TEST(test_t42_unknown_terminal),
        TEST(test_t43_mouse),
        TEST(test_t47_keys_are_set),
        TEST(test_t41_themes),
        TEST(test_t44_copy),
        TEST(test_t45_idle),
        TEST(test_stderr_goes_to_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
