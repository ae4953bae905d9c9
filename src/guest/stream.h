/* SPDX-License-Identifier: MIT */
#pragma once

/* One stream of the agent: what is behind it and what waits to be passed on. Private to stream.c,
 * which moves bytes, and stream_open.c, which begins and ends them. */

#include "guest/agent.h"
#include "guest/command.h"

#define NOTHING_OWED SIZE_MAX

enum stream_kind { STREAM_EXEC, STREAM_SYNC, STREAM_COPY, STREAM_TCP };

struct input {
    int fd; /* -1: nobody reads any more */
    struct wire_credit credit;
    uint8_t *bytes; /* WIRE_WINDOW of them, once there are any */
    size_t start, len;
    bool is_ending; /* END came; to be passed on behind the bytes */
};

struct output {
    int fd; /* -1: over */
    struct wire_credit credit;
    size_t owed;     /* once the program has ended: what it left behind; else NOTHING_OWED */
    bool is_ignored; /* the host does not want it any more */
};

struct stream {
    struct stream *next;
    uint32_t id;
    enum stream_kind kind;
    pid_t pid; /* 0: no process of ours */
    int status;
    bool is_tty, is_exited;
    bool is_connecting; /* a connection that is not made yet */
    uint16_t port;      /* of the connection */
    unsigned try;       /* the number of the address that is next */
    int start_fd;       /* says why a program did not start; end of file: it did */
    bool has_failed;
    struct command_failure failure;
    struct input in;
    struct output out[2];
    uint64_t drain_until_ms;
};

void stream_close_fd(int *fd);
/* Everything but the frames that say so: descriptors, memory, its place in the list. */
void stream_remove(struct agent *agent, struct stream *stream);
/* To everything the command started that did not leave its process group. */
void stream_signal(const struct stream *stream, int number);
/* A connection is made, failed, or to be tried at the next address. False: it is over, and told. */
bool stream_connected(struct agent *agent, struct stream *stream);
