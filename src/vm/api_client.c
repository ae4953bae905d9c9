/* SPDX-License-Identifier: MIT */
#include "vm/api_client.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/text.h"

struct call {
    const struct api_target *target;
    const char *method;
    const char *path;
    CURL *easy;
    CURLM *multi;
    struct curl_slist *headers;
    struct text body;
    struct text answer;
    char message[CURL_ERROR_SIZE];
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void initialise_curl(void)
{
    if (curl_global_init(CURL_GLOBAL_NOTHING) != CURLE_OK) {
        abort();
    }
}

static size_t take_answer(char *bytes, size_t size, size_t count, void *context)
{
    struct call *call = context;
    return text_append_bytes(&call->answer, bytes, size * count) ? size * count : 0;
}

static void call_done(struct call *call)
{
    curl_multi_remove_handle(call->multi, call->easy);
    curl_easy_cleanup(call->easy);
    curl_multi_cleanup(call->multi);
    curl_slist_free_all(call->headers);
    text_done(&call->body);
    text_done(&call->answer);
}

static void prepare(struct call *call, const struct json *body)
{
    pthread_once(&curl_once, initialise_curl);
    call->multi = curl_multi_init();
    call->easy = curl_easy_init();
    if (call->multi == NULL || call->easy == NULL) {
        abort();
    }
    CURL *easy = call->easy;
    auto_free char *socket =
        memory_printf("/proc/self/fd/%d/%s", call->target->dir, call->target->socket);
    auto_free char *url = memory_printf("http://localhost%s", call->path);
    call->answer.cap_bytes = API_ANSWER_MAX;
    call->headers = curl_slist_append(NULL, "Expect:");
    call->headers = curl_slist_append(call->headers, "Accept: application/json");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* whatever the environment says */
    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, socket);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->message);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_answer);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
    if (body != NULL) {
        json_write(body, false, &call->body);
        call->headers = curl_slist_append(call->headers, "Content-Type: application/json");
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)call->body.len);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, text_cstr(&call->body));
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
    curl_multi_add_handle(call->multi, easy);
}

static bool judge(const struct call *call, CURLcode code, struct error *err)
{
    const char *who = call->target->who;
    if (code == CURLE_OK) {
        return true;
    }
    if (code == CURLE_COULDNT_CONNECT) {
        return error_set(
            err, ERROR_NOT_FOUND, "nobody answers on %s's socket %s", who, call->target->socket);
    }
    return error_set(err, ERROR_VMM, "%s, asked for %s %s: %s", who, call->method, call->path,
        call->message[0] != '\0' ? call->message : curl_easy_strerror(code));
}

static bool perform(
    struct call *call, uint64_t timeout_ms, const struct cancel *cancel, struct error *err)
{
    uint64_t deadline = clock_deadline(timeout_ms);
    struct curl_waitfd stop = {.fd = cancel_fd(cancel), .events = CURL_WAIT_POLLIN};
    for (;;) {
        int running = 0;
        int left = 0;
        if (cancel_check(cancel, err)) {
            return false;
        }
        curl_multi_perform(call->multi, &running);
        const CURLMsg *message = curl_multi_info_read(call->multi, &left);
        if (message != NULL && message->msg == CURLMSG_DONE) {
            return judge(call, message->data.result, err);
        }
        int wait_ms = clock_left_ms(deadline);
        if (wait_ms == 0) {
            return error_set(err, ERROR_TIMEOUT, "%s does not answer %s %s", call->target->who,
                call->method, call->path);
        }
        curl_multi_poll(
            call->multi, &stop, stop.fd >= 0 ? 1 : 0, wait_ms > 0 ? wait_ms : 1000, NULL);
    }
}

static bool read_answer(const struct call *call, struct json **reply, struct error *err)
{
    long status = 0;
    struct error unread = {0};
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    bool is_fine = status >= 200 && status < 300;
    auto_json struct json *json =
        call->answer.len == 0
            ? NULL
            : json_parse(text_cstr(&call->answer), call->answer.len, API_ANSWER_MAX,
                  limits_default.json_depth, "the answer", &unread);
    if (!is_fine) {
        return error_set(err, ERROR_VMM, "%s refused %s %s: %s", call->target->who, call->method,
            call->path, json_string(json, "fault_message", "no reason given"));
    }
    if (unread.code != ERROR_NONE) {
        *err = unread;
        return error_wrap(err, "%s, asked for %s %s", call->target->who, call->method, call->path);
    }
    if (reply != NULL) {
        *reply = json != NULL ? json_copy(json) : NULL;
    }
    return true;
}

bool api_call(const struct api_target *target, const char *method, const char *path,
    const struct json *body, uint64_t timeout_ms, const struct cancel *cancel, struct json **reply,
    struct error *err)
{
    struct call call = {.target = target, .method = method, .path = path};
    prepare(&call, body);
    bool is_done = perform(&call, timeout_ms, cancel, err) && read_answer(&call, reply, err);
    call_done(&call);
    return is_done;
}
