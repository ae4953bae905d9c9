/* SPDX-License-Identifier: MIT */
#pragma once

/* Text into the clipboard of the terminal in front of the operator, through ssh and multiplexers:
 * OSC 52 (xterm's control sequences, "Operating System Commands"), wrapped for tmux and screen.
 * Whether the terminal took it cannot be seen, so it goes into a file, too. Main thread. */

#include <stddef.h>

struct seat;

/* More than this is only written to the file: terminals drop longer sequences. */
#define CLIPBOARD_MAX ((size_t)48 * 1024)

/* Says what was copied and where the file is. */
void clipboard_copy(struct seat *seat, const char *what, const char *text);
