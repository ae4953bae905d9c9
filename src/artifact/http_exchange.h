/* SPDX-License-Identifier: MIT */
#pragma once

/* One request and its answer, redirects followed: the seam between http.c, which knows libcurl, and
 * http_download.c, which knows part files. Used by these two only. One worker at a time.
 *
 * The caller is asked before the first byte of an answer is taken (accept) and then given every
 * byte (take); both say with an outcome whether to go on (HTTP_DONE) or how it ended. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cancel;
struct error;
struct http_reply;
struct http_settings;

enum http_outcome {
    HTTP_DONE,
    HTTP_AGAIN, /* the same URL may work in a while */
    HTTP_NEVER, /* this URL will not, another one may */
    HTTP_STOP,  /* no URL will: cancelled, disk full */
};

struct http_exchange {
    const char *url;
    const struct http_settings *settings;
    const char *const *headers; /* more lines, NULL-terminated; NULL: none */
    const char *form;           /* POST */
    bool is_head;
    bool is_redirect_an_end;
    void *context;
    /* Once, when status and headers of an answer that is no redirect are known. */
    enum http_outcome (*accept)(void *context, const struct http_reply *reply, struct error *err);
    /* Never before accept. NULL: the body is read and dropped. */
    enum http_outcome (*take)(void *context, const void *bytes, size_t len, struct error *err);
};

/* Connections live as long as the session. */
struct http_session;

struct http_session *http_session_new(void);
void http_session_free(struct http_session *session);
void http_session_auto_free(struct http_session **session);
#define auto_http_session __attribute__((cleanup(http_session_auto_free)))

/* HTTP_DONE when accept took the answer and the body came whole (as far as can be told). Else *err
 * is set. *reply is filled as far as things got; start from a zeroed one, free it in any case. */
enum http_outcome http_exchange(struct http_session *session, const struct http_exchange *exchange,
    const struct cancel *cancel, struct http_reply *reply, struct error *err);

/* Like http_reply_header, but NULL also when there are several: which would be meant? */
const char *http_reply_only_header(const struct http_reply *reply, const char *name);

/* HTTP_DONE for 200 to 299, else what the status means, with *err set. */
enum http_outcome http_judge_status(const struct http_reply *reply, struct error *err);
/* HTTP_DONE unless the answer is in a content coding. */
enum http_outcome http_judge_coding(const struct http_reply *reply, struct error *err);
/* Waits before the failures-th new try, longer when the reply says so. False when cancelled. */
bool http_wait_before_retry(const struct http_settings *settings, unsigned failures,
    uint64_t retry_after_ms, const struct cancel *cancel, struct error *err);
/* What the reply asks for; 0 when it does not. */
uint64_t http_retry_after_ms(const struct http_reply *reply);
