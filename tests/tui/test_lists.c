/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Finding the way, lists, questions and foreign text (CONSOLE T01-T16, T20-T24, T35, T48), in front
 * of worlds that are written down in fake_console.c. */

#include "base/clock.h"
#include "base/memory.h"
#include "support/pty_vterm.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static struct pty_vterm *open_world(const char *world, const char *option, const char *locale)
{
    auto_free char *program = memory_printf("%s/tests/tui/fake_console", getenv("BUILDDIR"));
    auto_free char *lc = memory_printf("LC_ALL=%s", locale);
    const char *const argv[] = {program, world, option, NULL};
    const char *const env[] = {lc, "TERM=xterm-256color", NULL};
    struct pty_vterm *pty = pty_start(argv, env, 24, 80, false);
    pty_wait_text(pty, "Help");
    return pty;
}

static void quit(struct pty_vterm *pty)
{
    pty_send(pty, "q");
    int status = pty_wait_exit(pty);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    pty_stop(pty);
}

/* The last line of the screen. */
static const char *key_bar(struct pty_vterm *pty)
{
    const char *shown = pty_screen(pty);
    for (int line = 0; line < 23; line++) {
        shown = strchr(shown, '\n') + 1;
    }
    return shown;
}

static void test_t01_key_bar_follows(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("busy", NULL, "C.UTF-8");
    pty_wait_text(pty, "s Shell"); /* on a running machine */
    assert_null(strstr(key_bar(pty), "Run"));
    pty_send(pty, "jj"); /* on a stopped one */
    pty_wait_text(pty, "r Run");
    assert_null(strstr(key_bar(pty), "Shell"));
    assert_null(strstr(key_bar(pty), "Stop"));
    pty_send(pty, "5");
    pty_wait_text(pty, "c Cancel");
    pty_send(pty, "G");
    pty_wait_text(pty, "d Dismiss");
    assert_null(strstr(key_bar(pty), "Cancel"));
    pty_send(pty, "q");
    pty_wait_text(pty, "Take the marked one");
    assert_null(strstr(key_bar(pty), "Dismiss"));
    pty_stop(pty);
}

static void test_t02_help(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("busy", NULL, "C.UTF-8");
    pty_send(pty, "2?");
    pty_wait_text(pty, "Keys for Kernels");
    pty_wait_text(pty, "Keys everywhere");
    assert_true(pty_line_of(pty, "Remove it") < pty_line_of(pty, "Keys everywhere"));
    pty_send(pty, "G");
    pty_wait_text(pty, "MISMATCH");
    pty_send(pty, "g/unverified\r");
    pty_wait_text(pty, "made by hand");
    pty_send(pty, "\x1b");
    pty_wait_gone(pty, "made by hand");
    pty_send(pty, "\x1bOP"); /* F1 */
    pty_wait_text(pty, "Keys for Kernels");
    pty_send(pty, "q");
    pty_wait_text(pty, "4 VMs");
    pty_stop(pty);
}

static void test_t03_filter(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("mismatch", NULL, "C.UTF-8");
    pty_send(pty, "2/vo\x0cid"); /* a repaint meanwhile ends nothing */
    pty_wait_text(pty, "1 of 3 /void");
    pty_wait_gone(pty, "recorded");
    pty_send(pty, "\r");
    pty_wait_text(pty, "/ Filter");
    pty_wait_text(pty, "1 of 3 /void");
    pty_send(pty, "\x1b");
    pty_wait_text(pty, "recorded");
    pty_send(pty, "/RECORDED"); /* any column, any case */
    pty_wait_text(pty, "1 of 3");
    pty_send(pty, "\x15!recorded");
    pty_wait_text(pty, "2 of 3");
    pty_send(pty, "\x15nothing like it");
    pty_wait_text(pty, "Nothing matches. Esc shows all.");
    pty_send(pty, "\x1b");
    pty_wait_text(pty, "recorded");
    pty_wait_text(pty, "/ Filter");
    quit(pty);
}

static void test_t05_palette(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("half", NULL, "C.UTF-8");
    pty_send(pty, ":");
    pty_wait_text(pty, "Do what?");
    pty_send(pty, "kernel r\t");
    pty_wait_text(pty, ": kernel rm");
    pty_send(pty, " la\t");
    pty_wait_text(pty, ": kernel rm lab");
    pty_send(pty, "\r");
    pty_wait_text(pty, "Remove kernel lab?");
    pty_send(pty, "n");
    pty_wait_gone(pty, "Remove kernel lab?");
    pty_send(pty, ":gibberish\r");
    pty_wait_text(pty, "no such verb");
    pty_wait_text(pty, ": gibberish"); /* still there, still editable */
    /* Behind the object: what the verb can be told, what each means, and what it may be. */
    pty_send(pty, "\x15vm set db ");
    pty_wait_text(pty, "vm set db --memory ");
    pty_wait_text(pty, "Kernel to boot");
    pty_send(pty, "--rest\t");
    pty_wait_text(pty, ": vm set db --restart");
    pty_send(pty, " ");
    pty_wait_text(pty, "vm set db --restart always");
    pty_send(pty, "on\t");
    pty_wait_text(pty, ": vm set db --restart on-failure");
    pty_send(pty, "\x15host doc\r");
    pty_wait_text(pty, "Check what this host can do");
    pty_stop(pty);
}

static void test_t06_moving(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("many", NULL, "C.UTF-8");
    pty_send(pty, "2");
    pty_wait_text(pty, "▸kernel-00000");
    pty_send(pty, "jj");
    pty_wait_text(pty, "▸kernel-00002");
    pty_send(pty, "k");
    pty_wait_text(pty, "▸kernel-00001");
    pty_send(pty, "G");
    pty_wait_text(pty, "▸kernel-09999");
    pty_send(pty, "\x1b[A");
    pty_wait_text(pty, "▸kernel-09998");
    pty_send(pty, "g\x1b[6~");
    pty_wait_text(pty, "▸kernel-00005");
    pty_send(pty, "\x1b[5~");
    pty_wait_text(pty, "▸kernel-00000");
    pty_send(pty, "h");
    pty_wait_text(pty, "┏ 1 Catalog");
    pty_send(pty, "l");
    pty_wait_text(pty, "┏ 2 Kernels");
    pty_send(pty, "\t\t");
    pty_wait_text(pty, "┏ 4 VMs");
    pty_send(pty, "\x1b[Z");
    pty_wait_text(pty, "┏ 3 Images");
    quit(pty);
}

static void test_t10_focus_without_color(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("busy", "--no-color", "C.UTF-8");
    for (int pane = 1; pane <= 5; pane++) {
        static const char *const titles[] = {"Catalog", "Kernels", "Images", "VMs", "Jobs"};
        auto_free char *key = memory_printf("%d", pane);
        auto_free char *title = memory_printf("┏ %d %s", pane, titles[pane - 1]);
        pty_send(pty, key);
        pty_wait_text(pty, title);
        pty_wait_quiet(pty, 150);
        const char *first = strstr(pty_screen(pty), "┏");
        assert_null(strstr(first + 1, "┏"));
    }
    pty_stop(pty);
}

/* Where figures have no room beside it, what a job is called stays, and how far it is. */
static void test_narrow_jobs_keep_their_titles(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("busy", NULL, "C.UTF-8");
    pty_send(pty, "5");
    pty_wait_text(pty, "10.5/21.0 MiB   8.2 MiB/s  0:02");
    pty_resize(pty, 24, 52);
    pty_wait_text(pty, "pull generic-6.12   ━━━");
    pty_wait_text(pty, "50% 10.5/21.0 MiB");
    assert_false(pty_shows(pty, "8.2 MiB/s"));
    pty_resize(pty, 24, 40);
    pty_wait_text(pty, "pull generic-6.12   ━━━");
    pty_wait_text(pty, "50%");
    assert_false(pty_shows(pty, "10.5"));
    pty_stop(pty);
}

/* The row under the cursor says that a key is possible; the marked ones are what it is for. */
static void test_marks_for_which_nothing_is_possible(void **state)
{
    (void)state;
    static const char *const keys[] = {"s", "c", "t"};
    struct pty_vterm *pty = open_world("busy", NULL, "C.UTF-8");
    pty_send(pty, "4gjj");
    pty_wait_text(pty, "▸db");
    pty_send(pty, " g");
    pty_wait_text(pty, "1 marked");
    pty_wait_text(pty, "▸ci-1");
    for (size_t i = 0; i < array_length(keys); i++) {
        pty_send(pty, keys[i]);
        pty_wait_text(pty, "▸ db is ");
        pty_send(pty, "g");
        pty_wait_gone(pty, "▸ db is ");
    }
    pty_stop(pty);
}

static void test_t12_order(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("half", NULL, "C.UTF-8");
    pty_send(pty, "2oo"); /* by the second column */
    pty_wait_text(pty, "by VERSION ↑");
    pty_wait_on_line(pty, "debian-cloud   14M", 2);
    pty_send(pty, "O");
    pty_wait_text(pty, "by VERSION ↓");
    pty_wait_on_line(pty, "lab", 2);
    pty_send(pty, "z");
    pty_wait_text(pty, "6.13-rc2");
    pty_send(pty, "\x1b");
    pty_wait_text(pty, "4 VMs");
    pty_stop(pty);
}

/* T20, T21: No is what Enter takes, the opening key answers nothing, keys typed before the box
 * could be seen are lost. The plan and the line (T56) stand under the question. */
static void test_t20_confirm(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("mismatch", NULL, "C.UTF-8");
    pty_send(pty, "2j");
    pty_wait_text(pty, "▸lab");
    pty_send(pty, "x");
    pty_wait_text(pty, "Remove kernel lab?");
    pty_wait_text(pty, "No image and no machine");
    pty_wait_text(pty, "plan: remove kernel/lab, 14.0 MiB");
    pty_wait_text(pty, "as a line: kernel rm lab");
    pty_send(pty, "x");
    pty_send(pty, "\r");
    pty_wait_gone(pty, "Remove kernel");
    pty_wait_text(pty, "x Remove"); /* the last line: the frame is whole */
    assert_false(pty_shows(pty, "submitted"));
    pty_send(pty, "xyyy\r"); /* all of it typed before anything could be read */
    pty_wait_text(pty, "Remove kernel lab?");
    pty_send(pty, "\x1b");
    pty_wait_gone(pty, "Remove kernel");
    pty_wait_text(pty, "x Remove"); /* the last line: the frame is whole */
    assert_false(pty_shows(pty, "submitted"));
    pty_send(pty, "x");
    pty_wait_text(pty, "Yes, remove");
    pty_send(pty, "y");
    pty_wait_text(pty, "submitted: kernel rm lab");
    pty_send(pty, "x");
    pty_wait_text(pty, "Yes, remove");
    pty_send(pty, "\x1b[C\r"); /* marked by an arrow, then Enter */
    pty_wait_text(pty, "submitted: kernel rm lab");
    quit(pty);
}

/* T22: what others depend on goes only when its name is typed, many at once only with their
 * number; anything else is No. */
static void test_t22_much_is_typed(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("mismatch", NULL, "C.UTF-8");
    pty_send(pty, "2");
    pty_wait_text(pty, "x Remove");
    pty_send(pty, "x"); /* refused with its users, before anything is asked */
    pty_wait_text(pty, "debian-cloud is used by image alpine");
    pty_wait_text(pty, "--force.");
    assert_false(pty_shows(pty, "Remove kernel debian-cloud?"));
    pty_send(pty, "3Gx");
    pty_wait_text(pty, "debian is used by machine ci-1, machine web: remove what uses it first.");
    pty_send(pty, ":kernel rm debian-cloud --force\r");
    pty_wait_text(pty, "boot with it");
    pty_wait_text(pty, "Type debian-cloud to go on:");
    assert_false(pty_shows(pty, "Yes, remove"));
    pty_send(pty, "y\r");
    pty_wait_gone(pty, "Type debian-cloud");
    pty_wait_text(pty, "x Remove");
    assert_false(pty_shows(pty, "submitted"));
    pty_send(pty, ":kernel rm debian-cloud --force\r");
    pty_wait_text(pty, "Type debian-cloud to go on:");
    pty_send(pty, "debian-cloud\r");
    pty_wait_text(pty, "submitted: kernel rm debian-cloud --force");
    pty_stop(pty);
    pty = open_world("many", NULL, "C.UTF-8");
    pty_send(pty, "2*");
    pty_wait_text(pty, "marked");
    pty_send(pty, "x");
    pty_wait_text(pty, " to go on:");
    assert_false(pty_shows(pty, "Yes, remove"));
    pty_send(pty, "\x1b");
    pty_wait_gone(pty, " to go on:");
    pty_stop(pty);
}

/* T23: no key of a pane, on its first and its last row, destroys without a question. (Whatever the
 * key, a verb that destroys passes the one place that asks.) */
static void test_t23_no_key_destroys(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("mismatch", NULL, "C.UTF-8");
    static const char keys[] = "xXdDKktTeR\x08\x7f";
    for (int pane = 1; pane <= 5; pane++) {
        for (const char *key = keys; *key != '\0'; key++) {
            char typed[] = {(char)('0' + pane), 'g', *key, '\0'};
            typed[1] = key - keys > 5 ? 'G' : 'g';
            pty_send(pty, typed);
            pty_press_until(pty, "\x03", "Press q to quit");
            assert_false(pty_wrote(pty, "submitted: kernel rm"));
            assert_false(pty_wrote(pty, "submitted: image rm"));
            assert_false(pty_wrote(pty, "submitted: vm rm"));
            assert_false(pty_wrote(pty, "submitted: vm kill"));
            assert_false(pty_wrote(pty, "submitted: vm stop"));
            pty_send(pty, "1");
            pty_wait_gone(pty, "Press q to quit");
        }
    }
    pty_stop(pty);
}

/* What cannot be read is looked at, told with what helps, and nothing is done to it. */
static void test_unreadable_rows(void **state)
{
    (void)state;
    static const char *const panes[] = {"2", "3", "4"};
    static const char *const removing[] = {"kernel rm", "image rm", "vm rm"};
    struct pty_vterm *pty = open_world("closed", NULL, "C.UTF-8");
    pty_wait_text(pty, "unreadable");
    for (size_t i = 0; i < array_length(panes); i++) {
        pty_send(pty, panes[i]);
        pty_send(pty, "gx");
        pty_wait_text(pty, "it is closed");
        pty_wait_text(pty, "open it");
        pty_send(pty, ".");
        pty_wait_text(pty, "Enter Do it");
        pty_send(pty, "G");
        pty_wait_text(pty, "host trash empty");
        assert_false(pty_wrote(pty, removing[i]));
        pty_send(pty, "\x1b");
        pty_wait_gone(pty, "Enter Do it");
        pty_send(pty, "\r"); /* everything about it */
        pty_wait_text(pty, "open it");
        pty_send(pty, "\x1b");
        pty_wait_text(pty, ". Menu");
    }
    quit(pty);
}

/* T07, T25: what can be done to a row, by the command table; what destroys is never first. */
static void test_t25_menu(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("half", NULL, "C.UTF-8");
    pty_send(pty, "2.");
    pty_wait_text(pty, "Kernels: debian-cloud");
    pty_wait_text(pty, "▸ v   kernel verify");
    pty_send(pty, "G"); /* the host's, and of those too what destroys is the last */
    pty_wait_text(pty, "host doctor");
    pty_wait_text(pty, "host trash empty");
    assert_true(pty_line_of(pty, "host trash empty") > pty_line_of(pty, "host doctor"));
    pty_send(pty, "\x1b");
    pty_wait_gone(pty, "Kernels: debian-cloud");
    pty_wait_text(pty, ". Menu");
    pty_send(pty, ".\r");
    pty_wait_text(pty, "submitted: kernel verify debian-cloud");
    pty_stop(pty);
    pty = open_world("half", "--readonly", "C.UTF-8");
    pty_send(pty, "2.");
    pty_wait_text(pty, "kernel list");
    assert_false(pty_shows(pty, "kernel rm"));
    assert_false(pty_shows(pty, "kernel import"));
    pty_stop(pty);
}

/* T14: marks, and an action that says how many it hits and names them. */
static void test_t14_marks(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("mismatch", NULL, "C.UTF-8");
    pty_send(pty, "2  ");
    pty_wait_text(pty, "2 marked");
    pty_send(pty, "x");
    pty_wait_text(pty, "Remove 2 kernels?");
    pty_wait_text(pty, "debian-cloud, lab.");
    pty_wait_text(pty, "as a line: kernel rm debian-cloud lab");
    pty_send(pty, "n");
    pty_wait_gone(pty, "Remove 2 kernels?");
    pty_wait_text(pty, "x Remove");
    pty_send(pty, "*");
    pty_wait_text(pty, "3 marked");
    pty_send(pty, "\x1b");
    pty_wait_gone(pty, "marked");
    pty_send(pty, "*x");
    pty_wait_text(pty, "Yes, remove");
    pty_send(pty, "y");
    pty_wait_text(
        pty, "submitted: kernel rm void-6.12"); /* each on its own; the last one's answer */
    quit(pty);
}

/* Any batch line can be typed; what it lacks is asked. */
static void test_palette_takes_lines(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("mismatch", NULL, "C.UTF-8");
    pty_send(pty, ":vm run debian --memory 1G --publish 8080:80\r");
    pty_wait_text(pty, "submitted: vm run debian --memory 1G --publish 8080:80");
    pty_send(pty, ":kernel import 'lab two'\r");
    pty_wait_text(pty, "kernel name");
    pty_send(pty, "\x15kernel import lab2\r");
    pty_wait_text(pty, "Add a kernel");
    pty_wait_text(pty, "as a line: kernel import lab2");
    pty_send(pty, "\x1b");
    pty_wait_gone(pty, "Add a kernel");
    pty_send(pty, ":kernel rm lab --force\r");
    pty_wait_text(pty, "Remove kernel lab?");
    pty_send(pty, "n");
    pty_wait_gone(pty, "Remove kernel lab?");
    quit(pty);
}

static void test_t24_readonly(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("busy", "--readonly", "C.UTF-8");
    pty_wait_text(pty, "read-only");
    for (int pane = 1; pane <= 5; pane++) {
        char key[2] = {(char)('0' + pane), '\0'};
        pty_send(pty, key);
        pty_wait_quiet(pty, 150);
        static const char *const changing[] = {
            "Pull", "Run", "Import", "Remove", "Stop", "Shell", "Cancel", "New", "Kill"};
        for (size_t i = 0; i < array_length(changing); i++) {
            assert_null(strstr(key_bar(pty), changing[i]));
        }
    }
    pty_send(pty, "2x");
    pty_wait_text(pty, "not possible here");
    pty_send(pty, ":kernel rm lab\r");
    pty_wait_text(pty, "read-only: kernel rm changes something");
    pty_stop(pty);
}

/* Control, bidi and broken bytes are shown as text and stay inside their pane; wide and combining
 * characters leave the columns where they are. */
static void test_t35_hostile_text(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("hostile", NULL, "C.UTF-8");
    pty_send(pty, "2");
    pty_wait_text(pty, "┏ 2 Kernels");
    pty_wait_text(pty, "\\x1b[2J");
    pty_wait_quiet(pty, 150);
    pty_wait_text(pty, "漢字漢字");
    assert_false(pty_wrote(pty, "\x1b[2J\x1b]0;"));
    assert_false(pty_wrote(pty, "owned\x07"));
    assert_false(pty_wrote(pty, "\xe2\x80\xae"));
    int row = 0;
    int column = 0;
    assert_true(pty_find(pty, "recorded", &row, &column));
    assert_string_equal(pty_cell_at(pty, row, 79).text, "┃");
    int other_row = 0;
    int other_column = 0;
    assert_true(pty_find(pty, "MISMATCH", &other_row, &other_column));
    assert_int_equal(column, other_column);
    pty_send(pty, "\r");
    pty_wait_text(pty, "\\x1b[2J");
    pty_stop(pty);
    pty = open_world("hostile", NULL, "C");
    pty_wait_text(pty, "\\x1b[2J");
    for (const char *c = pty_screen(pty); *c != '\0'; c++) {
        assert_true((unsigned char)*c < 0x7f);
    }
    pty_stop(pty);
}

/* T33: what a guest switched on is off again, and the screen is as it was. */
static void test_t33_guest_cannot_leak(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("mismatch", NULL, "C.UTF-8");
    pty_wait_text(pty, "c Console");
    pty_wait_quiet(pty, 150);
    auto_free char *before = memory_strdup(pty_screen(pty));
    pty_send(pty, "c");
    pty_wait_wrote(pty, "guest speaking");
    assert_true(pty_wait_screen(pty, before));
    assert_true(pty_is_alternate(pty));
    assert_false(pty_cursor_is_visible(pty));
    assert_true(pty_wrote(pty, "\x1b[?1000l"));
    assert_true(pty_wrote(pty, "\x1b[?2004l"));
    int row = 0;
    int column = 0;
    assert_true(pty_find(pty, "debian-cloud", &row, &column));
    assert_false(pty_cell_at(pty, row, column).has_color);
    quit(pty);
}

/* Lines that hold a text and no others, with how many those are in the title; Esc first gives the
 * rest back and only then leaves. A match is marked where it stands, not its whole line. */
static void test_t28_search_and_filter_in_a_log(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("busy", NULL, "C.UTF-8");
    pty_wait_text(pty, "s Shell");
    pty_send(pty, "L");
    pty_wait_text(pty, "Run /init");
    pty_send(pty, "/VDA\r");
    int row = 0;
    int column = 0;
    pty_wait_text(pty, "▸[    0.000000] Command line");
    pty_wait_quiet(pty, 200);
    assert_true(pty_find(pty, "/dev/vda", &row, &column));
    assert_false(pty_cell_at(pty, row, column).is_reverse);
    assert_true(pty_cell_at(pty, row, column + 5).is_reverse);
    assert_false(pty_cell_at(pty, row, column + 8).is_reverse);
    pty_send(pty, "&target\r");
    pty_wait_gone(pty, "Run /init");
    pty_wait_text(pty, "Reached target");
    pty_wait_text(pty, "1 of 8 lines  &target");
    pty_send(pty, "&\x15!target\r");
    pty_wait_gone(pty, "Reached target");
    pty_wait_text(pty, "Run /init");
    pty_send(pty, "\x1b");
    pty_wait_text(pty, "Reached target");
    pty_send(pty, "\x1b");
    pty_wait_text(pty, "s Shell");
    pty_stop(pty);
}

/* Long lines are cut, scrolled by half a width, or folded; a divider stands under what was there
 * and above what comes. */
static void test_t29_fold_and_divide(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("busy", NULL, "C.UTF-8");
    pty_wait_text(pty, "s Shell");
    pty_send(pty, "L");
    pty_wait_text(pty, "Run /init");
    assert_false(pty_shows(pty, "lists.debian.org)"));
    pty_send(pty, "l");
    pty_wait_text(pty, "lists.debian.org)");
    pty_send(pty, "h");
    pty_wait_gone(pty, "lists.debian.org)");
    pty_send(pty, "z");
    pty_wait_text(pty, "n.org)");
    pty_wait_text(pty, "Linux version 6.1.0-44");
    pty_send(pty, "m");
    pty_wait_text(pty, "-- 2026");
    int login = pty_line_of(pty, "login:");
    assert_true(pty_line_of(pty, "-- 2026") < login);
    pty_send(pty, "q");
    pty_wait_text(pty, "s Shell");
    pty_stop(pty);
}

/* T16: each state by its word, without a colour. */
static void test_t16_states_are_words(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("busy", "--no-color", "C.UTF-8");
    static const char *const words[] = {"running", "booting", "stopped", "MISMATCH", "recorded",
        "verified", "unverified", "pulled", "available"};
    pty_wait_text(pty, "running");
    for (size_t i = 0; i < array_length(words); i++) {
        if (strcmp(words[i], "booting") != 0 || !pty_shows(pty, "starting")) {
            pty_wait_text(pty, words[i]);
        }
    }
    pty_stop(pty);
}

/* T17, T19: what 100 % is stands in the help; a trend beside the figure, in ASCII where need be. */
static void test_t19_trends(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("busy", NULL, "C.UTF-8");
    pty_wait_text(pty, "180%");
    pty_send(pty, "z");
    pty_wait_text(pty, "TREND");
    pty_wait_text(pty, "▂▄▆█▇▅▇█▅█");
    pty_send(pty, "?/one core\r");
    pty_wait_text(pty, "cpu 100%    one core of this host");
    pty_stop(pty);
    pty = open_world("busy", "--ascii", "C.UTF-8");
    pty_wait_text(pty, "180%");
    pty_send(pty, "z");
    pty_wait_text(pty, ".-+#*=*#=#");
    pty_stop(pty);
}

/* T17: what 100 % is stands in the list itself, at every size. */
static void test_t17_base_is_in_the_list(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("busy", NULL, "C.UTF-8");
    pty_wait_text(pty, "180%");
    pty_wait_text(pty, "CPU: 100% is one core");
    pty_send(pty, "z");
    pty_wait_text(pty, "TREND");
    pty_wait_text(pty, "CPU: 100% is one core");
    pty_stop(pty);
    pty = open_world("empty", NULL, "C.UTF-8"); /* nothing to explain */
    pty_wait_text(pty, "Start here");
    assert_false(pty_shows(pty, "100%"));
    pty_stop(pty);
}

/* Bytes a second of each machine's network: shown where there is room, among the first to go; a
 * quiet machine is not an unknown one; ordered by, and chosen, as the other columns are. */
static void test_network_figures(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("busy", NULL, "C.UTF-8");
    pty_wait_text(pty, "180%");
    assert_false(pty_shows(pty, "1.2M"));
    pty_send(pty, "z");
    pty_wait_text(pty, "RX/s  TX/s");
    pty_wait_text(pty, "1.1G  1.2M   51K");
    pty_wait_text(pty, "212M     0     0");
    pty_send(pty, "oooooo");
    pty_wait_text(pty, "by RX/s ↑");
    pty_send(pty, "O");
    pty_wait_text(pty, "by RX/s ↓");
    pty_wait_on_line(pty, "ci-1", 3); /* below the title and the header */
    pty_wait_on_line(pty, "web", 4);
    pty_send(pty, "C");
    pty_wait_text(pty, "[x] TX/s");
    pty_send(pty, "jjjjjj ");
    pty_wait_text(pty, "[ ] TX/s");
    pty_send(pty, "\x1b");
    pty_wait_gone(pty, "TX/s");
    pty_wait_text(pty, "RX/s");
    pty_stop(pty);
}

/* Ten thousand kernels: a key is answered within a blink (generous: this runs under sanitizers). The
 * quickest of several counts: load may slow each of them down. */
static void test_many_rows(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("many", NULL, "C.UTF-8");
    pty_send(pty, "2");
    pty_wait_text(pty, "┏ 2 Kernels");
    uint64_t took_ms = UINT64_MAX;
    for (int attempt = 0; attempt < 5 && took_ms >= 2000; attempt++) {
        uint64_t before_ms = clock_monotonic_ms();
        pty_send(pty, "/09998");
        pty_wait_text(pty, "1 of 10000");
        pty_wait_text(pty, "kernel-09998");
        took_ms = clock_monotonic_ms() - before_ms;
        pty_send(pty, "\x1b");
        pty_wait_text(pty, "2 Kernels  10000");
    }
    assert_true(took_ms < 2000);
    pty_wait_text(pty, "▸kernel-09998"); /* T11: the cursor stayed on the object */
    pty_stop(pty);
}

/* q with work under way asks; Enter alone stays. */
static void test_t08_quit_asks(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("half", NULL, "C.UTF-8");
    pty_send(pty, "q");
    pty_wait_text(pty, "Under way: pull generic-6.12");
    pty_send(pty, "\r");
    pty_wait_gone(pty, "Under way");
    pty_send(pty, "q");
    pty_wait_text(pty, "Under way");
    pty_send(pty, "l");
    int status = pty_wait_exit(pty);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    pty_stop(pty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_t01_key_bar_follows),
        cmocka_unit_test(test_t02_help),
        cmocka_unit_test(test_t03_filter),
        cmocka_unit_test(test_t05_palette),
        cmocka_unit_test(test_t06_moving),
        cmocka_unit_test(test_t08_quit_asks),
        cmocka_unit_test(test_t10_focus_without_color),
        cmocka_unit_test(test_narrow_jobs_keep_their_titles),
        cmocka_unit_test(test_marks_for_which_nothing_is_possible),
        cmocka_unit_test(test_t12_order),
        cmocka_unit_test(test_t25_menu),
        cmocka_unit_test(test_unreadable_rows),
        cmocka_unit_test(test_t14_marks),
        cmocka_unit_test(test_palette_takes_lines),
        cmocka_unit_test(test_t20_confirm),
        cmocka_unit_test(test_t22_much_is_typed),
        cmocka_unit_test(test_t23_no_key_destroys),
        cmocka_unit_test(test_t24_readonly),
        cmocka_unit_test(test_t33_guest_cannot_leak),
        cmocka_unit_test(test_t35_hostile_text),
        cmocka_unit_test(test_t28_search_and_filter_in_a_log),
        cmocka_unit_test(test_t29_fold_and_divide),
        cmocka_unit_test(test_t16_states_are_words),
        cmocka_unit_test(test_t19_trends),
        cmocka_unit_test(test_t17_base_is_in_the_list),
        cmocka_unit_test(test_network_figures),
        cmocka_unit_test(test_many_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
