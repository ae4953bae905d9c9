/* SPDX-License-Identifier: MIT */
#pragma once

/* A request to stop, passed down as a plain argument. Loops look at the flag once per entry and
 * per MiB; waits poll the fd, which becomes readable and stays so. Any thread may ask; the owner
 * frees it after everybody who was given it has returned. Functions accept NULL for "never". */

#include <stdbool.h>

struct cancel;
struct error;

struct cancel *cancel_new(void);
void cancel_free(struct cancel *cancel);
/* Async-signal-safe. Idempotent. */
void cancel_request(struct cancel *cancel);
bool cancel_is_requested(const struct cancel *cancel);
/* -1 for NULL: poll() skips it. */
int cancel_fd(const struct cancel *cancel);
/* Sets ERROR_CANCELLED and returns true when a stop was asked for. */
bool cancel_check(const struct cancel *cancel, struct error *err);
