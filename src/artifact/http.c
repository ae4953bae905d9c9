/* SPDX-License-Identifier: MIT */
#include "artifact/http.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "artifact/http_exchange.h"
#include "artifact/http_file.h"
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

static void url_cleanup(CURLU **url)
{
    curl_url_cleanup(*url);
}

static void curl_text_cleanup(char **text)
{
    curl_free(*text);
}

#define auto_url __attribute__((cleanup(url_cleanup)))
#define auto_curl_text __attribute__((cleanup(curl_text_cleanup)))

static bool url_has(CURLU *url, CURLUPart part)
{
    auto_curl_text char *text = NULL;
    return curl_url_get(url, part, &text, 0) == CURLUE_OK;
}

/* Parses an http or https URL; NULL when it is anything else. */
static CURLU *url_parse(const char *text)
{
    CURLU *url = curl_url();
    auto_curl_text char *scheme = NULL;
    if (url == NULL || curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)) {
        curl_url_cleanup(url);
        return NULL;
    }
    return url;
}

static bool url_part_equal(CURLU *a, CURLU *b, CURLUPart part)
{
    auto_curl_text char *left = NULL;
    auto_curl_text char *right = NULL;
    return curl_url_get(a, part, &left, CURLU_DEFAULT_PORT) == CURLUE_OK &&
           curl_url_get(b, part, &right, CURLU_DEFAULT_PORT) == CURLUE_OK &&
           strcasecmp(left, right) == 0;
}

static bool url_is_same_origin(CURLU *a, CURLU *b)
{
    return url_part_equal(a, b, CURLUPART_SCHEME) && url_part_equal(a, b, CURLUPART_HOST) &&
           url_part_equal(a, b, CURLUPART_PORT);
}

static bool url_is_https(CURLU *url)
{
    auto_curl_text char *scheme = NULL;
    return curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
           strcmp(scheme, "https") == 0;
}

static bool url_has_userinfo(CURLU *url)
{
    return url_has(url, CURLUPART_USER) || url_has(url, CURLUPART_PASSWORD);
}

/* The URL as it may be shown and sent: without userinfo and fragment. Caller frees. */
static char *url_text_plain(CURLU *url)
{
    auto_url CURLU *copy = curl_url_dup(url);
    auto_curl_text char *text = NULL;
    if (copy == NULL || curl_url_set(copy, CURLUPART_USER, NULL, 0) != CURLUE_OK ||
        curl_url_set(copy, CURLUPART_PASSWORD, NULL, 0) != CURLUE_OK ||
        curl_url_set(copy, CURLUPART_FRAGMENT, NULL, 0) != CURLUE_OK ||
        curl_url_get(copy, CURLUPART_URL, &text, 0) != CURLUE_OK) {
        abort();
    }
    return memory_strdup(text);
}

char *http_strip_userinfo(const char *url)
{
    auto_url CURLU *parsed = url_parse(url);
    if (parsed != NULL) {
        return url_text_plain(parsed);
    }
    auto_free char *path = http_file_path(url);
    /* Whatever else it is might hold a password anywhere. */
    return memory_strdup(path != NULL ? url : "(not a URL)");
}

bool http_check_url(const char *url, bool is_userinfo_ok, struct error *err)
{
    auto_free char *path = http_file_path(url);
    if (path != NULL) {
        return true;
    }
    auto_url CURLU *parsed = url_parse(url);
    if (parsed == NULL) {
        return error_set(
            err, ERROR_INVALID, "%s is not an http, https or file URL with a full path", url);
    }
    if (!is_userinfo_ok && url_has_userinfo(parsed)) {
        auto_free char *plain = url_text_plain(parsed);
        return error_set(err, ERROR_INVALID,
            "the URL of %s holds a user name or password, which a catalog must not", plain);
    }
    return true;
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
    if (settings->ca_file != NULL) {
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

static void set_userinfo(CURL *easy, CURLU *url)
{
    auto_curl_text char *user = NULL;
    auto_curl_text char *password = NULL;
    curl_url_get(url, CURLUPART_USER, &user, CURLU_URLDECODE);
    curl_url_get(url, CURLUPART_PASSWORD, &password, CURLU_URLDECODE);
    curl_easy_setopt(easy, CURLOPT_USERNAME, user);
    curl_easy_setopt(easy, CURLOPT_PASSWORD, password);
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

static enum http_outcome request_hop(struct hop *hop, CURLU *url, CURLU *home)
{
    CURL *easy = hop->session->easy;
    const struct http_exchange *exchange = hop->exchange;
    bool is_at_home = url_is_same_origin(url, home);
    free(hop->reply->fetched_from);
    hop->reply->fetched_from = url_text_plain(url);
    hop->last_byte_ms = clock_monotonic_ms();
    curl_easy_reset(easy);
    set_security(easy, exchange->settings);
    set_limits(easy, limits_of(exchange->settings));
    set_method(easy, exchange);
    if (is_at_home && exchange->settings->is_userinfo_ok) {
        set_userinfo(easy, home);
    }
    __attribute__((cleanup(slist_cleanup))) struct curl_slist *headers =
        request_headers(exchange, is_at_home);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_URL, hop->reply->fetched_from);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, hop->message);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, hop);
    enum http_outcome outcome = perform_hop(hop);
    /* The handle outlives what these point to. */
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL);
    return outcome;
}

/* Turns url into where the answer points; false when we do not go there. */
static bool follow(CURLU *url, const struct http_reply *reply, struct error *err)
{
    const char *location = http_reply_header(reply, "location");
    if (location == NULL) {
        return error_set(err, ERROR_NETWORK, "%s: the server redirects (%u) to nowhere",
            reply->fetched_from, reply->status);
    }
    bool was_https = url_is_https(url);
    /* A relative one would inherit it; one that comes with its own is refused. */
    curl_url_set(url, CURLUPART_USER, NULL, 0);
    curl_url_set(url, CURLUPART_PASSWORD, NULL, 0);
    auto_curl_text char *text = NULL;
    auto_url CURLU *next = NULL;
    if (curl_url_set(url, CURLUPART_URL, location, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_URL, &text, 0) == CURLUE_OK) {
        next = url_parse(text);
    }
    if (next == NULL || url_has_userinfo(next)) {
        return error_set(err, ERROR_NETWORK, "%s: the server redirects to a place we do not go to",
            reply->fetched_from);
    }
    if (was_https && !url_is_https(next)) {
        return error_set(err, ERROR_NETWORK,
            "%s: the server redirects from https to plain http, which is refused",
            reply->fetched_from);
    }
    return true;
}

enum http_outcome http_exchange(struct http_session *session, const struct http_exchange *exchange,
    const struct cancel *cancel, struct http_reply *reply, struct error *err)
{
    auto_url CURLU *home = url_parse(exchange->url);
    auto_url CURLU *url = home != NULL ? curl_url_dup(home) : NULL;
    if (url == NULL) {
        error_set(err, ERROR_INVALID, "%s is not an http or https URL", exchange->url);
        return HTTP_NEVER;
    }
    for (unsigned hops = 0; hops <= HTTP_REDIRECTS_MAX; hops++) {
        struct hop hop = {
            .exchange = exchange,
            .cancel = cancel,
            .session = session,
            .reply = reply,
            .err = err,
        };
        enum http_outcome outcome = request_hop(&hop, url, home);
        if (outcome != HTTP_DONE || !hop.is_redirect) {
            return outcome;
        }
        if (!follow(url, reply, err)) {
            return HTTP_NEVER;
        }
    }
    error_set(err, ERROR_NETWORK, "%s: the server redirects more than %d times", exchange->url,
        HTTP_REDIRECTS_MAX);
    return HTTP_NEVER;
}
