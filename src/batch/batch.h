/* SPDX-License-Identifier: MIT */
#pragma once

/* The front end for scripts: one command or a file of them through the engine's door, results on
 * stdout, everything else on stderr, an exit status (FORMATS, "Batch mode"; CONSOLE B01-B20).
 * Never a prompt, never curses. Called by main.c, in the main thread, before any other thread is
 * there; the engine is made only for verbs that need one. */

#include "engine/engine.h"

#include <stdbool.h>
#include <stddef.h>

/* What main.c read from outside. Options on the command line replace fields of `config`. */
struct batch_setup {
    const char *program;         /* opens messages: "banger-tui" or "banger" */
    const char *version;         /* of this program */
    struct engine_config config; /* from the environment; state_dir NULL when nothing tells it */
    const char *term;            /* $TERM; NULL when not set */
    bool is_utf8;                /* the locale can show more than ASCII */
};

/* Runs the words behind --batch (possibly none: a script from stdin). Returns the exit status. */
int batch_main(const struct batch_setup *setup, char *const *words, size_t count);
/* Writes the man page, banger-tui(1), to stdout. Returns the exit status. */
int batch_manual(const struct batch_setup *setup);
