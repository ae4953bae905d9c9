/* SPDX-License-Identifier: MIT */
#pragma once

/* The verbs that the front end answers alone: help, version, completion. They need no state
 * directory, no rights and no network. Main thread. */

struct request;
struct runner;

/* Prints the answer; returns the exit status. */
int local_run(const struct runner *runner, const struct request *request, const char *place);
