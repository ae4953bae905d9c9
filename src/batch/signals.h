/* SPDX-License-Identifier: MIT */
#pragma once

/* The signals a batch run answers, as something poll() can wait on (signalfd(2)). The first
 * SIGINT, SIGTERM or SIGHUP asks for a clean end, the second leaves at once with 128 + its number.
 * A signal that was ignored when the program started (nohup, a shell's "&") stays ignored. SIGPIPE
 * is ignored: a closed pipe is seen where it is written to. Main thread, before any other. */

#include <signal.h>
#include <stdbool.h>

struct signals {
    int fd;
    sigset_t before; /* the mask to go back to */
    int asked;       /* the signal that asked for the end; 0 while none did */
    bool is_resized; /* SIGWINCH came; whoever acts on it clears this */
};

/* Where the system has no descriptor left for it, fd is -1 and signals act as by default. */
void signals_init(struct signals *signals);
void signals_done(struct signals *signals);
/* Call when fd is readable. Does not return on the second request to end. */
void signals_read(struct signals *signals);
/* Ends the process the way SIGPIPE does. */
_Noreturn void signals_die_of_pipe(void);
