/* SPDX-License-Identifier: MIT */
#pragma once

/* The console: one loop in the main thread that draws what the engine knows and turns keys into
 * commands. main.c makes the engine, calls ui_run once, frees the engine. While it runs, stdin and
 * stdout belong to the screen and stderr goes to options->stderr_fd. The terminal is given back as
 * it was on every way out, crashes and signals included.
 *
 * Before any thread starts, main must have called setlocale(LC_CTYPE, "") and must have blocked
 * nothing: ui_run blocks and reads SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT and SIGWINCH
 * for as long as it runs; threads of the engine have all signals blocked. */

#include <stdbool.h>

struct engine;
struct error;

/* Strings are borrowed for the length of the call. */
struct ui_options {
    const char *term;  /* $TERM; see ui_check */
    bool is_ascii;     /* --ascii: no character above 0x7e, whatever the locale says */
    bool is_colorless; /* --no-color, or NO_COLOR set and not empty */
    bool is_readonly;  /* --readonly: keys that change something are not offered */
    bool is_tmux;      /* below tmux, which hands on what is wrapped for it */
    const char *home;  /* what "~/" stands for in forms; NULL: nothing */
    int stderr_fd;     /* where stderr goes while curses is up; -1: /dev/null */
};

/* Whether there is a terminal that can show the screen; nothing is written to it. To be asked
 * before the engine is made. ERROR_UNSUPPORTED: the sentence ends with the line to type instead. */
bool ui_check(const struct ui_options *options, struct error *err);
/* Returns the exit status of the program: 0 after a quit, 69 when the screen could not be opened
 * (with a sentence on stderr), 129 / 130 / 143 when a signal asked for the end. Running transfers
 * were handed over or cancelled as the operator chose; a lost terminal leaves them running. */
int ui_run(struct engine *engine, const struct ui_options *options);
