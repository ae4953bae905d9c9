/* SPDX-License-Identifier: MIT */
#pragma once

/* Numbers with units, read strictly and written for people. Sizes are bytes in uint64_t; durations
 * are milliseconds. Never follows the locale. Any thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

/* A whole unsigned number in decimal, nothing around it, at most max. `what` names it in errors. */
bool units_parse_number(
    const char *text, const char *what, uint64_t max, uint64_t *number, struct error *err);
/* "4G", "4GiB", "512M", "512MiB", "4K", "4KiB", "1T"; a bare number is MiB. Zero, negative and
 * overflow are refused (ERROR_INVALID, naming `what`). */
bool units_parse_size(const char *text, const char *what, uint64_t *size_bytes, struct error *err);
/* "90", "90s", "500ms", "2m", "1h": a bare number is seconds. */
bool units_parse_duration(
    const char *text, const char *what, uint64_t *duration_ms, struct error *err);

#define UNITS_MAX 40
/* "14.2 MiB", "812 B". Returns buffer. */
const char *units_format_size(uint64_t size_bytes, char buffer[UNITS_MAX]);
/* Narrow form for tables of the console: "14M", "1.1G", "812B"; at most 5 cells. */
const char *units_format_size_short(uint64_t size_bytes, char buffer[UNITS_MAX]);
/* "3s", "4m", "3h", "12d", "5w": one unit, at most 4 cells. */
const char *units_format_age(uint64_t seconds, char buffer[UNITS_MAX]);
/* "0:07", "12:30", "3:02:11". */
const char *units_format_clock(uint64_t seconds, char buffer[UNITS_MAX]);
/* "850 ms", "1.42 s", "3 min 20 s". */
const char *units_format_duration(uint64_t duration_ms, char buffer[UNITS_MAX]);
