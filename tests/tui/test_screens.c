/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The pictures in docs/screens are what the console shows: each is rendered anew, through a real
 * pty and a terminal emulator, and compared. `make screens` writes them (SCREENS_WRITE=DIR), and
 * with SCREENS_CELLS=DIR each cell with its looks, for scripts/draw-screens.py.
 * Whoever changes how something looks looks at the difference. */

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "support/pty_vterm.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longer than anything that appears by itself takes. */
#define QUIET_MS 600

/* What is done to get there: keys, and what is then on the screen. */
struct step {
    const char *keys;
    const char *shows;
};

struct picture {
    const char *name;
    const char *world;
    const char *option;
    struct step steps[4];
};

static const struct picture pictures[] = {
    {"empty", "empty", NULL, {{"", "Start here"}}},
    {"half", "half", NULL, {{"", "hashing 50%"}}},
    {"mismatch", "mismatch", NULL, {{"5", "MISMATCH"}}},
    {"mismatch-why", "mismatch", NULL, {{"5", "MISMATCH"}, {"\r", "expected"}}},
    {"busy", "busy", NULL, {{"", "agent"}}},
    {"confirm", "half", NULL, {{"2", "x Remove"}, {"j", "▸lab"}, {"x", "Yes, remove"}}},
    {"confirm-typed", "half", NULL,
        {{"", "Logs"}, {":kernel rm debian-cloud --force\r", "to go on:"}}},
    {"refused", "half", NULL, {{"2", "x Remove"}, {"x", "is used by"}}},
    {"form-path", "half", NULL, {{"3", "r Run"}, {"i", "rootfs"}, {"\x1b[B", "▸ rootfs"}}},
    {"picker", "half", NULL,
        {{"3", "r Run"}, {"i", "rootfs"}, {"\x1b[B", "▸ rootfs"},
            {"/srv/disks/\t", "alpine.ext4"}}},
    {"names", "half", NULL,
        {{"3", "r Run"}, {"i", "rootfs"}, {"\x1b[B\x1b[B", "▸ kernel-ref"},
            {"\t", "Choose: kernel-ref"}}},
    {"trash", "half", NULL, {{"", "Logs"}, {"U", "old-web"}}},
    {"doctor", "half", NULL, {{"", "Logs"}, {"d", "acceleration"}}},
    {"space", "half", NULL, {{"", "Logs"}, {":host df\r", "RECLAIMABLE"}}},
    {"undo", "gone", NULL, {{"", "Logs"}, {"u", "Yes, take back"}}},
    {"details-kernel", "half", NULL, {{"2", "x Remove"}, {"\r", "imported"}}},
    {"details-image", "half", NULL, {{"3", "x Remove"}, {"G\r", "used by"}}},
    {"details-vm", "half", NULL, {{"", "Logs"}, {"g\r", "boot"}}},
    {"messages", "half", NULL, {{"", "Logs"}, {"M", "Messages"}}},
    {"filter", "half", NULL, {{"", "Logs"}, {"/running", "/running"}}},
    {"zoom", "busy", NULL, {{"", "Logs"}, {"z", "TREND"}}},
    {"readonly", "busy", "--readonly", {{"", "read-only"}}},
    {"columns", "half", NULL, {{"", "Logs"}, {"C", "Columns of VMs"}}},
    {"menu", "half", NULL, {{"", "Logs"}, {".", "VMs: ci-1"}}},
    {"quit", "half", NULL, {{"", "Logs"}, {"q", "Leave running"}}},
    {"run", "half", NULL, {{"3", "r Run"}, {"G", "r Run"}, {"r", "disk-size"}}},
    {"palette", "half", NULL, {{"", "Logs"}, {":", "Do what?"}, {"vm s", "Start VMs"}}},
    {"help", "half", NULL, {{"", "Logs"}, {"?", "Keys for VMs"}}},
    {"log", "busy", NULL, {{"", "Logs"}, {"L", "Run /init"}}},
    {"ascii", "busy", "--ascii", {{"", "agent"}}},
};

static const struct {
    int rows, columns;
} sizes[] = {{24, 80}, {40, 120}, {50, 200}};

static char *fake_console(void)
{
    return memory_printf("%s/tests/tui/fake_console", getenv("BUILDDIR"));
}

static struct pty_vterm *take(const struct picture *picture, int rows, int columns)
{
    auto_free char *program = fake_console();
    const char *theme = getenv("SCREENS_CELLS") != NULL ? "--theme=dark" : NULL;
    const char *option = picture->option != NULL ? picture->option : theme;
    const char *const argv[] = {program, picture->world, option, NULL};
    static const char *const env[] = {"LC_ALL=C.UTF-8", "TERM=xterm-256color", NULL};
    struct pty_vterm *pty = pty_start(argv, env, rows, columns, false);
    for (size_t i = 0; i < array_length(picture->steps); i++) {
        const struct step *step = &picture->steps[i];
        if (step->shows == NULL) {
            break;
        }
        pty_send(pty, step->keys);
        pty_wait_text(pty, step->shows);
    }
    return pty;
}

static char *file_name(const char *dir, const struct picture *picture, int rows, int columns)
{
    return memory_printf("%s/%s-%dx%d.txt", dir, picture->name, columns, rows);
}

static void compare(struct pty_vterm *pty, const char *path)
{
    struct error err = {0};
    auto_done(text) struct text wanted = {0};
    if (!file_read_all(AT_FDCWD, path, 1 << 20, &wanted, &err)) {
        fail_msg("%s", err.text);
    }
    if (!pty_wait_screen(pty, text_cstr(&wanted))) {
        fprintf(stderr, "%s\n", pty_screen(pty));
        fail_msg("%s is not what the console shows; `make screens` renders it anew", path);
    }
}

static void save(struct pty_vterm *pty, const char *path)
{
    struct error err = {0};
    pty_wait_quiet(pty, QUIET_MS);
    const char *shown = pty_screen(pty);
    file_replace(AT_FDCWD, path, shown, strlen(shown), 0644, &err);
    assert_string_equal(err.text, "");
}

static void save_cells(struct pty_vterm *pty, const char *path, int rows, int columns)
{
    struct error err = {0};
    auto_done(text) struct text cells = {0};
    pty_wait_quiet(pty, QUIET_MS);
    text_printf(&cells, "%d %d\n", rows, columns);
    for (int row = 0; row < rows; row++) {
        for (int column = 0; column < columns; column++) {
            struct pty_cell cell = pty_cell_at(pty, row, column);
            bool is_blank = cell.text[0] == '\0' || strcmp(cell.text, " ") == 0;
            if (!is_blank || cell.is_reverse || cell.background >= 0) {
                text_printf(&cells, "%d %d %d %d %d %d %s\n", row, column, cell.foreground,
                    cell.background, cell.is_bold, cell.is_reverse, is_blank ? " " : cell.text);
            }
        }
    }
    file_replace(AT_FDCWD, path, text_cstr(&cells), cells.len, 0644, &err);
    assert_string_equal(err.text, "");
}

static void test_pictures(void **state)
{
    const struct picture *picture = *state;
    const char *write_to = getenv("SCREENS_WRITE");
    auto_free char *dir = memory_printf("%s/docs/screens", getenv("SRCDIR"));
    for (size_t i = 0; i < array_length(sizes); i++) {
        struct pty_vterm *pty = take(picture, sizes[i].rows, sizes[i].columns);
        auto_free char *path =
            file_name(write_to != NULL ? write_to : dir, picture, sizes[i].rows, sizes[i].columns);
        const char *cells_to = getenv("SCREENS_CELLS");
        if (cells_to != NULL) {
            auto_free char *cells = memory_printf(
                "%s/%s-%dx%d.cells", cells_to, picture->name, sizes[i].columns, sizes[i].rows);
            save_cells(pty, cells, sizes[i].rows, sizes[i].columns);
        } else if (write_to != NULL) {
            save(pty, path);
        } else {
            compare(pty, path);
        }
        pty_stop(pty);
    }
}

int main(void)
{
    struct CMUnitTest tests[array_length(pictures)];
    for (size_t i = 0; i < array_length(pictures); i++) {
        tests[i] = (struct CMUnitTest){.name = pictures[i].name,
            .test_func = test_pictures,
            .initial_state = (void *)(uintptr_t)&pictures[i]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
