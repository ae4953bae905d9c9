/* SPDX-License-Identifier: MIT */
#pragma once

/* The terminal: taken with newterm, given back exactly as it was on every way out. What is needed
 * for that (saved termios, the bytes that reset the screen) is prepared at the start in static
 * memory, because handlers of SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT use it; they run on a
 * stack of their own and then let the signal do what it would have done. Asynchronous signals are
 * blocked and read from a descriptor. One terminal per process, main thread.
 * Sources: signalfd(2), sigaltstack(2), termios(3), terminfo(5). */

#include <stdbool.h>
#include <stddef.h>

struct error;

/* Could a screen be shown here? ERROR_UNSUPPORTED; nothing is written. */
bool term_check(const char *term, struct error *err);
/* stderr goes to stderr_fd (-1: /dev/null) until term_close. ERROR_UNSUPPORTED. */
bool term_open(const char *term, int stderr_fd, struct error *err);
void term_close(void);

/* Between the two: gives the terminal to something else (another program, a guest's line) in the
 * state it had before term_open, and takes it back. is_raw: without line discipline, for a guest.*/
void term_lend(bool is_raw);
void term_take_back(void);
/* ^Z: gives it back, stops the process, takes it again when continued. */
void term_suspend(void);

/* Whether the terminal tells of clicks; off, its own selection works. */
void term_mouse(bool is_on);
bool term_has_mouse(void);
/* Sends bytes that are none of curses' business, such as what goes into the clipboard. */
void term_write(const char *bytes, size_t len);

/* Forgets keys typed before now: a dialog must not take a key that was meant for what is under
 * it. */
void term_drop_keys(void);

/* Readable when a signal came. */
int term_signal_fd(void);
/* Number of the next signal, 0 when there is none. */
int term_next_signal(void);
/* Tells curses the terminal's size of now; everything is sent again with the next frame. */
void term_resize(void);
void term_size(unsigned *height, unsigned *width);
/* Everything is sent again with the next frame. */
void term_repaint(void);
