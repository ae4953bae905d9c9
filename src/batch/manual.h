/* SPDX-License-Identifier: MIT */
#pragma once

/* banger-tui(1) in roff (man(7)), from the command table and the topics; written by the built
 * program itself (--internal-manual) when it is installed. Any thread. */

struct text;

void manual_append(const char *version, struct text *out);
