/* SPDX-License-Identifier: MIT */
#pragma once

/* Writing to a descriptor of the caller's, which may be a file, a pipe or a terminal and stays in
 * the mode it is in: never more at once than fits, so that a reader who stopped reading does not
 * stop a cancel. Any thread. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct cancel;
struct error;

/* One write after POLLOUT. Bytes written; 0 when nothing fits now; -1 when the reader is gone
 * (errno EPIPE) or on another failure. */
ssize_t stream_write_some(int fd, const void *bytes, size_t len);
/* All of it. A reader that went away sets *is_closed and is no failure. */
bool stream_write_all(int fd, const void *bytes, size_t len, const struct cancel *cancel,
    bool *is_closed, struct error *err);
