/* SPDX-License-Identifier: MIT */
#include "ui/term.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <curses.h>
#include <term.h>

#include "base/error.h"
#include "base/memory.h"
#include "ui/term_key.h"

/* An escape alone is a key of its own; what follows one within this time belongs to a sequence. */
#define ESCAPE_DELAY_MS 40

static const int watched_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH};
static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

/* Static because crash handlers need it: they can be handed nothing. */
static struct {
    volatile sig_atomic_t is_taken; /* the screen is ours: something must be undone */
    struct termios before;
    char reset[512]; /* what puts the screen back */
    size_t reset_len;
    char alternate_stack[32 * 1024];
    struct sigaction old_actions[array_length(fatal_signals)];
    sigset_t old_mask;
    stack_t old_stack;
    SCREEN *screen;
    int signal_fd;
    int saved_stderr;
    bool has_mouse;
} terminal = {.signal_fd = -1, .saved_stderr = -1};

/* What a guest may have switched on while it had the terminal, switched off: character set, insert
 * and origin mode, scroll region, alternate screen, mouse reports, bracketed paste, hidden cursor,
 * colours (ECMA-48; xterm's private modes, which others pass over). Some of it moves the cursor to
 * where it was long ago: what is written here later begins below everything the guest wrote. */
static const char after_guest[] = "\x0f\x1b(B\x1b[4l\x1b[?6l\x1b[r\x1b[?7h\x1b[?1049l\x1b[?1000l"
                                  "\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?1l\x1b>"
                                  "\x1b[?25h\x1b[0m\x1b[999;1H\r\n";

/* xterm's private modes: reports of presses, in decimal; none of them. */
static const char mouse[] = "\x1b[?1000h\x1b[?1006h";
static const char no_mouse[] = "\x1b[?1000l\x1b[?1006l";

/* Async-signal-safe. */
static void write_terminal(const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t wrote = write(STDOUT_FILENO, bytes, len);
        if (wrote <= 0) {
            return; /* a terminal that is gone needs nothing */
        }
        bytes += wrote;
        len -= (size_t)wrote;
    }
}

/* Async-signal-safe. */
static void restore_now(void)
{
    if (!terminal.is_taken) {
        return;
    }
    terminal.is_taken = 0;
    write_terminal(terminal.reset, terminal.reset_len);
    tcsetattr(STDIN_FILENO, TCSANOW, &terminal.before);
}

static void on_fatal(int number, siginfo_t *info, void *context)
{
    (void)context;
    restore_now();
    for (size_t i = 0; i < array_length(fatal_signals); i++) {
        if (fatal_signals[i] == number) {
            sigaction(number, &terminal.old_actions[i], NULL);
        }
    }
    /* A fault happens again by itself when this returns, with its address for whoever looks; what
     * was sent must be sent again. */
    if (info->si_code <= 0 || number == SIGABRT) {
        raise(number);
    }
}

static void install_handlers(void)
{
    stack_t stack = {
        .ss_sp = terminal.alternate_stack, .ss_size = sizeof(terminal.alternate_stack)};
    sigaltstack(&stack, &terminal.old_stack);
    struct sigaction action = {.sa_sigaction = on_fatal, .sa_flags = SA_ONSTACK | SA_SIGINFO};
    sigfillset(&action.sa_mask);
    for (size_t i = 0; i < array_length(fatal_signals); i++) {
        sigaction(fatal_signals[i], &action, &terminal.old_actions[i]);
    }
    sigset_t watched;
    sigemptyset(&watched);
    for (size_t i = 0; i < array_length(watched_signals); i++) {
        sigaddset(&watched, watched_signals[i]);
    }
    sigprocmask(SIG_BLOCK, &watched, &terminal.old_mask);
    terminal.signal_fd = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void remove_handlers(void)
{
    for (size_t i = 0; i < array_length(fatal_signals); i++) {
        sigaction(fatal_signals[i], &terminal.old_actions[i], NULL);
    }
    sigaltstack(&terminal.old_stack, NULL);
    /* What was answered already must not be delivered once more when the mask goes. */
    while (term_next_signal() != 0) {
    }
    memory_auto_close(&terminal.signal_fd);
    terminal.signal_fd = -1;
    sigprocmask(SIG_SETMASK, &terminal.old_mask, NULL);
}

static void add_reset(const char *capability)
{
    if (capability == NULL || capability == (char *)-1) {
        return;
    }
    /* "$<5>" asks for padding, which no terminal of today needs. */
    for (const char *c = capability; *c != '\0'; c++) {
        if (c[0] == '$' && c[1] == '<' && strchr(c, '>') != NULL) {
            c = strchr(c, '>');
        } else if (terminal.reset_len < sizeof(terminal.reset)) {
            terminal.reset[terminal.reset_len++] = *c;
        }
    }
}

static void prepare_reset(void)
{
    terminal.reset_len = 0;
    if (terminal.has_mouse) {
        add_reset(no_mouse);
    }
    add_reset(exit_attribute_mode);
    add_reset(cursor_normal);
    add_reset(keypad_local);
    if (exit_ca_mode != NULL) {
        add_reset(exit_ca_mode);
    } else {
        add_reset(clear_screen);
    }
    add_reset("\r");
}

bool term_check(const char *term, struct error *err)
{
    static const char instead[] = "type: banger-tui --batch help";
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        return error_set(err, ERROR_UNSUPPORTED,
            "the console needs a terminal on standard input and output; %s", instead);
    }
    if (term == NULL || term[0] == '\0') {
        return error_set(err, ERROR_UNSUPPORTED,
            "TERM is not set, so nothing is known about this terminal; type: "
            "TERM=xterm-256color banger-tui");
    }
    int found = 0;
    if (setupterm(term, STDOUT_FILENO, &found) != OK) {
        return error_set(err, ERROR_UNSUPPORTED,
            "terminal type \"%s\" is not known here; type: TERM=xterm-256color banger-tui", term);
    }
    bool has_cursor = cursor_address != NULL;
    del_curterm(cur_term); /* newterm makes its own */
    if (!has_cursor) {
        return error_set(err, ERROR_UNSUPPORTED, "terminal type \"%s\" cannot place a cursor; %s",
            term, instead);
    }
    return true;
}

static void redirect_stderr(int stderr_fd)
{
    terminal.saved_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    auto_close int null = stderr_fd < 0 ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;
    int target = stderr_fd < 0 ? null : stderr_fd;
    if (target >= 0) {
        dup2(target, STDERR_FILENO);
    }
}

/* The modes of the screen: raw, so that ^C, ^Z and ^S are keys like others. */
static void set_modes(void)
{
    raw();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    meta(stdscr, TRUE);
    intrflush(stdscr, FALSE);
    leaveok(stdscr, FALSE);
    curs_set(0);
    write_terminal(mouse, terminal.has_mouse ? sizeof(mouse) - 1 : 0);
}

bool term_open(const char *term, int stderr_fd, struct error *err)
{
    if (!term_check(term, err)) {
        return false;
    }
    if (tcgetattr(STDIN_FILENO, &terminal.before) != 0) {
        return error_set_errno(err, errno, "cannot read the terminal's settings");
    }
    install_handlers();
    set_escdelay(ESCAPE_DELAY_MS);
    terminal.screen = newterm(term, stdout, stdin);
    if (terminal.screen == NULL) {
        remove_handlers();
        return error_set(err, ERROR_UNSUPPORTED,
            "terminal type \"%s\" cannot show a screen; type: banger-tui --batch help", term);
    }
    prepare_reset();
    terminal.is_taken = 1;
    atexit(restore_now);
    redirect_stderr(stderr_fd);
    set_modes();
    term_define_keys();
    keyok(KEY_MOUSE, FALSE);
    return true;
}

void term_close(void)
{
    if (terminal.screen == NULL) {
        return;
    }
    endwin();
    restore_now();
    delscreen(terminal.screen);
    terminal.screen = NULL;
    if (terminal.saved_stderr >= 0) {
        dup2(terminal.saved_stderr, STDERR_FILENO);
        close(terminal.saved_stderr);
        terminal.saved_stderr = -1;
    }
    remove_handlers();
}

void term_lend(bool is_raw)
{
    write_terminal(no_mouse, terminal.has_mouse ? sizeof(no_mouse) - 1 : 0);
    endwin();
    struct termios lent = terminal.before;
    if (is_raw) {
        cfmakeraw(&lent);
    }
    tcsetattr(STDIN_FILENO, TCSADRAIN, &lent);
}

void term_take_back(void)
{
    write_terminal(after_guest, sizeof(after_guest) - 1);
    term_resize();
    set_modes();
}

void term_suspend(void)
{
    write_terminal(no_mouse, terminal.has_mouse ? sizeof(no_mouse) - 1 : 0);
    endwin();
    tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal.before);
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTSTP);
    struct sigaction old;
    struct sigaction plain = {.sa_handler = SIG_DFL};
    sigaction(SIGTSTP, &plain, &old);
    raise(SIGTSTP); /* blocked so far */
    /* Stopped here, until SIGCONT. */
    sigprocmask(SIG_UNBLOCK, &stop, NULL);
    sigprocmask(SIG_BLOCK, &stop, NULL);
    sigaction(SIGTSTP, &old, NULL);
    term_resize();
    set_modes();
}

bool term_has_mouse(void)
{
    return terminal.has_mouse;
}

void term_mouse(bool is_on)
{
    terminal.has_mouse = is_on && key_mouse != NULL;
    write_terminal(is_on ? mouse : no_mouse, strlen(is_on ? mouse : no_mouse));
    prepare_reset();
}

void term_write(const char *bytes, size_t len)
{
    write_terminal(bytes, len);
}

void term_drop_keys(void)
{
    flushinp();
}

int term_signal_fd(void)
{
    return terminal.signal_fd;
}

int term_next_signal(void)
{
    struct signalfd_siginfo info;
    ssize_t got = read(terminal.signal_fd, &info, sizeof(info));
    return got == (ssize_t)sizeof(info) ? (int)info.ssi_signo : 0;
}

void term_size(unsigned *height, unsigned *width)
{
    struct winsize size = {0};
    *height = 24;
    *width = 80;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0) {
        *height = size.ws_row;
        *width = size.ws_col;
    }
}

/* A scroll region that was set for one size, as the size became another, stays set: insertions and
 * scrolling go wrong outside it. It moves the cursor home, so a repaint has to follow, and the
 * screen must be ours: another's prompt would come where he did not leave it. */
static void forget_scroll_region(void)
{
    const char *whole =
        change_scroll_region != NULL ? tparm(change_scroll_region, 0, LINES - 1) : NULL;
    if (whole != NULL && !isendwin()) {
        write_terminal(whole, strlen(whole));
    }
}

void term_resize(void)
{
    unsigned height = 0;
    unsigned width = 0;
    term_size(&height, &width);
    resizeterm((int)height, (int)width);
    term_repaint();
}

void term_repaint(void)
{
    forget_scroll_region();
    clearok(curscr, TRUE);
}
