/* SPDX-License-Identifier: MIT */
#include "artifact/http_parse.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/memory.h"

#define ETAG_MAX 256

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads digits at *at and moves on behind them. */
static bool take_number(const char **at, uint64_t *number)
{
    if (!is_digit(**at)) {
        return false;
    }
    uint64_t value = 0;
    for (; is_digit(**at); (*at)++) {
        if (__builtin_mul_overflow(value, 10U, &value) ||
            __builtin_add_overflow(value, (uint64_t)(**at - '0'), &value) || value > INT64_MAX) {
            return false;
        }
    }
    *number = value;
    return true;
}

static bool take_char(const char **at, char wanted)
{
    if (**at != wanted) {
        return false;
    }
    (*at)++;
    return true;
}

bool http_parse_length(const char *value, uint64_t *length)
{
    uint64_t number;
    if (!take_number(&value, &number) || *value != '\0') {
        return false;
    }
    *length = number;
    return true;
}

bool http_parse_content_range(const char *value, struct http_range *range)
{
    if (strncasecmp(value, "bytes ", 6) != 0) {
        return false;
    }
    const char *at = value + 6;
    struct http_range found = {.has_bytes = *at != '*'};
    if (found.has_bytes) {
        if (!take_number(&at, &found.first) || !take_char(&at, '-') ||
            !take_number(&at, &found.last) || found.last < found.first) {
            return false;
        }
    } else {
        at++;
    }
    if (!take_char(&at, '/')) {
        return false;
    }
    found.has_total = *at != '*';
    if (found.has_total ? !take_number(&at, &found.total) : !take_char(&at, '*')) {
        return false;
    }
    bool is_outside = found.has_bytes && found.has_total && found.last >= found.total;
    bool is_empty = !found.has_bytes && !found.has_total;
    if (*at != '\0' || is_outside || is_empty) {
        return false;
    }
    *range = found;
    return true;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT", the only form that may still be sent. */
static bool parse_date(const char *value, int64_t *seconds)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    static const char pattern[] = "aaa, 00 aaa 0000 00:00:00 GMT";
    for (size_t i = 0; i < sizeof pattern; i++) {
        char c = value[i];
        bool is_letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        bool fits = pattern[i] == 'a'   ? is_letter
                    : pattern[i] == '0' ? is_digit(c)
                                        : c == pattern[i];
        if (!fits) {
            return false;
        }
    }
    auto_free char *month = memory_strndup(value + 8, 3);
    const char *found = strstr(months, month);
    if (found == NULL || (found - months) % 3 != 0) {
        return false;
    }
    auto_free char *text = memory_printf(
        "%.4s-%02d-%.2sT%.8sZ", value + 12, (int)(found - months) / 3 + 1, value + 5, value + 17);
    return clock_parse(text, seconds);
}

bool http_parse_retry_after(const char *value, int64_t now_s, uint64_t *delay_ms)
{
    uint64_t seconds = HTTP_RETRY_AFTER_MAX_MS / 1000;
    int64_t date;
    if (value[0] != '\0' && value[strspn(value, "0123456789")] == '\0') {
        const char *at = value;
        if (!take_number(&at, &seconds)) {
            seconds = UINT64_MAX; /* so many digits that only the clamp matters */
        }
    } else if (parse_date(value, &date)) {
        seconds = date > now_s ? (uint64_t)date - (uint64_t)now_s : 0;
    } else {
        return false;
    }
    *delay_ms = seconds < HTTP_RETRY_AFTER_MAX_MS / 1000 ? seconds * 1000 : HTTP_RETRY_AFTER_MAX_MS;
    return true;
}

bool http_etag_is_strong(const char *etag)
{
    size_t len = strlen(etag);
    if (len < 2 || len > ETAG_MAX || etag[0] != '"' || etag[len - 1] != '"') {
        return false;
    }
    for (size_t i = 1; i < len - 1; i++) {
        if (etag[i] <= ' ' || etag[i] == '"' || etag[i] >= 0x7f) {
            return false;
        }
    }
    return true;
}

uint64_t http_backoff_ms(unsigned attempt, uint64_t first_ms, uint32_t random)
{
    unsigned doublings = attempt == 0 ? 0 : attempt - 1;
    uint64_t pause_ms = first_ms << (doublings < 4 ? doublings : 4);
    return pause_ms - random % (pause_ms / 2 + 1);
}
