/* SPDX-License-Identifier: MIT */
#pragma once

/* How a monitor starts its VMM: the lines are bound and connected first, so that nothing is lost and
 * nothing races; the child is forked and waits at a gate; the monitor writes handle.json; then the
 * gate opens and the child execs. If the monitor dies before, the gate closes and the child exits:
 * no VMM can run that has no durable record. Single-threaded callers only (fork). */

#include "vm/net_space.h"
#include "vm/vmm.h"

#include <stdbool.h>
#include <sys/types.h>

struct error;
struct monitor_order;

struct launch {
    pid_t pid;
    int pidfd;
    int stderr_fd;             /* what the VMM says, non-blocking */
    int lines[VMM_LINE_COUNT]; /* our ends, connected, non-blocking; -1: none */
    int gate_fd;               /* write end; -1 once it was used */
    bool has_begun;            /* the program itself runs, or ran */
    int exec_fd;               /* closes at exec, or tells errno */
    int alive_fd;              /* closes with the VMM; -1 outside a namespace of its own */
    struct net_server server;  /* of that namespace */
};

/* A launch that holds nothing. */
void launch_init(struct launch *launch);
/* Binds and connects the lines in vm_dir, the current directory, and forks. */
bool launch_prepare(
    const struct monitor_order *order, int vm_dir, struct launch *launch, struct error *err);
/* Opens the gate and waits for the exec. On the way to it the child enters a namespace of its own
 * where the order says so, and the network there is served before it goes on. */
bool launch_release(const struct monitor_order *order, struct launch *launch, struct error *err);
/* Closes descriptors; a child still at the gate exits by itself and is reaped. */
void launch_done(struct launch *launch);
/* Removes from the directory what a run, also one that was killed, leaves beside its records: sockets
 * and records that were never finished. Only while no other monitor can be there. */
void launch_sweep(int vm_dir);
/* Removes the sockets of the lines alone: between two VMMs of one monitor. */
void launch_sweep_lines(int vm_dir);
