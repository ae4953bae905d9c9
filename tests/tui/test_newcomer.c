/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Where someone who had read only the README hesitated, and what the screen says there now. */

#include "base/memory.h"
#include "support/pty_vterm.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static struct pty_vterm *open_world(const char *world)
{
    auto_free char *program = memory_printf("%s/tests/tui/fake_console", getenv("BUILDDIR"));
    const char *const argv[] = {program, world, NULL};
    static const char *const env[] = {"LC_ALL=C.UTF-8", "TERM=xterm-256color", NULL};
    struct pty_vterm *pty = pty_start(argv, env, 24, 80, false);
    pty_wait_text(pty, "Help");
    return pty;
}

/* A key that does nothing says why, and which key helps. */
static void test_refusals_say_why(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("busy");
    pty_send(pty, "4g");
    pty_wait_text(pty, "▸ci-1");
    pty_send(pty, "x");
    pty_wait_text(pty, "ci-1 is still up; t stops it first.");
    pty_send(pty, "j");
    pty_wait_text(pty, "▸ci-2");
    pty_send(pty, "s");
    pty_wait_text(pty, "Waiting for ci-2's agent: kernel reached");
    pty_wait_text(pty, "Esc Stop waiting");
    pty_send(pty, "\x1b");
    pty_wait_gone(pty, "Waiting for");
    pty_send(pty, "j");
    pty_wait_text(pty, "▸db");
    pty_send(pty, "c");
    pty_wait_text(pty, "db is not running; r starts it.");
    pty_send(pty, "1g");
    pty_wait_text(pty, "▸debian-cloud");
    pty_send(pty, "p");
    pty_wait_text(pty, "debian-cloud is on this host already; P fetches it anew");
    pty_send(pty, "r");
    pty_wait_text(pty, "debian-cloud is a kernel: a machine is made from an image.");
    pty_stop(pty);
}

/* Where nothing is yet, a key that needs something says what brings it. */
static void test_empty_panes_say_what_to_do(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("empty");
    pty_wait_text(pty, "Start here");
    pty_send(pty, "3r");
    pty_wait_text(pty, "▸ None yet: p pulls, i takes a disk.");
    pty_send(pty, "4s");
    pty_wait_text(pty, "▸ None yet: r on an image makes one.");
    pty_stop(pty);
}

/* The same key takes back wherever one is, and pulls wherever that can be meant. */
static void test_keys_mean_the_same_everywhere(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("busy");
    static const char *const panes[] = {"1", "2", "3", "4", "5"};
    for (size_t i = 0; i < array_length(panes); i++) {
        pty_send(pty, panes[i]);
        pty_send(pty, "u");
        pty_wait_text(pty, "The trash is empty: there is nothing to take back.");
    }
    pty_send(pty, "2p");
    pty_wait_text(pty, "as a line: kernel pull");
    pty_send(pty, "\x1b");
    pty_wait_gone(pty, "as a line");
    pty_send(pty, "3p");
    pty_wait_text(pty, "as a line: image pull");
    pty_stop(pty);
}

/* A log is called by its machine, a search that found nothing says so, and so does f. */
static void test_log_words(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("busy");
    pty_send(pty, "4gL");
    pty_wait_text(pty, "Log of ci-1");
    pty_wait_text(pty, "vm logs ci-1 --follow");
    pty_send(pty, "f");
    pty_wait_text(pty, "It follows already");
    pty_send(pty, "/no such words\r");
    pty_wait_text(pty, "/no such words: not found");
    pty_wait_gone(pty, "n Next");
    pty_stop(pty);
}

/* What a program of a guest printed stays readable after the quit, and the shell's prompt comes
 * below it. */
static void test_prompt_comes_below_the_guest(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("busy");
    pty_send(pty, "4gs");
    pty_wait_text(pty, "┏ 4 VMs");
    pty_press_until(pty, "q", "Leave running"); /* what comes before the guest has ended is lost */
    pty_send(pty, "c");
    pty_wait_exit(pty);
    assert_true(pty_wrote(pty, "In machine ci-1: exit or Ctrl-D comes back.\r\n"
                               "Should it hang: Ctrl-] three times."));
    int first = pty_line_of(pty, "first line of the guest");
    assert_true(first >= 0);
    int last = pty_line_of(pty, "last line of the guest");
    assert_int_equal(last, first + 1);
    int row = 0;
    int column = 0;
    pty_cursor_place(pty, &row, &column);
    assert_true(row > last);
    assert_int_equal(column, 0);
    pty_stop(pty);
}

/* However long the list of what was done, what is being done is seen. */
static void test_new_jobs_are_seen(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("history");
    pty_wait_text(pty, "5 Jobs  1 running");
    pty_wait_text(pty, "hashing 50%");
    pty_send(pty, "5G");
    pty_wait_text(pty, "▸start db");
    pty_wait_gone(pty, "hashing 50%");
    pty_send(pty, "4");
    pty_wait_text(pty, "hashing 50%");
    pty_wait_text(pty, "run ci-2"); /* by the machine, not by what it is made from */
    pty_wait_text(pty, "take back web");
    pty_wait_text(pty, "remove web");
    pty_stop(pty);
}

/* What is marked is acted on wherever the cursor is; who cannot take part is named. */
static void test_marks_count_not_the_cursor(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("busy");
    pty_send(pty, "4g");
    pty_wait_text(pty, "▸ci-1");
    pty_send(pty, "*G");
    pty_wait_text(pty, "4 marked");
    pty_send(pty, "gjj");
    pty_wait_text(pty, "t Stop");
    pty_send(pty, "t");
    pty_wait_text(pty, "Stop 3 machines?");
    pty_wait_text(pty, "1 of 4 marked left alone: db is not running; r starts it.");
    pty_send(pty, "\x1b");
    pty_wait_gone(pty, "Stop 3 machines?");
    pty_stop(pty);
}

/* What was set by hand is on the border in full, whatever else has to go for it. */
static void test_titles_keep_marks_and_order(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("busy");
    pty_send(pty, "4ooO*");
    pty_wait_text(pty, " 4 marked  by STATE ↓ ━");
    assert_false(pty_shows(pty, "…━┓"));
    pty_stop(pty);
}

/* The menu holds what can be done to this row now, and none of it is for another time. */
static void test_menu_is_of_the_row(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("busy");
    pty_send(pty, "4g.");
    pty_wait_text(pty, "VMs: ci-1");
    pty_wait_text(pty, "▸ s   vm exec");
    pty_wait_text(pty, "t   vm stop");
    assert_false(pty_shows(pty, "vm start"));
    assert_false(pty_shows(pty, "vm resume"));
    assert_false(pty_shows(pty, "vm rm"));
    pty_send(pty, "\x1b");
    pty_wait_gone(pty, "VMs: ci-1");
    pty_send(pty, "jj");
    pty_wait_text(pty, "▸db");
    pty_send(pty, ".");
    pty_wait_text(pty, "▸ r   vm start");
    assert_false(pty_shows(pty, "vm stop"));
    pty_send(pty, "\x1b");
    pty_wait_gone(pty, "VMs: db");
    pty_send(pty, "1g.");
    pty_wait_text(pty, "Catalog: debian-cloud");
    assert_false(pty_shows(pty, "image "));
    pty_stop(pty);
}

/* A verb of the palette that says nothing of what it is done to is done to the row one is at; a
 * new machine is made from the image of that one. */
static void test_palette_knows_the_row(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("busy");
    pty_send(pty, "4gjj");
    pty_wait_text(pty, "▸db");
    pty_send(pty, ":vm rename\r");
    pty_wait_text(pty, "as a line: vm rename db");
    pty_send(pty, "\x1b");
    pty_wait_gone(pty, "as a line");
    pty_send(pty, "n");
    pty_wait_text(pty, "as a line: vm run alpine");
    pty_send(pty, "\x1b");
    pty_wait_gone(pty, "as a line");
    pty_send(pty, "3:image register\r"); /* a new one: the row is none of its business */
    pty_wait_text(pty, "as a line: image register");
    assert_false(pty_shows(pty, "as a line: image register a"));
    pty_stop(pty);
}

/* Each question tells what comes of its own verb. */
static void test_questions_tell_the_truth(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("busy");
    pty_send(pty, ":vm snapshot restore db s1\r");
    pty_wait_text(pty, "Restore machine db?");
    pty_wait_text(pty, "It becomes what snapshot s1 keeps.");
    assert_false(pty_shows(pty, "trash"));
    pty_send(pty, "\x1b");
    pty_wait_gone(pty, "Restore machine");
    pty_send(pty, ":vm snapshot rm db s1\r");
    pty_wait_text(pty, "Remove snapshot of machine db?");
    pty_wait_text(pty, "What snapshot s1 keeps is gone for good.");
    pty_wait_text(pty, "y Yes, remove ");
    pty_stop(pty);
}

/* A match near the end is marked where it stands: what comes before it is not pushed away for an
 * empty screen. */
static void test_search_keeps_the_page_full(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("busy");
    pty_send(pty, "4gL");
    pty_wait_text(pty, "Log of ci-1");
    pty_send(pty, "/login\r");
    pty_wait_text(pty, "▸ci-1 login");
    pty_wait_text(pty, "Linux version");
    pty_send(pty, "/virtio\r");
    pty_wait_text(pty, "▸[    0.212114] virtio_blk");
    pty_stop(pty);
}

/* A column that is chosen and yet not seen says why. */
static void test_columns_without_room(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("busy");
    pty_send(pty, "4C");
    pty_wait_text(pty, "[x] CPU");
    pty_wait_text(pty, "[x] KERNEL  no room here");
    assert_false(pty_shows(pty, "[x] CPU  no room"));
    pty_stop(pty);
}

/* Who looks at a machine need not go back to do something to it. */
static void test_details_act(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("busy");
    pty_send(pty, "4g\r");
    pty_wait_text(pty, "ci-1, machine");
    pty_wait_text(pty, "s Shell");
    pty_wait_text(pty, "t Stop");
    pty_wait_text(pty, "q Back");
    pty_send(pty, "t");
    pty_wait_text(pty, "Stop machine ci-1?");
    pty_send(pty, "\x1b");
    pty_wait_gone(pty, "Stop machine ci-1?");
    pty_wait_text(pty, "ci-1, machine");
    pty_send(pty, "x");
    pty_wait_text(pty, "ci-1 is still up; t stops it first.");
    pty_send(pty, "L");
    pty_wait_text(pty, "Log of ci-1");
    pty_wait_gone(pty, "s Shell");
    pty_stop(pty);
}

/* What is to be changed is shown as it is now. */
static void test_set_shows_what_is(void **state)
{
    (void)state;
    struct pty_vterm *pty = open_world("busy");
    pty_send(pty, "4gjj");
    pty_wait_text(pty, "▸db");
    pty_send(pty, ":vm set\r");
    pty_wait_text(pty, "as a line: vm set db");
    pty_wait_text(pty, "vcpu            (now ");
    pty_wait_text(pty, "memory          (now ");
    pty_wait_text(pty, "kernel-ref      (now debian-cloud)");
    pty_send(pty, "\x1b");
    pty_wait_gone(pty, "(now ");
    pty_send(pty, "e"); /* the same by its key, and where only the machine was named */
    pty_wait_text(pty, "kernel-ref      (now debian-cloud)");
    pty_send(pty, "\x1b");
    pty_wait_gone(pty, "(now ");
    pty_send(pty, ":vm set db\r");
    pty_wait_text(pty, "kernel-ref      (now debian-cloud)");
    pty_stop(pty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals_say_why),
        cmocka_unit_test(test_empty_panes_say_what_to_do),
        cmocka_unit_test(test_keys_mean_the_same_everywhere),
        cmocka_unit_test(test_log_words),
        cmocka_unit_test(test_prompt_comes_below_the_guest),
        cmocka_unit_test(test_new_jobs_are_seen),
        cmocka_unit_test(test_marks_count_not_the_cursor),
        cmocka_unit_test(test_titles_keep_marks_and_order),
        cmocka_unit_test(test_menu_is_of_the_row),
        cmocka_unit_test(test_palette_knows_the_row),
        cmocka_unit_test(test_questions_tell_the_truth),
        cmocka_unit_test(test_search_keeps_the_page_full),
        cmocka_unit_test(test_columns_without_room),
        cmocka_unit_test(test_details_act),
        cmocka_unit_test(test_set_shows_what_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
