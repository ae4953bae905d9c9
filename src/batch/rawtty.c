/* SPDX-License-Identifier: MIT */
#include "batch/rawtty.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "engine/command.h"

static struct {
    volatile sig_atomic_t is_raw;
    int fd;
    struct termios before;
    struct termios raw;
} restore = {.fd = -1};

static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGQUIT};

static void restore_and_die(int number)
{
    rawtty_restore();
    raise(number); /* SA_RESETHAND: the default action this time */
}

static void set_fatal_handlers(void (*handler)(int))
{
    for (size_t i = 0; i < array_length(fatal_signals); ++i) {
        struct sigaction action = {.sa_handler = handler, .sa_flags = (int)SA_RESETHAND};
        sigemptyset(&action.sa_mask);
        sigaction(fatal_signals[i], &action, NULL);
    }
}

/* SIGTTOU stops a background process that touches the terminal; blocked, it may. */
static void set_terminal(int fd, const struct termios *settings)
{
    sigset_t set;
    sigset_t before;
    sigemptyset(&set);
    sigaddset(&set, SIGTTOU);
    sigprocmask(SIG_BLOCK, &set, &before);
    tcsetattr(fd, TCSADRAIN, settings);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

bool rawtty_enter(int fd, struct error *err)
{
    struct termios before;
    if (tcgetattr(fd, &before) != 0) {
        if (errno == ENOTTY || errno == EINVAL) {
            return error_set(err, ERROR_INVALID,
                "stdin is not a terminal: leave the terminal option away, or call this from one");
        }
        return error_set_errno(err, errno, "cannot read the settings of the terminal");
    }
    restore.fd = fd;
    restore.before = before;
    restore.raw = before;
    cfmakeraw(&restore.raw);
    restore.is_raw = true;
    set_fatal_handlers(restore_and_die);
    set_terminal(fd, &restore.raw);
    return true;
}

void rawtty_restore(void)
{
    if (restore.is_raw) {
        restore.is_raw = false;
        set_terminal(restore.fd, &restore.before);
        set_fatal_handlers(SIG_DFL);
    }
}

void rawtty_suspend(void)
{
    if (restore.is_raw) {
        set_terminal(restore.fd, &restore.before);
    }
}

void rawtty_resume(void)
{
    if (restore.is_raw) {
        set_terminal(restore.fd, &restore.raw);
    }
}

bool rawtty_send_size(int fd, int window_fd)
{
    struct winsize size = {0};
    if (ioctl(fd, TIOCGWINSZ, &size) != 0) {
        return true;
    }
    struct command_window record = {.rows = size.ws_row, .columns = size.ws_col};
    ssize_t written = write(window_fd, &record, sizeof(record));
    return written == (ssize_t)sizeof(record) || (written < 0 && errno == EAGAIN);
}
