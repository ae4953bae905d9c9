/* SPDX-License-Identifier: MIT */
#include "artifact/http.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <curl/curl.h>

#include "artifact/http_exchange.h"
#include "artifact/http_url.h"
#include "base/cancel.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/memory.h"

#define RECEIVE_BUFFER 524288L
/* Bodies of redirects and errors are read so far, to keep the connection; then it is dropped. */
#define DROPPED_BODY_MAX 65536
#define HEADER_LINES_MAX 256
#define WATCH_INTERVAL_MS 1000

struct http_session {
    CURLM *multi;
    CURL *easy;
};

/* One hop of an exchange: a single request without redirects. */
struct hop {
    const struct http_exchange *exchange;
    const struct cancel *cancel;
    struct http_session *session;
    const char *url; /* as it is asked for: may hold what must not be shown */
    struct http_reply *reply;
    struct error *err;
    enum http_outcome outcome; /* of our own callbacks */
    bool is_met;               /* status and headers were looked at */
    bool is_redirect;
    uint64_t dropped_bytes;
    uint64_t last_byte_ms; /* monotonic */
    char message[CURL_ERROR_SIZE];
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void initialise_curl(void)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        abort();
    }
}

struct http_session *http_session_new(void)
{
    pthread_once(&curl_once, initialise_curl);
    struct http_session *session = memory_zero(1, sizeof *session);
    session->multi = curl_multi_init();
    session->easy = curl_easy_init();
    if (session->multi == NULL || session->easy == NULL) {
        abort();
    }
    return session;
}

void http_session_free(struct http_session *session)
{
    if (session != NULL) {
        curl_easy_cleanup(session->easy);
        curl_multi_cleanup(session->multi);
        free(session);
    }
}

void http_session_auto_free(struct http_session **session)
{
    http_session_free(*session);
}

/* What libcurl's own failures mean. */
static enum http_outcome judge_failure(struct hop *hop, CURLcode code)
{
    const char *why = hop->message[0] != '\0' ? hop->message : curl_easy_strerror(code);
    enum http_outcome outcome = HTTP_NEVER;
    enum error_code error = ERROR_NETWORK;
    switch ((int)code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        outcome = HTTP_AGAIN;
        break;
    case CURLE_PEER_FAILED_VERIFICATION:
        error = hop->exchange->settings->trusts_nobody ? ERROR_AUTH : ERROR_NETWORK;
        break;
    case CURLE_SSL_CACERT_BADFILE:
        error = ERROR_CONFIG;
        outcome = HTTP_STOP;
        break;
    }
    error_set(hop->err, error, "%s: %s", hop->reply->fetched_from, why);
    return outcome;
}

static bool status_is_redirect(unsigned status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static void collect_headers(struct hop *hop)
{
    strings_done(&hop->reply->headers);
    struct curl_header *header = NULL;
    while (hop->reply->headers.count < HEADER_LINES_MAX &&
           (header = curl_easy_nextheader(hop->session->easy, CURLH_HEADER, -1, header)) != NULL) {
        auto_free char *name = memory_strdup(header->name);
        for (char *c = name; *c != '\0'; c++) {
            *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
        }
        strings_printf(&hop->reply->headers, "%s: %s", name, header->value);
    }
}

/* Looks at status and headers, once, at the first byte of the body or when there is none. */
static enum http_outcome meet_reply(struct hop *hop)
{
    hop->is_met = true;
    long status = 0;
    curl_easy_getinfo(hop->session->easy, CURLINFO_RESPONSE_CODE, &status);
    hop->reply->status = (unsigned)status;
    collect_headers(hop);
    hop->is_redirect = status_is_redirect(hop->reply->status) &&
                       !hop->exchange->is_redirect_an_end && hop->exchange->form == NULL;
    if (hop->is_redirect) {
        return HTTP_DONE;
    }
    return hop->exchange->accept(hop->exchange->context, hop->reply, hop->err);
}

static enum http_outcome take_body(struct hop *hop, const char *bytes, size_t len)
{
    if (cancel_check(hop->cancel, hop->err)) {
        return HTTP_STOP;
    }
    hop->last_byte_ms = clock_monotonic_ms();
    if (!hop->is_met) {
        enum http_outcome outcome = meet_reply(hop);
        if (outcome != HTTP_DONE) {
            return outcome;
        }
    }
    if (!hop->is_redirect && hop->exchange->take != NULL) {
        return hop->exchange->take(hop->exchange->context, bytes, len, hop->err);
    }
    hop->dropped_bytes += len;
    if (hop->dropped_bytes > DROPPED_BODY_MAX) {
        error_set(hop->err, ERROR_LIMIT, "%s: the body of an answer nobody reads does not end",
            hop->reply->fetched_from);
        return HTTP_NEVER;
    }
    return HTTP_DONE;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct hop *hop = context;
    hop->outcome = take_body(hop, bytes, size * count);
    return hop->outcome == HTTP_DONE ? size * count : 0;
}

static const struct limits *limits_of(const struct http_settings *settings)
{
    return settings->limits != NULL ? settings->limits : &limits_default;
}

static void slist_cleanup(struct curl_slist **list)
{
    curl_slist_free_all(*list);
}

static void add_header(struct curl_slist **list, const char *line)
{
    /* A line break would begin a header of somebody else's making. */
    if (line[strcspn(line, "\r\n")] != '\0') {
        abort();
    }
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (longer == NULL) {
        abort();
    }
    *list = longer;
}

static struct curl_slist *request_headers(const struct http_exchange *exchange, bool is_at_home)
{
    struct curl_slist *list = NULL;
    add_header(&list, "Accept-Encoding: identity");
    const char *const *sets[] = {exchange->settings->headers, exchange->headers};
    for (size_t set = 0; set < array_length(sets); set++) {
        for (size_t i = 0; sets[set] != NULL && sets[set][i] != NULL; i++) {
            add_header(&list, sets[set][i]);
        }
    }
    if (is_at_home && exchange->settings->authorization != NULL) {
        auto_free char *line =
            memory_printf("Authorization: %s", exchange->settings->authorization);
        add_header(&list, line);
        explicit_bzero(line, strlen(line));
    }
    return list;
}

static void set_security(CURL *easy, const struct http_settings *settings)
{
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_UNRESTRICTED_AUTH, 0L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (settings->trusts_nobody) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    } else if (settings->ca_file != NULL) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, settings->ca_file);
    }
#if LIBCURL_VERSION_NUM >= 0x075700
    /* A resolver that hangs must not hold up a cancel. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
}

static void set_limits(CURL *easy, const struct limits *limits)
{
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)limits->connect_seconds);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, (long)limits->low_speed_bytes);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)limits->low_speed_seconds);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, RECEIVE_BUFFER);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "banger-tui");
}

static void set_userinfo(CURL *easy, const char *url)
{
    auto_free char *user = NULL;
    auto_free char *password = NULL;
    http_url_userinfo(url, &user, &password);
    curl_easy_setopt(easy, CURLOPT_USERNAME, user);
    curl_easy_setopt(easy, CURLOPT_PASSWORD, password);
    if (password != NULL) {
        explicit_bzero(password, strlen(password));
    }
}

static void set_method(CURL *easy, const struct http_exchange *exchange)
{
    if (exchange->form != NULL) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, exchange->form);
    } else if (exchange->is_head) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    }
}

static bool is_stuck(const struct hop *hop, const struct limits *limits)
{
    uint64_t patience_ms = 1000 * (limits->connect_seconds + 2 * limits->low_speed_seconds);
    return clock_monotonic_ms() - hop->last_byte_ms > patience_ms;
}

/* Drives the transfer to its end, waking up at once when a stop is asked for. */
static enum http_outcome drive(struct hop *hop, CURLcode *result)
{
    CURLM *multi = hop->session->multi;
    for (;;) {
        int running = 0;
        if (curl_multi_perform(multi, &running) != CURLM_OK) {
            abort();
        }
        if (cancel_check(hop->cancel, hop->err)) {
            return HTTP_STOP;
        }
        if (running == 0) {
            int left = 0;
            const CURLMsg *message = curl_multi_info_read(multi, &left);
            *result = message != NULL ? message->data.result : CURLE_OK;
            return HTTP_DONE;
        }
        if (is_stuck(hop, limits_of(hop->exchange->settings))) {
            error_set(
                hop->err, ERROR_NETWORK, "%s: the transfer is stuck", hop->reply->fetched_from);
            return HTTP_AGAIN;
        }
        struct curl_waitfd stop = {.fd = cancel_fd(hop->cancel), .events = CURL_WAIT_POLLIN};
        curl_multi_poll(multi, &stop, stop.fd >= 0 ? 1 : 0, WATCH_INTERVAL_MS, NULL);
    }
}

static enum http_outcome perform_hop(struct hop *hop)
{
    CURLcode result = CURLE_OK;
    curl_multi_add_handle(hop->session->multi, hop->session->easy);
    enum http_outcome outcome = drive(hop, &result);
    if (outcome == HTTP_DONE && hop->outcome != HTTP_DONE) {
        outcome = hop->outcome;
    } else if (outcome == HTTP_DONE && result != CURLE_OK) {
        outcome = judge_failure(hop, result);
    } else if (outcome == HTTP_DONE && !hop->is_met) {
        outcome = meet_reply(hop);
    }
    curl_multi_remove_handle(hop->session->multi, hop->session->easy);
    return outcome;
}

static enum http_outcome request_hop(struct hop *hop)
{
    CURL *easy = hop->session->easy;
    const struct http_exchange *exchange = hop->exchange;
    bool is_at_home = http_url_is_same_origin(hop->url, exchange->url);
    hop->last_byte_ms = clock_monotonic_ms();
    curl_easy_reset(easy);
    set_security(easy, exchange->settings);
    set_limits(easy, limits_of(exchange->settings));
    set_method(easy, exchange);
    if (is_at_home && exchange->settings->is_userinfo_ok) {
        set_userinfo(easy, exchange->url);
    }
    __attribute__((cleanup(slist_cleanup))) struct curl_slist *headers =
        request_headers(exchange, is_at_home);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_URL, hop->url);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, hop->message);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, hop);
    enum http_outcome outcome = perform_hop(hop);
    /* The handle outlives what it was given. */
    curl_easy_reset(easy);
    return outcome;
}

/* Makes *url where the answer points; false when we do not go there. */
static bool follow(char **url, struct http_reply *reply, struct error *err)
{
    const char *location = http_reply_only_header(reply, "location");
    if (location == NULL) {
        return error_set(err, ERROR_NETWORK, "%s: the server redirects (%u) to nowhere",
            reply->fetched_from, reply->status);
    }
    char *next = http_url_redirect(*url, location, err);
    if (next == NULL) {
        return false;
    }
    free(*url);
    *url = next;
    free(reply->fetched_from);
    reply->fetched_from = http_url_without_query(next);
    return true;
}

enum http_outcome http_exchange(struct http_session *session, const struct http_exchange *exchange,
    const struct cancel *cancel, struct http_reply *reply, struct error *err)
{
    auto_free char *url = http_url_plain(exchange->url);
    if (url == NULL) {
        error_set(err, ERROR_INVALID, "this is not an http or https URL");
        return HTTP_NEVER;
    }
    reply->fetched_from = memory_strdup(url);
    for (unsigned hops = 0; hops <= HTTP_REDIRECTS_MAX; hops++) {
        struct hop hop = {
            .exchange = exchange,
            .cancel = cancel,
            .session = session,
            .url = url,
            .reply = reply,
            .err = err,
        };
        enum http_outcome outcome = request_hop(&hop);
        if (outcome != HTTP_DONE || !hop.is_redirect) {
            return outcome;
        }
        if (!follow(&url, reply, err)) {
            return HTTP_NEVER;
        }
    }
    error_set(err, ERROR_NETWORK, "%s: the server redirects more than %d times",
        reply->fetched_from, HTTP_REDIRECTS_MAX);
    return HTTP_NEVER;
}
