/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* T35, T48: every screen of the console in a world where every text means harm (fake_hostile.h), by
 * a seed that is printed (BANGER_SEED repeats a run; BANGER_CHECK_ALL takes more of them). Only the
 * console's own control sequences reach the terminal, and what it drew stands where it belongs. */

#include "base/memory.h"
#include "base/text.h"
#include "support/seed.h"
#include "tui/at_rest.h"
#include "tui/own_bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEDS 1
#define SEEDS_ALL 40
#define LAST_LINES 4 /* keys, or a message of up to three lines */

/* ---- what stands on the screen ---- */

static bool is_one_of(struct pty_vterm *pty, int row, int column, const char *const *glyphs)
{
    const char *text = pty_cell_at(pty, row, column).text;
    for (size_t i = 0; glyphs[i] != NULL; i++) {
        if (strcmp(text, glyphs[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The outer edges are borders on every line but the header's and the last. */
static void assert_edges(struct pty_vterm *pty, const char *where, int first, int rows, int columns)
{
    static const char *const left[] = {"┌", "└", "│", "┏", "┗", "┃", NULL};
    static const char *const message[] = {"✗", "▸", NULL};
    static const char *const right[] = {"┐", "┘", "│", "┓", "┛", "┃", NULL};
    for (int row = first; row < rows - 1; row++) {
        if (is_one_of(pty, row, 1, message) && !is_one_of(pty, row, 0, left)) {
            return; /* a sentence of several lines stands over the last ones */
        }
        if (!is_one_of(pty, row, 0, left) || !is_one_of(pty, row, columns - 1, right)) {
            fprintf(stderr, "%s\n", pty_screen(pty));
            fail_msg("%s: the border of line %d is broken", where, row);
        }
    }
}

/* The box of a dialog, found by its title: both its sides stand straight down to its end. */
static void assert_box(struct pty_vterm *pty, const char *where, const char *title)
{
    int row = 0;
    int column = 0;
    static const char *const corner[] = {"┓", NULL};
    static const char *const side[] = {"┃", NULL};
    static const char *const bottom[] = {"┗", NULL};
    if (!pty_find(pty, title, &row, &column)) {
        fprintf(stderr, "%s\n", pty_screen(pty));
        fail_msg("%s: there is no \"%s\"", where, title);
    }
    int left = column - 2;
    int right = column;
    while (right < 200 && !is_one_of(pty, row, right, corner)) {
        right++;
    }
    for (row++; !is_one_of(pty, row, left, bottom); row++) {
        if (!is_one_of(pty, row, left, side) || !is_one_of(pty, row, right, side)) {
            fprintf(stderr, "%s\n", pty_screen(pty));
            fail_msg("%s: the box is broken on line %d", where, row);
        }
    }
}

/* The screen without its last lines, which a key may change. */
static char *body_of(struct pty_vterm *pty)
{
    const char *screen = pty_screen(pty);
    size_t len = strlen(screen);
    for (int line = 0; line < LAST_LINES && len > 1; line++) {
        const char *last = memrchr(screen, '\n', len - 1);
        len = last != NULL ? (size_t)(last - screen) : 0;
    }
    return memory_strndup(screen, len);
}

/* What changed bit by bit is what a repaint of everything shows: nothing stale, nothing shifted. */
static void assert_as_repainted(struct pty_vterm *pty, struct at_rest *rest, const char *where)
{
    auto_free char *before = body_of(pty);
    pty_send(pty, "\x0c");
    at_rest_wait(rest, pty);
    auto_free char *after = body_of(pty);
    if (strcmp(before, after) != 0) {
        fail_msg("%s: a repaint shows something else:\n%s\n%s", where, before, after);
    }
}

/* ---- the screens ---- */

struct visit {
    const char *name;
    const char *keys;
    const char *box; /* title of a dialog; NULL */
    bool is_whole;   /* a viewer: no header above it */
    const char *back;
};

/* A name no object can have is refused where a command would begin: then the answer is looked at. */
static const struct visit visits[] = {
    {"catalog", "1", NULL, false, ""},
    {"catalog zoomed", "z", NULL, false, "z"},
    {"offer", "\r", NULL, true, "q"},
    {"last offer", "G\r", NULL, true, "qg"},
    {"catalog's menu", ".", "Catalog:", false, "\x1b"},
    {"pull", "P", NULL, false, "\x1b"},
    {"kernels", "2", NULL, false, ""},
    {"kernels zoomed", "z", NULL, false, "z"},
    {"kernel", "\r", NULL, true, "q"},
    {"remove", "x", NULL, false, "\x1b"},
    {"remove many", "*x", NULL, false, "\x1b\x1b"},
    {"export", "e", NULL, false, "\x1b"},
    {"images", "3", NULL, false, ""},
    {"images zoomed", "z", NULL, false, "z"},
    {"image", "\r", NULL, true, "q"},
    {"register", "i", "Use a root file system", false, ""},
    {"files", "\x1b[B\t", "Choose: rootfs", false, "\x1b"},
    {"kernel names", "\x1b[B\t", "Choose: kernel-ref", false, "\x1b\x1b"},
    {"machines", "4", NULL, false, ""},
    {"machines zoomed", "z", NULL, false, "z"},
    {"machine", "g\r", NULL, true, "q"},
    {"log", "L", NULL, true, "q"},
    {"stop", "t", NULL, false, "\x1b"},
    {"columns", "C", "Columns of VMs", false, "\x1b"},
    {"filter", "/\xe6\xbc\xa2", NULL, false, "\x1b"},
    {"jobs", "5", NULL, false, ""},
    {"jobs zoomed", "z", NULL, false, "z"},
    {"job", "\r", NULL, true, "q"},
    {"last job", "G\r", NULL, true, "qg"},
    {"messages", "M", NULL, true, "q"},
    {"palette", ":kernel show ", "Do what?", false, "\x1b"},
    {"trash", "2U", "Take back from the trash", false, "\x1b"},
    {"doctor", "d", NULL, true, "q"},
    {"space", ":host df\r", NULL, true, "q"},
    {"help", "?", NULL, true, "q"},
    {"quit", "q", "Quit?", false, "\x1b"},
};

struct evil_world {
    struct pty_vterm *pty;
    struct at_rest rest;
};

static void open_world(struct evil_world *world, uint32_t seed, int rows, int columns)
{
    auto_free char *program = memory_printf("%s/tests/tui/fake_console", getenv("BUILDDIR"));
    auto_free char *option = memory_printf("--seed=%u", (unsigned)seed);
    at_rest_open(&world->rest);
    const char *const argv[] = {program, "evil", option, world->rest.option, NULL};
    const char *const env[] = {"LC_ALL=C.UTF-8", "TERM=xterm-256color", "HOME=/nonexistent",
        getenv("ASAN_OPTIONS") != NULL ? "ASAN_OPTIONS=detect_leaks=0" : NULL, NULL};
    world->pty = pty_start(argv, env, rows, columns, false);
    pty_wait_text(world->pty, "? Help");
}

static void close_world(struct evil_world *world)
{
    pty_stop(world->pty);
    at_rest_close(&world->rest);
}

static void walk(uint32_t seed, int rows, int columns)
{
    struct evil_world world;
    struct own_bytes own = {0};
    printf("seed %u at %dx%d\n", (unsigned)seed, columns, rows);
    fflush(stdout);
    open_world(&world, seed, rows, columns);
    struct pty_vterm *pty = world.pty;
    for (size_t i = 0; i < array_length(visits); i++) {
        const struct visit *visit = &visits[i];
        pty_send(pty, visit->keys);
        if (visit->box != NULL || visit->is_whole) {
            pty_wait_text(pty, visit->box != NULL ? visit->box : "q Back");
        }
        at_rest_wait(&world.rest, pty);
        own_bytes_check(&own, pty, visit->name);
        assert_edges(pty, visit->name, visit->is_whole ? 0 : 1, rows, columns);
        if (visit->box != NULL) {
            assert_box(pty, visit->name, visit->box);
        }
        assert_as_repainted(pty, &world.rest, visit->name);
        for (const char *key = visit->back; *key != '\0'; key++) {
            char one[2] = {*key, '\0'};
            pty_send(pty, one);
            at_rest_wait(&world.rest, pty);
        }
        if (visit->is_whole) {
            pty_wait_text(pty, ": Do");
        }
    }
    close_world(&world);
}

static void test_no_text_leaves_its_place(void **state)
{
    (void)state;
    static const struct {
        int rows, columns;
    } sizes[] = {{24, 80}, {40, 120}, {50, 200}};
    const char *all = getenv("BANGER_CHECK_ALL");
    bool is_all = all != NULL && strcmp(all, "yes") == 0;
    uint32_t seed = seed_first("BANGER_SEED");
    bool is_told = seed_is_told("BANGER_SEED");
    size_t seeds = is_told ? array_length(sizes) : is_all ? SEEDS_ALL : SEEDS;
    for (size_t i = 0; i < seeds; i++) {
        size_t size = (is_told ? i : seed + i) % array_length(sizes);
        walk(is_told ? seed : seed + (uint32_t)i, sizes[size].rows, sizes[size].columns);
    }
}

/* A question with more words than there is room for still has its answers, and says what it left
 * out. Seed 12 has such titles of what is under way. */
static void test_long_questions_stay_in_their_box(void **state)
{
    (void)state;
    struct evil_world world;
    open_world(&world, 12, 24, 80);
    pty_send(world.pty, "q");
    pty_wait_text(world.pty, "Quit?");
    at_rest_wait(&world.rest, world.pty);
    assert_box(world.pty, "quit", "Quit?");
    int answers = pty_line_of(world.pty, "[ s Stay ]");
    assert_int_equal(answers, 21);
    int left_out = pty_line_of(world.pty, "lines more have no room)");
    assert_int_equal(left_out, answers - 1);
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_text_leaves_its_place),
        cmocka_unit_test(test_long_questions_stay_in_their_box),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
