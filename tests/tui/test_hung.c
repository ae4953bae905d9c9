/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A web server, a disk and a VMM that hang, all three at once, and what the keys do meanwhile. */

#include "tui/catalog_world.h"
#include "tui/guest_world.h"

#include <signal.h>

#include "base/clock.h"
#include "support/hung_disk.h"

#define HELP_MS 100
#define LOOKS 15

struct hung_world {
    struct console_world *world;
    struct hung_disk disk;
};

static int set_up(void **state)
{
    struct hung_world *hung = memory_zero(1, sizeof(*hung));
    if (catalog_set_up((void **)&hung->world) != 0) {
        return -1;
    }
    world_add_guests(hung->world);
    *state = hung;
    return 0;
}

static int tear_down(void **state)
{
    struct hung_world *hung = *state;
    hung_disk_release(&hung->disk);
    int status = guest_tear_down((void **)&hung->world);
    free(hung);
    return status;
}

/* The quickest of several looks at the help: load may slow each of them down, what hangs all. */
static uint64_t help_ms(struct pty_vterm *pty, const char *title)
{
    uint64_t best_ms = UINT64_MAX;
    for (int look = 0; look < LOOKS; look++) {
        uint64_t before_ms = clock_monotonic_ms();
        pty_send(pty, "?");
        pty_wait_text(pty, title);
        uint64_t took_ms = clock_monotonic_ms() - before_ms;
        best_ms = took_ms < best_ms ? took_ms : best_ms;
        pty_send(pty, "q");
        pty_wait_gone(pty, title);
    }
    return best_ms;
}

/* T18, T52: each of the three has a job that does not get on; help, panes, a dialog and the files
 * of the disk itself answer as they do without, and so does the way out. */
static void test_t52_everything_hangs(void **state)
{
    struct hung_world *hung = *state;
    struct console_world *world = hung->world;
    auto_free char *place = memory_printf("%s/nfs", world->dir);
    assert_int_equal(mkdir(place, 0700), 0);
    if (!hung_disk_mount(&hung->disk, place)) {
        skip();
    }
    assert_int_equal(world_batch(world, "vm run small --name web --detach"), 0);
    world_open(world);
    pty_wait_text(world->pty, "4 VMs  1 running");
    uint64_t limit_ms = HELP_MS + help_ms(world->pty, "Keys for VMs");
    pid_t vmm = vmm_of_web(world);
    assert_int_equal(kill(vmm, SIGSTOP), 0);
    auto_free char *import = memory_printf(":kernel import lab --from %s/tree\r", place);
    pty_send(world->pty, ":kernel pull hanging\r");
    pty_wait_text(world->pty, "pull hanging");
    pty_send(world->pty, import);
    pty_wait_text(world->pty, "import lab");
    pty_send(world->pty, ":vm stop web\r");
    pty_wait_text(world->pty, "stop web");
    pty_send(world->pty, "4");
    pty_wait_text(world->pty, "┏ 4 VMs");
    assert_true(help_ms(world->pty, "Keys for VMs") < limit_ms);
    /* A field that completes files of that disk. */
    pty_send(world->pty, "2i");
    pty_wait_text(world->pty, "as a line: kernel import");
    auto_free char *typed = memory_printf("\x1b[B%s/\t", place);
    pty_send(world->pty, typed);
    pty_wait_text(world->pty, "Looking");
    pty_press_until(world->pty, "\x1b", "x Remove");
    assert_true(help_ms(world->pty, "Keys for Kernels") < limit_ms);
    pty_send(world->pty, "q");
    pty_wait_text(world->pty, "Under way: ");
    pty_send(world->pty, "c");
    int status = pty_wait_exit(world->pty);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(pty_wrote(world->pty, "a disk or device does not answer"));
    kill(vmm, SIGCONT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_t52_everything_hangs, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
