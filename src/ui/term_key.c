/* SPDX-License-Identifier: MIT */
#include "ui/term_key.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include <curses.h>

#include "base/memory.h"
#include "ui/keys.h"
#include "ui/term.h"

/* A report of the mouse, which is read here and not by curses: it waits for the end of one for ever,
 * with all keys and signals, when a line or a flush has cut it off. */
#define REPORT_CODE (KEY_MAX + 1)
#define REPORT_MAX 24
#define REPORT_DELAY_MS 100

/* Static like the terminal there is one of. */
static struct {
    struct term_click click; /* the last one */
    mbstate_t character;     /* the bytes of it that have come */
} input;

/* Terminals that were not told about the keypad's other mode, and those whose entry is wrong, send
 * these; terminfo's own ones come on top. */
void term_define_keys(void)
{
    static const struct {
        const char *sequence;
        int key;
    } usual[] = {
        {"\x1b[A", KEY_UP},
        {"\x1b[B", KEY_DOWN},
        {"\x1b[C", KEY_RIGHT},
        {"\x1b[D", KEY_LEFT},
        {"\x1bOA", KEY_UP},
        {"\x1bOB", KEY_DOWN},
        {"\x1bOC", KEY_RIGHT},
        {"\x1bOD", KEY_LEFT},
        {"\x1b[H", KEY_HOME},
        {"\x1b[F", KEY_END},
        {"\x1b[1~", KEY_HOME},
        {"\x1b[4~", KEY_END},
        {"\x1b[5~", KEY_PPAGE},
        {"\x1b[6~", KEY_NPAGE},
        {"\x1b[Z", KEY_BTAB},
    };
    for (size_t i = 0; i < array_length(usual); i++) {
        if (key_defined(usual[i].sequence) == 0) {
            define_key(usual[i].sequence, usual[i].key);
        }
    }
    define_key("\x1b[<", REPORT_CODE);
}

/* OK with a character, KEY_CODE_YES, or ERR: nothing is left to read. Bytes are put together here
 * and not by get_wch(): behind a byte that belongs to no character that swallows what follows, and
 * keeps a function key where poll() does not see it, until the next key. */
static int read_key(wint_t *code)
{
    for (;;) {
        int got = getch();
        if (got == ERR) {
            return ERR;
        }
        bool is_key = got > UCHAR_MAX;
        bool is_behind = !mbsinit(&input.character);
        char byte = (char)got;
        wchar_t character = 0;
        size_t used = is_key ? 1 : mbrtowc(&character, &byte, 1, &input.character);
        if (used == (size_t)-2) {
            continue;
        }
        if (used == (size_t)-1 && is_behind) {
            input.character = (mbstate_t){0};
            used = mbrtowc(&character, &byte, 1, &input.character);
        }
        if (is_key || used == (size_t)-1) {
            input.character = (mbstate_t){0};
        }
        if (used <= 1) {
            *code = is_key ? (wint_t)got : (wint_t)character;
            return is_key ? KEY_CODE_YES : OK;
        }
    }
}

/* What follows its first characters: "0;20;5M". True: input.click is set. *kind, *next: what came
 * and belongs to no report, as of read_key(), or ERR. */
static bool read_report(int *kind, wint_t *next)
{
    char report[REPORT_MAX + 1] = "";
    size_t len = 0;
    bool has_end = false;
    while (len < REPORT_MAX && !has_end) {
        struct pollfd ready = {.fd = STDIN_FILENO, .events = POLLIN};
        *kind = read_key(next);
        if (*kind == ERR && poll(&ready, 1, REPORT_DELAY_MS) > 0) {
            *kind = read_key(next);
        }
        if (*kind != OK || *next > 0x7e || strchr("0123456789;Mm", (int)*next) == NULL) {
            return false;
        }
        report[len++] = (char)*next;
        has_end = *next == 'M' || *next == 'm';
    }
    *kind = ERR;
    unsigned button = 0;
    char end = 0;
    struct term_click click = {.kind = CLICK_PRESS};
    if (sscanf(report, "%5u;%5d;%5d%c", &button, &click.x, &click.y, &end) != 4 || end != 'M') {
        return false;
    }
    click.x--;
    click.y--;
    click.kind = button == 64 ? CLICK_WHEEL_UP : button == 65 ? CLICK_WHEEL_DOWN : CLICK_PRESS;
    input.click = click;
    return button == 0 || button == 64 || button == 65;
}

static int function_key(wint_t code)
{
    switch (code) {
    case KEY_ENTER:
        return '\r';
    case KEY_BACKSPACE:
        return 0x7f;
    case KEY_RESIZE:
        return KEY_NONE;
    default:
        return KEY_FUNCTION + (int)code;
    }
}

int term_key(bool *is_lost)
{
    wint_t code = 0;
    errno = 0;
    int kind = read_key(&code);
    while (kind == KEY_CODE_YES && code == REPORT_CODE) {
        if (read_report(&kind, &code)) {
            return KEY_FUNCTION + KEY_MOUSE;
        }
        kind = kind == ERR ? read_key(&code) : kind;
    }
    if (kind == ERR) {
        struct pollfd ready = {.fd = STDIN_FILENO, .events = POLLIN};
        *is_lost =
            poll(&ready, 1, 0) > 0 && ((ready.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0 ||
                                          (ready.revents & POLLIN && errno == EIO));
        return KEY_NONE;
    }
    if (kind == KEY_CODE_YES) {
        return function_key(code);
    }
    return code == '\n' ? '\r' : code == '\b' ? 0x7f : (int)code;
}

bool term_click(struct term_click *click)
{
    *click = input.click;
    return term_has_mouse();
}
