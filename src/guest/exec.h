/* SPDX-License-Identifier: MIT */
#pragma once

/* Starting one command with pipes or a terminal. The descriptors are the agent's ends, nonblocking
 * and close-on-exec. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "guest/command.h"

struct facts;
struct wire_frame;

struct exec_request {
    struct command command;
    uint16_t rows, columns;
};

struct exec_child {
    pid_t pid;
    int in_fd, out_fd, err_fd; /* with a terminal err_fd is -1 */
    int start_fd;              /* a struct command_failure, or end of file once it runs */
};

/* Reads an OPEN. NULL, or what is wrong with it. */
const char *exec_parse(const struct wire_frame *frame, struct exec_request *request);
/* False with errno; nothing is left open then. */
bool exec_start(
    const struct exec_request *request, const struct facts *facts, struct exec_child *child);
void exec_resize(int terminal_fd, uint16_t rows, uint16_t columns);
