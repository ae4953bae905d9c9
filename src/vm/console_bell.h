/* SPDX-License-Identifier: MIT */
#pragma once

/* Tells a reader of the serial log that there is more of it, or that the machine has ended: a
 * console connection whose bytes are not looked at. Ring before reading the log to its end, wait
 * after. For console.c and console_log.c. One owner. */

#include "base/wire.h"
#include "vm/monitor_client.h"

#include <stdbool.h>
#include <stdint.h>

struct cancel;
struct error;

struct console_bell {
    struct monitor_connection connection;
    struct wire_decoder decoder;
    bool has_ended; /* the machine is not running (any more) */
};

/* Also without a monitor: has_ended is set then. False only for another reason. */
bool console_bell_open(
    int vm_dir, const struct cancel *cancel, struct console_bell *bell, struct error *err);
void console_bell_done(struct console_bell *bell);
/* Until there is more in the log or has_ended is set. TIMEOUT, CANCELLED. */
bool console_bell_wait(struct console_bell *bell, uint64_t deadline_ms, const struct cancel *cancel,
    struct error *err);
