/* SPDX-License-Identifier: MIT */
#pragma once

/* A connection to a port in the guest through the socket that Firecracker puts in front of its
 * vsock: "CONNECT port" is answered with "OK number" once somebody listens in the guest, and hung
 * up on until then, so it is tried again, less and less often. Never blocks: for the monitor's
 * loop. One thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VSOCK_ANSWER_MAX 32

struct vsock_dial {
    int fd;           /* on its way; -1: none. Readable when vsock_dial_go_on has something to do */
    uint64_t next_ms; /* monotonic: when the next attempt is due */
    uint64_t step_ms; /* between attempts */
    uint64_t give_up_ms; /* monotonic: an attempt that hangs is over then */
    size_t len;
    char answer[VSOCK_ANSWER_MAX];
};

/* The first attempt is due at once. */
void vsock_dial_init(struct vsock_dial *dial);
void vsock_dial_done(struct vsock_dial *dial);
/* There may be somebody now: the next attempts come quickly again. */
void vsock_dial_hurry(struct vsock_dial *dial);
/* For poll(): until the next attempt is due, or the one on its way is given up. */
int vsock_dial_wait_ms(const struct vsock_dial *dial);
/* Begins an attempt if one is due, and reads what has come of the one on its way. The connected
 * descriptor, the caller's, with no byte of the guest's read; -1 until there is one. */
int vsock_dial_go_on(struct vsock_dial *dial, int vm_dir, const char *socket, unsigned port);
