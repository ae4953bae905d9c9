/* SPDX-License-Identifier: MIT */
#pragma once

/* One line of a script into words, with the quoting of a POSIX shell (XCU 2.2) and nothing else of
 * it: no expansion, no globbing, no operators. '...' keeps everything, "..." keeps everything but
 * \" \\ \$ \`, a backslash outside keeps the next character, # at the start of a word begins a
 * comment. Any thread. */

#include <stdbool.h>
#include <stddef.h>

struct error;
struct strings;

/* Appends the words of line to words. An open quote or a backslash at the end is ERROR_INVALID, a
 * NUL is ERROR_FORMAT; words is then untouched. */
bool words_split(const char *line, size_t len, struct strings *words, struct error *err);
