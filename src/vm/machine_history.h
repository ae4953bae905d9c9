/* SPDX-License-Identifier: MIT */
#pragma once

/* The boots before the one of boot.json, newest first: boots.json in the machine's directory, written
 * by its monitor, read by anybody. Not durable: it explains, nothing is decided by it. */

struct error;
struct json;

#define MACHINE_HISTORY_FILE "boots.json"
#define MACHINE_HISTORY_MAX 9 /* ten with the latest */

/* Moves what boot.json says to the history, with how it ended: exit, or where that is NULL the
 * exit.json of the same boot. Nothing happens where there was no boot yet. */
void machine_history_keep(int vm_dir, const struct json *exit);
/* [{"started_at", "stages": [{"stage","ms"}], "exit": {exit.json}}]; empty where there is none. The
 * caller frees. */
struct json *machine_history_read(int vm_dir);
