/* SPDX-License-Identifier: MIT */
#pragma once

/* The test's side of fake_rest.h: waits until a fake console has nothing left to do, however slow
 * the machine is. Include cmocka's headers first. */

#include "support/pty_vterm.h"
#include "support/scratch.h"
#include "tui/fake_rest.h"

#include "base/clock.h"

#include <sys/mman.h>

/* What was written to a terminal comes out at its other end within this. */
#define REST_WAY_MS 60

struct at_rest {
    char *dir;
    char *option; /* for the fake console's command line */
    struct rest *page;
};

static inline void at_rest_open(struct at_rest *rest)
{
    struct rest nothing = {0};
    rest->dir = scratch_make();
    auto_free char *path = memory_printf("%s/rest", rest->dir);
    rest->option = memory_printf("--rest=%s", path);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, &nothing, sizeof(nothing)), sizeof(nothing));
    void *page = mmap(NULL, sizeof(*rest->page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(page != MAP_FAILED);
    close(fd);
    rest->page = page;
}

static inline void at_rest_close(struct at_rest *rest)
{
    munmap(rest->page, sizeof(*rest->page));
    free(rest->option);
    scratch_remove(rest->dir);
}

/* Until it rests, and what it wrote is on the screen. */
static inline void at_rest_wait(struct at_rest *rest, struct pty_vterm *pty)
{
    uint64_t deadline = clock_deadline(PTY_WAIT_MS);
    pty_settle(pty, REST_WAY_MS, 2000);
    while (!atomic_load(&rest->page->is_resting) || !pty_is_asleep(pty) ||
           !atomic_load(&rest->page->is_resting)) {
        if (clock_left_ms(deadline) == 0 || pty_has_ended(pty)) {
            fprintf(stderr, "%s\n", pty_screen(pty));
            fail_msg("the console does not come to rest");
        }
        pty_settle(pty, 1, 10);
    }
    pty_settle(pty, REST_WAY_MS, 2000);
}
