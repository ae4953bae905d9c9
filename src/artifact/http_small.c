/* SPDX-License-Identifier: MIT */
#include "artifact/http.h"
#include "artifact/http_exchange.h"
#include "artifact/http_file.h"
#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/memory.h"

/* What is collected of one answer. */
struct collection {
    const struct http_small *request;
    struct text *body;
    const char *url;
};

static enum http_outcome accept_reply(
    void *context, const struct http_reply *reply, struct error *err)
{
    struct collection *collection = context;
    text_clear(collection->body);
    bool is_challenge = reply->status == 401 && collection->request->is_challenge_ok;
    if (!collection->request->is_any_status_ok && !is_challenge) {
        enum http_outcome outcome = http_judge_status(reply, err);
        if (outcome != HTTP_DONE) {
            return outcome;
        }
    }
    return http_judge_coding(reply, err);
}

static enum http_outcome take_bytes(void *context, const void *bytes, size_t len, struct error *err)
{
    struct collection *collection = context;
    if (collection->body->len + len > collection->request->max_bytes ||
        !text_append_bytes(collection->body, bytes, len)) {
        error_set(err, ERROR_LIMIT, "%s is larger than the limit of %llu bytes", collection->url,
            (unsigned long long)collection->request->max_bytes);
        return HTTP_NEVER;
    }
    return HTTP_DONE;
}

/* One try; outcome HTTP_DONE leaves body and reply filled. */
static enum http_outcome try_once(struct http_session *session, const struct http_small *request,
    const struct cancel *cancel, struct text *body, struct http_reply *reply, struct error *err)
{
    auto_free char *shown = http_strip_userinfo(request->url);
    struct collection collection = {.request = request, .body = body, .url = shown};
    struct http_exchange exchange = {
        .url = request->url,
        .settings = &request->settings,
        .form = request->form,
        .is_head = request->is_head,
        .is_redirect_an_end = request->is_redirect_an_end,
        .context = &collection,
        .accept = accept_reply,
        .take = take_bytes,
    };
    return http_exchange(session, &exchange, cancel, reply, err);
}

static bool fetch(const struct http_small *request, const struct cancel *cancel, struct text *body,
    struct http_reply *reply, struct error *err)
{
    const struct limits *limits =
        request->settings.limits != NULL ? request->settings.limits : &limits_default;
    auto_http_session struct http_session *session = http_session_new();
    for (unsigned failures = 0;; failures++) {
        auto_done(http_reply) struct http_reply answer = {0};
        struct error failure = {0};
        text_clear(body);
        enum http_outcome outcome = try_once(session, request, cancel, body, &answer, &failure);
        if (outcome == HTTP_DONE) {
            if (reply != NULL) {
                *reply = answer;
                answer = (struct http_reply){0};
            }
            return true;
        }
        if (outcome != HTTP_AGAIN || failures >= limits->retries) {
            *err = failure;
            return false;
        }
        if (!http_wait_before_retry(
                &request->settings, failures + 1, http_retry_after_ms(&answer), cancel, err)) {
            return false;
        }
    }
}

static bool read_local(
    const struct http_small *request, const char *path, struct text *body, struct error *err)
{
    auto_close int fd = http_file_open(path, err);
    return fd >= 0 && file_read_fd(fd, path, request->max_bytes, body, err);
}

bool http_get_small(const struct http_small *request, const struct cancel *cancel,
    struct text *body, struct http_reply *reply, struct error *err)
{
    text_clear(body);
    if (!http_check_url(request->url, request->settings.is_userinfo_ok, err)) {
        return false;
    }
    auto_free char *path = http_file_path(request->url);
    bool is_done = path != NULL ? read_local(request, path, body, err)
                                : fetch(request, cancel, body, reply, err);
    if (!is_done) {
        text_clear(body);
    }
    return is_done;
}
