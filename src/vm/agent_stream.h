/* SPDX-License-Identifier: MIT */
#pragma once

/* One lasting stream of the agent with descriptors, or functions, connected to it: one poll loop,
 * back-pressure by the credit of base/wire.h, descriptors left in the mode they came in. Under
 * agent_exec.c and agent_copy.c. One owner. */

#include "vm/agent_line.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct cancel;
struct error;

#define AGENT_STREAM_LEAVE 0x1d /* ^] */
#define AGENT_STREAM_LEAVES 3

/* One way out of the guest. */
struct agent_output {
    int fd;          /* -1: thrown away, or for stream->write */
    int lost_reason; /* errno of the write that failed, but for EPIPE: output is missing */
    enum wire_channel channel;
    struct wire_buffer pending;
    struct wire_credit credit;
};

struct agent_stream {
    struct agent_line line;
    int stdin_fd;  /* -1: none, or once it ended */
    int window_fd; /* the same */
    /* Whoever types AGENT_STREAM_LEAVE AGENT_STREAM_LEAVES times in a row leaves: ERROR_CANCELLED.
     * A guest that stands still ends nothing itself. */
    bool can_leave;
    unsigned leaving; /* so many of them came */
    struct wire_credit stdin_credit;
    struct agent_output outputs[2];
    bool is_started;   /* STARTED came */
    bool is_over;      /* RESULT came */
    uint64_t idle_ms;  /* the guest may keep us waiting for so long; 0: for ever */
    uint64_t deadline; /* of clock_deadline, for all of it; 0: none */

    /* In place of stdin_fd and outputs[0].fd: called in turn, never blocking for long. read: the
     * next bytes, 0 at their end, -1 with *err. NULL: the descriptors. */
    ssize_t (*read)(void *context, void *bytes, size_t size, struct error *err);
    bool (*write)(void *context, const void *bytes, size_t len, struct error *err);
    /* The RESULT; false with *err ends the stream as a failure. */
    bool (*take_result)(void *context, const struct wire_frame *frame, struct error *err);
    void *context;
};

/* Connects; every descriptor is -1 at first. */
bool agent_stream_open(
    int vm_dir, const struct cancel *cancel, struct agent_stream *stream, struct error *err);
void agent_stream_done(struct agent_stream *stream);
/* Moves bytes until the RESULT came and everything was passed on. The OPEN is in line.out. */
bool agent_stream_run(struct agent_stream *stream, const struct cancel *cancel, struct error *err);
/* A size that waits in the window pipe. False when there is none now. */
bool agent_stream_window(struct agent_stream *stream, uint16_t *rows, uint16_t *columns);
