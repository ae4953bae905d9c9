/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The jobs pane of the real program: what was done is still known after a quit, what waits can be
 * done earlier, what failed can be mended, and each server's answer is told. */

#include "tui/catalog_world.h"

#include <signal.h>
#include <string.h>

/* T49: ended jobs are there again at the next start, with their reasons, until they are dismissed. */
static void test_history_survives_a_quit(void **state)
{
    struct console_world *world = *state;
    world_open(world);
    pty_wait_text(world->pty, "▸fine");
    pty_send(world->pty, "p");
    pty_wait_text(world->pty, "5 Jobs  1 done");
    go_to(world, "gone");
    pty_send(world->pty, "p");
    pty_wait_text(world->pty, "5 Jobs  1 failed, 1 done");
    world_quit(world);
    world_open(world);
    pty_wait_text(world->pty, "5 Jobs  1 failed, 1 done");
    pty_wait_text(world->pty, "pull fine");
    pty_wait_text(world->pty, "verified ");
    pty_send(world->pty, "5g");
    pty_wait_text(world->pty, "▸pull gone");
    pty_wait_text(world->pty, "r Retry");
    pty_send(world->pty, "\r");
    pty_wait_text(world->pty, "why");
    pty_wait_text(world->pty, "404");
    pty_send(world->pty, "q");
    pty_wait_text(world->pty, "▸pull gone");
    pty_send(world->pty, "d");
    pty_wait_text(world->pty, "5 Jobs  1 done");
    world_quit(world);
    world_open(world);
    pty_wait_text(world->pty, "5 Jobs  1 done");
    world_quit(world);
}

/* One pull that never ends, and behind it one that fails and one that is fine. */
static void open_with_a_queue(struct console_world *world)
{
    world_env(world, "BANGER_JOBS", "1");
    world_open(world);
    pty_wait_text(world->pty, "▸fine");
    go_to(world, "hanging");
    pty_send(world->pty, "p");
    pty_wait_text(world->pty, "5 Jobs  1 running");
    go_to(world, "gone");
    pty_send(world->pty, "p");
    pty_wait_text(world->pty, "5 Jobs  1 running, 1 queued");
    go_to(world, "fine");
    pty_send(world->pty, "p");
    pty_wait_text(world->pty, "5 Jobs  1 running, 2 queued");
}

/* Of what waits, one can be put in front, and each past the next in both directions. */
static void test_queued_jobs_are_put_in_order(void **state)
{
    struct console_world *world = *state;
    open_with_a_queue(world);
    pty_wait_text(world->pty, "pull fine ");
    int first = pty_line_of(world->pty, "pull gone");
    pty_wait_on_line(world->pty, "pull fine", first + 1);
    pty_send(world->pty, "5gjj");
    pty_wait_text(world->pty, "▸pull fine");
    pty_send(world->pty, "n");
    pty_wait_on_line(world->pty, "pull gone", first + 1);
    pty_wait_on_line(world->pty, "pull fine", first);
    pty_send(world->pty, "<");
    pty_wait_text(world->pty, "pull fine is the next one of its kind already.");
    pty_send(world->pty, ">"); /* and back */
    pty_wait_on_line(world->pty, "pull gone", first);
    pty_wait_on_line(world->pty, "▸pull fine", first + 1);
    pty_send(world->pty, ">");
    pty_wait_text(world->pty, "pull fine is the last one of its kind already.");
    pty_send(world->pty, "<");
    pty_wait_on_line(world->pty, "▸pull fine", first);
    pty_send(world->pty, "g");
    pty_wait_text(world->pty, "▸pull hanging");
    pty_send(world->pty, "c");
    pty_wait_text(world->pty, "5 Jobs  1 failed, 1 cancelled, 1 done");
    /* The latest end is the first line, so what was put in front ended before. */
    int title = pty_line_of(world->pty, "5 Jobs");
    pty_wait_on_line(world->pty, "pull gone", title + 1);
    pty_wait_on_line(world->pty, "pull fine", title + 2);
    world_quit(world);
}

/* What waits in one console is seen by another one: its place, what it waits for, whose it is; it can
 * be put in order and stopped from there, and is gone with its process. */
static void test_what_waits_elsewhere(void **state)
{
    struct console_world *world = *state;
    open_with_a_queue(world);
    pty_wait_text(world->pty, "queued  1 of 2, after kernel pull hanging");
    pty_wait_text(world->pty, "queued  2 of 2, after kernel pull gone");
    struct pty_vterm *first = world->pty;

    world_open(world);
    struct pty_vterm *second = world->pty;
    pty_wait_text(second, "5 Jobs  1 running, 2 queued");
    pty_wait_text(second, "queued  1 of 2, after kernel pull hanging");
    pty_send(second, "5gjj");
    pty_wait_text(second, "▸pull fine");
    pty_send(second, "n");
    pty_wait_text(second, "queued  1 of 2, after kernel pull hanging");
    pty_wait_text(second, "queued  2 of 2, after kernel pull fine");
    pty_wait_text(first, "queued  2 of 2, after kernel pull fine");
    pty_send(second, "<");
    pty_wait_text(second, "pull fine is the next one of its kind already.");
    pty_send(second, ">");
    pty_wait_text(first, "queued  2 of 2, after kernel pull gone");
    pty_wait_text(second, "queued  2 of 2, after kernel pull gone");
    pty_send(second, "\r");
    pty_wait_text(second, "place       2 of 2");
    pty_wait_text(second, "waits for   kernel pull gone");
    pty_wait_text(second, " on pts/");
    pty_send(second, "q");
    pty_wait_text(second, "▸pull fine");
    pty_send(second, "c");
    pty_wait_text(first, "5 Jobs  1 running, 1 queued, 1 cancelled");
    pty_wait_text(first, "Cancelled: job kernel pull fine (by ");
    pty_wait_text(second, "5 Jobs  1 running, 1 queued");
    kill(pty_pid(first), SIGKILL);
    pty_wait_exit(first);
    pty_wait_gone(second, "5 Jobs  1 running");
    pty_wait_gone(second, "queued");
    pty_stop(first);
    world_quit(world);
}

/* A queue that is left running goes on as one, one at a time as here; the next console sees it and how
 * each of it ends, and so does the one after that. */
static void test_a_queue_is_left_running(void **state)
{
    struct console_world *world = *state;
    open_with_a_queue(world);
    pty_send(world->pty, "q");
    pty_wait_text(world->pty, "Leave running");
    pty_send(world->pty, "l");
    int status = pty_wait_exit(world->pty);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_true(pty_shows(world->pty, "pull hanging, pull gone, pull fine go on"));
    pty_stop(world->pty);
    world_open(world);
    pty_wait_text(world->pty, "5 Jobs  1 running, 2 queued");
    pty_wait_text(world->pty, "queued  1 of 2, after kernel pull hanging");
    pty_wait_text(world->pty, "queued  2 of 2, after kernel pull gone");
    pty_send(world->pty, "5gjj");
    pty_wait_text(world->pty, "▸pull fine");
    pty_send(world->pty, "n");
    pty_wait_text(world->pty, "queued  2 of 2, after kernel pull fine");
    pty_send(world->pty, "g");
    pty_wait_text(world->pty, "▸pull hanging");
    pty_send(world->pty, "c");
    pty_wait_text(world->pty, "2 Kernels  1");
    pty_wait_text(world->pty, "kernel pull gone: failed: ");
    pty_wait_text(world->pty, "5 Jobs  1 failed, 1 cancelled, 1 done");
    world_quit(world);
    world_open(world);
    pty_wait_text(world->pty, "5 Jobs  1 failed, 1 cancelled, 1 done");
    world_quit(world);
}

/* However much is under way, what can be done about it is asked on one screen. */
static void test_a_long_queue_is_asked_about_briefly(void **state)
{
    struct console_world *world = *state;
    open_with_a_queue(world);
    for (int i = 3; i <= 40; i++) {
        auto_free char *keys = memory_printf(":kernel pull some-kernel-with-a-long-name-%d\r", i);
        auto_free char *title = memory_printf("5 Jobs  1 running, %d queued", i);
        pty_send(world->pty, keys);
        pty_wait_text(world->pty, title);
    }
    pty_send(world->pty, "q");
    pty_wait_text(world->pty, "and 33 more");
    pty_wait_text(world->pty, "Cancel and quit");
    pty_send(world->pty, "c");
    int status = pty_wait_exit(world->pty);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    pty_stop(world->pty);
    world->pty = NULL;
}

/* A name that is a kernel's and an image's: every job says which of them it is about. */
static void test_one_name_of_two_kinds(void **state)
{
    struct console_world *world = *state;
    static const char hex[] = "3f9c41d2a0b84c57e1930fd2746ab8c5901e3d77f2a46b8cc013579bdf02468a";
    auto_done(text) struct text kernel = {0};
    auto_done(text) struct text image = {0};
    add_entry(&kernel, world, "twin", "404/k.tar.zst", hex, 1000);
    add_entry(&image, world, "twin", "404/i.tar.zst", hex, 1000);
    auto_free char *catalog = memory_printf(
        "{\"version\":1,\"kernels\":[%s],\"images\":[%s]}", text_cstr(&kernel), text_cstr(&image));
    scratch_write(world->dir, "catalog.json", catalog);
    world_open(world);
    pty_wait_text(world->pty, "▸twin");
    pty_send(world->pty, "p");
    pty_wait_text(world->pty, "5 Jobs  1 failed");
    pty_wait_text(world->pty, "pull kernel twin: "); /* why, in the last line */
    pty_send(world->pty, "jp");
    pty_wait_text(world->pty, "5 Jobs  2 failed");
    pty_wait_text(world->pty, "pull image twin: ");
    pty_send(world->pty, "5g");
    pty_wait_text(world->pty, "▸pull image twin");
    pty_wait_text(world->pty, "pull kernel twin");
    pty_send(world->pty, "\r");
    pty_wait_text(world->pty, "pull image twin");
    pty_wait_text(world->pty, "state       failed");
    pty_send(world->pty, "q");
    pty_wait_text(world->pty, "1 Catalog");
    world_quit(world);
}

/* A form whose command failed later is opened again as it was typed, from anywhere, and says why. */
static void test_failed_forms_come_back(void **state)
{
    struct console_world *world = *state;
    world_open(world);
    pty_wait_text(world->pty, "▸fine");
    go_to(world, "gone");
    assert_false(pty_shows(world->pty, "E Fix"));
    pty_send(world->pty, "P");
    pty_wait_text(world->pty, "as a line: kernel pull gone");
    pty_send(world->pty, "\x1b[B \r"); /* --force */
    pty_wait_text(world->pty, "5 Jobs  1 failed");
    pty_send(world->pty, "4E");
    pty_wait_text(world->pty, "as a line: kernel pull gone --");
    pty_wait_text(world->pty, "404");
    pty_send(world->pty, "\x15"
                         "fine\r");
    pty_wait_text(world->pty, "1 failed, 1 done");
    world_quit(world);
}

/* Each server that was asked has its sentence in the details. */
static void test_each_mirror_is_told(void **state)
{
    struct console_world *world = *state;
    auto_free char *one = web_server_url(&world->server, "404/k.tar.zst");
    auto_free char *other = web_server_url(&world->server, "410/k.tar.zst");
    auto_free char *catalog = memory_printf(
        "{\"version\":1,\"kernels\":[{\"name\":\"two\",\"distro\":\"generic\",\"arch\":\"x86_64\","
        "\"kernel_version\":\"6.12\",\"tarball_urls\":[\"%s\",\"%s\"],\"tarball_sha256\":"
        "\"3f9c41d2a0b84c57e1930fd2746ab8c5901e3d77f2a46b8cc013579bdf02468a\",\"size_bytes\":1000,"
        "\"description\":\"for tests\"}],\"images\":[]}",
        one, other);
    scratch_write(world->dir, "catalog.json", catalog);
    world_open(world);
    pty_wait_text(world->pty, "▸two");
    pty_send(world->pty, "p");
    pty_wait_text(world->pty, "5 Jobs  1 failed");
    pty_send(world->pty, "5\r");
    pty_wait_text(world->pty, "said so far");
    pty_wait_text(world->pty, "404");
    pty_wait_text(world->pty, "410");
    pty_send(world->pty, "q");
    pty_wait_text(world->pty, "r Retry");
    world_quit(world);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, catalog_set_up, catalog_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_history_survives_a_quit),
        TEST(test_queued_jobs_are_put_in_order),
        TEST(test_what_waits_elsewhere),
        TEST(test_a_queue_is_left_running),
        TEST(test_a_long_queue_is_asked_about_briefly),
        TEST(test_one_name_of_two_kinds),
        TEST(test_failed_forms_come_back),
        TEST(test_each_mirror_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
