/* SPDX-License-Identifier: MIT */
#pragma once

/* The end of the selected machine's serial line, in a strip of a large screen. Main thread. */

#include "ui/stream.h"
#include "ui/table.h"

#include <stdint.h>

struct area;
struct frame;
struct seat;

/* Zeroed with stream.fd -1 is one that follows nothing. */
struct tail {
    struct stream stream;
    char name[TABLE_KEY_MAX];   /* of the machine that is followed; "" for none */
    char wanted[TABLE_KEY_MAX]; /* of the one that shall be */
    uint64_t wanted_ms;         /* since then */
};

/* Follows that machine from the time on when the cursor has rested on it; "" stops. */
void tail_follow(struct tail *tail, struct seat *seat, struct frame *frame, const char *name);
void tail_draw(struct tail *tail, struct frame *frame, struct area area);
void tail_done(struct tail *tail);
