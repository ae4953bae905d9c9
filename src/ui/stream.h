/* SPDX-License-Identifier: MIT */
#pragma once

/* What a verb writes as it comes (a machine's log): a pipe the verb writes into, read without
 * blocking, as lines of a page that forgets its oldest. What only a terminal understands is taken
 * out of the lines. Main thread. */

#include "base/text.h"
#include "ui/pager.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct command;
struct seat;

struct stream {
    struct seat *seat;
    uint64_t job;     /* 0 once its end was told, or before the start */
    int fd;           /* -1 behind the end */
    struct text line; /* the beginning of a line whose end has not come, such as a prompt */
    bool has_part;    /* it stands on the page already */
    struct page page;
};

/* Submits the command, which it owns, with a pipe as its standard output. False: refused, and the
 * seat was told. The page keeps at most max_lines. */
bool stream_start(
    struct stream *stream, struct seat *seat, struct command *command, size_t max_lines);
/* Takes in what is there, up to a bound. Returns how many lines fell off the front of the page. */
size_t stream_read(struct stream *stream);
/* After a new snapshot: writes a last line when the verb has ended. */
void stream_update(struct stream *stream);
/* Puts a line of ours under what has come so far. */
void stream_divide(struct stream *stream, const char *text);
/* Ends the verb if it still runs. The stream can be started again. */
void stream_stop(struct stream *stream);

/* A serial line's text as lines are shown: escape sequences go, a carriage return begins the line
 * again, tabs are blanks. What is left is made safe by the drawing. Pure. */
void stream_clean(const char *bytes, size_t len, struct text *out);
