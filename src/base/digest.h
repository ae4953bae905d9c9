/* SPDX-License-Identifier: MIT */
#pragma once

/* A SHA-256 digest as a value. Computing one is artifact/hash. Parsing fails closed: exactly 64
 * lower-case hex digits, optionally behind "sha256:", nothing else. Any thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_HEX_LEN 64

struct digest {
    uint8_t bytes[32];
};

bool digest_parse(const char *hex, struct digest *digest);
/* Writes 64 digits and a NUL. Returns buffer. */
const char *digest_format(const struct digest *digest, char buffer[DIGEST_HEX_LEN + 1]);
bool digest_equal(const struct digest *a, const struct digest *b);
