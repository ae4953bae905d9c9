/* SPDX-License-Identifier: MIT */
#pragma once

/* Somebody who presses keys that nobody would press in that order, by a seed: what is drawn at
 * random, what was pressed last, and what must hold after each key. Include cmocka's headers
 * first. */

#include "support/seed.h"
#include "tui/own_bytes.h"

#include "base/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>

#define MONKEY_TRAIL 48

struct monkey {
    uint32_t seed; /* state of the generator */
    struct pty_vterm *pty;
    int rows, columns;
    struct own_bytes own;
    char trail[MONKEY_TRAIL][64]; /* a ring of what was done */
    unsigned steps;
    bool has_asked_to_quit; /* so that an end is no surprise */
};

/* A number below that. */
static inline uint32_t monkey_draw(struct monkey *monkey, uint32_t below)
{
    monkey->seed ^= monkey->seed << 13;
    monkey->seed ^= monkey->seed >> 17;
    monkey->seed ^= monkey->seed << 5;
    return (monkey->seed >> 3) % below;
}

#define monkey_pick(monkey, table) ((table)[monkey_draw(monkey, array_length(table))])

static inline void monkey_note(struct monkey *monkey, const char *what)
{
    snprintf(monkey->trail[monkey->steps % MONKEY_TRAIL], sizeof(monkey->trail[0]), "%s", what);
    monkey->steps++;
}

/* What led to a failure, newest last; MONKEY_BYTES names a file for all that was written. */
static inline void monkey_tell(const struct monkey *monkey)
{
    unsigned first = monkey->steps > MONKEY_TRAIL ? monkey->steps - MONKEY_TRAIL : 0;
    for (unsigned i = first; i < monkey->steps; i++) {
        auto_free char *shown = text_safe(monkey->trail[i % MONKEY_TRAIL], true);
        fprintf(stderr, "%s%s", shown, i + 1 < monkey->steps ? "  " : "\n");
    }
    const char *place = getenv("MONKEY_BYTES");
    FILE *file = place != NULL ? fopen(place, "we") : NULL;
    if (file != NULL) {
        size_t len = 0;
        const char *bytes = pty_bytes(monkey->pty, &len);
        fwrite(bytes, 1, len, file);
        fclose(file);
    }
}

static inline void monkey_send(struct monkey *monkey, const char *keys)
{
    monkey_note(monkey, keys);
    pty_send(monkey->pty, keys);
}

/* One key, a letter as often as anything else. ^Z is a shell's business; what leaves the program
 * only where that is looked for. */
static inline void monkey_press(struct monkey *monkey, bool may_leave)
{
    static const char *const keys[] = {"\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1bOA", "\x1b",
        "\r", "\t", " ", "\x1b[Z", "\x1b[5~", "\x1b[6~", "\x1b[H", "\x1b[F", "\x1b[3~", "\x1bOP",
        "\x1bOQ", "\x1bOR", "\x1bOS", "/", ":", "?", ".", "*", "\x7f", "\x0c", "\x15", "\x03",
        "\x1d", "\xc3\xa9", "\xe6\xbc\xa2", "\xe2\x80\xae", "\xff", "\x1b[999;999R", "\x1b[M !!",
        "\x1b[<0;10;5M\x1b[<0;10;5m", "\x1b[<64;60;14M", "\x1b[<0;7", "\x1b[200~x\x1b[201~", "\x01",
        "\x17", "y", "n", "j", "k", "1", "2", "3", "4", "5"};
    char letter[2] = {(char)(' ' + monkey_draw(monkey, 95)), '\0'};
    const char *key = monkey_draw(monkey, 2) == 0 ? monkey_pick(monkey, keys) : letter;
    if (!may_leave && strchr("qlw", key[0]) != NULL) {
        return;
    }
    monkey->has_asked_to_quit |= key[0] == 'q';
    monkey_send(monkey, key);
}

static inline void monkey_resize(struct monkey *monkey, int rows, int columns)
{
    char what[24];
    snprintf(what, sizeof(what), "<%dx%d>", columns, rows);
    monkey_note(monkey, what);
    monkey->rows = rows;
    monkey->columns = columns;
    pty_resize(monkey->pty, rows, columns);
}

static inline void monkey_resize_somehow(struct monkey *monkey)
{
    int rows = 1 + (int)monkey_draw(monkey, 60);
    monkey_resize(monkey, rows, 1 + (int)monkey_draw(monkey, 220));
}

/* By what was written last: libvterm 0.1 loses count of it over some changes of size. */
static inline bool monkey_sees_cursor(const struct monkey *monkey)
{
    static const char sequence[] = "\x1b[?25";
    size_t len = 0;
    const char *bytes = pty_bytes(monkey->pty, &len);
    char last = 'h';
    for (size_t at = 0; at + sizeof(sequence) <= len; at++) {
        if (memcmp(bytes + at, sequence, sizeof(sequence) - 1) == 0) {
            last = bytes[at + sizeof(sequence) - 1];
        }
    }
    return last == 'h';
}

/* The terminal as it was before: each mode of its line discipline, cursor, screen. */
static inline void monkey_assert_given_back(struct monkey *monkey)
{
    struct termios first = pty_first_termios(monkey->pty);
    struct termios last = pty_termios(monkey->pty);
    assert_int_equal(last.c_iflag, first.c_iflag);
    assert_int_equal(last.c_oflag, first.c_oflag);
    assert_int_equal(last.c_cflag, first.c_cflag);
    assert_int_equal(last.c_lflag, first.c_lflag);
    assert_memory_equal(last.c_cc, first.c_cc, sizeof(first.c_cc));
    assert_true(monkey_sees_cursor(monkey));
    assert_false(pty_is_alternate(monkey->pty));
}
