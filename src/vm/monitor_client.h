/* SPDX-License-Identifier: MIT */
#pragma once

/* Connections to a machine's monitor, from any process. A connection opens with one request, a line
 * of JSON {"format": 1, "want": WORD, …}, and is answered by one line:
 *     events    no answer of its own: lines {"boot": {boot.json}} for what is and for every change,
 *               at the end {"exit": {exit.json}}
 *     console   {"ok": true, "offset": N}, then frames of base/wire.h on stream 1: from the monitor
 *               DATA and END of channel out (serial bytes) and DATA of channel err (notices), from
 *               the client DATA of channel in. Fields: "replay" bytes of the log first, "type"
 *     agent     {"ok": true}, then frames of base/wire.h without marker and HELLO
 *     figures   {"ok": true, "guest": {…}, "at_ms": monotonic}: numbers that the guest last told of
 *               itself, by the names below; without "guest" it told none in this boot. With
 *               "wait": true they are new ones: it has to answer first
 *     stop      {"ok": true}: the end that is coming was asked for, so nothing begins again by
 *               itself; with "withdrawn": true it was not after all. With "held": true who asks
 *               keeps the connection until the machine has ended; "grace_ms" after it closed, it
 *               counts as withdrawn
 * or by {"error": {"code", "message"}}. Any thread; blocks within its deadline. */

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

struct cancel;
struct error;
struct json;

#define MONITOR_EVENT_MAX (256u * 1024u)
/* Of base/wire.h, WIRE_KIND_STATS. */
#define MONITOR_GUEST_LOAD "load1" /* hundredths */
#define MONITOR_GUEST_MEMORY "mem_total"
#define MONITOR_GUEST_AVAILABLE "mem_available"
#define MONITOR_GUEST_RECEIVED "net_received"
#define MONITOR_GUEST_SENT "net_sent"
#define MONITOR_STREAM 1 /* of a console connection */

struct monitor_connection {
    int fd;              /* non-blocking */
    struct text pending; /* bytes that came behind the last line that was read */
};

/* A new request, for monitor_request; *want is borrowed. Caller frees. */
struct json *monitor_request_new(const char *want);
/* Connects and sends. ERROR_NOT_FOUND when no monitor listens. */
bool monitor_connect(int vm_dir, const struct json *request, uint64_t deadline_ms,
    const struct cancel *cancel, struct monitor_connection *connection, struct error *err);
/* The same, and reads the answer: an error answer becomes *err. */
bool monitor_request(int vm_dir, const struct json *request, uint64_t deadline_ms,
    const struct cancel *cancel, struct monitor_connection *connection, struct error *err);
/* The next line as JSON, caller frees. ERROR_IO at the end of the connection. */
struct json *monitor_read_json(struct monitor_connection *connection, uint64_t deadline_ms,
    const struct cancel *cancel, struct error *err);
void monitor_connection_done(struct monitor_connection *connection);
