/* SPDX-License-Identifier: MIT */
#pragma once

/* Scripts: one command a line, from a file or from stdin, run as they come, so that a program may
 * write line after line and read the results. Main thread. */

struct request;
struct runner;

/* Runs the lines of request->script ("-" is stdin) up to the first failure, or all of them with
 * --keep-going. Returns the exit status. */
int script_run(struct runner *runner, const struct request *request);
