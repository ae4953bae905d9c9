/* SPDX-License-Identifier: MIT */
#pragma once

/* The small process that stays with each machine: this program again, run as
 * `banger-tui --internal-monitor NAME UUID` with the machine's directory as its working directory
 * and its orders on descriptor 0. Single-threaded, one poll loop. It is the VMM's parent: writes
 * handle.json durably before the VMM's exec, holds the serial line (bounded log, any number of
 * watchers, one typist) and the agent line (shared by any number of clients), records boot.json and
 * exit.json, and ends when the VMM has ended. It survives the engine, the console and the ssh line:
 * a session of its own, no descriptor of the caller's, no signal of the terminal's.
 *
 * Clients speak to it through the socket MONITOR_SOCKET in the machine's directory;
 * monitor_client.h is their side. Each connection opens with one line of JSON and is answered by
 * one. */

#define MONITOR_SOCKET "monitor.sock"
#define MONITOR_LOCK "monitor.lock" /* held by the monitor as long as it lives: flock(2) */
#define MONITOR_OPTION "--internal-monitor"

/* Called by main.c when argv[1] is MONITOR_OPTION. Returns the exit status; says nothing. */
int monitor_main(int argc, char **argv);
