/* SPDX-License-Identifier: MIT */
#pragma once

/* The host's side of the agent line (base/wire.h). Each call is a connection of its own to the
 * machine's monitor, which shares the one line into the guest among all clients; so any number of
 * threads and processes may call at once. Workers and streaming threads; everything stops on
 * cancel and leaves nothing running in the guest. Without a monitor, or before the agent answered:
 * ERROR_UNSUPPORTED or ERROR_BUSY with the reason. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct cancel;
struct error;
struct json;
struct strings;

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
    uint64_t deadline; /* of clock_deadline: one that goes on then is ERROR_TIMEOUT; 0: none */
};

/* Runs a command in the guest and connects the descriptors. *exit_status as a shell would say it:
 * the command's own, 128 + n when signal n killed it, 126 not executable, 127 not found. False is
 * a failure of ours; ERROR_CANCELLED too when ^] came three times from a terminal, for a command with
 * a terminal of its own. Descriptors stay the caller's. A reader of stdout that went away closes the
 * stream, so that the guest's command gets SIGPIPE. */
bool agent_exec(int vm_dir, const struct agent_exec_spec *spec, const struct cancel *cancel,
    int *exit_status, struct error *err);

/* A copy into or out of the guest, as a stream of base/tree_stream.h. */
struct agent_copy_spec {
    bool is_into_guest;
    const char *path; /* in the guest, absolute */
    const char *name; /* into the guest: the top of the stream; NULL: an archive of any names */
    int fd;           /* carries the stream as it is, unless there is a function below */
    /* The next bytes, 0 at their end, -1 with *err. */
    ssize_t (*read)(void *context, void *bytes, size_t size, struct error *err);
    bool (*write)(void *context, const void *bytes, size_t len, struct error *err);
    void *context;
    uint64_t idle_ms; /* how long the guest may stand still; 0: a minute */
};
/* Copies. A guest that stands still is ERROR_TIMEOUT. */
bool agent_copy(
    int vm_dir, const struct agent_copy_spec *spec, const struct cancel *cancel, struct error *err);

/* A TCP connection to a port of the guest's own, until both directions have ended. */
bool agent_tcp(int vm_dir, uint16_t port, int in_fd, int out_fd, const struct cancel *cancel,
    struct error *err);

/* Listening sockets of the guest: adds "tcp=0.0.0.0 22 sshd" and the like. Foreign text.
 * timeout_ms 0: 10 s, here and below. */
bool agent_ports(int vm_dir, uint64_t timeout_ms, const struct cancel *cancel,
    struct strings *facts, struct error *err);
/* Sets the guest's clock to this host's. */
bool agent_set_time(
    int vm_dir, uint64_t timeout_ms, const struct cancel *cancel, struct error *err);

/* Flushes the guest's file systems. timeout_ms 0: 10 s. */
bool agent_sync(int vm_dir, uint64_t timeout_ms, const struct cancel *cancel, struct error *err);
/* Asks the guest to power itself off, or to reboot; returns once it agreed. */
bool agent_poweroff(
    int vm_dir, uint64_t timeout_ms, const struct cancel *cancel, struct error *err);
bool agent_reboot(int vm_dir, uint64_t timeout_ms, const struct cancel *cancel, struct error *err);
