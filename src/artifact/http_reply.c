/* SPDX-License-Identifier: MIT */
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "artifact/http.h"
#include "artifact/http_exchange.h"
#include "artifact/http_parse.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"

#define BACKOFF_MS 1000

void http_reply_done(struct http_reply *reply)
{
    free(reply->fetched_from);
    strings_done(&reply->headers);
    *reply = (struct http_reply){0};
}

/* Value of the header on this line when it has that name, else NULL. */
static const char *value_of(const char *line, const char *name)
{
    size_t len = strlen(name);
    return strncmp(line, name, len) == 0 && line[len] == ':' ? line + len + 2 : NULL;
}

const char *http_reply_header(const struct http_reply *reply, const char *name)
{
    for (size_t i = 0; i < reply->headers.count; i++) {
        const char *value = value_of(reply->headers.items[i], name);
        if (value != NULL) {
            return value;
        }
    }
    return NULL;
}

const char *http_reply_only_header(const struct http_reply *reply, const char *name)
{
    const char *only = NULL;
    for (size_t i = 0; i < reply->headers.count; i++) {
        const char *value = value_of(reply->headers.items[i], name);
        if (value != NULL && only != NULL) {
            return NULL;
        }
        only = value != NULL ? value : only;
    }
    return only;
}

enum http_outcome http_judge_coding(const struct http_reply *reply, struct error *err)
{
    const char *coding = http_reply_header(reply, "content-encoding");
    const char *only = http_reply_only_header(reply, "content-encoding");
    if (coding == NULL || (only != NULL && strcasecmp(only, "identity") == 0)) {
        return HTTP_DONE;
    }
    error_set(err, ERROR_FORMAT, "%s: the server sends it re-encoded (%s), which was not asked for",
        reply->fetched_from, coding);
    return HTTP_NEVER;
}

static const char *status_meaning(unsigned status)
{
    switch (status) {
    case 401:
        return "it wants credentials";
    case 403:
        return "it refuses";
    case 404:
        return "it has no such file";
    case 407:
        return "the proxy wants credentials";
    case 410:
        return "it has the file no more";
    case 416:
        return "it has no such range";
    case 429:
        return "too many requests";
    case 503:
        return "it is overloaded or in maintenance";
    }
    return status >= 500 ? "an error of its own" : "not what was asked for";
}

enum http_outcome http_judge_status(const struct http_reply *reply, struct error *err)
{
    unsigned status = reply->status;
    if (status >= 200 && status <= 299) {
        return HTTP_DONE;
    }
    enum http_outcome outcome = HTTP_NEVER;
    enum error_code code = ERROR_NETWORK;
    if (status == 404 || status == 410) {
        code = ERROR_NOT_FOUND;
    } else if (status == 401 || status == 403 || status == 407) {
        code = ERROR_AUTH;
    } else if (status == 408 || status == 429 || (status >= 500 && status <= 599)) {
        outcome = HTTP_AGAIN;
    }
    error_set(err, code, "%s: the server answers %u, %s", reply->fetched_from, status,
        status_meaning(status));
    return outcome;
}

uint64_t http_retry_after_ms(const struct http_reply *reply)
{
    const char *value = http_reply_header(reply, "retry-after");
    uint64_t delay_ms = 0;
    if (value != NULL && (reply->status == 429 || reply->status >= 500)) {
        http_parse_retry_after(value, clock_wall(), &delay_ms);
    }
    return delay_ms;
}

bool http_wait_before_retry(const struct http_settings *settings, unsigned failures,
    uint64_t retry_after_ms, const struct cancel *cancel, struct error *err)
{
    uint32_t random = 0;
    /* Without it the pause is merely not spread. */
    ssize_t ignored = getrandom(&random, sizeof random, GRND_NONBLOCK);
    (void)ignored;
    uint64_t first_ms = settings->backoff_ms != 0 ? settings->backoff_ms : BACKOFF_MS;
    uint64_t pause_ms = http_backoff_ms(failures, first_ms, random);
    uint64_t deadline = clock_deadline(pause_ms > retry_after_ms ? pause_ms : retry_after_ms);
    struct pollfd stop = {.fd = cancel_fd(cancel), .events = POLLIN};
    while (!cancel_check(cancel, err)) {
        int left_ms = clock_left_ms(deadline);
        if (left_ms == 0) {
            return true;
        }
        poll(&stop, 1, left_ms);
    }
    return false;
}
