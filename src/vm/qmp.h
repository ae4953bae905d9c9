/* SPDX-License-Identifier: MIT */
#pragma once

/* QEMU's machine protocol: one JSON document a line, a greeting first, replies in order with events
 * in between (QEMU docs, interop/qmp-spec). Calls block with a deadline and give up on cancel.
 * One owner at a time; workers and the monitor. */

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cancel;
struct error;
struct json;

/* A line longer than this ends the connection. */
#define QMP_LINE_MAX (1024 * 1024)

enum qmp_kind { QMP_GREETING, QMP_RETURN, QMP_ERROR, QMP_EVENT, QMP_OTHER };
/* What a parsed line is. */
enum qmp_kind qmp_classify(const struct json *message);

struct qmp {
    int fd;            /* owned unless borrowed by qmp_adopt */
    struct text input; /* bytes not yet taken as lines */
    uint64_t next_id;
};

void qmp_done(struct qmp *qmp);
/* Connects to a socket in a directory (long paths are no trouble) and negotiates. */
bool qmp_open(struct qmp *qmp, int dir, const char *name, uint64_t timeout_ms,
    const struct cancel *cancel, struct error *err);
/* The same on a connected descriptor, which the value owns from then on, also on failure. */
bool qmp_adopt(
    struct qmp *qmp, int fd, uint64_t timeout_ms, const struct cancel *cancel, struct error *err);
/* Sends {"execute": command, "arguments": arguments} and waits for its reply; arguments is taken
 * over and may be NULL. *reply (may be NULL) is the value of "return", the caller's. An error reply
 * is ERROR_VMM with QEMU's own words. Events that come in between are dropped. */
bool qmp_call(struct qmp *qmp, const char *command, struct json *arguments, uint64_t timeout_ms,
    const struct cancel *cancel, struct json **reply, struct error *err);
/* Gives QEMU a copy of the descriptor under a name that later calls mean it by ("fd:name"). */
bool qmp_pass_fd(struct qmp *qmp, const char *name, int fd, uint64_t timeout_ms,
    const struct cancel *cancel, struct error *err);
