/* SPDX-License-Identifier: MIT */
#pragma once

/* Calls of a JSON interface over HTTP/1.1 on a unix socket, such as Firecracker's: one call, one
 * connection. Any thread; blocks up to its deadline and gives up on cancel. */

#include <stdbool.h>
#include <stdint.h>

struct cancel;
struct error;
struct json;

/* An answer longer than this is refused. */
#define API_ANSWER_MAX (1024u * 1024u)

struct api_target {
    int dir;            /* of the socket: however long the path is */
    const char *socket; /* its name there */
    const char *who;    /* for messages: whose interface this is */
};

/* body NULL: none. *reply (may be NULL) is the answer's document, the caller's, NULL where it has
 * none. An answer that is not 2xx is ERROR_VMM with its fault_message; nobody at the socket is
 * ERROR_NOT_FOUND; TIMEOUT, CANCELLED. */
bool api_call(const struct api_target *target, const char *method, const char *path,
    const struct json *body, uint64_t timeout_ms, const struct cancel *cancel, struct json **reply,
    struct error *err);
