/* SPDX-License-Identifier: MIT */
#pragma once

/* Completion scripts for shells, from the command table. They complete subjects, verbs, options and
 * choices by themselves and ask the program for live names, which is silent and quick when there is
 * no state. Any thread. */

struct text;

/* shell: "bash", "zsh" or "fish". */
void completion_append(const char *shell, struct text *out);
