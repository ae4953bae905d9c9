/* SPDX-License-Identifier: MIT */
#pragma once

/* Copying into and out of the machine, in a process of its own: it may take long, and a disk that
 * hangs must not hang the agent. */

#include <stdbool.h>
#include <stdint.h>

#include "base/tree_stream.h"
#include "guest/exec.h"

struct wire_frame;

#define COPY_FORMAT TREE_FORMAT

struct copy_request {
    uint64_t format;
    bool is_into_guest;
    char *path;
    char *name; /* of the top; NULL: an archive of any names */
};

void copy_done(struct copy_request *request);
/* Reads an OPEN. NULL, or what is wrong with it. */
const char *copy_parse(const struct wire_frame *frame, struct copy_request *request);
/* err_fd is -1, and so is the channel that is not used. False with errno. */
bool copy_start(const struct copy_request *request, struct exec_child *child);
