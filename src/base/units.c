/* SPDX-License-Identifier: MIT */
#include "base/units.h"

#include "base/error.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Reads the digits at the start; *end is what follows. False when there are none or too many. */
static bool read_digits(const char *text, uint64_t *number, const char **end)
{
    uint64_t value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value)) {
            return false;
        }
    }
    *number = value;
    *end = at;
    return at != text;
}

bool units_parse_number(
    const char *text, const char *what, uint64_t max, uint64_t *number, struct error *err)
{
    uint64_t value;
    const char *end;
    if (!read_digits(text, &value, &end) || *end != '\0') {
        return error_set(err, ERROR_INVALID, "%s \"%s\" is not a whole number", what, text);
    }
    if (value > max) {
        return error_set(err, ERROR_INVALID, "%s %s is more than the largest possible, %" PRIu64,
            what, text, max);
    }
    *number = value;
    return true;
}

struct suffix {
    const char *name;
    uint64_t factor;
};

static bool apply_suffix(const struct suffix *suffixes, const char *end, uint64_t *value)
{
    for (; suffixes->name != NULL; suffixes++) {
        if (strcmp(suffixes->name, end) == 0) {
            return !__builtin_mul_overflow(*value, suffixes->factor, value);
        }
    }
    return false;
}

bool units_parse_size(const char *text, const char *what, uint64_t *size_bytes, struct error *err)
{
    static const struct suffix suffixes[] = {{"", UINT64_C(1) << 20}, {"K", UINT64_C(1) << 10},
        {"KiB", UINT64_C(1) << 10}, {"M", UINT64_C(1) << 20}, {"MiB", UINT64_C(1) << 20},
        {"G", UINT64_C(1) << 30}, {"GiB", UINT64_C(1) << 30}, {"T", UINT64_C(1) << 40},
        {"TiB", UINT64_C(1) << 40}, {0}};
    uint64_t value;
    const char *end;
    /* What does not fit a signed 64-bit offset is no size a disk or memory can have. */
    if (!read_digits(text, &value, &end) || !apply_suffix(suffixes, end, &value) ||
        value > INT64_MAX) {
        return error_set(err, ERROR_INVALID,
            "%s \"%s\" is not a size: use a number of MiB or 512M, 4G, 4GiB", what, text);
    }
    if (value == 0) {
        return error_set(err, ERROR_INVALID, "%s must be more than zero", what);
    }
    *size_bytes = value;
    return true;
}

bool units_parse_duration(
    const char *text, const char *what, uint64_t *duration_ms, struct error *err)
{
    static const struct suffix suffixes[] = {
        {"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {0}};
    uint64_t value;
    const char *end;
    if (!read_digits(text, &value, &end) || !apply_suffix(suffixes, end, &value) ||
        value > INT64_MAX) {
        return error_set(err, ERROR_INVALID,
            "%s \"%s\" is not a duration: use seconds or 500ms, 90s, 2m, 1h", what, text);
    }
    *duration_ms = value;
    return true;
}

static const char size_units[] = "KMGTPE";

const char *units_format_size(uint64_t size_bytes, char buffer[UNITS_MAX])
{
    if (size_bytes < 1024) {
        snprintf(buffer, UNITS_MAX, "%" PRIu64 " B", size_bytes);
        return buffer;
    }
    double value = (double)size_bytes;
    int unit = -1;
    /* 1023.95 would print as 1024.0. */
    while (value >= 1023.95 && unit < 5) {
        value /= 1024;
        unit++;
    }
    snprintf(buffer, UNITS_MAX, "%.1f %ciB", value, size_units[unit]);
    return buffer;
}

const char *units_format_size_short(uint64_t size_bytes, char buffer[UNITS_MAX])
{
    if (size_bytes < 1000) {
        snprintf(buffer, UNITS_MAX, "%" PRIu64 "B", size_bytes);
        return buffer;
    }
    double value = (double)size_bytes;
    int unit = -1;
    while (value >= 999.5 && unit < 5) {
        value /= 1024;
        unit++;
    }
    snprintf(buffer, UNITS_MAX, value < 9.95 ? "%.1f%c" : "%.0f%c", value, size_units[unit]);
    return buffer;
}

const char *units_format_age(uint64_t seconds, char buffer[UNITS_MAX])
{
    static const struct {
        uint64_t below, divisor;
        char unit;
    } rows[] = {{60, 1, 's'}, {3600, 60, 'm'}, {48 * 3600, 3600, 'h'}, {60 * 86400, 86400, 'd'},
        {UINT64_MAX, 7 * 86400, 'w'}};
    const size_t last = sizeof rows / sizeof rows[0] - 1;
    size_t i = 0;
    while (i < last && seconds >= rows[i].below) {
        i++;
    }
    snprintf(buffer, UNITS_MAX, "%" PRIu64 "%c", seconds / rows[i].divisor, rows[i].unit);
    return buffer;
}

const char *units_format_clock(uint64_t seconds, char buffer[UNITS_MAX])
{
    uint64_t hours = seconds / 3600;
    unsigned minutes = (unsigned)(seconds / 60 % 60);
    unsigned rest = (unsigned)(seconds % 60);
    if (hours > 0) {
        snprintf(buffer, UNITS_MAX, "%" PRIu64 ":%02u:%02u", hours, minutes, rest);
    } else {
        snprintf(buffer, UNITS_MAX, "%u:%02u", minutes, rest);
    }
    return buffer;
}

const char *units_format_duration(uint64_t duration_ms, char buffer[UNITS_MAX])
{
    if (duration_ms < 1000) {
        snprintf(buffer, UNITS_MAX, "%u ms", (unsigned)duration_ms);
    } else if (duration_ms < 10000) {
        snprintf(buffer, UNITS_MAX, "%.2f s", (double)duration_ms / 1000);
    } else if (duration_ms < 60000) {
        snprintf(buffer, UNITS_MAX, "%.1f s", (double)duration_ms / 1000);
    } else {
        snprintf(buffer, UNITS_MAX, "%" PRIu64 " min %u s", duration_ms / 60000,
            (unsigned)(duration_ms / 1000 % 60));
    }
    return buffer;
}
