/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* What an operator does with the real program: from an empty host to a verified kernel and back,
 * against a server that serves well, slowly, wrongly or not at all. */

#include "tui/catalog_world.h"

#include <signal.h>
#include <string.h>

static void test_pull(void **state)
{
    struct console_world *world = *state;
    world_open(world);
    pty_wait_text(world->pty, "Start here");
    pty_wait_text(world->pty, "▸fine");
    pty_send(world->pty, "p");
    pty_wait_text(world->pty, "2 Kernels  1");
    pty_wait_text(world->pty, "pulled");
    pty_wait_text(world->pty, "5 Jobs  1 done");
    int job = pty_line_of(world->pty, "pull fine");
    int row = 0;
    int column = 0;
    assert_true(pty_find(world->pty, "verified ", &row, &column));
    pty_send(world->pty, "5");
    pty_wait_text(world->pty, "d Dismiss");
    assert_true(job > 0);
    assert_true(strstr(pty_screen(world->pty), "MiB at ") != NULL);
    pty_send(world->pty, "d");
    pty_wait_gone(world->pty, "pull fine");
    pty_wait_text(world->pty, "verified "); /* in the kernel's row, for good */
    world_quit(world);
    assert_int_equal(world_batch(world, "kernel show fine"), 0);
}

static void test_pull_shows_progress(void **state)
{
    struct console_world *world = *state;
    world_open(world);
    pty_wait_text(world->pty, "▸fine");
    go_to(world, "slow");
    pty_send(world->pty, "p");
    pty_wait_text(world->pty, "1 running");
    pty_wait_text(world->pty, "iB/s");
    pty_wait_text(world->pty, "sha256 hashing ");
    pty_wait_text(world->pty, "expected ");
    pty_wait_text(world->pty, "  0:");
    pty_send(world->pty, "p"); /* again: joins */
    pty_send(world->pty, "?");
    pty_wait_text(world->pty, "Keys for Catalog");
    pty_send(world->pty, "q");
    let_go(world);
    pty_wait_text(world->pty, "verified ");
    pty_wait_text(world->pty, "5 Jobs  1 done");
    assert_int_equal(web_server_count(&world->server, SLOWLY), 1);
    world_quit(world);
}

static void test_mismatch(void **state)
{
    struct console_world *world = *state;
    world_open(world);
    pty_wait_text(world->pty, "▸fine");
    go_to(world, "wrong");
    pty_send(world->pty, "p");
    pty_wait_text(world->pty, "MISMATCH");
    pty_wait_text(world->pty, "found ");
    pty_wait_text(world->pty, "1 failed");
    pty_send(world->pty, "5\r");
    pty_wait_text(world->pty, "expected    ");
    pty_wait_text(world->pty, "found       ");
    pty_send(world->pty, "q");
    pty_wait_text(world->pty, "1 Catalog");
    world_quit(world);
    auto_free char *kernels = scratch_list(world->dir, "state/kernels");
    assert_string_equal(kernels, "");
    auto_free char *parts = scratch_list(world->dir, "state/cache/downloads");
    assert_string_equal(parts, "");
}

static void test_failure_names_the_reason(void **state)
{
    struct console_world *world = *state;
    world_open(world);
    pty_wait_text(world->pty, "▸fine");
    go_to(world, "gone");
    pty_send(world->pty, "p");
    pty_wait_text(world->pty, "1 failed");
    pty_send(world->pty, "5\r");
    pty_wait_text(world->pty, "404");
    pty_wait_text(world->pty, "why");
    pty_send(world->pty, "q");
    world_quit(world);
}

/* T18: with a server that hangs, help and quit answer; how soon, test_hung.c measures. */
static void test_t18_hanging_server(void **state)
{
    struct console_world *world = *state;
    world_open(world);
    pty_wait_text(world->pty, "▸fine");
    go_to(world, "hanging");
    pty_send(world->pty, "p");
    pty_wait_text(world->pty, "1 running");
    pty_send(world->pty, "?");
    pty_wait_text(world->pty, "Keys for Catalog");
    pty_send(world->pty, "q");
    pty_wait_text(world->pty, "1 Catalog");
    pty_send(world->pty, "q");
    pty_wait_text(world->pty, "Under way: pull hanging");
    pty_send(world->pty, "c");
    int status = pty_wait_exit(world->pty);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_cancel(void **state)
{
    struct console_world *world = *state;
    world_open(world);
    pty_wait_text(world->pty, "▸fine");
    go_to(world, "hanging");
    pty_send(world->pty, "p");
    pty_wait_text(world->pty, "1 running");
    pty_send(world->pty, "5c");
    pty_wait_text(world->pty, "1 cancelled");
    pty_send(world->pty, "r"); /* the same again */
    pty_wait_text(world->pty, "1 running");
    pty_send(world->pty, "c");
    pty_wait_text(world->pty, "1 cancelled");
    pty_send(world->pty, "d");
    pty_wait_text(world->pty, "Nothing under way");
    world_quit(world);
}

/* Leaving with a pull under way: it goes on without the screen. */
static void test_t08_leave_running(void **state)
{
    struct console_world *world = *state;
    world_open(world);
    pty_wait_text(world->pty, "▸fine");
    go_to(world, "slow");
    pty_send(world->pty, "p");
    pty_wait_text(world->pty, "1 running");
    pty_send(world->pty, "q");
    pty_wait_text(world->pty, "Leave running");
    pty_send(world->pty, "l");
    int status = pty_wait_exit(world->pty);
    assert_true(WIFEXITED(status));
    assert_false(pty_is_alternate(world->pty));
    assert_true(
        pty_shows(world->pty, "pull slow goes on without this screen; banger-tui --batch job"));
    pty_stop(world->pty);
    /* The next console sees it end, whoever runs it. */
    world_open(world);
    pty_wait_text(world->pty, "5 Jobs  1 running");
    let_go(world);
    pty_wait_text(world->pty, "verified ");
    pty_wait_text(world->pty, "2 Kernels  1");
    world_quit(world);
}

static void test_t39_hang_up_leaves_running(void **state)
{
    struct console_world *world = *state;
    world_open(world);
    pty_wait_text(world->pty, "▸fine");
    go_to(world, "slow");
    pty_send(world->pty, "p");
    pty_wait_text(world->pty, "1 running");
    pty_hang_up(world->pty);
    pty_wait_exit(world->pty);
    pty_stop(world->pty);
    world_open(world);
    pty_wait_text(world->pty, "5 Jobs  1 running");
    let_go(world);
    pty_wait_text(world->pty, "2 Kernels  1");
    pty_wait_text(world->pty, "verified ");
    world_quit(world);
}

/* T55: what another process does appears without a key. */
static void test_t55_other_process(void **state)
{
    struct console_world *world = *state;
    world_open(world);
    pty_wait_text(world->pty, "Start here");
    assert_int_equal(world_batch(world, "kernel pull fine"), 0);
    pty_wait_text(world->pty, "2 Kernels  1");
    pty_wait_text(world->pty, "pulled");
    assert_int_equal(world_batch(world, "kernel rm fine"), 0);
    pty_wait_text(world->pty, "Start here");
    world_quit(world);
}

/* Import by its form, with completion of the path; then details, then removal. */
static void test_import_and_remove(void **state)
{
    struct console_world *world = *state;
    scratch_write(world->dir, "home/linux/vmlinux",
        "\x7f"
        "ELF is what it says it is");
    world_open(world);
    pty_wait_text(world->pty, "Start here");
    pty_send(world->pty, "i");
    pty_wait_text(world->pty, "(needed)");
    pty_send(world->pty, "\r"); /* says what is missing instead of doing something */
    pty_wait_text(world->pty, "needs");
    pty_send(world->pty, "bad name!");
    pty_wait_text(world->pty, "kernel name");
    pty_send(world->pty, "\x15lab\x1b[B~/li\t");
    pty_wait_text(world->pty, "/home/linux"); /* the one that begins so */
    pty_wait_text(world->pty, "vmlinux");
    pty_wait_text(world->pty, "▸ this directory");
    pty_send(world->pty, "\r");
    pty_wait_text(world->pty, "as a line: kernel import lab --from ");
    pty_send(world->pty, "\x1bOR"); /* F3: what it would do */
    pty_wait_text(world->pty, "kernel/lab");
    pty_wait_text(world->pty, "free");
    assert_false(scratch_has(world->dir, "state/kernels/lab"));
    pty_send(world->pty, "q");
    pty_wait_text(world->pty, "as a line: kernel import lab --from ");
    pty_send(world->pty, "\r");
    pty_wait_text(world->pty, "2 Kernels  1");
    pty_wait_text(world->pty, "recorded");
    pty_send(world->pty, "2\r");
    pty_wait_text(world->pty, "lab, kernel");
    pty_wait_text(world->pty, "import:");
    pty_wait_text(world->pty, "qemu: refused"); /* it is no kernel, as was said at the import */
    pty_wait_text(world->pty, "firecracker: refused");
    pty_send(world->pty, "\x1b");
    pty_wait_text(world->pty, "x Remove");
    pty_send(world->pty, "x");
    pty_wait_text(world->pty, "Remove kernel lab?");
    pty_send(world->pty, "\r"); /* Enter alone is No */
    pty_wait_gone(world->pty, "Remove kernel lab?");
    pty_wait_text(world->pty, "x Remove");
    assert_true(scratch_has(world->dir, "state/kernels/lab"));
    pty_send(world->pty, "x");
    pty_wait_text(world->pty, "Yes, remove");
    pty_send(world->pty, "y");
    pty_wait_text(world->pty, "None yet");
    pty_wait_text(world->pty, "Removed kernel lab: u takes it back, until "); /* T26 */
    assert_false(scratch_has(world->dir, "state/kernels/lab"));
    pty_send(world->pty, "U");
    pty_wait_text(world->pty, "▸ kernel lab");
    pty_wait_text(world->pty, "ago, until 2");
    pty_send(world->pty, "\x1b");
    pty_wait_text(world->pty, "u Undo");
    pty_send(world->pty, "u");
    pty_wait_text(world->pty, "2 Kernels  1");
    assert_true(scratch_has(world->dir, "state/kernels/lab"));
    pty_send(world->pty, "2");
    pty_wait_text(world->pty, "x Remove");
    pty_wait_gone(world->pty, "u Undo");
    world_quit(world);
}

static void import_kernel(const struct console_world *world, const char *name)
{
    scratch_write(world->dir, "home/linux/vmlinux",
        "\x7f"
        "ELF is what it says it is");
    auto_free char *import =
        memory_printf("kernel import %s --from %s/home/linux", name, world->dir);
    assert_int_equal(world_batch(world, import), 0);
}

/* T26: a new console takes back too, the newest first, and says before what will come. */
static void test_undo_after_a_restart(void **state)
{
    struct console_world *world = *state;
    import_kernel(world, "older");
    assert_int_equal(world_batch(world, "kernel rm older"), 0);
    import_kernel(world, "newer");
    assert_int_equal(world_batch(world, "kernel rm newer"), 0);
    world_open(world);
    pty_wait_text(world->pty, "Start here");
    pty_press_until(world->pty, "u", "Take kernel newer back?");
    pty_wait_text(world->pty, "Removed last: kernel newer, at ");
    pty_wait_text(world->pty, "The trash has 1");
    pty_wait_text(world->pty, "plan: restore kernel/newer");
    pty_wait_text(world->pty, "as a line: host trash restore kernel@newer@");
    pty_send(world->pty, "\r"); /* No */
    pty_wait_gone(world->pty, "Take kernel newer back?");
    pty_wait_text(world->pty, "? Help"); /* the last line, so all of the dialog is gone */
    assert_false(scratch_has(world->dir, "state/kernels/newer"));
    pty_send(world->pty, "u");
    pty_wait_text(world->pty, "Yes, take back");
    pty_send(world->pty, "y");
    pty_wait_text(world->pty, "2 Kernels  1");
    pty_send(world->pty, "u");
    pty_wait_text(world->pty, "Take kernel older back?");
    pty_send(world->pty, "y");
    pty_wait_text(world->pty, "2 Kernels  2");
    pty_press_until(world->pty, "u", "The trash is empty");
    pty_send(world->pty, "\x1b"); /* as a sentence, or as a question asked before that was known */
    pty_wait_text(world->pty, "Help");
    world_quit(world);
}

/* T26: what was removed together is told as one, and comes back by one key. */
static void test_undo_of_what_was_marked(void **state)
{
    struct console_world *world = *state;
    import_kernel(world, "one");
    import_kernel(world, "two");
    import_kernel(world, "three");
    world_open(world);
    pty_wait_text(world->pty, "2 Kernels  3");
    pty_send(world->pty, "2j x"); /* one marked, and removed alone: an act of its own */
    pty_wait_text(world->pty, "Yes, remove");
    pty_send(world->pty, "y");
    pty_wait_text(world->pty, "u takes it back");
    pty_send(world->pty, "*x");
    pty_wait_text(world->pty, "Remove 2 kernels?");
    pty_send(world->pty, "y");
    pty_wait_text(world->pty, "and 1 more: u takes them back, until ");
    pty_wait_text(world->pty, "None yet");
    pty_send(world->pty, "u");
    pty_wait_text(world->pty, "2 Kernels  2");
    pty_send(world->pty, "u");
    pty_wait_text(world->pty, "2 Kernels  3");
    world_quit(world);
}

/* T26: all of the trash, the newest first, from which any one comes back by Enter. */
static void test_one_of_the_trash(void **state)
{
    struct console_world *world = *state;
    import_kernel(world, "older");
    assert_int_equal(world_batch(world, "kernel rm older"), 0);
    import_kernel(world, "newer");
    assert_int_equal(world_batch(world, "kernel rm newer"), 0);
    world_open(world);
    pty_wait_text(world->pty, "Start here");
    pty_send(world->pty, "U");
    pty_wait_text(world->pty, "▸ kernel newer");
    pty_wait_text(world->pty, "Enter Take it back");
    pty_send(world->pty, "j");
    pty_wait_text(world->pty, "▸ kernel older");
    pty_send(world->pty, "\r");
    pty_wait_text(world->pty, "2 Kernels  1");
    pty_wait_text(world->pty, "kernel older is back");
    assert_true(scratch_has(world->dir, "state/kernels/older"));
    world_quit(world);
    world_open_as(world, "xterm-256color", "C.UTF-8", "--readonly", 24, 80, false);
    pty_wait_text(world->pty, "2 Kernels  1");
    pty_send(world->pty, "U"); /* to look at */
    pty_wait_text(world->pty, "REMOVED");
    pty_send(world->pty, "q");
    pty_wait_text(world->pty, "2 Kernels  1");
    world_quit(world);
}

/* A catalog somewhere else: nothing of it is known until it is fetched with a key. */
static void test_catalogs_are_fetched_again(void **state)
{
    struct console_world *world = *state;
    auto_free char *url = web_server_url(&world->server, "far.json");
    auto_free char *place = memory_printf("{\"format\":1,\"place\":\"%s\"}", url);
    auto_free char *root = memory_printf("%s/root", world->server.directory);
    scratch_write(root, "far.json",
        "{\"version\":1,\"kernels\":[{\"name\":\"faraway\",\"tarball_url\":\"k.tar.zst\","
        "\"tarball_sha256\":"
        "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}]}");
    scratch_write(world->dir, "state/catalogs.d/far.json", place);
    world_open(world);
    pty_wait_text(world->pty, "1 Catalog  5");
    pty_send(world->pty, "1R");
    pty_wait_text(world->pty, "1 Catalog  6");
    pty_wait_text(world->pty, "faraway");
    world_quit(world);
}

static void test_t53_doctor(void **state)
{
    struct console_world *world = *state;
    world_open(world);
    pty_wait_text(world->pty, "Start here");
    pty_send(world->pty, "d");
    pty_wait_text(world->pty, "CHECK");
    pty_wait_text(world->pty, "state directory");
    pty_send(world->pty, "q");
    pty_wait_text(world->pty, "Start here");
    pty_send(world->pty, "M");
    pty_wait_text(world->pty, "Messages");
    pty_send(world->pty, "q");
    world_quit(world);
}

/* T13, T54: which list, its columns, its order and its filter are there again at the next start;
 * a file that was spoiled meanwhile is told of and stops nothing. */
static void test_t54_looks_are_kept(void **state)
{
    struct console_world *world = *state;
    world_open(world);
    pty_wait_text(world->pty, "▸fine");
    pty_send(world->pty, "zC");
    pty_wait_text(world->pty, "Columns of Catalog");
    pty_wait_text(world->pty, "[x] KIND");
    pty_send(world->pty, "j ");
    pty_wait_text(world->pty, "[ ] KIND");
    pty_send(world->pty, "g\r\r");
    pty_wait_text(world->pty, "gives the order");
    pty_send(world->pty, "\x1b");
    pty_wait_gone(world->pty, "KIND");
    pty_wait_text(world->pty, "by NAME ↓");
    pty_wait_text(world->pty, "▸fine");
    pty_send(world->pty, "/ng\r");
    pty_wait_text(world->pty, "2 of 5 /ng");
    world_quit(world);

    world_open(world);
    pty_wait_text(world->pty, "2 of 5 /ng");
    pty_wait_text(world->pty, "by NAME ↓");
    assert_false(pty_shows(world->pty, "KIND"));
    pty_wait_on_line(world->pty, "hanging", 4);
    pty_send(world->pty, "C");
    pty_wait_text(world->pty, "Columns of Catalog");
    pty_send(world->pty, "ao\x1b");
    pty_wait_text(world->pty, "KIND");
    world_quit(world);

    scratch_write(world->dir, "state/ui.json", "{\"format\":1,");
    world_open(world);
    pty_wait_text(world->pty, "▸");
    pty_send(world->pty, "M");
    pty_wait_text(world->pty, "ui.json");
    pty_send(world->pty, "q");
    pty_wait_gone(world->pty, "ui.json");
    world_quit(world);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, catalog_set_up, catalog_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pull),
        TEST(test_pull_shows_progress),
        TEST(test_mismatch),
        TEST(test_failure_names_the_reason),
        TEST(test_t18_hanging_server),
        TEST(test_cancel),
        TEST(test_t08_leave_running),
        TEST(test_t39_hang_up_leaves_running),
        TEST(test_t55_other_process),
        TEST(test_import_and_remove),
        TEST(test_undo_after_a_restart),
        TEST(test_undo_of_what_was_marked),
        TEST(test_one_of_the_trash),
        TEST(test_catalogs_are_fetched_again),
        TEST(test_t53_doctor),
        TEST(test_t54_looks_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
