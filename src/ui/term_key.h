/* SPDX-License-Identifier: MIT */
#pragma once

/* What is typed: characters put together from bytes in the locale's encoding, function keys by
 * terminfo and the sequences most terminals send, clicks by xterm's SGR reports (its page "Control
 * Sequences", 1006). A byte that belongs to no character is passed over, alone. Main thread, between
 * term_open and term_close. */

#include <stdbool.h>

/* Once, as the terminal is taken. */
void term_define_keys(void);

/* One key as a number (keys.h), KEY_NONE when none waits. *is_lost is set when the terminal is
 * gone. KEY_RESIZE never comes: sizes change by term_resize. */
int term_key(bool *is_lost);
/* A click or a turn of the wheel, from 0 at the upper left. */
struct term_click {
    int y, x;
    enum { CLICK_PRESS, CLICK_WHEEL_UP, CLICK_WHEEL_DOWN } kind;
};
/* What the key KEY_MOUSE stands for; false when it was something else. */
bool term_click(struct term_click *click);
