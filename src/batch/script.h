/* SPDX-License-Identifier: MIT */
#pragma once

/* Scripts: one command a line, from a file or from stdin, run as they come, so that a program may
 * write line after line and read the results. Main thread. */

#include <stdbool.h>

struct error;
struct options;
struct runner;

/* Runs the lines of `path` ("-" is stdin) up to the first failure, or all of them with
 * options->is_keep_going. Returns the exit status. */
int script_run(struct runner *runner, const struct options *options, const char *path);
