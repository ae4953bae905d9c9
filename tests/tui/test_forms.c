/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Forms of the real program: what can be chosen instead of typed, and what becomes of a form whose
 * command fails. */

#include "tui/console_world.h"

#include <string.h>

#include "base/process.h"

#define MANY 4300 /* more than a list of files tells of */

/* The form of image register, with the cursor on its path; `begun` typed there. */
static void open_form(struct console_world *world, const char *begun)
{
    auto_free char *path = memory_printf("%s/%s", world->dir, begun);
    world_open(world);
    pty_wait_text(world->pty, "Start here");
    pty_send(world->pty, "3i");
    pty_wait_text(world->pty, "as a line: image register");
    pty_send(world->pty, "\x1b[B");
    pty_wait_text(world->pty, "▸ rootfs");
    pty_send(world->pty, path);
    pty_wait_text(world->pty, "▸ rootfs");
}

/* Walking by keys alone: into a directory, hidden files, back up, and Enter takes the file. */
static void test_files_are_walked(void **state)
{
    struct console_world *world = *state;
    scratch_write(world->dir, "disks/sub/deep.ext4", "x");
    scratch_write(world->dir, "disks/.secret", "x");
    scratch_write(world->dir, "disks/root.ext4", "0123456789");
    open_form(world, "di");
    pty_send(world->pty, "\t"); /* only one entry begins so: it is gone into */
    pty_wait_text(world->pty, "Choose: rootfs");
    pty_wait_text(world->pty, "/disks");
    pty_wait_text(world->pty, "root.ext4");
    pty_wait_text(world->pty, "10 B");
    assert_false(pty_shows(world->pty, ".secret"));
    pty_send(world->pty, "\x1bOS"); /* F4 */
    pty_wait_text(world->pty, ".secret");
    pty_send(world->pty, "\x1bOS");
    pty_wait_gone(world->pty, ".secret");
    pty_send(world->pty, "sub");
    pty_wait_text(world->pty, "▸ sub/");
    pty_send(world->pty, "/");
    pty_wait_text(world->pty, "deep.ext4");
    pty_send(world->pty, "\x7f"); /* nothing typed: the directory above */
    pty_wait_text(world->pty, "sub/");
    pty_send(world->pty, "roo");
    pty_wait_gone(world->pty, "sub/");
    pty_send(world->pty, "\r");
    pty_wait_gone(world->pty, "Choose: rootfs");
    pty_wait_text(world->pty, "root.ext4");
    pty_send(world->pty, "\t\x1b"); /* and once more from there: nothing is lost */
    pty_wait_gone(world->pty, "Choose: rootfs");
    pty_wait_text(world->pty, "root.ext4");
    pty_send(world->pty, "\x1b");
    pty_wait_gone(world->pty, "as a line");
    world_quit(world);
}

/* Names from outside are shown as text and cannot get into a field; a directory that is not there
 * says so. */
static void test_files_are_foreign(void **state)
{
    struct console_world *world = *state;
    scratch_write(world->dir, "evil/\x1b[2J\x1b]0;owned\x07", "x");
    scratch_write(world->dir, "evil/\xff\xfe", "x");
    open_form(world, "evil/");
    pty_send(world->pty, "\t");
    pty_wait_text(world->pty, "\\x1b[2J");
    assert_false(pty_wrote(world->pty, "owned\x07"));
    pty_send(world->pty, "owned\r");
    pty_wait_text(world->pty, "rename it, then choose it");
    pty_send(world->pty, "\x1b");
    pty_wait_gone(world->pty, "Choose: rootfs");
    pty_send(world->pty, "no/such/place/\t");
    pty_wait_text(world->pty, "cannot open the directory");
    pty_send(world->pty, "\x1b");
    pty_wait_gone(world->pty, "Choose: rootfs");
    pty_send(world->pty, "\x1b");
    pty_wait_gone(world->pty, "as a line");
    world_quit(world);
}

/* Of a huge directory a part is shown, and typing finds the rest. */
static void test_files_are_bounded(void **state)
{
    struct console_world *world = *state;
    scratch_write(world->dir, "many/.keep", "");
    for (int i = 0; i < MANY; i++) {
        auto_free char *path = memory_printf("%s/many/file-%05d", world->dir, i);
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        close(fd);
    }
    open_form(world, "many/");
    pty_send(world->pty, "\t");
    pty_wait_text(world->pty, "there are more than fit here");
    pty_send(world->pty, "file-0429");
    for (int i = 0; i < 10; i++) {
        auto_free char *name = memory_printf("file-0429%d", i);
        pty_wait_text(world->pty, name);
    }
    pty_send(world->pty, "\x1b");
    pty_wait_gone(world->pty, "Choose: rootfs");
    pty_send(world->pty, "\x1b");
    pty_wait_gone(world->pty, "as a line");
    world_quit(world);
}

/* Tab in an empty field shows the names there are. */
static void test_names_are_offered(void **state)
{
    struct console_world *world = *state;
    auto_free char *maker = memory_printf("%s/tests/support/make_bundle.py", getenv("SRCDIR"));
    auto_free char *tree = memory_printf("%s/tree", world->dir);
    const char *const make_tree[] = {
        "python3", "-B", maker, "tree", tree, "--layout", "boot", NULL};
    struct error err = {0};
    int status = 0;
    assert_true(process_run(make_tree, 30000, 1 << 16, NULL, NULL, NULL, &status, &err));
    auto_free char *one = memory_printf("kernel import first --from %s", tree);
    auto_free char *other = memory_printf("kernel import second --from %s", tree);
    assert_int_equal(world_batch(world, one), 0);
    assert_int_equal(world_batch(world, other), 0);
    world_open(world);
    pty_wait_text(world->pty, "2 Kernels  2");
    pty_send(world->pty, "3i");
    pty_wait_text(world->pty, "as a line: image register");
    pty_send(world->pty, "\x1b[B\x1b[B");
    pty_wait_text(world->pty, "▸ kernel-ref");
    pty_send(world->pty, "\t");
    pty_wait_text(world->pty, "Choose: kernel-ref");
    pty_wait_text(world->pty, "▸ first");
    pty_send(world->pty, "\x1b[B");
    pty_wait_text(world->pty, "▸ second");
    pty_send(world->pty, "\r");
    pty_wait_text(world->pty, "as a line: image register --kernel-ref second");
    pty_send(world->pty, "\x1b");
    pty_wait_gone(world->pty, "as a line");
    world_quit(world);
}

/* What is asked about the host is asked in words. */
static void test_the_host_is_no_name(void **state)
{
    struct console_world *world = *state;
    world_open(world);
    pty_wait_text(world->pty, "Start here");
    pty_send(world->pty, ":host trash empty\r");
    pty_wait_text(world->pty, "┏ Empty the trash? ━");
    pty_send(world->pty, "\x1b");
    pty_wait_gone(world->pty, "Empty the trash?");
    world_quit(world);
}

/* What the plan says would be refused is not offered: it can be changed, with what is wrong. */
static void test_refused_plans_are_changed(void **state)
{
    struct console_world *world = *state;
    world_open(world);
    pty_wait_text(world->pty, "Help");
    pty_send(world->pty, ":vm kill nosuch\r");
    pty_wait_text(world->pty, "plan: there is no VM named nosuch");
    pty_wait_text(world->pty, "e Change the line");
    assert_false(pty_shows(world->pty, "y Yes"));
    pty_send(world->pty, "e");
    pty_wait_text(world->pty, "as a line: vm kill nosuch");
    pty_wait_text(world->pty, "there is no VM named nosuch");
    pty_send(world->pty, "\x1b");
    pty_wait_gone(world->pty, "as a line");
    pty_send(world->pty, "U"); /* an empty list says what it means */
    pty_wait_text(world->pty, "Nothing was removed: what x removes waits here");
    pty_send(world->pty, "\x1b");
    pty_wait_gone(world->pty, "Nothing was removed");
    world_quit(world);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_files_are_walked),
        TEST(test_files_are_foreign),
        TEST(test_files_are_bounded),
        TEST(test_names_are_offered),
        TEST(test_the_host_is_no_name),
        TEST(test_refused_plans_are_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
