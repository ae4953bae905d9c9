/* SPDX-License-Identifier: MIT */
#pragma once

/* Reads the header values that decide about a transfer, strictly: what is not exactly the
 * grammar is "not there". Pure functions over text from outside; any thread. Sources: RFC 9110
 * sections 8.8.3 (ETag), 10.2.3 (Retry-After), 14.4 (Content-Range), 5.6.7 (dates). */

#include <stdbool.h>
#include <stdint.h>

struct http_range {
    bool has_bytes;       /* false: a star in their place, the answer to a range nobody has */
    uint64_t first, last; /* inclusive */
    bool has_total;
    uint64_t total;
};

/* "bytes 5-9/10", with a star for either half but not both; false for anything else, also for a
 * range that lies outside of its total. */
bool http_parse_content_range(const char *value, struct http_range *range);

#define HTTP_RETRY_AFTER_MAX_MS 60000
/* Seconds or a date, as milliseconds from now_s (wall clock), at most HTTP_RETRY_AFTER_MAX_MS; a
 * date in the past is 0. False when it is neither. */
bool http_parse_retry_after(const char *value, int64_t now_s, uint64_t *delay_ms);

/* A quoted tag of printable ASCII without W/, short enough to be sent back and kept. */
bool http_etag_is_strong(const char *etag);

/* Whole decimal number without sign or blank; false also beyond 2^63-1. */
bool http_parse_length(const char *value, uint64_t *length);

/* Pause before the attempt-th try (from 1): first_ms doubled each time, at most 16 times first_ms,
 * of which random (any number) takes away up to a half. */
uint64_t http_backoff_ms(unsigned attempt, uint64_t first_ms, uint32_t random);
