/* SPDX-License-Identifier: MIT */
#include "batch/signals.h"

#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/memory.h"
#include "batch/rawtty.h"

static void add_unless_ignored(sigset_t *set, int number)
{
    struct sigaction action;
    if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_IGN) {
        sigaddset(set, number);
    }
}

static void set_disposition(int number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

void signals_init(struct signals *signals)
{
    sigset_t set;
    sigemptyset(&set);
    add_unless_ignored(&set, SIGINT);
    add_unless_ignored(&set, SIGTERM);
    add_unless_ignored(&set, SIGHUP);
    add_unless_ignored(&set, SIGTSTP);
    sigaddset(&set, SIGWINCH);
    *signals = (struct signals){.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)};
    set_disposition(SIGPIPE, SIG_IGN);
    if (signals->fd >= 0) {
        sigprocmask(SIG_BLOCK, &set, &signals->before);
    }
}

void signals_done(struct signals *signals)
{
    if (signals->fd >= 0) {
        close(take_fd(&signals->fd));
        sigprocmask(SIG_SETMASK, &signals->before, NULL);
    }
}

/* A stop from outside while the terminal is raw (the key itself goes to the guest). */
static void stop_here(void)
{
    rawtty_suspend();
    raise(SIGSTOP);
    rawtty_resume();
}

void signals_read(struct signals *signals)
{
    struct signalfd_siginfo info;
    while (read(signals->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        int number = (int)info.ssi_signo;
        if (number == SIGWINCH) {
            signals->is_resized = true;
        } else if (number == SIGTSTP) {
            stop_here();
            signals->is_resized = true;
        } else if (signals->asked == 0) {
            signals->asked = number;
        } else {
            rawtty_restore();
            _exit(128 + number);
        }
    }
}

void signals_die_of_pipe(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    set_disposition(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    raise(SIGPIPE);
    _exit(128 + SIGPIPE);
}
