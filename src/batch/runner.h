/* SPDX-License-Identifier: MIT */
#pragma once

/* Carries out requests: answers those of the front end itself, submits the others to the engine,
 * waits for their jobs beside the signals, shows progress, prints results. Makes the engine when
 * the first request needs one. Main thread. */

#include "batch/batch.h"
#include "batch/options.h"
#include "batch/signals.h"

#include <stdbool.h>

struct engine;
struct error;
struct request;

struct runner {
    const struct batch_setup *setup;
    const struct options *options; /* of the command line */
    bool is_utf8;
    bool is_script; /* stdin is not for the guests */
    bool is_left;   /* goes on with what a console left */
    struct signals signals;
    struct engine *engine; /* NULL until needed */
};

void runner_init(struct runner *runner, const struct batch_setup *setup,
    const struct options *options, bool is_script);
/* Stops the engine. A signal during this ends the process at once. */
void runner_done(struct runner *runner);
/* Returns the exit status. `place` is "FILE:LINE" for a script's line, NULL otherwise. The commands
 * of the request are handed over. */
int runner_run(struct runner *runner, struct request *request, const char *place);
/* For words that did not parse: the sentence, and the error object where that is the format. */
int runner_refuse(const struct runner *runner, const struct request *request, const char *place,
    const struct error *error);
