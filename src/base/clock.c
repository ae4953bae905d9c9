/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Distance from the real wall clock in seconds; written once before any thread starts. */
static int64_t pinned_offset_s;

static int64_t read_ms(clockid_t which)
{
    struct timespec now;
    clock_gettime(which, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint64_t clock_monotonic_ms(void)
{
    return (uint64_t)read_ms(CLOCK_MONOTONIC);
}

int64_t clock_wall_ms(void)
{
    return read_ms(CLOCK_REALTIME) + pinned_offset_s * 1000;
}

int64_t clock_wall(void)
{
    return clock_wall_ms() / 1000;
}

void clock_pin_wall(int64_t wall_seconds)
{
    pinned_offset_s = wall_seconds - read_ms(CLOCK_REALTIME) / 1000;
}

const char *clock_format(int64_t wall_seconds, char buffer[CLOCK_TEXT_LEN])
{
    time_t seconds = (time_t)wall_seconds;
    struct tm parts;
    if (gmtime_r(&seconds, &parts) == NULL || parts.tm_year < 0 || parts.tm_year > 8099 ||
        strftime(buffer, CLOCK_TEXT_LEN, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
        snprintf(buffer, CLOCK_TEXT_LEN, "1970-01-01T00:00:00Z");
    }
    return buffer;
}

bool clock_parse(const char *text, int64_t *wall_seconds)
{
    struct tm parts = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    if (rest == NULL) {
        return false;
    }
    if (*rest == '.') {
        rest++;
        size_t digits = strspn(rest, "0123456789");
        if (digits == 0) {
            return false;
        }
        rest += digits;
    }
    int64_t offset_s = 0;
    if (*rest == '+' || *rest == '-') {
        unsigned hours, minutes;
        if (strlen(rest) != 6 || sscanf(rest + 1, "%2u:%2u", &hours, &minutes) != 2 || hours > 23 ||
            minutes > 59) {
            return false;
        }
        offset_s = (int64_t)(hours * 3600 + minutes * 60) * (*rest == '-' ? -1 : 1);
    } else if (strcmp(rest, "Z") != 0) {
        return false;
    }
    *wall_seconds = (int64_t)timegm(&parts) - offset_s;
    return true;
}

uint64_t clock_deadline(uint64_t timeout_ms)
{
    return timeout_ms == 0 ? 0 : clock_monotonic_ms() + timeout_ms;
}

int clock_left_ms(uint64_t deadline_ms)
{
    if (deadline_ms == 0) {
        return -1;
    }
    uint64_t now = clock_monotonic_ms();
    if (now >= deadline_ms) {
        return 0;
    }
    uint64_t left = deadline_ms - now;
    return left > INT_MAX ? INT_MAX : (int)left;
}
