/* SPDX-License-Identifier: MIT */
#pragma once

/* The host's side of the agent line (base/wire.h). Each call is a connection of its own to the
 * machine's monitor, which shares the one line into the guest among all clients; so any number of
 * threads and processes may call at once. Workers and streaming threads; everything stops on
 * cancel and leaves nothing running in the guest. Without a monitor, or before the agent answered:
 * ERROR_UNSUPPORTED or ERROR_BUSY with the reason. */

#include <stdbool.h>
#include <stdint.h>

struct cancel;
struct error;
struct json;

struct agent_exec_spec {
    const char *const *argv; /* argv[0] is looked up in the guest's PATH */
    const char *const *env;  /* K=V, on top of the image's; NULL: none */
    const char *cwd;         /* NULL: the image's */
    const char *user;        /* NULL: the image's */
    bool is_tty;             /* a terminal of its own in the guest; stderr goes to stdout */
    int stdin_fd;            /* -1: empty */
    int stdout_fd;           /* -1: thrown away */
    int stderr_fd;           /* -1: thrown away */
    int window_fd;           /* a pipe of records of two uint16_t, rows and columns, one for each
                              * change of size; one waiting in it at the start is the size to begin
                              * with; -1: never changes */
    uint16_t rows, columns;  /* size to begin with when window_fd says nothing; 0: 24 x 80 */
};

/* Runs a command in the guest and connects the descriptors. *exit_status as a shell would say it:
 * the command's own, 128 + n when signal n killed it, 126 not executable, 127 not found. False is
 * a failure of ours. Descriptors stay the caller's. A reader of stdout that went away closes the
 * stream, so that the guest's command gets SIGPIPE. */
bool agent_exec(int vm_dir, const struct agent_exec_spec *spec, const struct cancel *cancel,
    int *exit_status, struct error *err);

/* Flushes the guest's file systems. timeout_ms 0: 10 s. */
bool agent_sync(int vm_dir, uint64_t timeout_ms, const struct cancel *cancel, struct error *err);
/* Asks the guest to power itself off; returns once it agreed. */
bool agent_poweroff(
    int vm_dir, uint64_t timeout_ms, const struct cancel *cancel, struct error *err);
