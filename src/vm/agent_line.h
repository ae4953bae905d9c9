/* SPDX-License-Identifier: MIT */
#pragma once

/* One connection to a guest's agent through the machine's monitor, with frames both ways. For
 * agent_client.c and agent_exec.c. One owner. */

#include "base/wire.h"
#include "vm/monitor_client.h"

#include <stdbool.h>
#include <stdint.h>

struct cancel;
struct error;

#define AGENT_STREAM 1 /* each connection carries one */

struct agent_line {
    struct monitor_connection connection;
    struct wire_decoder decoder;
    struct wire_buffer out;
};

bool agent_line_open(int vm_dir, uint64_t deadline_ms, const struct cancel *cancel,
    struct agent_line *line, struct error *err);
void agent_line_done(struct agent_line *line);
/* Called for each frame of the stream; false ends the line with *err set. */
typedef bool agent_line_taker(void *context, const struct wire_frame *frame, struct error *err);
/* Takes what came, without waiting. False with *err set at the end of the line too. */
bool agent_line_receive(
    struct agent_line *line, agent_line_taker *take, void *context, struct error *err);
/* Sends what fits, without waiting. */
bool agent_line_send(struct agent_line *line, struct error *err);
/* Sets *err from a RESULT that is a failure of the guest's or the relay's. */
bool agent_result_failed(const struct wire_frame *frame, const char *what, struct error *err);
