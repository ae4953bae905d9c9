/* SPDX-License-Identifier: MIT */
#pragma once

/* Becoming a program of the image: user, environment, working directory, search in PATH. Called in
 * a child whose descriptors 0 to 2 are in place and whose other ones are close-on-exec. */

#include <stddef.h>

#include "guest/guest.h"

struct facts;

struct command {
    struct list argv; /* at least one */
    struct list env;  /* K=V, on top of the machine's own */
    char *cwd;        /* NULL: the image's, else the user's home, else / */
    char *user;       /* NULL: the image's, else root */
    bool is_tty;      /* descriptor 0 is a terminal of its own, to be the user's */
};

void command_done(struct command *command);

/* Why it did not come to that; written to failure_fd in one piece. */
struct command_failure {
    int outcome; /* enum wire_outcome */
    int error;   /* errno, or 0 */
    char text[400];
};

/* Never returns: exec, or failure_fd (which must be close-on-exec) and status 127. */
void command_exec(const struct command *command, const struct facts *facts, int failure_fd)
    __attribute__((noreturn));
