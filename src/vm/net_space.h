/* SPDX-License-Identifier: MIT */
#pragma once

/* A network for a VMM that has none of its own and no rights on this host: a network namespace (and,
 * for an ordinary user, a user namespace around it) that the VMM is executed in. In it a tap for the
 * machine and one that slirp4netns serves are joined by a bridge, so the guest has the addresses of
 * QEMU's user networking and knows no difference. The VMM may be any that opens a tap by its name.
 *
 * The namespace is gone with the VMM, and so is slirp4netns, which watches a pipe that only the VMM
 * holds: nothing of this can be left behind, also when the monitor dies. Used by the monitor; the
 * first function by workers. */

#include <stdbool.h>
#include <sys/types.h>

struct error;

/* The machine's tap, inside. */
#define NET_SPACE_TAP "tap0"

/* Whether this host and user can have one: ERROR_UNSUPPORTED or ERROR_PERMISSION with the next
 * step. */
bool net_space_check(struct error *err);

/* In the child that will be the VMM: enters new namespaces and makes what is in them. 0, or errno. */
int net_space_enter(void);

struct net_server {
    pid_t pid; /* of slirp4netns; -1: none */
    int pidfd;
};
/* Connects the namespaces of that child, and returns once packets flow. alive_fd: readable when the
 * VMM is gone; it stays the caller's. */
bool net_space_serve(pid_t child, int alive_fd, struct net_server *server, struct error *err);
/* The one that serves that VMM already, for a monitor that did not start it. False: none does. */
bool net_space_find(pid_t vmm, struct net_server *server);
/* An end of the pipe that only that VMM holds the other end of, there under that number: readable when
 * the VMM is gone. -1: it cannot be had. */
int net_space_open_alive(pid_t vmm, int number);
/* The VMM is gone: waits for the server's end, or brings it about. */
void net_server_done(struct net_server *server);
