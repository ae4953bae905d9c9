/* SPDX-License-Identifier: MIT */
#pragma once

/* Unix stream sockets named in a machine's directory, and bytes over them with a deadline. Names
 * are relative to a directory descriptor and reached through /proc/self/fd, so that no path is too
 * long for sun_path (unix(7)). Deadlines are those of base/clock.h. Any thread; blocks. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct cancel;
struct error;
struct text;

/* Listens under name, mode 0600, in place of a stale socket. -1 on failure. */
int local_socket_listen(int dir, const char *name, struct error *err);
/* Connects; non-blocking descriptor. ERROR_NOT_FOUND when nobody listens there. -1 on failure. */
int local_socket_connect(int dir, const char *name, uint64_t deadline_ms,
    const struct cancel *cancel, struct error *err);
/* Waits until one of events is there on fd. TIMEOUT, CANCELLED. */
bool local_socket_wait(
    int fd, short events, uint64_t deadline_ms, const struct cancel *cancel, struct error *err);
bool local_socket_send(int fd, const void *bytes, size_t len, uint64_t deadline_ms,
    const struct cancel *cancel, struct error *err);
/* Up to size bytes; 0 at the end of the stream, -1 on failure. A reset counts as the end. */
ssize_t local_socket_receive(int fd, void *bytes, size_t size, uint64_t deadline_ms,
    const struct cancel *cancel, struct error *err);
/* Reads into *pending until it holds a line feed, then moves the line (without it) into *line.
 * False with ERROR_IO at the end of the stream, ERROR_LIMIT beyond max_bytes. */
bool local_socket_read_line(int fd, struct text *pending, size_t max_bytes, struct text *line,
    uint64_t deadline_ms, const struct cancel *cancel, struct error *err);
