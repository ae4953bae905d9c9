/* SPDX-License-Identifier: MIT */
#pragma once

/* How the three parts of the program start one another. */

#include <sys/types.h>

struct facts;

/* Where the program lives once the root is entered, and what `ps` calls the agent: systemd spares
 * processes whose name begins with '@' when it ends all others. */
#define LAUNCH_DIR "/run/banger"
#define LAUNCH_PROGRAM LAUNCH_DIR "/guest"
#define LAUNCH_AGENT_NAME "@banger-guest"

/* Descriptors the agent begins with. */
#define LAUNCH_FACTS_FD 3
#define LAUNCH_EVENTS_FD 4 /* lines "key=value" from our own PID 1; closed otherwise */

/* Starts the agent; events_fd -1: none. -1 on failure. */
pid_t launch_agent(const struct facts *facts, int events_fd);

/* boot.c: what /init does; ends in the exec of the image's init or in pid1_main. */
void boot_main(char **argv) __attribute__((noreturn));
/* pid1.c: PID 1 of an image without an init. disk_fd: on the file system that takes the writes. */
void pid1_main(struct facts *facts, int disk_fd) __attribute__((noreturn));
/* agent.c */
void agent_main(void) __attribute__((noreturn));
