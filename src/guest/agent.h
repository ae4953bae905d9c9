/* SPDX-License-Identifier: MIT */
#pragma once

/* The agent: one process, one poll loop, any number of streams over one line. agent.c has the loop,
 * line.c the virtio-serial port or the vsock, requests.c what is asked for in one frame,
 * stream_open.c and stream.c what lasts: commands, copies, connections. */

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/wire.h"
#include "guest/facts.h"

#define AGENT_STREAMS_MAX 200u /* of four descriptors at most: fewer than the kernel's 1024 */
#define AGENT_OUT_HIGH ((size_t)256 << 10) /* waiting output above which no more is produced */

struct stream;

struct line {
    int port;     /* nonblocking. virtio-serial: stays open for ever, the far end comes and goes.
                   * vsock: the connection there is, else -1 */
    int listener; /* vsock only */
    bool is_vsock;
    int epoll; /* of these alone; the port edge-triggered: a lost far end would keep poll() busy */
    bool can_read, can_write; /* until the port says otherwise */
};

struct agent {
    struct line line;
    int signals; /* SIGCHLD */
    int events;  /* from our own PID 1, or -1 */
    struct facts facts;
    struct wire_decoder decoder;
    struct wire_buffer out;
    struct stream *streams;
    size_t stream_count;
    uint32_t last_id; /* of the streams opened since the last HELLO */
    bool is_greeted;  /* somebody is there to be told */
};

/* Waits for the port, or a vsock to listen on, and opens it. False when the machine has neither. */
bool line_open(struct line *line);
/* Asks the port what changed; only to be called when line->epoll is readable. */
void line_look(struct line *line);
/* As read(2) and write(2); EAGAIN is 0 with can_read or can_write cleared. A far end that is gone
 * is -1. Any other trouble ends the agent. */
ssize_t line_read(struct line *line, void *bytes, size_t len);
ssize_t line_write(struct line *line, const void *bytes, size_t len);

/* A RESULT with, where they mean something, a number and a text. */
void agent_result(struct agent *agent, uint32_t id, enum wire_outcome outcome, bool has_number,
    uint64_t number, const char *text);

/* HELLO, and every OPEN but an exec's or a sync's: answered at once. */
void request_hello(struct agent *agent, const struct wire_frame *frame);
void request_simple(struct agent *agent, const struct wire_frame *frame);
void request_event(struct agent *agent, const char *fact);

/* ---- streams that last ---------------------------------------------------------------------- */

void stream_open_exec(struct agent *agent, const struct wire_frame *frame);
void stream_open_sync(struct agent *agent, const struct wire_frame *frame);
void stream_open_copy(struct agent *agent, const struct wire_frame *frame);
void stream_open_tcp(struct agent *agent, const struct wire_frame *frame);
struct stream *stream_find(struct agent *agent, uint32_t id);
/* DATA END CREDIT SIGNAL RESIZE CLOSE. False: the frame breaks the protocol. */
bool stream_frame(struct agent *agent, struct stream *stream, const struct wire_frame *frame);
/* A child of ours ended. */
void stream_reaped(struct agent *agent, pid_t pid, int status);
/* What to poll for: STREAM_POLLS rows, -1 in those of no use. Lowers *timeout_ms where need be. */
#define STREAM_POLLS 4u
void stream_poll(
    struct stream *stream, const struct agent *agent, struct pollfd *polls, int *timeout_ms);
/* Moves what is ready. Once all is told it sends the RESULT, and the stream is gone. */
void stream_serve(struct agent *agent, struct stream *stream, const struct pollfd *polls);
struct stream *stream_next(const struct stream *stream);
/* Hangs up on every stream (id 0) or one of them, and forgets it. */
void stream_close(struct agent *agent, uint32_t id);
