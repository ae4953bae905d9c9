/* SPDX-License-Identifier: MIT */
#pragma once

/* The parser of the words behind --batch: from "kernel pull debian-cloud --format json" to
 * commands for the engine, by the command table alone. Options of the verb and common ones may
 * stand anywhere behind the verb, common ones before it too; "--x=v", "--x v", "-x v", "-xv" and
 * "-ab" for flags are read; "--" ends the options, and for a verb that runs a command begins
 * that command. Main thread. */

#include "batch/options.h"

#include <stdbool.h>
#include <stddef.h>

struct command;
struct error;
struct text;
struct verb;

struct request {
    const struct verb *verb;   /* NULL with wants_help: about the subject or everything */
    const char *subject;       /* of the help that is wanted; points into the table or is "" */
    bool carries_stream;       /* the verb takes over stdout: its result is a stream, never JSON */
    bool wants_help;           /* --help was among the words: the rest was not checked */
    struct command **commands; /* one; of a VERB_EACH verb one per operand, in their order */
    size_t count;
    char *script; /* path or "-": a script instead of a command; NULL for none; owned */
    struct options options;
};

void request_init(struct request *request);
void request_done(struct request *request);
/* `base` gives the options where the words give none; is_line refuses the options that shape the
 * engine and scripts within scripts. Without a command among the words it is a script. On failure
 * (ERROR_INVALID, naming near words where there are any) request->options still hold the format
 * that the words ask for, because the error is printed in it. */
bool request_parse(struct request *request, char *const *words, size_t count,
    const struct options *base, bool is_line, struct error *err);

/* Failures of ours are 125, so that the guest's own status can be told from them. */
bool request_runs_command(const struct request *request);
/* Needs the caller's terminal in raw mode. */
bool request_wants_terminal(const struct request *request);
