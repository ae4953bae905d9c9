/* SPDX-License-Identifier: MIT */
#pragma once

/* Base 64 with padding, alphabet of RFC 4648 section 4. Decoding is strict: no blanks, no line
 * breaks, no missing padding, no bits left over. Any thread. */

#include <stdbool.h>
#include <stddef.h>

struct text;

/* Appends the bytes, which may hold NULs; false, with nothing appended, when it is not base 64. */
bool base64_decode(const char *encoded, size_t len, struct text *out);
void base64_encode(const void *bytes, size_t len, struct text *out);
