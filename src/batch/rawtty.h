/* SPDX-License-Identifier: MIT */
#pragma once

/* The caller's terminal in raw mode for as long as a guest's shell or serial line has it, and back
 * as it was on every way out, crashes included (termios(3)). The settings to go back to are the one
 * piece of static state here: a signal handler has no other way to them. Main thread. */

#include <stdbool.h>

struct error;

/* Makes the terminal on fd raw. ERROR_INVALID when fd is no terminal. */
bool rawtty_enter(int fd, struct error *err);
/* As it was before rawtty_enter, and forgets it. Async-signal-safe; harmless when not raw. */
void rawtty_restore(void);
/* Around a stop of the process: as it was; raw again. */
void rawtty_suspend(void);
void rawtty_resume(void);

/* Writes the terminal's present size into the pipe to the engine as a struct command_window. False
 * when nobody reads it any more. */
bool rawtty_send_size(int fd, int window_fd);
