/* SPDX-License-Identifier: MIT */
#pragma once

/* Lending the terminal to a guest: a shell through the agent or the serial line. The screen is put
 * aside, the verb runs with the terminal's own descriptors, changes of size are passed on, and when
 * it ends the screen is taken back with whatever the guest left switched on switched off. Main
 * thread; returns when the verb has ended. */

struct command;
struct seat;

/* Owns the command. */
void attach_run(struct seat *seat, struct command *command);
