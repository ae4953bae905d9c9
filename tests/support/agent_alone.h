/* SPDX-License-Identifier: MIT */
#pragma once

/* The guest's agent without a machine around it: its own code in this process, with a descriptor of
 * the caller's where the port of the machine would be. What belongs to a machine is here: the line,
 * and what only a guest's root may do. The program brings power_end and clock_settime. */

#include <stdbool.h>
#include <stddef.h>

struct agent_alone {
    int port;   /* a socket */
    int events; /* lines "key=value" as PID 1 would write them; -1: none */
    const char *facts;
    size_t write_max; /* at most so many bytes in one write; 0: as many as fit */
    bool ends_with_line;
};

/* Every other descriptor from 5 on is closed. */
_Noreturn void agent_alone_run(const struct agent_alone *alone);
