/* SPDX-License-Identifier: MIT */
#pragma once

/* A program on a terminal of its own, and what a person would see there: a pty whose output goes
 * through libvterm. Tests say what they wait for; nothing sleeps for a fixed time. Functions that
 * wait give up after PTY_WAIT_MS (longer under sanitizers) and fail the test with the screen as it
 * is. Include cmocka's headers first. One thread. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <termios.h>

#define PTY_WAIT_MS 60000

struct pty_vterm;

struct pty_cell {
    char text[25]; /* UTF-8 of the character, "" for a blank */
    bool is_bold, is_reverse;
    bool is_second_half;        /* of a wide character */
    bool has_color;             /* foreground or background is not the terminal's own */
    int foreground, background; /* of the palette; -1: the terminal's own, or none of the palette */
};

/* Starts argv[0] with exactly that environment. With is_under_shell the program runs as a job of a
 * small parent in its session, as below a shell, so that it can be stopped and continued. */
struct pty_vterm *pty_start(
    const char *const *argv, const char *const *env, int rows, int columns, bool is_under_shell);
/* Kills it if it still runs. */
void pty_stop(struct pty_vterm *pty);

void pty_send(struct pty_vterm *pty, const char *keys);
void pty_resize(struct pty_vterm *pty, int rows, int columns);
pid_t pty_pid(const struct pty_vterm *pty);
/* Not even about to run: whatever wakes it has done so before it is told. */
bool pty_is_asleep(const struct pty_vterm *pty);
/* Closes our end: the terminal is gone. */
void pty_hang_up(struct pty_vterm *pty);

/* Until the text stands somewhere on the screen (in one line), or nowhere any more, and then until
 * the frame is whole. */
void pty_wait_text(struct pty_vterm *pty, const char *text);
void pty_wait_gone(struct pty_vterm *pty, const char *text);
/* Until the program wrote that, wherever it is now. */
void pty_wait_wrote(struct pty_vterm *pty, const char *bytes);
/* Presses the key again and again until the text appears: for keys that may be dropped. */
void pty_press_until(struct pty_vterm *pty, const char *keys, const char *text);
/* Until it stands on that line, counted from 0. */
void pty_wait_on_line(struct pty_vterm *pty, const char *text, int row);
/* Until the screen is exactly that (lines without trailing blanks). False after the time. */
bool pty_wait_screen(struct pty_vterm *pty, const char *screen);
/* Until nothing came for so long. */
void pty_wait_quiet(struct pty_vterm *pty, int quiet_ms);
/* Takes in what comes until nothing did for so long, or until most_ms are over. Never fails. */
void pty_settle(struct pty_vterm *pty, int quiet_ms, int most_ms);
/* Until the program has ended; its wait status. */
int pty_wait_exit(struct pty_vterm *pty);
/* Whether it has, now. */
bool pty_has_ended(struct pty_vterm *pty);
/* Until a program under a shell has stopped; then continues it. */
void pty_wait_stopped(struct pty_vterm *pty);
void pty_continue(struct pty_vterm *pty);

/* The whole screen: lines without trailing blanks, each with a newline. Valid until the next
 * call. */
const char *pty_screen(struct pty_vterm *pty);
bool pty_shows(struct pty_vterm *pty, const char *text);
/* Line (from 0) on which the text stands; -1 when it does not. */
int pty_line_of(struct pty_vterm *pty, const char *text);
struct pty_cell pty_cell_at(struct pty_vterm *pty, int row, int column);
/* Where the text begins, in cells. False when it is not there. */
bool pty_find(struct pty_vterm *pty, const char *text, int *row, int *column);
/* Where the cursor stands, shown or not. */
void pty_cursor_place(const struct pty_vterm *pty, int *row, int *column);
bool pty_cursor_is_visible(const struct pty_vterm *pty);
bool pty_is_alternate(const struct pty_vterm *pty);
/* Everything written so far. */
size_t pty_byte_count(const struct pty_vterm *pty);
const char *pty_bytes(const struct pty_vterm *pty, size_t *len);
bool pty_wrote(const struct pty_vterm *pty, const char *bytes);
/* The line discipline as the program left it, and as it found it. */
struct termios pty_termios(const struct pty_vterm *pty);
struct termios pty_first_termios(const struct pty_vterm *pty);
