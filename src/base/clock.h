/* SPDX-License-Identifier: MIT */
#pragma once

/* Time. The monotonic clock decides deadlines; the wall clock is only ever shown or recorded and
 * can be pinned at start (clock_pin_wall) so that ages in tests do not move. Any thread. */

#include <stdbool.h>
#include <stdint.h>

uint64_t clock_monotonic_ms(void);
/* Seconds since 1970, UTC. */
int64_t clock_wall(void);
/* Milliseconds since 1970, UTC. */
int64_t clock_wall_ms(void);
/* From now on the wall clock counts on from this second. Once, from main, before any thread. */
void clock_pin_wall(int64_t wall_seconds);

#define CLOCK_TEXT_LEN 21
/* RFC 3339 in UTC: "2026-07-01T12:00:00Z". Returns buffer. */
const char *clock_format(int64_t wall_seconds, char buffer[CLOCK_TEXT_LEN]);
/* Reads RFC 3339 with "Z" or an offset and an optional fraction; false when it is none. */
bool clock_parse(const char *text, int64_t *wall_seconds);

/* A deadline on the monotonic clock. 0 ms means none. */
uint64_t clock_deadline(uint64_t timeout_ms);
/* Milliseconds left for poll(): -1 without a deadline, 0 once it has passed. */
int clock_left_ms(uint64_t deadline_ms);
