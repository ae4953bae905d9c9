/* SPDX-License-Identifier: MIT */
#pragma once

/* A batch line back to a command, as typed into the palette or kept by a job: words quoted as in a
 * shell (which is never asked), then the verb's own arguments. Pure. Main thread. */

#include <stdbool.h>
#include <stddef.h>

struct command;
struct error;
struct strings;
struct verb;

/* Splits at blanks; '...', "..." and \ quote. ERROR_INVALID for a quote without its end. */
bool line_split(const char *line, struct strings *words, struct error *err);
/* The verb that words begin with: "kernel list", "host trash list" where it has two words, "events"
 * where it has no subject; *used counts them all. NULL when there is none. */
const struct verb *line_verb(const struct strings *words, size_t *used);
/* "kernel pull lab --force" as a command; the caller's. NULL: ERROR_INVALID says which word. What is
 * required may be missing: command_check tells. */
struct command *line_parse(const char *line, struct error *err);
