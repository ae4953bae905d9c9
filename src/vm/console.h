/* SPDX-License-Identifier: MIT */
#pragma once

/* The serial line from the client's side: reading the log, following it, and typing. The log is
 * kept by the machine's monitor (monitor.h) in console.log, bounded, with a time index beside it,
 * and can be read whether or not the machine runs. Streaming threads and workers; everything stops
 * on cancel. Bytes are the guest's own: writing to a terminal is safe only for an operator who
 * asked for the raw line. */

#include <stdbool.h>
#include <stdint.h>

struct cancel;
struct error;
struct text;

struct console_log_options {
    int64_t tail_lines;  /* the last N lines; -1: all that is kept */
    int64_t since_ms;    /* wall milliseconds; 0: from the beginning */
    bool is_following;   /* until the machine ends, or cancel */
    bool has_timestamps; /* each line preceded by its RFC 3339 time and a blank */
};

/* Writes the log to out_fd. A reader of out_fd that went away ends it as success.
 * ERROR_NOT_FOUND when the machine never started. */
bool console_log_write(int vm_dir, const struct console_log_options *options, int out_fd,
    const struct cancel *cancel, struct error *err);
/* Waits until the text appears on the serial line of the boot under way (what it printed before
 * counts). ERROR_VMM when the machine ends first. timeout_ms 0: none. */
bool console_wait_text(int vm_dir, const char *needle, uint64_t timeout_ms,
    const struct cancel *cancel, struct error *err);

#define CONSOLE_DETACH_DEFAULT 0x1d /* ^] */

/* "ctrl-a", "^A", "^]": the byte such a key sends. ERROR_INVALID. */
bool console_parse_key(const char *word, int *key, struct error *err);

struct console_attach_options {
    int in_fd; /* -1: watch only */
    int out_fd;
    int detach_key;        /* a byte that ends it; -1: none, for pipes */
    uint64_t replay_bytes; /* of the log, shown first */
};

/* Connects the descriptors with the serial line until the detach key, the end of the machine, or
 * cancel (each a success). EOF on in_fd goes on watching. One client types at a time: the newest
 * takes the keyboard, the one before is told so on its screen and goes on watching; typing takes it
 * back. Puts a terminal on in_fd into raw mode and restores it exactly. Prints how to detach first
 * when in_fd is a terminal. Survives a restart of the guest by its monitor. */
bool console_attach(int vm_dir, const struct console_attach_options *options,
    const struct cancel *cancel, struct error *err);
