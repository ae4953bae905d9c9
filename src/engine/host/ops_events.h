/* SPDX-License-Identifier: MIT */
#pragma once

/* events, the part about deeds: what was done here, by whom and from where, as every process writes
 * it down (change_log.h). One verb's worker. */

#include <stdbool.h>
#include <stdint.h>

struct change;
struct command;
struct error;
struct json;
struct text;

/* The moment of --since: "90m", "2d", "2026-07-01", a time of RFC 3339, "today", "yesterday" or "all",
 * days as of UTC. ERROR_INVALID. */
bool events_read_since(const char *word, int64_t now, int64_t *since, struct error *err);
/* What the command's words leave of what happens: objects, names, subjects, a login. */
bool events_wants(const struct command *command, const char *kind, const char *name);
bool events_wants_deed(const struct command *command, const struct change *change);
/* As a line of JSON, caller frees; and any such line for people, without control characters. */
struct json *events_deed(const struct change *change);
void events_write_plain(const struct json *event, struct text *out);
