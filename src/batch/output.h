/* SPDX-License-Identifier: MIT */
#pragma once

/* The two ways out of a batch run: stdout for the result alone, stderr for everything else. A
 * result that did not arrive is a failure of the command (ERROR_IO, ERROR_NO_SPACE); a reader
 * that went away ends the program as quietly as SIGPIPE would. Main thread. */

#include <stdbool.h>
#include <stddef.h>

struct error;
struct text;

/* Writes all of it to stdout. */
bool output_result(const struct text *text, struct error *err);
/* Of the terminal behind it, 80 where it does not say; 0: no terminal. */
size_t output_columns(int fd);
/* "program: sentence" and a line end to stderr, foreign bytes made visible. */
void output_complain(const char *program, const char *sentence, bool is_utf8);
