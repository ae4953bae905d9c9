/* SPDX-License-Identifier: MIT */
#pragma once

/* The user's own systemd manager, which may outlive all sessions of the user: where it does, monitors
 * live in scopes of it, else with their callers. What a logout ends: with KillUserProcesses=yes all
 * that is in the session, whoever lingers; everything of the manager, unless the user lingers. So a
 * scope is asked for when the user lingers and the manager is there.
 *
 * Workers, and the monitor for where it is. Sources: logind.conf(5), loginctl(1), systemd-run(1),
 * systemd.scope(5), systemd.kill(5). */

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct error;
struct strings;

#define USER_UNIT_MAX 96
/* What every process of a scope gets when it is to end (as at a shutdown): nothing to a VMM, and the
 * order to stop to its monitor. TERM would be the cord pulled out of the wall. */
#define USER_MANAGER_STOP_SIGNAL SIGWINCH

/* The user's mark of lingering is there. */
bool user_manager_is_lingering(void);
/* It listens in that runtime directory, which is this user's, and there is a program to ask it with.
 * ERROR_UNSUPPORTED says what is missing. runtime_dir may be NULL: none. */
bool user_manager_is_reachable(const char *runtime_dir, struct error *err);
/* Both: what is started in a scope goes on after a logout. */
bool user_manager_keeps(const char *runtime_dir);

/* Puts before a command the words that run it, in the same process, in a scope of its own: named
 * after the machine and never like one that was, with a control group that is ours to divide. */
void user_manager_wrap(
    const char *runtime_dir, const char *name, const char *uuid, struct strings *argv);
/* The scope of that machine which a process is in; false: in none. */
bool user_manager_unit_of(pid_t pid, const char *uuid, char unit[USER_UNIT_MAX]);
